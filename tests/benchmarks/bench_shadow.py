"""How much of its time ``cascade shadow`` spends waiting for the student: ``python tests/benchmarks/bench_shadow.py``.

The stand-in endpoint runs in another process, on the same cores. Four figures: the overhead over the ideal at 50 ms and
32 in flight, the cost of a request beside a bare HTTP client, and what becomes of two kinds of refusal.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import httpx
from machine import describe_machine

ROOT = Path(__file__).parents[2]
PAIRS = ROOT / "fixtures" / "pairs.jsonl.gz"
EVENTS, CONCURRENCY = 2_000, 32


@contextmanager
def stand_in(*options: str) -> Iterator[tuple[str, Path]]:
    """A stand-in in another process: its address and its log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        command = [sys.executable, str(ROOT / "fixtures" / "stand_in.py"), "--exit-with-parent", "--log", str(log)]
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"], log
            process.terminate()


def write_traces(file: Path, count: int) -> None:
    """The shipped traces without what the recorded student said."""
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines, file.open("w", encoding="utf-8") as out:
        for line, _ in zip(lines, range(count), strict=False):
            row = {key: value for key, value in json.loads(line).items() if not key.startswith("student")}
            out.write(json.dumps(row) + "\n")


def shadow(url: str, count: int, concurrency: int) -> tuple[dict[str, object], float]:
    """The figures of a run over so many events, and its CPU seconds, starting and pulling included."""
    with tempfile.TemporaryDirectory() as folder:
        traces = Path(folder) / "traces.jsonl"
        write_traces(traces, count)
        cascade = [sys.executable, "-m", "cascade_cli", "shadow", "-q", "--json", "--concurrency", str(concurrency)]
        environment = os.environ | {"STUDENT_ENDPOINT": url}
        subprocess.run([*cascade[:3], "pull", "-q", traces.name], cwd=folder, env=environment, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        before = os.times()
        done = subprocess.run(cascade, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return json.loads(done.stdout)["data"], cpu_s


def overhead() -> None:
    """(a) Seconds of asking over events x latency / concurrency."""
    latency_s = 0.05
    with stand_in("--latency-ms", "50") as (url, _):
        data, _ = shadow(url, EVENTS, CONCURRENCY)
        bare_s = asyncio.run(_bare(url, bodies(), CONCURRENCY, clients=CONCURRENCY))
    ideal_s = EVENTS * latency_s / CONCURRENCY
    print(
        f"(a) {EVENTS:,} events at 50 ms, {CONCURRENCY} in flight: {data['seconds']:.2f} s, ideal {ideal_s:.3f} s,"
        f" ratio {data['seconds'] / ideal_s:.3f}; a bare loop over as many one-connection clients takes {bare_s:.2f} s"
    )


async def _bare(url: str, bodies: list[bytes], concurrency: int, clients: int = 1) -> float:
    """Seconds of a loop that does nothing but post."""
    queue = iter(bodies)
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=concurrency // clients)
        opened = [
            await stack.enter_async_context(httpx.AsyncClient(limits=limits, trust_env=False, verify=False))  # noqa: S501 - plain HTTP
            for _ in range(clients)
        ]

        async def work(client: httpx.AsyncClient) -> None:
            for body in queue:
                (await client.post(f"{url}/chat/completions", content=body)).json()

        began = time.perf_counter()
        await asyncio.gather(*(work(opened[number % clients]) for number in range(concurrency)))
        return time.perf_counter() - began


def bodies() -> list[bytes]:
    """The requests that shadow sends, as they are."""
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        prompts = [json.loads(line)["user_prompt"] for line, _ in zip(lines, range(EVENTS), strict=False)]
    fixed = {"model": "nuextract-2.0-4b-ft", "temperature": 0, "max_tokens": 768}
    return [json.dumps(fixed | {"messages": [{"role": "user", "content": prompt}]}).encode() for prompt in prompts]


def beside_bare() -> None:
    """(b) Requests a second and CPU a request, beside a loop that does nothing but post."""
    with stand_in() as (url, _):
        before = time.process_time()
        bare_s = asyncio.run(_bare(url, bodies(), CONCURRENCY))
        bare_cpu_s = time.process_time() - before
        data, cpu_s = shadow(url, EVENTS, CONCURRENCY)
        _, fixed_cpu_s = shadow(url, 1, CONCURRENCY)
    print(
        f"(b) no latency: shadow {EVENTS / data['seconds']:,.0f} requests/s,"
        f" {1000 * (cpu_s - fixed_cpu_s) / EVENTS:.2f} ms CPU each; bare httpx {EVENTS / bare_s:,.0f} requests/s,"
        f" {1000 * bare_cpu_s / EVENTS:.2f} ms CPU each"
    )


def storm(name: str, permitted_per_s: float, *options: str) -> None:
    """(c) What is answered a second in the last two thirds, over what the server lets through; requests an answer."""
    with stand_in(*options) as (url, log):
        data, _ = shadow(url, EVENTS, CONCURRENCY)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    answered = sorted(line["t"] for line in lines if line["outcome"] == "answered" and line["kind"] == "student")
    # The very last ones wait for nothing but their own pause.
    settled = answered[len(answered) // 3 : len(answered) * 99 // 100]
    per_s = (len(settled) - 1) / (settled[-1] - settled[0])
    outcomes = Counter(line["outcome"] for line in lines if line["kind"] == "student")
    print(
        f"(c) {name}: settled at {per_s:.1f}/s of {permitted_per_s:.1f}/s permitted ({per_s / permitted_per_s:.2f}),"
        f" {data['requests'] / data['answered']:.3f} requests an answer; in all {data['seconds']:.1f} s,"
        f" server's log {dict(outcomes)}"
    )


def eight_at_a_time() -> None:
    """(c) The same where the server limits what is under way; how much that is, a bare loop of eight shows."""
    latency = ("--latency-ms", "50")
    with stand_in(*latency) as (url, _):
        permitted_per_s = EVENTS / asyncio.run(_bare(url, bodies(), 8))
    storm("8 at a time of 50 ms", permitted_per_s, *latency, "--max-in-flight", "8", "--retry-after", "1")


def main() -> None:
    """Print all of them; other work on the machine spoils (a) and (b) first."""
    print(describe_machine() + f", load {os.getloadavg()[0]:.1f}")
    overhead()
    beside_bare()
    storm("100 a second, Retry-After 1", 100.0, "--rate-limit", "100", "--burst", "10", "--retry-after", "1")
    eight_at_a_time()


if __name__ == "__main__":
    main()

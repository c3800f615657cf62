"""Several real processes share one workspace: readers get in, writers take turns, kills lose nothing."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cascade_cli.errors import DependencyError
from cascade_cli.pulling import pull
from cascade_cli.records import Event, Row, StudentAnswer, Trace
from cascade_cli.workspace import Workspace

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)
PULLER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_workspace_processes import rows_of
from cascade_cli.pulling import pull
print(pull(rows_of(Path(sys.argv[2])), Path(sys.argv[3])).new_traces)
"""


def rows_of(file: Path) -> Iterator[Row]:
    """Read the plain file of `_write_rows`; independent of the sources."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            number, text = json.loads(line)
            event = Event(f"e{number}", "sales", text, {"to_emails": ["a@b.c"]})
            created_at = NOON + timedelta(seconds=number)
            trace = Trace(f"e{number}", text, f"t{number}", "f1e0ff", created_at=created_at, event=event)
            yield Row(trace, StudentAnswer(f"e{number}", text, "m"))


def _write_rows(file: Path, count: int, start: int = 0) -> Path:
    text = json.dumps({"entities": [{"type": "person", "name": "Alice Chen", "email": "alice@acme.com"}] * 4})
    file.write_text("".join(f"{json.dumps([number, text])}\n" for number in range(start, start + count)))
    return file


def _start_pull(file: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PULLER, str(Path(__file__).parent), str(file), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _new_traces(process: subprocess.Popen[str]) -> int:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return int(out)


@pytest.mark.parametrize("count", [15_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_a_second_process_reads_fifty_times_while_one_pulls(tmp_path: Path, count: int) -> None:
    folder = tmp_path / "ws"
    pull(rows_of(_write_rows(tmp_path / "one.jsonl", 1)), folder)
    process = _start_pull(_write_rows(tmp_path / "many.jsonl", count), folder)
    waits, counts = [], []
    while process.poll() is None or len(waits) < 50:
        began = time.monotonic()
        with Workspace.open(folder) as workspace:
            counts.append(workspace.counts().traces)
        waits.append(time.monotonic() - began)
        time.sleep(0.01)
    assert _new_traces(process) == count - 1
    print(f"{len(waits)} reads, {len(set(counts))} states seen, longest wait {max(waits):.3f} s")
    assert counts == sorted(counts)
    assert len(set(counts)) >= 2
    with Workspace.open(folder) as workspace:
        assert workspace.counts().traces == count


def test_two_writers_at_once_both_succeed(tmp_path: Path) -> None:
    """Also when neither finds a workspace yet."""
    folder = tmp_path / "ws"
    files = [_write_rows(tmp_path / f"{start}.jsonl", 12_000, start) for start in (0, 6_000)]
    writers = [_start_pull(file, folder) for file in files]
    assert sum(map(_new_traces, writers)) == 18_000
    with Workspace.open(folder) as workspace:
        counts = workspace.counts()
    assert (counts.events, counts.traces, counts.student_answers) == (18_000, 18_000, 18_000)


@pytest.mark.parametrize(("count", "kills"), [(20_000, 2), pytest.param(60_000, 8, marks=pytest.mark.slow)])
def test_kills_during_a_pull_lose_nothing_that_was_committed(tmp_path: Path, count: int, kills: int) -> None:
    folder = tmp_path / "ws"
    file = _write_rows(tmp_path / "rows.jsonl", count)
    chance = random.Random(7)
    committed = 0
    for _ in range(kills):
        process = _start_pull(file, folder)
        _wait_for_growth(folder, committed, process)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
        after = _traces(folder)
        assert after >= committed
        committed = after
    assert _new_traces(_start_pull(file, folder)) == count - committed
    with Workspace.open(folder) as workspace:
        rows = sum(1 for row in workspace.pairs() if row.answer and row.trace.event)
    assert rows == count


def _traces(folder: Path) -> int:
    if not Workspace.exists(folder):
        return 0
    with Workspace.open(folder) as workspace:
        return workspace.counts().traces


def _wait_for_growth(folder: Path, committed: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and _traces(folder) <= committed:
        time.sleep(0.01)


def test_a_workspace_that_is_held_too_long_names_the_holder(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom cascade_cli.workspace import Workspace\n"
        "with Workspace.open(Path(sys.argv[1]), 'write'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        for mode in ("read", "write"):
            with pytest.raises(DependencyError, match=f"held by process {holder.pid}"):
                _open(folder, mode)
    finally:
        holder.kill()
        holder.communicate()
    assert _traces(folder) == 0


def _open(folder: Path, mode: str) -> None:
    with Workspace.open(folder, mode, wait_s=0.2):  # type: ignore[arg-type]
        pass


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_workspace_processes import rows_of
from cascade_cli.errors import DependencyError
from cascade_cli.pulling import pull
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
try:
    pull(rows_of(Path(sys.argv[2])), Path(sys.argv[3]))
except DependencyError as error:
    print(error.message, "|", error.hint)
"""


@pytest.mark.parametrize(
    ("limit", "count"), [(1_000, 100), (300_000, 9_000), pytest.param(3_000_000, 60_000, marks=pytest.mark.slow)]
)
def test_a_full_disk_is_called_so_and_keeps_what_was_committed(tmp_path: Path, limit: int, count: int) -> None:
    """A limit on the size of files stands in for the disk: the same calls fail, with another errno."""
    folder = tmp_path / "ws"
    file = _write_rows(tmp_path / "rows.jsonl", count)
    command = [sys.executable, "-c", FULL_DISK, str(Path(__file__).parent), str(file), str(folder), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "disk" in done.stdout, done.stderr
    assert "full" in done.stdout
    before = _traces(folder)
    assert pull(rows_of(file), folder).new_traces == count - before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_really_full_disk_is_called_so_and_keeps_what_was_committed(tiny_disk: Path, tmp_path: Path) -> None:
    file = _write_rows(tmp_path / "rows.jsonl", 60_000)
    with pytest.raises(DependencyError, match="full"):
        pull(rows_of(file), tiny_disk / "ws")
    kept = _traces(tiny_disk / "ws")
    assert pull(rows_of(_write_rows(tmp_path / "few.jsonl", 10)), tiny_disk / "ws").seen in {0, 20}
    assert _traces(tiny_disk / "ws") >= kept


def test_a_read_only_folder_is_called_so(tmp_path: Path) -> None:
    folder = tmp_path / "ws"
    pull(rows_of(_write_rows(tmp_path / "rows.jsonl", 10)), folder)
    attempt = FULL_DISK.replace("signal.signal", "import os\nos.geteuid() or os.setuid(65534)\nsignal.signal")
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o055)
    folder.chmod(0o555)
    (folder / "workspace.duckdb").chmod(0o444)
    command = [sys.executable, "-c", attempt, str(Path(__file__).parent), str(tmp_path / "rows.jsonl"), str(folder)]
    done = subprocess.run([*command, "100000000"], capture_output=True, text=True, check=False, timeout=60)
    assert "cannot be written" in done.stdout, done.stderr
    assert "--workspace" in done.stdout

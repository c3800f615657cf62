"""What a worker shows at ``/metrics``: the text format to the letter, whatever the names are."""

from __future__ import annotations

import math
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.live.exposition import MOST_VALUES, OTHER, Counter, Gauge, Histogram
from cascade_cli.live.measures import MODES, MOST_HASHES, Measures
from cascade_cli.postgres.control import UNREADABLE
from cascade_cli.postgres.queue import Lane, LaneState
from cascade_cli.token_prices import TokenPrices

NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9][0-9.e+-]*|\+Inf)")
UNESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}

Sample = tuple[str, dict[str, str]]


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read the text format as its specification has it, and refuse all else.

    Lines end with a line feed; HELP and TYPE stand once, before the samples of their family, which stand together; no
    sample comes twice; buckets are cumulative and end with the count.
    """
    assert text == "" or text.endswith("\n")
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    kinds: dict[str, str] = {}
    family = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            assert re.fullmatch(rf"# HELP {NAME} [^\n]+", line)
            family = line.split(" ")[2]
            assert family not in kinds
        elif line.startswith("# TYPE "):
            _, _, name, kinds[family] = line.split(" ")
            assert name == family
            assert kinds[family] in {"counter", "gauge", "histogram"}
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            ending = "(_bucket|_sum|_count)" if kinds[family] == "histogram" else ""
            assert re.fullmatch(family + ending, found[1])
            labels = tuple((name, re.sub(r"\\.", lambda each: UNESCAPED[each[0]], value))
                           for name, value in re.findall(LABEL, found[2] or ""))  # fmt: skip
            assert len(dict(labels)) == len(labels)
            assert (found[1], labels) not in samples, "twice"
            samples[found[1], labels] = float(found[7])
    check_histograms(samples, [name for name, kind in kinds.items() if kind == "histogram"])
    return samples


def check_histograms(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], names: list[str]) -> None:
    for name in names:
        buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for (sample, labels), value in samples.items():
            if sample == f"{name}_bucket":
                bound = float(dict(labels)["le"])
                buckets.setdefault(tuple(pair for pair in labels if pair[0] != "le"), []).append((bound, value))
        for labels, found in buckets.items():
            assert all(one[0] < next_[0] and one[1] <= next_[1] for one, next_ in pairwise(found))
            assert found[-1] == (math.inf, samples[f"{name}_count", labels])
            assert (f"{name}_sum", labels) in samples


def text_of(family: Counter | Gauge | Histogram) -> str:
    return "".join(family.lines())


hostile = st.text() | st.sampled_from(
    ['"', "\\", "\\n", "\n", "\r\n", "\0", "\ud800", '"} 1\nevil{a="', "", "# TYPE x gauge", "\u2028", "x" * 10_000]
)


@given(values=st.lists(st.tuples(hostile, hostile), max_size=10))
def test_no_name_can_break_out_of_its_label(values: list[tuple[str, str]]) -> None:
    counter = Counter("cascade_x_total", 'Help with \\ and "\nlines.', ("a", "b"))
    for one, other in values:
        counter.add(one, other)
    found = parsed(text_of(counter))
    assert sum(found.values()) == len(values)
    text_of(counter).encode("utf-8")


@given(values=st.lists(st.floats(), max_size=30))
def test_a_histogram_counts_every_finite_value_into_its_bucket(values: list[float]) -> None:
    histogram = Histogram("cascade_x_seconds", "Seconds.", ("m",), bounds=(-1.0, 0.0, 0.5))
    for value in values:
        histogram.observe("one", value=value)
    finite = [value for value in values if math.isfinite(value)]
    text = text_of(histogram)
    if not any(math.isinf(sum(finite[:end])) for end in range(len(finite) + 1)):
        found = parsed(text)
        for bound in histogram.bounds if finite else ():
            told = found["cascade_x_seconds_bucket", (("m", "one"), ("le", f"{bound:g}"))]
            assert told == sum(value <= bound for value in finite)


def test_labels_beyond_the_most_are_counted_as_other_and_nothing_is_lost() -> None:
    measures = Measures()
    for number in range(10_000):
        measures.sampled(f"hash-{number}", agrees=number % 2 == 0)
    found = {labels: value for (name, labels), value in parsed(measures.render()).items() if "sampled" in name}
    assert len(found) <= 2 * (MOST_HASHES + 1)
    assert sum(found.values()) == 10_000
    assert found[(("prompt_hash", OTHER), ("verdict", "agrees"))] > 4_900


def test_a_value_that_is_known_goes_on_counting_when_the_label_is_full() -> None:
    counter = Counter("cascade_x_total", "X.", ("a",), most=2)
    for value in ("a", "b", "c", "a", "d"):
        counter.add(value)
    assert parsed(text_of(counter)) == {
        ("cascade_x_total", (("a", "a"),)): 2,
        ("cascade_x_total", (("a", "b"),)): 1,
        ("cascade_x_total", (("a", OTHER),)): 2,
    }


def test_what_is_unknown_is_neither_zero_nor_an_empty_label() -> None:
    measures = Measures()
    measures.lanes({Lane.STUDENT: LaneState(5, 2, 3, None, None), Lane.TEACHER: LaneState(0, 0, 1, 7.5, None)})
    measures.sampled(None, agrees=None)
    found = parsed(measures.render())
    assert found["cascade_lane_events", (("lane", "student"),)] == 8
    assert found["cascade_lane_claimed_events", (("lane", "student"),)] == 3
    assert ("cascade_lane_oldest_age_seconds", (("lane", "student"),)) not in found
    assert found["cascade_lane_oldest_age_seconds", (("lane", "teacher"),)] == 7.5
    assert found["cascade_sampled_answers_total", (("prompt_hash", "none"), ("verdict", "none"))] == 1


def test_an_age_that_is_no_longer_known_is_no_longer_shown() -> None:
    measures = Measures()
    for age in (7.5, None):
        measures.lanes({Lane.TEACHER: LaneState(0, 0, 0, age, None)})
    assert "cascade_lane_oldest_age_seconds{" not in measures.render()


@pytest.mark.parametrize("mode", MODES)
def test_exactly_one_mode_is_in_force(mode: str) -> None:
    measures = Measures()
    for each in (*MODES, mode):
        measures.in_mode(each, UNREADABLE, kill_file=False)
    found = parsed(measures.render())
    assert [each for each in MODES if found["cascade_mode", (("mode", each),)]] == [mode]
    assert found["cascade_switch_off", (("switch", "control_row"),)] == 1
    assert found["cascade_switch_off", (("switch", "kill_file"),)] == 0
    assert found["cascade_switch_off", (("switch", "flip"),)] == 1


def test_everything_a_worker_tells_is_shown_in_one_readable_text() -> None:
    measures = Measures()
    assert all(value == 0 for value in parsed(measures.render()).values())
    measures.describe("host-1", "0.1.0", "abc")
    measures.wrote("student", "flip", 3)
    measures.escalated("random_sample", 2)
    measures.called("student", "answered", 0.25)
    measures.called("teacher", "rate_limited")
    measures.used("teacher", 1_000, None, TokenPrices(2.0, 8.0))
    measures.wrote_batch(0.004)
    measures.charged(final=False)
    measures.charged(final=True)
    measures.released("outage", 4)
    measures.reaped([False, True])
    measures.lost_claims(2)
    measures.lost_audit("trace")
    measures.breaker("student_parse_fail", is_open=True)
    measures.endpoint("student", is_away=False)
    found = {f"{name}{dict(labels) or ''}": value for (name, labels), value in parsed(measures.render()).items()}
    assert found["cascade_events_total{'producer': 'student', 'mode': 'flip'}"] == 3
    assert found["cascade_answer_seconds_bucket{'model': 'student', 'le': '0.25'}"] == 1
    assert found["cascade_answer_seconds_bucket{'model': 'student', 'le': '0.1'}"] == 0
    assert found["cascade_calls_total{'model': 'teacher', 'outcome': 'rate_limited'}"] == 1
    assert found["cascade_tokens_total{'model': 'teacher', 'direction': 'prompt'}"] == 1_000
    assert found["cascade_cost_usd_total{'model': 'teacher'}"] == 0.002
    assert found["cascade_attempts_charged_total"] == 2
    assert found["cascade_failed_events_total"] == 1
    assert found["cascade_interruptions_total"] == 2
    assert found["cascade_quarantined_events_total"] == 1
    assert found["cascade_breaker_open{'breaker': 'student_parse_fail'}"] == 1
    assert found["cascade_endpoint_away{'endpoint': 'student'}"] == 0


@pytest.mark.parametrize("by", [-1, math.nan, math.inf])
def test_a_counter_never_falls_and_never_stops_being_a_number(by: float) -> None:
    counter = Counter("cascade_x_total", "X.")
    counter.add(by=3)
    counter.add(by=by)
    assert parsed(text_of(counter)) == {("cascade_x_total", ()): 3}


def test_threads_lose_no_count_and_may_be_read_at_any_time() -> None:
    measures = Measures()

    def work(thread: int) -> None:
        for number in range(2_000):
            measures.escalated(f"reason {thread} {number % (MOST_VALUES // 4)}")
            measures.wrote_batch(0.004)
            if number % 200 == 0:
                parsed(measures.render())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    found = parsed(measures.render())
    assert sum(value for (name, _), value in found.items() if name == "cascade_escalations_total") == 16_000
    assert found["cascade_write_seconds_count", ()] == 16_000

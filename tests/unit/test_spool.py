"""What was acknowledged stays: in the spool, on its way into the database, and nowhere once it is purged."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_cli.errors import DependencyError
from cascade_cli.records import Event, Row, StudentAnswer, Trace
from cascade_cli.workspace import (
    Ahead,
    Outcome,
    PairFilter,
    Questions,
    Spool,
    Spooled,
    Totals,
    Workspace,
    fold,
    fold_all,
)
from cascade_cli.workspace import spool as spool_module

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)


def _answer(event_id: str, text: str = "{}", sample: int = 0, run_id: str = "r1", **more: object) -> Outcome:
    fixed = Outcome(event_id, "m", "event_block", sample, run_id, 1, NOON, text, 9.5, {}, 7, 3, "stop")
    return replace(fixed, **more)


def _error(event_id: str, kind: str = "server_error", run_id: str = "r1", **more: object) -> Outcome:
    fixed = Outcome(event_id, "m", "event_block", 0, run_id, 4, NOON, error=kind, detail="why")
    return replace(fixed, **more)


def _wanted(**more: object) -> Questions:
    return replace(Questions("m", "event_block", 1, None, "r2", False, 100), **more)


def _row(number: int) -> Row:
    event = Event(f"e{number}", "sales", "text " * 50)
    return Row(Trace(f"e{number}", "{}", f"t{number:03d}", "h", created_at=NOON + timedelta(hours=number), event=event))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace of five traces without answers."""
    with Workspace.open(tmp_path / "ws", "write") as workspace:
        workspace.add_rows([_row(number) for number in range(5)])
    return tmp_path / "ws"


def _add(folder: Path, *outcomes: Outcome) -> None:
    with Spool.open(folder) as spool:
        spool.add(outcomes)


def _fold(folder: Path) -> int:
    with Spool.open(folder) as spool:
        return fold_all(folder, spool)


def _open(folder: Path, wanted: Questions | None = None) -> list[tuple[str, tuple[int, ...]]]:
    with Workspace.open(folder) as workspace:
        page = workspace.page_of_open(Ahead(), wanted or _wanted())
    return [(event.event_id, event.samples) for event in page.events]


def _totals(folder: Path, run_id: str = "r1") -> Totals:
    with Workspace.open(folder) as workspace:
        return workspace.totals(run_id)


def _answers(folder: Path) -> list[tuple[str, int, str | None]]:
    with Workspace.open(folder) as workspace:
        return [
            (r.answer.event_id, r.answer.sample_index, r.answer.response)
            for r in workspace.pairs(PairFilter(all_samples=True))
            if r.answer
        ]


def test_an_outcome_comes_back_as_it_went_in(folder: Path) -> None:
    answer = _answer("é\x00\U0001f600", "té\x00xt", 2, signals={"token_probability": 0.25}, outage=False)
    error = _error("e1", outage=True)
    _add(folder, answer, error)
    with Spool.open(folder) as spool:
        assert [each.outcome for each in spool.first(10)] == [answer, error]
        assert spool.of_events(["e1", "none"]) == [error]
        assert len(spool) == 2


def test_lone_surrogates_and_none_are_kept_as_they_can_be(folder: Path) -> None:
    _add(folder, _answer("e1", "a\ud800b", finish_reason=None, prompt_tokens=None))
    with Spool.open(folder) as spool:
        kept = spool.first(1)[0].outcome
    assert (kept.response, kept.finish_reason, kept.prompt_tokens) == ("a\ufffdb", None, None)


def test_readers_see_the_union_and_each_answer_once(folder: Path) -> None:
    _add(folder, _answer("e1", "one"))
    assert _answers(folder) == [("e1", 0, "one")]
    assert _open(folder) == [(event, (0,)) for event in ("e0", "e2", "e3", "e4")]
    _fold(folder)
    _add(folder, _answer("e1", "again"), _answer("e1", "more", 1), _answer("e2", "two"))
    assert _answers(folder) == [("e1", 0, "one"), ("e1", 1, "more"), ("e2", 0, "two")]
    assert _fold(folder) == 3
    assert _answers(folder) == [("e1", 0, "one"), ("e1", 1, "more"), ("e2", 0, "two")]
    assert _fold(folder) == 0


def test_a_reader_before_anything_was_spooled_sees_the_database_alone(folder: Path) -> None:
    assert _answers(folder) == []
    (folder / spool_module.SPOOL_NAME).touch()
    assert _answers(folder) == []
    with closing(spool_module._connect(f"file:{folder / spool_module.SPOOL_NAME}?mode=rw")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert _answers(folder) == []


def test_an_answer_replaces_an_error_and_an_error_never_an_answer(folder: Path) -> None:
    _add(folder, _error("e1", run_id="r0"), _error("e2"), _answer("e3"))
    _fold(folder)
    assert _totals(folder, "r0").failed == {"server_error": 1}
    _add(folder, _answer("e1"), _error("e3"))
    _fold(folder)
    assert _totals(folder, "r0") == Totals()
    assert _totals(folder) == Totals(2, {"server_error": 1}, 1 + 1 + 4, 14, 6)
    _add(folder, _answer("e2"))
    with Spool.open(folder) as spool:
        taken = spool.first(10)
        spool.add([_error("e4"), _answer("e4")])
        spool.forget([each.seq for each in taken])
        assert [each.outcome.error for each in spool.first(10)] == [None]


def test_folding_what_was_folded_already_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [_answer("e0"), _error("e1"), _error("e2", "unreachable", outage=True)]
    _add(folder, *first)
    with monkeypatch.context() as killed, Spool.open(folder) as spool:
        # A kill between the commit and the forgetting leaves the rows in both.
        killed.setattr(Spool, "forget", lambda *_: None)
        for _ in range(3):
            assert fold(folder, spool) == 3
            assert _totals(folder) == Totals(1, {"server_error": 1, "unreachable": 1}, 1 + 4 + 4, 7, 3)
    assert _fold(folder) == 3
    assert _totals(folder) == Totals(1, {"server_error": 1, "unreachable": 1}, 1 + 4 + 4, 7, 3)


@pytest.mark.parametrize("minutes", [5, 0, -5])
def test_what_was_read_from_the_spool_before_a_later_outcome_never_takes_its_place(folder: Path, minutes: int) -> None:
    with Spool.open(folder) as spool:
        spool.add([_error("e1", "unreachable", outage=True)])
        stale = spool.first(10)
        fold(folder, spool)
        spool.add([_error("e1", "refused", at=NOON + timedelta(minutes=minutes))])
        fold(folder, spool)
        with Workspace.open(folder, "write") as workspace:
            workspace.add_outcomes(spool.identity, stale)
    assert _totals(folder) == Totals(0, {"refused": 1}, 4 + 4)


def test_two_that_fold_at_once_move_each_outcome_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Workspace.open
    with Spool.open(folder) as one, Spool.open(folder) as other:
        one.add([_error("e1", "unreachable", outage=True)])

        def late(path: Path, mode: str, *, wait_s: float) -> object:
            """By the time it gets the database another has folded, and a later outcome has come and been folded."""
            monkeypatch.setattr(Workspace, "open", original)
            fold(folder, other)
            other.add([_error("e1", "refused", run_id="r2")])
            fold(folder, other)
            return original(path, mode, wait_s=wait_s)  # type: ignore[arg-type]

        monkeypatch.setattr(Workspace, "open", late)
        assert fold(folder, one) == 0
    assert (_totals(folder), _totals(folder, "r2")) == (Totals(), Totals(0, {"refused": 1}, 4))


def test_a_later_outcome_counts_even_where_the_clock_jumped_back(folder: Path) -> None:
    _add(folder, _error("e1", "unreachable", outage=True), _error("e2", "unreachable", outage=True))
    _fold(folder)
    _add(folder, _error("e1", "refused", at=NOON - timedelta(hours=1)), _answer("e2", at=NOON - timedelta(hours=1)))
    _fold(folder)
    assert _totals(folder) == Totals(1, {"refused": 1}, (4 + 4) + (4 + 1), 7, 3)


def test_a_new_spool_is_later_than_one_that_was_removed(folder: Path) -> None:
    for _ in range(3):
        _add(folder, _error("e1", "unreachable", outage=True))
        _fold(folder)
    for file in folder.glob(f"{spool_module.SPOOL_NAME}*"):
        file.unlink()
    _add(folder, _error("e1", "refused", run_id="r2"))
    _fold(folder)
    assert (_totals(folder), _totals(folder, "r2")) == (Totals(), Totals(0, {"refused": 1}, 4))


def test_requests_of_one_run_add_up_before_they_are_folded(folder: Path) -> None:
    _add(folder, _error("e1", "unreachable", outage=True), _error("e2", run_id="r0"))
    _add(folder, _error("e1", "unreachable", outage=True))
    _add(folder, _answer("e1"), _answer("e2"))
    with Spool.open(folder) as spool:
        assert [each.outcome.requests for each in spool.first(10)] == [4 + 4 + 1, 1]
    _fold(folder)
    assert _totals(folder) == Totals(2, {}, 9 + 1, 14, 6)


@pytest.mark.parametrize("later", [_answer("e1"), _error("e1", "refused")])
def test_requests_count_once_where_an_outcome_comes_between_the_commit_of_a_fold_and_its_forgetting(
    folder: Path, monkeypatch: pytest.MonkeyPatch, later: Outcome
) -> None:
    _add(folder, _error("e1", "unreachable", outage=True))
    _fold(folder)
    with Spool.open(folder) as spool, monkeypatch.context() as between:
        spool.add([_error("e1", "unreachable", outage=True)])
        original = Spool.forget
        between.setattr(Spool, "forget", lambda *asked: (spool.add([later]), original(*asked)))
        fold(folder, spool)
    _fold(folder)
    assert _totals(folder).requests == 4 + 4 + later.requests


def test_requests_of_one_run_add_up_over_an_outage(folder: Path) -> None:
    later = {"at": NOON + timedelta(minutes=1)}
    _add(folder, _error("e1", "unreachable", outage=True), _error("e2", "unreachable", outage=True))
    _fold(folder)
    _add(folder, _answer("e1", **later), _error("e2", **later))
    _fold(folder)
    assert _totals(folder) == Totals(1, {"server_error": 1}, (4 + 1) + (4 + 4), 7, 3)
    with Workspace.open(folder) as workspace:
        (failure,) = workspace.first_errors("r1", 5)
    assert (failure.event_id, failure.kind, failure.detail) == ("e2", "server_error", "why")


@pytest.mark.parametrize("folded", [False, True])
def test_outages_are_open_again_and_errors_only_on_request(folder: Path, folded: bool) -> None:
    _add(folder, _answer("e0"), _error("e1"), _error("e2", "unreachable", outage=True), _error("e3", run_id="r2"))
    if folded:
        _fold(folder)
        with Workspace.open(folder) as workspace:
            assert workspace.count_open(_wanted()) == 2
            assert workspace.count_open(_wanted(samples=3)) == 12
            assert workspace.count_open(_wanted(retry_errors=True)) == 3
            assert workspace.count_open(_wanted(since=NOON + timedelta(hours=3))) == 1
    assert _open(folder) == [("e2", (0,)), ("e4", (0,))]
    assert _open(folder, _wanted(retry_errors=True)) == [("e1", (0,)), ("e2", (0,)), ("e4", (0,))]
    assert _open(folder, _wanted(samples=2))[0] == ("e0", (1,))
    assert len(_open(folder, _wanted(student_model="other"))) == 5
    assert len(_open(folder, _wanted(prompt_shape="other"))) == 5


def test_an_answer_that_was_pulled_beside_an_error_counts_once(folder: Path) -> None:
    _add(folder, _error("e0"))
    _fold(folder)
    with Workspace.open(folder, "write") as workspace:
        workspace.add_answers([StudentAnswer("e0", "{}", "m")])
        assert workspace.count_open(_wanted(samples=2)) == 9
    assert _open(folder, _wanted(samples=2))[0] == ("e0", (1,))


def test_purging_reaches_the_spool_and_leaves_no_trace_in_its_file(folder: Path) -> None:
    _add(folder, _answer("e1", "sentinel of e1"), _answer("e2", "kept"), _error("e0"))
    with Workspace.open(folder, "write") as workspace:
        assert workspace.purge_event("e1") >= 2
    assert _answers(folder) == [("e2", 0, "kept")]
    with Workspace.open(folder, "write") as workspace:
        workspace.purge_before(NOON + timedelta(hours=1))
    with Spool.open(folder) as spool:
        assert [each.outcome.event_id for each in spool.first(9)] == ["e2"]
    for file in folder.glob(f"{spool_module.SPOOL_NAME}*"):
        assert b"sentinel of e1" not in file.read_bytes()


def test_a_fold_takes_bounded_bites_of_rows_and_of_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(folder, *(_answer(f"x{number}", "a" * 100) for number in range(10)))
    with Spool.open(folder) as spool:
        assert fold(folder, spool, rows=3) == 3
        monkeypatch.setattr(spool_module, "MAX_CHARACTERS", 150)
        assert fold(folder, spool) == 2
        assert fold_all(folder, spool) == 5
        assert len(spool) == 0


def test_a_fold_comes_back_later_where_the_database_is_taken(folder: Path) -> None:
    _add(folder, _answer("e1"))
    with Workspace.open(folder), Spool.open(folder) as spool:
        assert fold(folder, spool) == 0
        with pytest.raises(DependencyError, match="held by"):
            fold_all(folder, spool, wait_s=0.05)
        assert len(spool) == 1
    assert _fold(folder) == 1


def test_a_thread_that_writes_and_one_that_reads_wait_for_each_other(folder: Path) -> None:
    failures: list[BaseException] = []

    def work(mode: str) -> None:
        try:
            for number in range(20):
                with Workspace.open(folder, mode) as workspace:  # type: ignore[arg-type]
                    if mode == "write":
                        workspace.add_outcomes("s", [Spooled(number, _answer(f"w{number}"))])
                    else:
                        workspace.counts()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [Thread(target=work, args=(mode,)) for mode in ("write", "read", "read")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_full_disk_is_told_and_loses_nothing_that_was_acknowledged(folder: Path) -> None:
    script = f"""
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from cascade_cli.errors import DependencyError
from cascade_cli.workspace import Outcome, Spool
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
with Spool.open(Path({str(folder)!r})) as spool:
    for number in range(10_000):
        try:
            spool.add([Outcome(f"f{{number}}", "m", "s", 0, "r", 1, datetime.now(UTC), "a" * 1_000)])
        except DependencyError as error:
            print(number, error.message)
            sys.exit()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    number, _, message = done.stdout.partition(" ")
    assert "is full" in message
    with Spool.open(folder) as spool:
        assert len(spool) == int(number) > 0


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans(), st.booleans()), max_size=8))
def test_whatever_the_order_the_last_word_is_an_answer_where_there_was_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool, bool, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("ws")
    with Workspace.open(folder, "write") as workspace:
        workspace.add_rows([_row(number) for number in range(4)])
    answered, failed = set(), set()
    for place, (event, good, outage, folds) in enumerate(steps):
        at = {"at": NOON + timedelta(seconds=place)}
        key = f"e{event}"
        _add(folder, _answer(key, **at) if good else _error(key, outage=outage, **at))
        answered |= {key} if good else set()
        failed |= {key}
        if folds:
            _fold(folder)
    _fold(folder)
    totals = _totals(folder)
    assert totals.answered == len(answered)
    assert sum(totals.failed.values()) == len(failed - answered)
    assert [event for event, *_ in _answers(folder)] == sorted(answered)

"""The workspace keeps what it is given, once, and says clearly what is wrong with it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.ledger import LedgerEntry
from cascade_cli.records import AwaitedEvent, Event, Row, StudentAnswer, Trace
from cascade_cli.workspace import (
    Added,
    Awaited,
    PairFilter,
    Run,
    Window,
    Workspace,
    batches,
    columns,
    read_scores,
    scores,
    stream_pairs,
)
from cascade_cli.workspace import pairs as pairs_module
from cascade_cli.workspace import workspace as workspace_module
from cascade_cli.workspace.batching import MAX_ITEMS
from cascade_cli.workspace.database import DATABASE_NAME, QUERIES, Mode, connect

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)


def _row(number: int, *, model: str | None = "m", prompt: str = "f1e0ff", sample: int = 0) -> Row:
    event_id = f"e{number}"
    event = Event(event_id, "sales", "text", {"to_emails": ["a@b.c"]}, ("sales", "ops"), "private", "mail", NOON)
    created_at = NOON + timedelta(seconds=number)
    trace = Trace(event_id, "{}", f"t{number}-{prompt}", prompt, "qwen", "block", 840.0, created_at, event)
    answer = StudentAnswer(event_id, "{}", model, sample_index=sample, student_ms=9.5) if model else None
    return Row(trace, answer)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ws"


def _filled(folder: Path, rows: list[Row]) -> Added:
    with Workspace.open(folder, "write") as workspace:
        return workspace.add_rows(rows)


def _pairs(folder: Path, only: PairFilter | None = None) -> list[Row]:
    with Workspace.open(folder) as workspace:
        return list(workspace.pairs(only))


def test_a_row_comes_back_as_it_went_in(folder: Path) -> None:
    rows = [_row(1), _row(2, model=None)]
    assert _filled(folder, rows) == Added(new_traces=2, new_answers=1, seen=0)
    assert _pairs(folder) == rows
    assert list(stream_pairs(folder)) == rows


def test_the_folder_is_private_and_ignored_by_git(folder: Path) -> None:
    _filled(folder, [])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "*" in (folder / ".gitignore").read_text().splitlines()
    assert Workspace.exists(folder)


def test_adding_again_adds_nothing_and_the_first_of_each_key_stays(folder: Path) -> None:
    first = _row(1)
    later = Row(replace(first.trace, raw_response="later"), StudentAnswer("e1", "later", "m"))
    assert _filled(folder, [first, later]) == Added(new_traces=1, new_answers=1, seen=2, changed=2)
    assert _filled(folder, [later, later, first]) == Added(seen=6, changed=4)
    assert _pairs(folder) == [first]


def test_what_becomes_known_of_an_answer_later_is_kept_and_never_forgotten(folder: Path) -> None:
    first = _row(1)
    known = Row(first.trace, replace(first.answer, signals={"verifier": 0.25, "margin": 1.0}))
    _filled(folder, [first])
    assert _filled(folder, [known]) == Added(seen=2)
    assert _pairs(folder) == [known]
    _filled(folder, [first])
    assert _pairs(folder) == [known]


def test_when_a_worker_decided_is_kept(folder: Path) -> None:
    first = _row(1)
    decided = Row(first.trace, replace(first.answer, decided_at=NOON))
    _filled(folder, [decided])
    assert _pairs(folder) == [decided]


def test_traces_of_several_prompts_meet_every_answer_to_their_event(folder: Path) -> None:
    _filled(folder, [_row(1, prompt="a"), _row(1, prompt="b"), _row(1, sample=1), _row(1, model="other")])

    def found(only: PairFilter) -> list[tuple[object, ...]]:
        pairs = [(row.trace.system_prompt_hash, row.answer) for row in _pairs(folder, only)]
        return sorted((prompt, answer and answer.student_model) for prompt, answer in pairs)

    # Of several samples only the first counts, unless the others are asked for.
    assert found(PairFilter()) == sorted((h, m) for h in ("a", "b", "f1e0ff") for m in ("m", "other"))
    assert found(PairFilter(all_samples=True)) == sorted(
        (h, m) for h in ("a", "b", "f1e0ff") for m in ("m", "m", "other")
    )


def test_filters_choose_by_time_prompt_student_and_event(folder: Path) -> None:
    _filled(folder, [_row(n, prompt="ab"[n % 2], model="xy"[n % 2]) for n in range(6)])

    def ids(**only: object) -> list[str]:
        return [row.trace.event_id for row in _pairs(folder, PairFilter(**only)) if row.answer]  # type: ignore[arg-type]

    assert ids(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=4)) == ["e2", "e3"]
    assert ids(prompt_hash="a") == ["e0", "e2", "e4"]
    assert ids(student_model="y") == ["e1", "e3", "e5"]
    assert ids(event_id="e4") == ["e4"]


def test_a_trace_that_another_student_answered_comes_alone(folder: Path) -> None:
    _filled(folder, [_row(1, model="x")])
    assert [row.answer for row in _pairs(folder, PairFilter(student_model="y"))] == [None]


@given(
    numbers=st.lists(st.integers(0, 30), max_size=40),
    undated=st.sets(st.integers(0, 30)),
    page_size=st.integers(1, 7),
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_of_any_size_hold_every_trace_once_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    numbers: list[int],
    undated: set[int],
    page_size: int,
) -> None:
    folder = tmp_path_factory.mktemp("pages")
    rows = [
        Row(replace(row.trace, created_at=None)) if number in undated else row
        for number in numbers
        for row in [_row(number // 3, prompt=str(number), model=None)]
    ]
    monkeypatch.setattr(pairs_module, "PAGE_SIZE", page_size)
    _filled(folder, rows)
    beginning = datetime.min.replace(tzinfo=UTC)
    distinct = {row.trace.trace_id: row for row in rows}.values()
    in_order = sorted(distinct, key=lambda row: (row.trace.created_at or beginning, row.trace.trace_id))
    assert list(stream_pairs(folder)) == _pairs(folder) == in_order


@given(texts=st.lists(st.text(st.characters(codec=None), max_size=20), max_size=30))
@settings(max_examples=15)
def test_any_text_can_be_kept_and_what_utf8_can_hold_is_unchanged(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("text")
    rows = []
    for number, text in enumerate(texts):
        event = Event(f"e{number:02}", text, text, {"k": text}, (text, text), text, text)
        trace = Trace(event.id, text, f"t{number:02}", text, text, text, event=event)
        rows.append(Row(trace, StudentAnswer(event.id, text, text, text)))
    _filled(folder, rows)
    for text, row in zip(texts, _pairs(folder), strict=True):
        kept = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        event = Event(row.trace.event_id, kept, kept, {"k": kept}, (kept, kept), kept, kept)
        trace = Trace(event.id, kept, row.trace.trace_id, kept, kept, kept, event=event)
        assert row == Row(trace, StudentAnswer(event.id, kept, kept, kept))


def test_moments_of_any_zone_come_back_as_the_same_moment_in_utc(folder: Path) -> None:
    tokyo = datetime.fromisoformat("2026-06-18T21:00:00+09:00")
    _filled(folder, [Row(Trace("e", "{}", "t", created_at=tokyo))])
    (row,) = _pairs(folder)
    assert row.trace.created_at == NOON
    assert row.trace.created_at is not None
    assert row.trace.created_at.tzinfo is UTC


def test_an_answer_of_nothing_is_not_a_missing_answer(folder: Path) -> None:
    _filled(folder, [Row(Trace("e", "{}", "t"), StudentAnswer("e", None))])
    assert [row.answer for row in _pairs(folder)] == [StudentAnswer("e", None)]


def test_batches_end_at_their_number_and_at_their_weight() -> None:
    assert list(batches("abcde", lambda _: 1, max_items=2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(batches(["aaaa", "b", "cc", "d"], len, max_characters=3)) == [["aaaa"], ["b", "cc"], ["d"]]
    assert list(batches([], len)) == []


def test_what_was_added_before_a_bad_end_of_the_stream_is_kept(folder: Path) -> None:
    def stream() -> object:
        yield from (_row(number) for number in range(MAX_ITEMS))
        raise UsageError("the last line is torn")

    with pytest.raises(UsageError, match="torn"), Workspace.open(folder, "write") as workspace:
        workspace.add_rows(stream())  # type: ignore[arg-type]
    with Workspace.open(folder) as workspace:
        assert workspace.counts().traces == MAX_ITEMS


def test_the_ledger_keeps_the_latest_entry_of_each_producer(folder: Path) -> None:
    entry = LedgerEntry("e", "teacher", "qwen", None, None, None, NOON)
    with Workspace.open(folder, "write") as workspace:
        workspace.add_ledger([entry, replace(entry, producer="student")])
        workspace.add_ledger([replace(entry, escalated=True, escalate_reason="mop_up")])
        assert workspace.counts().ledger == 2


def test_runs_are_listed_newest_first_with_what_they_did(folder: Path) -> None:
    old = Run("r1", "pull", "0.1.0", {"since": "7d"}, NOON, watermark="2026-06-18")
    new = replace(old, run_id="r2", started_at=NOON + timedelta(hours=1))
    done_at = NOON + timedelta(minutes=1)
    with Workspace.open(folder, "write") as workspace:
        workspace.start_run(old)
        workspace.start_run(new)
        workspace.finish_run("r1", "ok", {"read": 3}, done_at)
        assert workspace.runs() == [new, replace(old, status="ok", counts={"read": 3}, finished_at=done_at)]
        assert workspace.runs(limit=1) == [new]


def test_the_latest_unfinished_run_is_the_one_begun_last_whatever_the_clock_said(folder: Path) -> None:
    first = Run("r1", "shadow", "0.1.0", {}, NOON)
    jumped = replace(first, run_id="r2", started_at=NOON - timedelta(hours=1))
    with Workspace.open(folder, "write") as workspace:
        for run in (first, jumped):
            workspace.start_run(run)
        assert workspace.unfinished_run("shadow") == jumped
        workspace.finish_run("r1", "partial", {}, NOON)
        workspace.continue_run("r1")
        assert workspace.unfinished_run("shadow") == jumped
        workspace.finish_run("r2", "finished", {}, NOON)
        assert workspace.unfinished_run("shadow") == first


def test_a_window_is_remembered_per_source(folder: Path) -> None:
    with Workspace.open(folder, "write") as workspace:
        assert workspace.window("a") is None
        workspace.set_window("a", Window(None, NOON))
        workspace.set_window("a", Window(NOON, NOON + timedelta(1)))
        workspace.set_window("b", Window(None, NOON))
        assert workspace.window("a") == Window(NOON, NOON + timedelta(1))
        assert workspace.window("b") == Window(None, NOON)


def _scores(numbers: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "trace_id": [f"t{number}" for number in numbers],
            "student_model": "m",
            "prompt_shape": "event_block",
            "sample_index": pl.Series([0] * len(numbers), dtype=pl.Int64),
            "entity_tp": numbers,
            "agreement": pl.Series([None if number % 2 else number / 7 for number in numbers], dtype=pl.Float64),
            "agrees": [number > 1 for number in numbers],
        }
    )


def test_scores_come_back_per_scorer_with_their_types_and_nulls(folder: Path) -> None:
    with Workspace.open(folder, "write") as workspace:
        assert workspace.write_scores("f1", _scores([1, 2, 3])) == 3
        other = _scores([1]).select("trace_id", "student_model", "prompt_shape", "sample_index", strict=pl.lit(0.5))
        assert workspace.write_scores("f2", other) == 1
        back = workspace.read_scores("f1").sort("trace_id")
        assert back.rows() == _scores([1, 2, 3]).rows()
        assert back.columns == _scores([]).columns
        assert workspace.read_scores("f2").rows() == other.rows()


def test_a_cached_score_is_not_written_again(folder: Path) -> None:
    with Workspace.open(folder, "write") as workspace:
        workspace.write_scores("f1", _scores([1, 2]))
        assert workspace.write_scores("f1", _scores([2, 3, 3])) == 1
        assert workspace.read_scores("f1").height == 3
        assert workspace.write_scores("f1", _scores([])) == 0


def test_an_unknown_scorer_has_no_scores_but_the_key_columns(folder: Path) -> None:
    with Workspace.open(folder, "write") as workspace:
        frame = workspace.read_scores("never")
    assert (frame.height, frame.columns) == (0, ["trace_id", "student_model", "prompt_shape", "sample_index"])


def test_scores_that_are_read_in_stretches_let_a_writer_in_between_and_are_all_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "STRETCH", 2)
    with Workspace.open(folder, "write") as workspace:
        workspace.write_scores("f1", _scores([0, 1, 2, 3]))
        workspace.write_scores("f2", _scores([4]).with_columns(strict=0.5))
    times = 0

    @contextmanager
    def connect_after_a_writer(path: Path, mode: Mode) -> Iterator[duckdb.DuckDBPyConnection]:
        nonlocal times
        times += 1
        with connect(path, "write", wait_s=0):  # fails where it is still open for reading
            pass
        with connect(path, mode) as connection:
            yield connection

    monkeypatch.setattr(workspace_module, "connect", connect_after_a_writer)
    assert read_scores(folder, "f1").sort("trace_id").rows() == _scores([0, 1, 2, 3]).rows()
    assert times == 3


def test_a_column_of_scores_must_be_named_as_an_identifier(folder: Path) -> None:
    hostile = _scores([1]).rename({"entity_tp": 'x" INT; DROP TABLE traces; --'})
    with Workspace.open(folder, "write") as workspace, pytest.raises(ValueError, match="cannot be called"):
        workspace.write_scores("f1", hostile)


def test_purging_an_event_removes_it_from_every_table(folder: Path) -> None:
    with Workspace.open(folder, "write") as workspace:
        workspace.add_rows([_row(1), _row(2)])
        workspace.add_ledger([LedgerEntry("e1", "teacher", "qwen", None, None, None, NOON)])
        workspace.write_scores("f", _scores([1, 2]).with_columns(trace_id=pl.concat_str("trace_id", pl.lit("-f1e0ff"))))
        assert workspace.purge_event("e1") == 5
        assert workspace.purge_event("e1") == 0
        assert [row.trace.event_id for row in workspace.pairs()] == ["e2"]
        assert workspace.read_scores("f")["trace_id"].to_list() == ["t2-f1e0ff"]


def test_purging_by_age_spares_events_that_anything_newer_speaks_of(folder: Path) -> None:
    year = timedelta(days=365)
    old = [replace(row, trace=replace(row.trace, created_at=NOON - year)) for row in map(_row, (1, 2, 3))]
    undated = replace(old[0], trace=Trace("e9", "{}", "t9"))
    with Workspace.open(folder, "write") as workspace:
        workspace.add_rows([*[Row(replace(row.trace, event=None)) for row in old], undated, _row(2, prompt="new")])
        workspace.add_ledger([LedgerEntry("e3", "teacher", "qwen", None, None, None, NOON)])
        workspace.purge_before(NOON - timedelta(days=1))
        assert sorted({row.trace.event_id for row in workspace.pairs()}) == ["e2", "e3", "e9"]


def test_reading_where_nothing_was_pulled_says_what_to_do(folder: Path) -> None:
    with pytest.raises(UsageError, match="no workspace") as raised, Workspace.open(folder):
        pass
    assert "cascade pull" in str(raised.value.hint)
    assert not folder.exists()


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_workspace_of_a_newer_version_is_refused_and_left_alone(folder: Path, mode: str) -> None:
    _filled(folder, [_row(1)])
    with duckdb.connect(str(folder / DATABASE_NAME)) as connection:
        connection.execute(QUERIES["record_schema_version"], {"version": 99})
    before = (folder / DATABASE_NAME).read_bytes()
    with pytest.raises(UsageError, match="newer cascade"), Workspace.open(folder, mode):  # type: ignore[arg-type]
        pass
    assert (folder / DATABASE_NAME).read_bytes() == before


@pytest.mark.parametrize("mode", ["read", "write"])
def test_an_empty_database_file_is_migrated_whoever_opens_it(folder: Path, mode: str) -> None:
    folder.mkdir()
    duckdb.connect(str(folder / DATABASE_NAME)).close()
    with Workspace.open(folder, mode) as workspace:  # type: ignore[arg-type]
        assert workspace.counts().traces == 0


@pytest.mark.parametrize("content", [b"", b"\x00" * 5_000, b"not a database" * 1_000])
@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_file_that_is_no_database_is_called_damaged(folder: Path, mode: str, content: bytes) -> None:
    folder.mkdir()
    (folder / DATABASE_NAME).write_bytes(content)
    with pytest.raises(DependencyError, match="damaged") as raised, Workspace.open(folder, mode):  # type: ignore[arg-type]
        pass
    assert "Move" in str(raised.value.hint)


def test_a_torn_database_is_called_damaged(folder: Path) -> None:
    _filled(folder, [_row(number) for number in range(3_000)])
    file = folder / DATABASE_NAME
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DependencyError, match="damaged"):
        _pairs(folder)


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Path) -> None:
    folder.write_text("notes")
    with pytest.raises(UsageError, match="not a workspace folder"):
        _filled(folder, [])
    assert folder.read_text() == "notes"


def test_every_query_can_be_explained(folder: Path) -> None:
    """A query that names a column or table that is not there fails here, before it fails for somebody."""
    batch_of = {
        "insert_events": columns.event_columns([_row(1)]),
        "insert_traces": columns.trace_columns([_row(1)]),
        "insert_answers": columns.answer_columns([]),
        "upsert_ledger": columns.ledger_columns([]),
        "changed_traces": columns.said_by_teacher([]),
        "changed_answers": columns.said_by_student([]),
        **dict.fromkeys(("insert_outcomes", "insert_errors", "settle_errors"), columns.outcome_columns([])),
    }
    with Workspace.open(folder, "write") as workspace:
        workspace.write_scores("f", _scores([1]))
        connection = workspace._connection
        connection.execute(QUERIES["choose_event"], {"event_id": "e"})
        file = folder / "scores.parquet"
        _scores([1]).write_parquet(file)
        for name in QUERIES.keys() - {"checkpoint", "give_room", "leave_apart", "put_together"}:
            connection.register("batch", batch_of.get(name, columns.answer_columns([])))
            names = set(duckdb.extract_statements(QUERIES[name])[0].named_parameters)
            values: dict[str, object] = dict.fromkeys(names)
            values |= dict.fromkeys(names & {"file"}, str(file))
            values |= dict.fromkeys(names & {"limit", "page_size", "stretch", "version"}, 1)
            connection.execute(f"EXPLAIN {QUERIES[name]}", values or None)


def _awaited(folder: Path, *events: AwaitedEvent, source: str = "db", days: float = 3) -> Awaited | None:
    with Workspace.open(folder, "write") as workspace:
        workspace.set_awaited(source, NOON + timedelta(days=days), events)
        return workspace.awaited("random_sample")


AS_OF = NOON + timedelta(days=3)


def test_an_event_is_awaited_until_a_trace_comes_that_is_no_older_than_the_decision(folder: Path) -> None:
    _filled(folder, [_row(1, model=None), _row(2, model=None)])
    early, late = (AwaitedEvent(f"e{n}", "random_sample", NOON + timedelta(seconds=n + d)) for n, d in ((1, 0), (2, 1)))
    other = AwaitedEvent("e3", "high_value_class", NOON)
    assert _awaited(folder, early, late, other, replace(late, decided_at=AS_OF)) == Awaited(AS_OF, 1, late.decided_at)
    assert _awaited(folder, early) == Awaited(AS_OF)
    with Workspace.open(folder, "write") as workspace:
        workspace.set_awaited("db", NOON, [late])
        assert workspace.purge_event("e2") == 3
        assert workspace.awaited("random_sample") == Awaited(NOON)


def test_an_undated_trace_answers_an_event_that_waits_and_purging_by_age_forgets_it(folder: Path) -> None:
    undated = _row(1, model=None)
    _filled(folder, [replace(undated, trace=replace(undated.trace, created_at=None))])
    assert _awaited(folder, AwaitedEvent("e1", "random_sample", NOON)) == Awaited(AS_OF)
    assert _awaited(folder, AwaitedEvent("e9", "random_sample", NOON)) == Awaited(AS_OF, 1, NOON)
    with Workspace.open(folder, "write") as workspace:
        workspace.purge_before(NOON + timedelta(hours=1))
        assert workspace.awaited("random_sample") == Awaited(AS_OF)


def test_each_source_owes_its_own_and_one_that_was_left_a_week_ago_owes_nothing(folder: Path) -> None:
    ours, theirs = (AwaitedEvent(f"e{n}", "random_sample", NOON + timedelta(hours=n)) for n in (1, 2))
    assert _awaited(folder, ours, source="one") == Awaited(AS_OF, 1, ours.decided_at)
    assert _awaited(folder, theirs, source="two") == Awaited(AS_OF, 2, ours.decided_at)
    assert _awaited(folder, source="two") == Awaited(AS_OF, 1, ours.decided_at)
    later = NOON + timedelta(days=11)
    assert _awaited(folder, theirs, source="two", days=11) == Awaited(later, 1, theirs.decided_at)
    with Workspace.open(folder, "write") as workspace:
        workspace.forget_awaited("two")
        assert workspace.awaited("random_sample") == Awaited(AS_OF, 1, ours.decided_at)
        workspace.forget_awaited("one")
        assert workspace.awaited("random_sample") is None


def test_lost_is_what_a_worker_asked_about_and_nobody_answered_wrote_or_awaits(folder: Path) -> None:
    asked = [replace(StudentAnswer(f"e{n}", "{}", "m"), decided_at=NOON) for n in range(1, 6)]
    recent = replace(StudentAnswer("e6", "{}", "m"), decided_at=NOON + timedelta(days=2, hours=1))
    further = replace(StudentAnswer("e8", "{}", "m", sample_index=1), decided_at=NOON)
    _filled(folder, [_row(1, model=None)])
    with Workspace.open(folder, "write") as workspace:
        workspace.add_answers([*asked, recent, further, StudentAnswer("e7", "{}", "m")])
        workspace.add_ledger(
            [
                LedgerEntry("e2", "student", "m", "f1e0ff", False, None, NOON),
                LedgerEntry("e4", "teacher", "t", "f1e0ff", True, "random_sample", NOON),
                LedgerEntry("e5", "teacher", "t", "f1e0ff", True, "vip_arena", NOON),
            ]
        )
        assert workspace.escalated("random_sample") == {"e4"}
    found = _awaited(folder, AwaitedEvent("e3", "high_value_class", NOON))
    assert found == Awaited(AS_OF, lost=2)

"""What is open comes once, in order, on pages that fit into memory however long the texts are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_cli.errors import DependencyError
from cascade_cli.pulling import pull
from cascade_cli.records import Event, Row, StudentAnswer, Trace
from cascade_cli.replay import Question, Recorder, open_questions, recording
from cascade_cli.replay.questions import NO_PROMPT, prompt_of
from cascade_cli.workspace import Ahead, OpenEvent, OpenPage, Outcome, Questions, Run, Spool, Workspace, database
from cascade_cli.workspace import questions as questions_module

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)
WANTED = Questions("m", "event_block", 1, None, "r", False, 200_000)


def _row(number: int, prompt: str | None, content: str | None = "text", event_id: str = "") -> Row:
    event = Event(event_id or f"e{number:04}", "sales", content)
    created_at = NOON + timedelta(seconds=number)
    trace = Trace(event.id, "{}", f"t{number:04}", "h", user_prompt=prompt, created_at=created_at, event=event)
    return Row(trace)


def _filled(folder: Path, rows: list[Row]) -> Path:
    with Workspace.open(folder, "write") as workspace:
        workspace.add_rows(rows)
    return folder


def _pages(folder: Path, wanted: Questions = WANTED, *, built: bool = False) -> Iterator[OpenPage]:
    ahead: Ahead | None = Ahead()
    while ahead is not None:
        with Workspace.open(folder) as workspace:
            page = workspace.page_of_open(ahead, wanted, built=built)
        yield page
        ahead = page.ahead


def _asked(folder: Path, wanted: Questions = WANTED, template: str | None = None) -> list[tuple[str, str | None]]:
    found = open_questions(folder, wanted, template)
    return [(each.event_id, each.prompt if isinstance(each, Question) else each.error) for each in found]


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_an_empty_prompt_is_none(tmp_path: Path, empty: str) -> None:
    event = Event("e", "sales", "text")
    assert "text" in (prompt_of(OpenEvent("e", empty, event, (0,)), None) or "")
    assert prompt_of(OpenEvent("e", empty, None, (0,)), None) is None
    folder = _filled(tmp_path / "ws", [_row(0, empty), _row(1, empty, None), _row(2, "block")])
    (_, built), *others = _asked(folder)
    assert (built or "").endswith("text")
    assert others == [("e0001", NO_PROMPT), ("e0002", "block")]


def test_events_are_read_only_where_a_prompt_is_built_from_them(tmp_path: Path) -> None:
    folder = _filled(tmp_path / "ws", [_row(0, "block"), _row(1, None)])
    (page,) = _pages(folder)
    assert [(each.user_prompt, each.event and each.event.content) for each in page.events] == [
        ("block", None),
        (None, "text"),
    ]
    (page,) = _pages(folder, built=True)
    assert [(each.user_prompt, each.event and each.event.content) for each in page.events] == [(None, "text")] * 2
    assert _asked(folder, template="<{content}>") == [("e0000", "<text>"), ("e0001", "<text>")]


@pytest.mark.parametrize("built", [False, True])
def test_a_page_ends_before_it_grows_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: bool) -> None:
    monkeypatch.setattr(questions_module, "PAGE_BYTES", 1_000)
    sizes = [10, 10, 600, 300, 5_000, 500, 500]
    folder = _filled(tmp_path / "ws", [_row(n, "a" * size, "b" * (size - 2)) for n, size in enumerate(sizes)])
    pages = [[len(each.samples) for each in page.events] for page in _pages(folder, built=built)]
    assert list(map(len, pages)) == [4, 1, 2]


@settings(max_examples=25)
@given(
    traces=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5) | st.none()), max_size=30),
    answered=st.sets(st.integers(0, 9)),
    since=st.integers(0, 5) | st.none(),
    events=st.integers(1, 4),
    stretch=st.integers(1, 6),
)
def test_every_open_event_comes_once_whatever_the_pages(
    tmp_path_factory: pytest.TempPathFactory,
    traces: list[tuple[int, int | None]],
    answered: set[int],
    since: int | None,
    events: int,
    stretch: int,
) -> None:
    rows = []
    for number, (event, second) in enumerate(traces):
        moment = None if second is None else NOON + timedelta(seconds=second)
        rows.append(Row(Trace(f"e{event}", "{}", f"t{number:02}", user_prompt=f"p{number:02}", created_at=moment)))
    folder = _filled(tmp_path_factory.mktemp("ws"), rows)
    with Workspace.open(folder, "write") as workspace:
        workspace.add_answers([StudentAnswer(f"e{event}", "{}", "m") for event in answered])
    start = None if since is None else NOON + timedelta(seconds=since)
    first: dict[str, str | None] = {}
    beginning = datetime.min.replace(tzinfo=UTC)
    for row in sorted(rows, key=lambda row: (row.trace.created_at or beginning, row.trace.trace_id)):
        if start is None or (row.trace.created_at is not None and row.trace.created_at >= start):
            first.setdefault(row.trace.event_id, row.trace.user_prompt)
    expected = [(event, prompt) for event, prompt in first.items() if int(event[1:]) not in answered]
    with pytest.MonkeyPatch.context() as small:
        small.setattr(questions_module, "PAGE_EVENTS", events)
        small.setattr(questions_module, "STRETCH_TRACES", stretch)
        found = _asked(folder, replace(WANTED, since=start))
    assert sorted(found, key=str) == sorted(expected, key=str)
    # Those of one moment, or of none, come as they are stored; else the earlier first.
    moments = {row.trace.user_prompt: row.trace.created_at or beginning for row in rows}
    assert [moments[prompt] for _, prompt in found] == [moments[prompt] for _, prompt in expected]


def test_what_is_answered_or_purged_after_it_was_found_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions_module, "PAGE_EVENTS", 2)
    folder = _filled(tmp_path / "ws", [_row(number, "block") for number in range(6)])
    pages = _pages(folder)
    assert [each.event_id for each in next(pages).events] == ["e0000", "e0001"]
    with Workspace.open(folder, "write") as workspace:
        workspace.add_answers([StudentAnswer("e0002", "{}", "m")])
        workspace.purge_event("e0004")
    assert [each.event_id for page in pages for each in page.events] == ["e0003", "e0005"]


def _long(count: int) -> list[Row]:
    random = Random(7)
    letters = bytes(97 + number % 26 for number in range(256))
    texts = (random.randbytes(400_000).translate(letters).decode() for _ in range(count))
    return [_row(number, text, text) for number, text in enumerate(texts)]


@pytest.mark.slow
def test_events_of_a_hundred_thousand_characters_are_pulled_read_and_asked_about(tmp_path: Path) -> None:
    folder, wanted = tmp_path / "ws", replace(WANTED, most_chars=400_000)
    pull(iter(_long(750)), folder)
    with Workspace.open(folder, "write") as workspace:  # a light write puts nothing together again
        workspace.start_run(Run("r", "shadow", "0", {}, NOON))
        stored = workspace._connection.execute("SELECT max(count) FROM pragma_storage_info('traces')").fetchone()
        assert (stored or [750])[0] < 100
    pages = [[len(each.user_prompt or "") for each in page.events] for page in _pages(folder, wanted)]
    assert sum(map(sum, pages)) == 750 * 400_000
    assert max(map(sum, pages)) <= questions_module.PAGE_BYTES
    assert sum(1 for _ in open_questions(folder, wanted, "{content}")) == 750


def test_long_texts_that_lie_close_together_are_read_with_more_memory(tmp_path: Path) -> None:
    folder = _filled(tmp_path / "ws", [])
    with Workspace.open(folder, "write") as workspace:
        connection = workspace._connection
        database.give_room(connection)
        connection.execute(
            "INSERT INTO traces (trace_id, event_id, raw_response, user_prompt, ordered_at) "
            "SELECT 't' || i, 'e' || i, '{}', repeat(md5('' || i), 20_000), TIMESTAMP '0001-01-01' FROM range(600) r(i)"
        )
        connection.execute("CHECKPOINT")
    assert len(_asked(folder, replace(WANTED, most_chars=1_000))) == 600


def test_a_log_that_did_not_fit_into_memory_is_brought_in_with_more(tmp_path: Path) -> None:
    folder = _filled(tmp_path / "ws", [])
    log = folder / f"{database.DATABASE_NAME}.wal"
    with Workspace.open(folder, "write") as workspace:
        connection = workspace._connection
        assert connection.execute("SELECT current_setting('memory_limit')").fetchone() == ("244.1 MiB",)
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("SET checkpoint_threshold = '1GB'")
        workspace.add_rows(_long(60))
    assert log.stat().st_size > 16 * 2**20
    with Workspace.open(folder, "write") as workspace:
        (limit,) = workspace._connection.execute("SELECT current_setting('memory_limit')").fetchone() or ("",)
    assert limit == "3.7 GiB"
    assert not log.exists()


def test_the_thread_that_folds_outlives_what_hinders_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, calls = _filled(tmp_path / "ws", [_row(0, "block")]), []
    original = recording.fold

    def hindered(path: Path, spool: Spool) -> int:
        calls.append(path)
        if len(calls) < 3:
            raise DependencyError("The disk is full.")
        return original(path, spool)

    monkeypatch.setattr(recording, "fold", hindered)
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_FOLDS", 0.01)

    async def record() -> None:
        with Recorder.open(folder) as recorder, Spool.open(folder) as spool:
            await recorder.keep(Outcome("e0000", "m", "event_block", 0, "r", 1, NOON, "{}"))
            for _ in range(500):
                if not len(spool):
                    break
                await asyncio.sleep(0.01)
            assert len(spool) == 0

    asyncio.run(record())

"""Decoded fields -> rows: what is accepted, what is None, what is a bad row."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.records import BadRow, Event, Row, StudentAnswer
from cascade_cli.sources.decoding import decode_json
from cascade_cli.sources.fields import COLUMNS, row_or_bad

LEAST = {"event_id": "e1", "raw_response": "{}"}


def read(**fields: object) -> Row:
    row = row_or_bad({**LEAST, **fields}, "f:1")
    assert isinstance(row, Row), row
    return row


def cause(**fields: object) -> str:
    row = row_or_bad({**LEAST, **fields}, "f:1")
    assert isinstance(row, BadRow), row
    return row.cause


def test_a_null_student_response_means_asked_and_an_absent_one_not_asked() -> None:
    assert read(student_response=None).answer == StudentAnswer("e1", None)
    assert read(student_model="m").answer is None


def test_responses_given_as_objects_become_their_text() -> None:
    row = read(raw_response={"entities": ["Ü"]}, student_response={"facts": []})
    assert row.trace.raw_response == '{"entities": ["Ü"]}'
    assert row.answer is not None
    assert row.answer.response == '{"facts": []}'


@pytest.mark.parametrize(
    ("given_id", "event_id"), [(7, "7"), (7.0, "7"), (0.5, "0.5"), ("", ""), ("Ünïcode/事件", "Ünïcode/事件")]
)
def test_an_event_id_may_be_any_text_or_number(given_id: object, event_id: str) -> None:
    assert read(event_id=given_id).trace.event_id == event_id


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"event_id": None}, "event_id: expected text, found null"),
        ({"event_id": True}, "event_id: expected text, found a boolean"),
        ({"event_id": ["e"]}, "event_id: expected text, found a list"),
        ({"raw_response": None}, "raw_response: expected text or an object, found null"),
        ({"raw_response": [{}]}, "raw_response: expected text or an object, found a list"),
        ({"raw_response": 3}, "raw_response: expected text or an object, found a number"),
        ({"student_response": []}, "student_response: expected text or an object, found a list"),
        ({"student_response": False}, "student_response: expected text or an object, found a boolean"),
        ({"student_response": "", "student_ms": "9"}, "student_ms: expected a number, found text"),
        ({"student_response": "", "student_model": {}}, "student_model: expected text, found an object"),
        ({"student_response": "", "prompt_shape": []}, "prompt_shape: expected text, found a list"),
        ({"student_response": "", "sample_index": "1"}, "sample_index: expected a number, found text"),
        ({"student_response": "", "sample_index": -1}, "sample_index: expected a whole number from 0"),
        ({"student_response": "", "sample_index": 0.5}, "sample_index: expected a whole number from 0"),
        ({"llm_chunk_ms": True}, "llm_chunk_ms: expected a number, found a boolean"),
        ({"system_prompt_hash": {}}, "system_prompt_hash: expected text, found an object"),
        ({"llm_model": []}, "llm_model: expected text, found a list"),
        ({"user_prompt": {}}, "user_prompt: expected text, found an object"),
        ({"id": {}}, "id: expected text, found an object"),
        ({"event": 3}, "event: expected an object, found a number"),
        ({"event": []}, "event: expected an object, found a list"),
        ({"event": "{"}, "event: the text in it is not JSON at character 2"),
        ({"event": "[]"}, "event: expected an object, found a list"),
        ({"event": {"arena": []}}, "event.arena: expected text, found a list"),
        ({"event": {"content": {}}}, "event.content: expected text, found an object"),
        ({"event": {"attributes": []}}, "event.attributes: expected an object, found a list"),
        ({"event": {"attributes": "no"}}, "event.attributes: the text in it is not JSON"),
        ({"event": {"participant_set": "a"}}, "event.participant_set: expected a list, found text"),
        ({"event": {"participant_set": [1]}}, "event.participant_set: expected a list of texts"),
        ({"event": {"disclosure_class": []}}, "event.disclosure_class: expected text, found a list"),
        ({"event": {"source_kind": {}}}, "event.source_kind: expected text, found an object"),
    ],
)
def test_a_wrong_type_is_named_with_its_field(fields: dict[str, object], expected: str) -> None:
    assert cause(**fields).startswith(expected)


@pytest.mark.parametrize(
    ("given_time", "read_as"),
    [
        ("2026-06-18T09:00:00", datetime(2026, 6, 18, 9, tzinfo=UTC)),
        ("2026-06-18T09:00:00+02:00", datetime(2026, 6, 18, 7, tzinfo=UTC)),
        (datetime(2026, 6, 18, 9, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 6, 18, 7, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        (1718700000, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_time_is_aware_utc_and_none_where_unreadable(given_time: object, read_as: datetime | None) -> None:
    row = read(created_at=given_time, event={"emitted_at": given_time})
    assert row.trace.event is not None
    assert (row.trace.created_at, row.trace.event.emitted_at) == (read_as, read_as)


@pytest.mark.parametrize("given_ms", [-1, float("nan"), float("inf"), 10**400, None])
def test_milliseconds_that_cannot_be_are_none(given_ms: object) -> None:
    assert read(llm_chunk_ms=given_ms).trace.llm_ms is None


def test_an_event_may_be_a_json_text_and_its_own_id_does_not_count() -> None:
    event = {"id": "other", "participant_set": ["a", "b"], "attributes": '{"k": 1}', "disclosure_class": "public"}
    assert read(event=json.dumps(event)).trace.event == Event(
        "e1", attributes={"k": 1}, participant_set=("a", "b"), disclosure_class="public"
    )


def test_a_trace_id_is_taken_as_given_or_else_derived_from_the_content() -> None:
    assert read(id=12).trace.trace_id == "12"
    assert read(trace_id="t").trace.trace_id == "t"
    derived = [
        read(),
        read(raw_response="{} "),
        read(system_prompt_hash="a"),
        read(created_at="2026-01-01"),
        read(event_id="e2"),
        read(event_id="e1{}", raw_response=""),
        read(event_id="e1,"),
        read(system_prompt_hash=","),
    ]
    assert read().trace.trace_id == derived[0].trace.trace_id
    assert len({row.trace.trace_id for row in derived}) == len(derived)


def test_half_a_surrogate_pair_and_nan_can_be_stored_after_reading() -> None:
    text = '{"pair": "\\ud83d\\ude00", "half": "\\uD800x\\udc00", "kept": "\\\\ud800", "n": [NaN, -Infinity]}'
    assert decode_json(text) == {"pair": "😀", "half": "\ufffdx\ufffd", "kept": "\\ud800", "n": [None, None]}


@given(st.text().map(lambda text: json.dumps({"a": text, "b": text + "\\ud800"})))
def test_whole_text_survives_the_care_for_surrogates(line: str) -> None:
    assert decode_json(line) == json.loads(line)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(sorted(COLUMNS), JSON_VALUES),
        "event": st.dictionaries(
            st.sampled_from(["id", "arena", "content", "attributes", "participant_set", "emitted_at"]), JSON_VALUES
        ),
    },
)


@given(HOSTILE)
def test_no_decoded_line_raises(fields: dict[str, object]) -> None:
    row = row_or_bad(fields, "f:1")
    if isinstance(row, Row):
        repr(row).encode()
    else:
        assert row.where == "f:1"

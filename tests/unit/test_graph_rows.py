"""Extractions as rows: every accepted spelling, and nothing that a hostile one holds breaks them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.errors import UsageError
from cascade_cli.extraction import SECTIONS
from cascade_cli.postgres.graph import GraphMapping, GraphTable, GraphWrite, read_rows
from cascade_cli.postgres.graph.bounding import KEY_BYTES, bounded
from cascade_cli.postgres.graph.reading import COLUMNS, Row
from cascade_cli.records import Event

NESTED: list[object] = []
for _ in range(100_000):
    NESTED = [NESTED]
SALES = Event("e1", "sales", "text", {}, (), "private", "mail")


def _rows(section: str, *items: object, event: Event = SALES) -> tuple[Row, ...]:
    return read_rows(GraphWrite(event, {section: list(items)})).rows[section]


def _left_out(section: str, *items: object) -> int:
    return read_rows(GraphWrite(SALES, {section: list(items)})).left_out


@pytest.mark.parametrize(
    "item",
    [
        {"source": "Ann", "type": "works_at", "target": "Acme"},
        {"from": "Ann", "predicate": "works_at", "to": "Acme"},
        {"head": "Ann", "relation": "works_at", "tail": "Acme"},
        {"subject": " Ann", "label": "works_at", "object": "Acme\n"},
    ],
)
def test_a_relationship_is_one_row_however_its_ends_are_called(item: dict[str, str]) -> None:
    (row,) = _rows("relationships", item)
    assert (row["source"], row["type"], row["target"]) == ("Ann", "works_at", "Acme")


def test_a_bare_string_is_an_entity_or_a_fact() -> None:
    assert _rows("entities", "Acme")[0]["name"] == "Acme"
    assert _rows("facts", "It rains")[0]["statement"] == "It rains"
    assert _left_out("relationships", "Ann knows Bob") == 1


@pytest.mark.parametrize(
    "item",
    [
        {"name": "Ann", "email": "Ann@Acme.test"},
        {"name": "Ann", "emails": ["ann@acme.test"]},
        {"name": "Ann", "email": "Ann <ann@acme.test>"},
        {"name": "Ann", "email": None, "aliases": ["ann@acme.test"]},
    ],
)
def test_an_address_is_found_wherever_it_stands(item: dict[str, object]) -> None:
    assert _rows("entities", item)[0]["email"] == "ann@acme.test"


def test_further_addresses_are_aliases_and_what_is_no_address_is_none() -> None:
    (row,) = _rows("entities", {"name": "Ann", "emails": ["a@x.test", "b@x.test"], "aliases": ["Ann", "A.", "A."]})
    assert (row["email"], row["aliases"]) == ("a@x.test", ("A.", "b@x.test"))
    assert _rows("entities", {"name": "Ann", "email": "unknown"})[0]["email"] is None


def test_a_fact_without_a_statement_is_stated_by_its_parts() -> None:
    (row,) = _rows("facts", {"subject": "Acme", "predicate": "ships", "object": "on Friday"})
    assert (row["statement"], row["category"], row["subject"]) == ("Acme ships on Friday", "", "Acme")


@pytest.mark.parametrize(
    ("section", "item"),
    [
        ("entities", {"type": "person"}),
        ("entities", {"name": " \u200b\n"}),
        ("entities", ["Ann"]),
        ("entities", None),
        ("entities", {"name": []}),
        ("entities", {"name": 10**5_000}),
        ("entities", {"name": NESTED}),
        ("facts", {"category": "note"}),
        ("relationships", {"source": "Ann", "type": "knows"}),
        ("relationships", {"source": "Ann", "target": None}),
    ],
)
def test_what_cannot_be_found_again_is_left_out_and_counted(section: str, item: object) -> None:
    assert _rows(section, item) == ()
    assert _left_out(section, item) == 1


def test_a_section_that_is_no_list_counts_as_one_item_and_an_absent_one_as_none() -> None:
    read = read_rows(GraphWrite(SALES, {"entities": "Ann", "facts": None}))
    assert read.left_out == 1
    assert read.rows == dict.fromkeys(SECTIONS, ())


def test_who_may_see_a_row_comes_from_the_event() -> None:
    (row,) = _rows("entities", "Ann")
    assert (row["arena"], row["participant_set"], row["disclosure_class"]) == ("sales", ("sales",), "private")
    (row,) = _rows("entities", "Ann", event=Event("e2", "sales", participant_set=("a", "b"), disclosure_class="open"))
    assert (row["participant_set"], row["disclosure_class"]) == (("a", "b"), "open")
    (row,) = _rows("entities", "Ann", event=Event("e3"))
    assert (row["arena"], row["participant_set"]) == ("", ())


@pytest.mark.parametrize(
    ("attributes", "source"), [({"source": "crm"}, "crm"), ({"source": ""}, "mail"), ({"source": 7}, "mail")]
)
def test_a_facts_source_is_the_envelopes_else_the_kind_of_the_events(attributes: dict, source: str) -> None:
    event = Event("e1", "sales", attributes=attributes, source_kind="mail")
    assert _rows("facts", "It rains", event=event)[0]["source"] == source
    assert _rows("facts", "It rains", event=Event("e1", "sales"))[0]["source"] is None


@pytest.mark.parametrize(
    ("due_at", "until"),
    [
        ("2026-06-18", "2026-06-18T00:00:00.000000+00:00"),
        ("2026-06-18T09:00:00+02:00", "2026-06-18T07:00:00.000000+00:00"),
        ("2026-06-18T09:00:00Z", "2026-06-18T09:00:00.000000+00:00"),
        ("next Friday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        (20260618, None),
        ({"date": "2026-06-18"}, None),
        (None, None),
    ],
)
def test_a_deadline_is_a_date_or_none(due_at: object, until: str | None) -> None:
    event = Event("e1", "sales", attributes={"due_at": due_at, "timestamp": "2026-01-01"})
    assert _rows("facts", "It rains", event=event)[0]["effective_until"] == until


def test_keys_that_fit_are_left_alone_and_longer_ones_stay_apart() -> None:
    key = GraphTable.of("facts", {}).key
    fitting = _rows("facts", {"category": "note", "statement": "x" * (KEY_BYTES - 9)})[0]
    assert bounded(fitting, key) == fitting
    one, other = (bounded(_rows("facts", "事" * 5_000 + end)[0], key)["statement"] for end in "ab")
    assert one != other
    assert str(one).startswith("事" * 200)


def test_a_key_text_that_is_absent_is_empty_for_null_is_equal_to_nothing() -> None:
    key = GraphTable.of("facts", {"key": "arena, subject, statement"}).key
    assert bounded(_rows("facts", "It rains")[0], key)["subject"] == ""


def test_a_nul_in_plain_text_is_replaced() -> None:
    assert _rows("facts", "It\0 rains")[0]["statement"] == "It\ufffd rains"


texts = st.text(st.characters(categories=["L", "N", "P", "S", "Z", "C"]), max_size=40) | st.sampled_from(
    ["\0", "\ud800", "\udfff\ud83d\ude00", "a@b.c", "\\", '"', "{}", "NULL", "x" * 3_000, "\u200b" * 600, "é" * 2_000]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "name",
    "type",
    "email",
    "emails",
    "aliases",
    "statement",
    "subject",
    "object",
    "source",
    "target",
    "from",
    "to",
)
items = values | st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
hostile = st.dictionaries(st.sampled_from([*SECTIONS, "x"]), values | st.lists(items, max_size=5))
events = st.builds(
    Event,
    texts,
    st.none() | texts,
    attributes=st.dictionaries(st.sampled_from(["due_at", "source", "timestamp"]), values),
    participant_set=st.lists(texts, max_size=3).map(tuple),
    disclosure_class=texts,
    source_kind=st.none() | texts,
)


@given(events, hostile)
def test_whatever_a_model_says_becomes_rows_that_can_be_stored_or_nothing(event: Event, said: dict[str, Any]) -> None:
    mapping = GraphMapping()
    read = read_rows(GraphWrite(event, said))
    given_items = sum(len(said[s]) if isinstance(said.get(s), list) else said.get(s) is not None for s in SECTIONS)
    assert sum(map(len, read.rows.values())) + read.left_out == given_items
    for section, rows in read.rows.items():
        table = mapping.of_section(section)
        for row in (bounded(row, table.key) for row in rows):
            assert set(row) == set(COLUMNS[section])
            said_texts = [
                text for value in row.values() for text in ((value,) if isinstance(value, str) else value or ())
            ]
            assert b"\0" not in "".join(said_texts).encode()
            assert all(isinstance(row[name], str) for name in table.key)
            assert sum(len(str(row[name]).encode()) for name in table.key) <= KEY_BYTES


def test_names_of_tables_and_columns_can_be_mapped() -> None:
    table = GraphTable.of(
        "entities", {"table": "nodes", "name": "label", "email": "", "key": "arena, name", "merges": "entity_merges"}
    )
    assert (table.table, table.key, table.columns["name"]) == ("nodes", ("arena", "name"), "label")
    assert "email" not in table.columns
    assert table.merges is not None
    assert table.accreting == ("type", "aliases")


@pytest.mark.parametrize(
    ("given_names", "said"),
    [
        ({"nmae": "label"}, 'did you mean "name"'),
        ({"id": ""}, "nothing can be written without it"),
        ({"key": "arena, aliases"}, '"aliases" is no text column'),
        ({"key": "arena, nam"}, 'did you mean "name"'),
        ({"name": ""}, '"name" is no text column'),
    ],
)
def test_a_wrong_mapping_is_told_with_what_to_write(given_names: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        GraphTable.of("entities", given_names)

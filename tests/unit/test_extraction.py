"""Reading a model's raw text: one sentence of behaviour a test."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.extraction import check_schema, parse_extraction, repair_extraction
from cascade_cli.extraction.parsing import MAX_DEPTH

ALICE = {"entities": [{"type": "person", "name": "Alice"}]}
ALICE_TEXT = json.dumps(ALICE)

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=10,
)
EXTRACTIONS = st.fixed_dictionaries(
    {"entities": st.lists(JSON_VALUES, max_size=3)},
    optional={"facts": JSON_VALUES, "relationships": JSON_VALUES, "confidence": JSON_VALUES},
)
# Letters that make broken JSON likely; plain st.text() nearly never meets a brace.
JSON_LIKE_TEXT = st.text(alphabet='{}[]":,\\ \n`ab1-.eu0null\ud800\x00', max_size=60)
PROSE = st.text(alphabet="ab '\"}\n.,:()[]-", max_size=30)


def object_nested(depth: int) -> str:
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


@pytest.mark.parametrize(
    "text",
    [
        ALICE_TEXT,
        f"\ufeff \r\n{ALICE_TEXT}\n",
        f"```json\n{ALICE_TEXT}\n```",
        f"```\n{ALICE_TEXT}\n```",
        f"```JSON\n{ALICE_TEXT}\n```",
        f"```json {ALICE_TEXT}```",
        f"Here it is:\n```json\n{ALICE_TEXT}\n```\nAnything else?",
        f"```json\n{ALICE_TEXT}\n",
        f"Here it is: {ALICE_TEXT} Anything else?",
        f"[1] Here it is: {ALICE_TEXT}",
        f"[see below] {ALICE_TEXT}",
        f'"Alice" is a person: {ALICE_TEXT}',
        f"It's what I've found, 6\" long: {ALICE_TEXT}",
        f"Use {{braces}} and {{ more }} }}: {ALICE_TEXT}",
        f"{{{ALICE_TEXT}}}",
        f'For {{"id": 7}} I found {ALICE_TEXT}',
        f'A draft: {{"entities": [{{"name": "Al...\n\nThe answer: {ALICE_TEXT}',
        f'He wrote {{"hello and left. {ALICE_TEXT}',
        f'A list that ends as an object: {{"a": [1}}, "b": {ALICE_TEXT}}}',
        f'An object that ends in a comma: {{"a": {{"b": 1,}}, "c": {ALICE_TEXT}}}',
        f"{ALICE_TEXT} and then {{}}",
        f'{ALICE_TEXT}\n{{"facts": []}}',
        json.dumps({"events": [ALICE]}),
        f"Envelope: {json.dumps({'events': [ALICE]})}",
        f'For {{"id": 7}}: {json.dumps({"events": [ALICE], "model": "m"})}',
    ],
)
def test_the_extraction_is_found(text: str) -> None:
    assert parse_extraction(text) == ALICE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "No entities here.",
        "null",
        "true",
        "3.14",
        '"text"',
        '"a {} b"',
        "[]",
        f"[{ALICE_TEXT}]",
        f"\n[1, {ALICE_TEXT}]\n",
        "[" * 5000 + ALICE_TEXT + "]" * 5000,
        '{"events": []}',
        '{"events": [{}, {}]}',
        '{"events": ["one"]}',
        '{"events": {"entities": []}}',
        f'Two: {{"events": [{ALICE_TEXT}, {ALICE_TEXT}]}}',
        '{"entities": NaN}',
        '{"entities": -Infinity}',
        '{"entities": [' + "9" * 5000 + "]}",
        "{'entities': []}",
        '{"entities": []',
        '{"entities": [{"name": "Alice"}, {"name": "B',
        '[{"name": "Alice"}, {"name": "B',
        '{"entities": [{"name": "Alice"},]}',
        '{"facts": [{"statement": "write {} here',
        '{"entities": ["a\\x"]}',
        '{"entities": [01]}',
        "\x00\x01\x02{\xff",
        object_nested(MAX_DEPTH + 1),
        f"prose {object_nested(MAX_DEPTH + 1)}",
    ],
)
def test_there_is_no_extraction(text: str) -> None:
    assert parse_extraction(text) is None


def test_what_is_not_a_string_is_not_an_extraction() -> None:
    values: list[Any] = [None, 3, b"{}", ALICE]
    assert [parse_extraction(value) for value in values] == [None] * 4


def test_objects_up_to_the_greatest_depth_are_read() -> None:
    assert parse_extraction(object_nested(MAX_DEPTH)) is not None
    assert parse_extraction(f"prose {object_nested(MAX_DEPTH)}") is not None


def test_many_brackets_side_by_side_are_not_deep() -> None:
    wide: dict[str, object] = {"entities": [[{}] for _ in range(MAX_DEPTH)]}
    assert parse_extraction(json.dumps(wide)) == wide


def test_without_a_section_key_a_fenced_object_comes_before_a_bare_one() -> None:
    assert parse_extraction('For {"id": 7}:\n```json\n{"x": 1}\n```') == {"x": 1}
    assert parse_extraction('For {"id": 7}: {"x": 1}') == {"id": 7}


def test_a_fenced_extraction_comes_before_one_in_the_prose() -> None:
    assert parse_extraction(f'Not {{"entities": []}} but\n```json\n{ALICE_TEXT}\n```') == ALICE


def test_an_object_inside_another_is_left_there() -> None:
    assert parse_extraction('prose {"result": {"entities": []}}') == {"result": {"entities": []}}


def test_an_object_with_sections_of_its_own_is_no_envelope() -> None:
    both: dict[str, object] = {"events": [{}, {}], "facts": []}
    assert parse_extraction(json.dumps(both)) == both


def test_of_a_repeated_key_the_last_wins() -> None:
    assert parse_extraction('{"entities": [1], "entities": [2]}') == {"entities": [2]}


def test_a_lone_surrogate_is_kept_as_it_stands() -> None:
    assert parse_extraction('{"entities": ["\\ud800"]}') == {"entities": ["\ud800"]}
    assert parse_extraction('{"entities": ["\ud800"]}') == {"entities": ["\ud800"]}


@pytest.mark.parametrize(
    "shape",
    [
        "{",
        "}",
        '"',
        "\\",
        "`",
        "[",
        "{}",
        "{{}",
        "{x}",
        '{"',
        '{"\\',
        '{"a":',
        '{"a":[',
        '{"entities":[',
        "```json\n{",
        "```json\n{}\n```\n",
        '{"a": 1}, ',
        '{"a": 1 ',
        "{ ",
        " ",
        '"a" ',
        "[[]",
        "\ud800",
        "\x00",
    ],
)
def test_a_shape_repeated_for_ever_is_read_without_an_exception(shape: str) -> None:
    for text in (shape * 20_000, f"prose {shape * 20_000}", f"{shape * 20_000} {ALICE_TEXT}"):
        found = parse_extraction(text)
        assert found is None or isinstance(found, dict)
        repair_extraction(text)


def slow_best_object(text: str) -> dict[str, object] | None:
    """Try the decoder of the standard library from every brace; quadratic, and obvious."""
    decoder = json.JSONDecoder()
    found: list[dict[str, object]] = []
    position = 0
    while (start := text.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            position = max(start + 1, slow_end_of_string(text, error.pos))
        else:
            found.append(value)
    with_section = [value for value in found if value.keys() & {"entities", "facts", "relationships", "events"}]
    return (with_section + found + [None])[0]


def slow_end_of_string(text: str, position: int) -> int:
    """Where a broken string stops being one; the standard library names where it began if no end comes."""
    return len(text) if text[position : position + 1] == '"' and is_unterminated(text, position) else position


def is_unterminated(text: str, position: int) -> bool:
    try:
        json.JSONDecoder().raw_decode(text, position)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated")
    return False


# Objects of one key, cut and joined at random: complete, broken and nested ones, with prose between.
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            '{"entities":',
            '{"a":',
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            '"b"',
            '"{}"',
            "1",
            "null",
            " x ",
            "{x}",
            "\n",
            "{}",
        ]
    ),
    max_size=25,
).map("".join)


@given(FRAGMENTS)
def test_the_scanner_finds_what_trying_every_brace_finds(fragments: str) -> None:
    text = f"prose {fragments}"
    found = slow_best_object(text)
    if found is None or "events" not in found:
        assert parse_extraction(text) == found


@given(st.text() | JSON_LIKE_TEXT | FRAGMENTS)
def test_no_text_raises(text: str) -> None:
    for found in (parse_extraction(text), repair_extraction(text)):
        assert found is None or isinstance(found, dict)


@given(EXTRACTIONS, st.data())
def test_no_mutation_of_an_extraction_raises(extraction: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(extraction)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    mutated = text[:start] + data.draw(JSON_LIKE_TEXT) + text[end:]
    parse_extraction(mutated)
    repair_extraction(mutated)


@given(EXTRACTIONS, st.booleans())
def test_a_written_extraction_is_read_back(extraction: dict[str, object], ascii_only: bool) -> None:
    text = json.dumps(extraction, ensure_ascii=ascii_only)
    assert parse_extraction(text) == extraction
    assert parse_extraction(f"```json\n{text}\n```") == extraction
    assert parse_extraction(f"Sure:\n```\n{text}\n```\nBye") == extraction


@given(EXTRACTIONS, PROSE, PROSE)
def test_prose_with_quotes_and_braces_hides_no_extraction(
    extraction: dict[str, object], before: str, after: str
) -> None:
    assert parse_extraction(f"I {{see}}: {before}{json.dumps(extraction)}{after}") == extraction


@given(EXTRACTIONS, st.data())
def test_a_truncated_answer_is_not_an_extraction(extraction: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(extraction)
    assert parse_extraction(text[: data.draw(st.integers(0, len(text) - 1))]) is None


@pytest.mark.parametrize(
    ("extraction", "reason"),
    [
        ({}, "student_empty"),
        ({"x": 1}, "student_empty"),
        ({"entities": [], "facts": [], "relationships": []}, "student_empty"),
        ({"entities": ["Alice"]}, None),
        ({"facts": ["Alice left"]}, None),
        ({"relationships": [{"source": "a", "target": "b"}]}, None),
        ({"relationships": ["a works at b"]}, "student_parse_fail"),
        ({"entities": {"name": "Alice"}}, "student_parse_fail"),
        ({"entities": None}, "student_parse_fail"),
        ({"entities": "Alice"}, "student_parse_fail"),
        ({"entities": [{"name": "Alice"}, 3]}, "student_parse_fail"),
        ({"facts": [None]}, "student_parse_fail"),
        ({"facts": [["a"]]}, "student_parse_fail"),
        ({"entities": [{"name": "Alice"}], "facts": 0}, "student_parse_fail"),
    ],
)
def test_the_schema_names_its_reason(extraction: dict[str, object], reason: str | None) -> None:
    assert check_schema(extraction) == reason


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (ALICE_TEXT[:-1], ALICE),
        (ALICE_TEXT[:-2], ALICE),
        (ALICE_TEXT[:-2] + ', {"type": "person", "na', ALICE),
        (ALICE_TEXT[:-2] + ', {"name": "Bob", "aliases": ["b@c.d"], "ty', ALICE),
        (ALICE_TEXT[:-2] + ",]}", ALICE),
        (ALICE_TEXT[:-2] + "],}", ALICE),
        (f"```json\n{ALICE_TEXT[:-1]}\n```", ALICE),
        ('{"entities": ["a", "b", "c', {"entities": ["a", "b"]}),
        ('{"entities": ["a\\x", "b\nc"]}', {"entities": ["a\\x", "b\nc"]}),
        ('{"entities": ["a"], "facts": ["said "yes" twice"]}', None),
        ('{"entities": [{"name": "Ali', None),
        ('{"x": [1, 2', None),
        ('{"entities": ["a"}', {"entities": ["a"]}),
        ('{"entities": [}', None),
        ("]{", None),
        ("", None),
    ],
)
def test_a_repair_keeps_whole_items_only(text: str, repaired: dict[str, object] | None) -> None:
    assert parse_extraction(text) is None
    assert repair_extraction(text) == repaired


@given(EXTRACTIONS)
def test_a_repair_leaves_a_good_answer_alone(extraction: dict[str, object]) -> None:
    assert repair_extraction(json.dumps(extraction)) == extraction


def test_a_number_too_great_for_a_float_is_json() -> None:
    found = parse_extraction('{"entities": [1e999]}')
    assert found == {"entities": [math.inf]}

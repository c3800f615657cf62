"""Names: which spellings are one name, and which are two."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scorers.strings.names import ENTITY_THRESHOLD, compare_names, name_similarity, prepare_name
from scorers.strings.text import words_of

ONE_NAME = [
    ("A. Kovács", "Anna Kovács", "person"),
    ("Kovács, Anna", "Anna Kovács", "person"),
    ("Kovács Anna", "Anna Kovács", "person"),
    ("Dr. Anna Kovács", "Anna Kovács", "person"),
    ("Frau Anna Kovács", "Anna Kovacs", "person"),
    ("Anna Maria Kovács", "Anna Kovács", "person"),
    ("J. K. Rowling", "Joanne K. Rowling", "person"),
    ("Bob Smith", "Robert Smith", "person"),
    ("Robert Smith", "Bob Smith", None),
    ("Jon Smith", "John Smith", "person"),
    ("Sergei Lavrov", "Sergey Lavrov", "person"),
    ("Mohammed Ali", "Muhammad Ali", "person"),
    ("Derek Wall", "Derek Norman Wall", None),
    ("Sergey Lavrov", "Sergey Viktorovich Lavrov", None),
    ("Shi Jinping", "Xi Jinping", "person"),
    ("Wolodymyr Selenskyj", "Volodymyr Zelenskyy", "person"),
    ("Сергей Лавров", "Sergey Lavrov", "person"),
    ("贝拉克·奥巴马", "Barack Obama", "person"),
    ("Hans Müller", "Hans Mueller", "person"),
    ("John Smith Jr.", "John Smith", "person"),
    ("Liam O\u2019Neil", "Liam O'Neil", "person"),
    ("A. Kovács", "Anna Kovács", None),
    ("Siemens AG", "Siemens Aktiengesellschaft", "company"),
    ("SIEMENS", "Siemens AG", "org"),
    ("SiemensAG", "Siemens AG", "Company"),
    ("Acme, Inc.", "Acme", None),
    ("ООО Ромашка", "Romashka LLC", "company"),
    ("Procter & Gamble", "Procter and Gamble", "company"),
    ("Müller und Söhne GmbH", "Müller & Söhne", "company"),
    ("IBM", "International Business Machines", "company"),
    ("AMD", "Advanced Micro Devices", None),
    ("First International Bank", "1st Int'l Bank", "company"),
    ("MV Hellenic Spirit", "Hellenic Spirit", "Vessel"),
    ("Atlas II", "Atlas 2", "project"),
    ("1 March 2026", "2026-03-01", None),
    ("1,000 EUR", "\u20ac1,000.00", "amount"),
    ("alice@acme.com", "Alice <ALICE@acme.com>", None),
]

TWO_NAMES = [
    ("John Smith", "Joan Smith", "person", "first_name"),
    ("John Smith", "Joan Smith", None, "first_name"),
    ("Ádám Kovács", "Anna Kovács", "person", "first_name"),
    ("A. Kovács", "B. Kovács", "person", "first_name"),
    ("Maria Garcia", "Mario Garcia", "person", "first_name"),
    ("Paul Klein", "Paula Klein", "person", "first_name"),
    ("Anna Kovács", "Hanna Kovács", "person", "first_name"),
    ("Hans O Friedrich", "Hans Joachim Friedrich", "person", None),
    ("Anna", "Anna Kovács", "person", None),
    ("Kovács", "Anna Kovács", "person", None),
    ("Anna", "Anna Kovács", None, None),
    ("Volkswagen Aktiengesellschaft", "Siemens Aktiengesellschaft", "company", None),
    ("Deutsche Bank", "Deutsche Bank Trust Company", "company", None),
    ("Acme GmbH", "Acme AG", "company", "legal_form"),
    ("IBM", "IBN", "company", None),
    ("Western Scheldt", "Eastern Scheldt", None, None),
    ("Percy Priest Lake", "Percy Priest Lake Dam", None, None),
    ("President of South Korea", "South Korea", None, None),
    ("Academy Award for Best Actor", "Academy Award for Best Supporting Actor", None, None),
    ("BASF", "BASE", "company", None),
    ("CA Technologies", "Technologies AG", "company", None),
    ("Project Atlas 1", "Project Atlas 2", "project", "number"),
    ("Project Atlas", "Project Atlas 2", None, "number"),
    ("Atlas II", "Atlas III", "project", "number"),
    ("Fund V L.P.", "Fund VI L.P.", "company", "number"),
    ("2026-03-01", "2026-08-01", None, "date"),
    ("5 kg", "5 km", None, "number"),
    ("approved", "not approved", None, "negation"),
    ("a@b.com", "c@b.com", None, "email"),
    ("Alice Chen <a@b.com>", "Alice Chen <c@b.com>", "person", "email"),
]

# An iota subscript has no capital of its own: beside another mark, changing case moves it.
any_text = st.text(st.characters(exclude_categories=[]), max_size=40).filter(
    lambda text: "\u0345" not in unicodedata.normalize("NFD", text)
)
parts = words_of("Anna Kovács, Dr. J. von Siemens AG GmbH & and 2 II 2026 e@x.io Сергей 王 of the -")
name_like = st.lists(st.sampled_from(parts), max_size=5).map(" ".join)
near_words = words_of("abel abela abele abelo mabel label abets sabel van a b")
names = any_text | name_like | st.lists(st.sampled_from(near_words), max_size=5).map(" ".join)
types = st.sampled_from([None, "person", "company", "vessel", "whatever"])


@pytest.mark.parametrize(("a", "b", "entity_type"), ONE_NAME)
def test_spellings_of_one_name_match(a: str, b: str, entity_type: str | None) -> None:
    assert name_similarity(a, b, entity_type) >= ENTITY_THRESHOLD


@pytest.mark.parametrize(("a", "b", "entity_type", "veto"), TWO_NAMES)
def test_two_names_do_not_match_and_the_guard_that_spoke_is_named(
    a: str, b: str, entity_type: str | None, veto: str | None
) -> None:
    found = compare_names(prepare_name(a, entity_type), prepare_name(b, entity_type))
    assert found.similarity < ENTITY_THRESHOLD
    assert found.veto == veto


@pytest.mark.parametrize(
    ("a", "b", "entity_type"),
    [
        ("Dr. Kovács", "Kovács", "person"),
        ("Chen, Alice", "Alice Chen", "person"),
        ("Prof. Dr. Anna Kovács PhD", "Anna Kovács", "person"),
        ("Siemens Aktiengesellschaft", "siemens ag", "company"),
        ("JSC Atom", "Atom Joint Stock Company", "company"),
        ("MV Hellenic Spirit", "Hellenic Spirit", "Vessel"),
        ("Fund V L.P.", "Fund 5", "company"),
    ],
)
def test_titles_inversion_legal_forms_and_numerals_make_no_difference_at_all(a: str, b: str, entity_type: str) -> None:
    assert name_similarity(a, b, entity_type) == 1.0


def test_the_raw_similarity_tells_a_wrong_number_from_another_name() -> None:
    number = compare_names(prepare_name("Project Atlas 1"), prepare_name("Project Atlas 2"))
    other = compare_names(prepare_name("Project Atlas 1"), prepare_name("Garden Party 2"))
    assert number.raw >= ENTITY_THRESHOLD > other.raw


@example("sabel abelo mabel abelo", "abelo label abele sabel", "person")  # ties, added up in another order
@given(names, names, types)
def test_similarity_is_symmetric_and_between_zero_and_one(a: str, b: str, entity_type: str | None) -> None:
    similarity = name_similarity(a, b, entity_type)
    assert 0.0 <= similarity <= 1.0
    assert similarity == name_similarity(b, a, entity_type)


@given(names, types)
def test_a_name_is_itself_in_any_case_white_space_and_unicode_form(text: str, entity_type: str | None) -> None:
    variants = (
        text,
        text.upper(),
        f"  {text}\t",
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
    )
    assert {name_similarity(text, variant, entity_type) for variant in variants} == {1.0}


@given(names, names)
def test_unicode_form_of_one_side_does_not_change_a_comparison(a: str, b: str) -> None:
    assert name_similarity(unicodedata.normalize("NFD", a), b) == name_similarity(unicodedata.normalize("NFC", a), b)


@given(names, names, types, types)
def test_names_of_different_types_are_compared_symmetrically(a: str, b: str, one: str | None, two: str | None) -> None:
    first, second = prepare_name(a, one), prepare_name(b, two)
    assert compare_names(first, second) == compare_names(second, first)


@given(names, names)
def test_a_vetoed_pair_never_reaches_the_threshold(a: str, b: str) -> None:
    found = compare_names(prepare_name(a), prepare_name(b))
    assert found.veto is None or found.similarity < ENTITY_THRESHOLD
    assert found.similarity <= found.raw


def test_the_same_words_in_another_order_match_with_a_little_less_certainty() -> None:
    assert ENTITY_THRESHOLD <= name_similarity("Hans Friedrich", "Friedrich Hans", "person") < 1.0


def test_two_empty_names_are_the_same_and_an_empty_one_matches_nothing_else() -> None:
    assert name_similarity("", "  ") == 1.0
    assert name_similarity("", "Anna") == 0.0


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "a " * 10**5, "a@b.c " * 10**5, "\ud800" * 10**5, "1." * 10**5, "ag " * 10**5]
)
def test_very_long_names_are_compared_without_raising(text: str) -> None:
    assert name_similarity(text, text) == 1.0
    assert name_similarity(text, f"b{text}") < ENTITY_THRESHOLD
    assert name_similarity(text, "Anna Kovács") < ENTITY_THRESHOLD


def test_two_long_names_with_one_slip_still_match() -> None:
    title = "a study of the structured comparison of extractions " * 8
    assert name_similarity(title, title.replace("extractions", "extraction", 1)) >= ENTITY_THRESHOLD

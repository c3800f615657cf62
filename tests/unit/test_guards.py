"""Guards: what vetoes a fuzzy match, and the harmless forms that do not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.strings.guards import NO_MARKS, read_marks, veto
from scorers.strings.text import words_of

HARMLESS = [
    ("1,000 EUR", "EUR 1000"),
    ("1,000 EUR", "€1,000.00"),
    ("1,000 EUR", "1.000,00 EUR"),
    ("1 000 EUR", "1000 euros"),
    ("1'000 CHF", "CHF 1000"),
    ("US$ 5", "5 dollars"),
    ("3 million euros", "€3m"),
    ("EUR 3.5 million", "3,500,000 EUR"),
    ("10k", "10,000"),
    ("ten thousand", "10k"),
    ("two hundred and fifty", "250"),
    ("5%", "5 percent"),
    ("1.5", "1,5"),
    ("1.250 kg", "1250 kg"),
    ("1.250 kg", "1,25 kg"),
    ("5 kg", "5kg"),
    ("5 km", "5 kilometers"),
    ("2 hours", "2h"),
    ("two", "2"),
    ("2nd", "second"),
    ("2nd floor", "Floor 2"),
    ("Brigade Forty-Four", "Brigade 44"),
    ("Atlas II", "Atlas 2"),
    ("v1.2", "version 1.2"),
    ("Q3", "q3"),
    ("No. 5", "No 5"),
    ("1 March 2026", "2026-03-01"),
    ("March 1st, 2026", "2026-03-01"),
    ("1. März 2026", "2026/03/01"),
    ("1er mai 2026", "2026-05-01"),
    ("1 de marzo de 2026", "2026-03-01"),
    ("2026. március 1.", "2026-03-01"),
    ("1 марта 2026", "2026-03-01"),
    ("01.03.2026", "2026-03-01"),
    ("01.03.2026", "2026-01-03"),
    ("März 2026", "2026-03"),
    ("15:00", "3pm"),
    ("15:00", "3:00 p.m."),
    ("15 Uhr", "15:00"),
    ("2026-03-01T15:00:00Z", "1 March 2026 15:00"),
    ("does not pay", "doesn't pay"),
    ("il ne paie pas", "il ne paie"),
    ("никогда не платит", "не платит"),
    ("soha nem fizet", "nem fizet"),
    ("ANNA@acme.com", "anna@acme.com"),
]

HARMFUL = [
    ("2026-03-01", "2026-08-01", "date"),
    ("01.03.2026", "2026-04-01", "date"),
    ("5 May", "6 May", "date"),
    ("March", "April", "date"),
    ("Friday", "Monday", "date"),
    ("Freitag", "Monday", "date"),
    ("15:00", "16:00", "date"),
    ("Project Atlas 1", "Project Atlas 2", "number"),
    ("Atlas II", "Atlas III", "number"),
    ("1,000 EUR", "1 EUR", "number"),
    ("100 EUR", "100 USD", "number"),
    ("EUR 100", "USD 100", "number"),
    ("1.250 kg", "1.251 kg", "number"),
    ("$5m", "$5k", "number"),
    ("-5 EUR", "5 EUR", "number"),
    ("5 kg", "5 km", "number"),
    ("10k", "10 million", "number"),
    ("v1.2", "v1.3", "number"),
    ("v1.10", "v1.1", "number"),
    ("Q3", "Q4", "number"),
    ("2nd", "third", "number"),
    ("100 units on 3 sites", "200 units on 3 sites", "number"),
    ("approved", "not approved", "negation"),
    ("will pay", "won't pay", "negation"),
    ("has paid", "has never paid", "negation"),
    ("is a member", "is no longer a member", "negation"),
    ("genehmigt", "nicht genehmigt", "negation"),
    ("ein Vertrag", "kein Vertrag", "negation"),
    ("il paie", "il ne paie pas", "negation"),
    ("ha pagado", "nunca ha pagado", "negation"),
    ("betaald", "niet betaald", "negation"),
    ("geld", "geen geld", "negation"),
    ("платит", "не платит", "negation"),
    ("fizet", "nem fizet", "negation"),
    ("ask a@acme.com", "ask b@acme.com", "email"),
]

# An iota subscript has no capital of its own: beside another mark, changing case moves it.
any_text = st.text(st.characters(exclude_categories=[]), max_size=40).filter(
    lambda text: "\u0345" not in unicodedata.normalize("NFD", text)
)
marked_text = st.lists(
    st.sampled_from(words_of("1 2026-03-01 march 5 kg € % not never second 3pm a@b.co v1.2 1.000,00 ii monday -7 q3")),
    max_size=6,
).map(" ".join)


@pytest.mark.parametrize(("a", "b"), HARMLESS)
def test_another_form_of_the_same_is_not_vetoed_not_even_in_names(a: str, b: str) -> None:
    assert veto(read_marks(a), read_marks(b), one_sided=True) is None


@pytest.mark.parametrize(("a", "b", "expected"), HARMFUL)
def test_a_difference_that_matters_is_vetoed_even_in_statements(a: str, b: str, expected: str) -> None:
    assert veto(read_marks(a), read_marks(b), one_sided=False) == expected


@pytest.mark.parametrize("marked", ["Project Atlas 2", "Meeting 2026-03-01", "Standup 15:00"])
def test_a_number_or_date_on_one_side_only_vetoes_names_and_not_statements(marked: str) -> None:
    plain = read_marks(marked.rpartition(" ")[0])
    assert veto(read_marks(marked), plain, one_sided=True) in {"number", "date"}
    assert veto(read_marks(marked), plain, one_sided=False) is None


def test_a_statement_that_leaves_one_of_two_numbers_out_is_not_in_conflict() -> None:
    assert veto(read_marks("200 units on 3 sites"), read_marks("3 sites"), one_sided=False) is None


def test_two_negations_cancel_each_other_out() -> None:
    assert not read_marks("not without approval").negated


@pytest.mark.parametrize("text", ["", "Anna Kovács", "Siemens AG", "the quick brown fox", "may I ask"])
def test_a_text_without_marks_shares_the_one_empty_record(text: str) -> None:
    assert read_marks(text) is NO_MARKS


@given(any_text | marked_text, any_text | marked_text, st.booleans())
def test_a_veto_is_symmetric_and_never_falls_on_a_text_and_itself(a: str, b: str, one_sided: bool) -> None:
    first, second = read_marks(a), read_marks(b)
    assert veto(first, second, one_sided=one_sided) == veto(second, first, one_sided=one_sided)
    assert veto(first, read_marks(f" {a.upper()}"), one_sided=one_sided) is None


@given(marked_text, marked_text)
def test_what_vetoes_statements_vetoes_names_too(a: str, b: str) -> None:
    first, second = read_marks(a), read_marks(b)
    if veto(first, second, one_sided=False):
        assert veto(first, second, one_sided=True)


@pytest.mark.parametrize(
    "text", ["1" * 10**6, "1." * 10**5, "a@" * 10**5, "a@b.c " * 10**5, "twenty " * 10**5, "-1:" * 10**5]
)
def test_hostile_texts_are_read_without_raising(text: str) -> None:
    assert veto(read_marks(text), read_marks(text[:-1]), one_sided=True) in {None, "number", "date", "email"}

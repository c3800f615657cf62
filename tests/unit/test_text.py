"""Normal forms: what counts as the same text."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.strings.text import fold, skeleton, unaccented

# An iota subscript has no capital of its own: beside another mark, changing case moves it.
any_text = st.text(st.characters(exclude_categories=[]), max_size=60).filter(
    lambda text: "\u0345" not in unicodedata.normalize("NFD", text)
)


@given(any_text)
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(any_text)
def test_both_forms_are_the_same_for_composed_and_decomposed_spellings(text: str) -> None:
    composed, decomposed = unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)
    assert fold(composed) == fold(decomposed) == fold(text)
    assert skeleton(composed) == skeleton(decomposed)


@given(any_text)
def test_both_forms_ignore_case(text: str) -> None:
    assert fold(text.upper()) == fold(text) == fold(text.lower())
    assert skeleton(text.upper()) == skeleton(text)


@given(any_text)
def test_a_skeleton_is_words_between_single_spaces(text: str) -> None:
    found = skeleton(text)
    assert found == " ".join(found.split())
    assert skeleton(found) == found


def test_every_single_character_folds_to_a_fixed_point_in_every_normal_form() -> None:
    for char in map(chr, range(0x30000)):
        folded = fold(char)
        assert fold(folded) == folded, hex(ord(char))
        assert fold(unicodedata.normalize("NFD", char)) == folded, hex(ord(char))


@pytest.mark.parametrize("char", ["ж", "ß", "中", "한", "か", "ब", "ी", "ו", "ع", "ก", "ა", "Ω", "٣", "५", "½"])
def test_letters_vowel_signs_and_digits_of_every_script_survive_in_the_skeleton(char: str) -> None:
    assert skeleton(f"a{char}b") not in {"ab", "a b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Iıİ".lower(), "iii\u0307"),
        ("  Anna\u00a0 KOVÁCS\n", "anna kovács"),
        ("Jean\u2010Luc \u2013 \u2018x\u2019", "jean-luc - 'x'"),
        ("\u201eACME\u201c", '"acme"'),
        ("Straße", "strasse"),
        ("co\u00adoperate\u200b", "cooperate"),
        ("\uff21\uff22\uff23 \ufb01", "abc fi"),
        ("", ""),
    ],
)
def test_folding_levels_typography_case_and_white_space(text: str, expected: str) -> None:
    assert fold(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O'Brien, Søren", "obrien soren"),
        ("well-known_name/x", "well known name x"),
        ("U.S. (Łódź)", "us lodz"),
        ("はば", "はば"),
        ("!?", ""),
    ],
)
def test_the_skeleton_drops_accents_and_punctuation_but_no_letter(text: str, expected: str) -> None:
    assert skeleton(text) == expected


def test_unaccented_text_keeps_its_punctuation() -> None:
    assert unaccented(fold("März, 1.000 €")) == "marz, 1.000 €"


@pytest.mark.parametrize(
    "text", ["a" * 10**6, "\u0301\u0316" * 10**5, "\uff9e\u0316" * 10**5, "\ud800\x00" * 10**5, "é " * 10**5]
)
def test_long_and_broken_texts_are_folded_without_raising_or_reordering_marks_for_ever(text: str) -> None:
    assert len(fold(text)) <= len(text)
    assert sys.getsizeof(skeleton(text)) > 0

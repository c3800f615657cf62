"""What only one answer says is marked, and nothing else."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.console import sanitize
from cascade_cli.report.cutting import Cut, cut
from cascade_cli.report.disagreements import Field
from cascade_cli.report.marking import sides

_MARK = re.compile(r'<em class="apart">(.*?)</em>', re.DOTALL)
WORDS = st.text(st.sampled_from("ab <&\"'\u202e\x00é漢"), max_size=12)


def field(gold: str | None, predicted: str | None) -> Field:
    """A field of two texts."""
    ours, theirs = (None if text is None else cut(text, 300) for text in (gold, predicted))
    return Field("statement", ours, theirs, gold is not None and gold == predicted)


@pytest.mark.parametrize(
    ("gold", "predicted", "marks"),
    [
        ("starts on 3 May at noon", "starts on 4 May at noon", (["3"], ["4"])),
        ("it does overheat", "it does not overheat", ([], ["not "])),
        ("a a", "a a a", ([], [" a"])),
        ("ada@x.example", "bob@x.example", (["ada"], ["bob"])),
        ("one", "two", (["one"], ["two"])),
        ("one", None, (["one"], [])),
        (None, "two", ([], ["two"])),
        ("same", "same", ([], [])),
    ],
)
def test_what_differs_is_marked_without_the_words_that_both_begin_or_end_with(
    gold: str | None, predicted: str | None, marks: tuple[list[str], list[str]]
) -> None:
    assert tuple(_MARK.findall(markup) for _, markup in sides(field(gold, predicted))) == marks


def test_two_texts_that_differ_where_they_are_cut_off_are_marked_as_a_whole() -> None:
    long = Field("name", Cut("abc", 5), Cut("abc", 6), same=False)
    assert [_MARK.findall(markup) for _, markup in sides(long)] == [["abc"], ["abc"]]


@given(WORDS, WORDS)
def test_without_its_marks_each_side_reads_as_it_was_said(gold: str, predicted: str) -> None:
    for said, (_, markup) in zip((gold, predicted), sides(field(gold, predicted)), strict=True):
        unmarked = re.sub(r'<em class="apart">|</em>', "", markup)
        assert "<" not in unmarked
        assert unescape(unmarked) == sanitize(said)


@given(WORDS, WORDS)
def test_what_is_not_marked_is_the_same_on_both_sides(gold: str, predicted: str) -> None:
    shared = [_MARK.sub("", markup) for _, markup in sides(field(gold, predicted))]
    assert gold == predicted or shared[0] == shared[1]

"""What only one of the two answers says, marked: in the event's text and in both fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile

from markupsafe import Markup, escape

from cascade_cli.console import sanitize, sanitize_lines
from cascade_cli.report.cutting import Cut
from cascade_cli.report.disagreements import Disagreement, Field

_MOST_WORDS = 100
_SHORTEST = 3
_NAMED_IN_TEXTS = frozenset({"", "name", "email", "subject", "predicate", "object", "source", "target"})
"""Types and categories are the models' own words, a statement is what its parts say again."""
_TEACHER, _STUDENT = "teacher", "student"
_PIECES = re.compile(r"\w+|\W")


def marked(event: Disagreement) -> Markup:
    """The text as markup, its line ends kept, its control characters visible.

    Args:
        event: its text must be at hand.
    """
    text = "" if event.text is None else event.text.text
    words = dict(islice(_words(event), _MOST_WORDS))
    if not words:
        return _shown(text)
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    pieces: list[Markup] = []
    end = 0
    for found in re.finditer(pattern, text, re.IGNORECASE):
        # Case folds in more ways than one: what is found need not be what was looked for.
        who = words.get(found[0].casefold(), _TEACHER)
        pieces += [
            _shown(text[end : found.start()]),
            Markup('<mark class="{}">{}</mark>').format(who, _shown(found[0])),
        ]
        end = found.end()
    return Markup().join([*pieces, _shown(text[end:])])


def sides(field: Field) -> tuple[tuple[Cut | None, Markup], ...]:
    """Teacher's and student's text of a field, what lies between the words that both begin and end with marked.

    In linear time, unlike an alignment of the words, for a text may be of any length; a text without counterpart is
    marked as a whole, and so are two that differ only where they are cut off.
    """
    gold, predicted = ([] if side is None else _PIECES.findall(side.text) for side in (field.gold, field.predicted))
    start, end = (0, 0) if gold == predicted and not field.same else _shared_ends(gold, predicted)
    return (field.gold, _apart(gold, start, end)), (field.predicted, _apart(predicted, start, end))


def _shared_ends(ours: Sequence[str], theirs: Sequence[str]) -> tuple[int, int]:
    start = _agreeing(ours, theirs)
    room = min(len(ours), len(theirs)) - start
    return start, min(_agreeing(reversed(ours), reversed(theirs)), room)


def _agreeing(ours: Iterable[str], theirs: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False)))


def _apart(pieces: Sequence[str], start: int, end: int) -> Markup:
    stop = len(pieces) - end
    before, between, after = (sanitize("".join(part)) for part in (pieces[:start], pieces[start:stop], pieces[stop:]))
    return escape(before) + (Markup('<em class="apart">{}</em>').format(between) if between else "") + escape(after)


def _words(event: Disagreement) -> Iterator[tuple[str, str]]:
    """Values that differ, folded, and whose they are; a value of both is the teacher's."""
    differing = [field for pair in event.pairs if pair.verdict != "equal" for field in pair.fields if not field.same]
    for who in (_STUDENT, _TEACHER):
        for field in differing:
            if (word := _word(field, who)) is not None:
                yield word, who


def _word(field: Field, who: str) -> str | None:
    side = field.gold if who == _TEACHER else field.predicted
    if field.name not in _NAMED_IN_TEXTS or side is None or side.left_out or len(side.text) < _SHORTEST:
        return None
    return side.text.casefold()


def _shown(text: str) -> Markup:
    return escape(sanitize_lines(text))

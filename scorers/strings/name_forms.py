"""The prepared form of a name: its kind, its words in Latin letters, and what its guards see."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from anyascii import anyascii

from scorers.strings.dates import MONTHS
from scorers.strings.emails import find_emails
from scorers.strings.given_names import is_given_name
from scorers.strings.guards import NO_MARKS, Marks, read_marks
from scorers.strings.legal_forms import GLUED_FORMS, strip_legal_form
from scorers.strings.quantities import NUMBER_WORDS, ROMAN_NUMERALS, SURE_ROMAN_NUMERALS, UNIT_WORDS, spoken_as_digits
from scorers.strings.text import CACHE_ENTRIES, CACHED_CHARS, fold, once, skeleton, words_of

Kind = Literal["person", "likely person", "organisation", "other", "unknown"]
"""What a name names; ``likely person`` where the text says so and the caller does not."""

MAX_ALIGNED_CHARS = 256
"""Names longer than this after folding are compared as one string, never word by word."""

MAX_PERSON_WORDS = 5
"""A longer name is not taken for a person's without being told."""

MIN_FULL_NAME = 2
"""Words of a given and a family name."""

MIN_ACRONYM = 3
"""Fewer first letters stand for too many names."""

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(
        words_of(
            "person persons people human individual contact man woman employee customer user participant author actor "
            "politician per attendee"
        ),
        "person",
    ),
    **dict.fromkeys(
        words_of(
            "organization organizations organisation organisations org company companies corporation business firm "
            "legalentity institution agency bank vendor supplier employer ngo university government party team "
            "publisher "
            "publicbody"
        ),
        "organisation",
    ),
    **dict.fromkeys(
        words_of(
            "vessel ship boat aircraft vehicle film movie book work song product project event place location "
            "city country "
            "topic concept date time amount document file deal opportunity system software technology"
        ),
        "other",
    ),
}

_TITLES = frozenset(
    words_of(
        "mr mrs ms miss mx dr prof professor sir dame lord lady herr frau mme mlle monsieur madame signor signora sr "
        "sra srta rev reverend hon president senator minister chancellor ing dipl mag shaikh sheikh shaykh haji hajji "
        "mullah maulavi mawlawi capt captain admiral commodore major lieutenant col colonel gen general lt sgt king "
        "queen prince princess"
    )
)
_SUFFIXES = frozenset(words_of("jr sr junior senior phd md esq dds mba ifj id"))
PARTICLES = frozenset(
    words_of(
        "al as el ul ur bin ben ibn bint ould abu abou abd van von der den de del della di da dos das do du la "
        "le los zu zur "
        "ten ter af av na bar mac mc st"
    )
)
"""Small words inside names of people; they weigh little and are often left out."""

STOP_WORDS = frozenset(words_of("the a an of and for in on at und der die das et la le les de del du di y e i o to"))
"""Small words inside other names."""

CONNECTIVES = frozenset(words_of("the of and for in on at to"))
"""Words that no name of a person has."""

_VESSEL_PREFIXES = frozenset(words_of("mv ms ss mt mts hms uss rms mt fv sy"))
_ABBREVIATIONS = {
    "intl": "international",
    "natl": "national",
    "dept": "department",
    "govt": "government",
    "univ": "university",
    "assoc": "association",
    "bros": "brothers",
    "mfg": "manufacturing",
    "mgmt": "management",
    "tech": "technology",
    "corp": "corporation",
    "us": "united states",
    "usa": "united states",
    "uk": "united kingdom",
    "eu": "european union",
    "un": "united nations",
}
_ORGANISATION_WORDS = frozenset(
    words_of(
        "bank company corporation group holding holdings university institute ministry department agency association "
        "foundation trust fund partners capital solutions systems technologies industries international council "
        "committee "
        "party union federation society school college hospital club team government office services"
    )
)
_PERSON_DOTS = re.compile(r"(?<=\b[^\W\d_])\.|\.(?=\s|$)")
_INITIAL = re.compile(r"[a-z]\.[ a-z-]")
_INVERTED = re.compile(r"[^\W\d]+(?: [^\W\d]+)?, ?[^\W\d]+\.?(?: [^\W\d]+\.?){0,2}$")
# Digits put for letters, by a scanner or on purpose.
_LEET = str.maketrans("013457", "oleast")
_LOGOGRAPHIC = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class NameForm:
    """A name, ready to be compared.

    Attributes:
        folded: first normal form.
        kind: what it names; ``unknown`` where neither the caller nor the text says.
        words: its words in lower-case Latin letters, without titles, legal forms and e-mails.
        joined: the words without spaces.
        native: the words in their own script; empty where that is Latin.
        acronym: the first letters of the words, stop words left out; empty below three letters.
        form: canonical legal form taken off; None without one.
        marks: numbers, dates, negation and e-mails.
        logographic: whether the script writes syllables or words with one sign.
    """

    folded: str
    kind: Kind
    words: tuple[str, ...]
    joined: str
    native: str
    acronym: str
    form: str | None
    marks: Marks
    logographic: bool


def prepare_name(text: str, entity_type: str | None = None) -> NameForm:
    """Prepare a name for comparison.

    Args:
        text: any string.
        entity_type: free text such as ``person`` or ``Company``; None where it is not known.
    """
    kind = kind_of(entity_type)
    return _prepare_cached(text, kind) if len(text) <= CACHED_CHARS else once(_prepare, text, kind)


@lru_cache(maxsize=1024)
def kind_of(entity_type: str | None) -> Kind:
    """Map a free-text entity type to the kind of rules its names follow; ``unknown`` unless listed."""
    return _KINDS.get(skeleton(entity_type or "").replace(" ", ""), "unknown")


def _prepare(text: str, kind: Kind) -> NameForm:
    folded = fold(text)
    if len(folded) > MAX_ALIGNED_CHARS:
        return NameForm(folded, "other", (), "", "", "", None, read_marks(text), logographic=False)
    emails = find_emails(folded) if "@" in folded else frozenset()
    return _form(_without_address(folded, emails) if emails else folded, kind, emails)


def _without_address(folded: str, emails: frozenset[str]) -> str:
    """Return the display name beside an address; the address itself where there is none."""
    display = folded
    for email in emails:
        display = display.replace(email, " ")
    display = fold(display.strip(" <>()[]\"',;:"))
    return display.removesuffix("mailto").strip() or min(emails)


def _form(folded: str, kind: Kind, emails: frozenset[str]) -> NameForm:
    latin = folded if folded.isascii() else anyascii(folded).lower()
    native = "" if folded.isascii() else _native(folded)
    words, form = tuple(skeleton(latin).split()), None
    if kind in ("organisation", "unknown"):
        words, form = _without_form(folded, words, latin=not native)
    if kind == "unknown":
        kind = "organisation" if form or not _ORGANISATION_WORDS.isdisjoint(words) else _person_or_unknown(latin, words)
    if kind in ("person", "likely person"):
        words, form = _person_words(latin), None
    else:
        words = _other_words(words, kind)
    marks = _name_marks(folded, words, kind, emails)
    content = words if marks is NO_MARKS else _content(words, marks)
    acronym = "".join(word[0] for word in content if word not in STOP_WORDS)
    return NameForm(
        folded,
        kind,
        content,
        "".join(content),
        native,
        acronym if len(acronym) >= MIN_ACRONYM else "",
        form,
        marks,
        bool(_LOGOGRAPHIC.search(native)),
    )


def _content(words: tuple[str, ...], marks: Marks) -> tuple[str, ...]:
    """Leave out the words that the guards compare: numbers, units beside them, months of dates."""
    dated = bool(marks.times.days)
    return tuple(
        word
        for word in words
        if not any(map(str.isdigit, word))
        and not (dated and word in MONTHS)
        and not (marks.numbers and word in UNIT_WORDS)
    )


def _native(folded: str) -> str:
    """Return the skeleton in its own script, or nothing where only accents set it off from Latin."""
    plain = skeleton(folded)
    return "" if plain.isascii() else plain


def _without_form(folded: str, words: tuple[str, ...], *, latin: bool) -> tuple[tuple[str, ...], str | None]:
    """Take off legal forms, read in the script they are written in."""
    if latin:
        stripped = strip_legal_form(words)
        if stripped.form is None and len(stripped.words) == 1:
            return _unglue(stripped.words)
        return stripped.words, stripped.form
    native = strip_legal_form(tuple(skeleton(folded).split()))
    again = strip_legal_form(tuple(skeleton(anyascii(" ".join(native.words))).split()))
    return again.words, native.form or again.form


def _unglue(words: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    word = words[0]
    for form in GLUED_FORMS:
        if word.endswith(form) and len(word) >= len(form) + 5:
            return (word.removesuffix(form),), form
    return words, None


def _person_or_unknown(latin: str, words: tuple[str, ...]) -> Kind:
    """Take a name for a person's if it has a title or an initial, is inverted, or opens with a known given name."""
    if not 1 < len(words) <= MAX_PERSON_WORDS or not all(map(str.isalpha, words)) or not CONNECTIVES.isdisjoint(words):
        return "unknown"
    telling = words[0] in _TITLES or _INITIAL.match(latin) or _INVERTED.match(latin) or is_given_name(words[0])
    return "likely person" if telling else "unknown"


def _person_words(latin: str) -> tuple[str, ...]:
    last, comma, first = latin.partition(",")
    ordered = f"{first} {last}" if comma and first.strip(" .") not in _SUFFIXES else latin
    words = skeleton(_PERSON_DOTS.sub(" ", ordered)).split()
    words = [w.translate(_LEET) if not w.isalpha() and not w.isdigit() else w for w in words]
    while len(words) > 1 and words[0] in _TITLES:
        del words[0]
    while len(words) > MIN_FULL_NAME and words[-1] in _SUFFIXES:
        del words[-1]
    return tuple(words)


def _other_words(words: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    if kind == "other" and len(words) > 1 and words[0] in _VESSEL_PREFIXES:
        words = words[1:]
    if not _ABBREVIATIONS.keys().isdisjoint(words):
        words = tuple(" ".join(_ABBREVIATIONS.get(word, word) for word in words).split())
    if not NUMBER_WORDS.isdisjoint(words):
        words = tuple(spoken_as_digits(" ".join(words)).split())
    if not ROMAN_NUMERALS.keys().isdisjoint(words[1:]):
        words = _roman_as_digits(words)
    return words


def _roman_as_digits(words: tuple[str, ...]) -> tuple[str, ...]:
    """Write Roman numerals as digits; ``v`` and other doubtful ones only at the end, none at the start."""
    last = len(words) - 1
    return tuple(
        str(ROMAN_NUMERALS[word])
        if word in ROMAN_NUMERALS and place and (place == last or word in SURE_ROMAN_NUMERALS)
        else word
        for place, word in enumerate(words)
    )


def _name_marks(folded: str, words: tuple[str, ...], kind: Kind, emails: frozenset[str]) -> Marks:
    """Read the marks of a name; a person's words are names, so only digits and a generation (``III``) count there."""
    if kind in ("person", "likely person"):
        has_number = any(map(str.isdigit, words)) or (bool(words) and words[-1] in SURE_ROMAN_NUMERALS)
        marks = read_marks(" ".join(words)) if has_number else NO_MARKS
    elif ROMAN_NUMERALS.keys().isdisjoint(folded.split()):
        marks = read_marks(folded)
    else:
        # Only with the legal form gone is it plain which numeral stands at the end.
        marks = read_marks(" ".join(words))
    return replace(marks, emails=emails) if emails else marks


_prepare_cached = lru_cache(maxsize=CACHE_ENTRIES)(_prepare)

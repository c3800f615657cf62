"""Changes that leave an extraction saying the same."""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from validation.changes import Change, World
from validation.edits import Extraction, renamed

ORGANISATION_TYPES = {"organization", "film production company", "publisher"}
NICKNAMES = {
    "Alexander": "Alex", "Andrew": "Andy", "Benjamin": "Ben", "Charles": "Charlie", "Christopher": "Chris",
    "Daniel": "Dan", "David": "Dave", "Edward": "Ted", "Elizabeth": "Liz", "Gregory": "Greg", "James": "Jim",
    "Jennifer": "Jenny", "Joseph": "Joe", "Katherine": "Kate", "Margaret": "Peggy", "Matthew": "Matt",
    "Michael": "Mike", "Nicholas": "Nick", "Patricia": "Pat", "Peter": "Pete", "Philip": "Phil", "Richard": "Rick",
    "Robert": "Bob", "Ronald": "Ron", "Samuel": "Sam", "Stephen": "Steve", "Thomas": "Tom", "Timothy": "Tim",
    "Victoria": "Vicky", "William": "Bill",
}  # fmt: skip
LEGAL_FORMS = re.compile(
    r",? (GmbH|AG|Ltd|Limited|Inc\.?|S\.A\.|Kft\.|S\.r\.l\.|LLC|K\.K\.|B\.V\.|Co\.|OOO|ООО|A\.E\.)$"
)
INVERSES = {"works_at": "employs", "reports_to": "manages", "part of": "has part", "customer_of": "has_customer"}
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
LONG_DATE = re.compile(rf"\b(?P<day>[012]?\d|3[01]) (?P<month>{'|'.join(MONTHS)}) (?P<year>\d{{4}})\b")
ISO_DATE = re.compile(r"\b(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)\b")
AMOUNT = re.compile(
    r"\b(?:(?P<before>EUR|GBP|USD|CNY) )?(?P<digits>\d{1,3}(?:,\d{3})+)(?: (?P<after>EUR|GBP|USD|CNY))?\b"
)


def reorder(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
    """The same items in another order."""
    shuffled = {section: rng.sample(items, len(items)) for section, items in extraction.items()}
    return shuffled if shuffled != extraction else None


def respelled(spell: Callable[[str], str | None], types: set[str] | None = None) -> Change:
    """One entity in another spelling, wherever it stands."""

    def change(rng: random.Random, extraction: Extraction, _: World) -> Extraction | None:
        once = {str(each["name"]): each["type"] for each in extraction["entities"]}
        names = [name for name, kind in once.items() if types is None or kind in types]
        options = {name: new for name in names if (new := spell(name)) and new != name}
        if not options:
            return None
        name = rng.choice(sorted(options))
        return renamed(extraction, {name: options[name]})

    return change


def without_accents(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", name) if not unicodedata.combining(char))


def other_legal_form(name: str) -> str:
    return LEGAL_FORMS.sub("", name) if LEGAL_FORMS.search(name) else f"{name} Inc."


def nickname(name: str) -> str | None:
    first, _, rest = name.partition(" ")
    return f"{NICKNAMES[first]} {rest}" if rest and first in NICKNAMES else None


def initial(name: str) -> str | None:
    first, _, rest = name.partition(" ")
    return f"{first[0]}. {rest}" if rest and first.isalpha() and len(first) > 1 else None


def family_name_first(name: str) -> str | None:
    words = name.split()
    return f"{words[1]}, {words[0]}" if len(words) == 2 and all(word.isalpha() for word in words) else None


def as_iso(date: re.Match[str]) -> str:
    month = MONTHS.index(date["month"]) + 1
    return f"{date['year']}-{month:02}-{int(date['day']):02}" if int(date["day"]) else date[0]


def in_words(date: re.Match[str]) -> str:
    return f"{int(date['day'])} {MONTHS[int(date['month']) - 1]} {date['year']}"


def other_amount(amount: re.Match[str]) -> str:
    digits, before, after = amount["digits"].replace(",", ""), amount["before"], amount["after"]
    return f"{digits} {before}" if before else f"{after} {digits}" if after else digits

"""Legal forms of organisations: where a name ends and ``Aktiengesellschaft`` begins.

The list is cleanco's; the long forms and the few short ones it lacks are added here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from scorers.strings.text import skeleton, words_of

_LONG_FORMS = {
    "aktiengesellschaft": "ag",
    "gesellschaft mit beschrankter haftung": "gmbh",
    "kommanditgesellschaft": "kg",
    "limited liability company": "llc",
    "limited liability partnership": "llp",
    "limited partnership": "lp",
    "public limited company": "plc",
    "private limited": "ltd",
    "private limited company": "ltd",
    "joint stock company": "jsc",
    "open joint stock company": "jsc",
    "public joint stock company": "jsc",
    "closed joint stock company": "jsc",
    "ojsc": "jsc",
    "pjsc": "jsc",
    "cjsc": "jsc",
    "jsc": "jsc",
    "sociedad anonima": "sa",
    "sociedad limitada": "sl",
    "societe anonyme": "sa",
    "societe a responsabilite limitee": "sarl",
    "societa per azioni": "spa",
    "societa a responsabilita limitata": "srl",
    "societatea cu raspundere limitata": "srl",
    "spolka z ograniczona odpowiedzialnoscia": "sp zoo",
    "naamloze vennootschap": "nv",
    "besloten vennootschap": "bv",
    "korlatolt felelossegu tarsasag": "kft",
    "zartkoruen mukodo reszvenytarsasag": "zrt",
    "nyilvanosan mukodo reszvenytarsasag": "nyrt",
    "kft": "kft",
    "aktiebolag": "ab",
    "aktieselskab": "as",
    "osakeyhtio": "oy",
    "kabushiki kaisha": "kk",
    "co ltd": "ltd",
    "sa de cv": "sa",
    "общество с ограниченнои ответственностью": "llc",
    "акционерное общество": "jsc",
    "открытое акционерное общество": "jsc",
    "публичное акционерное общество": "jsc",
    "закрытое акционерное общество": "jsc",
    "ооо": "llc",
    "оао": "jsc",
    "пао": "jsc",
    "зао": "jsc",
    "ао": "jsc",
    "тов": "llc",
    "有限公司": "ltd",
    "株式会社": "kk",
}
"""Written-out and foreign forms, as skeletons, and the short form each stands for."""

_SAME_FORM = {
    "limited": "ltd",
    "incorporated": "inc",
    "corporation": "corp",
    "company": "co",
    "and company": "co",
    "oao": "jsc",
    "zao": "jsc",
    "ooo": "llc",
    "pty ltd": "ltd",
    "pte ltd": "ltd",
    "pvt ltd": "ltd",
    "plc ltd": "plc",
    "spolka z oo": "sp zoo",
    "sp z oo": "sp zoo",
    "gmbh and co kg": "gmbh co kg",
}

_ALSO_WORDS = frozenset(
    words_of("uk et da as at mb ok ba sem sep fa sas sal ans dat vat private ent ad ks kt ec ep ps sp ev ee ae ei")
)
"""Forms of cleanco's list that are a country, a connective or a word more often than a form; never taken off."""

_CONTRASTS = frozenset(
    frozenset(pair.split("/"))
    for pair in words_of(
        "ag/gmbh ag/kg gmbh/kg sa/sarl bv/nv spa/srl ltd/plc inc/llc kft/zrt kft/nyrt nyrt/zrt jsc/llc "
        "oy/oyj aps/as llc/lp llp/ltd inc/lp"
    )
)
"""Forms of one jurisdiction that stand side by side there: the same words before both name two legal persons."""

_MAY_OPEN = frozenset({*_LONG_FORMS, *words_of("pt cv srl sarl spa llc oao ooo zao tov uab sia oy")})
"""Forms that are written in front of names; another at the start is an ordinary word (``CA Technologies``)."""

GLUED_FORMS = ("gmbh", "ag", "ltd", "inc", "llc")
"""Forms found written onto the name (``SiemensAG``); only looked for where the rest is long enough."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """An organisation's name without its legal forms.

    Attributes:
        words: the words left, at least one where there was one.
        form: the canonical short form that was taken off, the outermost first; None without one.
    """

    words: tuple[str, ...]
    form: str | None


@dataclass(frozen=True, slots=True)
class _Forms:
    """Forms at the end and at the start of names, as words, with their canonical short forms.

    The sets of last and first words let most names be passed over at once.
    """

    closing: dict[tuple[str, ...], str]
    opening: dict[tuple[str, ...], str]
    last_words: frozenset[str]
    first_words: frozenset[str]
    longest: int


def strip_legal_form(words: tuple[str, ...]) -> Stripped:
    """Take legal forms off both ends of a name, as long as a word remains.

    Args:
        words: the words of the name's skeleton.
    """
    forms = _forms()
    found: str | None = None
    while len(words) > 1:
        if size := _size_at_end(words, forms):
            found = found or forms.closing[words[-size:]]
            words = words[:-size]
        elif size := _size_at_start(words, forms):
            found = found or forms.opening[words[:size]]
            words = words[size:]
        else:
            break
    return Stripped(words, found)


def _size_at_end(words: tuple[str, ...], forms: _Forms) -> int:
    if words[-1] not in forms.last_words:
        return 0
    sizes = range(min(forms.longest, len(words) - 1), 0, -1)
    return next((size for size in sizes if words[-size:] in forms.closing), 0)


def _size_at_start(words: tuple[str, ...], forms: _Forms) -> int:
    if words[0] not in forms.first_words:
        return 0
    sizes = range(min(forms.longest, len(words) - 1), 0, -1)
    return next((size for size in sizes if words[:size] in forms.opening), 0)


def contrasting_forms(a: str | None, b: str | None) -> bool:
    """Whether two canonical forms tell two organisations of one jurisdiction apart; unknown ones never do."""
    return frozenset((a, b)) in _CONTRASTS


@cache
def _forms() -> _Forms:
    from cleanco.termdata import terms_by_country, terms_by_type  # 9 ms, only when names are compared

    listed = {term for table in (terms_by_type, terms_by_country) for some in table.values() for term in some}
    terms = {skeleton(term.replace("&", " and ")) for term in listed} - _ALSO_WORDS - {""}
    short = {term: _SAME_FORM.get(term, term) for term in sorted(terms)} | _LONG_FORMS
    closing = {tuple(term.split()): form for term, form in short.items()}
    opening = {words: form for words, form in closing.items() if " ".join(words) in _MAY_OPEN}
    return _Forms(
        closing,
        opening,
        frozenset(words[-1] for words in closing),
        frozenset(words[0] for words in opening),
        max(map(len, closing)),
    )

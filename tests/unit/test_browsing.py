"""The list of events: filters and pages, beside a plain loop over the same pairs."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascade_cli.dashboard.browsing import Filter, Listing, Place
from cascade_cli.errors import UsageError
from scorers import KINDS

HASHES, ARENAS, REASONS = (None, "a", "b"), (None, "sales", "ünï"), (None, "random_sample", "student_empty")


def _pairs(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "pair": number,
            "event_id": f"e{rng.randrange(count)}",
            "system_prompt_hash": rng.choice(HASHES),
            "student_model": "s",
            "sample_index": 0,
            "arena": rng.choice(ARENAS),
            "scorable": rng.random() < 0.9,
            "agreement": rng.choice([0.0, 0.5, 0.75, 1.0]),
            "agrees": rng.random() < 0.5,
            **{f"kind_{kind}": rng.choice([0, 0, 2]) for kind in KINDS},
        }
        for number in range(count)
    ]


def _listing(pairs: list[dict[str, Any]]) -> tuple[Listing, dict[str, str | None]]:
    ids = sorted({pair["event_id"] for pair in pairs})
    reasons = {event_id: REASONS[number % 3] for number, event_id in enumerate(ids)}
    frame = pl.DataFrame({"event_id": ids, "reason": list(reasons.values())}, schema_overrides={"reason": pl.String})
    return Listing.of(pl.DataFrame(pairs, infer_schema_length=None), frame), reasons


def _expected(pairs: list[dict[str, Any]], reasons: dict[str, str | None], only: Filter) -> list[tuple[Any, ...]]:
    kept = [
        pair
        for pair in pairs
        if pair["scorable"]
        and (only.kind is None or pair[f"kind_{only.kind}"])
        and (only.hash is None or (pair["system_prompt_hash"] or "") == only.hash)
        and (only.arena is None or (pair["arena"] or "") == only.arena)
        and (only.reason is None or (reasons[pair["event_id"]] or "none") == only.reason)
        and (only.verdict is None or pair["agrees"] == (only.verdict == "agrees"))
    ]
    ordered = sorted(kept, key=lambda pair: (pair["agreement"], pair["event_id"], pair["pair"]))
    return [(pair["event_id"], pair["agreement"], pair["system_prompt_hash"]) for pair in ordered]


FILTERS = st.builds(
    Filter,
    kind=st.sampled_from([None, "missing", "invalid_json"]),
    hash=st.sampled_from([None, "", "a", "nowhere"]),
    arena=st.sampled_from([None, "", "ünï"]),
    reason=st.sampled_from([None, "none", "random_sample"]),
    verdict=st.sampled_from([None, "agrees", "disagrees"]),
)


@settings(max_examples=60)
@given(count=st.integers(1, 60), seed=st.integers(0, 999), only=FILTERS, size=st.integers(1, 7))
def test_pages_forth_and_back_are_the_sorted_list_cut_into_pieces(
    count: int, seed: int, only: Filter, size: int
) -> None:
    pairs = _pairs(count, seed)
    listing, reasons = _listing(pairs)
    expected = _expected(pairs, reasons, only)
    page = listing.page(only, size=size)
    pages = [page]
    while page.after is not None:
        page = listing.page(only, after=Place.read(str(page.after)), size=size)
        pages.append(page)
    shown = [(each["event_id"], each["agreement"], each["system_prompt_hash"]) for one in pages for each in one.records]
    assert shown == expected
    assert {one.total for one in pages} == {len(expected)}
    assert [one.first for one in pages] == list(range(1, len(expected) + 1, size)) or not expected
    for earlier in reversed(pages[:-1]):
        page = listing.page(only, before=page.before, size=size)
        assert page.records == earlier.records


def test_what_comes_meanwhile_neither_repeats_nor_hides_a_line() -> None:
    pairs = _pairs(60, 5)
    first = _listing(pairs)[0].page(Filter(), size=20)
    more = [*pairs, *({**pair, "pair": 60 + number, "event_id": f"new{number}"} for number, pair in enumerate(pairs))]
    later, _ = _listing(more)
    rest = later.page(Filter(), after=first.after, size=1_000)
    shown = [each["event_id"] for each in (*first.records, *rest.records)]
    old = sorted(pair["event_id"] for pair in pairs if pair["scorable"])
    assert sorted(event_id for event_id in shown if not event_id.startswith("new")) == old


def test_neighbours_are_the_lines_around_an_event_that_the_filter_lets_through() -> None:
    listing, reasons = _listing(_pairs(50, 3))
    only = Filter(verdict="disagrees")
    lines = [each[0] for each in _expected(_pairs(50, 3), reasons, only)]
    ids = list(dict.fromkeys(lines))
    assert len(ids) < len(lines)  # some events have several pairs, and each comes once all the same
    around = zip([None, *ids], [*ids[1:], None], strict=False)
    assert [listing.neighbours(only, event_id) for event_id in ids] == list(around)
    assert listing.neighbours(only, "nobody") == (None, None)


def test_the_neighbours_of_an_event_that_the_filter_holds_back_are_those_it_would_stand_between() -> None:
    listing, reasons = _listing(_pairs(50, 3))
    everything = [each[0] for each in _expected(_pairs(50, 3), reasons, Filter())]
    shown = [each[0] for each in _expected(_pairs(50, 3), reasons, Filter(verdict="agrees"))]
    hidden = next(event_id for event_id in everything[5:] if event_id not in shown)
    earlier = everything[: everything.index(hidden)]
    before, after = listing.neighbours(Filter(verdict="agrees"), hidden)
    assert before in earlier
    assert after not in {*earlier, hidden}


def test_where_the_policy_cannot_be_replayed_no_event_is_said_to_stand() -> None:
    listing = Listing.of(pl.DataFrame(_pairs(20, 1), infer_schema_length=None), None)
    assert {each["reason"] for each in listing.page(Filter()).records} == {"unknown"}
    assert listing.page(Filter(reason="none")).total == 0


@pytest.mark.parametrize("text", ["", "x", "e30=", "W10=", "WzEsMl0=", "////", "a" * 10_001])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="place"):
        Place.read(text)


@pytest.mark.parametrize("field", ["kind", "reason", "verdict"])
def test_a_filter_that_there_is_not_is_refused_with_those_that_there_are(field: str) -> None:
    with pytest.raises(UsageError, match="There is no") as caught:
        Filter(**{field: "nonsense"})
    assert caught.value.hint

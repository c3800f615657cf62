"""The body of an endpoint's answer -> what the model said; nothing in it is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, fsum

from cascade_cli.clients.failures import NO_CHOICES, UNREADABLE, CallFailed
from cascade_cli.extraction import find_object

_LONGEST_REASON = 100
_MOST_LOGPROB = 1e6


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said.

    Attributes:
        text: as it came; None where it gave none.
        prompt_tokens: as the endpoint counted them; None where it did not.
        completion_tokens: likewise.
        finish_reason: why it stopped, as ``stop`` or ``length``; None where unknown.
        signals: from token probabilities, each in [0, 1]; empty unless they were asked for.
        tries: requests that were sent for it, at least 1.
        seconds: from the last request to the end of its answer.
    """

    text: str | None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    signals: Mapping[str, float] = field(default_factory=dict)
    tries: int = 1
    seconds: float = 0.0


def read_reply(body: bytes) -> Reply:
    """Read an answer in the shape of OpenAI or of Ollama.

    Raises:
        CallFailed: the body is no JSON object, or holds no answer.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise CallFailed(UNREADABLE, f"the answer's {len(body):,} bytes are no JSON") from None
    if not isinstance(document, dict):
        raise CallFailed(UNREADABLE, "the answer is no JSON object")
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else document
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise CallFailed(NO_CHOICES, "the answer holds no message")
    usage = document.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    reason = choice.get("finish_reason") or document.get("done_reason")
    return Reply(
        text=_text_of(message.get("content")),
        prompt_tokens=_count(counts.get("prompt_tokens", document.get("prompt_eval_count"))),
        completion_tokens=_count(counts.get("completion_tokens", document.get("eval_count"))),
        finish_reason=reason[:_LONGEST_REASON] if isinstance(reason, str) else None,
        signals=_signals_of(choice.get("logprobs")),
    )


def _text_of(content: object) -> str | None:
    """The text, which some endpoints give in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def _signals_of(logprobs: object) -> dict[str, float]:
    """How sure the model was of its tokens.

    ``token_probability`` is their geometric mean, ``token_margin`` the mean lead of the chosen token over the next one
    (Guo et al., "On calibration of modern neural networks", 2017, on why neither is a chance of being right).
    """
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    known = [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
    chosen = [value for token in known if (value := _logprob(token)) is not None]
    if not chosen:
        return {}
    signals = {"token_probability": exp(fsum(chosen) / len(chosen))}
    margins = [margin for token in known if (margin := _margin(token)) is not None]
    return signals | ({"token_margin": fsum(margins) / len(margins)} if margins else {})


def _logprob(token: object) -> float | None:
    value = token.get("logprob") if isinstance(token, dict) else None
    # NaN is in no interval, and JSON may hold whole numbers that no float can.
    if not isinstance(value, int | float) or isinstance(value, bool) or not -_MOST_LOGPROB <= value <= _MOST_LOGPROB:
        return None
    return min(float(value), 0.0)


def _margin(token: Mapping[str, object]) -> float | None:
    top = token.get("top_logprobs")
    likely = (
        sorted((value for each in top if (value := _logprob(each)) is not None), reverse=True)
        if isinstance(top, list)
        else []
    )
    return exp(likely[0]) - exp(likely[1]) if len(likely) > 1 else None


def align_events(text: str, events: int) -> list[dict[str, object] | None]:
    """The teacher's answer about several events, one place each.

    An answer names its event by ``index``, from 0; those without a usable one fill the places that are left, in their
    order, if there are as many as places: else nobody knows whose they are.

    Args:
        text: what the teacher said, ``{"events": [..]}``, perhaps fenced or inside prose.
        events: how many it was asked about, at least 1.

    Returns:
        For each event its extraction without the index, None where there is none.
    """
    document = find_object(text)
    found = document.get("events") if document is not None else None
    if document is not None and not isinstance(found, list) and events == 1:
        found = [document]
    places: list[dict[str, object] | None] = [None] * events
    nameless: list[dict[str, object]] = []
    found = found if isinstance(found, list) else []
    for item in found:
        if not isinstance(item, dict):
            continue
        # Where one is asked about alone, and one comes, it is that one's, whatever number its block had.
        index = 0 if events == len(found) == 1 else item.get("index")
        said = {key: value for key, value in item.items() if key != "index"}
        if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < events and places[index] is None:
            places[index] = said
        elif index is None:
            nameless.append(said)
    _fill(places, nameless)
    return places


def _fill(places: list[dict[str, object] | None], nameless: Sequence[dict[str, object]]) -> None:
    empty = [place for place, said in enumerate(places) if said is None]
    if len(nameless) == len(empty):
        for place, said in zip(empty, nameless, strict=True):
            places[place] = said

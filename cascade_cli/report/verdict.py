"""May the student carry the bulk? An answer in words, what it rests on, and what it does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cascade_cli.report.words import count, exact_percent, interval, name_of, percent
from cascade_cli.stats.estimates import INSUFFICIENT

Figures = Mapping[str, Any]
Answer = Literal["yes", "no", "unknown"]
FLOOR = 0.85
"""Agreement that is asked for where nobody says: a service level for the lower bound, in (0, 1)."""
ALARMS = ("floor_alarm", "change_alarm")
"""Where the monitor's figures of a prompt have its alarms."""
TARGET_RESIDUAL = 0.05
"""Most that may stay in the graph and be wrong where nobody says: for the upper bound, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the student is held against.

    Attributes:
        floor: agreement under the prompt in force, in (0, 1).
        target_residual: share of events left standing and wrong, in [0, 1].
    """

    floor: float = FLOOR
    target_residual: float = TARGET_RESIDUAL


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the verdict rests on.

    Attributes:
        name: ``agreement``, ``residual`` or ``alarms``.
        passed: None where too little is known.
        told: in a sentence, with its interval and n.
        n: how many labels it rests on.
    """

    name: str
    passed: bool | None
    told: str
    n: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        answer: ``no`` where a check failed, ``unknown`` where none did but one could not be made.
        headline: in a sentence.
        prompt_hash: of the prompt in force, on which it is; None where events have none.
        checks: what it rests on.
        unknown: what it does not know, a sentence each.
    """

    answer: Answer
    headline: str
    prompt_hash: str | None
    checks: tuple[Check, ...]
    unknown: tuple[str, ...]


def judge(newest: str | None, score: Figures, simulation: Figures, monitor: Figures, asked: Asked) -> Verdict:
    """Judge the student under the prompt in force.

    Args:
        newest: hash of the newest dated trace; it may have no pair yet.
        score: of ``cascade score --by-prompt-hash``.
        simulation: of ``cascade simulate``.
        monitor: of ``cascade monitor``.
        asked: what it is held against.
    """
    checks = (
        _agreement(newest, score, asked.floor),
        _residual(simulation, asked.target_residual),
        _alarms(newest, monitor),
    )
    answer = _answer(checks)
    carried = None if (escalated := simulation["escalation"]["rate"]) is None else 1 - escalated
    headline = _HEADLINES[answer].format(carried=percent(carried))
    return Verdict(answer, headline, newest, checks, _unknown(score, simulation, monitor))


_HEADLINES: Mapping[Answer, str] = {
    "yes": "Yes: under this policy the student may carry {carried} of the events.",
    "no": "No: the student may not carry the bulk as things stand.",
    "unknown": "Nobody can say yet: there is too little to decide by.",
}


def _answer(checks: Sequence[Check]) -> Answer:
    if any(check.passed is False for check in checks):
        return "no"
    return "yes" if all(check.passed for check in checks) else "unknown"


def _agreement(newest: str | None, score: Figures, floor: float) -> Check:
    group = next((each for each in score["groups"] if each["key"]["system_prompt_hash"] == newest), None)
    if group is None or not group["agreement"]["n"]:
        told = f"Under the newest prompt {name_of(newest)} no event is scored yet (n = 0)."
        return Check("agreement", None, told, 0)
    found = group["agreement"]
    enough = found["n"] >= INSUFFICIENT and found["low"] is not None
    told = (
        f"Under the newest prompt {name_of(newest)} the student agrees with the teacher on"
        f" {percent(found['rate'])} of the events ({interval(found)}, n = {count(found['n'])});"
        f" the lower bound must reach {exact_percent(floor)}{_told_apart(found['low'], floor)}."
    )
    return Check("agreement", found["low"] >= floor if enough else None, told, found["n"])


def _residual(simulation: Figures, target: float) -> Check:
    found = simulation["residual_disagreement"]
    if found["rate"] is None:
        told = "What the policy lets stand has no label, so nobody knows how much of it is wrong (n = 0)."
        return Check("residual", None, told, 0)
    if simulation["escalation"]["rate"] == 1:
        told = "The policy lets no event stand: nothing stays wrong, and the student carries nothing"
        return Check("residual", None, f"{told} (n = {count(found['n'])}).", found["n"])
    enough = found["n"] >= INSUFFICIENT and found["high"] is not None
    told = (
        f"Over all prompts the policy lets {percent(found['rate'])} of the events stand although they are wrong"
        f" ({interval(found)}, n = {count(found['n'])});"
        f" the upper bound may be {exact_percent(target)} at most{_told_apart(found['high'], target)}."
    )
    return Check("residual", found["high"] <= target if enough else None, told, found["n"])


def _told_apart(bound: float | None, limit: float) -> str:
    """The bound again, where rounding would hide on which side of the limit it lies."""
    hidden = bound is not None and bound != limit and percent(bound) == percent(limit)
    return f", and is {bound:.5%}" if hidden else ""


def _alarms(newest: str | None, monitor: Figures) -> Check:
    watched = next((each for each in monitor["hashes"] if each["system_prompt_hash"] == newest), None)
    labels = 0 if watched is None else watched["labels"]
    n = f"(n = {count(labels)} labels that speak)"
    if watched is None:
        return Check("alarms", None, f"No alarm can go off: nothing speaks of the newest prompt yet {n}.", labels)
    if monitor["floor"] is None:
        return Check("alarms", None, f"No alarm can go off: there is no floor yet {n}.", labels)
    if any(has_gone_off(watched[name]) for name in ALARMS):
        told = f"The alarm has gone off: agreement has fallen under the newest prompt {n}."
        return Check("alarms", False, told, labels)
    if watched["insufficient"]:
        told = f"No alarm under the newest prompt, but it has too few labels to tell {n}."
        return Check("alarms", None, told, labels)
    return Check("alarms", True, f"No alarm under the newest prompt {n}.", labels)


def has_gone_off(alarm: Figures | None) -> bool:
    """Whether an alarm of ``cascade monitor`` has gone off."""
    return alarm is not None and alarm["alarmed_at_label"] is not None


def _unknown(score: Figures, simulation: Figures, monitor: Figures) -> tuple[str, ...]:
    told = ["Whether the teacher is right: agreement takes its answer for the truth."]
    if monitor["teacher"] is None:
        told.append(
            "How far the teacher agrees with itself, which no student can pass (policy.teacher_twice_rate measures it)."
        )
    left_out = {"without a student's answer": score["not_asked"], "that cannot be read": score["bad_rows"]}
    left_out["whose teacher's answer cannot be read"] = score["unscorable"]
    missing = [f"{count(number)} {what}" for what, number in left_out.items() if number]
    if missing:
        told.append(f"Anything of the rows that were left out: {', '.join(missing)}.")
    if "logged_policy" in simulation:
        told.append("What the policy never let anybody see: this is a worker's log, weighed by its chances.")
    return (*told, "What the next prompt, the next model or other events will bring: only cascade monitor sees that.")

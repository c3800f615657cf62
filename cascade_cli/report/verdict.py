"""May the student carry the bulk? An answer in words, what it rests on, and what it does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cascade_cli.report.words import count, interval, name_of, percent
from cascade_cli.stats.estimates import INSUFFICIENT

Figures = Mapping[str, Any]
Answer = Literal["yes", "no", "unknown"]
FLOOR = 0.85
"""Agreement that is asked for where nobody says: a service level for the lower bound, in (0, 1)."""
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
        newest: hash of the newest dated trace.
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
    return Verdict(answer, _HEADLINES[answer], newest, checks, _unknown(score, simulation, monitor))


_HEADLINES: Mapping[Answer, str] = {
    "yes": "Yes: under this policy the student may carry the bulk.",
    "no": "No: the student may not carry the bulk as things stand.",
    "unknown": "Nobody can say yet: there is too little to decide by.",
}


def _answer(checks: Sequence[Check]) -> Answer:
    if any(check.passed is False for check in checks):
        return "no"
    return "yes" if all(check.passed for check in checks) else "unknown"


def _agreement(newest: str | None, score: Figures, floor: float) -> Check:
    group = next((each for each in score["groups"] if each["key"]["system_prompt_hash"] == newest), score["total"])
    found = group["agreement"]
    enough = found["n"] >= INSUFFICIENT and found["low"] is not None
    told = (
        f"Under the newest prompt {name_of(newest)} the student agrees with the teacher on"
        f" {percent(found['rate'])} of the events ({interval(found)}, n = {count(found['n'])});"
        f" the lower bound must reach {percent(floor)}."
    )
    return Check("agreement", found["low"] >= floor if enough else None, told, found["n"])


def _residual(simulation: Figures, target: float) -> Check:
    found = simulation["residual_disagreement"]
    enough = found["n"] >= INSUFFICIENT and found["high"] is not None
    told = (
        f"Over all prompts the policy lets {percent(found['rate'])} of the events stand although they are wrong"
        f" ({interval(found)}, n = {count(found['n'])}); the upper bound may be {percent(target)} at most."
    )
    return Check("residual", found["high"] <= target if enough else None, told, found["n"])


def _alarms(newest: str | None, monitor: Figures) -> Check:
    watched = next((each for each in monitor["hashes"] if each["system_prompt_hash"] == newest), None)
    labels = 0 if watched is None else watched["labels"]
    if watched is None or monitor["floor"] is None:
        return Check("alarms", None, "Nothing watches over the newest prompt: there is no floor yet.", labels)
    gone_off = [name for name in ("floor_alarm", "change_alarm") if has_gone_off(watched[name])]
    n = f"(n = {count(labels)} labels that speak)"
    if gone_off:
        return Check(
            "alarms", False, f"The alarm has gone off: agreement has fallen under the newest prompt {n}.", labels
        )
    if watched["insufficient"]:
        return Check(
            "alarms", None, f"No alarm under the newest prompt, but it has too few labels to tell {n}.", labels
        )
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

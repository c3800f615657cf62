"""What the answers are worth, at once: the figures of ``cascade score`` and ``cascade simulate``."""

from __future__ import annotations

from cascade_cli.config import STUDENT_MODEL, Settings
from cascade_cli.console import Console, Output, Result
from cascade_cli.shadow_run.asked import Shadow


def score_and_simulate(asked: Shadow, settings: Settings, console: Console) -> tuple[Result, Result]:
    """Agreement by prompt hash, and the configured policy, over the answers of this student."""
    from cascade_cli.policy_in_force import read_wanted
    from cascade_cli.scoring import Inquiry, PairSource, run_score
    from cascade_cli.simulate import Simulation, run_simulate

    pairs = PairSource(since=_since(asked), student_model=settings[STUDENT_MODEL])
    scored = run_score(Inquiry(pairs, ("system_prompt_hash",)), settings, console)
    return scored, run_simulate(Simulation(pairs, read_wanted(settings)), settings, console)


def agreement_note(asked: Shadow, settings: Settings) -> str:
    """Agreement by prompt hash in a line.

    Raises:
        CascadeError: nothing can be scored.
    """
    from cascade_cli.scoring import Inquiry, PairSource, run_score

    pairs = PairSource(since=_since(asked), student_model=settings[STUDENT_MODEL])
    data = run_score(Inquiry(pairs, ("system_prompt_hash",)), settings, Console(Output(quiet=True))).data
    assert isinstance(data, dict)  # noqa: S101 - scores of groups are nothing else
    return "agreement: " + ("; ".join(map(_of_group, data["groups"])) or "nothing to score yet")


def _since(asked: Shadow) -> str | None:
    return None if asked.since is None else asked.since.isoformat()


def _of_group(group: dict[str, dict[str, float | None]]) -> str:
    agreement = group["agreement"]
    rate, low, high = (agreement[name] for name in ("rate", "low", "high"))
    between = "" if low is None or high is None else f" ({low:.1%} to {high:.1%})"
    shown = "—" if rate is None else f"{rate:.1%}"
    return f"{group['key']['system_prompt_hash'] or 'no hash'} {shown}{between} of {group['scored']:,}"

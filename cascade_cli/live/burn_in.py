"""The sample rate in force while the teacher's prompt is new. No I/O.

The age of a prompt hash is counted where it is decided, from what the ledger held at the last look. What other workers
decide meanwhile is missing until the next one, so the age is never too high, and never is too little sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from cascade_cli.policy import RANDOM_SAMPLE, Decision, Policy, rate_at


@dataclass(slots=True)
class BurnIn:
    """Counts standing events.

    Attributes:
        policy: with its rate and the length of its burn-in.
    """

    policy: Policy
    _in_ledger: int = field(init=False, default=0)
    _since: int = field(init=False, default=0)

    @property
    def settled_at(self) -> int:
        """The age from which the rate is the policy's own; 0 without a burn-in."""
        policy = self.policy
        # At a rate of 0 it falls for ever: beyond this nothing would ever be sampled anyway.
        return int(policy.burn_in_events / (policy.sample_rate or Decimal("1e-6"))) + 1 if policy.burn_in_events else 0

    @property
    def rate(self) -> Decimal:
        """In force for the next decision."""
        return rate_at(self._in_ledger + self._since, self.policy.sample_rate, self.policy.burn_in_events)

    def looked(self, standing_events: int) -> None:
        """Take what the ledger holds now; what was decided here and is not written yet is counted again later."""
        self._since = max(0, self._since - (standing_events - self._in_ledger))
        self._in_ledger = standing_events

    def decided(self, decision: Decision) -> None:
        """Count one decision."""
        self._since += not set(decision.fired) - {RANDOM_SAMPLE}

"""What decides whether an event must go to the teacher: arithmetic only."""

from cascade_cli.policy.grounding import known_emails

__all__ = ["known_emails"]

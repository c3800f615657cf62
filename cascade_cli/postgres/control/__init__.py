"""The switch: who may write now, and who changed that."""

from cascade_cli.postgres.control.control import LONGEST_WAIT_S, Control, StillWritingError
from cascade_cli.postgres.control.records import UNREADABLE, Mode, Switch, Switched

__all__ = ["LONGEST_WAIT_S", "UNREADABLE", "Control", "Mode", "StillWritingError", "Switch", "Switched"]

"""What every command with an event loop needs: when to stop, what a signal does, blocking work beside it."""

from cascade_cli.event_loop.background import in_background
from cascade_cli.event_loop.interruption import at_once, signals_stop
from cascade_cli.event_loop.stopping import Stop

__all__ = ["Stop", "at_once", "in_background", "signals_stop"]

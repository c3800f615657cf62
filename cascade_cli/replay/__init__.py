"""The student asked about what it has not been asked yet, each answer safe the moment it arrives."""

from cascade_cli.replay.asking import ENDPOINT_GONE, Asking, Tally
from cascade_cli.replay.background import in_background
from cascade_cli.replay.pages import Wanted, pages_on_and_on, pages_once
from cascade_cli.replay.questions import Question, open_questions
from cascade_cli.replay.recording import Recorder, fold_everything
from cascade_cli.replay.stopping import Stop

__all__ = [
    "ENDPOINT_GONE",
    "Asking",
    "Question",
    "Recorder",
    "Stop",
    "Tally",
    "Wanted",
    "fold_everything",
    "in_background",
    "open_questions",
    "pages_on_and_on",
    "pages_once",
]

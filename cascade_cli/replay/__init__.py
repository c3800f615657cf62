"""The student asked about what it has not been asked yet, each answer safe the moment it arrives."""

from cascade_cli.replay.asking import ENDPOINT_GONE, Asking, Tally
from cascade_cli.replay.pages import Wanted, pages_on_and_on, pages_once
from cascade_cli.replay.questions import Question, open_questions
from cascade_cli.replay.recording import Recorder, fold_everything

__all__ = [
    "ENDPOINT_GONE",
    "Asking",
    "Question",
    "Recorder",
    "Tally",
    "Wanted",
    "fold_everything",
    "open_questions",
    "pages_on_and_on",
    "pages_once",
]

"""What a command says, and to whom: the result on standard output, everything else on standard error."""

from cascade_cli.console.output import Format, Output, chosen_format
from cascade_cli.console.progress import Advance
from cascade_cli.console.rendering import error_envelope, json_document, markdown_table, markdown_text
from cascade_cli.console.result import Column, Page, Record, Result, Table, Verbatim
from cascade_cli.console.streams import Console, discard, say, write_file, write_new_file
from cascade_cli.console.text import moment, prompt_hash, sanitize, sanitize_lines, shown

__all__ = [
    "Advance",
    "Column",
    "Console",
    "Format",
    "Output",
    "Page",
    "Record",
    "Result",
    "Table",
    "Verbatim",
    "chosen_format",
    "discard",
    "error_envelope",
    "json_document",
    "markdown_table",
    "markdown_text",
    "moment",
    "prompt_hash",
    "sanitize",
    "sanitize_lines",
    "say",
    "shown",
    "write_file",
    "write_new_file",
]

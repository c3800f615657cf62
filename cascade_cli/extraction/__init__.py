"""A model's raw text -> extraction. Pure, linear in the text, never an exception. See README.md."""

from cascade_cli.extraction.parsing import find_object, parse_extraction
from cascade_cli.extraction.repair import repair_extraction
from cascade_cli.extraction.schema import SECTIONS, check_schema

__all__ = ["SECTIONS", "check_schema", "find_object", "parse_extraction", "repair_extraction"]

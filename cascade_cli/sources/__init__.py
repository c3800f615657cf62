"""Traces and recorded pairs from files. See README.md."""

from cascade_cli.sources.files import read_rows

__all__ = ["read_rows"]

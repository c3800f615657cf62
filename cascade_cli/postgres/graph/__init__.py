"""The team's graph tables: rows from extractions, written in batches, and a note of what each write did."""

from cascade_cli.postgres.graph.checking import Unwritable, check_writable, unwritable
from cascade_cli.postgres.graph.mapping import GraphMapping, GraphTable, MergeAudit
from cascade_cli.postgres.graph.reading import GraphRows, GraphWrite, read_rows
from cascade_cli.postgres.graph.writing import Graph, Touched

__all__ = [
    "Graph",
    "GraphMapping",
    "GraphRows",
    "GraphTable",
    "GraphWrite",
    "MergeAudit",
    "Touched",
    "Unwritable",
    "check_writable",
    "read_rows",
    "unwritable",
]

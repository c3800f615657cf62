"""A look at a server for `cascade doctor`: reads figures and the catalogue, and changes nothing."""

from cascade_cli.postgres.inspection.graph import LONGEST_LOOK_S, GraphState, inspect_graph
from cascade_cli.postgres.inspection.server import (
    PulledTables,
    ServerState,
    TableState,
    inspect_server,
    inspect_tables,
)
from cascade_cli.postgres.inspection.work import LongLock, MissingPrivilege, WorkState, inspect_work

__all__ = [
    "LONGEST_LOOK_S",
    "GraphState",
    "LongLock",
    "MissingPrivilege",
    "PulledTables",
    "ServerState",
    "TableState",
    "WorkState",
    "inspect_graph",
    "inspect_server",
    "inspect_tables",
    "inspect_work",
]

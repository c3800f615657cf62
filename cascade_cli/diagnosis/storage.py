"""Storage parameters that suit how the worker writes: advice, with the statement to paste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cascade_cli.diagnosis.findings import Finding

GRAPH_ADVICE: Final = {
    # Rows grow by one event again and again: with room in their page, no index must learn of it.
    "fillfactor": "85",
    # A tenth of a large table is a long time of dead versions.
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_analyze_scale_factor": "0.02",
}
QUEUE_ADVICE: Final = {
    # Every event leaves several dead versions, over which each claim must step in the index of what is pending.
    "autovacuum_vacuum_scale_factor": "0.01",
    "autovacuum_vacuum_cost_delay": "0",
}


def storage(subject: str, table: str, parameters: Mapping[str, str], advice: Mapping[str, str]) -> Finding:
    """What is set, and what could be.

    Args:
        subject: what the table is called in the findings.
        table: its name, quoted.
        parameters: that are set; whoever set one has thought about it.
        advice: names and values.
    """
    told = ", ".join(f"{name} = {value}" for name, value in sorted(parameters.items())) or "as by default"
    missing = ", ".join(f"{name} = {value}" for name, value in advice.items() if name not in parameters)
    cure = f"Where there is much traffic: ALTER TABLE {table} SET ({missing});" if missing else ""
    return Finding(f"{subject} storage", "ok", told, cure)

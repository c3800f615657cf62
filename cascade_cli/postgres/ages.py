"""How old a prompt hash is: by it a new prompt is sampled more."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from cascade_cli.named_sql import read_named_sql
from cascade_cli.postgres.connection import compose
from cascade_cli.postgres.mapping import ColumnMapping
from cascade_cli.postgres.pool import Pool
from cascade_cli.postgres.source import LEDGER_TABLE

_QUERIES: Final = read_named_sql(files("cascade_cli.postgres") / "ages.sql")


def standing_events(pool: Pool, mapping: ColumnMapping, prompt_hash: str, most: int) -> int:
    """How many standing events the ledger has under a prompt hash, ``most`` at most.

    Raises:
        DependencyError: the server cannot be reached or refuses.
        UsageError: there is no ledger.
    """
    query = compose(_QUERIES["standing_events"], {"ledger": mapping.table(LEDGER_TABLE)})
    with pool.explained() as connection:
        ((count,),) = connection.execute(query, {"prompt_hash": prompt_hash, "most": most}).fetchall()
    return int(count)

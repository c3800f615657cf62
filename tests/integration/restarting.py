"""The embedded server stopped and started again, in the midst of whatever it does."""

from __future__ import annotations

from cascade_cli.postgres import EmbeddedPostgres, embedded


def restart(server: EmbeddedPostgres) -> None:
    """Stop the embedded server without mercy, and start it again."""
    data, log = server.folder / "data", server.folder / "log"
    embedded._run(server.programs / "pg_ctl", "--wait", "--mode=immediate", "--pgdata", data, "--log", log, "restart")

"""``cascade doctor``."""

from collections import Counter
from dataclasses import asdict

import typer

from cascade_cli.commands.declare import Session, command
from cascade_cli.console import Column, Result, Table, Verbatim

_COLUMNS = (
    Column("verdict", ""),
    Column("subject", "what"),
    Column("detail", "found"),
)


@command
def doctor(ctx: typer.Context) -> Result:
    """Check libraries, workspace and disk; database, switches and endpoints where they are configured.

    Each is ok, warn or fail, with the cure: of the database every table, privilege, index and lock that pulling and a
    worker need, and storage parameters as advice. Nothing is changed, no model is asked about anything. The exit status
    is 4 where a library, a disk, the database or an endpoint fails, 2 where the configuration does, and otherwise 0.

    Example:
      cascade doctor
      DATABASE_URL=postgresql://reader@db/mail cascade doctor --json
    """
    from cascade_cli.diagnosis import advice, diagnose, failure_of

    session: Session = ctx.obj
    findings = diagnose(session.settings())
    records = [asdict(finding) for finding in findings]
    counts = Counter(finding.verdict for finding in findings)
    summary = f"{counts['ok']} ok, {counts['warn']} warn, {counts['fail']} fail"
    data = {"checks": records, "counts": counts}
    blocks = (Table(_COLUMNS, records), Verbatim(advice(findings)), summary)
    return Result(data, blocks=tuple(block for block in blocks if block), failure=failure_of(findings))

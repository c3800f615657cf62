"""Settings: which source wins, what is refused, and that declaration, template and reading agree."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cascade_cli.config import (
    LIVE_ENABLED,
    POLICY_HIGH_VALUE_CATEGORIES,
    POLICY_SALT,
    POLICY_SAMPLE_RATE,
    POSTGRES_TRACES,
    POSTGRES_URL,
    SETTINGS,
    STUDENT_TIMEOUT_S,
    WORKSPACE_PATH,
    load_settings,
    template,
)
from cascade_cli.database_in_force import columns_in_force, graph_in_force, names_by_default
from cascade_cli.errors import UsageError
from cascade_cli.postgres import ColumnMapping
from cascade_cli.postgres.graph import GraphMapping
from cascade_cli.redaction import redact

CONTRACT = {
    "CASCADE_ENABLED", "CASCADE_KILL_FILE", "STUDENT_ENDPOINT", "STUDENT_API_KEY", "STUDENT_MODEL",
    "STUDENT_TIMEOUT_SEC", "STUDENT_MAX_TOKENS", "STUDENT_SAMPLE_RATE", "HIGH_VALUE_CATEGORIES", "VIP_ARENAS",
    "CASCADE_SALT", "LLM_ENDPOINT", "LLM_API_KEY", "LLM_MODEL", "TEACHER_SYSTEM_PROMPT_FILE", "MAX_ATTEMPTS",
    "EVENTS_PER_LLM_CALL", "CONCURRENT_LLM_CALLS", "DISTILL_TRACE_ENABLED", "DATABASE_URL", "CASCADE_WORKSPACE",
    "STUDENT_OUTAGE_HOLD", "MAX_ESCALATIONS_PER_MIN", "MAX_ESCALATION_BACKLOG", "CASCADE_DASHBOARD_TOKEN",
}  # fmt: skip


def test_every_environment_name_of_the_contract_is_a_setting_and_no_other() -> None:
    assert {setting.env for setting in SETTINGS} - {None} == CONTRACT


def test_flag_then_environment_then_cascade_toml_then_pyproject_then_default(tmp_path: Path) -> None:
    def salt(**layers: str | None) -> tuple[str, str]:
        settings = load_settings(
            {POLICY_SALT: layers.get("flag")},
            {"CASCADE_SALT": str(layers["env"])} if layers.get("env") else {},
            tmp_path,
        )
        return settings[POLICY_SALT], settings.origin(POLICY_SALT)

    assert salt() == ("cascade", "default")
    (tmp_path / "pyproject.toml").write_text('[tool.cascade.policy]\nsalt = "d"\n')
    assert salt() == ("d", f"{tmp_path / 'pyproject.toml'} [tool.cascade]")
    (tmp_path / "cascade.toml").write_text('[policy]\nsalt = "c"\n')
    assert salt() == ("c", str(tmp_path / "cascade.toml"))
    assert salt(env="b") == ("b", "environment CASCADE_SALT")
    assert salt(env="b", flag="a") == ("a", "command line")


def test_the_nearest_file_up_the_folders_is_read(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "cascade.toml").write_text('[policy]\nsalt = "far"\n')
    assert load_settings({}, {}, deep)[POLICY_SALT] == "far"
    (tmp_path / "a" / "cascade.toml").write_text('[policy]\nsalt = "near"\n')
    assert load_settings({}, {}, deep)[POLICY_SALT] == "near"


def test_a_pyproject_of_another_project_is_passed_over(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    deep.mkdir()
    (deep / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.ruff]\n")
    (tmp_path / "pyproject.toml").write_text('[tool.cascade.policy]\nsalt = "ours"\n')
    assert load_settings({}, {}, deep)[POLICY_SALT] == "ours"


def test_a_relative_path_is_meant_from_the_folder_of_its_file(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    deep.mkdir()
    (tmp_path / "cascade.toml").write_text('[workspace]\npath = "data"\n')
    assert load_settings({}, {}, deep)[WORKSPACE_PATH] == tmp_path / "data"
    assert load_settings({}, {"CASCADE_WORKSPACE": "data"}, deep)[WORKSPACE_PATH] == Path("data")


@pytest.mark.parametrize("text", ["true", "1", "yes", "on", "TRUE", " Yes "])
def test_words_for_true(text: str, tmp_path: Path) -> None:
    assert load_settings({}, {"CASCADE_ENABLED": text}, tmp_path)[LIVE_ENABLED] is True


@pytest.mark.parametrize("text", ["false", "0", "no", "off"])
def test_words_for_false(text: str, tmp_path: Path) -> None:
    assert load_settings({}, {"CASCADE_ENABLED": text}, tmp_path)[LIVE_ENABLED] is False


def test_a_rate_is_an_exact_decimal_from_everywhere(tmp_path: Path) -> None:
    (tmp_path / "cascade.toml").write_text("[policy]\nsample_rate = 0.1\n")
    assert load_settings({}, {}, tmp_path)[POLICY_SAMPLE_RATE] == Decimal("0.1")
    assert load_settings({}, {"STUDENT_SAMPLE_RATE": "0.07"}, tmp_path)[POLICY_SAMPLE_RATE] == Decimal("0.07")
    assert load_settings({POLICY_SAMPLE_RATE: "0.03"}, {}, tmp_path)[POLICY_SAMPLE_RATE] == Decimal("0.03")


def test_an_empty_variable_is_not_set_but_an_empty_list_is_empty(tmp_path: Path) -> None:
    settings = load_settings({}, {"CASCADE_SALT": "", "HIGH_VALUE_CATEGORIES": "", "VIP_ARENAS": "a, b,"}, tmp_path)
    assert settings[POLICY_SALT] == "cascade"
    assert settings[POLICY_HIGH_VALUE_CATEGORIES] == ()
    assert settings.origin(POLICY_HIGH_VALUE_CATEGORIES) == "environment HIGH_VALUE_CATEGORIES"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"STUDENT_TIMEOUT_SEC": "soon"}, "variable STUDENT_TIMEOUT_SEC must be a number of seconds above 0"),
        ({"STUDENT_TIMEOUT_SEC": "-1"}, "above 0"),
        ({"STUDENT_TIMEOUT_SEC": "nan"}, "above 0"),
        ({"STUDENT_SAMPLE_RATE": "1.5"}, "a number from 0 to 1"),
        ({"MAX_ATTEMPTS": "2.5"}, "a whole number from 1"),
        ({"MAX_ATTEMPTS": "0"}, "a whole number from 1"),
        ({"CASCADE_ENABLED": "maybe"}, "true or false"),
    ],
)
def test_a_bad_variable_is_named_with_what_it_must_be(
    environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        load_settings({}, environment, tmp_path)


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        (b"[polcy]\n", "unknown section [polcy]", "Did you mean policy?"),
        (b"[policy]\nsalr = 'x'\n", "unknown key salr in [policy]", "Did you mean salt?"),
        (b"[score]\nmin = 3\n", "unknown key min in [score]", "min_n"),
        (b"[policy]\nzzz = 1\n", "unknown key zzz", "Known here: "),
        (b"policy = 3\n", "policy must be a section", ""),
        (b"[policy]\nsalt = 3\n", "policy.salt in", ""),
        (b"[policy]\nsample_rate = true\n", "must be a number from 0 to 1", ""),
        (b"[policy]\nsample_rate = inf\n", "must be a number from 0 to 1", ""),
        (b"[policy]\nvip_arenas = 'a'\n", "must be a list of texts", ""),
        (b"[policy]\nvip_arenas = [1]\n", "must be a list of texts", ""),
        (b"[postgres]\ntraces = 'x'\n", "must be a table of texts", ""),
        (b"[live]\nenabled = 1\n", "must be true or false", ""),
        (b"[live]\nmax_attempts = '3'\n", "must be a whole number", ""),
        (b"[postgres]\nurl = 'postgresql://a:b@c/d'\n", "is a secret", "DATABASE_URL"),
        (b"[postgres]\nurl_file = 'absent'\n", "cannot be read", ""),
        (b"[policy\n", "not valid TOML", ""),
        (b"\xff\xfe[\x00", "not text in UTF-8", ""),
        (b"a = " + b"[" * 100_000, "nested too deeply", ""),
        (b"#" * 1_000_001, "over 1 MB", ""),
    ],
)
def test_a_bad_file_is_named_with_the_key_and_a_cure(toml: bytes, message: str, hint: str, tmp_path: Path) -> None:
    file = tmp_path / "cascade.toml"
    file.write_bytes(toml)
    with pytest.raises(UsageError) as caught:
        load_settings({}, {}, tmp_path)
    assert message in caught.value.message
    assert str(file) in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    (tmp_path / "cascade.toml").write_bytes(b"\xef\xbb\xbf[policy]\nsalt = 'x'\n")
    assert load_settings({}, {}, tmp_path)[POLICY_SALT] == "x"


@given(content=st.binary(max_size=200))
def test_no_content_of_a_file_ends_in_anything_but_a_usage_error(content: bytes, tmp_path_factory: object) -> None:
    folder = tmp_path_factory.mktemp("toml")  # type: ignore[attr-defined]
    (folder / "cascade.toml").write_bytes(content)
    with suppress(UsageError):
        load_settings({}, {}, folder)


def test_a_secret_is_never_among_what_may_be_shown(tmp_path: Path) -> None:
    settings = load_settings({}, {"DATABASE_URL": "postgresql://a:hunter2@c/d"}, tmp_path)
    assert settings[POSTGRES_URL] == "postgresql://a:hunter2@c/d"
    assert settings.without_secrets["postgres.url"] == "***"
    assert load_settings({}, {}, tmp_path).without_secrets["postgres.url"] is None


def test_the_template_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    (tmp_path / "cascade.toml").write_text(template())
    loaded, bare = load_settings({}, {}, tmp_path), load_settings({}, {}, tmp_path.parent)
    assert loaded.without_secrets == bare.without_secrets
    assert {found.origin for found in loaded.resolved.values()} == {"default"}


def test_the_template_uncommented_is_valid_and_says_the_defaults(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in template().splitlines()[4:]]
    (tmp_path / "cascade.toml").write_text(
        "\n".join(line for line in lines if "_file = " not in line or "prompt" in line)
    )
    settings = load_settings({}, {}, tmp_path)
    assert settings[STUDENT_TIMEOUT_S] == STUDENT_TIMEOUT_S.default
    for setting in SETTINGS:
        if setting is not WORKSPACE_PATH:
            assert settings[setting] == setting.default, setting.key
    assert settings.scoring["agreement_threshold"] == 0.8


def test_the_template_names_every_setting_with_its_variable() -> None:
    sections = tomllib.loads(template())
    for setting in SETTINGS:
        section, name = setting.key.split(".")
        assert section in sections
        assert re.search(rf"^# (\[{section}\.)?{name}(_file)?( = |\])", template(), re.MULTILINE), setting.key
        assert setting.env is None or setting.env in template()


def test_the_template_says_what_the_teams_tables_and_columns_are_called_by_default(tmp_path: Path) -> None:
    lines = [line.removeprefix("# ") for line in template(names_by_default()).splitlines()[4:]]
    (tmp_path / "cascade.toml").write_text("\n".join(line for line in lines if "_file = " not in line))
    settings = load_settings({}, {}, tmp_path)
    assert settings[POSTGRES_TRACES]["raw_response"] == "raw_response"
    assert columns_in_force(settings) == ColumnMapping()
    assert graph_in_force(settings) == GraphMapping()


def test_columns_are_mapped_in_tables_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "cascade.toml").write_text('[postgres.traces]\ntable = "answers"\nid = "trace_no"\n')
    assert load_settings({}, {}, tmp_path)[POSTGRES_TRACES] == {"table": "answers", "id": "trace_no"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://u:p@h:5/d alas", "at *** alas"),
        ("POSTGRES://u:p@h/d", "***"),
        ("http://user:pw@host/v1", "http://***@host/v1"),
        ("get https://h/v1?api-key=K1234&b=2 now?", "get https://h/v1?*** now?"),
        ("host=h password=hunter2 user=u", "host=h password=*** user=u"),
        ("password='two words' x", "password=*** x"),
        ("key SECRET-KEY here", "key *** here"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_connection_strings_and_passwords_are_masked(text: str, shown: str) -> None:
    assert redact(text, ["SECRET-KEY", "a"]) == shown


@pytest.mark.parametrize(
    ("variable", "most"),
    [("CONCURRENT_LLM_CALLS", 1_000), ("EVENTS_PER_LLM_CALL", 1_000)],
)
def test_a_number_that_would_take_the_machine_is_refused(variable: str, most: int) -> None:
    load_settings(environment={variable: str(most)})
    with pytest.raises(UsageError, match=f"a whole number from 1 to {most}"):
        load_settings(environment={variable: str(most + 1)})

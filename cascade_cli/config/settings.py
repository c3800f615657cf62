"""Every setting, declared once: reading them, ``cascade init`` and ``cascade config show`` are made from this."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from cascade_cli.config.kinds import AMOUNT, COLUMNS, FLAG, NAMES, PATH, RATE, SECONDS, TEXT, Kind, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False)
class Setting(Generic[V]):
    """One setting.

    Attributes:
        key: section and name in TOML, as in ``workspace.path``.
        kind: what may be written there.
        default: the value where nothing is; None when there is no sensible one.
        help: one sentence that tells what it does.
        env: the environment variable; None where there is none.
        secret: never written in TOML itself, only as the path of a file under ``<key>_file``; shown as ``***``.
    """

    key: str
    kind: Kind[V]
    default: V
    help: str
    env: str | None = None
    secret: bool = False


def _optional(kind: Kind[V]) -> Kind[V | None]:
    """Read the empty text, TOML's nearest to nothing, as None."""
    return Kind(kind.name, lambda raw: None if raw == "" else kind.read(raw), kind.from_text)


_OPTIONAL_TEXT = _optional(TEXT)
_OPTIONAL_PATH = _optional(PATH)
_OPTIONAL_AMOUNT = _optional(AMOUNT)
_OPTIONAL_COUNT = _optional(whole_number(0))
_OPTIONAL_PORT = _optional(whole_number(1, 65_535))
# Each of them is a connection, or a few megabytes: a slip of the hand must not take the machine.
_CALLS_AT_ONCE = whole_number(1, 1_000)

WORKSPACE_PATH = Setting(
    "workspace.path",
    PATH,
    Path(".cascade"),
    "The folder that keeps what was pulled and scored.",
    env="CASCADE_WORKSPACE",
)

POSTGRES_URL = Setting(
    "postgres.url",
    _OPTIONAL_TEXT,
    None,
    "Where the traces are: postgresql://user:password@host/database.",
    env="DATABASE_URL",
    secret=True,
)
POSTGRES_SCHEMA = Setting("postgres.schema", TEXT, "public", "The schema of the tables.")
POSTGRES_STATEMENT_TIMEOUT_S = Setting(
    "postgres.statement_timeout_s", SECONDS, 30.0, "The longest that one query may take."
)
POSTGRES_PREPARE = Setting(
    "postgres.prepare", FLAG, False, "Let the worker's statements be planned once; not through pgbouncer."
)
POSTGRES_OVERLAP_S = Setting(
    "postgres.overlap_s", SECONDS, 900.0, "How far each pull reads back, for rows that were committed late."
)
POSTGRES_TRACES: Setting[Mapping[str, str]] = Setting(
    "postgres.traces", COLUMNS, {}, "The table of traces: our names of it and of its columns, then yours."
)
POSTGRES_EVENTS: Setting[Mapping[str, str]] = Setting("postgres.events", COLUMNS, {}, "The same for the events.")
POSTGRES_QUEUE: Setting[Mapping[str, str]] = Setting("postgres.queue", COLUMNS, {}, "The same for the queue.")
POSTGRES_ENTITIES: Setting[Mapping[str, str]] = Setting(
    "postgres.entities",
    COLUMNS,
    {},
    "The same for the entities; key: the columns that conflict; merges: your audit of merged rows, if there is one.",
)
POSTGRES_FACTS: Setting[Mapping[str, str]] = Setting("postgres.facts", COLUMNS, {}, "The same for the facts.")
POSTGRES_RELATIONSHIPS: Setting[Mapping[str, str]] = Setting(
    "postgres.relationships", COLUMNS, {}, "The same for the relationships."
)

SCORE_CLUSTER_BY = Setting(
    "score.cluster_by", _OPTIONAL_TEXT, None, "The column whose equal values are not independent, as a thread's."
)
SCORE_MIN_N = Setting("score.min_n", whole_number(1), 1, "Fewer scored events than this is exit status 5.")

POLICY_SAMPLE_RATE = Setting(
    "policy.sample_rate",
    RATE,
    Decimal("0.05"),
    "The share of events that the teacher sees anyway.",
    env="STUDENT_SAMPLE_RATE",
)
POLICY_HIGH_VALUE_CATEGORIES = Setting(
    "policy.high_value_categories",
    NAMES,
    ("decision", "commitment"),
    "Fact categories that go to the teacher, * for every one; a miss of one that is named is critical in scoring.",
    env="HIGH_VALUE_CATEGORIES",
)
POLICY_VIP_ARENAS: Setting[tuple[str, ...]] = Setting(
    "policy.vip_arenas", NAMES, (), "Arenas that always go to the teacher.", env="VIP_ARENAS"
)
POLICY_VERIFIER_THRESHOLD: Setting[Decimal | None] = Setting(
    "policy.verifier_threshold", _optional(RATE), None, "A verifier's score above it goes to the teacher."
)
POLICY_BURN_IN_EVENTS = Setting(
    "policy.burn_in_events", whole_number(0), 0, "So many standing events of a new prompt hash are all sampled."
)
POLICY_TEACHER_TWICE_RATE = Setting(
    "policy.teacher_twice_rate", RATE, Decimal(0), "The share of events about which the teacher is asked twice."
)
POLICY_SALT = Setting("policy.salt", TEXT, "cascade", "Another salt samples other events.", env="CASCADE_SALT")

COST_TEACHER_INPUT_USD = Setting(
    "cost.teacher_input_usd", _OPTIONAL_AMOUNT, None, "Dollars for a million tokens that the teacher reads."
)
COST_TEACHER_OUTPUT_USD = Setting(
    "cost.teacher_output_usd", _OPTIONAL_AMOUNT, None, "Dollars for a million tokens that the teacher writes."
)
COST_STUDENT_INPUT_USD = Setting(
    "cost.student_input_usd", _OPTIONAL_AMOUNT, None, "Dollars for a million tokens that the student reads."
)
COST_STUDENT_OUTPUT_USD = Setting(
    "cost.student_output_usd", _OPTIONAL_AMOUNT, None, "Dollars for a million tokens that the student writes."
)
COST_TEACHER_PROMPT_TOKENS = Setting(
    "cost.teacher_prompt_tokens", AMOUNT, 0.0, "Tokens of the system prompt that each teacher call carries."
)

COST_STUDENT_USD_PER_HOUR = Setting(
    "cost.student_usd_per_hour", _OPTIONAL_AMOUNT, None, "Dollars for an hour of the student, which is always on."
)

FLEET_BOOT_S = Setting("fleet.boot_s", AMOUNT, 240.0, "Seconds from starting a teacher replica until it serves.")
FLEET_COOLDOWN_S = Setting("fleet.cooldown_s", AMOUNT, 300.0, "Seconds that an idle replica waits before it stops.")
FLEET_MAX_REPLICAS = Setting("fleet.max_replicas", whole_number(1), 4, "The most replicas at the same time.")
FLEET_TARGET_QUEUE = Setting(
    "fleet.target_queue", whole_number(1), 50, "Waiting events a replica before another one is started."
)
FLEET_USD_PER_HOUR = Setting(
    "fleet.usd_per_hour", _OPTIONAL_AMOUNT, None, "Dollars for an hour of a teacher replica, boots and idling included."
)

STUDENT_ENDPOINT = Setting(
    "student.endpoint", _OPTIONAL_TEXT, None, "The student's OpenAI-compatible address.", env="STUDENT_ENDPOINT"
)
STUDENT_API_KEY = Setting(
    "student.api_key", _OPTIONAL_TEXT, None, "The student's key.", env="STUDENT_API_KEY", secret=True
)
STUDENT_MODEL = Setting("student.model", TEXT, "nuextract-2.0-4b-ft", "The student's name.", env="STUDENT_MODEL")
STUDENT_TIMEOUT_S = Setting(
    "student.timeout_s", SECONDS, 60.0, "The longest that one answer may take.", env="STUDENT_TIMEOUT_SEC"
)
STUDENT_MAX_TOKENS = Setting(
    "student.max_tokens", whole_number(1), 768, "The longest answer, in tokens.", env="STUDENT_MAX_TOKENS"
)
STUDENT_TEMPLATE_FILE = Setting(
    "student.template_file", _OPTIONAL_PATH, None, "Builds the student's prompt instead of the traces' own blocks."
)
STUDENT_CONCURRENCY = Setting("student.concurrency", _CALLS_AT_ONCE, 8, "Student calls at the same time.")
STUDENT_TEMPERATURE = Setting("student.temperature", AMOUNT, 0.7, "Of the samples after the first, which has 0.")
STUDENT_LOGPROBS = Setting("student.logprobs", FLAG, False, "Ask for the probabilities of the tokens.")
STUDENT_DEADLINE_S = Setting(
    "student.deadline_s", SECONDS, 180.0, "The longest that all tries for one answer may take together."
)
STUDENT_TRIES = Setting(
    "student.tries", whole_number(1), 4, "Requests for one answer; those refused for want of room do not count."
)
STUDENT_MAX_ANSWER_BYTES = Setting(
    "student.max_answer_bytes", whole_number(1), 8 * 1024 * 1024, "A longer answer is an error."
)
STUDENT_MAX_PROMPT_CHARS = Setting(
    "student.max_prompt_chars", whole_number(1), 200_000, "A longer prompt is not sent and counts as an error."
)
STUDENT_TRAINED_PROMPT_HASHES: Setting[tuple[str, ...]] = Setting(
    "student.trained_prompt_hashes", NAMES, (), "The teacher prompts whose answers the student was trained on."
)

TEACHER_ENDPOINT = Setting(
    "teacher.endpoint", _OPTIONAL_TEXT, None, "The teacher's OpenAI-compatible address.", env="LLM_ENDPOINT"
)
TEACHER_API_KEY = Setting("teacher.api_key", _OPTIONAL_TEXT, None, "The teacher's key.", env="LLM_API_KEY", secret=True)
TEACHER_MODEL = Setting("teacher.model", _OPTIONAL_TEXT, None, "The teacher's name.", env="LLM_MODEL")
TEACHER_SYSTEM_PROMPT_FILE = Setting(
    "teacher.system_prompt_file",
    _OPTIONAL_PATH,
    None,
    "The file with the teacher's system prompt.",
    env="TEACHER_SYSTEM_PROMPT_FILE",
)
TEACHER_EVENTS_PER_CALL = Setting(
    "teacher.events_per_call", whole_number(1, 1_000), 10, "Events in one teacher call.", env="EVENTS_PER_LLM_CALL"
)
TEACHER_CONCURRENT_CALLS = Setting(
    "teacher.concurrent_calls", _CALLS_AT_ONCE, 4, "Teacher calls at the same time.", env="CONCURRENT_LLM_CALLS"
)

TEACHER_TIMEOUT_S = Setting("teacher.timeout_s", SECONDS, 300.0, "The longest that one teacher call may take.")
TEACHER_DEADLINE_S = Setting(
    "teacher.deadline_s", SECONDS, 600.0, "The longest that all tries of one teacher call may take together."
)
TEACHER_TRIES = Setting(
    "teacher.tries", whole_number(1), 2, "Requests for one answer; those refused for want of room do not count."
)
TEACHER_MAX_TOKENS: Setting[int | None] = Setting(
    "teacher.max_tokens", _OPTIONAL_COUNT, None, "The longest answer about one event, in tokens."
)

LIVE_ENABLED = Setting(
    "live.enabled", FLAG, False, "Without it the worker never asks the student.", env="CASCADE_ENABLED"
)
LIVE_KILL_FILE = Setting(
    "live.kill_file", _OPTIONAL_PATH, None, "While this file exists, the student is off.", env="CASCADE_KILL_FILE"
)
LIVE_MAX_ATTEMPTS = Setting(
    "live.max_attempts", whole_number(1), 3, "Tries before an event counts as failed.", env="MAX_ATTEMPTS"
)
LIVE_TRACE_ENABLED = Setting(
    "live.trace_enabled", FLAG, True, "Record teacher answers as traces.", env="DISTILL_TRACE_ENABLED"
)

LIVE_BATCH = Setting(
    "live.batch", whole_number(1, 10_000), 100, "Events that one worker holds for the student at a time, at most."
)
LIVE_LEASE_S = Setting("live.lease_s", SECONDS, 120.0, "How long an event stays with a worker that has died.")
LIVE_POLL_S = Setting("live.poll_s", SECONDS, 1.0, "The longest pause between two looks into an empty queue.")
LIVE_STOP_S = Setting("live.stop_s", SECONDS, 30.0, "How long a worker that is to stop waits for open answers.")
LIVE_OUTAGE_HOLD_S = Setting(
    "live.outage_hold_s",
    AMOUNT,
    900.0,
    "How long events wait for a student that is away before the teacher gets them.",
    env="STUDENT_OUTAGE_HOLD",
)
LIVE_MAX_ESCALATIONS_PER_MIN: Setting[int | None] = Setting(
    "live.max_escalations_per_min",
    _OPTIONAL_COUNT,
    None,
    "So many events a minute go to the teacher and no more, over all workers of one command. Nothing means twice what "
    "cascade simulate found for this policy in the workspace, or no ceiling where it found nothing.",
    env="MAX_ESCALATIONS_PER_MIN",
)
LIVE_MAX_ESCALATION_BACKLOG: Setting[int | None] = Setting(
    "live.max_escalation_backlog",
    _OPTIONAL_COUNT,
    None,
    "When so many events wait for the teacher, the student gets no more either.",
    env="MAX_ESCALATION_BACKLOG",
)
LIVE_NEVER_STUDENT_CLASSES: Setting[tuple[str, ...]] = Setting(
    "live.never_student_classes", NAMES, (), "Disclosure classes that the student never sees."
)
LIVE_NEVER_STUDENT_ARENAS: Setting[tuple[str, ...]] = Setting(
    "live.never_student_arenas", NAMES, (), "Arenas that the student never sees."
)
LIVE_MOST_PARSE_FAILURES = Setting(
    "live.most_parse_failures", RATE, Decimal("0.1"), "A larger share of unusable answers takes the flip away."
)
LIVE_MOST_UNGROUNDED = Setting(
    "live.most_ungrounded", RATE, Decimal("0.05"), "A larger share of made-up addresses takes the flip away."
)
LIVE_METRICS_PORT: Setting[int | None] = Setting(
    "live.metrics_port", _OPTIONAL_PORT, None, "Where metrics and health are served; nothing serves none."
)
LIVE_METRICS_HOST = Setting(
    "live.metrics_host",
    TEXT,
    "127.0.0.1",
    "The address at which they are: any other than loopback shows them to whoever reaches it.",
)

DASHBOARD_TOKEN = Setting(
    "dashboard.token",
    _OPTIONAL_TEXT,
    None,
    "What every request to the dashboard must carry; off loopback one is made where none is set.",
    env="CASCADE_DASHBOARD_TOKEN",
    secret=True,
)

SETTINGS: tuple[Setting[object], ...] = tuple(
    declared for declared in list(globals().values()) if isinstance(declared, Setting)
)
# Keys of this section that are not declared above are fields of scorers.ScoringConfig, and checked by it.
OPEN_SECTION = "score"
# High-value categories are the policy's too, and said once for both; the exact rule is a preset.
_SCORING_FIELDS_ELSEWHERE = frozenset({"high_value_categories", "official_exact"})


def scoring_fields() -> dict[str, object]:
    """Return the fields of the scorers' configuration with their defaults."""
    from scorers import ScoringConfig

    defaults = ScoringConfig()
    names = {field.name for field in fields(ScoringConfig)} - _SCORING_FIELDS_ELSEWHERE
    return {name: getattr(defaults, name) for name in sorted(names)}

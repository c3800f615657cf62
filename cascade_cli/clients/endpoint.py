"""Where an endpoint is, and what every request to it carries."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from cascade_cli.errors import UsageError
from cascade_cli.redaction import redact

_LONGEST_ID = 1_000
_CHAT = "/chat/completions"
_AT_HINT = "Leave them out of the address; a key goes into STUDENT_API_KEY or LLM_API_KEY."
_KEY_HINT = "See what STUDENT_API_KEY, or the file of student.api_key_file, really holds."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible endpoint.

    Attributes:
        url: as configured; where its path is empty or ends in ``/v1`` the path of chat completions is added.
        model: the name that is asked for.
        api_key: None sends none; never shown.
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise UsageError(f"{self.shown} is no address of an endpoint.", hint="It begins with http:// or https://.")
        if "@" in urlsplit(self.url).netloc:
            raise UsageError(f"{self.shown} holds a user or a password, which would not be sent.", hint=_AT_HINT)
        # Such a key could not be sent, and the refusal of whoever tried would quote it.
        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise UsageError("The key holds a line break or another character that no key has.", hint=_KEY_HINT)

    @property
    def chat_url(self) -> str:
        """Where questions are posted."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/")
        if path and not path.endswith("/v1"):
            return self.url
        return parts._replace(path=f"{path}{_CHAT}").geturl()

    @property
    def models_url(self) -> str | None:
        """Where the endpoint lists its models; None for an address of another shape."""
        parts = urlsplit(self.chat_url)
        base = parts.path.removesuffix(_CHAT)
        return None if base == parts.path else parts._replace(path=f"{base}/models").geturl()

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where no proxy should come between."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def shown(self) -> str:
        """The address as it may be shown."""
        return redact(self.url)

    def headers(self, event_id: str | None = None) -> dict[str, str]:
        """Of every request; the event's id is percent-encoded, for headers hold ASCII alone."""
        sent = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self.api_key:
            sent |= {"Authorization": f"Bearer {self.api_key}", "X-API-Key": self.api_key}
        if event_id is not None:
            sent["X-Event-Id"] = quote(event_id.encode("utf-8", "replace"), safe="")[:_LONGEST_ID]
        return sent


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what finds a bad one.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False

"""Who may ask: this machine, or whoever has the token; under which names; from which pages.

On loopback the danger is another web page in the same browser. It cannot read answers of another origin, unless it
makes its own name resolve to 127.0.0.1 (DNS rebinding): so the name that was asked for must be one of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from socket import gethostname
from urllib.parse import urlsplit

_LOOPBACK_NAME = "localhost"
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named, not listened on


@dataclass(frozen=True, slots=True)
class Access:
    """What a request must have.

    Attributes:
        host: the address that is listened on, as given.
        port: likewise.
        token: which every request must carry; None where this machine alone can ask.
        made: whether the token was made here, so that nobody knows it yet; a configured one is a secret.
    """

    host: str
    port: int
    token: str | None = None
    made: bool = False

    @property
    def url(self) -> str:
        """Where the pages are, with the token where nobody knows it yet."""
        # On every address at once the name of this machine is one that others can ask for.
        host = gethostname() if self.host in _EVERY_ADDRESS else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={self.token}" if self.made else "")

    @property
    def cookie(self) -> str:
        """The name under which a browser keeps the token: cookies do not tell ports apart."""
        return f"cascade_token_{self.port}"

    def knows_host(self, header: str) -> bool:
        """Whether a ``Host`` is one under which nobody else's page could be shown.

        The port may be another one, as behind a tunnel.
        """
        name = _name_of(header)
        if name is None or is_loopback(self.host):
            return name is not None and is_loopback(name)
        # Names have no case, and a browser writes them small.
        return _is_address(name) or name in {self.host.lower(), gethostname().lower(), _LOOPBACK_NAME}

    def knows_token(self, given: str | None) -> bool:
        """Whether the token is the right one; compared in constant time."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as only it sees itself."""
    return host == _LOOPBACK_NAME or (_is_address(host) and ip_address(host).is_loopback)


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a request comes from one of our own pages, or from no page at all."""
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _name_of(header: str) -> str | None:
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True

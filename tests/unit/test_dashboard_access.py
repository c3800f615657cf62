"""Under which names a dashboard is known, and what it takes for one of its own pages."""

from __future__ import annotations

import pytest

from cascade_cli.dashboard import access
from cascade_cli.dashboard.access import Access, is_same_origin


@pytest.mark.parametrize(
    "name", ["Build-7", "build-7", "BUILD-7:80", "Tower.example", "localhost", "10.0.0.1", "[::1]"]
)
def test_off_loopback_its_names_are_known_in_whatever_case(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "gethostname", lambda: "Tower.example")
    assert Access("Build-7", 8765, "t" * 16).knows_host(name)


@pytest.mark.parametrize("name", ["", "evil.example", "build-7.evil.example", "[::1", "tower"])
def test_off_loopback_no_other_name_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "gethostname", lambda: "Tower.example")
    assert not Access("Build-7", 8765, "t" * 16).knows_host(name)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "Tower.example"),  # noqa: S104 - nobody listens
        ("::", "Tower.example"),
        ("::1", "[::1]"),
        ("10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_address_is_one_that_whoever_may_ask_can_open(
    host: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "gethostname", lambda: "Tower.example")
    assert Access(host, 80, "t" * 16).url == f"http://{shown}:80/"
    assert Access(host, 80, "t" * 16, made=True).url == f"http://{shown}:80/?token={'t' * 16}"


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        (None, True),
        ("http://127.0.0.1:8765", True),
        ("https://127.0.0.1:8765", True),
        ("http://127.0.0.1:80", False),
        ("http://[", False),
        ("null", False),
        ("", False),
    ],
)
def test_only_its_own_pages_and_no_page_at_all_are_of_the_same_origin(origin: str | None, *, own: bool) -> None:
    headers = {"host": "127.0.0.1:8765"} | ({} if origin is None else {"origin": origin})
    assert is_same_origin(headers) is own

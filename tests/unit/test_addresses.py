"""Where channels may post: public addresses, resolved once; others only where a setting names their network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from imagewatch.aws.channels.addresses import is_public, resolve
from imagewatch.errors import ChannelRefused, Unavailable

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",  # noqa: S104
    "169.254.169.254", "169.254.170.2", "198.18.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1",
    "::ffff:169.254.169.254", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a9fe:a9fe",
]  # fmt: skip


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Host name -> the addresses that it resolves to."""
    known: dict[str, list[str]] = {}

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.delenv("CHANNEL_NETWORKS", raising=False)
    return known


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(names: dict[str, list[str]], address: str) -> None:
    assert is_public(address)
    names["hooks.example.com"] = [address]
    target = resolve("https://hooks.example.com/in?a=1")
    assert (target.host, target.port, target.path, list(target.addresses)) == ("hooks.example.com", 443, "/in?a=1", [address])


@pytest.mark.parametrize("address", PRIVATE)
def test_other_addresses_are_refused_over_https_too(names: dict[str, list[str]], address: str) -> None:
    assert not is_public(address)
    names["inside.example.com"] = [address]
    with pytest.raises(ChannelRefused, match="not a public https:// address"):
        resolve("https://inside.example.com/")


def test_one_forbidden_address_among_others_is_enough(names: dict[str, list[str]]) -> None:
    names["mixed.example.com"] = ["93.184.216.34", "169.254.169.254"]
    with pytest.raises(ChannelRefused):
        resolve("https://mixed.example.com/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"])
def test_plain_http_even_to_this_machine_takes_a_setting(
    names: dict[str, list[str]], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.update({"127.0.0.1": ["127.0.0.1"], "::1": ["::1"], "localhost": ["127.0.0.1"]})
    with pytest.raises(ChannelRefused, match="Use https://"):
        resolve(url)
    monkeypatch.setenv("CHANNEL_NETWORKS", "127.0.0.0/8, ::1/128")
    assert resolve(url).is_encrypted is False


def test_a_network_that_the_setting_names_takes_https_and_no_plain_http(
    names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["inside.example.com"] = ["10.1.2.3"]
    monkeypatch.setenv("CHANNEL_NETWORKS", "10.0.0.0/8")
    assert resolve("https://inside.example.com/").addresses == ["10.1.2.3"]
    with pytest.raises(ChannelRefused, match="Use https://"):
        resolve("http://inside.example.com/")


def test_a_name_that_does_not_resolve_is_retried(names: dict[str, list[str]]) -> None:
    with pytest.raises(Unavailable, match=r"nowhere\.example\.com could not be reached"):
        resolve("https://nowhere.example.com/")


def test_the_template_permits_the_public_internet_only() -> None:
    assert "CHANNEL_NETWORKS" not in (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")

"""Which network addresses a channel may post to. The name is resolved once, and the connection goes to the addresses found here.

Only public addresses are allowed. Every user who may add a channel chooses a webhook's address. Lambda would otherwise post to
link-local addresses (169.254.0.0/16 and fe80::/10, where credentials and metadata are served), to the function's own loopback
interface, and to private networks. Functions that are attached to a VPC, and the local stack, name the networks that they need in
the setting CHANNEL_NETWORKS. template.yaml does not set it.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from imagewatch.aws.settings import optional_setting
from imagewatch.errors import ChannelRefused, Unavailable

_PLAIN = "The address at {} begins with http://, so that everyone on the way can read messages. Use https://."
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True)
class Target:
    """Where a request goes: a URL in parts, and the addresses that its host had when it was resolved."""

    is_encrypted: bool
    host: str
    port: int
    path: str
    """With the query."""
    addresses: Sequence[str]


def resolve(url: str) -> Target:
    """Resolves the host of a URL. Raises ChannelRefused for an address that may not be used, Unavailable for an unknown host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if not host or parts.username is not None or parts.scheme not in ("http", "https"):
        raise ChannelRefused("The channel's address is not an https:// address. Configure it with `imagewatch channels add`.")
    is_encrypted = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    networks = [ip_network(text.strip()) for text in optional_setting("CHANNEL_NETWORKS").split(",") if text.strip()]
    if not is_encrypted and not networks:
        raise ChannelRefused(_PLAIN.format(host))
    port = port or (443 if is_encrypted else 80)
    target = Target(is_encrypted, host, port, path, _lookup(host, port))
    _refuse_forbidden(target, networks)
    return target


def is_public(address: str) -> bool:
    """Whether the address belongs to the public internet, also as an IPv4 address that is written as IPv6."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped or found in _NAT64:
            return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
        tunnelled = [found.sixtofour, *(found.teredo or ())]
        if not all(is_public(str(each)) for each in tunnelled if each):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _lookup(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise ChannelRefused("The channel's https:// address has an invalid host name.") from error
    except OSError as error:
        raise Unavailable(f"{host} could not be reached: its name was not resolved ({type(error).__name__}).") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _refuse_forbidden(target: Target, networks: Sequence[IPv4Network | IPv6Network]) -> None:
    """Raises ChannelRefused if any of the host's addresses may not be used."""
    for address in target.addresses:
        found = ip_address(address.partition("%")[0])
        is_permitted = any(found in network for network in networks)
        if not target.is_encrypted and not (is_permitted and found.is_loopback):
            raise ChannelRefused(_PLAIN.format(target.host))
        if not is_permitted and not is_public(address):
            raise ChannelRefused(f"The address at {target.host} is not a public https:// address. Channels can't use it.")

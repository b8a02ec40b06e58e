"""Addresses of sources: what a declared URL, host or private network may look like.

This is the check when a fact is read; the client checks again what the name resolves to before it connects.
Private ranges: RFC 1918, RFC 6598 (carrier NAT), RFC 4193 (unique local), loopback of RFC 1122 and RFC 4291. Link-local
(cloud metadata), multicast and unspecified addresses are in none of them, so that no source can be given them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128",
    )
)  # fmt: skip
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def network_trouble(text: str) -> str | None:
    """Say why a text is no private network; None when it is one."""
    try:
        network = ip_network(text)
    except ValueError as error:
        return f"network {text!r} cannot be read: {error}"
    for private in PRIVATE:
        if network.version == private.version and network.subnet_of(private):  # type: ignore[arg-type]
            return None
    return f"network {text!r} is not private; allowed are parts of {', '.join(map(str, PRIVATE))}"


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host that is an address in any spelling a resolver takes; None for a name.

    Examples
    --------
    >>> [str(literal(host)) for host in ("0x7f000001", "2130706433", "127.1", "0177.0.0.1", "::ffff:127.0.0.1")]
    ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1']
    >>> literal("data.example.cn") is None
    True
    """
    bare = host.rstrip(".")
    try:
        found = ip_address(bare.partition("%")[0])
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(bare)) if bare.isascii() and not re.search(r"\s", bare) else None
        except OSError:
            return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def host_trouble(host: str, networks: Iterable[str]) -> str | None:
    """Say why a host cannot be named; None when it can."""
    address = literal(host)
    if address is not None:
        inside = (ip_network(text) for text in networks)
        if any(address.version == network.version and address in network for network in inside):
            return None
        return (
            f"host {host!r} is the address {address}, which is in none of 'networks'; name the server by its host name"
        )
    if not _HOST.fullmatch(host) or len(host) > 253:
        return f"host {host!r} is no host name; a Chinese name is written in its xn-- form"
    return None


def url_trouble(text: str, networks: tuple[str, ...]) -> str | None:
    """Say why a URL cannot be a source; None when it can."""
    if re.search(r"[\x00-\x20\x7f\\]", text):
        return f"url {text!r} holds a blank, a control character or a backslash"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        return f"url {text!r} cannot be read: {error}"
    if parts.scheme != "https" and not (parts.scheme == "http" and networks):
        return f"url {text!r} is not https; plain http is taken only toward private 'networks'"
    if "@" in parts.netloc:
        return "url holds a user or password before '@'; use 'credentials', the name of a secret"
    if "#" in text:
        return f"url {text!r} has a fragment (#…), which is never sent"
    if not parts.hostname:
        return f"url {text!r} has no host"
    return host_trouble(parts.hostname, networks)

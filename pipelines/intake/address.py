"""Where a client may go: an address is read by one parser, and what its name resolves to is judged before connecting.

Names are cheap to forge and addresses have many spellings (``http://0x7f000001`` is this machine), so the check that
counts is the one on the numbers that come out of the resolver. Whoever connects uses those numbers and asks no second
time. Link-local addresses (cloud metadata), multicast and the unspecified address are never allowed; IPv4 hidden in
IPv6 (mapped, NAT64, 6to4, Teredo) is judged as the IPv4 address it is.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from pipelines.errors import AddressRefused, Unreachable
from schemas.web import literal, url_trouble

Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")
PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts that may be named, and the private networks they may lie in."""

    hosts: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, url: str, hosts: tuple[str, ...] = (), networks: tuple[str, ...] = ()) -> Reach:
        """Reach of a declared source: its own host, those named beside it, its networks."""
        own = urlsplit(url).hostname or ""
        return cls(frozenset(plain_name(name) for name in (own, *hosts)), tuple(ip_network(text) for text in networks))


@dataclass(frozen=True, slots=True)
class Url:
    """An address that may be asked for."""

    text: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two addresses share when they lie on one server."""
        return self.scheme, self.host, self.port


def plain_name(host: str) -> str:
    """Fold a host name: lower case, without the final dot and the brackets of IPv6."""
    return host.strip("[]").rstrip(".").lower()


def read_url(text: str, reach: Reach) -> Url:
    """Read an address, or say why it may not be asked for.

    Raises
    ------
    AddressRefused
        ``url-refused``: not https (nor http toward a private network), user or fragment in it, or another host.

    Examples
    --------
    >>> reach = Reach(frozenset({"data.example.cn"}))
    >>> read_url("https://Data.Example.cn/air/", reach).origin
    ('https', 'data.example.cn', 443)
    >>> read_url("https://data.example.cn@evil.example/air/", reach)  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    AddressRefused: …
    """
    trouble = url_trouble(text, tuple(str(network) for network in reach.networks))
    if trouble is not None:
        # what stands before '@' or after '?' may be a key and is not repeated
        shown = trouble if not {"@", "?"} & set(text) else "not https, no good host, or with user, blank or fragment"
        raise AddressRefused(
            "url-refused",
            "网址不能使用：须是 https（仅 networks 内可用 http），主机名有效，不含用户名、密码、空白与“#”；请修改来源声明",
            f"the address cannot be used: {shown}",
        )
    parts = urlsplit(text)
    host, port = plain_name(parts.hostname or ""), parts.port or PORTS[parts.scheme]
    if host not in reach.hosts:
        raise AddressRefused(
            "url-refused",
            f"主机 {host} 不在该来源允许的主机之列（{'、'.join(sorted(reach.hosts))}）；确需访问请写入声明的 hosts",
            f"host {host} is not one of this source ({', '.join(sorted(reach.hosts))}); add it to hosts if it is right",
        )
    return Url(text, parts.scheme, host, port)


def resolve(host: str, port: int, reach: Reach, *, plain: bool = False) -> list[str]:
    """Give the addresses of a host, all of them checked; the caller connects to these and asks no second time.

    Raises
    ------
    AddressRefused
        One of them is not public and in none of the networks; ``plain`` (no TLS) takes those of the networks only.
    Unreachable
        ``dns``: the name has no address now.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            "dns",
            f"主机名 {host} 解析失败（{error}）；请检查 DNS 与来源声明中的主机名",
            f"the name {host} cannot be resolved ({error}); check the DNS and the declared host",
            transient=True,
        ) from error
    found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    for text in found:
        _check(text, host, reach, plain)
    return found


def _check(text: str, host: str, reach: Reach, plain: bool) -> None:
    """Refuse an address that this source may not reach."""
    address = _bare(text)
    inside = any(address.version == network.version and address in network for network in reach.networks)
    never = address.is_link_local or address.is_multicast or address.is_unspecified or "%" in text
    if not never and (inside or (address.is_global and not plain)):
        return
    shown = host if literal(host) is not None else f"{host}（{text}）"
    raise AddressRefused(
        "address-refused",
        f"主机 {shown} 的地址不允许访问：既非公网地址，也不在声明的 networks 内"
        + ("（不加密的 http 只可访问 networks 内的地址）" if plain else "")
        + "；确属内网来源请声明网段，否则请检查 DNS 是否被劫持",
        f"{host} is at {text}, which this source may not reach: "
        + ("plain http goes to its networks only" if plain else "not public, and in none of its networks"),
    )


def _bare(text: str) -> Address:
    """Read an address; IPv4 hidden in IPv6 comes out as IPv4."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    hidden = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if hidden is None and address in NAT64:
        hidden = IPv4Address(int(address) & 0xFFFFFFFF)
    return hidden or address

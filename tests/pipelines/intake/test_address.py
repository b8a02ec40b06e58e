"""Which addresses a client may go to, by their text and by what they resolve to."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import AddressRefused, Unreachable
from pipelines.intake.address import Reach, read_url, resolve

OPEN = Reach(frozenset({"data.example.cn"}))
LOCAL = Reach(frozenset({"127.0.0.1", "::1", "localhost"}), (ip_network("127.0.0.0/8"), ip_network("::1/128")))


def loose(*hosts: str, networks: tuple[str, ...] = ()) -> Reach:
    return Reach(frozenset(hosts), tuple(ip_network(text) for text in networks))


def test_an_address_is_split_once_and_folded():
    url = read_url("https://DATA.example.cn.:8443/air/?day=2026-04-08", OPEN)
    assert url.origin == ("https", "data.example.cn", 8443)


@pytest.mark.parametrize(
    "text",
    [
        "http://data.example.cn/",
        "ftp://data.example.cn/",
        "file:///etc/passwd",
        "https://good@data.example.cn/",
        "https://data.example.cn@evil.example/",
        "https://user:pass@data.example.cn/",
        "https://data.example.cn/#part",
        "https://data.example.cn\\@evil.example/",
        "https://data.example.cn /",
        "https://data.example.cn/\r\nHost: evil.example",
        "https://evil.example/",
        "https://data.example.cn.evil.example/",
        "https://data.example.cn:99999/",
        "https://data.example.cn:x/",
        "https://",
        "//data.example.cn/",
        "data.example.cn",
        "",
    ],
)
def test_an_address_that_is_no_plain_https_address_of_the_source_is_refused(text):
    with pytest.raises(AddressRefused) as refused:
        read_url(text, OPEN)
    assert refused.value.code == "url-refused"
    assert refused.value.message and refused.value.message_en
    assert "user:pass" not in str(refused.value)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254",
     "[::ffff:169.254.169.254]", "0.0.0.0", "10.0.0.1", "192.168.1.1"],
)  # fmt: skip
def test_this_machine_and_private_numbers_are_refused_in_every_spelling(host):
    with pytest.raises(AddressRefused):
        read_url(f"https://{host}/latest/meta-data/", loose(host.strip("[]")))
    with pytest.raises(AddressRefused) as refused:
        resolve(host.strip("[]"), 443, loose(host.strip("[]")))
    assert refused.value.code == "address-refused"


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "::ffff:169.254.169.254"],
)
def test_metadata_multicast_and_nowhere_are_refused_even_inside_a_declared_network(host):
    everywhere = loose(host, networks=("0.0.0.0/0", "::/0"))
    with pytest.raises(AddressRefused):
        resolve(host, 443, everywhere)


@pytest.mark.parametrize("host", ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::ffff:10.0.0.1"])
def test_ipv4_hidden_in_ipv6_is_judged_as_what_it_is(host):
    with pytest.raises(AddressRefused):
        resolve(host, 443, loose(host))


def test_public_addresses_are_reached_over_tls_only():
    assert resolve("93.184.216.34", 443, loose()) == ["93.184.216.34"]
    assert resolve("2606:4700::1111", 443, loose()) == ["2606:4700::1111"]
    with pytest.raises(AddressRefused, match="http"):
        resolve("93.184.216.34", 80, loose(), plain=True)


def test_a_declared_network_is_reached_with_and_without_tls():
    inside = loose("10.1.2.3", networks=("10.1.0.0/16",))
    assert resolve("10.1.2.3", 80, inside, plain=True) == ["10.1.2.3"]
    with pytest.raises(AddressRefused):
        resolve("10.2.0.1", 443, inside)


def test_a_name_is_judged_by_what_it_resolves_to():
    assert resolve("localhost", 80, LOCAL, plain=True)
    with pytest.raises(AddressRefused) as refused:
        resolve("localhost", 443, loose("localhost"))
    assert refused.value.code == "address-refused" and "localhost" in refused.value.message


def test_one_bad_address_among_good_ones_refuses_the_name(monkeypatch):
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    with pytest.raises(AddressRefused):
        resolve("data.example.cn", 443, OPEN)


def test_a_name_that_does_not_resolve_may_do_so_later():
    with pytest.raises(Unreachable) as error:
        resolve("nowhere.invalid", 443, OPEN)
    assert error.value.code == "dns" and error.value.transient and "nowhere.invalid" in error.value.message


def test_the_reach_of_a_source_is_its_own_host_and_those_declared():
    reach = Reach.of("https://[::1]:8080/x", ("Files.Example.cn.",), ("10.0.0.0/8",))
    assert reach.hosts == {"::1", "files.example.cn"}
    assert reach.networks == (ip_network("10.0.0.0/8"),)


@given(st.ip_addresses(v=4))
def test_without_networks_only_public_numbers_pass(address):
    try:
        resolve(str(address), 443, loose())
    except AddressRefused:
        assert not address.is_global or address.is_multicast
    else:
        assert address.is_global and not address.is_multicast

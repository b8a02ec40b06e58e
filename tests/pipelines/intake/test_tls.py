"""TLS toward a partner: what is wrong with a certificate is said in words a bureau can act upon."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from pipelines.errors import Unreachable
from pipelines.intake.fetch import certificate_ends
from pipelines.intake.tls import tls_context
from tests.partner import Partner, server_context
from tests.partner.behaviours import answer, document, head, raw

CSV = b"a,b\n" * 100
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority, tmp_path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def fails(one, url: str, code: str, words: str) -> Unreachable:
    began = time.monotonic()
    with pytest.raises(Unreachable) as error:
        one.get(url)
    assert error.value.code == code and words in error.value.message, error.value
    assert time.monotonic() - began < 5 and error.value.message_en
    assert len(one.exchanges) <= 1 and not error.value.transient
    return error.value


def test_a_server_of_the_declared_authority_is_believed(authority, ca, client):
    with Partner(server_context(authority.issue_cert("localhost")), name="localhost") as partner:
        partner.script("/a.csv", document(CSV))
        one = client(ca=ca)
        assert one.get(partner.url("/a.csv")).bytes == len(CSV)
        assert one.get(partner.url("/a.csv")).bytes == len(CSV)
        assert partner.connections == 1 and partner.requests[0].header("host") == f"localhost:{partner.port}"


def test_a_certificate_for_an_address_is_believed(authority, ca, client):
    with Partner(server_context(authority.issue_cert("127.0.0.1"))) as partner:
        partner.script("/a.csv", document(CSV))
        assert client(ca=ca).get(partner.url("/a.csv")).bytes == len(CSV)


def test_an_unknown_authority_is_told(authority, client):
    with Partner(server_context(authority.issue_cert("127.0.0.1"))) as partner:
        fails(client(), partner.url("/"), "tls", "ca")
        assert not partner.requests, "nothing is sent to a server that is not believed"


def test_a_self_signed_certificate_is_told(client, tmp_path):
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.private_key_pem.write_to_path(tmp_path / "own.pem")
    own.cert_pem.write_to_path(tmp_path / "own.pem", append=True)
    context.load_cert_chain(tmp_path / "own.pem")
    with Partner(context) as partner:
        fails(client(), partner.url("/"), "tls", "自签名")


def test_a_certificate_for_another_host_is_told(authority, ca, client):
    with Partner(server_context(authority.issue_cert("other.example.cn")), name="localhost") as partner:
        fails(client(ca=ca), partner.url("/"), "tls", "主机名不符")
    with Partner(server_context(authority.issue_cert("other.example.cn"))) as partner:
        fails(client(ca=ca), partner.url("/"), "tls", "IP 地址")


def test_an_expired_server_certificate_is_told(authority, ca, client):
    old = authority.issue_cert("127.0.0.1", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=1))
    with Partner(server_context(old)) as partner:
        fails(client(ca=ca), partner.url("/"), "certificate-expired", "服务器证书已过期")
    early = authority.issue_cert("127.0.0.1", not_before=NOW + timedelta(days=1), not_after=NOW + timedelta(days=9))
    with Partner(server_context(early)) as partner:
        fails(client(ca=ca), partner.url("/"), "certificate-expired", "尚未生效")


def issued(authority: trustme.CA, path: Path, **when: datetime) -> Path:
    authority.issue_cert("gongzhi@example.cn", **when).private_key_and_cert_chain_pem.write_to_path(path)
    return path


def test_our_certificate_is_shown_where_it_is_wanted(authority, ca, client, tmp_path):
    context = server_context(authority.issue_cert("127.0.0.1"), wants=authority)
    with Partner(context) as partner:
        partner.script("/a.csv", document(CSV))
        one = client(ca=ca, certificate=issued(authority, tmp_path / "own.pem"))
        assert one.get(partner.url("/a.csv")).bytes == len(CSV)


def test_our_certificate_missing_is_told(authority, ca, client):
    with Partner(server_context(authority.issue_cert("127.0.0.1"), wants=authority)) as partner:
        fails(client(ca=ca), partner.url("/"), "tls", "客户端证书")


def test_our_certificate_of_a_strange_authority_is_told(authority, ca, client, tmp_path):
    with Partner(server_context(authority.issue_cert("127.0.0.1"), wants=authority)) as partner:
        strange = issued(trustme.CA(), tmp_path / "own.pem")
        fails(client(ca=ca, certificate=strange), partner.url("/"), "tls", "客户端证书")


def test_our_expired_certificate_is_told_before_and_after_asking(authority, ca, client, tmp_path):
    """The second client's clock is wrong; then it is the server that says so."""
    old = issued(authority, tmp_path / "own.pem", not_before=NOW - timedelta(9), not_after=NOW - timedelta(1))
    with Partner(server_context(authority.issue_cert("127.0.0.1"), wants=authority)) as partner:
        error = fails(client(ca=ca, certificate=old), partner.url("/"), "certificate-expired", "own.pem")
        assert f"{NOW - timedelta(1):%Y-%m-%d}" in error.message and partner.connections == 0
        slow = client(ca=ca, certificate=old, clock=lambda: NOW - timedelta(days=5))
        fails(slow, partner.url("/"), "certificate-expired", "客户端证书")


def test_the_end_of_a_certificate_is_read(authority, tmp_path):
    end = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert certificate_ends(issued(authority, tmp_path / "own.pem", not_before=NOW, not_after=end)) == end
    (tmp_path / "junk.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for name in ("junk.pem", "missing.pem"):
        with pytest.raises(Unreachable, match=name):
            certificate_ends(tmp_path / name)


def test_files_that_cannot_be_read_are_told_with_their_names(client, tmp_path):
    (tmp_path / "junk.pem").write_text("junk")
    for name in ("junk.pem", "missing.pem"):
        fails(client(ca=tmp_path / name), "https://127.0.0.1:9/", "tls", name)


def test_settings_are_made_once_until_a_file_changes(ca):
    first = tls_context(ca, None, "a.example.cn")
    assert tls_context(ca, None, "b.example.cn") is first
    os.utime(ca, (1, 1))
    assert tls_context(ca, None, "a.example.cn") is not first
    assert first.verify_mode is ssl.CERT_REQUIRED and first.check_hostname


def test_plain_http_on_the_port_of_tls_is_told(partner, client):
    partner.script("*", raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def speak() -> None:
            sock, _ = listener.accept()
            sock.recv(100)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            sock.close()

        thread = threading.Thread(target=speak)
        thread.start()
        fails(client(), f"https://127.0.0.1:{listener.getsockname()[1]}/", "tls", "握手失败")
        thread.join()


def test_an_end_without_the_goodbye_of_tls_does_not_count_as_the_end(authority, ca, client):
    """No length is declared: whoever cuts the line could cut the file."""

    def ragged(talk) -> None:
        talk.send(head(Content_Type="text/csv") + CSV)
        talk.notes["ragged"] = True
        talk.close()

    with Partner(server_context(authority.issue_cert("127.0.0.1"))) as partner:
        partner.script("/a.csv", ragged)
        partner.script("/b.csv", raw(head(Content_Type="text/csv") + CSV))
        one = client(ca=ca, attempts=2)
        with pytest.raises(Unreachable) as error:
            one.get(partner.url("/a.csv"))
        assert error.value.code == "reset"
        assert one.get(partner.url("/b.csv")).bytes == len(CSV)


def test_bytes_after_the_end_are_noticed_within_tls(authority, ca, client):
    from pipelines.errors import BadAnswer

    with Partner(server_context(authority.issue_cert("127.0.0.1"))) as partner:
        partner.script("/a.csv", answer(CSV + b"more", Content_Length=len(CSV)))
        with pytest.raises(BadAnswer) as error:
            client(ca=ca).get(partner.url("/a.csv"))
        assert error.value.code == "trailing-bytes"


def test_no_connection_is_left_open(authority, ca, client):
    with Partner(server_context(authority.issue_cert("127.0.0.1"), wants=authority)) as partner:
        with pytest.raises(Unreachable):
            client(ca=ca).get(partner.url("/"))
    gc.collect()  # an open socket would warn here, and warnings are errors

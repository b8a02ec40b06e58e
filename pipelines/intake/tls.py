"""TLS toward a bureau's server: the settings, and words for what a certificate lacks.

Verification is never switched off. OpenSSL's reasons are turned into what a bureau can do: renew, complete the chain,
declare its own root in ``ca``. Settings are made once for a pair of files and again when a file changes.
"""

from __future__ import annotations

import _ssl
import ssl
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pipelines.errors import Unreachable

_VERIFY = {
    9: (
        "certificate-expired",
        "服务器证书尚未生效，请核对双方时钟",
        "its certificate is not valid yet: check both clocks",
    ),
    10: ("certificate-expired", "服务器证书已过期，请对方更换证书", "its certificate has expired: they must renew it"),
    18: ("tls", "服务器证书是自签名的；自建证书请把根证书写入声明的 ca", "its certificate is self-signed: declare ca"),
    19: ("tls", "证书链以未受信任的自签名根证书结尾，请写入声明的 ca", "its chain ends in an unknown root: declare ca"),
    20: (
        "tls",
        "证书由未知机构签发或证书链不完整，请对方补全或声明 ca",
        "its issuer is unknown or the chain incomplete",
    ),
    21: ("tls", "证书链不完整，请对方补全", "its chain is incomplete"),
    62: ("tls", "服务器证书上的主机名不符，请核对网址", "its certificate is for another host name"),
    64: ("tls", "服务器证书上没有这个 IP 地址，请改用主机名", "its certificate does not name this address"),
}
"""Verify codes of OpenSSL (x509_vfy.h) that have words of their own."""


def unreachable(code: str, host: str, words: str, words_en: str) -> Unreachable:
    """Give the error of a server that does not answer now; it is tried again."""
    return Unreachable(
        code,
        f"{host}：{words}；将自动重试，若持续出现请联系对方或检查网络",
        f"{host}: {words_en}; tried again by itself, ask the sender if it goes on",
        transient=True,
    )


def tls_trouble(error: ssl.SSLError, host: str) -> Unreachable:
    """Say what is wrong with TLS, in words a bureau can act upon; nothing of it is tried again but a cut."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLEOFError) or "EOF" in reason:
        return unreachable("reset", host, "TLS 连接被对方中断", "the TLS connection was cut")
    if isinstance(error, ssl.SSLCertVerificationError):
        plain = (
            "tls",
            f"服务器证书无法验证（{error.verify_message}）",
            f"its certificate fails: {error.verify_message}",
        )
        code, words, words_en = _VERIFY.get(error.verify_code, plain)
    elif "ALERT_CERTIFICATE_EXPIRED" in reason:
        code, words = "certificate-expired", "对方认为我方客户端证书已过期，请更换声明的 certificate 文件"
        words_en = "they say our client certificate has expired: replace it"
    elif "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        code, words = "tls", f"对方不接受或要求我方客户端证书（{reason}），请核对声明的 certificate"
        words_en = f"they do not accept our client certificate, or want one ({reason})"
    else:
        code, words, words_en = "tls", f"TLS 握手失败（{reason}），请核对端口与协议", f"TLS failed: {reason}"
    return Unreachable(code, f"{host}：{words}", f"{host}: {words_en}")


def tls_context(ca: Path | None, certificate: Path | None, host: str) -> ssl.SSLContext:
    """Give the TLS settings of a pair of files; made once (20 ms) as long as the files stay the same."""
    try:
        return _context(ca, certificate, *(path and path.stat().st_mtime_ns for path in (ca, certificate)))
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(
            "tls",
            f"{host}：证书文件无法读取（ca={ca and ca.name}，certificate={certificate and certificate.name}）：{error}",
            f"{host}: the certificate files cannot be read: {error}",
        ) from error


@lru_cache(maxsize=64)
def _context(ca: Path | None, certificate: Path | None, *_stamps: int | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["http/1.1"])
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


def certificate_ends(path: Path) -> datetime:
    """Give the instant at which the first certificate of a PEM file expires."""
    # the standard library reads a certificate of a file only here; cryptography belongs to the records
    try:
        written = _ssl._test_decode_cert(path)["notAfter"]  # type: ignore[attr-defined]
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(written), UTC)
    except (OSError, ssl.SSLError, KeyError, ValueError) as error:
        raise Unreachable(
            "tls",
            f"客户端证书 {path.name} 无法读取：{error}",
            f"client certificate {path.name} cannot be read: {error}",
        ) from error

"""Who is told of an alarm, and how: the channels declared in ``notify.toml`` of a home.

One ``[[channels]]`` each. The channel ``log`` is always there, so that no alarm is ever told to nobody. What is secret
(the address of a robot holds its key, a mail password) is named here and kept elsewhere (``docs/settings.md``). A
malformed channel is given back as a fault, the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.blocks import Block, line_in_block
from schemas.files import MalformedFact, read_toml
from schemas.web import network_trouble

KINDS = ("log", "smtp", "wecom", "dingtalk", "webhook")
LEAST = ("warning", "error")
TLS = ("starttls", "tls", "none")
_EVERY = frozenset({"name", "kind", "bureaus", "least"})
_KEYS = {
    "log": _EVERY,
    "smtp": _EVERY | {"host", "port", "tls", "from", "to", "credentials", "ca"},
    "wecom": _EVERY | {"credentials", "networks", "ca"},
    "dingtalk": _EVERY | {"credentials", "sign", "networks", "ca"},
    "webhook": _EVERY | {"credentials", "networks", "ca"},
}
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to tell somebody."""

    name: str
    kind: str
    bureaus: tuple[str, ...] = ()
    """Only alarms of these bureaus (and those of the exchange itself); none named is all."""
    least: str = "warning"
    credentials: str = ""
    """Name of a secret: user and password for ``smtp``, the whole address as token for a robot."""
    sign: str = ""
    """Name of the secret whose token signs what goes to DingTalk."""
    networks: tuple[str, ...] = ()
    ca: Path | None = None
    host: str = ""
    port: int = 0
    tls: str = "starttls"
    sender: str = ""
    to: tuple[str, ...] = ()


LOG = Channel("log", "log")


def read_channels(file: Path) -> tuple[tuple[Channel, ...], tuple[MalformedFact, ...]]:
    """Give the channels of a ``notify.toml``, the log first, and what is wrong with the others."""
    if not file.exists():
        return (LOG,), ()
    try:
        raw = read_toml(file)
    except MalformedFact as fault:
        return (LOG,), (fault,)
    found, faults = {LOG.name: LOG}, []
    if unknown := sorted(raw.keys() - {"channels"}):
        faults.append(MalformedFact(file, 1, f"unknown key {unknown[0]!r}; known: channels"))
    blocks = raw.get("channels", [])
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return (LOG,), (*faults, MalformedFact(file, 1, "each channel stands under [[channels]]"))
    for number, block in enumerate(blocks):
        try:
            channel = _read_channel(file, number, block)
            if channel.name in found:
                raise MalformedFact(file, line_in_block(file, "channels", number, "name"), "this name stands twice")
            found[channel.name] = channel
        except MalformedFact as fault:
            faults.append(fault)
    return tuple(found.values()), tuple(faults)


def _read_channel(file: Path, number: int, raw: Any) -> Channel:
    def fail(key: str, reason: str) -> MalformedFact:
        return MalformedFact(file, line_in_block(file, "channels", number, key), reason)

    block = Block(raw, fail)
    kind = block.one_of("kind", KINDS)
    if leaked := block.raw.keys() & {"token", "password", "secret", "url", "key"}:
        raise fail(min(leaked), "a secret does not stand here; put it into secrets.toml and name it as 'credentials'")
    block.only(_KEYS[kind])
    networks = block.texts("networks")
    for text in networks:
        if trouble := network_trouble(text):
            raise fail("networks", trouble)
    tls, mail = block.one_of("tls", TLS, "starttls"), kind == "smtp"
    if mail and not block.texts("to"):
        raise fail("to", "'to' names nobody")
    if tls == "none" and block.text("credentials", ""):
        raise fail("tls", "a password is not sent in the clear; use starttls or tls")
    ca = block.text("ca", "")
    return Channel(
        name=block.text("name"),
        kind=kind,
        bureaus=block.texts("bureaus"),
        least=block.one_of("least", LEAST, "warning"),
        credentials=block.text("credentials", None if kind in ("wecom", "dingtalk", "webhook") else ""),
        sign=block.text("sign", ""),
        networks=networks,
        ca=file.parent / ca if ca else None,
        host=block.text("host") if mail else "",
        port=block.whole("port", 1, 65535) or _PORTS[tls],
        tls=tls,
        sender=block.text("from") if mail else "",
        to=block.texts("to"),
    )

"""Keys of sources: how one is sent, and how it is kept out of records, errors and logs."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.errors import NotAllowed
from pipelines.intake.answers import joined

HIDDEN = "***"
SHORTEST = 4
"""Shorter secrets are not searched for in texts: they would hide half of every message."""

_SECRET_NAME = r"token|key|secret|password|passwd|pwd|sign|auth|credential|session"
_SECRET_QUERY = re.compile(rf"(?i)([?&;][^=&;#]*(?:{_SECRET_NAME})[^=&;#]*=)[^&#]*")
_SECRET_HEADER = re.compile(rf"(?i){_SECRET_NAME}|cookie")


@dataclass(frozen=True, slots=True)
class Secret:
    """A key or a user with password; never shown."""

    token: str = field(default="", repr=False)
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def pair(self) -> str:
        """User and password as ``Authorization: Basic`` carries them."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def hidden(self) -> tuple[str, ...]:
        """The texts that must never be shown."""
        texts = (self.token, self.password, self.pair if self.password else "")
        return tuple(text for text in texts if len(text) >= SHORTEST)


def key_header(auth: str, secret: Secret, host: str) -> dict[str, str]:
    """Give the header that carries a key: ``bearer``, ``basic`` or ``header:NAME``; none for ``""``."""
    kind, _, name = auth.partition(":")
    if not kind:
        return {}
    given, header, value = {
        "basic": (secret.user and secret.password, "authorization", f"Basic {secret.pair}"),
        "header": (secret.token, name.lower(), secret.token),
    }.get(kind, (secret.token, "authorization", f"Bearer {secret.token}"))
    if not given or not all("\x20" <= char <= "\x7e" for char in value):
        raise NotAllowed(
            "unauthorised",
            f"访问 {host} 所需的密钥没有提供，或含有不能发送的字符；请检查密钥设置",
            f"the secret for {host} is not set, or holds characters that cannot be sent",
        )
    return {header: value}


def mask(text: str, secrets: Sequence[str]) -> str:
    """Hide the values of telling query parameters, and our own secrets wherever they stand."""
    text = _SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", text)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def mask_headers(headers: Sequence[tuple[str, str]], secrets: Sequence[str]) -> dict[str, str]:
    """Give headers fit to be kept: lower-case names, repeated ones joined, cookies and keys hidden."""
    return joined([(name, HIDDEN if _SECRET_HEADER.search(name) else mask(value, secrets)) for name, value in headers])

"""The one place where a text is sealed: AES-256-GCM (NIST SP 800-38D) with a fresh nonce of 96 bits.

``bound_to`` says whose the text is and which field it stands in; it is authenticated with it, so that a sealed text
moved to another person or field does not open. The keys are the caller's business, see ``expert_registry/privacy/vault.py``.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class Sealer:
    """One key at work."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._cipher = AESGCM(key)

    def seal(self, clear: bytes, bound_to: bytes) -> bytes:
        """Give the nonce and what is sealed with it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, clear, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes | None:
        """Give the clear bytes, None where the seal does not fit."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            return None

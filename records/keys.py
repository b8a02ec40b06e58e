"""Signing keys, and the signing of small documents.

Ed25519 (RFC 8032) by default, one file per key, readable by its owner only; old keys stay, so that what they
signed can still be verified. SM2 (GB/T 32918) is not in ``cryptography``; where it is required an external
command signs and verifies (``openssl pkeyutl``, or the tool of a hardware module), see :class:`CommandSigner`.

A signed document is a JSON object; what is signed is its canonical JSON without ``signature``.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from records.chain import canonical
from records.errors import KeyTrouble

HEX = re.compile(r"(?:[0-9a-f]{2})+")
Verifier = Callable[[str, bytes, bytes], bool]
"""Takes public key, message, signature."""


class Signer(Protocol):
    """Whoever can sign: a key of ours, or a command."""

    @property
    def algorithm(self) -> str:
        """``Ed25519`` or ``SM2``."""

    @property
    def key_id(self) -> str:
        """Short name of the key, made from it."""

    @property
    def public_key(self) -> str:
        """The public key as text."""

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What checking a signature found."""

    valid: bool
    trusted: bool
    reason_zh: str = ""
    reason_en: str = ""


def key_id_of(public_key: str) -> str:
    """Make the short name of a public key."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:16]


class SigningKey:
    """An Ed25519 key in memory."""

    algorithm = "Ed25519"

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        self.key_id = key_id_of(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Sign a message."""
        return self._private.sign(message)


class KeyRing:
    """The keys folder of a home: ``<id>.pem`` (private), ``<id>.pub`` and ``current``, the name of the one in use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path, *, create: bool = False) -> KeyRing:
        """Open the folder; with ``create`` make it and a first key where there is none."""
        ring = cls(folder)
        if not (folder / "current").exists():
            if not create:
                raise KeyTrouble(
                    f"{folder} 中没有签名密钥，请先运行 gongzhi init",
                    f"there is no signing key in {folder}; run gongzhi init first",
                )
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            ring._make(replace=False)
        return ring

    def rotate(self) -> SigningKey:
        """Make a new key and use it from now on; the old one still verifies."""
        self._make(replace=True)
        return self.current()

    def current(self) -> SigningKey:
        """Load the key in use.

        Raises
        ------
        KeyTrouble
            The file is missing, damaged, of another key, or readable by others.
        """
        name = (self.folder / "current").read_text("ascii").strip()
        path = self.folder / f"{name}.pem"
        if os.name == "posix" and path.exists() and path.stat().st_mode & 0o077:
            raise KeyTrouble(
                f"私钥文件 {path} 可被他人读取，请执行 chmod 600",
                f"the private key {path} can be read by others; chmod it to 600",
            )
        try:
            private = load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise KeyTrouble(f"无法读取私钥 {path}：{error}", f"cannot read the private key {path}: {error}") from error
        if not isinstance(private, Ed25519PrivateKey) or SigningKey(private).key_id != name:
            raise KeyTrouble(f"{path} 不是密钥 {name}", f"{path} is not the key {name}")
        return SigningKey(private)

    def public_keys(self) -> dict[str, str]:
        """List all public keys of this home, old ones too, by key id."""
        return {path.stem: path.read_text("ascii").strip() for path in sorted(self.folder.glob("*.pub"))}

    def _make(self, *, replace: bool) -> None:
        private = Ed25519PrivateKey.generate()
        key = SigningKey(private)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(self.folder / f"{key.key_id}.pem", pem, 0o600)
        _write(self.folder / f"{key.key_id}.pub", key.public_key.encode() + b"\n", 0o644)
        draft = self.folder / f".current.{secrets.token_hex(4)}"
        _write(draft, key.key_id.encode() + b"\n", 0o644)
        try:
            if replace:
                os.replace(draft, self.folder / "current")
            else:
                os.link(draft, self.folder / "current")  # fails where another process was first
        except FileExistsError:
            (self.folder / f"{key.key_id}.pem").unlink()
            (self.folder / f"{key.key_id}.pub").unlink()
        finally:
            draft.unlink(missing_ok=True)


def _write(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


class CommandSigner:
    """Signs by an external command: the message on its stdin, the signature (bytes) on its stdout.

    For SM2 with OpenSSL 3: ``openssl pkeyutl -sign -inkey sm2.pem -rawin -digest sm3 -pkeyopt
    distid:1234567812345678 -in /dev/stdin``; ``public_key`` is the public key in PEM.
    """

    def __init__(self, command: Sequence[str], public_key: str, algorithm: str = "SM2", seconds: float = 10) -> None:
        self.command = list(command)
        self.public_key = public_key
        self.algorithm = algorithm
        self.key_id = key_id_of(public_key)
        self.seconds = seconds

    def sign(self, message: bytes) -> bytes:
        """Run the command; a failure is a :class:`KeyTrouble` with what it said."""
        try:
            done = subprocess.run(self.command, input=message, capture_output=True, timeout=self.seconds)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KeyTrouble(f"签名命令未能运行：{error}", f"the signing command did not run: {error}") from error
        if done.returncode or not done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise KeyTrouble(f"签名命令失败：{said}", f"the signing command failed: {said}")
        return done.stdout


class CommandVerifier:
    """Verifies by an external command, exit code 0 for a good signature; the message is on its stdin.

    ``{public}`` and ``{signature}`` in the command become the paths of files with the public key and the signature.
    """

    def __init__(self, command: Sequence[str], seconds: float = 10) -> None:
        self.command = list(command)
        self.seconds = seconds

    def __call__(self, public_key: str, message: bytes, signature: bytes) -> bool:
        """Run the command."""
        with tempfile.TemporaryDirectory() as folder:
            public, signed = Path(folder, "public"), Path(folder, "signature")
            public.write_text(public_key, "utf-8")
            signed.write_bytes(signature)
            places = {"{public}": str(public), "{signature}": str(signed)}
            command = [places.get(word, word) for word in self.command]
            return subprocess.run(command, input=message, capture_output=True, timeout=self.seconds).returncode == 0


def sign_document(document: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """Give the document with algorithm, key and signature."""
    body = {
        **document,
        "algorithm": signer.algorithm,
        "key_id": signer.key_id,
        "public_key": signer.public_key,
    }
    return {**body, "signature": signer.sign(canonical(body).encode()).hex()}


def check_signature(
    document: Mapping[str, Any],
    trusted_keys: Mapping[str, str] | None = None,
    verifiers: Mapping[str, Verifier] | None = None,
) -> SignatureCheck:
    """Check the signature of a document, off line.

    Parameters
    ----------
    document : mapping
        As :func:`sign_document` made it.
    trusted_keys : mapping of key id to public key, optional
        Keys that may sign. Without it the key named in the document is used and ``trusted`` is False.
    verifiers : mapping of algorithm to Verifier, optional
        For algorithms other than Ed25519.
    """
    body = dict(document)
    signature, public_key, algorithm = (body.get(name) for name in ("signature", "public_key", "algorithm"))
    if not (isinstance(signature, str) and isinstance(public_key, str) and isinstance(algorithm, str)):
        return SignatureCheck(False, False, "没有签名", "there is no signature")
    del body["signature"]
    if not (HEX.fullmatch(signature) and public_key.isascii()) or body.get("key_id") != key_id_of(public_key):
        return SignatureCheck(False, False, "签名或密钥编号有误", "the signature or the key id is malformed")
    if trusted_keys is not None and trusted_keys.get(key_id_of(public_key)) != public_key:
        return SignatureCheck(
            False, False, f"密钥 {body['key_id']} 不在受信任之列", f"key {body['key_id']} is not trusted"
        )
    try:
        message = canonical(body).encode()
    except (TypeError, UnicodeEncodeError):
        return SignatureCheck(False, False, "内容含有无法封存的值", "the document holds values that cannot be sealed")
    if algorithm == "Ed25519":
        good = _verify_ed25519(public_key, message, bytes.fromhex(signature))
    elif verifiers and algorithm in verifiers:
        good = verifiers[algorithm](public_key, message, bytes.fromhex(signature))
    else:
        return SignatureCheck(False, False, f"没有 {algorithm} 的验签程序", f"there is no verifier for {algorithm}")
    if not good:
        return SignatureCheck(
            False, False, "签名与内容不符，内容被改动过", "the signature does not fit; something was changed"
        )
    return SignatureCheck(True, trusted_keys is not None)


def _verify_ed25519(public_key: str, message: bytes, signature: bytes) -> bool:
    if not HEX.fullmatch(public_key):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True

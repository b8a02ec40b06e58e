"""The vault: personal fields of experts and secrets of draws, sealed with keys that stand outside the database.

A sealed text is ``v<key>:<base64url>`` of AES-256-GCM; its owner and field are authenticated with it. The keys are
files of the home's ``vault`` folder, for their owner only: ``v1.key``, ``v2.key`` …, ``current`` (the one that seals)
and ``index.key``, the separate key of the keyed hash by which an identity number is found again. The folder is in no
backup, or a stolen backup could be read: it is kept apart, by hand, and without it the sealed fields are lost.

:meth:`Vault.rotate` makes a new key and seals everything anew. Old keys stay, since backups made before still need
them; a stop in the middle leaves texts of both keys, which both open, and :meth:`Vault.reseal` finishes the work.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from expert_registry.errors import NoVaultKey, SealBroken
from records import experts as kept
from records.sealing import KEY_BYTES, Sealer
from records.store import Records

IDENTITY, PHONE, BANK = "identity", "phone", "bank"
"""Fields of an expert; the owner is the expert's number."""
UPLOAD = "upload"
"""Field of a kept list; the owner is its hash."""
DRAW_KEY = "key"
"""Field of a draw: the key of its opaque numbers; the owner is the draw's number."""
_SEALED = re.compile(r"v([1-9]\d*):([A-Za-z0-9_-]+={0,2})")
_NAME = re.compile(r"v([1-9]\d*)\.key")


def secret_field(bureau: str) -> str:
    """Name the field of a bureau's secret in a draw."""
    return f"secret:{bureau}"


class Vault:
    """The keys of a home, opened."""

    def __init__(self, folder: Path, keys: dict[int, bytes], current: int, index_key: bytes) -> None:
        self.folder = folder
        self.current = current
        self._sealers = {version: Sealer(key) for version, key in keys.items()}
        self._index_key = index_key

    def __repr__(self) -> str:
        return f"Vault({str(self.folder)!r}, current=v{self.current})"

    @classmethod
    def open(cls, folder: Path, *, create: bool = False) -> Vault:
        """Open the keys of a home; with ``create`` make the first ones where there are none at all.

        Raises
        ------
        NoVaultKey
            A key is missing, damaged, or its file or folder can be read by others.
        """
        if create and not (folder.is_dir() and any(folder.iterdir())):
            _make(folder)
        if not folder.is_dir():
            raise NoVaultKey(
                f"没有找到密钥文件夹 {folder}：它不在备份中，请从另行保管处恢复",
                f"there is no key folder {folder}: backups do not hold it, restore it from where it is kept apart",
            )
        if os.name == "posix" and folder.stat().st_mode & 0o077:
            raise NoVaultKey(
                f"密钥文件夹 {folder} 可被他人进入，请执行 chmod 700",
                f"the key folder {folder} is open to others; chmod it to 700",
            )
        found = {int(match[1]): path for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))}
        keys = {version: _read_key(path) for version, path in found.items()}
        name = _read(folder / "current").strip()
        current = int(name[1:]) if re.fullmatch(r"v[1-9]\d*", name) else 0
        if current not in keys:
            raise _damaged(folder / (f"v{current}.key" if current else "current"))
        return cls(folder, keys, current, _read_key(folder / "index.key"))

    # -- texts -------------------------------------------------------------------------------------------------

    def seal(self, owner: str, field: str, text: str) -> str:
        """Seal a text of somebody's field; a blank text stays blank."""
        if not text:
            return ""
        body = self._sealers[self.current].seal(text.encode(), _bound(self.current, owner, field))
        return f"v{self.current}:{base64.urlsafe_b64encode(body).decode()}"

    def open_(self, owner: str, field: str, sealed: str) -> str:
        """Open a sealed text.

        Raises
        ------
        SealBroken
            Altered, of another owner or field, or sealed with another key.
        NoVaultKey
            Sealed with a key this home does not hold.
        """
        if not sealed:
            return ""
        match = _SEALED.fullmatch(sealed)
        try:
            body = base64.b64decode(match[2], altchars=b"-_", validate=True) if match else b""
        except binascii.Error:
            match = None
        if match is None:
            raise _broken(owner, field)
        return self._opened(int(match[1]), body, owner, field).decode()

    def seal_file(self, owner: str, field: str, data: bytes) -> bytes:
        """Seal the bytes of a file; the first line names the key."""
        return f"v{self.current}\n".encode() + self._sealers[self.current].seal(
            data, _bound(self.current, owner, field)
        )

    def open_file(self, owner: str, field: str, sealed: bytes) -> bytes:
        """Open a sealed file; see :meth:`open_`."""
        match = re.match(rb"v([1-9]\d*)\n", sealed)
        if match is None:
            raise _broken(owner, field)
        return self._opened(int(match[1]), sealed[match.end() :], owner, field)

    def _opened(self, version: int, body: bytes, owner: str, field: str) -> bytes:
        if version not in self._sealers:
            raise NoVaultKey(
                f"缺少密钥 v{version}，请把 v{version}.key 放回 {self.folder}",
                f"the key v{version} is missing; put v{version}.key back into {self.folder}",
            )
        clear = self._sealers[version].open(body, _bound(version, owner, field))
        if clear is None:
            raise _broken(owner, field)
        return clear

    def index(self, identity: str) -> str:
        """Give the keyed hash an identity number is found by: blanks, hyphens and capitals do not count."""
        plain = re.sub(r"[\s\-]+", "", identity).upper()
        return hmac.new(self._index_key, plain.encode(), hashlib.sha256).hexdigest() if plain else ""

    # -- rotation ----------------------------------------------------------------------------------------------

    def rotate(self, records: Records, by: str, at: datetime, uploads: Path | None = None) -> int:
        """Make a new key, use it from now on, and seal everything anew; gives the number of texts and files.

        Other processes that hold the vault open must be started again: they do not have the new key.
        """
        version = max(self._sealers) + 1
        key = secrets.token_bytes(KEY_BYTES)
        _write(self.folder / f"v{version}.key", key.hex())
        draft = self.folder / f".current-{secrets.token_hex(4)}"
        _write(draft, f"v{version}")
        draft.replace(self.folder / "current")
        _flush(self.folder)
        self._sealers[version], self.current = Sealer(key), version
        return self.reseal(records, by, at, uploads)

    def reseal(self, records: Records, by: str, at: datetime, uploads: Path | None = None) -> int:
        """Seal with the current key whatever an older one sealed: texts in one transaction, files one by one."""
        prefix = f"v{self.current}:"

        def anew(owner: str, field: str, sealed: str) -> str:
            old = bool(sealed) and not sealed.startswith(prefix)
            return self.seal(owner, field, self.open_(owner, field, sealed)) if old else sealed

        count = kept.reseal(records, anew, by, at, f"v{self.current}")
        for path in sorted(uploads.glob("*.sealed")) if uploads is not None else ():
            data = path.read_bytes()
            if not data.startswith(f"v{self.current}\n".encode()):
                clear = self.open_file(path.stem, UPLOAD, data)
                write_private(path, self.seal_file(path.stem, UPLOAD, clear))
                count += 1
        return count


def _make(folder: Path) -> None:
    """Make the first keys, all of them or none."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".vault-", dir=folder.parent))
    try:
        _write(draft / "index.key", secrets.token_bytes(KEY_BYTES).hex())
        _write(draft / "v1.key", secrets.token_bytes(KEY_BYTES).hex())
        _write(draft / "current", "v1")
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not (folder / "current").exists():  # else another process was faster: its keys are the keys
            raise
    _flush(folder.parent)


def write_private(path: Path, data: bytes) -> None:
    """Write a file for its owner only, whole or not at all, and durable."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _flush(path.parent)


def _write(path: Path, text: str) -> None:
    write_private(path, text.encode("ascii") + b"\n")


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> str:
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise NoVaultKey(
                f"密钥文件 {path} 可被他人读取，请执行 chmod 600",
                f"the key file {path} can be read by others; chmod it to 600",
            )
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path) from error


def _read_key(path: Path) -> bytes:
    text = _read(path).strip()
    if not re.fullmatch(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise _damaged(path)
    return bytes.fromhex(text)


def _damaged(path: Path) -> NoVaultKey:
    return NoVaultKey(
        f"密钥文件 {path} 缺失或损坏，请从另行保管处恢复",
        f"the key file {path} is missing or damaged; restore it from where it is kept apart",
    )


def _bound(version: int, owner: str, field: str) -> bytes:
    return f"v{version}|{owner}|{field}".encode()


def _broken(owner: str, field: str) -> SealBroken:
    return SealBroken(
        f"{owner} 的密封字段 {field} 无法打开：内容被改动、被移位，或密钥不符",
        f"the sealed field {field} of {owner} does not open: altered, moved, or of another key",
    )

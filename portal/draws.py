"""The steps of an inspection draw between two homes: promise, join, reveal, draw; and what a home keeps between them.

A home keeps in ``HOME/credit/draws`` the hash of each list it committed to and of the one commitment it is used for, so
that a secret once given away cannot serve a second commitment made in knowledge of it. The secret itself lies in
``HOME/credit/draw-secrets``, which no back-up takes: who reads it before it is revealed knows the result. The hash of
every commitment goes on the chain before anything is revealed (``draw-committed``), that of the result when it is made
(``draw-made``); secrets never do. What the protocol is: ``docs/inspection-draw.md``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from credit_registry import inspection
from credit_registry.errors import BadDraw
from records.chain import canonical
from records.keys import Signer, check_signature, sign_document
from records.store import Records

SECRET = "gongzhi-draw-secret/1"


@dataclass(frozen=True, slots=True)
class Seat:
    """One home at a draw: its folder of credit papers, its chain, its key, the keys it trusts, and the time."""

    folder: Path
    records: Records
    signer: Signer
    trusted: Mapping[str, str]
    at: datetime

    def read(self, path: Path, kind: str) -> dict[str, Any]:
        """Read a signed document of a kind.

        Raises
        ------
        BadDraw
            It is none, was changed, or is signed by a key this home does not trust.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadDraw(f"不能读取 {path.name}：{error}", f"cannot read {path.name}: {error}") from error
        found = document.get("document") if isinstance(document, dict) else None
        if found != kind:
            raise BadDraw(f"{path.name} 应为 {kind}，现为 {found}", f"{path.name} must be {kind}, it is {found}")
        check = check_signature(document, self.trusted)
        if not check.valid:
            raise BadDraw(
                f"{path.name}：{check.reason_zh}（对方的公钥用 --key 给出）",
                f"{path.name}: {check.reason_en} (the key of the other bureau is given with --key)",
            )
        return dict(document)


def fingerprint(document: Mapping[str, Any]) -> str:
    """Hash a document with its signature: SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def promise(seat: Seat, frozen: Mapping[str, Any], public_source: str) -> dict[str, Any]:
    """Commit to a frozen list as the bureau of its plan."""
    made = _committed(seat, frozen, frozen["plan"]["bureau"], {}, public_source)
    _on_chain(seat, made, frozen["plan"]["bureau"])
    return made


def join(seat: Seat, first: Mapping[str, Any], bureau: str) -> dict[str, Any]:
    """Add the commitment of the other bureau to that of the bureau of the plan.

    Raises
    ------
    BadDraw
        The list was changed or does not fit its plan, the bureau is no other one, or this home used the id already.
    """
    frozen = first["list"]
    inspection.check_list(first)
    if len(first["commitments"]) != 1 or bureau in first["commitments"]:
        who = "、".join(first["commitments"])
        raise BadDraw(f"{bureau} 不能加入：已作承诺的有 {who}", f"{bureau} cannot join: {who} has committed already")
    made = _committed(seat, frozen, bureau, first["commitments"], first["public_source"])
    _fix(seat, made, bureau)
    return made


def reveal(seat: Seat, committed: Mapping[str, Any]) -> dict[str, Any]:
    """Give the secret of this home, signed, once the commitments of both are there."""
    bureau, secret = _own(seat, committed)
    if len(committed["commitments"]) < 2:
        raise BadDraw("对方尚未承诺，不能揭示", "the other bureau has not committed: nothing is revealed")
    _fix(seat, committed, bureau)
    return sign_document(
        {
            "document": SECRET,
            "draw_id": committed["list"]["draw_id"],
            "commitment_sha256": fingerprint(committed),
            "bureau": bureau,
            "secret": secret,
            "revealed_at": seat.at.isoformat(),
        },
        seat.signer,
    )


def draw(
    seat: Seat, committed: Mapping[str, Any], others: Sequence[Mapping[str, Any]], public_value: str
) -> dict[str, Any]:
    """Draw with the secret of this home and those the other bureau revealed.

    Raises
    ------
    BadDraw
        A secret is missing, belongs to another commitment or does not fit it.
    """
    bureau, secret = _own(seat, committed)
    if seat.at < datetime.fromisoformat(committed["committed_at"]):
        raise BadDraw(
            f"承诺时间 {committed['committed_at']} 晚于本机时间，请校准时钟",
            f"the commitment of {committed['committed_at']} lies ahead of this clock: set the clock",
        )
    revealed = {bureau: secret}
    for one in others:
        if one["commitment_sha256"] != fingerprint(committed):
            raise BadDraw(
                f"{one['bureau']} 揭示的是另一份承诺书的秘密数",
                f"what {one['bureau']} reveals belongs to another commitment",
            )
        revealed[one["bureau"]] = one["secret"]
    _fix(seat, committed, bureau)
    made = inspection.draw(
        committed, revealed, public_value=public_value, at=seat.at, signer=seat.signer, trusted_keys=seat.trusted
    )
    seat.records.append(
        "draw-made", seat.at, bureau,
        payload={"draw": made["draw_id"], "result_sha256": fingerprint(made), "seed": made["seed"]},
    )  # fmt: skip
    return made


def _committed(
    seat: Seat, frozen: Mapping[str, Any], bureau: str, others: Mapping[str, str], public_source: str
) -> dict[str, Any]:
    """Make and keep a secret, and commit to it beside the others."""
    number = frozen["draw_id"]
    secret = inspection.new_secret()
    if not _write_once(_file(seat, number, "list"), inspection.list_sha256(frozen)):
        raise BadDraw(
            f"抽取编号 {number} 在本数据目录已用过；重新抽取须用新编号，对方须用自己的数据目录",
            f"the id {number} was used in this home; a new draw takes a new one, the other bureau its own home",
        )
    _write_once(_secret(seat, number), secret)
    promised = inspection.commitment(number, inspection.list_sha256(frozen), bureau, secret)
    return inspection.commit(
        frozen, {**others, bureau: promised}, public_source=public_source, at=seat.at, signer=seat.signer
    )


def _own(seat: Seat, committed: Mapping[str, Any]) -> tuple[str, str]:
    """Find the bureau this home committed for, and its secret; that its hash fits says that the list is the same."""
    number, list_hash = committed["list"]["draw_id"], inspection.list_sha256(committed["list"])
    path = _secret(seat, number)
    if not path.is_file():
        raise BadDraw(
            f"本数据目录没有抽取 {number} 的秘密数（秘密数不进备份）；双方改用新编号重来：--id 新编号 --replaces {number} --reason 原因",
            f"this home has no secret of {number} (back-ups hold none); begin anew with another id,"
            f" --replaces {number} and --reason",
        )
    secret = path.read_text(encoding="ascii")
    for bureau, promised in committed["commitments"].items():
        if inspection.commitment(number, list_hash, bureau, secret) == promised:
            return bureau, secret
    raise BadDraw(
        "承诺书里没有本单位当时的承诺：名单或承诺被改动过",
        "the commitment does not hold what this home committed to: the list or the hash was changed",
    )


def _fix(seat: Seat, committed: Mapping[str, Any], bureau: str) -> None:
    """Bind the secret of this home to one commitment, with its hash on the chain; another one is refused."""
    path = _file(seat, committed["list"]["draw_id"], "commitment")
    if not path.is_file():
        _on_chain(seat, committed, bureau)
    if not _write_once(path, fingerprint(committed)) and path.read_text(encoding="ascii") != fingerprint(committed):
        raise BadDraw(
            "本单位的秘密数已用于另一份承诺书，不能再用", "the secret of this home was used for another commitment"
        )


def _on_chain(seat: Seat, committed: Mapping[str, Any], bureau: str) -> None:
    payload = {
        "draw": committed["list"]["draw_id"],
        "list_sha256": committed["list_sha256"],
        "commitments": committed["commitments"],
        "document_sha256": fingerprint(committed),
    }
    seat.records.append("draw-committed", seat.at, bureau, payload=payload)


def _file(seat: Seat, number: str, what: str) -> Path:
    return seat.folder / "draws" / f"{number.replace('/', '_')}.{what}"


def _secret(seat: Seat, number: str) -> Path:
    """Where the secret of a draw lies: in no folder a back-up takes."""
    return seat.folder / "draw-secrets" / f"{number.replace('/', '_')}.secret"


def _write_once(path: Path, text: str) -> bool:
    """Write a file that must not be there yet, for its owner only; give whether it was written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return True

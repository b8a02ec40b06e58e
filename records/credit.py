"""What the bureaus tell each other of credit records, and who looked at whose.

A message is an objection, a repair, a withdrawal … told by the bureau that may tell it; it is never changed, a
later one answers it. An access is one look-up, search, screening or export: who, with which certificate, why, under
which plan, and which bureaus' records were shown. Both are written with their event on the chain. Of free text
(reasons, what was typed) the chain keeps the hash only, and a resident identity number typed by mistake is masked
before anything is written.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

from sqlalchemy import insert, select

from records import chain, models
from records.errors import IncompleteMessage
from records.store import CHINA, Records, storable
from schemas.files import fold
from schemas.identifiers import read_uscc

MESSAGE_KINDS = (
    "objection",
    "objection-closed",
    "repair",
    "withdrawal",
    "suspension",
    "annulment",
    "confirmation",
)
TARGETS = ("rating", "penalty")
ACCESS_KINDS = ("lookup", "search", "history", "screen", "slip", "draw", "export")


@dataclass(frozen=True, slots=True)
class Message:
    """Something told of one rating or penalty.

    ``key`` is ``scheme|issuer|tier|rated_year|site`` of a rating, the decision number of a penalty. ``effective``
    is the China day from which it holds, ``made_at`` the instant from which it is known here. ``message_id`` is
    given when it is kept.
    """

    message_id: str
    kind: str
    bureau: str
    uscc: str
    target: str
    key: str
    effective: date
    reason: str
    document: str
    author: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Access:
    """One use of the register; ``owners`` are the bureaus whose records were shown, ``count`` how many."""

    access_id: str
    at: datetime
    user: str
    unit: str
    certificate: str
    purpose: str
    plan: str
    kind: str
    asked: str
    uscc: str
    owners: list[str]
    version: str
    result: str
    count: int


MESSAGE_COLUMNS = tuple(models.credit_message.c[each.name] for each in fields(Message))
ACCESS_COLUMNS = tuple(models.access.c[each.name] for each in fields(Access) if each.name != "owners")


def add_message(records: Records, message: Message) -> Message:
    """Keep a message; gives it back with its number.

    Raises
    ------
    IncompleteMessage
        A kind or target nobody knows, no enterprise, key, reason or author, or the key of a rating without its parts.
    """
    _refuse_incomplete(message)
    day = message.made_at.astimezone(CHINA)
    texts = {name: value for name, value in asdict(message).items() if isinstance(value, str)}
    texts["message_id"] = f"m-{day:%Y%m%d}-{secrets.token_hex(6)}"
    texts["uscc"] = read_uscc(message.uscc).code or fold(message.uscc)
    kept = Message(**asdict(message) | _storable(**texts))
    with records.database.write() as connection:
        connection.execute(insert(models.credit_message).values(**asdict(kept)))
        payload = {name: getattr(kept, name) for name in ("kind", "uscc", "target", "key", "document", "author")}
        payload |= {"message": kept.message_id, "effective": kept.effective.isoformat()}
        payload["reason_sha256"] = _hash(kept.reason)
        chain.append(connection, "credit-message", kept.made_at, kept.bureau, None, payload)
    return kept


def _refuse_incomplete(message: Message) -> None:
    if message.kind not in MESSAGE_KINDS or message.target not in TARGETS:
        raise IncompleteMessage(
            f"信用消息的种类 {message.kind!r} 或对象 {message.target!r} 未知，种类应为 {'、'.join(MESSAGE_KINDS)}，"
            f"对象应为 {'、'.join(TARGETS)}",
            f"kind {message.kind!r} or target {message.target!r} of the message is not known;"
            f" kinds: {', '.join(MESSAGE_KINDS)}; targets: {', '.join(TARGETS)}",
        )
    if not all(getattr(message, name).strip() for name in ("bureau", "uscc", "key", "reason", "author")):
        raise IncompleteMessage(
            "信用消息须写明单位、主体、所指记录、理由和经办人",
            "a message needs its bureau, enterprise, record, reason and author",
        )
    if message.target == "rating" and not re.fullmatch(r"[^|]*(\|[^|]*){2}\|\d{4}\|.*", message.key):
        raise IncompleteMessage(
            f"评价记录应写作“评价办法|评价机关|层级|年度|场所”，现为 {message.key!r}",
            f"a rating is named scheme|issuer|tier|rated_year|site, not {message.key!r}",
        )


def messages(records: Records, uscc: str | None = None, known: datetime | None = None) -> list[Message]:
    """List messages in the order they were told; with ``known`` only those told by then."""
    m = models.credit_message.c
    query = select(*MESSAGE_COLUMNS).order_by(m.made_at, m.id)
    if uscc is not None:
        query = query.where(m.uscc == uscc)
    if known is not None:
        query = query.where(m.made_at <= known)
    with records.database.read() as connection:
        return [Message(*row) for row in connection.execute(query)]


def messages_of(records: Records, subjects: Collection[str]) -> dict[str, list[Message]]:
    """Give the messages of several enterprises by enterprise, each in the order they were told."""
    m = models.credit_message.c
    query = select(*MESSAGE_COLUMNS).where(m.uscc.in_(subjects)).order_by(m.made_at, m.id)
    found: dict[str, list[Message]] = {}
    with records.database.read() as connection:
        for row in connection.execute(query) if subjects else ():
            found.setdefault(row.uscc, []).append(Message(*row))
    return found


def record_access(
    records: Records,
    *,
    at: datetime,
    user: str,
    unit: str,
    certificate: str,
    purpose: str,
    plan: str,
    kind: str,
    asked: str,
    uscc: str = "",
    owners: Collection[str] = (),
    version: str,
    result: str,
    count: int,
) -> Access:
    """Remember one use of the register, and put it on the chain.

    Parameters
    ----------
    asked : str
        The code or text as typed; a resident identity number in it is kept as its mask only.
    owners : collection of str
        Bureaus whose records were shown; each of them can list this access.

    Raises
    ------
    IncompleteMessage
        A kind nobody knows, or no user, unit or purpose.
    """
    if kind not in ACCESS_KINDS or not (user.strip() and unit.strip() and purpose.strip()):
        raise IncompleteMessage(
            "查询留痕须写明种类、人员、单位和目的", "an access needs its kind, user, unit and purpose"
        )
    access = Access(
        access_id=f"q-{at.astimezone(CHINA):%Y%m%d}-{secrets.token_hex(6)}",
        at=at,
        asked=without_identities(asked),
        owners=sorted(set(owners)),
        **_storable(
            user=user,
            unit=unit,
            certificate=certificate,
            purpose=purpose,
            plan=plan,
            kind=kind,
            uscc=without_identities(uscc),
            version=version,
            result=result,
        ),
        count=count,
    )
    values = {name: value for name, value in asdict(access).items() if name != "owners"}
    with records.database.write() as connection:
        connection.execute(insert(models.access).values(**values))
        if access.owners:
            shown = [{"access_id": access.access_id, "bureau": owner} for owner in access.owners]
            connection.execute(insert(models.access_owner), shown)
        told = {name: value for name, value in values.items() if name not in ("access_id", "at", "asked")}
        told |= {"access": access.access_id, "asked_sha256": _hash(access.asked), "owners": access.owners}
        chain.append(connection, "access", at, None, None, told)
    return access


def accesses(
    records: Records,
    *,
    owner: str | None = None,
    user: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[Access]:
    """List accesses in ``[since, until)``, the newest first; ``owner`` only those that showed its records."""
    a, o = models.access.c, models.access_owner.c
    query = select(*ACCESS_COLUMNS).order_by(a.at.desc(), a.id.desc()).limit(limit)
    if owner is not None:
        query = query.where(a.access_id.in_(select(o.access_id).where(o.bureau == owner)))
    if user is not None:
        query = query.where(a.user == user)
    if since is not None:
        query = query.where(a.at >= since)
    if until is not None:
        query = query.where(a.at < until)
    chosen = query.with_only_columns(a.access_id).subquery()
    with records.database.read() as connection:
        rows = connection.execute(query).all()
        shown = select(o.access_id, o.bureau).where(o.access_id.in_(select(chosen.c.access_id))).order_by(o.bureau)
        owners = _grouped((row.access_id, row.bureau) for row in connection.execute(shown))
    return [Access(**row._mapping, owners=owners.get(row.access_id, [])) for row in rows]


def without_identities(text: str) -> str:
    """Fold a text and mask the resident identity numbers in it, also those written in groups.

    Examples
    --------
    >>> without_identities("张某 510703 19900101 1231")
    '张某 510***********1231'
    >>> without_identities("91110000600037341L")
    '91110000600037341L'
    """
    return _IDENTITY.sub(_masked, storable(fold(text)))


_GAP = r"[\s\-‐‑‒–—−.·]*"
_IDENTITY = re.compile(rf"\d(?:{_GAP}\d){{16}}{_GAP}[\dXx]|\d(?:{_GAP}\d){{14}}")


def _masked(found: re.Match[str]) -> str:
    code = re.sub(r"[^\dX]", "", found[0].upper())
    return read_uscc(code).text if read_uscc(code).status == "resident-id" else found[0]


def _storable(**texts: str) -> dict[str, str]:
    return {name: storable(text) for name, text in texts.items()}


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

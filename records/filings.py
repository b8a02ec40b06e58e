"""Filings: files of people on their way to becoming a delivery, each change one transaction with its event.

What a person does (begins, hands in, withdraws, approves, returns) stands on the chain too, under ``filing``: account
numbers and codes, never a name or a free text. Handing in makes the batch, its receipt and the worker's job in the one
transaction that moves the filing, so that however often and from wherever it is asked, there is one batch.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from records import chain
from records import filing_models as models
from records.errors import IllegalState, KeyUsed, QuotaReached, UnknownFiling
from records.filing_jobs import CHECK, WALK, Job, add_job, drop_jobs, mine, place_of
from records.store import APPROVED, AWAITED, CHINA, RETURNED, Records, storable

MOVES: dict[str, frozenset[str]] = {
    "queued": frozenset({"checking", "withdrawn", "failed"}),
    "checking": frozenset({"checked", "refused", "withdrawn", "failed"}),
    "checked": frozenset({"queued", "handing_in", "in_review", "repeated", "refused", "withdrawn", "failed"}),
    "handing_in": frozenset({"published", "refused", "held", "failed"}),
    "in_review": frozenset({"handing_in", "returned", "withdrawn"}),
    "held": frozenset({"published", "refused"}),
    "failed": frozenset({"published", "refused", "held"}),
    "published": frozenset(),
    "refused": frozenset(),
    "returned": frozenset(),
    "withdrawn": frozenset(),
    "repeated": frozenset(),
}
"""What can become of a filing; ``failed`` goes on only where it has a batch, which the night takes up."""
DRAFTS = ("queued", "checking", "checked")
HANDED_IN = ("handing_in", "in_review", "published", "refused", "held", "failed", "returned", "repeated")
PURPOSES = ("file", "check", "straight")
WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Filing:
    """One file of a person on its way; ``portal/filing`` says what each field means to him."""

    filing_id: str
    bureau: str
    account_id: str
    login: str
    person: str
    file_name: str
    sha256: str
    sm3: str
    bytes: int
    purpose: str
    """``file``; ``check``: never handed in; ``straight``: handed in once checked."""
    dataset: str
    """As asked, blank: recognise."""
    period: str
    corrects: str
    """Receipt number of the delivery it corrects."""
    reason: str
    state: str
    stage: str
    """Last told by the worker: read, standardise, judge, report, gate, publish."""
    created_at: datetime
    updated_at: datetime
    handed_in_at: datetime | None
    decided_at: datetime | None
    summary: dict[str, Any]
    findings_total: int
    blocking: int
    to_confirm: int
    error: dict[str, Any] | None
    statement: bool
    confirmations: dict[str, str]
    batch_id: str
    receipt: str
    decided_by: str
    decision: str
    """Blank, ``approved``, or a code of ``vocabularies/return_reasons.csv``."""
    decision_text: str


@dataclass(frozen=True, slots=True)
class FilingEvent:
    """A filing came into a state; ``by`` is the number of an account, or ``worker``."""

    at: datetime
    state: str
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class WantedFilings:
    """Which filings of a bureau; blanks choose all. ``text`` is part of a file name, filing number or receipt."""

    bureau: str
    account_id: str = ""
    state: str = ""
    states: tuple[str, ...] = ()
    dataset: str = ""
    text: str = ""
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class FilingPage:
    """One page, the newest first, and how many there are in all."""

    filings: tuple[Filing, ...]
    total: int


@dataclass(frozen=True, slots=True)
class NewFiling:
    """What is known of a filing when it begins; a blank ``key`` is none."""

    filing_id: str
    bureau: str
    account_id: str
    login: str
    person: str
    file_name: str
    sha256: str
    sm3: str
    bytes: int
    purpose: str
    dataset: str
    period: str
    corrects: str
    reason: str
    key: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may have sent since an instant, and back to when the same bytes are the same filing."""

    since: datetime
    files: int
    bytes: int
    same_since: datetime
    facts: str
    """The rules in force: findings of others are not given again."""


@dataclass(frozen=True, slots=True)
class HandIn:
    """What makes a batch of a filing; ``review`` puts it before a second person first."""

    file_name: str
    sha256: str
    sm3: str
    bytes: int
    facts: str
    container: str | None
    review: bool
    statement: bool
    confirmations: Mapping[str, str]


COLUMNS = tuple(models.filing.c[one.name] for one in fields(Filing))


def new_filing_id() -> str:
    """Draw the number of a filing: 130 random bits, so that nobody guesses another's."""
    return "F" + base64.b32encode(secrets.token_bytes(17)).decode()[:26]


# -- reading -----------------------------------------------------------------------------------------------------


def filing(records: Records, filing_id: str) -> Filing:
    """Give a filing by its number.

    Raises
    ------
    UnknownFiling
    """
    with records.database.read() as connection:
        return _one(connection, filing_id)


def filings(records: Records, wanted: WantedFilings, offset: int, limit: int) -> FilingPage:
    """Give ``limit`` filings of a bureau from the ``offset``-th on."""
    f, chosen = models.filing.c, _chosen(wanted)
    page = select(*COLUMNS).where(*chosen).order_by(f.created_at.desc(), f.filing_id).offset(offset).limit(limit)
    with records.database.read() as connection:
        total = connection.execute(select(func.count()).select_from(models.filing).where(*chosen)).scalar_one()
        return FilingPage(tuple(Filing(*row) for row in connection.execute(page)), total)


def filing_of_batch(records: Records, batch_id: str) -> Filing | None:
    """Give the filing a batch was made from, None where it came another way; repeats are not meant."""
    f = models.filing.c
    query = select(*COLUMNS).where(f.batch_id == batch_id, f.state != "repeated").order_by(f.created_at).limit(1)
    with records.database.read() as connection:
        found = connection.execute(query).one_or_none()
        return None if found is None else Filing(*found)


def filing_events(records: Records, filing_id: str) -> list[FilingEvent]:
    """List what happened to a filing, in order."""
    e = models.filing_event.c
    query = select(e.at, e.state, e.by, e.note).where(e.filing_id == filing_id).order_by(e.id)
    with records.database.read() as connection:
        return [FilingEvent(*row) for row in connection.execute(query)]


def queue_place(records: Records, filing_id: str) -> int:
    """Give the place of a filing in the queue: 1 is next, 0 does not wait."""
    return place_of(records, filing_id)


def in_review(records: Records, bureau: str) -> list[Filing]:
    """List the filings of a bureau that wait for a second person, first handed in first."""
    f = models.filing.c
    query = select(*COLUMNS).where(f.bureau == bureau, f.state == "in_review").order_by(f.handed_in_at, f.filing_id)
    with records.database.read() as connection:
        return [Filing(*row) for row in connection.execute(query)]


def _chosen(wanted: WantedFilings) -> list[ColumnElement[bool]]:
    f = models.filing.c
    chosen: list[ColumnElement[bool]] = [f.bureau == wanted.bureau]
    plain = ("account_id", "state", "corrects")
    for column, value in ((f[name], getattr(wanted, name)) for name in plain):
        if value:
            chosen.append(column == value)
    if wanted.dataset:
        chosen.append(func.coalesce(func.nullif(f.recognised, ""), f.dataset) == wanted.dataset)
    if wanted.states:
        chosen.append(f.state.in_(wanted.states))
    if wanted.text:
        holds = (column.contains(wanted.text, autoescape=True) for column in (f.file_name, f.filing_id, f.receipt))
        chosen.append(or_(*holds))
    return chosen


# -- beginning ---------------------------------------------------------------------------------------------------


def add_filing(records: Records, new: NewFiling, allowance: Allowance, at: datetime) -> tuple[Filing, bool]:
    """Keep a new filing and queue its check; the same key, or the same bytes not handed in yet, give the first one.

    Returns
    -------
    (Filing, bool)
        The filing, and whether it is new.

    Raises
    ------
    QuotaReached, KeyUsed
    """
    for _ in range(5):
        try:
            with records.database.write() as connection:
                known = _known(connection, new, allowance)
                if known is not None:
                    return known, False
                _see_quota(connection, new, allowance)
                values = {name: getattr(new, name) for name in new.__slots__ if name != "key"}
                values |= {name: storable(values[name]) for name in ("file_name", "person", "reason")}
                connection.execute(
                    insert(models.filing).values(
                        **values, idempotency_key=new.key or None, state="queued", stage="", created_at=at,
                        updated_at=at, summary={}, findings_total=0, blocking=0, to_confirm=0, statement=False,
                        confirmations={}, recognised="", batch_id="", receipt="", decided_by="", decision="", decision_text="",
                    )
                )  # fmt: skip
                add_job(connection, new.filing_id, CHECK, at)
                made = _one(connection, new.filing_id)
                _tell(connection, made, new.account_id, "", at, {"sha256": new.sha256, "purpose": new.purpose})
                return made, True
        except IntegrityError:  # a twin with the same key came first: look again
            continue
    raise RuntimeError("no filing can be added")


def _known(connection: Connection, new: NewFiling, allowance: Allowance) -> Filing | None:
    f = models.filing.c
    if new.key:
        query = select(*COLUMNS).where(f.account_id == new.account_id, f.idempotency_key == new.key)
        row = connection.execute(query).one_or_none()
        if row is not None and (row.sha256, row.purpose) != (new.sha256, new.purpose):
            raise KeyUsed(
                "这一幂等键（Idempotency-Key）已用于另一个文件；请换一个新的键",
                "this idempotency key was used for another file; take a new one",
            )
        return None if row is None else Filing(*row)
    same = [f[name] == getattr(new, name) for name in ("bureau", "sha256", "purpose", "dataset", "corrects", "period")]
    same += [f.state.in_(DRAFTS), f.created_at >= allowance.same_since]
    for row in connection.execute(select(*COLUMNS).where(*same).order_by(f.created_at.desc())):
        if row.state != "checked" or row.summary.get("rules") == allowance.facts:
            return Filing(*row)
    return None


def _see_quota(connection: Connection, new: NewFiling, allowance: Allowance) -> None:
    f = models.filing.c
    sent = select(func.count(), func.coalesce(func.sum(f.bytes), 0))
    mine_today = (f.account_id == new.account_id, f.created_at >= allowance.since)
    files, size = connection.execute(sent.where(*mine_today)).one()
    if files + 1 > allowance.files or int(size) + new.bytes > allowance.bytes:
        raise QuotaReached(
            f"今日上传已达上限（{allowance.files} 个文件、{allowance.bytes // 2**20} MB）；请明日再传，或联系管理员",
            f"today's uploads have reached the limit ({allowance.files} files, {allowance.bytes // 2**20} MB); "
            "go on tomorrow or ask the administrator",
        )


# -- moving ------------------------------------------------------------------------------------------------------


def move(
    records: Records,
    filing_id: str,
    state: str,
    by: str,
    at: datetime,
    *,
    note: str = "",
    job: Job | None = None,
    **values: Any,
) -> Filing:
    """Bring a filing into its next state, with what is now known of it.

    Raises
    ------
    UnknownFiling, IllegalState
    LeaseLost
        ``job`` is not ours any more.
    """
    with records.database.write() as connection:
        mine(connection, job)
        return _move(connection, _one(connection, filing_id), state, by, at, note, values)


def set_stage(records: Records, filing_id: str, stage: str, at: datetime) -> None:
    """Write how far the worker has come; nothing where the filing is not being worked on."""
    f = models.filing.c
    working = (f.filing_id == filing_id, f.state.in_(("checking", "handing_in")))
    with records.database.write() as connection:
        connection.execute(update(models.filing).where(*working).values(stage=stage, updated_at=at))


def hand_in(records: Records, filing_id: str, what: HandIn, by: str, at: datetime) -> Filing:
    """Make the batch of a checked filing and queue its walk, or put it before a second person; asked again, the same.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    for _ in range(5):
        try:
            with records.database.write() as connection:
                found = _one(connection, filing_id)
                if found.state in HANDED_IN and found.batch_id:
                    return found
                return _hand_in(connection, records, found, what, by, at)
        except IntegrityError:  # a receipt number drawn twice: draw again
            continue
    raise RuntimeError("no free batch number")


def _hand_in(connection: Connection, records: Records, found: Filing, what: HandIn, by: str, at: datetime) -> Filing:
    _see_move(found, "handing_in")
    batch, repeated = records.receive_within(
        connection, found.bureau, what.file_name, what.sha256, what.sm3, what.bytes, at, by, what.facts,
        found.dataset or None, None, what.container, AWAITED if what.review else "",
    )  # fmt: skip
    values = {
        "batch_id": batch.batch_id, "receipt": batch.receipt_number, "handed_in_at": at, "stage": "",
        "statement": what.statement, "confirmations": dict(what.confirmations),
    }  # fmt: skip
    state = "repeated" if repeated else "in_review" if what.review else "handing_in"
    if state == "handing_in":
        add_job(connection, found.filing_id, WALK, at)
    return _move(connection, found, state, by, at, "", values)


def approve(records: Records, filing_id: str, by: str, at: datetime) -> Filing:
    """Let the batch of a filing go on its way.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    with records.database.write() as connection:
        found = _one(connection, filing_id)
        _see_move(found, "handing_in", "in_review")
        records.decide_within(connection, found.batch_id, APPROVED, at)
        add_job(connection, filing_id, WALK, at)
        values = {"decided_at": at, "decided_by": by, "decision": APPROVED, "stage": ""}
        return _move(connection, found, "handing_in", by, at, "", values)


def send_back(
    records: Records, filing_id: str, code: str, text: str, error: Mapping[str, Any], by: str, at: datetime
) -> Filing:
    """Refuse the batch of a filing for a reason.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    with records.database.write() as connection:
        found = _one(connection, filing_id)
        _see_move(found, "returned")
        records.decide_within(connection, found.batch_id, RETURNED, at, error)
        values = {
            "decided_at": at, "decided_by": by, "decision": code, "decision_text": storable(text),
            "error": dict(error),
        }  # fmt: skip
        return _move(connection, found, "returned", by, at, code, values)


def withdraw(records: Records, filing_id: str, error: Mapping[str, Any], by: str, at: datetime, note: str) -> Filing:
    """Take a filing back, with its batch where a second person has not decided yet.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    with records.database.write() as connection:
        found = _one(connection, filing_id)
        if found.state == "withdrawn":
            return found
        _see_move(found, "withdrawn")
        if found.batch_id:
            records.decide_within(connection, found.batch_id, RETURNED, at, error)
        drop_jobs(connection, filing_id, at)
        return _move(connection, found, "withdrawn", by, at, note, {})


def recheck(records: Records, filing_id: str, dataset: str, by: str, at: datetime) -> Filing:
    """Put a checked filing back into the queue: it is read by other facts now.

    Raises
    ------
    UnknownFiling, IllegalState
    """
    fresh: dict[str, Any] = {
        "dataset": dataset,
        "summary": {},
        "error": None,
        "findings_total": 0,
        "blocking": 0,
        "to_confirm": 0,
    }
    with records.database.write() as connection:
        found = _one(connection, filing_id)
        _see_move(found, "queued")
        add_job(connection, filing_id, CHECK, at)
        return _move(connection, found, "queued", by, at, "recheck", fresh | {"stage": "", "confirmations": {}})


def settle(records: Records, at: datetime) -> int:
    """Bring filings to where their batches are, whoever walked these; give how many moved."""
    from records.models import batch

    f, b = models.filing.c, batch.c
    ended = ("published", "refused", "held")
    behind = (f.state.in_(("handing_in", "held", "failed")), b.state.in_(ended), b.state != f.state)
    query = select(f.filing_id, b.state, b.error).join(batch, b.batch_id == f.batch_id).where(*behind)
    with records.database.read() as connection:
        late = connection.execute(query).all()
    for row in late:
        with records.database.write() as connection:
            found = _one(connection, row.filing_id)
            if row.state in MOVES[found.state]:
                _move(connection, found, row.state, WORKER, at, "", {"stage": "", "error": row.error})
    return len(late)


def expired(records: Records, before: datetime) -> list[Filing]:
    """List the filings nobody handed in and nobody touched since an instant."""
    f = models.filing.c
    query = select(*COLUMNS).where(f.state.in_(("checked", "failed")), f.updated_at < before, f.batch_id == "")
    with records.database.read() as connection:
        return [Filing(*row) for row in connection.execute(query)]


def known_filings(records: Records, numbers: Iterable[str]) -> dict[str, str]:
    """Give the states of those of some filings that exist."""
    f = models.filing.c
    with records.database.read() as connection:
        query = select(f.filing_id, f.state).where(f.filing_id.in_(list(numbers)))
        return {row.filing_id: row.state for row in connection.execute(query)}


def _see_move(found: Filing, state: str, only: str = "") -> None:
    if state not in MOVES[found.state] or (only and found.state != only):
        raise IllegalState(
            f"报送 {found.filing_id} 现为 {found.state}，不能变为 {state}",
            f"filing {found.filing_id} is {found.state} and cannot become {state}",
        )


def _move(
    connection: Connection, found: Filing, state: str, by: str, at: datetime, note: str, values: Mapping[str, Any]
) -> Filing:
    _see_move(found, state)
    if "summary" in values:
        values = {**values, "recognised": values["summary"].get("dataset") or ""}
    changed = update(models.filing).where(models.filing.c.filing_id == found.filing_id)
    connection.execute(changed.values(state=state, updated_at=at, **values))
    moved = _one(connection, found.filing_id)
    _tell(connection, moved, by, note, at, {})
    return moved


def _tell(connection: Connection, one: Filing, by: str, note: str, at: datetime, more: Mapping[str, Any]) -> None:
    values = {"filing_id": one.filing_id, "at": at, "state": one.state, "by": by, "note": storable(note)}
    connection.execute(insert(models.filing_event).values(**values))
    if by == WORKER:  # what the machine does stands on the chain as the states of the batch
        return
    payload = {"filing": one.filing_id, "state": one.state, "by": by} | dict(more)
    if one.decision and by == one.decided_by:
        payload |= {"decision": one.decision, "text_sha256": hashlib.sha256(one.decision_text.encode()).hexdigest()}
    chain.append(connection, "filing", at, one.bureau, one.batch_id or None, payload)


def _one(connection: Connection, filing_id: str) -> Filing:
    row = connection.execute(select(*COLUMNS).where(models.filing.c.filing_id == filing_id)).one_or_none()
    if row is None:
        raise UnknownFiling(f"没有报送 {filing_id}", f"there is no filing {filing_id}")
    return Filing(*row)


def day_in_china(at: datetime) -> datetime:
    """Give the midnight in China a day began with."""
    return at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)

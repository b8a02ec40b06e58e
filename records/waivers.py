"""What people decide beside the rules: waivers, answers, releases.

A waiver lifts one rule at one station for one period, until it expires. An answer is the uploader's explanation
of a flagged value; it is carried to later files that bring the same value again. A release lets a quarantined
result out. Each has its author and reason; the chain keeps who, what, when, and the hash of the reason only,
since a reason is free text and what is on the chain cannot be taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from records import chain, models
from records.errors import IncompleteWaiver
from records.models import write_time

if TYPE_CHECKING:
    from records.store import Records


@dataclass(frozen=True, slots=True)
class Waiver:
    """One rule is lifted for one station; ``station`` is empty where the rule knows no station."""

    rule: str
    bureau: str
    station: str
    since: datetime
    until: datetime
    reason: str
    author: str
    expires: datetime
    created_at: datetime
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The uploader's explanation of one value under one rule."""

    bureau: str
    rule: str
    key: str
    header: str
    value: str
    text: str
    author: str
    batch_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """A quarantined result let out by a reviewer; ``source_column`` is empty for a whole row."""

    batch_id: str
    source_row: int
    source_column: str
    reason: str
    reviewer: str
    created_at: datetime
    id: int | None = None


def grant_waiver(records: Records, waiver: Waiver) -> Waiver:
    """Keep a waiver; gives it back with its number.

    Raises
    ------
    IncompleteWaiver
        No reason or author, an empty period, or it expires before it is made.
    """
    if not (waiver.reason.strip() and waiver.author.strip()):
        raise IncompleteWaiver("豁免须写明理由和批准人", "a waiver needs a reason and an author")
    if waiver.since >= waiver.until or waiver.expires <= waiver.created_at:
        raise IncompleteWaiver(
            "豁免的起止时间或到期时间有误：起应早于止，到期应晚于现在",
            "the times of the waiver do not fit: since before until, expiry in the future",
        )
    values = {name: value for name, value in asdict(waiver).items() if name != "id"}
    with records.database.write() as connection:
        number = connection.execute(insert(models.waiver).values(**values).returning(models.waiver.c.id)).scalar_one()
        payload = {
            "waiver": number,
            "rule": waiver.rule,
            "station": waiver.station,
            "since": write_time(waiver.since),
            "until": write_time(waiver.until),
            "expires": write_time(waiver.expires),
            "author": waiver.author,
            "reason_sha256": _digest(waiver.reason),
        }
        chain.append(connection, "waiver-granted", waiver.created_at, waiver.bureau, None, payload)
    return Waiver(**values, id=number)


def end_waiver(records: Records, number: int, author: str, now: datetime) -> None:
    """Let a waiver expire now."""
    w = models.waiver.c
    with records.database.write() as connection:
        bureau = connection.execute(select(w.bureau).where(w.id == number, w.expires > now)).scalar_one_or_none()
        if bureau is None:
            raise IncompleteWaiver(f"没有有效的豁免 {number}", f"there is no waiver {number} in force")
        connection.execute(update(models.waiver).where(w.id == number).values(expires=now))
        chain.append(connection, "waiver-ended", now, bureau, None, {"waiver": number, "author": author})


def waivers(
    records: Records, at: datetime | None = None, bureau: str | None = None, rule: str | None = None
) -> list[Waiver]:
    """List waivers, oldest first; with ``at`` only those made and not expired at that time.

    The period ``since``–``until`` is that of the data and is the judge's business.
    """
    w = models.waiver.c
    query = select(models.waiver).order_by(w.id)
    if at is not None:
        query = query.where(w.created_at <= at, w.expires > at)
    if bureau is not None:
        query = query.where(w.bureau == bureau)
    if rule is not None:
        query = query.where(w.rule == rule)
    with records.database.read() as connection:
        return [Waiver(**row._mapping) for row in connection.execute(query)]


def save_answers(records: Records, answers: Iterable[Answer]) -> int:
    """Keep answers; a newer answer to the same value replaces the older. Gives how many were new or changed."""
    a = models.answer.c
    changed = 0
    with records.database.write() as connection:
        events: dict[tuple[str, str | None, str], tuple[int, datetime]] = {}
        for answer in answers:
            identity = _identity(answer.bureau, answer.rule, answer.key, answer.header, answer.value)
            kept = connection.execute(select(a.text).where(a.identity == identity)).scalar_one_or_none()
            if kept == answer.text:
                continue
            connection.execute(delete(models.answer).where(a.identity == identity))
            connection.execute(insert(models.answer).values(identity=identity, **asdict(answer)))
            group = (answer.bureau, answer.batch_id, answer.author)
            events[group] = (events.get(group, (0, answer.created_at))[0] + 1, answer.created_at)
            changed += 1
        for (bureau, batch_id, author), (count, at) in events.items():
            chain.append(connection, "answered", at, bureau, batch_id, {"answers": count, "author": author})
    return changed


def answers(records: Records, bureau: str) -> dict[tuple[str, str, str, str], Answer]:
    """Give the answers of a bureau by (rule, key, header, value)."""
    names = Answer.__dataclass_fields__
    a = models.answer.c
    query = select(*(a[name] for name in names)).where(a.bureau == bureau).order_by(a.created_at, a.identity)
    with records.database.read() as connection:
        found = [Answer(**row._mapping) for row in connection.execute(query)]
    return {(answer.rule, answer.key, answer.header, answer.value): answer for answer in found}


def release_results(records: Records, releases: Iterable[Release]) -> int:
    """Keep releases; one that is there already stays as it is. Gives how many are new.

    Raises
    ------
    IncompleteWaiver
        A release without a reason or a reviewer.
    """
    r = models.release.c
    new = 0
    with records.database.write() as connection:
        for release in releases:
            if not (release.reason.strip() and release.reviewer.strip()):
                raise IncompleteWaiver("放行须写明理由和审核人", "a release needs a reason and a reviewer")
            place = (r.batch_id == release.batch_id, r.source_row == release.source_row)
            twin = select(r.id).where(*place, r.source_column == release.source_column)
            if connection.execute(twin).one_or_none() is not None:
                continue
            values = {name: value for name, value in asdict(release).items() if name != "id"}
            connection.execute(insert(models.release).values(**values))
            bureau = connection.execute(
                select(models.batch.c.bureau).where(models.batch.c.batch_id == release.batch_id)
            ).scalar_one()
            payload = {
                "row": release.source_row,
                "column": release.source_column,
                "reviewer": release.reviewer,
                "reason_sha256": _digest(release.reason),
            }
            chain.append(connection, "released", release.created_at, bureau, release.batch_id, payload)
            new += 1
    return new


def releases(records: Records, batch_id: str) -> list[Release]:
    """List the releases of a batch, by row and column."""
    r = models.release.c
    query = select(models.release).where(r.batch_id == batch_id).order_by(r.source_row, r.source_column)
    with records.database.read() as connection:
        return [Release(**row._mapping) for row in connection.execute(query)]


def _identity(*parts: str) -> str:
    return _digest(chain.canonical(list(parts)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

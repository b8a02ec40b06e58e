"""Alarms and what is told of them: opened once, counted while they last, closed when the trouble is gone or given up.

An alarm is one (code, source). Telling goes through an outbox: the notice is written in the transaction that opens
or closes the alarm, and handed over until the channel took it. So a notice may come twice, never not at all.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from records import chain, models
from records.errors import NotHandled
from records.models import write_time
from records.store import Records, storable
from schemas.alarms import alarm_kinds

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=7)
GIVE_UP_TRIES = 24
"""Both must be past: after a week without power, or a jump of the clock, a notice is still tried."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong seen now; an empty ``source`` is the exchange itself. ``severity``: warning, error."""

    code: str
    source: str
    bureau: str
    severity: str
    message: str
    message_en: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A trouble kept until it is gone; ``count`` says in how many looks it was seen."""

    alarm_id: int
    code: str
    source: str
    bureau: str
    severity: str
    opened_at: datetime
    last_at: datetime
    count: int
    closed_at: datetime | None
    message: str
    message_en: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about alarms to one channel; ``kind``: opened, reminder, recovered, given-up.

    ``alarms`` holds the alarms as they were then, times as text; ``event_id`` is the same in all channels.
    ``next_try`` is None once delivered or given up.
    """

    event_id: str
    channel: str
    kind: str
    made_at: datetime
    alarms: list[dict[str, Any]]
    attempts: int
    next_try: datetime | None
    delivered_at: datetime | None
    last_error: str


COLUMNS = tuple(models.alarm.c[each.name] for each in fields(Alarm))


def tell(
    records: Records,
    troubles: Sequence[Trouble],
    judged: Collection[str],
    now: datetime,
    channels: Sequence[str],
    reminder: timedelta = timedelta(hours=24),
    given_up: Mapping[tuple[str, str], Sequence[str]] | None = None,
) -> list[Alarm]:
    """Open, count up and close alarms, and put what is to be told into the outbox.

    Parameters
    ----------
    troubles : sequence of Trouble
        What is wrong now; of several of one (code, source) the first counts.
    judged : collection of str
        Sources looked at ("" the exchange itself): their open alarms that are not among the troubles are closed.
    channels : sequence of str
        Each gets one notice for all openings, one for all reminders, one for all recoveries, one for what is given up.
    given_up : mapping, optional
        By (code, source) what never came: such an alarm is closed as well, but did not recover.

    Returns
    -------
    list of Alarm
        The alarms opened, seen again or closed, as they are now.
    """
    seen: dict[tuple[str, str], Trouble] = {}
    for trouble in troubles:
        seen.setdefault((trouble.code, trouble.source), trouble)
    a = models.alarm.c
    told: dict[str, list[int]] = {"opened": [], "reminder": [], "recovered": [], "given-up": []}
    touched: list[int] = []
    with records.database.write() as connection:
        still_open = connection.execute(select(models.alarm).where(a.closed_at.is_(None))).all()
        known = {(row.code, row.source): row for row in still_open}
        for key, trouble in seen.items():
            row = known.get(key)
            if row is None:
                number = _open(connection, trouble, now)
                told["opened"].append(number)
            else:
                number = row.alarm_id
                due = now - row.told_at >= reminder
                _count(connection, row, trouble, now, due)
                told["reminder"] += [number] if due else []
            touched.append(number)
        for key, row in known.items():
            if key not in seen and row.source in judged and not _needs_a_person(row.code):
                lost = list((given_up or {}).get(key, ()))
                _close(connection, row, now, lost)
                told["given-up" if lost else "recovered"].append(row.alarm_id)
                touched.append(row.alarm_id)
        now_are = {
            row.alarm_id: Alarm(*row) for row in connection.execute(select(*COLUMNS).where(a.alarm_id.in_(touched)))
        }
        for kind, numbers in told.items():
            _put_out(connection, kind, [now_are[number] for number in numbers], now, channels)
    return [now_are[number] for number in touched]


def _needs_a_person(code: str) -> bool:
    """Whether an alarm stays until somebody looked into it."""
    kind = alarm_kinds().get(code)
    return kind is not None and kind.handled


def handle(
    records: Records, source: str, author: str, reason: str, now: datetime, channels: Sequence[str]
) -> list[Alarm]:
    """End the open alarms of a source that only a person ends; who and why stay with them and on the chain.

    Raises
    ------
    NotHandled
        No such alarm is open, or nobody says who looked into it and what came of it.
    """
    if not (author.strip() and reason.strip()):
        raise NotHandled("办结告警须写明经办人和核实结果", "who handled the alarm, and what came of it, must be told")
    a = models.alarm.c
    also = {"handled": {"author": storable(author.strip()), "reason": storable(reason.strip())}}
    with records.database.write() as connection:
        rows = connection.execute(select(models.alarm).where(a.closed_at.is_(None), a.source == source)).all()
        numbers = [row.alarm_id for row in rows if _needs_a_person(row.code)]
        if not numbers:
            raise NotHandled(f"“{source}”没有待办结的告警", f"no alarm of {source!r} waits for a person")
        for row in rows:
            if row.alarm_id in numbers:
                _ended(connection, row, now, row.detail | also, also)
        found = [Alarm(*row) for row in connection.execute(select(*COLUMNS).where(a.alarm_id.in_(numbers)))]
        _put_out(connection, "recovered", found, now, channels)
    return found


def _open(connection: Connection, trouble: Trouble, now: datetime) -> int:
    values = asdict(trouble) | _words(trouble)
    statement = insert(models.alarm).values(opened_at=now, last_at=now, told_at=now, count=1, **values)
    number = connection.execute(statement.returning(models.alarm.c.alarm_id)).scalar_one()
    _record(connection, "alarm-opened", number, trouble, now)
    return number


def _count(connection: Connection, row: Row[Any], trouble: Trouble, now: datetime, due: bool) -> None:
    values = {"severity": trouble.severity, "detail": trouble.detail, **_words(trouble)}
    connection.execute(
        update(models.alarm)
        .where(models.alarm.c.alarm_id == row.alarm_id)
        .values(last_at=now, count=models.alarm.c["count"] + 1, told_at=now if due else row.told_at, **values)
    )


def _close(connection: Connection, row: Row[Any], now: datetime, lost: list[str]) -> None:
    also = {"given_up": lost} if lost else {}
    detail = {name: value for name, value in row.detail.items() if name != "given_up"}  # what was lacking may have come
    _ended(connection, row, now, detail | also, also)


def _ended(
    connection: Connection, row: Row[Any], now: datetime, detail: Mapping[str, Any], also: Mapping[str, Any]
) -> None:
    connection.execute(
        update(models.alarm).where(models.alarm.c.alarm_id == row.alarm_id).values(closed_at=now, detail=dict(detail))
    )
    _record(connection, "alarm-closed", row.alarm_id, row, now, also)


def _record(
    connection: Connection, kind: str, number: int, told: Any, now: datetime, also: Mapping[str, Any] | None = None
) -> None:
    payload = {"alarm": number, "code": told.code, "source": told.source, "severity": told.severity, **(also or {})}
    chain.append(connection, kind, now, told.bureau or None, None, payload)


def _words(trouble: Trouble) -> dict[str, str]:
    """Give the messages storable: they quote file names and answers of strangers."""
    return {"message": storable(trouble.message), "message_en": storable(trouble.message_en)}


def _put_out(connection: Connection, kind: str, group: Sequence[Alarm], now: datetime, channels: Sequence[str]) -> None:
    if not group or not channels:
        return
    event_id = f"n-{secrets.token_hex(8)}"
    snapshot = [_as_json(alarm) for alarm in group]
    rows = [
        {"event_id": event_id, "channel": channel, "kind": kind, "made_at": now, "alarms": snapshot,
         "attempts": 0, "next_try": now, "last_error": ""}
        for channel in dict.fromkeys(channels)
    ]  # fmt: skip
    connection.execute(insert(models.notice), rows)


def _as_json(alarm: Alarm) -> dict[str, Any]:
    return {name: write_time(value) if isinstance(value, datetime) else value for name, value in asdict(alarm).items()}


def alarms(
    records: Records,
    *,
    open_only: bool = True,
    source: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[Alarm]:
    """List alarms, the newest first; with ``since`` those that were last seen or closed after it."""
    a = models.alarm.c
    query = select(*COLUMNS).order_by(a.opened_at.desc(), a.alarm_id.desc()).limit(limit)
    if open_only:
        query = query.where(a.closed_at.is_(None))
    if source is not None:
        query = query.where(a.source == source)
    if since is not None:
        query = query.where(or_(a.last_at >= since, a.closed_at >= since))
    with records.database.read() as connection:
        return [Alarm(*row) for row in connection.execute(query)]


def outbox(records: Records, now: datetime) -> list[Notice]:
    """List the notices to be handed over now, the oldest first.

    One that waits longer than any wait we give was put off before the clock was set back: it is due as well.
    """
    n = models.notice.c
    due = or_(n.next_try <= now, n.next_try > now + LONGEST_WAIT)
    query = select(models.notice).where(due).order_by(n.made_at, n.event_id, n.channel)
    with records.database.read() as connection:
        return [Notice(**row._mapping) for row in connection.execute(query)]


def delivered(records: Records, event_id: str, channel: str, now: datetime) -> None:
    """Remember that a channel took a notice."""
    n = models.notice.c
    _update(records, event_id, channel, delivered_at=now, next_try=None, attempts=n.attempts + 1, last_error="")


def not_delivered(records: Records, event_id: str, channel: str, now: datetime, error: str) -> None:
    """Put a notice off after a failed try: 1, 2, 4 … 60 minutes, given up after a week of tries."""
    n = models.notice.c
    query = select(n.made_at, n.attempts).where(n.event_id == event_id, n.channel == channel)
    with records.database.read() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return
    tries = row.attempts + 1
    given_up = now - row.made_at >= GIVE_UP_AFTER and tries >= GIVE_UP_TRIES
    wait = min(FIRST_WAIT * 2 ** min(row.attempts, 10), LONGEST_WAIT)
    _update(
        records,
        event_id,
        channel,
        attempts=tries,
        next_try=None if given_up else now + wait,
        last_error=storable(error),
    )


def _update(records: Records, event_id: str, channel: str, **values: Any) -> None:
    n = models.notice.c
    ours = (n.event_id == event_id) & (n.channel == channel) & n.delivered_at.is_(None)
    with records.database.write() as connection:
        connection.execute(update(models.notice).where(ours).values(**values))

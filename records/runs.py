"""The ledger of the night: which run did which slot, what it saw at each source, what it asked and was told.

One run per (job, slot): whoever writes the row does the slot. A run left ``running`` by a process that is gone is
taken over, not begun anew. A visit is one look of a run at one source. An item is what we know of one named thing
at a source; its hash tells news. An exchange is one HTTP request with its answer: those that brought a batch are
evidence and stay, the others may be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from records import chain, models
from records.errors import IllegalState
from records.lease import is_dead
from records.store import Records, storable

TIMETABLED = ("scheduled", "catch-up")
RECENT = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job for one slot.

    ``kind``: scheduled, catch-up, manual, backfill. ``state``: running, done, failed, coalesced.
    """

    run_id: int
    job: str
    slot: str
    kind: str
    state: str
    holder: str
    fence: int
    attempts: int
    due_at: datetime
    started_at: datetime
    finished_at: datetime | None
    summary: dict[str, Any]
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one source; ``state``: running, new, unchanged, empty, failed, skipped.

    ``arrived`` and ``batches`` grow with each arrival, whether or not the visit comes to its end.
    """

    visit_id: int
    run_id: int
    source: str
    bureau: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    code: str
    message: str
    message_en: str
    seen: int
    arrived: int
    requests: int
    bytes: int
    batches: list[str]
    skew_seconds: float | None


@dataclass(frozen=True, slots=True)
class FinishedVisit:
    """How a visit ended; ``arrived`` and ``batches`` add to what was counted as it arrived, maybe before a crash."""

    visit_id: int
    state: str
    code: str = ""
    message: str = ""
    message_en: str = ""
    seen: int = 0
    arrived: int = 0
    requests: int = 0
    bytes: int = 0
    batches: tuple[str, ...] = ()
    skew_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of one named thing at a source; ``mark`` is for whoever reads the source."""

    source: str
    name: str
    etag: str
    modified: str
    size: int
    sha256: str
    first_seen: datetime
    last_seen: datetime
    changed_at: datetime
    batches: tuple[str, ...] = ()
    mark: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request and its answer; secrets are masked before it comes here."""

    item: str
    method: str
    url: str
    at: datetime
    seconds: float
    status: int | None
    request: dict[str, str]
    answer: dict[str, str]
    bytes: int
    sha256: str | None
    error: str


# -- runs --------------------------------------------------------------------------------------------------------------


def begin_run(
    records: Records, job: str, slot: str, kind: str, due_at: datetime, now: datetime, holder: str, fence: int
) -> Run | None:
    """Take a slot, or take over a run whose process is gone; of several at once exactly one gets it.

    Returns
    -------
    Run or None
        None: the slot is over (done, failed, coalesced), or a living process has it under this or a newer fence.
        A run taken over keeps its start and has one more attempt.
    """
    r = models.run.c
    with records.database.write() as connection:
        found = connection.execute(select(models.run).where(r.job == job, r.slot == slot)).one_or_none()
        if found is None:
            values = {
                "job": job, "slot": slot, "kind": kind, "state": "running", "holder": holder, "fence": fence,
                "attempts": 1, "due_at": due_at, "started_at": now, "summary": {},
            }  # fmt: skip
            run_id = connection.execute(insert(models.run).values(values).returning(r.run_id)).scalar_one()
        elif found.state == "running" and _is_left(found, fence):
            run_id = found.run_id
            connection.execute(
                update(models.run)
                .where(r.run_id == run_id)
                .values(holder=holder, fence=fence, attempts=found.attempts + 1)
            )
        else:
            return None
        return _run(connection, run_id)


def _is_left(row: Row[Any], fence: int) -> bool:
    """Tell whether nobody works on a running run any more."""
    return row.fence < fence or (row.fence == fence and is_dead(row.holder))


def finish_run(
    records: Records,
    run_id: int,
    state: str,
    now: datetime,
    summary: Mapping[str, Any],
    error: Mapping[str, Any] | None = None,
) -> Run:
    """End a run, with an event; a run ended before stays as it ended.

    Raises
    ------
    IllegalState
        There is no such run.
    """
    with records.database.write() as connection:
        run = _run(connection, run_id)
        if run.state != "running":
            return run
        ended = {"state": state, "finished_at": now, "summary": dict(summary), "error": dict(error) if error else None}
        connection.execute(update(models.run).where(models.run.c.run_id == run_id).values(ended))
        payload = {name: getattr(run, name) for name in ("run_id", "job", "slot", "kind", "attempts")}
        payload |= {"state": state, "summary": _exact(summary), "error": (error or {}).get("code")}
        chain.append(connection, "run", now, payload=payload)
        return _run(connection, run_id)


def coalesce(records: Records, job: str, slots: Sequence[tuple[str, datetime]], into: int, now: datetime) -> None:
    """Write down that missed slots are done by one run; slots that have a row of their own stay as they are."""
    r = models.run.c
    with records.database.write() as connection:
        known = set(connection.execute(select(r.slot).where(r.job == job)).scalars())
        missed = [(slot, due_at) for slot, due_at in dict(slots).items() if slot not in known]
        if not missed:
            return
        rows = [
            {"job": job, "slot": slot, "kind": "scheduled", "state": "coalesced", "holder": "", "fence": 0,
             "attempts": 0, "due_at": due_at, "started_at": now, "finished_at": now, "summary": {"into": into}}
            for slot, due_at in missed
        ]  # fmt: skip
        connection.execute(insert(models.run), rows)
        payload = {"job": job, "into": into, "slots": len(missed), "first": missed[0][0], "last": missed[-1][0]}
        chain.append(connection, "coalesced", now, payload=payload)


def interrupted(records: Records, fence: int) -> list[Run]:
    """List the runs that a holder of this fence finds left unfinished, the oldest first."""
    r = models.run.c
    with records.database.read() as connection:
        rows = connection.execute(select(models.run).where(r.state == "running").order_by(r.due_at, r.run_id)).all()
    return [Run(**row._mapping) for row in rows if _is_left(row, fence)]


def runs(records: Records, job: str | None = None, limit: int | None = 50, since: datetime | None = None) -> list[Run]:
    """List runs due since then, the newest first."""
    r = models.run.c
    query = select(models.run).order_by(r.due_at.desc(), r.run_id.desc()).limit(limit)
    if job is not None:
        query = query.where(r.job == job)
    if since is not None:
        query = query.where(r.due_at >= since)
    with records.database.read() as connection:
        return [Run(**row._mapping) for row in connection.execute(query)]


def newest_slot(records: Records, job: str) -> str | None:
    """Give the newest slot of the timetable that the ledger has, whatever became of it."""
    r = models.run.c
    query = select(r.slot).where(r.job == job, r.kind.in_(TIMETABLED)).order_by(r.due_at.desc(), r.slot.desc())
    with records.database.read() as connection:
        return connection.execute(query.limit(1)).scalar_one_or_none()


def _run(connection: Connection, run_id: int) -> Run:
    row = connection.execute(select(models.run).where(models.run.c.run_id == run_id)).one_or_none()
    if row is None:
        raise IllegalState(f"没有第 {run_id} 次运行", f"there is no run {run_id}")
    return Run(**row._mapping)


def _exact(value: Any) -> Any:
    """Make a summary fit for the chain, which knows no fractions: they become text."""
    if isinstance(value, Mapping):
        return {str(key): _exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(inner) for inner in value]
    return str(value) if isinstance(value, float) else value


# -- visits ------------------------------------------------------------------------------------------------------------


def begin_visits(records: Records, run_id: int, sources: Sequence[tuple[str, str]], now: datetime) -> dict[str, Visit]:
    """Begin the visits of a run, given as (source, bureau); those a crash left come back as they are."""
    v = models.visit.c
    query = select(models.visit).where(v.run_id == run_id)
    blank = {
        "run_id": run_id, "started_at": now, "state": "running", "code": "", "message": "", "message_en": "",
        "seen": 0, "arrived": 0, "requests": 0, "bytes": 0, "batches": [],
    }  # fmt: skip
    with records.database.write() as connection:
        known = {row.source for row in connection.execute(query)}
        rows = [{**blank, "source": key, "bureau": bureau} for key, bureau in dict(sources).items() if key not in known]
        if rows:
            connection.execute(insert(models.visit), rows)
        there = {row.source: Visit(**row._mapping) for row in connection.execute(query)}
    return {key: there[key] for key, _ in sources}


def finish_visits(records: Records, finished: Sequence[FinishedVisit], now: datetime) -> None:
    """End many visits in one transaction."""
    if not finished:
        return
    names = [each.name for each in fields(FinishedVisit) if each.name != "visit_id"]
    v = models.visit.c
    statement = (
        update(models.visit)
        .where(v.visit_id == bindparam("which"))
        .values(finished_at=now, **{name: bindparam(f"new_{name}") for name in names})
    )
    counted = select(v.visit_id, v.arrived, v.batches).where(v.visit_id.in_([each.visit_id for each in finished]))
    with records.database.write() as connection:
        before = {row.visit_id: (row.arrived, row.batches) for row in connection.execute(counted)}
        rows = []
        for each in finished:
            arrived, batches = before[each.visit_id]
            row = {f"new_{name}": getattr(each, name) for name in names}
            row["new_arrived"] = max(arrived, each.arrived)
            row["new_batches"] = list(dict.fromkeys([*batches, *each.batches]))
            rows.append({"which": each.visit_id, **row})
        connection.execute(statement, rows)


def visits(
    records: Records,
    *,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    run_id: int | None = None,
    limit: int | None = None,
) -> list[Visit]:
    """List visits begun in ``[since, until)``, the newest first."""
    v = models.visit.c
    query = select(models.visit).order_by(v.started_at.desc(), v.visit_id.desc()).limit(limit)
    if source is not None:
        query = query.where(v.source == source)
    if since is not None:
        query = query.where(v.started_at >= since)
    if until is not None:
        query = query.where(v.started_at < until)
    if run_id is not None:
        query = query.where(v.run_id == run_id)
    with records.database.read() as connection:
        return [Visit(**row._mapping) for row in connection.execute(query)]


# -- items and exchanges -----------------------------------------------------------------------------------------------


def items(records: Records, source: str) -> dict[str, Item]:
    """Give what is known of the items of a source, by name."""
    return _items(records, source).get(source, {})


def all_items(records: Records) -> dict[str, dict[str, Item]]:
    """Give what is known of all items, by source and name, in one query for the whole night."""
    return _items(records)


def _items(records: Records, source: str | None = None) -> dict[str, dict[str, Item]]:
    query = select(models.item).order_by(models.item.c.source, models.item.c.name)
    if source is not None:
        query = query.where(models.item.c.source == source)
    found: dict[str, dict[str, Item]] = {}
    with records.database.read() as connection:
        for row in connection.execute(query):
            values = dict(row._mapping)
            values["batches"] = tuple(values["batches"])
            found.setdefault(row.source, {})[row.name] = Item(**values)
    return found


def save_arrival(
    records: Records, visit: Visit, item: Item, exchanges: Sequence[Exchange], batches: Sequence[str], now: datetime
) -> None:
    """Remember what arrived, once it was acknowledged: the item, how it came, which batches it became; with an event.

    Asked before that, a crash between would lose the file: its hash would be known and nobody would have it.
    """
    kept = replace(item, batches=tuple(batches))
    v = models.visit.c
    with records.database.write() as connection:
        _save_items(connection, [kept])
        numbers = _save_exchanges(connection, [(visit.visit_id, each) for each in exchanges])
        links = [{"batch_id": batch_id, "exchange_id": number} for batch_id in set(batches) for number in numbers]
        if links:
            connection.execute(insert(models.exchange_batch), links)
        before = connection.execute(select(v.batches).where(v.visit_id == visit.visit_id)).scalar_one()
        connection.execute(
            update(models.visit)
            .where(v.visit_id == visit.visit_id)
            .values(arrived=v.arrived + 1, batches=list(dict.fromkeys([*before, *batches])))
        )
        last = exchanges[-1] if exchanges else None
        payload = {
            "source": item.source,
            "item": storable(item.name),
            "sha256": item.sha256,
            "bytes": item.size,
            "batches": list(batches),
            "url": storable(last.url) if last else None,
            "status": last.status if last else None,
        }
        only = batches[0] if len(batches) == 1 else None
        chain.append(connection, "fetched", now, visit.bureau, only, payload)


def save_looks(
    records: Records, looks: Sequence[tuple[Visit, Sequence[Item], Sequence[Exchange]]], now: datetime
) -> None:
    """Remember looks that brought nothing new, many visits in one transaction: items seen, exchanges without arrival.

    The items are kept as given, seen at ``now``.
    """
    with records.database.write() as connection:
        _save_items(connection, [replace(item, last_seen=now) for _, seen, _ in looks for item in seen])
        _save_exchanges(connection, [(visit.visit_id, each) for visit, _, made in looks for each in made])


def _save_items(connection: Connection, found: Iterable[Item]) -> None:
    i = models.item.c
    texts = ("name", "etag", "modified")
    rows = {
        (item.source, storable(item.name)): asdict(item)
        | {name: storable(getattr(item, name)) for name in texts}
        | {"batches": list(item.batches)}
        for item in found
    }
    if not rows:
        return
    where = delete(models.item).where(i.source == bindparam("of"), i.name == bindparam("named"))
    connection.execute(where, [{"of": source, "named": name} for source, name in rows])
    connection.execute(insert(models.item), list(rows.values()))


def _save_exchanges(connection: Connection, made: Sequence[tuple[int, Exchange]]) -> list[int]:
    texts = ("item", "url", "error")
    rows = [
        {"visit_id": visit_id} | asdict(each) | {name: storable(getattr(each, name)) for name in texts}
        for visit_id, each in made
    ]
    if not rows:
        return []
    statement = insert(models.exchange).returning(models.exchange.c.exchange_id, sort_by_parameter_order=True)
    return list(connection.execute(statement, rows).scalars())


def exchanges(records: Records, *, batch_id: str | None = None, visit_id: int | None = None) -> list[Exchange]:
    """List exchanges in order: those that brought a batch, or those of a visit."""
    e, link = models.exchange.c, models.exchange_batch.c
    query = select(*(e[each.name] for each in fields(Exchange))).order_by(e.exchange_id)
    if batch_id is not None:
        query = query.join(models.exchange_batch, link.exchange_id == e.exchange_id).where(link.batch_id == batch_id)
    if visit_id is not None:
        query = query.where(e.visit_id == visit_id)
    with records.database.read() as connection:
        return [Exchange(**row._mapping) for row in connection.execute(query)]


def forget_exchanges(records: Records, before: datetime) -> int:
    """Remove exchanges older than this that brought no batch; gives how many. Those that did are evidence."""
    e = models.exchange.c
    evidence = select(models.exchange_batch.c.exchange_id)
    with records.database.write() as connection:
        gone = connection.execute(delete(models.exchange).where(e.at < before, e.exchange_id.not_in(evidence)))
        return gone.rowcount


def clock_ahead(records: Records, now: datetime) -> float:
    """Tell by how many seconds the newest events lie in the future; 0 if none does.

    The last thousand events are looked at, not the very last: it may have been stamped after the clock was set back.
    """
    e = models.event.c
    newest = select(e.at).order_by(e.seq.desc()).limit(RECENT).subquery()
    with records.database.read() as connection:
        latest = connection.execute(select(func.max(newest.c.at))).scalar_one_or_none()
    return 0.0 if latest is None else max(0.0, (latest - now).total_seconds())

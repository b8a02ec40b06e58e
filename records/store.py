"""The door to the records: batches on their road, the order of publications, data files, verdicts, events.

Every method is one transaction; what it returns is durable. A change and its event on the chain are written
together or not at all. Times are arguments, aware, and come from the caller's clock.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError

from records import chain, models
from records.chain import ChainPosition, Event
from records.database import Database
from records.errors import IllegalState, UnknownBatch

CHINA = timezone(timedelta(hours=8))
MICROSECOND = timedelta(microseconds=1)
MOVES: dict[str, frozenset[str]] = {
    "received": frozenset({"read", "refused"}),
    "read": frozenset({"judged", "refused"}),
    "judged": frozenset({"published", "held", "refused"}),
    "held": frozenset({"judged", "published", "refused"}),
    "published": frozenset(),
    "refused": frozenset(),
}
UNFINISHED = ("received", "read", "judged")
AWAITED, APPROVED, RETURNED = "awaited", "approved", "returned"
"""What ``review`` says of a batch a second person looks at; blank where nobody has to."""
FIELDS = frozenset(
    {"dataset", "layout", "encoding", "rules_hash", "rows", "results", "tables", "normalised", "error", "covers"}
)
TELLING = ("dataset", "layout", "encoding", "rules_hash", "rows", "results", "tables")


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What is remembered of one batch; ``sequence`` and ``recorded_at`` only once its publication began.

    ``covers`` tells by China day of the sample time: results read, results published, and the hours (bit h: a
    published result begins in hour h); it is empty for data without a sample time.
    """

    batch_id: str
    receipt_number: str
    bureau: str
    file_name: str
    sha256: str
    sm3: str
    bytes: int
    received_at: datetime
    state: str
    dataset: str | None
    layout: str | None
    encoding: str | None
    rules_hash: str
    rows: dict[str, int]
    results: dict[str, int]
    tables: list[dict[str, Any]]
    normalised: list[dict[str, Any]]
    error: dict[str, Any] | None
    container_sha256: str | None
    submitted_by: str
    dataset_asked: str | None
    layout_asked: str | None
    covers: dict[str, list[int]]
    recorded_at: datetime | None
    sequence: int | None
    review: str = ""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A batch came into a state."""

    state: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Publication:
    """The place of a batch in the order of publications; ``finished_at`` is None until its tables are out."""

    batch_id: str
    sequence: int
    recorded_at: datetime
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file of a shared table, with the hash the nightly scrub compares."""

    table: str
    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class TableVersion:
    """What one batch did to one shared table."""

    table: str
    batch_id: str
    version: int
    added: int
    corrected: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """One judgement of a batch under one edition of the rules."""

    batch_id: str
    rules_hash: str
    judged_at: datetime
    rows: dict[str, int]
    results: dict[str, int]
    findings_path: str | None


class Records:
    """The records of one exchange."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Records:
        """Open the database at an SQLAlchemy address; ``create`` makes it or brings it up to date."""
        return cls(Database.open(url, create=create))

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- batches ---------------------------------------------------------------------------------------------

    def receive(
        self,
        bureau: str,
        file_name: str,
        sha256: str,
        sm3: str,
        size: int,
        now: datetime,
        submitted_by: str,
        rules_hash: str,
        dataset: str | None = None,
        layout_asked: str | None = None,
        container_sha256: str | None = None,
    ) -> tuple[BatchRecord, bool]:
        """Take a file in and acknowledge it: when this returns, the receipt survives any crash.

        The same bytes from the same bureau give the batch they gave before, and True, unless something of that batch
        was refused and the rules (or the waivers) have changed since.

        Returns
        -------
        (BatchRecord, bool)
            The batch, and whether it is a repeat.
        """
        for _ in range(5):
            try:
                with self.database.write() as connection:
                    return self.receive_within(
                        connection, bureau, file_name, sha256, sm3, size, now, submitted_by, rules_hash, dataset,
                        layout_asked, container_sha256,
                    )  # fmt: skip
            except IntegrityError:  # the unique constraint caught a twin or a number drawn twice: look again
                continue
        raise RuntimeError(f"no free batch number for {sha256} of {bureau}")

    def receive_within(
        self,
        connection: Connection,
        bureau: str,
        file_name: str,
        sha256: str,
        sm3: str,
        size: int,
        now: datetime,
        submitted_by: str,
        rules_hash: str,
        dataset: str | None = None,
        layout_asked: str | None = None,
        container_sha256: str | None = None,
        review: str = "",
    ) -> tuple[BatchRecord, bool]:
        """Take a file in, as :meth:`receive` does, inside the caller's transaction.

        With ``review`` :data:`AWAITED` the batch stays where it is until a second person decides.
        """
        for row in self._same_bytes(connection, bureau, sha256, dataset):
            stopped = row.state == "refused" or (row.results or {}).get("quarantined", 0) > 0
            if (row.rules_hash == rules_hash and row.review != RETURNED) or not stopped:
                payload = {"submitted_by": submitted_by}
                chain.append(connection, "repeated", now, bureau, row.batch_id, payload)
                return _record(row), True
        batch_id = self._insert_batch(
            connection,
            bureau=bureau,
            file_name=storable(file_name),
            sha256=sha256,
            sm3=sm3,
            bytes=size,
            received_at=now,
            dataset_asked=dataset or "",
            dataset=dataset,
            layout_asked=layout_asked or "",
            rules_hash=rules_hash,
            container_sha256=container_sha256,
            submitted_by=submitted_by,
            review=review,
        )
        return _record(_one(connection, batch_id)), False

    def _same_bytes(self, connection: Connection, bureau: str, sha256: str, dataset: str | None) -> Sequence[Row[Any]]:
        b = models.batch.c
        same = b.dataset_asked == (dataset or "")
        if dataset is None:
            fits = or_(same, b.state != "refused")
        else:
            fits = or_(same, (b.state != "refused") & (b.dataset == dataset))
        query = _batches().where(b.bureau == bureau, b.sha256 == sha256, fits)
        return connection.execute(query.order_by(b.received_at.desc(), b.attempt.desc())).all()

    def _insert_batch(self, connection: Connection, **values: Any) -> str:
        b = models.batch.c
        now: datetime = values["received_at"]
        day = now.astimezone(CHINA).strftime("%Y%m%d")
        batch_id = f"b-{day}-{secrets.token_hex(6)}"
        number = base64.b32encode(secrets.token_bytes(7)).decode()[:10]
        attempts = select(func.count()).where(
            b.bureau == values["bureau"], b.sha256 == values["sha256"], b.dataset_asked == values["dataset_asked"]
        )
        connection.execute(
            insert(models.batch).values(
                batch_id=batch_id,
                receipt_number=f"R{values['bureau']}-{day}-{number}",
                state="received",
                attempt=connection.execute(attempts).scalar_one() + 1,
                rows={},
                results={},
                tables=[],
                normalised=[],
                covers={},
                **values,
            )
        )
        connection.execute(insert(models.batch_state).values(batch_id=batch_id, state="received", at=now))
        told = ("sha256", "sm3", "bytes", "rules_hash", "dataset", "submitted_by", "container_sha256")
        payload = {name: values[name] for name in told if values[name] is not None}
        if values["layout_asked"]:
            payload["layout_asked"] = values["layout_asked"]
        payload["receipt"] = f"R{values['bureau']}-{day}-{number}"
        chain.append(connection, "received", now, values["bureau"], batch_id, payload)
        return batch_id

    def advance(self, batch_id: str, state: str, now: datetime, **fields: Any) -> BatchRecord:
        """Bring a batch into its next state, with what is now known of it.

        The same state again changes nothing, except that an unfinished batch taken up again may bring other
        facts (read or judged again after a crash under new rules): then they are kept, with an event.

        Raises
        ------
        UnknownBatch, IllegalState
        """
        with self.database.write() as connection:
            return self._advance(connection, batch_id, state, now, fields)

    def decide_within(
        self, connection: Connection, batch_id: str, review: str, now: datetime, error: Mapping[str, Any] | None = None
    ) -> BatchRecord:
        """Write what a second person decided on a batch, inside the caller's transaction; with an error it is refused."""
        b = models.batch.c
        connection.execute(update(models.batch).where(b.batch_id == batch_id).values(review=review))
        if error is not None:
            return self._advance(connection, batch_id, "refused", now, {"error": dict(error)})
        return _record(_one(connection, batch_id))

    def _advance(
        self, connection: Connection, batch_id: str, state: str, now: datetime, fields: Mapping[str, Any]
    ) -> BatchRecord:
        if unknown := fields.keys() - FIELDS:
            raise TypeError(f"a batch has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(FIELDS))}")
        row = _one(connection, batch_id)
        again = row.state == state
        if again and (state not in UNFINISHED or all(getattr(row, name) == fields[name] for name in fields)):
            return _record(row)
        if not again and state not in MOVES[row.state]:
            raise IllegalState(
                f"批次 {batch_id} 现为 {row.state}，不能变为 {state}",
                f"batch {batch_id} is {row.state} and cannot become {state}",
            )
        connection.execute(
            update(models.batch).where(models.batch.c.batch_id == batch_id).values(state=state, **fields)
        )
        if not again:
            connection.execute(insert(models.batch_state).values(batch_id=batch_id, state=state, at=now))
        payload = {name: fields[name] for name in TELLING if fields.get(name) is not None}
        if fields.get("error"):
            payload["error"] = fields["error"].get("code")
        chain.append(connection, state, now, row.bureau, batch_id, payload)
        return _record(_one(connection, batch_id))

    def batch(self, number: str) -> BatchRecord:
        """Find a batch by its id or its receipt number.

        Raises
        ------
        UnknownBatch
        """
        with self.database.read() as connection:
            return _record(_one(connection, number))

    def batches(self, bureau: str | None = None, limit: int | None = 50, state: str | None = None) -> list[BatchRecord]:
        """List batches, the newest first."""
        b = models.batch.c
        query = _batches().order_by(b.received_at.desc(), b.batch_id.desc()).limit(limit)
        if bureau is not None:
            query = query.where(b.bureau == bureau)
        if state is not None:
            query = query.where(b.state == state)
        return self._read_batches(query)

    def batches_of_hash(self, sha256: str, bureau: str | None = None) -> list[BatchRecord]:
        """List the batches made from the same bytes, the newest first."""
        b = models.batch.c
        query = _batches().where(b.sha256 == sha256).order_by(b.received_at.desc(), b.attempt.desc())
        return self._read_batches(query if bureau is None else query.where(b.bureau == bureau))

    def batches_between(self, since: datetime, until: datetime, submitted_by_prefix: str = "") -> list[BatchRecord]:
        """List the batches received in ``[since, until)`` by whose name begins so, the oldest first."""
        b = models.batch.c
        query = _batches().where(b.received_at >= since, b.received_at < until).order_by(b.received_at, b.batch_id)
        if submitted_by_prefix:
            query = query.where(b.submitted_by.startswith(submitted_by_prefix, autoescape=True))
        return self._read_batches(query)

    def unfinished(self) -> list[BatchRecord]:
        """List the batches a crash may have left on the road, the oldest first; not those that wait for a person."""
        b = models.batch.c
        left = _batches().where(b.state.in_(UNFINISHED), b.review != AWAITED)
        return self._read_batches(left.order_by(b.received_at, b.batch_id))

    def _read_batches(self, query: Any) -> list[BatchRecord]:
        with self.database.read() as connection:
            return [_record(row) for row in connection.execute(query)]

    def states(self, batch_id: str) -> list[StateChange]:
        """List the states a batch went through, in order."""
        s = models.batch_state.c
        with self.database.read() as connection:
            query = select(s.state, s.at).where(s.batch_id == batch_id).order_by(s.id)
            return [StateChange(row.state, row.at) for row in connection.execute(query)]

    # -- publications ----------------------------------------------------------------------------------------

    def begin_publication(self, batch_id: str, now: datetime) -> Publication:
        """Give a judged batch its place in the order of publications; asked again, the same place.

        ``recorded_at`` is later than that of every earlier publication, whatever the clock does.
        """
        p = models.publication.c
        with self.database.write() as connection:
            row = _one(connection, batch_id)
            found = connection.execute(select(models.publication).where(p.batch_id == batch_id)).one_or_none()
            if found is not None:
                return Publication(*found)
            if "published" not in MOVES[row.state]:
                raise IllegalState(
                    f"批次 {batch_id} 现为 {row.state}，尚不能发布",
                    f"batch {batch_id} is {row.state} and cannot be published",
                )
            last, at = connection.execute(select(func.max(p.sequence), func.max(p.recorded_at))).one()
            recorded_at = now.astimezone(UTC) if at is None else max(now.astimezone(UTC), at + MICROSECOND)
            sequence = (last or 0) + 1
            connection.execute(
                insert(models.publication).values(batch_id=batch_id, sequence=sequence, recorded_at=recorded_at)
            )
            return Publication(batch_id, sequence, recorded_at)

    def finish_publication(
        self,
        batch_id: str,
        tables: Iterable[Mapping[str, Any]],
        files: Iterable[DataFile],
        now: datetime,
        retired: Iterable[tuple[str, str]] = (),
        **fields: Any,
    ) -> BatchRecord:
        """Record what a publication wrote and bring its batch to ``published``; asked again, nothing changes.

        Parameters
        ----------
        tables : iterable of mapping
            ``table``, ``version``, ``added``, ``corrected``, ``unchanged``.
        files : iterable of DataFile
            Data files written.
        retired : iterable of (table, path)
            Data files no longer part of the newest version.
        **fields
            As for :meth:`advance`.
        """
        entries = [dict(entry) for entry in tables]
        p = models.publication.c
        with self.database.write() as connection:
            row = _one(connection, batch_id)
            if row.state == "published":
                return _record(row)
            if row.sequence is None:
                raise IllegalState(
                    f"批次 {batch_id} 尚未开始发布", f"the publication of batch {batch_id} was never begun"
                )
            for entry in entries:
                connection.execute(
                    insert(models.table_version).values(
                        table_name=entry["table"],
                        batch_id=batch_id,
                        **{name: entry[name] for name in ("version", "added", "corrected", "unchanged")},
                    )
                )
            _add_files(connection, files, now, batch_id)
            _retire_files(connection, retired, now)
            connection.execute(update(models.publication).where(p.batch_id == batch_id).values(finished_at=now))
            return self._advance(connection, batch_id, "published", now, {**fields, "tables": entries})

    def publications(self, after: int = 0, *, unfinished: bool = False) -> list[Publication]:
        """List the finished publications after a sequence number, in order; on request the begun ones too."""
        p = models.publication.c
        query = select(models.publication).where(p.sequence > after).order_by(p.sequence)
        if not unfinished:
            query = query.where(p.finished_at.is_not(None))
        with self.database.read() as connection:
            return [Publication(*row) for row in connection.execute(query)]

    def table_versions(self, table: str | None = None, batch_id: str | None = None) -> list[TableVersion]:
        """List what publications did to the tables, in the order of publication."""
        t, p = models.table_version.c, models.publication.c
        query = (
            select(t.table_name, t.batch_id, t.version, t.added, t.corrected, t.unchanged)
            .join(models.publication, p.batch_id == t.batch_id)
            .order_by(p.sequence, t.table_name)
        )
        if table is not None:
            query = query.where(t.table_name == table)
        if batch_id is not None:
            query = query.where(t.batch_id == batch_id)
        with self.database.read() as connection:
            return [TableVersion(*row) for row in connection.execute(query)]

    # -- data files ------------------------------------------------------------------------------------------

    def files(self, table: str | None = None, *, retired: bool = False) -> list[DataFile]:
        """List the data files in use, by table and path; on request the retired ones too."""
        f = models.data_file.c
        query = select(f.table_name, f.path, f.sha256, f.bytes).order_by(f.table_name, f.path)
        if table is not None:
            query = query.where(f.table_name == table)
        if not retired:
            query = query.where(f.retired_at.is_(None))
        with self.database.read() as connection:
            return [DataFile(*row) for row in connection.execute(query)]

    def add_files(self, files: Iterable[DataFile], now: datetime, batch_id: str | None = None) -> None:
        """Remember data files (after a rebuild or a compaction); a known path is brought up to date."""
        with self.database.write() as connection:
            _add_files(connection, files, now, batch_id)

    def retire_files(self, files: Iterable[tuple[str, str]], now: datetime) -> None:
        """Mark data files, given as (table, path), as no longer part of the newest version."""
        with self.database.write() as connection:
            _retire_files(connection, files, now)

    # -- verdicts --------------------------------------------------------------------------------------------

    def add_verdict(
        self,
        batch_id: str,
        rules_hash: str,
        now: datetime,
        rows: Mapping[str, int],
        results: Mapping[str, int],
        findings_path: str | None = None,
    ) -> None:
        """Keep a judgement; the one of other rules stays beside it, the one of the same rules is replaced."""
        v = models.verdict.c
        with self.database.write() as connection:
            row = _one(connection, batch_id)
            found = connection.execute(
                select(v.rows, v.results).where(v.batch_id == batch_id, v.rules_hash == rules_hash)
            ).one_or_none()
            if found is not None and tuple(found) == (rows, results):
                return
            connection.execute(delete(models.verdict).where(v.batch_id == batch_id, v.rules_hash == rules_hash))
            connection.execute(
                insert(models.verdict).values(
                    batch_id=batch_id,
                    rules_hash=rules_hash,
                    judged_at=now,
                    rows=dict(rows),
                    results=dict(results),
                    findings_path=findings_path,
                )
            )
            payload = {"rules_hash": rules_hash, "rows": dict(rows), "results": dict(results)}
            chain.append(connection, "verdict", now, row.bureau, batch_id, payload)

    def verdicts(self, batch_id: str) -> list[VerdictRecord]:
        """List the judgements of a batch, the oldest first."""
        v = models.verdict.c
        with self.database.read() as connection:
            query = select(models.verdict).where(v.batch_id == batch_id).order_by(v.judged_at, v.rules_hash)
            return [VerdictRecord(*row) for row in connection.execute(query)]

    # -- events ----------------------------------------------------------------------------------------------

    def append(
        self,
        kind: str,
        now: datetime,
        bureau: str | None = None,
        batch_id: str | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> ChainPosition:
        """Append an event of its own to the chain (a look-up, a change of settings)."""
        with self.database.write() as connection:
            return chain.append(connection, kind, now, bureau, batch_id, payload)

    def events(self, after: int = 0, limit: int | None = 1000, batch_id: str | None = None) -> list[Event]:
        """List events after a number, in order."""
        e = models.event.c
        query = select(models.event).where(e.seq > after).order_by(e.seq).limit(limit)
        if batch_id is not None:
            query = query.where(e.batch_id == batch_id)
        with self.database.read() as connection:
            return [Event(*row) for row in connection.execute(query)]

    def head(self) -> ChainPosition:
        """Where the chain ends; before the first event, number 0."""
        h = models.chain_head.c
        with self.database.read() as connection:
            return ChainPosition(*connection.execute(select(h.seq, h.sha256, h.sm3)).one())

    def position(self, batch_id: str) -> ChainPosition:
        """Where the newest state of a batch stands on the chain; repeats do not move it."""
        return self.batch_on_chain(batch_id)[1]

    def batch_on_chain(self, number: str) -> tuple[BatchRecord, ChainPosition]:
        """Find a batch and the place of its newest state on the chain, both of the same moment."""
        e = models.event.c
        with self.database.read() as connection:
            row = _one(connection, number)
            query = select(e.seq, e.sha256, e.sm3).where(e.batch_id == row.batch_id, e.kind.in_(MOVES))
            place = connection.execute(query.order_by(e.seq.desc()).limit(1)).one()
            return _record(row), ChainPosition(*place)

    def integrity(self) -> list[str]:
        """Ask an SQLite database whether it is whole; an empty list means it is (or is not SQLite)."""
        if self.database.engine.dialect.name != "sqlite":
            return []
        try:
            with self.database.read() as connection:
                said = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check"))]
                keys = [f"foreign key: {tuple(row)}" for row in connection.execute(text("PRAGMA foreign_key_check"))]
        except DatabaseError as error:  # too damaged even for the check
            return [str(error.orig)]
        return [word for word in said if word != "ok"] + keys


def storable(name: str) -> str:
    """Make a file name storable: undecodable bytes and NUL, which no database takes, become escapes."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _batches() -> Any:
    b, p = models.batch.c, models.publication.c
    return select(models.batch, p.recorded_at, p.sequence).outerjoin(models.publication, p.batch_id == b.batch_id)


def _one(connection: Connection, number: str) -> Row[Any]:
    b = models.batch.c
    row = connection.execute(_batches().where(or_(b.batch_id == number, b.receipt_number == number))).one_or_none()
    if row is None:
        raise UnknownBatch(f"没有批次或回执 {number}", f"there is no batch or receipt {number}")
    return row


def _record(row: Row[Any]) -> BatchRecord:
    values = dict(row._mapping)
    del values["attempt"]
    for asked in ("dataset_asked", "layout_asked"):
        values[asked] = values[asked] or None
    values["covers"] = values["covers"] or {}
    return BatchRecord(**values)


def _add_files(connection: Connection, files: Iterable[DataFile], now: datetime, batch_id: str | None) -> None:
    f = models.data_file.c
    rows = [
        {"table_name": file.table, "path": file.path, "sha256": file.sha256, "bytes": file.bytes,
         "batch_id": batch_id, "added_at": now, "retired_at": None}
        for file in files
    ]  # fmt: skip
    for row in rows:
        connection.execute(delete(models.data_file).where(f.table_name == row["table_name"], f.path == row["path"]))
    if rows:
        connection.execute(insert(models.data_file), rows)


def _retire_files(connection: Connection, files: Iterable[tuple[str, str]], now: datetime) -> None:
    f = models.data_file.c
    for table, path in files:
        connection.execute(
            update(models.data_file)
            .where(f.table_name == table, f.path == path, f.retired_at.is_(None))
            .values(retired_at=now)
        )

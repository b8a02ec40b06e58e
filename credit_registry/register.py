"""The register as it is asked: everything both bureaus published on one enterprise, as known at an instant.

It reads the file that :mod:`credit_registry.store` built; that file never changes, so any number of readers share it
and one that holds it open keeps it when a newer one takes its place.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from credit_registry.dossier import (
    Borne,
    Dossier,
    Name,
    Penalty,
    Rating,
    names_of,
    signs_of_penalties,
    signs_of_ratings,
)
from credit_registry.errors import DamagedRegister, NoRegister
from records.credit import Message
from schemas.files import fold
from schemas.identifiers import read_uscc

__all__ = ["Dossier", "Name", "Penalty", "Rating", "Register", "SourceState", "current"]

FILE = "register.db"
EDITION = 1
"""Of the file's layout; a register of another edition is built anew."""

CURRENT = "current"
RATING_COLUMNS = tuple(field.name for field in fields(Rating))
PENALTY_COLUMNS = tuple(field.name for field in fields(Penalty))
NAME_COLUMNS = ("name", "since", "bureau", "source", "recorded_from")
DATES = {"published_date", "valid_until", "act_date", "decision_date", "since"}
INSTANTS = {"recorded_from", "recorded_until"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant, exactly."""
    return (at - EPOCH) // MICROSECOND


def instant(at: int) -> datetime:
    """Read what :func:`micros` wrote."""
    return EPOCH + at * MICROSECOND


def current(folder: Path) -> Path | None:
    """Find the register in use below the folder they are built in."""
    built = (folder / CURRENT).resolve()
    return built if (built / FILE).is_file() else None


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a bureau has in one shared table: its current rows, and when it last changed anything."""

    bureau: str
    table: str
    last_recorded: datetime
    rows: int


class Register:
    """An opened register; it stays at what it was when opened. Any thread may ask it."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._one_at_a_time = threading.Lock()
        self._first: dict[tuple[str, str], datetime] | None = None
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        if json.loads(meta["editions"])["register"] != EDITION:
            raise ValueError(f"edition {meta['editions']}")
        self.version = str(meta["version"])
        self.made_at = datetime.fromisoformat(meta["made_at"])

    @classmethod
    def open(cls, folder: Path) -> Register:
        """Open the register in use.

        Parameters
        ----------
        folder : Path
            Where :func:`credit_registry.store.build` builds; what is opened stands as ``register.folder``.

        Raises
        ------
        NoRegister, DamagedRegister
        """
        built = current(folder)
        if built is None:
            raise NoRegister(
                "还没有建立信用库，请先运行 gongzhi credit refresh",
                "no register was built yet; run gongzhi credit refresh",
            )
        address = f"{(built / FILE).as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        try:
            return cls(built, connection)
        except (sqlite3.Error, KeyError, ValueError) as error:
            connection.close()
            raise DamagedRegister(
                f"信用库文件 {built.name} 无法读取：{error}；请运行 gongzhi credit refresh --force 重建",
                f"the register {built.name} cannot be read: {error}; run gongzhi credit refresh --force",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def sources(self) -> list[SourceState]:
        """Say what each bureau has in each table; a bureau that is not here sent nothing at all."""
        rows = self._ask("SELECT bureau, tbl, last_recorded, rows FROM source ORDER BY bureau, tbl")
        return [SourceState(bureau, table, instant(at), count) for bureau, table, at, count in rows]

    def first_recorded(self) -> dict[tuple[str, str], datetime]:
        """Say when each bureau's first row of each table was recorded: before that nothing is known of it."""
        if self._first is None:
            found = {}
            for table, own in (
                ("credit_rating", "rating"),
                ("penalty_decision", "penalty"),
                ("enterprise_name", "name"),
            ):
                for bureau, at in self._ask(f"SELECT bureau, min(recorded_from) FROM {own} GROUP BY bureau"):
                    found[bureau, table] = instant(at)
            self._first = found
        return self._first

    def dossier(
        self, uscc_or_subject: str, known: datetime | None = None, messages: Iterable[Message] = ()
    ) -> Dossier | None:
        """Gather all that is held on one subject; None where nothing is.

        Parameters
        ----------
        uscc_or_subject : str
            The code, or the name where the source has no code. A name is never taken for the code behind it.
        known : datetime, optional
            As known then: rows recorded by then and not yet closed. By default what is current in this register.
        messages : iterable of Message
            Those of other subjects and those told later are left out.
        """
        code = read_uscc(uscc_or_subject).code
        subject = code or fold(uscc_or_subject)
        ratings = [Rating(**row) for row in self._rows("rating", RATING_COLUMNS, subject, known)]
        penalties = [Penalty(**row) for row in self._rows("penalty", PENALTY_COLUMNS, subject, known)]
        named = [Borne(seen=None, **row) for row in self._rows("name", NAME_COLUMNS, subject, known)]
        if not (ratings or penalties or named):
            return None
        told = [m for m in messages if m.uscc == subject and (known is None or m.made_at <= known)]
        return Dossier(
            uscc=code or next((u for u in [*(r.uscc for r in ratings), *(p.uscc for p in penalties)] if u), ""),
            subject=subject,
            names=names_of([*signs_of_ratings(ratings), *signs_of_penalties(penalties), *named]),
            ratings=tuple(sorted(ratings, key=lambda one: (-one.rated_year, one.scheme, one.bureau, one.key))),
            penalties=tuple(sorted(penalties, key=_newest_first)),
            messages=tuple(sorted(told, key=lambda one: one.made_at)),
            known=known or self.made_at,
        )

    def namesakes(self, name: str) -> list[str]:
        """List the subjects without a code that bear just this name: records that may be of one who has a code."""
        both = "SELECT subject FROM rating WHERE subject = ? AND uscc = '' AND recorded_until IS NULL UNION"
        both += " SELECT subject FROM penalty WHERE subject = ? AND uscc = '' AND recorded_until IS NULL"
        return [subject for (subject,) in self._ask(both, (name, name))]

    def instants(self, uscc_or_subject: str) -> list[datetime]:
        """List the instants at which anything on record of one subject changed, the oldest first."""
        subject = read_uscc(uscc_or_subject).code or fold(uscc_or_subject)
        found: set[int] = set()
        for table in ("rating", "penalty", "name"):
            asked = f"SELECT recorded_from, recorded_until FROM {table} WHERE subject = ?"
            found.update(at for row in self._ask(asked, (subject,)) for at in row if at is not None)
        return [instant(at) for at in sorted(found)]

    def subjects(self) -> Iterator[str]:
        """Give every subject with a current rating or penalty, in order."""
        both = "SELECT subject FROM rating WHERE recorded_until IS NULL UNION"
        both += " SELECT subject FROM penalty WHERE recorded_until IS NULL ORDER BY 1"
        yield from (subject for (subject,) in self._ask(both))

    def named(self) -> list[tuple[str, str]]:
        """Give every name with the code it stands beside, former names too, each pair once."""
        asked = "SELECT name, subject FROM name UNION SELECT name, uscc FROM rating WHERE uscc <> ''"
        return list(self._ask(f"{asked} UNION SELECT name, uscc FROM penalty WHERE uscc <> '' ORDER BY 1, 2"))

    def _rows(self, table: str, columns: tuple[str, ...], subject: str, known: datetime | None) -> list[dict[str, Any]]:
        then: tuple[Any, ...] = ()
        when = "recorded_until IS NULL"
        if known is not None:
            at = micros(known)
            then, when = (at, at), "recorded_from <= ? AND (recorded_until IS NULL OR recorded_until > ?)"
        asked = f"SELECT {', '.join(columns)} FROM {table} WHERE subject = ? AND {when}"
        return [_values(columns, row) for row in self._ask(asked, (subject, *then))]

    def _ask(self, question: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._one_at_a_time:
            return self._connection.execute(question, values).fetchall()


def _values(columns: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    """Give the values of a row their types."""
    values = dict(zip(columns, row, strict=True))
    for name in DATES & values.keys():
        values[name] = date.fromisoformat(values[name]) if values[name] else None
    for name in INSTANTS & values.keys():
        values[name] = instant(values[name]) if values[name] is not None else None
    return values


def _newest_first(penalty: Penalty) -> tuple[int, str, str]:
    day = penalty.decision_date or penalty.act_date or date.min
    return -day.toordinal(), penalty.bureau, penalty.key

"""The draws of the expert pool: their numbers, their papers, and the sealed secrets of the bureaus.

A draw takes the next number of its bureau and year in the same transaction that writes its row, so that the numbers run
1, 2, 3 … without a gap and no draw disappears; an emergency call-out takes its number from the same row of numbers.
All that happens to a draw afterwards is a *paper*: written once, never changed, its hash on the chain in the same
transaction. A paper asked for again is the one that stands; another one in its place is refused. The chain gets numbers,
codes and hashes, never a name and never a secret.

A draw of the other bureau is kept too, under the number that bureau gave it (``detail["home"]`` is false then).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from records import chain
from records.chain import CLOCK_SLACK, canonical
from records.errors import IllegalState, UnknownDraw
from records.expert_models import expert_draw, expert_draw_paper, expert_draw_secret, expert_seat
from records.store import CHINA, Records

MOVES: dict[str, frozenset[str]] = {
    "requested": frozenset({"frozen", "abandoned"}),
    "frozen": frozenset({"committed", "abandoned"}),
    "committed": frozenset({"revealed", "drawn", "abandoned"}),
    "revealed": frozenset({"drawn", "abandoned"}),
    "drawn": frozenset({"published", "abandoned"}),
    "published": frozenset({"abandoned"}),
    "called": frozenset(),
    "abandoned": frozenset(),
}
"""``called`` is an emergency call-out, which is done when it is written; an abandoned draw keeps all its papers."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One draw, or one call-out (``detail["kind"]``), as its row has it; ``replaces`` is the draw before it."""

    draw_id: str
    request_id: str
    sequence: int
    bureau: str
    year: int
    number: int
    state: str
    title: str
    held_on: date
    requested_at: datetime
    requested_by: str
    replaces: str
    reason: str
    list_hash: str
    key_sealed: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper of a draw; ``part`` tells papers of a kind apart: a bureau, a number."""

    draw_id: str
    kind: str
    part: str
    at: datetime
    by: str
    sha256: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewPaper:
    """A paper about to be written; ``event`` is its kind on the chain, ``told`` what the chain says beside its hash."""

    kind: str
    part: str
    document: Mapping[str, Any]
    event: str
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new draw starts with, made once its number is known."""

    title: str
    held_on: date
    key_sealed: str
    detail: Mapping[str, Any]
    papers: Sequence[NewPaper]
    state: str = "requested"
    list_hash: str = ""
    seats: Sequence[NewSeat] = ()


@dataclass(frozen=True, slots=True)
class NewSeat:
    """A seat with its person, written when the names may be known."""

    expert_id: str
    opaque_id: str
    seat: str
    round: int


def paper_hash(document: Mapping[str, Any]) -> str:
    """Hash a paper: SHA-256 of its canonical JSON, its signature included."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def number_of(bureau: str, year: int, number: int) -> str:
    """Write the number of a draw.

    >>> number_of("beibei", 2026, 7)
    'beibei-2026-0007'
    """
    return f"{bureau}-{year}-{number:04d}"


def open_draw(
    records: Records,
    *,
    request_id: str,
    bureau: str,
    at: datetime,
    by: str,
    replaces: str,
    reason: str,
    make: Callable[[str, int], Opening],
) -> Draw:
    """Give a new draw the next number of its bureau and year, and write it with its first papers.

    Parameters
    ----------
    replaces : str
        The newest draw of the same request, or ``""`` where this is the first.
    make : function of draw_id and sequence
        Makes what the draw starts with; it runs inside the transaction, so it must be quick.

    Raises
    ------
    IllegalState
        ``replaces`` is not the newest draw of this request, or the clock was set back.
    """
    year = at.astimezone(CHINA).year
    d = expert_draw.c
    with records.database.write() as connection:
        newest = connection.execute(
            select(d.draw_id, d.sequence).where(d.request_id == request_id).order_by(d.sequence.desc()).limit(1)
        ).one_or_none()
        standing = "" if newest is None else newest.draw_id
        if replaces != standing:
            raise IllegalState(
                f"同一事项最近一次抽取是 {standing or '（无）'}，所写的是 {replaces or '（无）'}",
                f"the newest draw of this request is {standing or 'none'}, not {replaces or 'none'}",
            )
        before = connection.execute(select(func.max(d.requested_at)).where(d.bureau == bureau)).scalar()
        _refuse_clock_back(at, before)
        last = connection.execute(select(func.max(d.number)).where(d.bureau == bureau, d.year == year)).scalar()
        number, sequence = (last or 0) + 1, 1 if newest is None else newest.sequence + 1
        draw_id = number_of(bureau, year, number)
        opening = make(draw_id, sequence)
        place = {"draw_id": draw_id, "request_id": request_id, "sequence": sequence, "bureau": bureau, "year": year}
        made = {"number": number, "requested_at": at, "requested_by": by, "replaces": replaces, "reason": reason}
        _insert(connection, {**place, **made}, opening, at, by)
        return read_draw(connection, draw_id)


def keep_foreign(
    records: Records,
    *,
    draw_id: str,
    request_id: str,
    sequence: int,
    bureau: str,
    requested_by: str,
    replaces: str,
    reason: str,
    at: datetime,
    by: str,
    opening: Opening,
) -> Draw:
    """Keep a draw of the other bureau under its own number; known already, it stays as it is.

    Raises
    ------
    IllegalState
        The number is not one of that bureau.
    """
    beginning, _, number = draw_id.rpartition("-")
    year = beginning.removeprefix(f"{bureau}-")
    if not (year.isdecimal() and number.isdecimal() and number_of(bureau, int(year), int(number)) == draw_id):
        raise IllegalState(f"{draw_id} 不是 {bureau} 的抽取编号", f"{draw_id} is no number of a draw of {bureau}")
    values = {
        "draw_id": draw_id, "request_id": request_id, "sequence": sequence, "bureau": bureau, "year": int(year),
        "number": int(number), "requested_at": at, "requested_by": requested_by, "replaces": replaces,
        "reason": reason,
    }  # fmt: skip
    with records.database.write() as connection:
        known = connection.execute(select(expert_draw.c.draw_id).where(expert_draw.c.draw_id == draw_id)).first()
        if known is None:
            _insert(connection, values, opening, at, by)
        return read_draw(connection, draw_id)


def add_papers(
    records: Records,
    draw_id: str,
    papers: Sequence[NewPaper],
    *,
    at: datetime,
    by: str,
    state: str | None = None,
    list_hash: str | None = None,
    secret: tuple[str, str] | None = None,
    seats: Iterable[NewSeat] = (),
) -> Draw:
    """Write papers, and with them the state, the hash of the list, a sealed secret and seats: all or nothing.

    Parameters
    ----------
    state : str, optional
        Where the draw goes; it may be there already.
    secret : (bureau, sealed text), optional
        What a bureau committed to.

    Raises
    ------
    UnknownDraw
    IllegalState
        Another paper stands in the place of one of these, the draw cannot go there, or the clock was set back.
    """
    with records.database.write() as connection:
        draw = read_draw(connection, draw_id)
        fresh = [paper for paper in papers if not _stands(connection, draw_id, paper)]
        if fresh:
            _refuse_clock_back(at, _last(connection, draw_id))
        _move(connection, draw, state)
        if list_hash is not None:
            connection.execute(update(expert_draw).where(expert_draw.c.draw_id == draw_id).values(list_hash=list_hash))
        for paper in fresh:
            _write(connection, draw, paper, at, by)
        if secret is not None and fresh:
            values = {"draw_id": draw_id, "bureau": secret[0], "sealed": secret[1], "made_at": at}
            connection.execute(insert(expert_draw_secret).values(values))
        if fresh:
            _seat(connection, draw, seats, at)
        return read_draw(connection, draw_id)


def _insert(connection: Connection, values: Mapping[str, Any], opening: Opening, at: datetime, by: str) -> None:
    told = {
        "state": opening.state,
        "title": opening.title,
        "held_on": opening.held_on,
        "list_hash": opening.list_hash,
        "key_sealed": opening.key_sealed,
        "detail": dict(opening.detail),
    }
    connection.execute(insert(expert_draw).values(**values, **told))
    draw = read_draw(connection, values["draw_id"])
    for paper in opening.papers:
        _write(connection, draw, paper, at, by)
    _seat(connection, draw, opening.seats, at)


def _stands(connection: Connection, draw_id: str, paper: NewPaper) -> bool:
    p = expert_draw_paper.c
    kept = connection.execute(
        select(p.sha256).where(p.draw_id == draw_id, p.kind == paper.kind, p.part == paper.part)
    ).scalar()
    if kept is not None and kept != paper_hash(paper.document):
        raise IllegalState(
            f"{draw_id} 的 {paper.kind} {paper.part} 已经存在且内容不同，不得改写",
            f"{paper.kind} {paper.part} of {draw_id} stands already and says otherwise; papers are never replaced",
        )
    return kept is not None


def _move(connection: Connection, draw: Draw, state: str | None) -> None:
    if state is None or state == draw.state:
        return
    if state not in MOVES[draw.state]:
        raise IllegalState(
            f"{draw.draw_id} 现为 {draw.state}，不能转为 {state}",
            f"{draw.draw_id} is {draw.state}, it cannot be {state}",
        )
    connection.execute(update(expert_draw).where(expert_draw.c.draw_id == draw.draw_id).values(state=state))


def _write(connection: Connection, draw: Draw, paper: NewPaper, at: datetime, by: str) -> None:
    sha256 = paper_hash(paper.document)
    place = {"draw_id": draw.draw_id, "kind": paper.kind, "part": paper.part}
    values = {**place, "at": at, "by": by, "sha256": sha256, "document": dict(paper.document)}
    connection.execute(insert(expert_draw_paper).values(values))
    told = {"draw": draw.draw_id, "paper": paper.kind, "part": paper.part, "sha256": sha256, **paper.told}
    chain.append(connection, paper.event, at, draw.bureau, None, told)


def _seat(connection: Connection, draw: Draw, seats: Iterable[NewSeat], at: datetime) -> None:
    s = expert_seat.c
    known = set(connection.execute(select(s.expert_id).where(s.draw_id == draw.draw_id)).scalars())
    for one in seats:
        if one.expert_id not in known:
            place = {"draw_id": draw.draw_id, "expert_id": one.expert_id, "opaque_id": one.opaque_id}
            told = {"seat": one.seat, "round": one.round, "held_on": draw.held_on, "state": "drawn", "state_at": at}
            connection.execute(insert(expert_seat).values(**place, **told))


def _refuse_clock_back(at: datetime, before: datetime | None) -> None:
    if before is not None and at < before - CLOCK_SLACK:
        raise IllegalState(
            f"本机时间 {at.isoformat()} 早于上一步 {before.isoformat()}，请校准时钟",
            f"this clock says {at.isoformat()}, before the last step at {before.isoformat()}: set the clock",
        )


def _last(connection: Connection, draw_id: str) -> datetime | None:
    p = expert_draw_paper.c
    found: datetime | None = connection.execute(select(func.max(p.at)).where(p.draw_id == draw_id)).scalar()
    return found


def read_draw(connection: Connection, draw_id: str) -> Draw:
    """Find a draw by its number, inside a transaction."""
    row = connection.execute(select(expert_draw).where(expert_draw.c.draw_id == draw_id)).one_or_none()
    if row is None:
        raise UnknownDraw(f"没有抽取 {draw_id}", f"there is no draw {draw_id}")
    return Draw(**row._mapping)

"""Overwriting what is told of a person who is erased, and destroying what is past its term.

The numbers of the person (``expert_id``, the opaque ids of draws) stay: seats, grades, sums and codes of the draws belong
to the archive of those draws, and nothing leads from a number to a person any more. Free texts are emptied. A row whose
hash the chain knows keeps its place there: the event ``expert-erased`` tells the hash it had and the one it has now.

SQLite overwrites with zeros (``secure_delete``, see ``records/database.py``); in PostgreSQL old rows lie in the files
until ``VACUUM FULL`` and in the write-ahead log until it is recycled: see ``docs/privacy.md``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, update

from records import chain
from records import expert_models as models
from records.expert_appraisals import APPRAISAL, FEE, PROPOSAL, Appraisal, Fee, Proposal
from records.expert_seats import CHANGE, SeatChange, row_hash
from records.experts import PARTS, PoolWriter, writing
from records.models import event
from records.store import Records

BLANK: dict[str, Any] = {
    **dict.fromkeys(("name", "name_key", "employer", "employer_uscc", "title", "title_rank", "division", "remark"), ""),
    **dict.fromkeys(("identity_kind", "identity_index", "identity_mask", "phone_mask", "source_sha256"), ""),
    **dict.fromkeys(("identity_sealed", "phone_sealed", "bank_sealed"), ""),
    **dict.fromkeys(("term_start", "term_end", "bar_until", "certificate_until", "practice_since", "frozen_at"), None),
    "source_row": 0,
}
"""What an erased row holds instead of the person."""
GONE = ("specialty", "employment", "tie", "leave")
ERASED, EXPIRED = "expert-erased", "expert-expired"
TEXTS: tuple[tuple[str, Table, Any, Any, dict[str, Any]], ...] = (
    ("expert-seat", models.expert_seat_change, CHANGE, SeatChange, {"reason": ""}),
    ("expert-appraisal", models.expert_appraisal, APPRAISAL, Appraisal, {"remark": ""}),
    ("expert-fee", models.expert_fee, FEE, Fee, {}),
    ("expert-proposal", models.expert_proposal, PROPOSAL, Proposal, {"reason": ""}),
)
"""Rows the chain knows by their hash, with what is emptied in them; names in other texts are masked."""
HIDDEN = "***"


def erase(
    records: Records, ids: Collection[str], *, names: Collection[str], lists: Collection[str], state: Mapping[str, str],
    by: str, at: datetime, reason: str,
) -> None:  # fmt: skip
    """Overwrite one person's records in one transaction.

    Parameters
    ----------
    ids : collection of str
        All records of the person.
    names : collection of str
        Every name the person bore: masked where it stands in a text that stays.
    lists : collection of str
        Hashes of the kept lists that go with the person; the caller removes the files afterwards.
    state : mapping
        Record → the state it ends in.
    """
    with writing(records, by, at) as pool:
        connection = pool.connection
        changes = sum(_empty(connection, one, state[one], at) for one in sorted(ids))
        _mask_accesses(connection, ids, names)
        rows = {kind: _empty_texts(connection, table, columns, make, blank, ids, names)
                for kind, table, columns, make, blank in TEXTS}  # fmt: skip
        for one in sorted(ids):
            pool.note(one, "erased", {}, {}, reason)
        told = {"experts": sorted(ids), "by": by, "changes": changes, "lists": sorted(lists)}
        chain.append(
            connection, ERASED, at, None, None, told | {"rows": {name: one for name, one in rows.items() if one}}
        )


def _empty(connection: Connection, expert_id: str, state: str, at: datetime) -> int:
    e, c, m = models.expert.c, models.expert_change, models.expert_match
    values = BLANK | {"state": state, "erased_at": at, "updated_at": at}
    connection.execute(update(models.expert).where(e.expert_id == expert_id).values(**values))
    for name in GONE:
        connection.execute(delete(PARTS[name]).where(PARTS[name].c.expert_id == expert_id))
    consent = models.expert_consent
    connection.execute(update(consent).where(consent.c.expert_id == expert_id).values(document=""))
    pair = or_(m.c.first == expert_id, m.c.second == expert_id)
    connection.execute(update(m).where(pair).values(evidence=[], reason=""))
    connection.execute(update(m).where(pair, m.c.state == "proposed").values(state="lapsed"))
    count = connection.execute(select(func.count()).select_from(c).where(c.c.expert_id == expert_id)).scalar_one()
    connection.execute(update(c).where(c.c.expert_id == expert_id).values(before={}, after={}, reason=""))
    return int(count)


def _mask_accesses(connection: Connection, ids: Collection[str], names: Collection[str]) -> None:
    """Mask the names in the purposes of all looks: the one who asks for a list may have written whom it is about."""
    a = models.expert_access
    wanted = [a.c.expert_id.in_(sorted(ids)), *(a.c.purpose.contains(name, autoescape=True) for name in names)]
    for row in connection.execute(select(a.c.id, a.c.purpose).where(or_(*wanted))).all():
        masked = _masked(row.purpose, names)
        if masked != row.purpose:
            connection.execute(update(a).where(a.c.id == row.id).values(purpose=masked))


def _empty_texts(
    connection: Connection, table: Table, columns: Any, make: Any, blank: Mapping[str, Any], ids: Collection[str],
    names: Collection[str],
) -> list[list[str]]:  # fmt: skip
    """Empty the texts of rows the chain knows; gives the hash each had and has."""
    key = table.c["id"] if "id" in table.c else table.c["proposal_id"]
    replaced = []
    for row in connection.execute(select(key, *columns).where(table.c.expert_id.in_(sorted(ids))).order_by(key)).all():
        before = make(*row[1:])
        after = asdict(before) | dict(blank)
        for name in ("document", "payer"):
            if name in after:
                after[name] = _masked(after[name], names)
        if "evidence" in after:
            said = [one | {"words": ""} for one in after["evidence"].get("statements", ())]
            after["evidence"] = after["evidence"] | ({"statements": said} if said else {})
        old, new = row_hash(asdict(before)), row_hash(after)
        if old != new:
            changed = {name: value for name, value in after.items() if value != getattr(before, name)}
            connection.execute(update(table).where(key == row[0]).values(**changed))
            replaced.append([old, new])
    return replaced


def _masked(text: str, names: Collection[str]) -> str:
    for name in sorted((one for one in names if len(one) > 1), key=len, reverse=True):
        text = text.replace(name, HIDDEN)
    return text


def freeze(pool: PoolWriter, row: Any, frozen_at: datetime | None, reason: str) -> bool:
    """Freeze a record, or with None unfreeze it; the time stands in the change."""
    return pool.change(row, {"frozen_at": frozen_at}, "frozen" if frozen_at else "unfrozen", reason)


def erased_lists(records: Records) -> set[str]:
    """Give the hashes of all lists that went with somebody."""
    return {sha256 for payload in events(records, ERASED) for sha256 in payload["lists"]}


def events(records: Records, kind: str) -> list[dict[str, Any]]:
    """Give what the events of a kind say, in their order, with their time and bureau."""
    query = select(event.c.at, event.c.bureau, event.c.payload).where(event.c.kind == kind).order_by(event.c.seq)
    with records.database.read() as connection:
        return [
            json.loads(row.payload) | {"event_at": row.at, "event_bureau": row.bureau}
            for row in connection.execute(query)
        ]


# -- what is past its term -------------------------------------------------------------------------------------------


def left_since(records: Records, states: Collection[str]) -> list[Row[Any]]:
    """Give who is in one of the states, with the time of the last change of state (or of entry)."""
    e, c = models.expert.c, models.expert_change.c
    last = select(func.max(c.at)).where(c.expert_id == e.expert_id, c.kind == "state").scalar_subquery()
    query = select(e.expert_id, e.state, e.bar_until, func.coalesce(last, e.entered_at).label("since"))
    query = query.where(e.state.in_(sorted(states)), e.erased_at.is_(None)).order_by(e.expert_id)
    with records.database.read() as connection:
        return list(connection.execute(query))


def accesses_before(records: Records, moment: datetime) -> int:
    """Count the looks before an instant."""
    a = models.expert_access
    with records.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(a).where(a.c.at < moment)).scalar_one())


def drop_accesses(records: Records, moment: datetime, by: str, at: datetime) -> int:
    """Delete the looks before an instant; their events stay on the chain, which knows no names."""
    a = models.expert_access
    with records.database.write() as connection:
        count = connection.execute(delete(a).where(a.c.at < moment)).rowcount
        if count:
            chain.append(connection, EXPIRED, at, None, None, {"accesses": count, "before": str(moment), "by": by})
    return count


def draws_with_keys(records: Records, before: date) -> list[str]:
    """Give the ended draws held before a day that still have their key."""
    d = models.expert_draw.c
    ended = d.state.in_(("published", "abandoned", "called"))
    with records.database.read() as connection:
        return list(
            connection.execute(
                select(d.draw_id).where(ended, d.held_on < before, d.key_sealed != "").order_by(d.draw_id)
            ).scalars()
        )


def drop_draw_keys(records: Records, draw_ids: Iterable[str], by: str, at: datetime) -> int:
    """Destroy the keys and secrets of draws: who was listed and not seated cannot be told again; papers stay."""
    d, s = models.expert_draw, models.expert_draw_secret
    ids = sorted(draw_ids)
    with records.database.write() as connection:
        if ids:
            connection.execute(update(d).where(d.c.draw_id.in_(ids)).values(key_sealed=""))
            connection.execute(delete(s).where(s.c.draw_id.in_(ids)))
            chain.append(connection, EXPIRED, at, None, None, {"draw_keys": ids, "by": by})
    return len(ids)

"""A home with a pool of made-up experts, and the steps of a draw one after the other, for the tests of the desk."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, rounds
from expert_registry.draw.desk import Desk
from expert_registry.draw.opening import Looker
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.protocol import Seat
from expert_registry.draw.requests import PanelRequest
from expert_registry.people import Matter, Party
from expert_registry.privacy.vault import Vault
from records import experts as kept
from records.experts import ExpertRow
from records.keys import KeyRing
from records.store import Records
from schemas.experts import expert_rules
from schemas.identifiers import check_character, organisation_check

T0 = datetime(2026, 4, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HELD = date(2026, 4, 20)
ASKED_BY = "li"
BOTH = ("beibei", "mianyang")
SEATS = (Seat("W03", 2), Seat("A03", 1))
PUBLIC = PublicSource("福利彩票双色球第2026040期", T0 + 30 * HOUR)
FALLBACK = PublicSource("福利彩票双色球第2026041期", T0 + 60 * HOUR)
VALUE = PublicValue(PUBLIC.name, "03 09 11 20 28 31 + 07", PUBLIC.due + HOUR)
FALLBACK_VALUE = PublicValue(FALLBACK.name, "01 05 08 14 22 30 + 12", FALLBACK.due + HOUR)
LOOKER = Looker("sun", "organiser", "beibei", "发送邀请")


def made_uscc(number: int, head: str = "91500109") -> str:
    """A code that passes its check, of no real enterprise: its organisation code is of the reserved MAYY series."""
    body = f"{head}MAYY9{number:03d}"
    code = body + organisation_check(body[8:])
    return code + check_character(code)


PARTY = Party(made_uscc(999), "重庆示例涂料有限公司", heads=("周示例",))


def row(number: int, **more: Any) -> ExpertRow:
    """One appointed expert of an employer of its own; odd ones are on the list of Mianyang."""
    bureau = BOTH[number % 2]
    usual: dict[str, Any] = {
        "expert_id": f"e-{number:05d}", "bureau": bureau, "name": f"专家{number}", "name_key": f"专家{number}",
        "employer": f"示例研究院{number}", "employer_uscc": made_uscc(number % 900), "title": "教授",
        "title_rank": "senior", "division": "500109" if bureau == "beibei" else "510703", "state": "appointed",
        "identity_kind": "other", "identity_index": f"{number:064x}", "identity_sealed": "", "phone_sealed": "",
        "identity_mask": "", "phone_mask": "", "entered_at": T0 - 400 * DAY, "updated_at": T0 - 400 * DAY,
        "term_start": date(2025, 3, 1), "term_end": date(2028, 2, 29),
    }  # fmt: skip
    return ExpertRow(**{**usual, **more})


def parts(number: int, **more: Any) -> dict[str, Any]:
    """What is told of that expert: a field of water or air, and consent to sharing."""
    field = "W03" if number % 3 else "A03"
    usual: dict[str, Any] = {
        "specialty": [{"code": field, "edition": "gz-2026-1", "raw": field}],
        "consent": [{"kind": "sharing", "given_on": date(2025, 3, 1), "revoked_on": None, "document": "同意书"}],
    }
    return {**usual, **more}


def enter(records: Records, *people: tuple[ExpertRow, dict[str, Any]], at: datetime = T0 - 400 * DAY) -> None:
    """Write people into the pool."""
    with kept.writing(records, "staff", at) as pool:
        for one, told in people:
            pool.add(one, told)


def fill(records: Records, number: int = 24) -> None:
    """Enter a pool of so many, the first is number 1."""
    enter(records, *((row(n), parts(n)) for n in range(1, number + 1)))


def home(records: Records, folder: Path, plays: tuple[str, ...] = BOTH, **rules: Any) -> Desk:
    """A home that plays one bureau or both."""
    return Desk(
        records=records,
        vault=Vault.open(folder / "vault", create=True),
        signer=KeyRing.open(folder / "keys", create=True).current(),
        plays=plays,
        bureaus=BOTH,
        rules=dataclasses.replace(expert_rules(), **rules),
        trusted={},
    )


def asked(matter_id: str = "渝碚环评〔2026〕7号", **more: Any) -> PanelRequest:
    """A request of Beibei for three seats."""
    matter = Matter(matter_id, "涂料园区废水治理方案咨询", HELD, "beibei", parties=(PARTY,))
    usual: dict[str, Any] = {"purpose": "project-advice", "seats": SEATS, "opens_at": T0 + 10 * DAY}
    told = {**usual, **more}
    return PanelRequest(told.pop("matter", matter), **told)


def frozen(desk: Desk, *, at: datetime = T0, **more: Any) -> str:
    """A draw whose list is frozen; its number."""
    draw = desks.request(desk, asked(**more), by="li", at=at)
    freezing.freeze(desk, draw.draw_id, by="wang", at=at + HOUR)
    return draw.draw_id


def commit(desk: Desk, draw_id: str, bureau: str, at: datetime = T0 + 2 * HOUR) -> dict[str, Any]:
    return rounds.commit(desk, draw_id, bureau, public_source=PUBLIC, fallback_source=FALLBACK, by="wang", at=at)


def committed(desk: Desk, **more: Any) -> str:
    draw_id = frozen(desk, **more)
    for bureau in BOTH:
        commit(desk, draw_id, bureau)
    return draw_id


def revealed(desk: Desk, **more: Any) -> str:
    draw_id = committed(desk, **more)
    for bureau in BOTH:
        rounds.reveal(desk, draw_id, bureau, by="wang", at=T0 + 3 * HOUR)
    return draw_id


def published(desk: Desk, **more: Any) -> str:
    draw_id = revealed(desk, **more)
    rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    rounds.publish(desk, draw_id, by="wang", at=T0 + 33 * HOUR)
    return draw_id

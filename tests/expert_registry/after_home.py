"""Uses of made-up experts at a home: a published draw with its names open, and call-outs, for the tests afterwards."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from desk_home import DAY, LOOKER, T0, published

from expert_registry.draw import opening
from expert_registry.draw.callout import Called, CallOut, call_out
from expert_registry.draw.desk import Desk
from expert_registry.panel import afterwards
from expert_registry.people import Matter

OPEN = T0 + 10 * DAY
"""The names of the draw may be seen from here on."""
MEETING = datetime(2026, 4, 20, 1, tzinfo=UTC)
"""The morning of the day of the meeting, in China."""


def opened(desk: Desk, **more) -> tuple[str, list[str]]:
    """A published draw whose names were seen: its number, and the experts in the order they were drawn."""
    draw_id = published(desk, **more)
    return draw_id, [one.expert.expert_id for one in opening.names(desk, draw_id, LOOKER, OPEN)]


def tell(desk: Desk, draw_id: str, expert_id: str, *states: str, at: datetime = OPEN, **more: str) -> None:
    """Bring a seat through states, all at one instant; ``more`` is told of the last one."""
    for number, state in enumerate(states, 1):
        afterwards.tell(desk, draw_id, expert_id, state, by="sun", at=at, **(more if number == len(states) else {}))


def used(desk: Desk, on: date, expert_id: str, *states: str, **more: str) -> str:
    """One use of one expert on a day, by a call-out of its own; its number."""
    at = datetime(on.year, on.month, on.day, 1, tzinfo=UTC)
    matter = Matter(f"应急〔{on}〕{expert_id}", "突发水污染处置", on, "beibei")
    asked = CallOut(matter, "water-incident", "河道油膜", "500109", ("W03", "A03"))
    field = "W03" if int(expert_id[2:]) % 3 else "A03"
    draw = call_out(desk, asked, [Called(expert_id, field, "最近")], by="li", at=at)
    tell(desk, draw.draw_id, expert_id, "invited", at=at)
    tell(desk, draw.draw_id, expert_id, *states, at=at + timedelta(hours=30), **more)
    return draw.draw_id

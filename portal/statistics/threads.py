"""First uploads and what was sent again for them: who passed at once, and how long it took to mend what did not.

A *thread* is a first upload with everything sent again in its place. Which upload is meant by another is read from what
the records hold: the same file name after a failure, or the same days and hours where the earlier upload failed or the
later one restates what is on record (``schemas/vocabularies/statistics.csv`` says it to the reader).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from records.statistics import Delivery

JUDGED = frozenset({"published", "refused", "held"})


@dataclass(slots=True)
class Thread:
    """A first upload and what followed it, in the order of receipt."""

    sent: list[Delivery] = field(default_factory=list)

    @property
    def first(self) -> Delivery:
        """The first upload."""
        return self.sent[0]

    @property
    def dataset(self) -> str:
        """What it holds: an upload nobody could read is known by the one that mended it."""
        return next((one.dataset for one in self.sent if one.dataset), "")

    @property
    def passed_at_first(self) -> bool:
        """Whether the first upload had nothing that must be mended."""
        return passed(self.first)

    @property
    def mended_at(self) -> datetime | None:
        """When the upload came that passed in place of a first one that did not."""
        if self.passed_at_first:
            return None
        return next((one.received_at for one in self.sent if passed(one)), None)


def passed(delivery: Delivery) -> bool:
    """Whether nothing of a delivery had to be mended."""
    return delivery.state == "published" and not delivery.results.get("quarantined", 0)


def threads(deliveries: Iterable[Delivery]) -> list[Thread]:
    """Sort deliveries, given in the order of receipt, into threads; those still on their road are left out."""
    found: list[Thread] = []
    by_name: dict[tuple[str, str], Thread] = {}
    by_day: dict[tuple[str, str, str], list[Thread]] = defaultdict(list)
    for delivery in deliveries:
        if delivery.state not in JUDGED:
            continue
        thread = _meant(delivery, by_name, by_day)
        if thread is None:
            thread = Thread()
            found.append(thread)
        thread.sent.append(delivery)
        by_name[delivery.bureau, delivery.file_name] = thread
        for day in delivery.covers:
            here = by_day[delivery.bureau, delivery.dataset, day]
            if thread not in here[-1:]:
                here.append(thread)
    return found


def _meant(
    delivery: Delivery,
    by_name: dict[tuple[str, str], Thread],
    by_day: dict[tuple[str, str, str], list[Thread]],
) -> Thread | None:
    """Find the thread a delivery goes on with, the newest first."""
    same_name = by_name.get((delivery.bureau, delivery.file_name))
    if same_name is not None and not passed(same_name.sent[-1]):
        return same_name
    restates = any(change["corrected"] or change["unchanged"] for change in _own_tables(delivery))
    for day in delivery.covers:
        for thread in reversed(by_day.get((delivery.bureau, delivery.dataset, day), ())):
            last = thread.sent[-1]
            if (restates or not passed(last)) and any(_share_hours(delivery, one, day) for one in thread.sent):
                return thread
    return None


def _own_tables(delivery: Delivery) -> Iterator[dict[str, int]]:
    """Give what a delivery did to the tables of results; places and names are restated by every file."""
    return (change for change in delivery.tables if change["table"] not in ("station", "enterprise_name"))


def _share_hours(one: Delivery, other: Delivery, day: str) -> bool:
    """Whether both speak of the same hours of a day; one without hours speaks of the whole day."""
    if day not in other.covers:
        return False
    mine, theirs = one.covers[day][2], other.covers[day][2]
    return not mine or not theirs or bool(mine & theirs)

"""The figures kept ready: computed again only when a delivery went a step further, a fact changed or an hour began."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from datetime import datetime, timedelta

from pipelines.batch import Places
from portal.statistics.figures import Ground, Statistics, compute, months_back, span_of
from portal.statistics.slots import DAY, Key, Stop, midnight, quarantined
from records.gaps import gaps
from records.statistics import Delivery, deliveries, first_received, newest_change
from records.store import Records
from schemas.gap_reasons import gap_reasons
from schemas.places import stamp, stations
from schemas.sources import sources
from schemas.statistics import due_slots

MONTHS = 12
EARLIER = 40 * DAY
"""How long before the first month a delivery may have brought what is due in it."""


class Almanac:
    """Figures of the last twelve months of one home."""

    def __init__(self, places: Places, records: Records) -> None:
        self.places = places
        self.records = records
        self._key: Hashable = None
        self._kept: Statistics | None = None
        self._lost: dict[str, frozenset[Key]] = {}
        self._lock = threading.Lock()

    def statistics(self, now: datetime) -> Statistics:
        """Give the figures as they stand."""
        facts = self.places.site_facts
        key = (
            newest_change(self.records),
            stamp(facts if facts.is_dir() else None),
            now.replace(minute=0, second=0, microsecond=0),
        )
        with self._lock:
            if self._kept is None or self._key != key:
                self._kept, self._key = self._computed(now), key
            return self._kept

    def ground(self, since: datetime, now: datetime) -> Ground:
        """Gather what figures from ``since`` on are computed from."""
        facts = self.places.site_facts if self.places.site_facts.is_dir() else None
        came = deliveries(self.records, since - EARLIER, now + timedelta(seconds=1))
        lost = frozenset().union(*(self._quarantined(one) for one in came))
        reasons = gap_reasons()
        stops = [
            Stop(one.bureau, one.dataset, one.station_id, one.since, one.until)
            for one in gaps(self.records, since, now)
            if one.reason in reasons and reasons[one.reason].stop
        ]
        return Ground(
            self.places,
            sources(facts)[0],
            stations(site=facts),
            due_slots(),
            came,
            lost,
            first_received(self.records),
            stops,
        )

    def _computed(self, now: datetime) -> Statistics:
        months = months_back(now, MONTHS)
        return compute(self.ground(midnight(span_of(months[0])[0]), now), months, now)

    def _quarantined(self, delivery: Delivery) -> frozenset[Key]:
        """Read what a delivery brought in vain, once: a judged batch does not change, a held one may."""
        if delivery.state not in ("published", "refused"):
            return quarantined(self.places, delivery, due_slots())
        if delivery.batch_id not in self._lost:
            self._lost[delivery.batch_id] = quarantined(self.places, delivery, due_slots())
        return self._lost[delivery.batch_id]

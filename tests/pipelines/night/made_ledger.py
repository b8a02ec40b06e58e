"""A ledger written through the records' own functions: visits, files that came and what became of them."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta, timezone
from itertools import count
from pathlib import Path

from records.lease import holder_of_this_process
from records.runs import FinishedVisit, begin_run, begin_visits, finish_run, finish_visits
from records.store import Records
from schemas.sources import Source, Timetable

CHINA = timezone(timedelta(hours=8))


def china(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


def due(every: str = "day", by: str = "06:00", lag: int | None = None, **more) -> Timetable:
    blank = {"day": None, "month": None, "since": None, "until": None} | more
    return Timetable(every, time.fromisoformat(by), (0 if every == "hour" else 1) if lag is None else lag, **blank)


def source(name: str = "air", bureau: str = "beibei", kind: str = "listing", **more) -> Source:
    blank = {
        "title": f"{bureau} {name}", "url": "https://data.example.cn/air/", "path": "", "match": (), "dataset": "air",
        "layout": None, "enabled": True, "pull": "night", "credentials": "", "auth": "", "hosts": (), "networks": (),
        "ca": "", "certificate": "", "parameters": (), "paging": None, "timetable": None, "stale_hours": None,
        "least": None, "most": None, "empty_is_fine": False, "recheck_days": 14, "seconds": 300.0, "megabytes": 200,
        "inflated_megabytes": 1024, "folder": Path(), "source": "a test",
    }  # fmt: skip
    return Source(bureau=bureau, name=name, kind=kind, **(blank | more))


class Ledger:
    """What a service would have written."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.numbers = count(1)

    def run(self, at: datetime, job: str = "night", state: str | None = "done", fence: int = 1, **ended) -> int:
        """One run; ``state`` None: it still runs."""
        slot = f"{at:%Y-%m-%dT%H%M%S}" if job != "night" else f"{at:%Y-%m-%d}"
        run = begin_run(self.records, job, slot, "scheduled", at, at, holder_of_this_process(), fence)
        assert run is not None
        if state is not None:
            finish_run(self.records, run.run_id, state, at, ended.pop("summary", {}), **ended)
        return run.run_id

    def visit(self, one: Source, at: datetime, state: str, **told) -> None:
        """One look at a source in a run of its own."""
        run = self.run(at, job=f"look-{next(self.numbers)}")
        begun = begin_visits(self.records, run, [(one.key, one.bureau)], at)[one.key]
        finish_visits(self.records, [FinishedVisit(visit_id=begun.visit_id, state=state, **told)], at)

    def file(
        self,
        one: Source,
        at: datetime,
        covers: dict[str, list[int]] | None = None,
        state: str = "published",
        by: str | None = None,
        results: tuple[int, int] | None = None,
    ) -> str:
        """One file that came down the road; results are (published, quarantined)."""
        name = f"file-{next(self.numbers)}"
        sha = hashlib.sha256(name.encode()).hexdigest()
        submitted_by = f"night:{one.key}" if by is None else by
        batch, _ = self.records.receive(one.bureau, name, sha, sha, 10, at, submitted_by, "rules")
        published, quarantined = results or (sum(told[1] for told in (covers or {}).values()), 0)
        told = {
            "dataset": "air",
            "layout": "air_long",
            "covers": covers or {},
            "results": {"read": published + quarantined, "published": published, "quarantined": quarantined},
        }
        if state == "unreadable":
            self.records.advance(
                batch.batch_id, "refused", at, error={"code": "no-text", "message": "", "message_en": ""}
            )
            return batch.batch_id
        self.records.advance(batch.batch_id, "read", at)
        self.records.advance(batch.batch_id, "judged", at, **told)
        if state == "published":
            self.records.begin_publication(batch.batch_id, at)
            self.records.finish_publication(batch.batch_id, [], [], at)
        else:
            self.records.advance(batch.batch_id, state, at)
        return batch.batch_id


def whole(day: date | str, results: int = 24) -> dict[str, list[int]]:
    """What a file with every hour of a day covers."""
    return {str(day): [results, results, (1 << 24) - 1]}

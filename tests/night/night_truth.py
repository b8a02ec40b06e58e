"""What a night leaves, said without anything that two nights of the same news may differ in.

Numbers of batches and times of record become the hash of the file they stand for, so that two homes can be compared
row by row, and history with it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from pipelines.backup import newest, verify_backup
from pipelines.publish.catalogue import write_catalogue
from pipelines.publish.reading import query
from pipelines.publish.store import open_table, scrub
from records.alarms import alarms
from records.chain import verify_chain
from records.keys import KeyRing
from records.runs import Run, all_items, runs, visits
from records.seals import seals
from records.store import Records
from schemas.contracts import tables

Truth = dict[str, Any]
FOUND_BY_MANY = ("station", "enterprise_name")
"""Tables whose rows several files of a night bring: whichever comes first opens them, in any night."""


def truth_of(home: Path, records: Records, slot: str) -> Truth:
    """Tell what is on record after the night of a slot."""
    batches = records.batches(limit=None)
    sent = {batch.batch_id: f"{batch.bureau} {batch.sha256}" for batch in batches}
    run = run_of(records, slot)
    return {
        "tables": {name: _rows(name, str(home / "tables"), records, sent) for name in tables()},
        "batches": {
            sent[batch.batch_id]: (
                batch.state, batch.rows, batch.results, batch.file_name, batch.dataset, batch.layout,
                batch.submitted_by, batch.covers, (batch.error or {}).get("code"),
                sorted((change["table"], change["added"], change["corrected"], change["unchanged"])
                       for change in batch.tables if change["table"] not in FOUND_BY_MANY),
            )
            for batch in batches
        },
        "visits": {
            visit.source: (visit.state, visit.code, visit.arrived, [sent[number] for number in visit.batches])
            for visit in visits(records, run_id=run.run_id)
        },
        "summary": {name: run.summary[name] for name in ("sources", "files", "results")}
        | {"batches": sorted(sent[number] for number in run.summary["batches"])}
        | {"chores": {name: one["ok"] for name, one in run.summary["chores"].items()}},
        "items": {
            (source, name): (item.sha256, [sent[number] for number in item.batches])
            for source, found in all_items(records).items()
            for name, item in found.items()
        },
        "alarms": {(alarm.code, alarm.source) for alarm in alarms(records) if alarm.code != "run-interrupted"},
    }  # fmt: skip


def _rows(name: str, root: str, records: Records, sent: dict[str, str]) -> Counter[str]:
    """Give the rows of every time of record."""
    by_time = {one.recorded_at: sent[one.batch_id] for one in records.publications(unfinished=True)}
    shared = name in FOUND_BY_MANY
    rows = []
    for row in query(f"SELECT * FROM {name}_history", root).to_pylist():
        row["batch_id"] = "" if shared else sent[row["batch_id"]]
        for end in ("recorded_from", "recorded_until"):
            row[end] = row[end] is not None if shared or row[end] is None else by_time[row[end]]
        rows.append(repr(sorted(row.items())))
    return Counter(rows)


def differences(one: Truth, other: Truth) -> list[str]:
    """Name what two truths differ in, the first of each kind."""
    return [
        f"{kind} {key}: {_short(one[kind].get(key))} ≠ {_short(other[kind].get(key))}"
        for kind in one
        if kind != "alarms"
        for key in sorted({*one[kind], *other[kind]}, key=str)
        if one[kind].get(key) != other[kind].get(key)
    ] + [f"alarms: {one['alarms'] ^ other['alarms']}"] * (one["alarms"] != other["alarms"])


def _short(value: Any) -> str:
    return f"{value.total()} rows" if isinstance(value, Counter) else str(value)[:500]


def run_of(records: Records, slot: str) -> Run:
    """Give the one run of a slot."""
    (run,) = [run for run in runs(records, "night", limit=None) if run.slot == slot]
    return run


def check_sound(home: Path, records: Records, slot: str) -> None:
    """Nothing half done, nothing twice, everything provable, whatever came before."""
    run = run_of(records, slot)
    assert run.state == "done", run.error
    told = {alarm.code for alarm in alarms(records)}
    assert ("run-interrupted" in told) == (run.attempts > 1), "who looks after the night must hear of it"
    assert all(visit.finished_at is not None for visit in visits(records))
    batches = records.batches(limit=None)
    assert records.unfinished() == [] and records.integrity() == []
    assert len({(batch.bureau, batch.sha256) for batch in batches}) == len(batches), "a file is two batches"
    assert len({batch.receipt_number for batch in batches}) == len(batches)
    _check_tables(home, records, {batch.batch_id for batch in batches if batch.state == "published"})
    report = verify_chain(records, KeyRing.open(home / "keys").public_keys())
    assert report.ok, report
    days = [seal.day.isoformat() for seal in seals(records)]
    assert len(days) == len(set(days)), "a day was sealed twice"
    assert {path.stem for path in (home / "checkpoints").glob("*.json")} == set(days)
    _check_catalogue(home)
    page = home / "nights" / f"{slot}.html"
    assert page.is_file() and page.with_suffix(".json").is_file()


def _check_tables(home: Path, records: Records, published: set[str]) -> None:
    publications = records.publications(unfinished=True)
    assert Counter(one.batch_id for one in publications) == Counter(published)
    assert all(one.finished_at for one in publications)
    files, root = records.files(), home / "tables"
    assert scrub(str(root), files) == []
    live = set()
    for name, table in tables().items():
        shared = open_table(table, str(root))
        if shared is None:
            continue
        live |= {(name, file.path) for file in shared.files}
        versions = [entry["batch_id"] for _, entry in shared.publications()]
        assert len(versions) == len(set(versions)), f"{name}: a batch made two versions"
        assert set(versions) <= published
    assert {(file.table, file.path) for file in files} == live
    known = {(file.table, file.path) for file in records.files(retired=True)}
    found = {tuple(path.relative_to(root).as_posix().split("/", 1)) for path in root.rglob("*.parquet*")}
    assert {one for one in found if "_delta_log" not in one[1]} <= known, "a killed try left files"


def _check_catalogue(home: Path) -> None:
    """The catalogue is made from the state of the tables: the same state, the same bytes."""
    with tempfile.TemporaryDirectory() as place:
        for fresh in write_catalogue(str(home / "tables"), Path(place), home / "bureaus"):
            assert fresh.read_text() == (home / "catalogue" / fresh.name).read_text(), f"{fresh.name} is out of date"


def check_backup(target: Path, scratch: Path) -> None:
    """The newest backup is whole, and no half one lies beside it."""
    last = newest(target)
    assert last is not None and verify_backup(last, scratch, full=True) == []
    assert [path.name for path in target.iterdir() if path.name.startswith((".part-", ".gone-", ".restored-"))] == []

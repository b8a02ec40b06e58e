"""Build the shared tables again from the kept uploads and the records, and compare.

Every publication is walked again in its order, with its own record time, into a folder beside the tables. The tables
are replaced only when asked; a difference is told and changes nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Places
from pipelines.errors import RoadError
from pipelines.intake.receive import kept_path
from pipelines.publish.catalogue import write_catalogue
from pipelines.sync import Road, facts_in_force, judge_file, outgoing, scratch_of, write_tables
from schemas.loaders import bureaus, tables

if TYPE_CHECKING:
    from records.store import DataFile


def rebuild(road: Road, *, replace: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Rebuild and compare table by table; yields what happened (zh, en) and whether it is well."""
    target = road.places.home / "tables.rebuilt"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    places = Places(road.places.home, road.places.database_url, str(target))
    files: list[DataFile] = []
    whole = True
    with Road(places, road.clock, road.records, road.limits, road.submitted_by, warm=True) as copy:
        for zh, en, good in _walk_again(copy, files):
            whole = whole and good
            yield zh, en, good
    same = True
    for zh, en, good in _compare(places, road.places):
        same = same and good
        yield zh, en, good or replace
    if replace and whole and not same:
        _put_in_place(road, target, files)
        yield "已用重建的表替换", "the rebuilt tables are in place", True
    else:
        shutil.rmtree(target)


def _walk_again(road: Road, files: list[DataFile]) -> Iterator[tuple[str, str, bool]]:
    """Walk every publication again, in order; yields only what a person should know."""
    known = bureaus(road.site)
    for publication in road.kept.publications():
        batch = road.kept.batch(publication.batch_id)
        number = batch.batch_id
        if batch.rules_hash != facts_in_force(road, known[batch.bureau], batch.received_at):
            yield (
                f"{number}：按现行规则重建（当时的规则不同）",
                f"{number}: rebuilt under today's rules, not those of then",
                True,
            )
        path = kept_path(road.places.uploads, batch.sha256)
        if not path.exists():
            yield f"{number}：原文件缺失", f"{number}: its upload is missing", False
            continue
        try:
            with scratch_of(road) as scratch:
                bureau, asked = known[batch.bureau], batch.dataset_asked or None
                _, verdict, _ = judge_file(
                    road, path, batch.file_name, bureau, asked, batch.received_at, scratch, layout=batch.layout_asked
                )
                going = outgoing(verdict, number)
        except RoadError as error:
            yield f"{number}：{error.message}", f"{number}: {error.message_en}", False
            continue
        _, added, gone = write_tables(road.places, going, number, publication.recorded_at)
        files[:] = [f for f in files if (f.table, f.path) not in set(gone)] + added


def _compare(new: Places, old: Places) -> Iterator[tuple[str, str, bool]]:
    from pipelines.publish.content import content_hash

    for name, table in tables().items():
        made = content_hash(table, new.tables)
        try:
            there = content_hash(table, old.tables)
        except RoadError as error:
            yield (
                f"{name}：现有的表不可读：{error.message}",
                f"{name}: today's table is unreadable: {error.message_en}",
                False,
            )
            continue
        yield (
            f"{name}：{'一致' if made == there else '不一致'}  {made[:23]}",
            f"{name}: {'same' if made == there else 'differs'}  {made[:23]}",
            made == there,
        )


def _put_in_place(road: Road, target: Path, files: list[DataFile]) -> None:
    """Swap the folders and let the records know the new files; the old tables stay aside."""
    old = Path(road.places.tables)
    if old.exists():
        os.rename(old, old.with_name(f"tables.before-{road.clock():%Y%m%dT%H%M%S}"))
    os.rename(target, old)
    road.kept.retire_files([(f.table, f.path) for f in road.kept.files()], road.clock())
    road.kept.add_files(files, road.clock())
    write_catalogue(road.places.tables, road.places.catalogue, road.site)  # the versions may be numbered as before

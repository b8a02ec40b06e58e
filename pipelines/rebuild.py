"""Build the shared tables again from the kept uploads and the records, and compare.

Every publication is walked again in its order, with its own record time, into a folder beside the tables. The tables
are replaced only when asked, or when they are missing; a difference is told and changes nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipelines.batch import Places
from pipelines.intake.receive import kept_path
from pipelines.sync import Road, judge_file, scratch_of
from schemas.loaders import bureaus, catalogue_hash, tables


def rebuild(road: Road, *, replace: bool = False) -> Iterator[tuple[str, str, bool]]:
    """Rebuild and compare table by table; yields what happened (zh, en) and whether it is well."""
    from pipelines.publish.store import content_hash, publish_table
    from pipelines.validate.shapes import publishable, side_tables
    from records.store import DataFile

    target = road.places.home / "tables.rebuilt"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    places = Places(road.places.home, road.places.database_url, str(target))
    copy = Road(places, road.clock, road.records, road.limits, road.submitted_by)
    facts = catalogue_hash(road.site)
    files: list[DataFile] = []
    known = bureaus(road.site)
    with copy:
        for publication in road.kept.publications():
            batch = road.kept.batch(publication.batch_id)
            if batch.rules_hash != facts:
                yield (
                    f"{batch.batch_id}：当时的规则与现行规则不同，按现行规则重建",
                    f"{batch.batch_id}: judged under other rules then; rebuilt under today's",
                    True,
                )
            path = kept_path(places.uploads, batch.sha256)
            if not path.exists():
                yield (
                    f"{batch.batch_id}：原文件缺失 {path.name}",
                    f"{batch.batch_id}: the upload {path.name} is missing",
                    False,
                )
                continue
            with scratch_of(copy) as scratch:
                _, verdict, _ = judge_file(
                    copy,
                    path,
                    batch.file_name,
                    known[batch.bureau],
                    batch.dataset_asked or None,
                    batch.received_at,
                    scratch,
                )
                going = [
                    (verdict.batch.table, publishable(verdict, batch.batch_id)),
                    *side_tables(verdict, batch.batch_id),
                ]
                for table, frame in going:
                    done = publish_table(
                        frame,
                        table,
                        places.tables,
                        batch_id=batch.batch_id,
                        recorded_at=publication.recorded_at,
                        lock_dir=places.home / "locks",
                    )
                    gone = set(done.files_removed)
                    files = [f for f in files if (f.table, f.path) not in {(table.table, p) for p in gone}]
                    files += [DataFile(f.table, f.path, f.sha256, f.bytes) for f in done.files_added]
    same = True
    for name in tables():
        new = content_hash(name, places.tables)
        try:
            old = content_hash(name, road.places.tables)
        except Exception as error:  # a damaged table may fail in any way its reader knows
            old = f"unreadable: {type(error).__name__}"
        same = same and new == old
        yield (
            f"{name}：{'一致' if new == old else '不一致'}  {new[:23]}…",
            f"{name}: {'same' if new == old else 'differs'}  {new[:23]}…",
            new == old or replace,
        )
    if replace and not same:
        _put_in_place(road, target, files)
        yield "已用重建的表替换", "the rebuilt tables are in place", True
    else:
        shutil.rmtree(target)


def _put_in_place(road: Road, target: Path, files: list) -> None:
    """Swap the folders and let the records know the new files."""
    old = Path(road.places.tables)
    aside = old.with_name(f"tables.before-{road.clock():%Y%m%dT%H%M%S}")
    if old.exists():
        os.rename(old, aside)
    os.rename(target, old)
    road.kept.retire_files([(f.table, f.path) for f in road.kept.files()], road.clock())
    road.kept.add_files(files, road.clock())

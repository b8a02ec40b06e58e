"""A layout that was tried, put into the facts of this site; the one it takes the place of is kept beside the home's facts."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from pipelines.batch import Places
from pipelines.disk import flush
from portal.studio.errors import NotTried
from portal.studio.trying import Tried, mark_of
from records.store import Records
from schemas.layouts import Layout, layouts


def own_layouts(places: Places, bureau: str) -> list[Layout]:
    """List the layouts of a bureau that were made at this site."""
    site = places.site_facts
    return [one for one in layouts(bureau, site) if site in one.path.parents] if site.is_dir() else []


def save_layout(
    places: Places, records: Records, bureau: str, tried: Tried | None, mark: str, by: str, at: datetime
) -> Path:
    """Make a tried layout that of the bureau; from now on its files are read by it.

    Raises
    ------
    NotTried
        There was no trial, it failed, or what was tried last is not what the person saw.
    """
    if tried is None or mark != mark_of(tried.text):
        raise NotTried(
            "layout-not-tried", "这份格式还没有试读，或试读之后又有改动。请先试读，再保存",
            "this layout was not tried, or was changed since: try it first",
        )  # fmt: skip
    if not tried.read:
        raise NotTried(
            "layout-does-not-read", "试读没有得到可用的数据，不能保存。请按试读结果改正后再试",
            "the trial gave no usable data: mend the layout and try again",
        )  # fmt: skip
    folder = places.site_facts / bureau
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{tried.name}.toml"
    replaced = _put_aside(places, path, bureau)
    fresh = folder / f".{tried.name}.new"
    with fresh.open("w", encoding="utf-8") as out:
        out.write(tried.text)
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)
    flush(folder)
    told = {"layout": tried.name, "sha256": mark, "by": by, "tried_on": tried.file_sha256, "replaces": replaced}
    records.append("layout-saved", at, bureau, payload=told)
    return path


def _put_aside(places: Places, path: Path, bureau: str) -> str:
    """Keep the layout that is replaced; give its hash, blank where there was none."""
    if not path.exists():
        return ""
    old = path.read_text(encoding="utf-8")
    kept = places.home / "layouts-before" / bureau
    kept.mkdir(parents=True, exist_ok=True)
    (kept / f"{path.stem}-{mark_of(old)[:12]}.toml").write_text(old, encoding="utf-8")
    return mark_of(old)

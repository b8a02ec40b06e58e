"""A layout tried on the file it was made for: the whole judgement, nothing kept but what came of it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.batch import Places, ReadLimits
from pipelines.disk import digest
from pipelines.errors import UnreadableFile
from pipelines.intake.personal import is_personal
from pipelines.intake.read import Reader
from pipelines.standardise.propose import Sketch, sketch
from pipelines.sync import Road, check
from portal.studio.choices import Choices
from portal.studio.errors import Undecided
from schemas.files import MalformedFact
from schemas.layouts import layout_names, layouts, read_layout

SHOWN = 50
"""Findings of a trial that are kept for the page."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial: the layout as a text, the file it was tried on, and what the judge said."""

    name: str
    text: str
    file_sha256: str
    read: bool
    """The file was read by this layout and something of it could be published."""
    outcome: dict[str, Any]


def look(places: Places, path: Path, name: str, bureau: str, dataset: str | None = None) -> Sketch:
    """Understand a file as far as it goes.

    Raises
    ------
    RoadError
        The file cannot be read, or holds personal data, which no layout of the portal takes.
    """
    site = places.site_facts if places.site_facts.is_dir() else None
    if is_personal(path, layouts(bureau, site)):
        raise _personal()
    with tempfile.TemporaryDirectory(prefix="gongzhi-studio-") as scratch, Reader(ReadLimits()) as reader:
        raw = reader.read(path, name, Path(scratch))
        try:
            seen = sketch(raw, bureau, dataset, site)
        except ValueError:
            raise UnreadableFile(
                "no-cells", "文件没有可以配置的单元格。请换一个有表头和数据的文件",
                "the file holds no cells to make a layout from",
            ) from None  # fmt: skip
    if seen.dataset == "experts":
        raise _personal()
    return seen


def _personal() -> UnreadableFile:
    return UnreadableFile(
        "personal-data", "文件像是专家名单，含个人信息，请由专家管理员在“专家库”导入，不在这里配置格式；请撤回这个文件",
        "the file looks like a list of experts: import it on the pages of the expert pool, and withdraw it here",
    )  # fmt: skip


def check_text(text: str, name: str, bureau: str) -> None:
    """See that a layout can be read at all, and takes no name that the exchange ships.

    Raises
    ------
    Undecided
    """
    if name in (*layout_names(bureau, None), "bureau", "sources"):
        raise Undecided(
            "name",
            f"格式名“{name}”已被系统自带的格式使用。请换一个",
            f"the name {name!r} is one of the shipped layouts",
        )
    with tempfile.TemporaryDirectory(prefix="gongzhi-studio-") as folder:
        path = Path(folder) / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        try:
            read_layout(path, bureau)
        except MalformedFact as error:
            raise Undecided(
                "means-0", f"这样的格式不能使用：{error.reason}。请更正", f"such a layout cannot be: {error.reason}"
            ) from None


def try_layout(
    places: Places, path: Path, name: str, bureau: str, choices: Choices, text: str, clock: Callable[[], datetime]
) -> Tried:
    """Judge the file as it would be judged with this layout in place; the home is not touched.

    Raises
    ------
    Undecided
    """
    check_text(text, choices.name, bureau)
    with tempfile.TemporaryDirectory(prefix="gongzhi-studio-") as folder:
        home = Path(folder)
        aside = replace(places, home=home)
        if places.site_facts.is_dir():
            shutil.copytree(places.site_facts, aside.site_facts)
        (aside.site_facts / bureau).mkdir(parents=True, exist_ok=True)
        (aside.site_facts / bureau / f"{choices.name}.toml").write_text(text, encoding="utf-8")
        named = home / "file" / Path(name).name
        named.parent.mkdir()
        shutil.copyfile(path, named)
        with Road(aside, clock) as road:
            outcome = next(iter(check(road, named, bureau, choices.dataset)))
    told = outcome.as_json()
    told["findings"] = told["findings"][:SHOWN]
    read = outcome.layout == choices.name and outcome.rows.get("clean", 0) + outcome.rows.get("partial", 0) > 0
    return Tried(choices.name, text, digest(path), read, told)


def keep_tried(folder: Path, tried: Tried) -> None:
    """Keep the last trial beside the draft, for the page and for saving it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tried.json").write_text(json.dumps(asdict(tried), ensure_ascii=False), encoding="utf-8")


def last_tried(folder: Path) -> Tried | None:
    """Give the last trial, if there was one."""
    path = folder / "tried.json"
    return Tried(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def mark_of(text: str) -> str:
    """Give the hash of a layout's text: what is saved must be what was tried."""
    return hashlib.sha256(text.encode()).hexdigest()

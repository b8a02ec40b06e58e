"""What the commands of the credit register are asked with, each option named once: who asks and why, and as of when.

A command takes ``who: Who`` and ``when: When`` and is decorated with :func:`spread`, which shows the person the options
these are made of.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from portal.cli import Exit, stop
from portal.words import say

DAY = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}

AsJson = Annotated[bool, typer.Option("--json", help=say("输出 JSON", "print JSON"))]
Output = Annotated[Path, typer.Option("--output", "-o", help=say("写到哪里", "file to write"))]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help=say("最多几条", "at most so many"))]
CodeOrName = Annotated[
    str, typer.Argument(metavar="CODE|NAME", help=say("统一社会信用代码；名称只列候选", "code; a name only gives hits"))
]
Unit = Annotated[
    str | None,
    typer.Option(
        "--unit",
        help=say("查询单位，如 beibei/执法支队 （GONGZHI_UNIT）", "who asks, e.g. beibei/patrol (GONGZHI_UNIT)"),
    ),
]
Certificate = Annotated[
    str | None, typer.Option("--certificate", help=say("执法证号 （GONGZHI_CERTIFICATE）", "officer's certificate"))
]
NoCode = Annotated[
    bool,
    typer.Option(
        "--no-code",
        help=say(
            "打开只写名称、 没有代码的记录： 名称须完全一致", "open records kept under just this name, without a code"
        ),
    ),
]
Since = Annotated[datetime | None, typer.Option("--since", **DAY, help=say("从这一天起", "from that day"))]
Until = Annotated[datetime | None, typer.Option("--until", **DAY, help=say("到这一天终了", "to the end of that day"))]


@dataclass(frozen=True)
class Who:
    """Who asks, and why."""

    unit: Unit = None
    certificate: Certificate = None
    purpose: Annotated[
        str | None,
        typer.Option(
            "--purpose",
            "-p",
            help=say(
                "查询目的： 检查前核查 随机抽查 许可 会商 复核 其他 （GONGZHI_PURPOSE）",
                "why: pre-inspection random-check licensing consultation review other (GONGZHI_PURPOSE)",
            ),
        ),
    ] = None
    plan: Annotated[
        str, typer.Option("--plan", help=say("计划、案件或入企码编号", "number of the plan, case or entry code"))
    ] = ""


@dataclass(frozen=True)
class When:
    """As of when: valid on a day, as known at an instant."""

    on: Annotated[
        datetime | None, typer.Option("--on", **DAY, help=say("有效日，默认今天", "valid on that day; today"))
    ] = None
    known: Annotated[
        str | None,
        typer.Option(
            "--known",
            metavar="YYYY-MM-DD",
            help=say("截至何时所知 （到当日终了）， 默认现在", "as known then; a day is meant to its end"),
        ),
    ] = None

    @property
    def day(self) -> date | None:
        """The day it must be valid on, None for today."""
        return day_of(self.on)


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command with its ``who`` and ``when`` as the options they are made of."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    parts = {one.name: one.annotation for one in own if one.annotation in (Who, When)}
    shown = [each for one in own for each in (_options(parts[one.name]) if one.name in parts else [one])]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, part in parts.items():
            given[name] = part(**{field.name: given.pop(field.name) for field in fields(part)})
        command(**given)

    del run.__wrapped__  # type: ignore[attr-defined]
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    run.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in named}
    return run


def _options(part: type) -> list[inspect.Parameter]:
    hints = get_type_hints(part, include_extras=True)
    named = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(one.name, named, default=one.default, annotation=hints[one.name]) for one in fields(part)]


def day_of(moment: datetime | None) -> date | None:
    """Give the day an option named."""
    return moment.date() if moment else None


def checked_output(path: Path, *suffixes: str) -> Path:
    """Give a file that can be written; ends with words before anything is looked up where it cannot."""
    if suffixes and path.suffix.lower() not in suffixes:
        kinds = " 或 ".join(suffixes), " or ".join(suffixes)
        stop(Exit.USE, f"-o 的文件名应以 {kinds[0]} 结尾：{path}", f"-o must end in {kinds[1]}: {path}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        stop(
            Exit.USE,
            f"不能写到 {path}：文件夹不存在，或它本身是文件夹",
            f"cannot write {path}: no folder, or one itself",
        )
    return path

"""Why somebody may not sit (recuse), what the figures say (stats), and a published draw done again (verify)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Exit, Home, Json, data, stop, words
from portal.cli_experts import (
    By,
    Expert,
    Purpose,
    Role,
    Since,
    Unit,
    Until,
    day,
    experts,
    office,
    print_json,
    today,
)  # fmt: skip
from portal.words import say


@experts.command(help=say("回避：这位专家为何不能参加这一事项", "why an expert may not sit in a matter"))
def recuse(
    expert: Expert,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="REQUEST", exists=True, dir_okay=False, help=say("抽取申请 TOML", "request, TOML")),
    ] = None,
    draw: Annotated[str, typer.Option("--draw", help=say("已冻结的抽取编号", "a frozen draw"))] = "",
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Give every reason with its evidence: for a request as things are now, or the own entry of a frozen list.

    The entry of a frozen list may be seen once its names may be. Exit 0: nothing stands against it; 1: something does.

    Example: gongzhi experts recuse e-20260414-0123456789ab request.toml
    """
    from portal.expert_views import why_not
    from portal.expert_words import reason_lines

    if (file is None) == (not draw):
        stop(Exit.USE, "请给出申请文件或 --draw 抽取编号", "give a request file or --draw ID")
    with office(home, by, role, unit, purpose) as desk:
        document = why_not(desk, expert, file, draw)
    if as_json:
        print_json(document)
    else:
        for line in reason_lines(document):
            data(line)
    raise typer.Exit(Exit.DONE if document["status"] == "eligible" else Exit.REFUSED)


@experts.command(help=say("统计：专家、使用、对方占比、时长、抽取", "figures of the pool and its draws"))
def stats(since: Since = None, until: Until = None, as_json: Json = False, home: Home = None) -> None:
    """Count for each bureau; counts only, of a period that is this year unless told.

    Example: gongzhi experts stats --since 2026-01-01 --until 2026-12-31
    """
    from expert_registry.figures import figures
    from portal.expert_figures import figure_lines

    with office(home) as desk:
        last = day(until) or today(desk)
        document = figures(desk.desk, day(since) or last.replace(month=1, day=1), last, at=desk.at)
    if as_json:
        print_json(document)
        return
    for line in figure_lines(document):
        data(line)


@experts.command(help=say("复算公布的抽取结果：只要文件", "do a published draw again: the file alone is enough"))
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    key: Annotated[
        list[str] | None, typer.Option("--key", help=say("单位=公钥，可多次", "BUREAU=PUBLIC KEY, again and again"))
    ] = None,
    as_json: Json = False,
) -> None:
    """Do a draw again from its file, without home, database or network; exit 0 where it is what its papers give.

    Without --key it shows that nothing was changed since, not who signed. docs/verify_draw.py says the same without gongzhi.

    Example: gongzhi experts verify beibei-2026-0001.json --key beibei=0123abcd
    """
    from expert_registry.draw.verification import Check, read
    from expert_registry.draw.verification import verify as redo
    from expert_registry.errors import BadDraw

    trusted: dict[str, set[str]] = {}
    for one in key or []:
        bureau, sign, text = one.partition("=")
        if not (bureau and sign and text):
            stop(Exit.USE, "--key 应写作 单位代码=公钥", "--key is BUREAU=PUBLIC KEY")
        trusted.setdefault(bureau, set()).update(text.split(","))
    try:
        check = redo(read(file.read_bytes()), trusted or None)
    except BadDraw as error:
        check = Check(False, error.message, error.message_en)
    if as_json:
        told = {"ok": check.ok, "trusted": check.trusted, "message": check.reason_zh, "message_en": check.reason_en}
        print_json(told)
    else:
        data(("✓ " if check.ok else "✗ ") + say(check.reason_zh, check.reason_en))
        if check.ok and not check.trusted:
            words(
                say(
                    "未给出公钥：只证明文件自洽、未被改动，未证明由谁签名（--key 单位=公钥）",
                    "no keys were given: nothing was changed, but who signed is not shown (--key BUREAU=KEY)",
                )
            )
    raise typer.Exit(Exit.DONE if check.ok else Exit.REFUSED)

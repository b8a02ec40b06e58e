"""Commands for what an expert may ask for, and for what is past its term: ``gongzhi experts person …``.

Every act says who does it and on which request
(``--request``: when and how the person asked); both are kept. A dossier holds numbers in clear: it is written for its
owner alone, never shown on the screen.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Exit, Home, data, stop, words
from portal.cli_experts import By, Expert, experts, office, today
from portal.words import say

person = typer.Typer(
    name="person",
    no_args_is_help=True,
    help=say(
        "个人信息：查阅、更正、停止使用、删除、撤回同意、到期清理", "an expert's own data: see, correct, freeze, delete"
    ),
)
experts.add_typer(person)

Request = Annotated[
    str, typer.Option("--request", "-r", help=say("依据：本人何时、以何方式提出", "when and how the person asked"))
]


@person.command(help=say("查阅：本人的全部信息，写成 JSON 和文本", "everything held on a person, as JSON and text"))
def dossier(
    expert: Expert,
    request: Request,
    output: Annotated[Path, typer.Option("--output", "-o", help="X.json")],
    by: By = "",
    home: Home = None,
) -> None:
    """Write all that is held on one person to X.json and X.txt, readable by their owner alone.

    Example: gongzhi experts person dossier e-20260401-0123456789ab -r 本人2026-04-02书面申请 -o dossier.json
    """
    from expert_registry.privacy.dossier import dossier as gather
    from expert_registry.privacy.dossier import readable
    from expert_registry.privacy.vault import write_private

    paths = (output.with_suffix(".json"), output.with_suffix(".txt"))
    with office(home, by) as desk:
        told = gather(desk.records, desk.vault, expert, by=desk.by, unit=desk.unit, at=desk.at, reason=request)
    write_private(paths[0], (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode())
    write_private(paths[1], readable(told).encode())
    words(
        say(
            f"已写出 {paths[0]} 和 {paths[1]}（含个人信息，交付后请删除）",
            f"wrote {paths[0]} and {paths[1]}; delete them once handed over",
        )
    )


@person.command(help=say("更正：改正登记有误的信息", "correct what is wrong"))
def correct(
    expert: Expert,
    request: Request,
    values: Annotated[
        list[str],
        typer.Option(
            "--set", help=say("字段=内容；号码用 字段=@文件，不写在命令行上", "field=text, or field=@file for numbers")
        ),
    ],
    by: By = "",
    home: Home = None,
) -> None:
    """Correct fields of one record; identity and phone are read from a file, so that they stay out of the history.

    Example: gongzhi experts person correct e-20260401-0123456789ab --set title=教授 --set phone=@phone.txt -r 本人来电
    """
    from expert_registry.privacy.requests_of_persons import correct as change

    told = dict(_value(one) for one in values)
    with office(home, by) as desk:
        changed = change(desk.records, desk.vault, expert, told, by=desk.by, at=desk.at, reason=request)
    data("\n".join(sorted(changed)) if changed else say("没有变化", "nothing changed"))


def _value(text: str) -> tuple[str, str | date]:
    name, _, value = text.partition("=")
    if not value:
        stop(Exit.USE, f"{name!r} 须写作 字段=内容", f"{name!r} is written field=text")
    if value.startswith("@"):
        value = Path(value[1:]).read_text("utf-8").strip()
    elif name in ("identity", "phone"):
        stop(
            Exit.USE,
            f"{name} 不写在命令行上，请用 {name}=@文件",
            f"{name} is not written on a command line: {name}=@file",
        )
    if name not in ("certificate_until", "practice_since"):
        return name, value
    try:
        return name, date.fromisoformat(value)
    except ValueError:
        stop(Exit.USE, f"{name} 须为日期，如 2028-12-31", f"{name} is a day such as 2028-12-31")


@person.command(help=say("停止使用：只保存，不显示、不抽取、不更新", "freeze: only keep, neither show nor draw"))
def freeze(expert: Expert, request: Request, by: By = "", home: Home = None) -> None:
    """Freeze all records of a person.

    Example: gongzhi experts person freeze e-20260401-0123456789ab -r 本人2026-04-02书面申请
    """
    from expert_registry.privacy.requests_of_persons import freeze as act

    with office(home, by) as desk:
        data("\n".join(act(desk.records, expert, by=desk.by, at=desk.at, reason=request)))


@person.command(help=say("解除停止使用", "unfreeze"))
def unfreeze(expert: Expert, request: Request, by: By = "", home: Home = None) -> None:
    """Take a freezing back.

    Example: gongzhi experts person unfreeze e-20260401-0123456789ab -r 本人2026-05-02书面申请
    """
    from expert_registry.privacy.requests_of_persons import unfreeze as act

    with office(home, by) as desk:
        data("\n".join(act(desk.records, expert, by=desk.by, at=desk.at, reason=request)))


@person.command(help=say("撤回同意：sharing、publication、bank", "end a consent: sharing, publication, bank"))
def consent(
    expert: Expert,
    kind: Annotated[str, typer.Argument(help="sharing | publication | bank")],
    request: Request,
    on: Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"])] = None,
    by: By = "",
    home: Home = None,
) -> None:
    """End a consent from a day on (today), on all records of the person.

    Example: gongzhi experts person consent e-20260401-0123456789ab sharing -r 本人2026-04-02书面撤回
    """
    from expert_registry.privacy.requests_of_persons import end_consent

    with office(home, by) as desk:
        day = on.date() if on else today(desk)
        count, away = end_consent(desk.records, expert, kind, day, by=desk.by, at=desk.at, reason=request)
    data(say(f"撤回 {count} 项同意", f"{count} consents ended"))
    for draw_id in away:
        words(
            say(
                f"此人仍在 {draw_id} 中有席位，请询问本人是否谢绝", f"still seated in {draw_id}: ask whether to decline"
            )
        )


@person.command(help=say("删除：覆盖个人信息，抽取记录只留编号", "delete: overwrite the person, draws keep a number"))
def erase(
    expert: Expert,
    request: Request,
    yes: Annotated[bool, typer.Option("--yes", help=say("确认删除，不可恢复", "yes, delete for good"))] = False,
    by: By = "",
    home: Home = None,
) -> None:
    """Delete a person; without --yes only say what hinders it and what would go.

    Keep the JSON apart: after an older backup comes back, delete the same numbers again.

    Example: gongzhi experts person erase e-20260401-0123456789ab -r 本人2026-04-02书面申请 --yes > erasure.json
    """
    from expert_registry.privacy import requests_of_persons as requests

    with office(home, by) as desk:
        if yes:
            done = requests.erase(
                desk.records, desk.vault, expert, desk.uploads, by=desk.by, at=desk.at, reason=request
            )
            data(json.dumps(done.as_json(), ensure_ascii=False))
            return
        ids = requests.records_of_person(desk.records, expert)
        found = requests.obstacles(desk.records, desk.vault, expert, desk.at)
    words(say(f"将删除 {'、'.join(ids)}；确认请加 --yes", f"would delete {', '.join(ids)}; say --yes"))
    for one in found:
        data(say(one.words, one.words_en))
    raise typer.Exit(Exit.REFUSED if found else Exit.DONE)


@person.command(
    help=say("到期清理：离库专家、查看记录、抽取密钥；不加 --yes 只列出", "what is past its term; --yes lets it go")
)
def retention(
    approved: Annotated[str, typer.Option("--approved", help=say("批准依据", "who approved it"))] = "",
    yes: Annotated[bool, typer.Option("--yes", help=say("确认清理，不可恢复", "yes, for good"))] = False,
    by: By = "",
    home: Home = None,
) -> None:
    """List what is past its term, or with --yes let it go.

    Example: gongzhi experts person retention --approved 局长办公会2026-04-02 --yes
    """
    from expert_registry.privacy.retention import due, let_go

    with office(home, by) as desk:
        if yes:
            found = let_go(desk.records, desk.vault, desk.rules, desk.uploads, by=desk.by, at=desk.at, reason=approved)
        else:
            found = due(desk.records, desk.vault, desk.rules, desk.at)
    data(json.dumps(found.as_json(), ensure_ascii=False))

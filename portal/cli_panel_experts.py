"""What follows a draw: replace, invite, answer, appraise, fee, minutes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Exit, Home, Json, data, stop, words
from portal.cli_draw_experts import Draw, Due, Part, Seen, SourceName, Value, write
from portal.cli_experts import DAY, By, Expert, Purpose, Reason, Role, Some, Unit, experts, office, print_json, today
from portal.cli_experts_told import fen
from portal.words import say

replace = typer.Typer(
    name="replace",
    no_args_is_help=True,
    help=say("递补：启动、给出链环、抽取", "a replacement: open, link, run"),
)
experts.add_typer(replace)

Document = Annotated[str, typer.Option("--document", help=say("凭据（邀请函、回执、意见文号）", "what shows it"))]


@replace.command("open", help=say("启动递补：席位已空出并有原因", "open a replacement of somebody whose seat is free"))
def open_vacancy(
    draw_id: Draw,
    expert: Expert,
    source: SourceName = "",
    due: Due = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Open the replacement of an expert who declined, did not answer, did not come or was replaced for a coded reason.

    The source is the public value that decides where a bureau gives no link in time.

    Example: gongzhi experts replace open beibei-2026-0001 e-20260414-0123456789ab --source 双色球第2026066期 --due "2026-06-14 21:15" --by 孙工
    """
    from expert_registry.draw.papers import PublicSource
    from expert_registry.panel.afterwards import open_vacancy as begin
    from portal.expert_requests import read_instant
    from portal.expert_rounds import shown

    if not (source and due):
        stop(Exit.USE, "请写备用公开来源：--source --due", "name the fallback: --source --due")
    with office(home, by) as desk:
        told = PublicSource(source, read_instant(due))
        paper = begin(desk.desk, draw_id, expert, fallback_source=told, by=desk.by, at=desk.at)
    if as_json:
        print_json(paper)
    else:
        data(
            say(f"第 {paper['round']} 次递补，原因 {paper['cause']}", f"replacement {paper['round']}: {paper['cause']}")
        )
    until = shown(paper["links_by"])
    words(
        say(
            f"下一步：各方在 {until} 前给出链环 experts replace link {draw_id}（双机模式先送文书），再由另一人 experts replace run",
            f"next: links by {until}: experts replace link {draw_id}; then another person: experts replace run {draw_id}",
        )
    )


@replace.command(help=say("给出本方的链环", "give the link of this home"))
def link(draw_id: Draw, bureau: Part = "", by: By = "", home: Home = None) -> None:
    """Give the next link of the chain for the bureaus this home plays.

    Example: gongzhi experts replace link beibei-2026-0001
    """
    from expert_registry.draw.replacing import give_link

    with office(home, by) as desk:
        given = (bureau,) if bureau else desk.desk.plays
        for one in given:
            give_link(desk.desk, draw_id, one, by=desk.by, at=desk.at)
    data(say(f"已给出链环：{'、'.join(given)}", f"links given: {', '.join(given)}"))


@replace.command("run", help=say("抽取递补（启动人以外的人）", "draw it, as another person than opened it"))
def run_replacement(
    draw_id: Draw, value: Value = "", seen: Seen = "", by: By = "", as_json: Json = False, home: Home = None
) -> None:
    """Draw the replacement; --value only where a bureau gave no link in time. Then publish the new edition.

    Example: gongzhi experts replace run beibei-2026-0001 --by 王工
    """
    from expert_registry.draw.desk import latest, papers_of
    from expert_registry.draw.papers import PublicValue
    from expert_registry.draw.replacing import replace as make
    from portal.expert_requests import read_instant

    with office(home, by) as desk:
        told = None
        if value:
            part = str(len(latest(desk.desk, draw_id)["replacements"]) + 1)
            opening = papers_of(desk.desk, draw_id, "vacancy").get(part)
            name = opening["fallback_source"]["name"] if opening else ""
            told = PublicValue(name, value, read_instant(seen) if seen else desk.at)
        document = make(desk.desk, draw_id, by=desk.by, at=desk.at, value=told)
    entry = document["replacements"][-1]
    taken = "、".join(one["id"][:12] for one in entry["taken"])
    if as_json:
        print_json({"round": entry["opening"]["round"], "taken": entry["taken"], "unfilled": entry["unfilled"]})
    else:
        data(say(f"递补：{taken or '无人可递补，请重新抽取'}", f"taken: {taken or 'nobody is left: draw again'}"))
    words(say(f"下一步：公布新版 experts draw publish {draw_id}", f"next: experts draw publish {draw_id}"))
    raise typer.Exit(Exit.DONE if entry["taken"] else Exit.REFUSED)


@experts.command(help=say("邀请：抽中而未邀请的全部，或所写的专家", "invite those drawn: all not yet invited, or some"))
def invite(
    draw_id: Draw, some: Some = None, document: Document = "", by: By = "", as_json: Json = False, home: Home = None
) -> None:
    """Record invitations; who does not answer in time may be replaced. Look at the names first: draw show --names.

    Example: gongzhi experts invite beibei-2026-0001 --document 邀请函〔2026〕7号 --by 孙工
    """
    from expert_registry.panel.afterwards import tell
    from records.expert_seats import seats

    with office(home, by) as desk:
        waiting = [one.expert_id for one in seats(desk.records, draw_ids=[draw_id]) if one.state == "drawn"]
        ids = some or waiting
        for one in ids:
            tell(desk.desk, draw_id, one, "invited", by=desk.by, at=desk.at, document=document)
        hours = desk.rules.answer_hours
    if as_json:
        print_json({"draw_id": draw_id, "invited": ids})
    else:
        data(say(f"已邀请 {len(ids)} 人，答复期限 {hours} 小时", f"{len(ids)} invited, {hours} hours to answer"))
    if not ids:
        words(
            say(
                f"没有待邀请的席位；公开时间后先看姓名 experts draw show {draw_id} --names",
                f"nobody waits to be invited; look at the names first: experts draw show {draw_id} --names",
            )
        )
    raise typer.Exit(Exit.DONE if ids else Exit.REFUSED)


@experts.command(help=say("席位登记：接受、谢绝、未答复、到场、缺席、意见、替换", "what became of a seat"))
def answer(
    draw_id: Draw,
    expert: Expert,
    state: Annotated[
        str,
        typer.Argument(
            metavar="STATE", help="accepted | declined | no_answer | attended | absent | opinion_signed | replaced"
        ),
    ],
    code: Annotated[str, typer.Option("--code", help=say("原因代码", "code of the reason"))] = "",
    reason: Reason = "",
    document: Document = "",
    explain: Annotated[
        bool, typer.Option("--explain", help=say("为已登记的谢绝、缺席补充理由", "give the reason afterwards"))
    ] = False,
    by: By = "",
    home: Home = None,
) -> None:
    """Bring a seat into a state. A refusal has a code (ill, interest, duty, …, unexplained); an opinion its document.

    Example: gongzhi experts answer beibei-2026-0001 e-20260414-0123456789ab declined --code ill --reason 住院 --by 孙工
    """
    from expert_registry.panel import afterwards
    from schemas.expert_seat_facts import seat_states

    told = {"reason": reason, "document": document}
    with office(home, by) as desk:
        who = {"by": desk.by, "at": desk.at}
        if explain:
            seat = afterwards.explain(desk.desk, draw_id, expert, code, **told, **who)  # type: ignore[arg-type]
        else:
            seat = afterwards.tell(desk.desk, draw_id, expert, state, code=code, **told, **who)  # type: ignore[arg-type]
    known = seat_states()[seat.state]
    data(f"{expert}：{say(known.title_zh, known.title_en)}")
    if seat.state in afterwards.LEFT:
        words(
            say(
                f"席位空出；递补：experts replace open {draw_id} {expert} --source … --due …",
                f"the seat is free; experts replace open {draw_id} {expert} --source … --due …",
            )
        )


@experts.command(
    help=say("评价：用户单位评专家、专家评组织方；不写则列出待评", "appraise one use; without: what is due")
)
def appraise(
    draw_id: Annotated[str, typer.Argument(metavar="DRAW")] = "",
    expert: Annotated[str, typer.Argument(metavar="EXPERT")] = "",
    grade: Annotated[str, typer.Argument(metavar="GRADE", help="excellent | good | fair | poor")] = "",
    kind: Annotated[
        str,
        typer.Option("--kind", help=say("by-user 用户单位评专家；of-organiser 专家评组织方", "by-user | of-organiser")),
    ] = "by-user",
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Appraise one use, once of each kind; a poor grade says why. Without a draw the missing appraisals are listed.

    Example: gongzhi experts appraise beibei-2026-0001 e-20260414-0123456789ab good --by 赵工
    """
    from expert_registry.panel import afterwards
    from portal.expert_words import due_lines

    with office(home, by) as desk:
        if not draw_id:
            due = [
                {"draw_id": one.draw_id, "expert": one.expert_id, "kind": one.kind, "last_day": one.last_day.isoformat(),
                 "overdue": one.last_day < today(desk)}
                for one in afterwards.due(desk.desk)
            ]  # fmt: skip
            for document in due if as_json else ():
                print_json(document)
            for line in () if as_json else due_lines(due):
                data(line)
            return
        afterwards.appraise(desk.desk, draw_id, expert, kind, grade, by=desk.by, at=desk.at, remark=reason)
    data(say("已登记", "kept"))


@experts.command(help=say("费用：记录支付，不含银行信息", "record what was paid; no bank data"))
def fee(
    draw_id: Draw,
    expert: Expert,
    yuan: Annotated[
        str, typer.Argument(metavar="YUAN", help=say("金额（元），更正写负数", "yuan; a correction is negative"))
    ],
    payer: Annotated[str, typer.Option("--payer", help=say("支付单位", "who pays"))],
    paid_on: Annotated[
        datetime | None, typer.Option("--paid-on", formats=DAY, help=say("支付日，默认今天", "day"))
    ] = None,
    by: By = "",
    home: Home = None,
) -> None:
    """Record what was paid for a use.

    Example: gongzhi experts fee beibei-2026-0001 e-20260414-0123456789ab 800 --payer 北碚区生态环境局 --by 财务钱
    """
    from expert_registry.panel.afterwards import pay

    with office(home, by) as desk:
        when = paid_on.date() if paid_on else today(desk)
        pay(desk.desk, draw_id, expert, fen(yuan) or 0, paid_on=when, payer=payer, by=desk.by, at=desk.at)
    data(say("已登记", "kept"))


@experts.command(help=say("抽取记录：PDF 与签名的 JSON", "the minutes of a draw: PDF and the signed JSON"))
def minutes(
    draw_id: Draw,
    output: Annotated[Path, typer.Option("--output", "-o", help="X.pdf | X.json")],
    address: Annotated[
        str, typer.Option("--address", help=say("公布网址（二维码）", "where it is published (QR)"))
    ] = "",
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Write the minutes a role may have: X.pdf with X.minutes.json beside it, or the JSON alone. Names are recorded looks.

    Example: gongzhi experts minutes beibei-2026-0001 -o 抽取记录.pdf --role organiser --purpose 归档
    """
    from expert_registry.panel.minutes import minutes as make

    if output.suffix not in (".pdf", ".json"):
        stop(Exit.USE, "记录写作 .pdf 或 .json", "minutes are written as .pdf or .json")
    with office(home, by, role, unit, purpose) as desk:
        document = make(desk.desk, draw_id, desk.looker(), desk.at)
        beside = output.with_suffix(".minutes.json") if output.suffix == ".pdf" else output
        write(beside, document)
        if output.suffix == ".pdf":
            from expert_registry.panel.minutes_page import print_minutes

            output.write_bytes(print_minutes(document, address=address))
    words(say(f"已写出 {output}", f"wrote {output}"))

"""The draw of a panel, step by step: request, freeze, commit, reveal, run, publish; abandon, list, show.

Two persons: who asks for a draw can neither freeze nor run it. Every step asked for again gives what stands. After each
step the next one is said. What the protocol is: ``docs/draw-protocol.md``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from portal.cli import Exit, Home, Json, data, stop, words
from portal.cli_experts import By, Purpose, Reason, Role, Unit, experts, office, print_json
from portal.words import say

draw = typer.Typer(
    name="draw",
    no_args_is_help=True,
    help=say("抽取：申请、冻结、承诺、揭示、抽取、公布", "a draw: request, freeze, commit, reveal, run, publish"),
)
experts.add_typer(draw)

Draw = Annotated[str, typer.Argument(metavar="DRAW", help=say("抽取编号，如 beibei-2026-0001", "number of the draw"))]
Part = Annotated[
    str, typer.Option("--bureau", "-b", help=say("代表哪一方，默认本机代表的各方", "whose part; all this home plays"))
]
SourceName = Annotated[str, typer.Option("--source", help=say("尚未产生的公开数值", "a public value still to come"))]
Due = Annotated[str, typer.Option("--due", help=say("何时公布，如 2026-06-08 21:15", "when it falls due"))]
Value = Annotated[
    str, typer.Option("--value", help=say("公开来源公布的数值，照写", "what the source said, as written"))
]
Seen = Annotated[str, typer.Option("--seen", help=say("何时看到，默认现在", "when it was seen; now"))]
Output = Annotated[Path | None, typer.Option("--output", "-o", help=say("写到哪里", "file to write"))]


@draw.command(help=say("申请：事项、席位、当事方写在 TOML 文件里", "ask for a draw; it gets its number"))
def request(
    file: Annotated[Path, typer.Argument(metavar="REQUEST", exists=True, dir_okay=False)],
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Ask for a draw; the number stays with it whatever comes of it. examples/experts/request.toml shows the file.

    Names the parties bore, their group and their heads are added from the credit register and what was told of them.

    Example: gongzhi experts draw request request.toml --by 李工
    """
    from dataclasses import replace

    from expert_registry.draw.desk import request as ask
    from portal.expert_requests import read_panel

    asked = read_panel(file)
    with office(home, by) as desk:
        whole = replace(asked.request, matter=desk.complete(asked.request.matter))
        made = ask(desk.desk, whole, by=desk.by, at=desk.at, redraw=asked.redraw)
        tell_draw(desk, made.draw_id, as_json)


@draw.command(help=say("冻结名单（第二人）：此后名单不可改", "freeze the list, as the second person"))
def freeze(
    draw_id: Draw,
    few: Annotated[
        str, typer.Option("--approve-few", help=say("候选人不足时的批准理由", "why too few candidates will do"))
    ] = "",
    again: Annotated[
        str, typer.Option("--approve-redraw", help=say("重新抽取的批准理由", "why the matter may be drawn for again"))
    ] = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Freeze the list of candidates, as another person than who asked; says how many can be drawn and why others cannot.

    Example: gongzhi experts draw freeze beibei-2026-0001 --by 王工
    """
    from expert_registry.draw.desk import paper_of
    from expert_registry.draw.freezing import FEW, REDRAW
    from expert_registry.draw.freezing import freeze as fix
    from expert_registry.draw.requests import read_request

    with office(home, by) as desk:
        matter = read_request(paper_of(desk.desk, draw_id, "request")).matter
        fix(desk.desk, draw_id, by=desk.by, at=desk.at, approves={FEW: few, REDRAW: again}, facts=desk.facts(matter))
        tell_draw(desk, draw_id, as_json)


@draw.command(help=say("承诺：密封秘密数，签名承诺书", "seal a secret and sign the commitment to it"))
def commit(
    draw_id: Draw,
    source: SourceName = "",
    due: Due = "",
    fallback: Annotated[str, typer.Option("--fallback", help=say("备用公开数值", "the fallback"))] = "",
    fallback_due: Annotated[str, typer.Option("--fallback-due", help=say("备用何时公布", "when that falls due"))] = "",
    bureau: Part = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Commit for the bureaus this home plays. Both must name the same sources: the second takes those of the first.

    The source falls due after the time to reveal, the fallback later still.

    Example: gongzhi experts draw commit beibei-2026-0001 --source SSQ064 --due 2026-06-09T21:15 --fallback SSQ065 --fallback-due 2026-06-11T21:15
    """
    from expert_registry.draw.papers import PublicSource
    from expert_registry.draw.rounds import commit as promise
    from portal.expert_requests import read_instant
    from portal.expert_rounds import sources_told

    with office(home, by) as desk:
        given = [(source, due), (fallback, fallback_due)]
        if not any(text for pair in given for text in pair):
            pair = sources_told(desk.desk, draw_id)
        elif all(text for pair in given for text in pair):
            pair = [PublicSource(name, read_instant(text)) for name, text in given]
        else:
            pair = []
        if not pair:
            stop(
                Exit.USE,
                "请写明公开来源：--source --due --fallback --fallback-due",
                "name the public sources: --source --due --fallback --fallback-due",
            )
        for one in parts_of(desk, bureau):
            promise(desk.desk, draw_id, one, public_source=pair[0], fallback_source=pair[1], by=desk.by, at=desk.at)
        tell_draw(desk, draw_id, as_json)


@draw.command(help=say("揭示秘密数：须在期限内", "reveal the secret, in time"))
def reveal(draw_id: Draw, bureau: Part = "", by: By = "", as_json: Json = False, home: Home = None) -> None:
    """Reveal for the bureaus this home plays, once all commitments are here. Who is late is replaced by the fallback.

    Example: gongzhi experts draw reveal beibei-2026-0001
    """
    from expert_registry.draw.rounds import reveal as give

    with office(home, by) as desk:
        for one in parts_of(desk, bureau):
            give(desk.desk, draw_id, one, by=desk.by, at=desk.at)
        tell_draw(desk, draw_id, as_json)


@draw.command(help=say("抽取（第二人）：写入公开数值", "draw with the public value, as the second person"))
def run(
    draw_id: Draw, value: Value = "", seen: Seen = "", by: By = "", as_json: Json = False, home: Home = None
) -> None:
    """Draw with the value of the source the commitments name; of the fallback where a bureau kept silent.

    Example: gongzhi experts draw run beibei-2026-0001 --value "03 09 11 20 28 31 + 07" --by 王工
    """
    from expert_registry.draw.papers import PublicValue
    from expert_registry.draw.rounds import run as make
    from portal.expert_requests import read_instant
    from portal.expert_rounds import deciding_source

    if not value.strip():
        stop(Exit.USE, "请写公开来源公布的数值（--value）", "give what the public source said with --value")
    with office(home, by) as desk:
        at = read_instant(seen) if seen else desk.at
        make(desk.desk, draw_id, PublicValue(deciding_source(desk.desk, draw_id), value, at), by=desk.by, at=desk.at)
        tell_draw(desk, draw_id, as_json)


@draw.command(help=say("公布：复算后写出公布文件", "do it again, publish, write the file"))
def publish(draw_id: Draw, output: Output = None, by: By = "", as_json: Json = False, home: Home = None) -> None:
    """Publish the result, or its newest edition after a replacement. Anybody verifies the file: gongzhi experts verify.

    Example: gongzhi experts draw publish beibei-2026-0001 -o beibei-2026-0001.json
    """
    from expert_registry.draw.rounds import publish as put_out

    with office(home, by) as desk:
        document = put_out(desk.desk, draw_id, by=desk.by, at=desk.at)
        path = output or Path(f"{draw_id}.json")
        write(path, document)
        words(
            say(f"已写出 {path}；复算：gongzhi experts verify {path}", f"wrote {path}; gongzhi experts verify {path}")
        )
        tell_draw(desk, draw_id, as_json)


@draw.command(help=say("中止：编号和文书保留", "end a draw without a panel; its number stays"))
def abandon(
    draw_id: Draw,
    code: Annotated[str, typer.Option("--code", help=say("原因代码", "a code of expert_draw_reasons.csv"))] = "",
    reason: Reason = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """End a draw with a coded reason and words; it stays visible, with how far it had come.

    Example: gongzhi experts draw abandon beibei-2026-0001 --code matter-withdrawn --reason 企业撤回申请 --by 王工
    """
    from expert_registry.draw.desk import abandon as end

    with office(home, by) as desk:
        end(desk.desk, draw_id, code, reason, by=desk.by, at=desk.at)
        tell_draw(desk, draw_id, as_json)


@draw.command("list", help=say("全部抽取与应急征调，编号连续", "all draws and call-outs; no number is missing"))
def list_draws(
    bureau: Annotated[str | None, typer.Option("--bureau", "-b")] = None, as_json: Json = False, home: Home = None
) -> None:
    """List all, the abandoned too, and check that no number or paper is missing; exit 1 where one is.

    Example: gongzhi experts draw list --json
    """
    from portal.expert_rounds import listed
    from portal.expert_words import draw_table
    from records.expert_drawbook import check_numbers, draws

    with office(home) as desk:
        found = [listed(one) for one in draws(desk.records, bureau=bureau)]
        faults = check_numbers(desk.records)
    if as_json:
        for one in found:
            print_json(one)
    else:
        for line in draw_table(found):
            data(line)
    for fault in faults:
        words("✗ " + fault)
    raise typer.Exit(Exit.REFUSED if faults else Exit.DONE)


@draw.command(
    help=say("一次抽取：文书、进度；--names 公开时间后看姓名与席位", "one draw; --names once they may be seen")
)
def show(
    draw_id: Draw,
    names: Annotated[bool, typer.Option("--names", help=say("姓名（公开时间之后，留痕）", "names; recorded"))] = False,
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Show how far a draw has come and who did what. Names stay sealed until opens_at, and every look is written down.

    Example: gongzhi experts draw show beibei-2026-0001 --names --role organiser --purpose 发送邀请
    """
    from portal.expert_rounds import seats_shown

    with office(home, by, role, unit, purpose) as desk:
        tell_draw(desk, draw_id, as_json, seats_shown(desk, draw_id) if names else None)


def write(path: Path, document: Any) -> None:
    """Write a document as a file of JSON."""
    path.write_text(json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1) + "\n", encoding="utf-8")


def parts_of(desk: Any, bureau: str) -> tuple[str, ...]:
    """Give the bureaus meant: the one named, or all this home plays."""
    return (bureau,) if bureau else tuple(desk.desk.plays)


def tell_draw(desk: Any, draw_id: str, as_json: bool, seats: list[dict[str, Any]] | None = None) -> None:
    """Show a draw as it stands, and say what comes next."""
    from portal.expert_rounds import next_step, standing
    from portal.expert_words import draw_lines, seat_lines

    document = standing(desk, draw_id) | ({"seats": seats} if seats is not None else {})
    if as_json:
        print_json(document)
    else:
        for line in (*draw_lines(document), *(seat_lines(seats) if seats is not None else ())):
            data(line)
    words(say(*next_step(document)))

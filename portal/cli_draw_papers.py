"""Papers of a draw: for the other bureau and from it, the key for an auditor, the sheet of the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Home, Json, data, words
from portal.cli_draw_experts import Draw, Part, draw, parts_of, tell_draw, write
from portal.cli_experts import By, Purpose, Role, Unit, experts, office
from portal.words import say


@draw.command(help=say("密钥交审计：结束并公开后", "the key of the opaque ids, for an auditor"))
def key(
    draw_id: Draw, role: Role = "auditor", unit: Unit = "", purpose: Purpose = "", by: By = "", home: Home = None
) -> None:
    """Give the key with which an auditor tells every opaque id of the list; recorded.

    Example: gongzhi experts draw key beibei-2026-0001 --role auditor --purpose 年度审计
    """
    from expert_registry.draw.opening import release_key

    with office(home, by, role, unit, purpose) as desk:
        data(release_key(desk.desk, draw_id, desk.looker(), desk.at))


@draw.command(help=say("双机模式：写出交给对方的文书", "two homes: the papers for the other bureau"))
def export(
    draw_id: Draw,
    output: Annotated[Path, typer.Option("--output", "-o")],
    bureau: Part = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Write all papers of a draw the other bureau may have into one signed file; it names nobody.

    Example: gongzhi experts draw export beibei-2026-0001 -o 致绵阳.json
    """
    from expert_registry.draw.exchange import export as packet

    with office(home, by) as desk:
        write(output, packet(desk.desk, draw_id, parts_of(desk, bureau)[0], desk.at))
    words(say(f"已写出 {output}，请送交对方", f"wrote {output}: send it to the other bureau"))


@draw.command("import", help=say("双机模式：收入对方的文书", "two homes: take in the papers of the other bureau"))
def import_papers(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Check the papers of the other bureau one by one and keep them; what stands already is never replaced.

    Example: gongzhi experts draw import 致绵阳.json
    """
    from expert_registry.draw.exchange import take_in
    from expert_registry.draw.verification import read

    with office(home, by) as desk:
        made = take_in(desk.desk, read(file.read_bytes()), by=desk.by, at=desk.at)
        tell_draw(desk, made.draw_id, as_json)


@experts.command(help=say("归档：核对文书齐全，签名归档单", "archive a draw that has ended"))
def archive(
    draw_id: Draw, output: Annotated[Path | None, typer.Option("--output", "-o")] = None, by: By = "", home: Home = None
) -> None:
    """Sign the sheet that says what there is of a draw and how long it is kept; refused while a seat is open.

    Example: gongzhi experts archive beibei-2026-0001 --by 张工
    """
    from expert_registry.panel.archive import archive as close

    with office(home, by) as desk:
        document = close(desk.desk, draw_id, by=desk.by, at=desk.at)
    if output is not None:
        write(output, document)
    data(
        say(
            f"第 {document['edition'] + 1} 版归档单，文书 {len(document['papers'])} 件，保存至 {document['keep_until']}",
            f"archived, edition {document['edition'] + 1}: {len(document['papers'])} papers, kept until {document['keep_until']}",
        )
    )

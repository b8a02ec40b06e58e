"""The commands of the credit register that work on lists and papers: screen and slip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from portal.cli import Exit, Home, data, stop, words
from portal.cli_credit import credit
from portal.credit_counter import Counter, asks_by_name, candidates, counter_of, kept_by_name, print_json
from portal.credit_options import AsJson, CodeOrName, NoCode, Output, When, Who, checked_output, spread
from portal.words import say


@credit.command(
    help=say("批量核查：一张名单逐行查询，结果写入 Excel", "screen a list of codes or names into a workbook")
)
@spread
def screen(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=say("名单：csv xlsx xls", "list: csv, xlsx, xls")),
    ],
    output: Output,
    who: Who,
    when: When,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Screen a list; order and line numbers stay, each line gets its status. The signed result is kept in the home.

    Example: gongzhi credit screen 名单.xlsx -o 结果.xlsx --unit beibei --purpose 随机抽查 --plan 北碚抽〔2026〕4号
    """
    from portal.credit_lines import screening_lines
    from portal.credit_lists import lines_of, read_list, sha256_of
    from portal.credit_uses import GivenList, screen_list

    checked_output(output, ".xlsx")
    with counter_of(home, who) as counter:
        made = screen_list(counter, GivenList(file.name, sha256_of(file), lines_of(read_list(file))), when)
        found = made.found
        output.write_bytes(made.workbook)
        told = {
            "screening": made.number, "file": str(output), "counts": found.counts,
            "version": counter.desk.version, "sources": counter.sources(),
        }  # fmt: skip
    if as_json:
        print_json(told)
    else:
        for line in screening_lines(told):
            data(line)
        words(say(f"已写出 {output}", f"wrote {output}"))
    settled = sum(found.counts[status] for status in ("hit", "duplicate", "blank"))
    raise typer.Exit(Exit.DONE if settled == len(found.lines) else Exit.REFUSED)


@credit.command(help=say("查询单：一页 A4（PDF）与签名的 JSON", "a query slip: one page of PDF and the signed JSON"))
@spread
def slip(
    code: CodeOrName,
    output: Output,
    who: Who,
    when: When,
    no_code: NoCode = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Look up by code and write the slip: X.pdf with X.json beside it, or X.json alone; a copy is kept in the home.

    Example: gongzhi credit slip 91500109MAYY00018G -o 查询单.pdf --unit beibei --purpose 检查前核查
    """
    paper = checked_output(output, ".pdf", ".json").with_suffix(".json")
    with counter_of(home, who) as counter:
        if asks_by_name(code) and not (no_code and kept_by_name(counter, code)):
            candidates(counter, code, "slip", as_json)
            stop(Exit.REFUSED, "查询单只凭代码开具，未写出文件", "a slip is made for a code only; nothing was written")
        made = _made(counter, code, when, output)
    if as_json:
        print_json(made)
    words(
        say(
            f"已写出 {output}，验证码 {made['verification_code']}；核验：gongzhi verify slip {paper}",
            f"wrote {output}, code {made['verification_code']}; check: gongzhi verify slip {paper}",
        )
    )


def _made(counter: Counter, code: str, when: When, output: Path) -> dict[str, Any]:
    from portal.credit_uses import issue_slip

    made, text = issue_slip(counter, code, when)
    if output.suffix.lower() == ".pdf":
        from credit_registry.paper import print_slip

        output.write_bytes(print_slip(made))
    output.with_suffix(".json").write_text(text, encoding="utf-8")
    return made

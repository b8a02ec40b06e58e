"""The commands of the credit register that work on lists and papers: screen and slip."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import Exit, Home, data, stop, words
from portal.cli_credit import credit
from portal.credit_counter import Counter, asks_by_name, candidates, counter_of, kept_by_name, print_json
from portal.credit_options import AsJson, CodeOrName, NoCode, Output, When, Who, checked_output, spread
from portal.words import say

if TYPE_CHECKING:
    from credit_registry.screening import Screening


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

    checked_output(output, ".xlsx")
    with counter_of(home, who) as counter:
        found, number, book = _screened(counter, file, when)
        output.write_bytes(book)
        told = {
            "screening": number, "file": str(output), "counts": found.counts,
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


def _screened(counter: Counter, file: Path, when: When) -> tuple[Screening, str, bytes]:
    """Screen a list, and keep the signed result; give it with its number and the workbook."""
    from credit_registry.screening import screen as look_up
    from credit_registry.workbook import keep, workbook_of
    from portal.credit import read_known
    from portal.credit_lists import answering, lines_of, read_list
    from records.keys import KeyRing

    desk, moment = counter.desk, read_known(when.known, counter.at)
    answer = answering(desk, counter.viewer, counter.day(when), moment, counter.at)
    assert desk.finder is not None, "answering() refuses where there is no register"
    found = look_up(lines_of(read_list(file)), desk.finder, answer)
    hits = found.counts["hit"]
    kept = counter.note("screen", file.name, "found" if hits else "no_record", hits, found.owners)
    facts = _facts(counter, kept.access_id, counter.day(when), moment or counter.at, file)
    book = workbook_of(found, facts)
    signer = KeyRing.open(desk.places.keys).current()
    keep(desk.places.home / "credit" / "screenings", kept.access_id, found, book, {"facts": facts}, signer, counter.at)
    return found, kept.access_id, book


def _facts(counter: Counter, number: str, on: date, known: datetime, file: Path) -> dict[str, str]:
    """What a screening rests on, as it stands on the last sheet."""
    from credit_registry.wording import moment, source_in_words
    from portal.credit_lists import sha256_of
    from schemas.credit_facts import purposes

    asker = counter.asker
    return {
        "核查编号": number, "查询人": asker.user, "单位": asker.unit, "执法证号": asker.certificate or "—",
        "目的": purposes()[asker.purpose].title_zh, "计划编号": asker.plan or "—", "查询时间": moment(counter.at),
        "有效日": on.isoformat(), "所知至": moment(known), "数据版本": counter.desk.version,
        "来源": "\n".join(source_in_words(one) for one in counter.sources()),
        "名单文件": file.name, "名单 SHA-256": sha256_of(file),
    }  # fmt: skip


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
    from credit_registry.slip import make_slip
    from credit_registry.wording import bureau_name
    from records.keys import KeyRing

    document = counter.answer(code, when, "slip")
    places = counter.desk.places
    made = make_slip(document, KeyRing.open(places.keys).current(), counter.at, issuer=bureau_name(counter.viewer))
    text = json.dumps(made, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    if output.suffix.lower() == ".pdf":
        from credit_registry.paper import print_slip

        output.write_bytes(print_slip(made))
    folder = places.home / "credit" / "slips"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / f"{made['slip_id']}.json", output.with_suffix(".json")):
        path.write_text(text, encoding="utf-8")
    return made

"""The commands of the credit register that work on lists and papers: screen, slip, draw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import CST, Exit, Home, Json, data, now, records_of, stop, words
from portal.cli_credit import (
    Certificate,
    Counter,
    Known,
    On,
    Plan,
    Purpose,
    Unit,
    counter_of,
    credit,
    day_of,
    print_json,
)
from portal.settings import read_credit_settings, read_settings
from portal.words import say

if TYPE_CHECKING:
    from credit_registry.search import Finder
    from pipelines.batch import Places
    from portal.draws import Seat
    from records.store import Records

Output = Annotated[Path, typer.Option("--output", "-o", help=say("写到哪里", "file to write"))]
List = Annotated[Path | None, typer.Option(exists=True, dir_okay=False)]


@credit.command(
    help=say("批量核查：一张名单逐行查询，结果写入 Excel", "screen a list of codes or names into a workbook")
)
def screen(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    output: Output,
    unit: Unit = None,
    certificate: Certificate = None,
    purpose: Purpose = None,
    plan: Plan = "",
    on: On = None,
    known: Known = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Screen a list; order and line numbers stay, each line gets its status. The signed result is kept in the home.

    Example: gongzhi credit screen 名单.xlsx -o 结果.xlsx --unit beibei --purpose 随机抽查 --plan 北碚抽〔2026〕4号
    """
    from credit_registry.screening import screen as screened
    from credit_registry.workbook import keep, workbook_of
    from portal.credit import read_known
    from portal.credit_lists import answering, lines_of, read_list, sha256_of
    from records.keys import KeyRing

    with counter_of(home, unit, certificate, purpose, plan) as counter:
        moment, day = read_known(known, counter.at), day_of(on) or counter.at.astimezone(CST).date()
        answer = answering(counter.desk, counter.viewer, day, moment, counter.at)
        found = screened(lines_of(read_list(file)), _finder(counter), answer)
        hits = found.counts["hit"]
        kept = counter.note("screen", file.name, "found" if hits else "no_record", hits, found.owners)
        facts = _facts(
            counter, kept.access_id, day.isoformat(), (moment or counter.at).isoformat(), file, sha256_of(file)
        )
        book = workbook_of(found, facts)
        places = counter.desk.places
        signer = KeyRing.open(places.keys).current()
        keep(
            places.home / "credit" / "screenings", kept.access_id, found, book,
            {"facts": facts}, signer, counter.at,
        )  # fmt: skip
        output.write_bytes(book)
    if as_json:
        print_json({"screening": kept.access_id, "file": str(output), "counts": found.counts})
    else:
        data(json.dumps(found.counts, ensure_ascii=False))
        words(say(f"已写出 {output}，核查编号 {kept.access_id}", f"wrote {output}, screening {kept.access_id}"))
    raise typer.Exit(
        Exit.DONE
        if found.counts["hit"] + found.counts["duplicate"] + found.counts["blank"] == len(found.lines)
        else Exit.REFUSED
    )


def _finder(counter: Counter) -> Finder:
    finder = counter.desk.finder
    assert finder is not None, "answering() refuses where there is no register"
    return finder


def _facts(counter: Counter, number: str, on: str, known: str, file: Path, sha256: str) -> dict[str, str]:
    asker = counter.asker
    return {
        "核查编号": number, "查询人": asker.user, "单位": asker.unit, "执法证号": asker.certificate or "—",
        "目的": asker.purpose, "计划编号": asker.plan or "—", "查询时间": counter.at.isoformat(), "有效日": on,
        "所知至": known, "数据版本": counter.desk.version, "名单文件": file.name, "名单 SHA-256": sha256,
    }  # fmt: skip


@credit.command(help=say("查询单：一页 A4（PDF）与签名的 JSON", "a query slip: one page of PDF and the signed JSON"))
def slip(
    code: Annotated[str, typer.Argument(metavar="CODE")],
    output: Output,
    unit: Unit = None,
    certificate: Certificate = None,
    purpose: Purpose = None,
    plan: Plan = "",
    on: On = None,
    known: Known = None,
    home: Home = None,
) -> None:
    """Look up by code and write the slip: X.pdf with X.json beside it, or X.json alone; a copy is kept in the home.

    Example: gongzhi credit slip 91500109MAYY00018G -o 查询单.pdf --unit beibei --purpose 检查前核查
    """
    from credit_registry.slip import make_slip
    from credit_registry.wording import bureau_name
    from records.keys import KeyRing

    if output.suffix not in (".pdf", ".json"):
        stop(Exit.USE, "查询单写作 .pdf 或 .json", "a slip is written as .pdf or .json")
    with counter_of(home, unit, certificate, purpose, plan) as counter:
        document = counter.answer(code, day_of(on), known, "slip")
        places = counter.desk.places
        made = make_slip(document, KeyRing.open(places.keys).current(), counter.at, issuer=bureau_name(counter.viewer))
        text = json.dumps(made, ensure_ascii=False, sort_keys=True, indent=2)
        folder = places.home / "credit" / "slips"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{made['slip_id']}.json").write_text(text + "\n", encoding="utf-8")
        output.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
        if output.suffix == ".pdf":
            from credit_registry.paper import print_slip

            output.write_bytes(print_slip(made))
    words(
        say(
            f"已写出 {output}，验证码 {made['verification_code']}；核验：gongzhi verify slip {output.with_suffix('.json')}",
            f"wrote {output}, code {made['verification_code']}; check: gongzhi verify slip {output.with_suffix('.json')}",
        )
    )


@credit.command(
    help=say("双随机抽取：先冻结名单并承诺，后抽取，谁都可以复算", "an inspection draw: commit, draw, recompute")
)
def draw(
    plan_file: Annotated[
        Path | None,
        typer.Argument(metavar="PLAN", exists=True, dir_okay=False, help=say("抽查方案 TOML", "plan, TOML")),
    ] = None,
    objects: List = None,
    officers: List = None,
    recusals: List = None,
    number: Annotated[str, typer.Option("--id", help=say("抽取编号", "id of the draw"))] = "",
    replaces: Annotated[str, typer.Option("--replaces", help=say("所替代的抽取编号", "draw it replaces"))] = "",
    reason: Annotated[str, typer.Option("--reason", help=say("重新抽取的原因", "why it is drawn anew"))] = "",
    public_source: Annotated[
        str,
        typer.Option(
            "--public-source", help=say("将计入种子的公开数值的来源", "public value that will enter the seed")
        ),
    ] = "",
    join: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=say("对方的承诺书：加上本单位的承诺", "commitment to join")),
    ] = None,
    reveal: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=say("双方的承诺书：揭示秘密数", "commitment to reveal for")),
    ] = None,
    commitment: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help=say("承诺书：据以抽取", "commitment to draw from"))
    ] = None,
    secret: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help=say("对方揭示的秘密数", "what the other bureau revealed")),
    ] = None,
    public_value: Annotated[
        str, typer.Option("--public-value", help=say("已公布的数值", "the value published since"))
    ] = "",
    verify: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help=say("复算一个抽取结果", "do a result again"))
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", help=say("对方的公钥", "public key of the other bureau"))
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o")] = None,
    unit: Unit = None,
    certificate: Certificate = None,
    home: Home = None,
) -> None:
    """Draw objects and officers step by step, and let anybody do it again (docs/inspection-draw.md).

    First the list is frozen and committed to (PLAN with --objects, --officers, --id); the other bureau adds its
    commitment (--join), both reveal (--reveal), and either draws (--commitment with --secret of the other). Alone:
    the first step and --commitment. Secrets stay in the home until revealed; ``--verify`` needs nothing but the result.

    Example: gongzhi credit draw plan.toml --objects 对象.xlsx --officers 人员.xlsx --id D-2026-4 -o 承诺.json
    """
    from credit_registry.inspection import COMMITMENT
    from portal import draws
    from portal.credit import viewer_of

    if verify is not None:
        raise typer.Exit(_verify_draw(verify, key or [], home))
    if output is None or sum(one is not None for one in (plan_file, join, reveal, commitment)) != 1:
        stop(
            Exit.USE,
            "请给出方案、--join、--reveal、--commitment 之一，并用 -o 指明文件",
            "name one of a plan, --join, --reveal, --commitment, and a file with -o",
        )
    if plan_file is not None:
        if objects is None or officers is None or not number:
            stop(
                Exit.USE,
                "第一步须有 --objects、--officers 和 --id",
                "the first step needs --objects, --officers and --id",
            )
        lists = (plan_file, objects, officers, recusals)
        made = _commit(lists, (number, replaces, reason), public_source, unit, certificate, home)
    else:
        with _seat(home, key or []) as (places, seat):
            if join is not None:
                viewer = viewer_of(unit or read_credit_settings().unit, places)
                made = draws.join(seat, seat.read(join, COMMITMENT), viewer)
            elif reveal is not None:
                made = draws.reveal(seat, seat.read(reveal, COMMITMENT))
            else:
                assert commitment is not None
                others = [seat.read(one, draws.SECRET) for one in secret or []]
                made = draws.draw(seat, seat.read(commitment, COMMITMENT), others, public_value)
    output.write_text(json.dumps(made, ensure_ascii=False, sort_keys=True, indent=2) + "\n", encoding="utf-8")
    words(say(f"已写出 {output}", f"wrote {output}"))


def _keys(given: list[str]) -> dict[str, str]:
    from records.keys import key_id_of

    return {key_id_of(one.strip()): one.strip() for one in given}


def _verify_draw(path: Path, given: list[str], home: Path | None) -> Exit:
    from credit_registry.inspection import verify_draw
    from portal.credit_lists import keys_of

    places = read_settings().places(home)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        stop(Exit.REFUSED, f"不是抽取结果文件：{error}", f"this is no result of a draw: {error}")
    known = keys_of(places.keys) if places else None
    check = verify_draw(document, {**(known or {}), **_keys(given)} if known or given else None)
    data(say(check.reason_zh, check.reason_en))
    return Exit.DONE if check.ok else Exit.REFUSED


def _commit(
    lists: tuple[Path, Path, Path, Path | None], named: tuple[str, str, str], public_source: str,
    unit: str | None, certificate: str | None, home: Path | None,
) -> dict[str, Any]:  # fmt: skip
    from credit_registry.inspection import freeze
    from credit_registry.inspection_plan import load_plan, objects_of_rows, officers_of_rows, recusals_of_rows
    from portal.credit_lists import answering, tables_of, with_register
    from portal.draws import promise

    plan_file, objects, officers, recusals = lists
    number, replaces, reason = named
    plan = load_plan(plan_file)
    with counter_of(home, unit or plan.bureau, certificate, "random-check", plan.plan) as counter:
        if counter.viewer != plan.bureau:
            stop(Exit.USE, f"方案属于 {plan.bureau}", f"the plan is one of {plan.bureau}")
        places, at = counter.desk.places, counter.at
        answer = answering(counter.desk, counter.viewer, at.astimezone(CST).date(), None, at)
        items = with_register(objects_of_rows(tables_of(objects)), answer, plan.bureau)
        frozen = freeze(
            plan, items, officers_of_rows(tables_of(officers)),
            recusals_of_rows(tables_of(recusals)) if recusals else [],
            draw_id=number, register_version=counter.desk.version, at=at, replaces=replaces, reason=reason,
        )  # fmt: skip
        made = promise(_seat_of(places, counter.records, [], at), frozen, public_source)
        owners = counter.desk.register.sources() if counter.desk.register else []
        counter.note("draw", number, "committed", len(items), tuple({one.bureau for one in owners}))
    return made


def _seat_of(places: Places, records: Records, given: list[str], at: datetime) -> Seat:
    from portal.credit_lists import keys_of
    from portal.draws import Seat
    from records.keys import KeyRing

    trusted = {**(keys_of(places.keys) or {}), **_keys(given)}
    return Seat(places.home / "credit" / "draws", records, KeyRing.open(places.keys).current(), trusted, at)


@contextmanager
def _seat(home: Path | None, given: list[str]) -> Iterator[tuple[Places, Seat]]:
    with records_of(home) as (places, records):
        yield places, _seat_of(places, records, given, now())

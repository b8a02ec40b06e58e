"""The command of the inspection draw: freeze and commit, join, reveal, draw, and do it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import CST, Exit, Home, data, now, records_of, stop, words
from portal.cli_credit import credit
from portal.credit_counter import counter_of
from portal.credit_options import Certificate, Unit, Who, checked_output
from portal.settings import read_credit_settings, read_settings
from portal.words import say

if TYPE_CHECKING:
    from pipelines.batch import Places
    from portal.draws import Seat
    from records.store import Records


def _file(name: str, zh: str, en: str) -> Any:
    return typer.Option(name, metavar="FILE", exists=True, dir_okay=False, help=say(zh, en))


def _argument(name: str, zh: str, en: str) -> Any:
    return typer.Argument(metavar=name, exists=True, dir_okay=False, help=say(zh, en))


@credit.command(
    help=say("双随机抽取：先冻结名单并承诺，后抽取，谁都可以复算", "an inspection draw: commit, draw, recompute")
)
def draw(
    plan_file: Annotated[Path | None, _argument("PLAN", "抽查方案 TOML", "plan, TOML")] = None,
    objects: Annotated[Path | None, _file("--objects", "对象名单", "list of objects")] = None,
    officers: Annotated[Path | None, _file("--officers", "执法人员名单", "list of officers")] = None,
    recusals: Annotated[Path | None, _file("--recusals", "回避名单", "list of recusals")] = None,
    number: Annotated[str, typer.Option("--id", help=say("抽取编号", "id of the draw"))] = "",
    replaces: Annotated[str, typer.Option("--replaces", help=say("所替代的抽取编号", "draw it replaces"))] = "",
    reason: Annotated[str, typer.Option("--reason", help=say("重新抽取的原因", "why it is drawn anew"))] = "",
    public_source: Annotated[
        str,
        typer.Option(
            "--public-source", help=say("将计入种子的 公开数值的来源", "public value that will enter the seed")
        ),
    ] = "",
    join: Annotated[Path | None, _file("--join", "对方的承诺书： 加上本单位的承诺", "commitment to join")] = None,
    reveal: Annotated[Path | None, _file("--reveal", "双方的承诺书： 揭示秘密数", "commitment to reveal for")] = None,
    commitment: Annotated[Path | None, _file("--commitment", "承诺书：据以抽取", "commitment to draw from")] = None,
    secret: Annotated[list[Path] | None, _file("--secret", "对方揭示的秘密数", "what the other revealed")] = None,
    public_value: Annotated[
        str, typer.Option("--public-value", help=say("已公布的数值", "the value published since"))
    ] = "",
    verify: Annotated[Path | None, _file("--verify", "复算一个抽取结果", "do a result again")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEY", help=say("对方的公钥", "public key of the other bureau")),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=say("写到哪里 （.json）", "file to write (.json)"))
    ] = None,
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
    from portal.credit_lines import draw_lines

    if verify is not None:
        raise typer.Exit(_verify_draw(verify, key or [], home))
    if output is not None:
        checked_output(output, ".json")
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
    for line in draw_lines(made):
        data(line)
    words(say(f"已写出 {output}", f"wrote {output}"))


def _keys(given: list[str]) -> dict[str, str]:
    from records.keys import key_id_of

    return {key_id_of(one.strip()): one.strip() for one in given}


def _verify_draw(path: Path, given: list[str], home: Path | None) -> Exit:
    """Draw again; keys named with ``--key`` must have signed, those of the home are only compared."""
    from credit_registry.inspection import signers, verify_draw
    from portal.credit_lines import draw_lines
    from portal.credit_lists import keys_of

    places = read_settings().places(home)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        stop(Exit.REFUSED, f"不是抽取结果文件：{error}", f"this is no result of a draw: {error}")
    if not isinstance(document, dict):
        stop(Exit.REFUSED, "不是抽取结果文件", "this is no result of a draw")
    known = {**((keys_of(places.keys) if places else None) or {}), **_keys(given)}
    check = verify_draw(document, known if given else None)
    data(say(check.reason_zh, check.reason_en))
    if check.ok:
        for line in draw_lines(document):
            data(line)
    if strangers := [one for one, key in signers(document).items() if known.get(one) != key]:
        listed = "、".join(strangers), ", ".join(strangers)
        words(
            say(
                f"没有核对签名人：密钥 {listed[0]} 不在已知公钥之列；用 --key 给出双方公钥",
                f"who signed was not checked: the keys {listed[1]} are not known here; name both with --key",
            )
        )
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
    with counter_of(home, Who(unit or plan.bureau, certificate, "random-check", plan.plan)) as counter:
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
    return Seat(places.home / "credit", records, KeyRing.open(places.keys).current(), trusted, at)


@contextmanager
def _seat(home: Path | None, given: list[str]) -> Iterator[tuple[Places, Seat]]:
    with records_of(home) as (places, records):
        yield places, _seat_of(places, records, given, now())

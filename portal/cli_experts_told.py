"""What is told of experts and enterprises: work, consent, tie, leave, practice, bank, enterprise.

Nothing told is overwritten: work ends, a consent is revoked, a tie is taken back, each with its day and reason.
"""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Exit, Home, data, stop
from portal.cli_experts import (
    DAY,
    By,
    Every,
    Expert,
    OfBureau,
    Reason,
    Role,
    Since,
    Some,
    Until,
    chosen,
    day,
    experts,
    office,
    today,
)  # fmt: skip
from portal.words import say

Source = Annotated[str, typer.Option("--source", help=say("依据（文书、申报表、查询）", "what it rests on"))]
On = Annotated[datetime | None, typer.Option("--on", formats=DAY, help=say("日期，默认今天", "day; today"))]
Code = Annotated[str, typer.Option("--code", help=say("统一社会信用代码", "credit code"))]


@experts.command(help=say("任职履历：现在或从前为谁工作", "an employment, present or past, for recusal"))
def work(
    expert: Expert,
    employer: Annotated[str, typer.Argument(metavar="EMPLOYER", help=say("单位名称", "name of the employer"))],
    code: Code = "",
    kind: Annotated[
        str, typer.Option("--as", help="employee | director | supervisor | shareholder | controller")
    ] = "employee",
    since: Since = None,
    until: Until = None,
    ended: Annotated[
        bool, typer.Option("--ended", help=say("登记的任职于 --until 结束", "what is on record ended"))
    ] = False,
    source: Source = "",
    reason: Reason = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Tell of an employment with its days (both included), or with --ended that one on record ended on --until.

    Example: gongzhi experts work e-20260414-0123456789ab 示例涂料有限公司 --as director --since 2021-03-01 --until 2024-02-29 --source 申报表
    """
    from expert_registry.people import Employment
    from expert_registry.roster.declarations import declare_employment, end_employment

    with office(home, by) as desk:
        if ended:
            if until is None:
                stop(Exit.USE, "--ended 须写 --until", "--ended goes with --until")
            number = end_employment(desk.records, expert, code or employer, until.date(), desk.by, desk.at, reason)
            if not number:
                stop(
                    Exit.REFUSED, f"{expert} 没有在任的 {employer}", f"{expert} has no open employment with {employer}"
                )
        else:
            told = Employment(employer, code, kind, day(since), day(until), source)
            declare_employment(desk.records, expert, told, desk.by, desk.at)
    data(say("已登记", "kept"))


@experts.command(
    help=say("同意：sharing 提供给对方、publication 公开、bank 账户", "consents: sharing, publication, bank")
)
def consent(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="sharing | publication | bank")],
    some: Some = None,
    every: Every = "",
    bureau: OfBureau = None,
    document: Annotated[str, typer.Option("--document", help=say("同意书编号", "the document of consent"))] = "",
    on: On = None,
    revoke: Annotated[bool, typer.Option("--revoke", help=say("撤回", "revoke it"))] = False,
    reason: Reason = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Keep a separate consent of experts, or with --revoke end it from a day on; what was done before stays.

    Example: gongzhi experts consent sharing --every appointed --bureau mianyang --document 绵环专同〔2026〕1号
    """
    from expert_registry.people import Consent
    from expert_registry.roster.declarations import give_consent, revoke_consent

    with office(home, by) as desk:
        ids, when, number = chosen(desk, some, every, bureau), day(on) or today(desk), 0
        for one in ids:
            if revoke:
                number += bool(revoke_consent(desk.records, one, kind, when, desk.by, desk.at, reason))
            else:
                give_consent(desk.records, one, Consent(kind, when, None, document), desk.by, desk.at)
                number += 1
    data(say(f"{number} 人已登记", f"kept for {number}"))
    raise typer.Exit(Exit.DONE if number else Exit.REFUSED)


@experts.command(help=say("关系申报：回避事由、核清事由；--take-back 撤下误登的", "a tie for recusal, or a clearance"))
def tie(
    expert: Expert,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=say("种类代码", "a code of recusal_reasons.csv"))] = "",
    party: Annotated[str, typer.Option("--party", help=say("涉及的单位或人", "enterprise or person"))] = "",
    code: Code = "",
    matter: Annotated[str, typer.Option("--matter", help=say("涉及的事项编号", "number of the matter"))] = "",
    since: Since = None,
    until: Until = None,
    amount: Annotated[str, typer.Option("--yuan", help=say("金额（元）", "amount in yuan"))] = "",
    source: Source = "",
    reason: Reason = "",
    take_back: Annotated[
        int | None, typer.Option("--take-back", help=say("撤下此编号的关系", "take this one back"))
    ] = None,
    role: Role = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Tell of a tie to a party, a work or a matter. A clearance is told by pool staff alone, with its reason.

    Example: gongzhi experts tie e-20260414-0123456789ab adviser_or_contract_3y --party 示例涂料有限公司 --yuan 8000 --source 申报表
    """
    from expert_registry.people import Tie
    from expert_registry.roster.declarations import clear_tie, declare_tie
    from portal.expert_desk import POOL_STAFF
    from schemas.recusal_facts import recusal_reasons

    with office(home, by, role) as desk:
        if take_back is not None:
            clear_tie(desk.records, expert, take_back, desk.by, desk.at, reason)
        else:
            known = recusal_reasons().get(kind)
            if known is not None and known.clears and (desk.role != POOL_STAFF or not reason.strip()):
                stop(
                    Exit.USE,
                    f"{known.title_zh}只能由专家库管理人员（pool_staff）写明理由（--reason）后登记",
                    f"{kind} is told by pool staff alone, with --reason",
                )
            told = Tie(kind, code, party, matter, day(since), day(until), fen(amount), reason, source)
            declare_tie(desk.records, expert, told, desk.by, desk.at)
    data(say("已登记", "kept"))


@experts.command(help=say("请假：这些天不抽取", "days on which an expert cannot be asked"))
def leave(
    expert: Expert,
    since: Annotated[datetime, typer.Option("--since", formats=DAY)],
    until: Annotated[datetime, typer.Option("--until", formats=DAY)],
    reason: Reason = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Keep days of leave, both included.

    Example: gongzhi experts leave e-20260414-0123456789ab --since 2026-07-01 --until 2026-07-31 --reason 出国访学
    """
    from expert_registry.people import Leave
    from expert_registry.roster.declarations import take_leave

    with office(home, by) as desk:
        take_leave(desk.records, expert, Leave(since.date(), until.date(), reason), desk.by, desk.at)
    data(say("已登记", "kept"))


@experts.command(help=say("从业起始日：入库年限据此核对", "since when an expert works in the field"))
def practice(
    expert: Expert,
    since: Annotated[datetime, typer.Option("--since", formats=DAY)],
    reason: Reason = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Keep since when an expert works in the field.

    Example: gongzhi experts practice e-20260414-0123456789ab --since 2010-07-01
    """
    from expert_registry.roster.declarations import set_practice

    with office(home, by) as desk:
        set_practice(desk.records, expert, since.date(), desk.by, desk.at, reason)
    data(say("已登记", "kept"))


@experts.command(help=say("银行账户：须先有 bank 同意，从文件读入", "a bank account, read from a file; needs consent"))
def bank(
    expert: Expert,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, allow_dash=True, help=say("含账号的文件，- 为标准输入", "file, - for stdin")
        ),
    ],
    by: By = "",
    home: Home = None,
) -> None:
    """Seal a bank account. It is read from a file or stdin: what is typed on a command line others can see.

    Example: gongzhi experts bank e-20260414-0123456789ab account.txt
    """
    from expert_registry.roster.declarations import set_bank

    account = (sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")).strip()
    if not account:
        stop(Exit.USE, "文件中没有账号", "the file holds no account")
    with office(home, by) as desk:
        set_bank(desk.records, desk.vault, expert, account, desk.by, desk.at)
    data(say("已密封保存", "sealed"))


@experts.command(help=say("企业关联与负责人：回避据此扩展到集团", "groups and heads of enterprises, for recusal"))
def enterprise(
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("统一社会信用代码", "credit code"))],
    name: Annotated[str, typer.Option("--name")] = "",
    relation: Annotated[
        str, typer.Option("--relation", help=say("关联种类代码（enterprise_relations.csv）", "code of the relation"))
    ] = "",
    other: Annotated[str, typer.Option("--other", help=say("关联企业的代码", "code of the other"))] = "",
    other_name: Annotated[str, typer.Option("--other-name")] = "",
    head: Annotated[str, typer.Option("--head", help=say("负责人姓名", "name of a head"))] = "",
    head_as: Annotated[
        str, typer.Option("--as", help="legal_representative | head | controller")
    ] = "legal_representative",
    since: Since = None,
    until: Until = None,
    source: Source = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Tell that two enterprises belong together, or who leads one; --relation says what the other one is to the first.

    Example: gongzhi experts enterprise 91500109MAYY00018G --relation parent --other-name 示例控股集团有限公司 --source 公示系统
    """
    from records.enterprise_ties import EnterpriseHead, EnterpriseTie, add_enterprise_head, add_enterprise_tie

    if bool(head) == bool(relation):
        stop(Exit.USE, "请写 --relation 或 --head 之一", "give --relation or --head")
    with office(home, by) as desk:
        days = (day(since), day(until), source, desk.by, desk.at)
        if head:
            number = add_enterprise_head(desk.records, EnterpriseHead(code, head, head_as, *days))
        else:
            number = add_enterprise_tie(desk.records, EnterpriseTie(code, name, other, other_name, relation, *days))
    data(say(f"已登记（编号 {number}）", f"kept as {number}"))


def fen(yuan: str) -> int | None:
    """Read an amount of yuan into fen, None where none is given."""
    if not yuan:
        return None
    try:
        amount = Decimal(yuan.replace(",", "")) * 100
        if amount == amount.to_integral_value():
            return int(amount)
    except InvalidOperation:
        pass
    stop(Exit.USE, f"金额应为元，最多两位小数，现为“{yuan}”", f"an amount is in yuan with two decimals, not {yuan!r}")

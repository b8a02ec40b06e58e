"""Proposals to remove an expert, and the emergency call-out, which is no draw: named, with reasons, signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from portal.cli import Exit, Home, Json, data, stop, words
from portal.cli_experts import By, Purpose, Reason, Role, Unit, experts, office, print_json
from portal.words import say

proposals = typer.Typer(
    name="proposals",
    no_args_is_help=True,
    help=say("移出建议：系统提出，由人决定", "proposals to remove: raised by a rule, decided by a person"),
)
experts.add_typer(proposals)

Proposal = Annotated[str, typer.Argument(metavar="PROPOSAL", help=say("建议编号 p-…", "number of the proposal, p-…"))]


@proposals.command(help=say("按规则查找，提出新的建议", "raise what the rules give"))
def look(by: By = "", as_json: Json = False, home: Home = None) -> None:
    """Look over all uses for two unexplained refusals in a row and two poor appraisals in a year.

    Example: gongzhi experts proposals look --by 孙工
    """
    from expert_registry.panel.removals import propose

    with office(home, by) as desk:
        found = propose(desk.desk, desk.at)
    for one in found if as_json else ():
        print_json({"proposal": one.proposal_id, "expert": one.expert_id, "cause": one.cause})
    if not as_json:
        data(say(f"新提出 {len(found)} 件", f"{len(found)} new"))


@proposals.command("list", help=say("列出建议及其依据", "list proposals and what they rest on"))
def list_proposals(
    every: Annotated[bool, typer.Option("--all", help=say("已决定的也列出", "the decided ones too"))] = False,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List proposals with their explanation: the rule, its source, the uses, and what the expert may do.

    Example: gongzhi experts proposals list --all
    """
    from expert_registry.panel.removals import explain
    from records.expert_appraisals import proposals as kept

    with office(home) as desk:
        found = [explain(desk.desk, one.proposal_id) for one in kept(desk.records) if every or one.state == "open"]
    for one in found:
        state, number = one.proposal.state, one.proposal.proposal_id
        if as_json:
            print_json({
                "proposal": number, "expert": one.proposal.expert_id, "state": state, "words": one.words,
                "words_en": one.words_en, "evidence": one.proposal.evidence,
            })  # fmt: skip
        else:
            data(f"{number} {state}  {say(one.words, one.words_en)}")
            for said in one.proposal.evidence.get("statements", ()):
                data(say(f"  本人陈述：{said['words']}", f"  the expert says: {said['words']}"))


@proposals.command(help=say("登记专家本人的陈述", "add what the expert says"))
def statement(
    proposal: Proposal,
    text: Annotated[str, typer.Argument(metavar="WORDS", help=say("陈述意见", "what is said"))],
    by: By = "",
    home: Home = None,
) -> None:
    """Keep the statement of the expert; who decides has it before them.

    Example: gongzhi experts proposals statement p-0123456789abcdef 当日邮件故障未收到邀请 --by 孙工
    """
    from expert_registry.panel.removals import state_opinion

    with office(home, by) as desk:
        state_opinion(desk.desk, proposal, text, by=desk.by, at=desk.at)
    data(say("已登记", "kept"))


@proposals.command(help=say("决定：upheld 移出，dismissed 不移出", "decide: upheld removes, dismissed does not"))
def decide(
    proposal: Proposal,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="upheld | dismissed")],
    reason: Reason = "",
    by: By = "",
    home: Home = None,
) -> None:
    """Decide a proposal, as a named person who gave none of its appraisals.

    Example: gongzhi experts proposals decide p-0123456789abcdef dismissed --reason 邮件故障属实 --by 周局
    """
    from expert_registry.panel.removals import decide as settle

    with office(home, by) as desk:
        settle(desk.desk, proposal, decision, by=desk.by, at=desk.at, reason=reason)
    data(f"{proposal}：{decision}")


@experts.command(help=say("应急征调：不是抽取；不写 --call 只排序", "emergency call-out; without --call the ranking"))
def callout(
    file: Annotated[Path, typer.Argument(metavar="EMERGENCY", exists=True, dir_okay=False)],
    call: Annotated[
        list[str] | None, typer.Option("--call", help=say("专家=专业，可多次", "EXPERT=FIELD, again and again"))
    ] = None,
    despite: Annotated[
        list[str] | None, typer.Option("--despite", help=say("专家=仍要征调的理由", "EXPERT=why in spite of it"))
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 20,
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Rank experts by field, distance and use for an emergency, or call named ones; it takes its number beside the draws.

    examples/experts/emergency.toml shows the file.

    Example: gongzhi experts callout emergency.toml --call e-20260414-0123456789ab=W06 --by 周局
    """
    from dataclasses import replace

    from expert_registry.draw.callout import Called, call_out
    from portal.expert_requests import read_callout
    from portal.expert_views import ranked
    from portal.expert_words import rank_lines

    asked = read_callout(file)
    named, reasons = (_pairs(given) for given in (call, despite))
    with office(home, by, role, unit, purpose) as desk:
        asked = replace(asked, matter=desk.complete(asked.matter))
        facts = desk.facts(asked.matter)
        if not named:
            found = ranked(desk, asked, facts, limit)
            for one in found if as_json else ():
                print_json(one)
            for line in () if as_json else rank_lines(found):
                data(line)
            raise typer.Exit(Exit.DONE if found else Exit.REFUSED)
        called = [Called(name, fields, reasons.get(name, "")) for name, fields in named.items()]
        made = call_out(desk.desk, asked, called, by=desk.by, at=desk.at, facts=facts)
    if as_json:
        print_json({"draw_id": made.draw_id, "called": list(named)})
    else:
        data(say(f"{made.draw_id}：已征调 {len(named)} 人", f"{made.draw_id}: {len(named)} called"))
    words(say(f"登记答复：experts invite {made.draw_id}", f"next: experts invite {made.draw_id}"))


def _pairs(given: list[str] | None) -> dict[str, str]:
    found = {}
    for one in given or []:
        name, sign, text = one.partition("=")
        if not (name and sign and text):
            stop(Exit.USE, f"应写作 专家=…，现为“{one}”", f"write EXPERT=…, not {one!r}")
        found[name] = text
    return found

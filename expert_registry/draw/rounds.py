"""The round of a draw: each bureau commits, each reveals, a public value falls due, the panel is drawn and published.

A secret is sealed and its commitment signed in one transaction, so that after a stop there are both or neither; from then
on the same papers and the same public value give the same panel, whoever draws and however often. What was drawn is
written with the value it was drawn from, once.

A reveal counts if it was *here* by ``reveal_by``: a date written into a late paper helps nobody. Where one is missing the
fallback decides, which falls due later than anything the silent side could have known; the incident is in the result.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from expert_registry.day_words import in_china
from expert_registry.draw import papers, publication
from expert_registry.draw.desk import Desk, latest, need_second, paper_of, papers_of
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.protocol import Secret, list_hash, new_secret
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw, WrongState
from expert_registry.privacy.vault import secret_field
from records import expert_drawbook, expert_draws
from records.expert_draws import Draw, NewPaper
from records.models import write_time


def commit(
    desk: Desk,
    draw_id: str,
    bureau: str,
    *,
    public_source: PublicSource,
    fallback_source: PublicSource,
    by: str,
    at: datetime,
) -> dict[str, Any]:
    """Make the secret of a bureau and sign its commitment; committed already, that commitment is given.

    Raises
    ------
    WrongState
        No frozen list, or the bureau committed with other sources.
    BadDraw
        The bureau is played elsewhere, or the papers do not fit each other.
    """
    _refuse_foreign(desk, bureau)
    draw = settle(desk, draw_id)
    there = papers_of(desk, draw_id, "commitment")
    if bureau in there:
        _refuse_other_sources(there[bureau], public_source, fallback_source)
        return there[bureau]
    _refuse_state(draw, "frozen")
    frozen, secret = list_of(desk, draw), new_secret()
    paper = papers.commit(
        frozen, bureau, secret, public_source=public_source, fallback_source=fallback_source, at=at, signer=desk.signer
    )
    if set(there) | {bureau} == set(frozen["bureaus"]):
        papers.check_commitments(frozen, {**there, bureau: paper}, desk.keys)
    clear = json.dumps({"value": secret.value, "chain_start": secret.chain_start})
    sealed = desk.vault.seal(draw_id, secret_field(bureau), clear)
    expert_draws.add_papers(desk.records, draw_id, [committed(bureau, paper)], at=at, by=by, secret=(bureau, sealed))
    settle(desk, draw_id)
    return paper


def committed(bureau: str, paper: Mapping[str, Any]) -> NewPaper:
    """Make the paper of a commitment; the chain keeps what was committed to."""
    told = {"bureau": bureau, "list_hash": paper["list_hash"], "commitment": paper["commitment"]}
    return NewPaper("commitment", bureau, paper, "draw-committed", told | {"chain_tip": paper["chain_tip"]})


def reveal(desk: Desk, draw_id: str, bureau: str, *, by: str, at: datetime) -> dict[str, Any]:
    """Sign what a bureau committed to, once all commitments are here and before ``reveal_by``.

    Raises
    ------
    WrongState, BadDraw
    """
    _refuse_foreign(desk, bureau)
    draw = settle(desk, draw_id)
    there = papers_of(desk, draw_id, "reveal")
    if bureau in there:
        return there[bureau]
    _refuse_state(draw, "committed")
    secret, commitments = secret_of(desk, draw_id, bureau), papers_of(desk, draw_id, "commitment")
    paper = papers.reveal(list_of(desk, draw), commitments, bureau, secret, at=at, signer=desk.signer, keys=desk.keys)
    expert_draws.add_papers(desk.records, draw_id, [revealed(bureau, paper)], at=at, by=by)
    settle(desk, draw_id)
    return paper


def revealed(bureau: str, paper: Mapping[str, Any]) -> NewPaper:
    """Make the paper of a reveal."""
    return NewPaper("reveal", bureau, paper, "draw-revealed", {"bureau": bureau})


def run(desk: Desk, draw_id: str, value: PublicValue, *, by: str, at: datetime) -> dict[str, Any]:
    """Draw, as the second person, with the public value; drawn already, that result is given.

    Raises
    ------
    WrongState
        A reveal is missing and still in time.
    BadDraw
        The value is not of the source that decides, or anything else that does not fit.
    NeedsSecondPerson
    """
    draw = settle(desk, draw_id)
    _refuse_foreign(desk, draw.bureau)
    editions = papers_of(desk, draw_id, "draw")
    if "0" in editions:
        return editions["0"]
    need_second(draw, by)
    _refuse_state(draw, "committed", "revealed")
    frozen, reveals = list_of(desk, draw), papers_of(desk, draw_id, "reveal")
    missing = [bureau for bureau in frozen["bureaus"] if bureau not in reveals]
    if missing and write_time(at) <= frozen["request"]["reveal_by"]:
        raise WrongState(
            f"{'、'.join(missing)} 尚未揭示，期限 {in_china(frozen['request']['reveal_by'])}，到期后由备用公开来源决定",
            f"{', '.join(missing)} has not revealed; after {in_china(frozen['request']['reveal_by'])} China time the fallback decides",
        )
    _refuse_future(value, at)
    made = publication.draw(
        frozen, papers_of(desk, draw_id, "commitment"), reveals, value,
        bureau=draw.bureau, assurance=assurance(desk, draw_id, frozen), at=at, signer=desk.signer, keys=desk.keys,
    )  # fmt: skip
    told = {"list_hash": draw.list_hash, "seed": made["seed"], "taken": len(made["taken"])}
    told["incidents"] = [one["bureau"] for one in made["incidents"]]
    paper = NewPaper("draw", "0", made, "draw-drawn", told)
    expert_draws.add_papers(desk.records, draw_id, [paper], at=at, by=by, state="drawn")
    return made


def publish(desk: Desk, draw_id: str, *, by: str, at: datetime) -> dict[str, Any]:
    """Put the result out, after doing it again from its own papers; gives the newest edition of the file.

    Raises
    ------
    BadDraw
        Done again it differs: something in the records was changed.
    """
    draw = expert_drawbook.draw(desk.records, draw_id)
    document = latest(desk, draw_id)
    check = verify(document, desk.keys.trusted, desk.verifiers)
    if not check.ok:
        raise BadDraw(f"{draw_id}：{check.reason_zh}", f"{draw_id}: {check.reason_en}")
    if draw.state == "drawn":
        body = {"draw_id": draw_id, "sha256": expert_draws.paper_hash(document), "published_at": write_time(at)}
        paper = NewPaper("published", "", body, "draw-published", {"result_sha256": body["sha256"]})
        expert_draws.add_papers(desk.records, draw_id, [paper], at=at, by=by, state="published")
    return document


def settle(desk: Desk, draw_id: str) -> Draw:
    """Bring the state of a draw to where its papers are."""
    draw = expert_drawbook.draw(desk.records, draw_id)
    if draw.state not in ("frozen", "committed"):
        return draw
    bureaus = set(list_of(desk, draw)["bureaus"])
    for state, kind in (("committed", "commitment"), ("revealed", "reveal")):
        if bureaus <= set(papers_of(desk, draw_id, kind)) and draw.state != state:
            at = expert_drawbook.papers(desk.records, draw_id, kind)[-1].at
            draw = expert_draws.add_papers(desk.records, draw_id, [], at=at, by="", state=state)
        elif draw.state != state:
            break
    return draw


def list_of(desk: Desk, draw: Draw) -> dict[str, Any]:
    """Give the frozen list of a draw, which must be the one whose hash was taken.

    Raises
    ------
    BadDraw
        It was changed since.
    WrongState
    """
    frozen = paper_of(desk, draw.draw_id, "list")
    if list_hash(frozen) != draw.list_hash:
        raise BadDraw(
            f"{draw.draw_id} 的候选名单与冻结时的哈希不符，名单被改动过",
            f"the list of {draw.draw_id} is not the one that was frozen: it was changed",
        )
    return frozen


def secret_of(desk: Desk, draw_id: str, bureau: str) -> Secret:
    """Open the secret this home keeps for a bureau.

    Raises
    ------
    WrongState
        It has none.
    """
    sealed = expert_drawbook.sealed_secret(desk.records, draw_id, bureau)
    if sealed is None:
        raise WrongState(
            f"本机没有 {bureau} 在 {draw_id} 的秘密数", f"this home has no secret of {bureau} in {draw_id}"
        )
    return Secret(**json.loads(desk.vault.open_(draw_id, secret_field(bureau), sealed)))


def assurance(desk: Desk, draw_id: str, frozen: Mapping[str, Any]) -> str:
    """Tell whether one home made the secrets of more than one bureau, which the published file must say."""
    own = [one for one in frozen["bureaus"] if expert_drawbook.sealed_secret(desk.records, draw_id, one) is not None]
    return "one-home" if len(own) > 1 else "two-homes"


def incidents(desk: Desk, since: datetime) -> dict[str, list[str]]:
    """Give, for each bureau, the draws since an instant in which it kept silent; both leading groups are shown them.

    Silent is who did not commit, did not reveal, or gave no link in time; in a home that does not draw also whose
    reveal came here late. More than one in a year is a habit, and :func:`repeaters` names it.
    """
    found: dict[str, list[str]] = {}
    for paper in expert_drawbook.papers_of_kind(desk.records, "abandoned", since):
        for bureau in paper.document["silent"] if paper.document["code"] == "other-side-silent" else ():
            found.setdefault(bureau, []).append(f"{paper.draw_id} no-commitment")
    for paper in expert_drawbook.papers_of_kind(desk.records, "reveal", since):
        due = paper_of(desk, paper.draw_id, "list")["request"]["reveal_by"]
        if write_time(paper.at) > due:
            found.setdefault(paper.part, []).append(f"{paper.draw_id} late-reveal")
    for paper in expert_drawbook.papers_of_kind(desk.records, "draw", since):
        last = paper.document["replacements"][-1] if paper.document["replacements"] else paper.document
        for one in last["incidents"]:
            found.setdefault(one["bureau"], []).append(f"{paper.draw_id} {one['kind']} {one['round']}")
    return found


def repeaters(desk: Desk, since: datetime) -> dict[str, int]:
    """Count the incidents of the bureaus that kept silent more than once since an instant."""
    counted = Counter({bureau: len(told) for bureau, told in incidents(desk, since).items()})
    return {bureau: number for bureau, number in counted.items() if number > 1}


def _refuse_foreign(desk: Desk, bureau: str) -> None:
    if bureau not in desk.plays:
        raise BadDraw(f"本系统不代表 {bureau}", f"this home does not play the part of {bureau}")


def _refuse_state(draw: Draw, *states: str) -> None:
    if draw.state not in states:
        raise WrongState(
            f"{draw.draw_id} 现为 {draw.state}，此步须在 {'、'.join(states)} 时办理",
            f"{draw.draw_id} is {draw.state}; this step is done when it is {' or '.join(states)}",
        )


def _refuse_other_sources(paper: Mapping[str, Any], public: PublicSource, fallback: PublicSource) -> None:
    kept = [(paper[name]["name"], paper[name]["due"]) for name in ("public_source", "fallback_source")]
    if kept != [(one.name, write_time(one.due)) for one in (public, fallback)]:
        raise WrongState(
            f"{paper['bureau']} 已作承诺，公开来源为 {kept[0][0]}、{kept[1][0]}，不得更换",
            f"{paper['bureau']} has committed with the sources {kept[0][0]} and {kept[1][0]}; they stay",
        )


def _refuse_future(value: PublicValue, at: datetime) -> None:
    if value.observed_at > at:
        raise BadDraw(
            f"公开值的观察时间 {in_china(value.observed_at)} 晚于本机时间",
            f"the value was seen at {in_china(value.observed_at)}, ahead of this clock",
        )

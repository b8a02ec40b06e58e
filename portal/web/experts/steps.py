"""The steps of a draw, each by whom it belongs to: the second person freezes and draws, each bureau answers for itself.

The part a bureau plays comes from the session. One machine may play both bureaus, but no account acts for both, and who
asked for a draw neither freezes, draws nor ends it.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from expert_registry.draw import rounds
from expert_registry.draw.desk import abandon as end
from expert_registry.draw.desk import latest, need_second, paper_of
from expert_registry.draw.freezing import FEW, REDRAW
from expert_registry.draw.freezing import freeze as fix
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.replacing import give_link
from expert_registry.draw.replacing import replace as make_replacement
from expert_registry.draw.requests import read_request
from expert_registry.errors import BadRequest, NeedsSecondPerson
from portal.expert_desk import Office
from portal.expert_rounds import deciding_source, sources_told
from portal.web.asking import Ask, see
from portal.web.experts.counter import free_text, instant_of, office, same_person, told, tried
from portal.web.experts.draw_page import shown
from records import expert_drawbook
from records.expert_draws import Draw


def freeze(ask: Ask) -> Response:
    """Freeze the list, as the second person."""

    def act(desk: Office, draw: Draw) -> object:
        matter = read_request(paper_of(desk.desk, draw.draw_id, "request")).matter
        words = {FEW: free_text(told(ask, "few")), REDRAW: free_text(told(ask, "again"))}
        return fix(desk.desk, draw.draw_id, by=desk.by, at=desk.at, approves=words, facts=desk.facts(matter))

    return step(ask, "expert.confirm", act, "freeze")


def commit(ask: Ask) -> Response:
    """Commit for the caller's bureau; the second bureau takes the sources the first has named."""

    def act(desk: Office, draw: Draw) -> object:
        _one_part_each(desk, draw, "commitment")
        pair = sources_told(desk.desk, draw.draw_id) or _sources(ask)
        return rounds.commit(
            desk.desk, draw.draw_id, ask.me.bureau, public_source=pair[0], fallback_source=pair[1], by=desk.by, at=desk.at
        )  # fmt: skip

    return step(ask, "expert.commit", act, "commit", part=True)


def reveal(ask: Ask) -> Response:
    """Reveal for the caller's bureau."""

    def act(desk: Office, draw: Draw) -> object:
        _one_part_each(desk, draw, "commitment", "reveal")
        return rounds.reveal(desk.desk, draw.draw_id, ask.me.bureau, by=desk.by, at=desk.at)

    return step(ask, "expert.commit", act, "reveal", part=True)


def run(ask: Ask) -> Response:
    """Draw with the public value, as the second person."""

    def act(desk: Office, draw: Draw) -> object:
        need_second(draw, desk.by)
        value = PublicValue(deciding_source(desk.desk, draw.draw_id), _value(ask), instant_of(ask, "seen") or desk.at)
        return rounds.run(desk.desk, draw.draw_id, value, by=desk.by, at=desk.at)

    return step(ask, "expert.confirm", act, "run")


def publish(ask: Ask) -> Response:
    """Do it again and publish it."""
    return step(
        ask, "expert.draw", lambda desk, draw: rounds.publish(desk.desk, draw.draw_id, by=desk.by, at=desk.at), "publish"
    )  # fmt: skip


def abandon(ask: Ask) -> Response:
    """End a draw, as the second person, with a coded reason and words."""

    def act(desk: Office, draw: Draw) -> object:
        need_second(draw, desk.by)
        code, words = told(ask, "code", 60), free_text(told(ask, "words"))
        return end(desk.desk, draw.draw_id, code, words, by=desk.by, at=desk.at)

    return step(ask, "expert.confirm", act, "abandon")


def link(ask: Ask) -> Response:
    """Give the link of the caller's bureau for the replacement that is open."""

    def act(desk: Office, draw: Draw) -> object:
        _one_part_each(desk, draw, "commitment", "link")
        return give_link(desk.desk, draw.draw_id, ask.me.bureau, by=desk.by, at=desk.at)

    return step(ask, "expert.commit", act, "link", part=True)


def replacement(ask: Ask) -> Response:
    """Draw the replacement, as another person than opened it."""

    def act(desk: Office, draw: Draw) -> object:
        value = None
        if told(ask, "value"):
            part = str(len(latest(desk.desk, draw.draw_id)["replacements"]) + 1)
            name = paper_of(desk.desk, draw.draw_id, "vacancy", part)["fallback_source"]["name"]
            value = PublicValue(name, _value(ask), instant_of(ask, "seen") or desk.at)
        make_replacement(desk.desk, draw.draw_id, by=desk.by, at=desk.at, value=value)
        return rounds.publish(desk.desk, draw.draw_id, by=desk.by, at=desk.at)  # what is public is done again first

    return step(ask, "expert.confirm", act, "replace")


def step(
    ask: Ask, permission: str, act: Callable[[Office, Draw], object], done: str, *, part: bool = False
) -> Response:
    """Take a step of a draw: of the caller's bureau, or (``part``) the caller's bureau's part of any draw."""
    draw = expert_drawbook.draw(ask.site.records, ask.path["draw"])
    ask.need(permission, ask.me.bureau if part else draw.bureau)
    desk = office(ask)
    fault = tried(ask, lambda: act(desk, draw))
    return shown(ask, draw.draw_id, fault) if fault else see(f"/draws/{draw.draw_id}", done=done)


def source(ask: Ask, name: str, due: str) -> PublicSource:
    """Read a public source of the form.

    Raises
    ------
    BadRequest
    """
    at = instant_of(ask, due)
    if not told(ask, name) or at is None:
        raise BadRequest(
            "请写明公开来源的名称和公布时间，如“福利彩票双色球第2026063期”“2026-06-04 21:15”",
            "name the public source and when it falls due",
        )
    return PublicSource(told(ask, name), at)


def _sources(ask: Ask) -> list[PublicSource]:
    return [source(ask, "source", "due"), source(ask, "fallback", "fallback_due")]


def _value(ask: Ask) -> str:
    value = told(ask, "value")
    if not value:
        raise BadRequest("请照写公开来源公布的数值", "give what the public source said, as it stands there")
    return value


def _one_part_each(desk: Office, draw: Draw, *kinds: str) -> None:
    """Refuse who acted for another bureau in this draw: on one machine, too, nobody plays both."""
    others = set(desk.desk.plays) - {desk.unit}
    for kind in kinds:
        for paper in expert_drawbook.papers(desk.records, draw.draw_id, kind):
            if paper.part.split("-")[-1] in others and same_person(paper.by, desk.by):
                raise NeedsSecondPerson(
                    f"{paper.by} 已代表另一方办理此次抽取，同一人不能代表双方",
                    f"{paper.by} acted for the other bureau in this draw: nobody plays both",
                )

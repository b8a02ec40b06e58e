"""The figures of the pool and its draws as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from portal.expert_words import joined, state_word
from portal.words import say
from schemas.divisions import division_path
from schemas.places import bureaus
from schemas.specialties import specialties, title_ranks


def _rank(code: str) -> str:
    return say(*title_ranks()[code])


def _place(code: str) -> str:
    return "".join(division_path(code)[1:]) or code


def _field(code: str) -> str:
    known = specialties().get(code)
    return f"{code} {say(known.title_zh, known.title_en)}" if known else code


_PARTS: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "by_state": ("状态", "state", state_word),
    "by_title": ("职称", "title", _rank),
    "by_region": ("地区", "place", _place),
    "by_specialty": ("专业", "field", _field),
}
"""Parts of the pool's figures: how each is called, and how its codes are said."""


def figure_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Show the figures of each bureau."""
    yield say(f"{document['since']} 至 {document['until']}", f"{document['since']} to {document['until']}")
    for bureau, told in document["bureaus"].items():
        pool, uses, side, draws = told["pool"], told["uses"], told["other_side"], told["draws"]
        yield f"{say(bureaus()[bureau].name_zh, bureaus()[bureau].name_en) if bureau in bureaus() else bureau}:"
        yield say(
            f"  在库 {pool['in_pool']}，可抽取 {pool['drawable']}",
            f"  {pool['in_pool']} in the pool, {pool['drawable']} drawable",
        )
        for name, (zh, en, in_words) in _PARTS.items():
            listed = joined(f"{in_words(value)} {number}" for value, number in pool[name].items())
            yield f"    {say(zh, en)}: {listed}"
        yield say(
            f"  使用 {uses['total']} 次，{uses['experts_used']} 人，最多 {uses['most']} 次；对方席位 {side['from_other_side']}/{side['seats']}",
            f"  {uses['total']} uses of {uses['experts_used']}, at most {uses['most']}; other side {side['from_other_side']}/{side['seats']} seats",
        )
        waits = {
            name: "—" if hours is None else hours
            for name, hours in told["waiting_hours"]["request_to_accepted"].items()
        }
        yield say(
            f"  申请到接受（小时）：中位 {waits['median']}，最长 {waits['longest']}",
            f"  request to accepted, hours: median {waits['median']}, longest {waits['longest']}",
        )
        abandoned, again = sum(draws["abandoned"].values()), sum(draws["redrawn"].values())
        yield say(
            f"  抽取 {draws['requested']} 次：中止 {abandoned}，重新抽取 {again}，递补 {sum(draws['replacements'].values())}；"
            f"应急征调 {sum(draws['callouts'].values())}",
            f"  {draws['requested']} draws: {abandoned} abandoned, {again} redrawn, {sum(draws['replacements'].values())} "
            f"replacements; {sum(draws['callouts'].values())} call-outs",
        )
    for bureau, told in document["incidents"].items():
        yield say(f"! {bureau} 未履行：{'、'.join(told)}", f"! {bureau} kept silent: {', '.join(told)}")

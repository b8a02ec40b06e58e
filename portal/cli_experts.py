"""The commands of the expert pool: import, list, show, state, expire.

Declarations are in ``cli_experts_told.py``, matches and keys in ``cli_experts_match.py``, recusal, figures and
verification in ``cli_experts_checks.py``, draws in ``cli_draw_experts.py`` and ``cli_draw_papers.py``, what follows a
draw in ``cli_panel_experts.py``, call-outs and proposals in ``cli_experts_called.py``. Whoever acts is ``--by``, else ``GONGZHI_USER``;
what is shown of a person is what ``--role`` may see, and the look is written down before it is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portal.cli import CST, Bureau, Exit, Files, Home, Json, app, data, now, records_of, stop, words
from portal.settings import read_settings
from portal.words import say

if TYPE_CHECKING:
    from portal.expert_desk import Office

experts = typer.Typer(
    name="experts",
    no_args_is_help=True,
    help=say(
        "专家库：两地共用的专家、回避、谁都可以复算的抽取", "the expert pool: roster, recusal, draws anyone can redo"
    ),
)
app.add_typer(experts, name="experts")

By = Annotated[str, typer.Option("--by", help=say("经办人（默认 GONGZHI_USER）", "who acts (else GONGZHI_USER)"))]
Role = Annotated[
    str,
    typer.Option(
        "--role",
        help=say(
            "角色：pool_staff 专家库管理（默认）、organiser、peer_before、finance、auditor、public",
            "pool_staff (default), organiser, peer_before, finance, auditor, public",
        ),
    ),
]
Unit = Annotated[str, typer.Option("--unit", help=say("单位（或 GONGZHI_UNIT）", "unit (or GONGZHI_UNIT)"))]
Purpose = Annotated[
    str, typer.Option("--purpose", "-p", help=say("查看目的（或 GONGZHI_PURPOSE）", "why (or GONGZHI_PURPOSE)"))
]
Expert = Annotated[str, typer.Argument(metavar="EXPERT", help=say("专家编号 e-…", "number of the expert, e-…"))]
Some = Annotated[list[str] | None, typer.Argument(metavar="EXPERT…", help=say("专家编号", "numbers of experts"))]
Every = Annotated[
    str, typer.Option("--every", help=say("处于此状态的全部专家（可配 --bureau）", "everybody in this state"))
]
OfBureau = Annotated[str | None, typer.Option("--bureau", "-b", help=say("单位代码", "bureau"))]
Reason = Annotated[str, typer.Option("--reason", help=say("理由", "why"))]
DAY = ["%Y-%m-%d"]
Since = Annotated[datetime | None, typer.Option("--since", formats=DAY, help=say("起始日", "first day"))]
Until = Annotated[datetime | None, typer.Option("--until", formats=DAY, help=say("截止日", "last day"))]

_clock: ContextVar[Callable[[], datetime]] = ContextVar("clock", default=now)


@experts.callback()
def opened(context: typer.Context) -> None:
    """Take the clock that was handed in with the app, else the clock of the command line."""
    _clock.set(context.obj or now)


@contextmanager
def office(home: Path | None, by: str = "", role: str = "", unit: str = "", purpose: str = "") -> Iterator[Office]:
    """Open the registry of a home for who stands before it."""
    from portal.expert_desk import office_of

    with records_of(home) as (places, records):
        yield office_of(places, records, by or read_settings().user, _clock.get()(), role, unit, purpose)


def day(given: datetime | None) -> date | None:
    """Give the day an option named."""
    return given.date() if given else None


def today(desk: Office) -> date:
    """Give the China day it is."""
    return desk.at.astimezone(CST).date()


def print_json(document: object) -> None:
    """Give a document on one line."""
    data(json.dumps(document, ensure_ascii=False))


def chosen(desk: Office, some: list[str] | None, every: str, bureau: str | None) -> list[str]:
    """Give the experts meant: those named, or all in a state; nobody is wrong use."""
    from expert_registry.roster.pool import load

    if bool(some) == bool(every):
        stop(Exit.USE, "请写专家编号，或用 --every 状态", "name experts, or --every STATE")
    found = some or [
        one.expert_id for one in load(desk.records, states=[every], bureau=bureau) if one.merged_into is None
    ]
    if not found:
        stop(Exit.REFUSED, f"没有处于 {every} 的专家", f"nobody is {every}")
    return list(dict.fromkeys(found))


@experts.command("import", help=say("导入专家名册（xlsx、CSV）", "take a bureau's expert list into the pool"))
def import_list(
    files: Files,
    bureau: Bureau,
    appointed: Annotated[
        str, typer.Option("--appointed", help=say("已聘专家：聘任文件文号", "already appointed: by which document"))
    ] = "",
    since: Since = None,
    until: Until = None,
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Judge lists by the rules of the template and bring what is accepted into the pool; a list goes in whole or not.

    With --appointed new experts come in as appointed, from --since to --until; else as applied. The list itself is kept
    sealed. Afterwards the pool is searched for the same person twice: gongzhi experts match list.

    Example: gongzhi experts import 专家名册_2026年.xlsx --bureau beibei --by 张工
    """
    from portal.expert_import import bring_in
    from portal.expert_words import import_lines

    if bool(appointed) != bool(since and until):
        stop(Exit.USE, "--appointed 须同时写 --since 和 --until", "--appointed goes with --since and --until")
    good = True
    with office(home, by) as desk:
        term = (appointed, since.date(), until.date()) if since and until else None
        for one in bring_in(desk, files, bureau, term):
            good = good and one.good
            if as_json:
                print_json(one.as_json())
            else:
                for line in import_lines(one):
                    data(line)
    raise typer.Exit(Exit.DONE if good else Exit.REFUSED)


@experts.command("list", help=say("名册：按角色所见列出专家", "list experts as a role may see them"))
def list_experts(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=say("姓名、单位或编号", "name, employer, number"))] = "",
    bureau: OfBureau = None,
    state: Annotated[str | None, typer.Option("--state")] = None,
    specialty: Annotated[str | None, typer.Option("--specialty", "-s", help=say("专业代码", "code"))] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 50,
    after: Annotated[str, typer.Option("--after", help=say("上一页最后的编号", "last one of the page before"))] = "",
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List a page of the pool in the order of names; exit 1 where nobody fits.

    Example: gongzhi experts list 示例大学 --state appointed --specialty W03
    """
    from portal.expert_views import page
    from portal.expert_words import list_lines

    with office(home, by, role, unit, purpose) as desk:
        found = page(desk, text, bureau, state, specialty, limit, after)
    if as_json:
        for one in found.people:
            print_json(one)
    else:
        for line in list_lines(found.people):
            data(line)
    if not found.people:
        words(say("没有可显示的专家", "there is nobody to show"))
    if found.after:
        words(say(f"还有更多：--after {found.after}", f"there are more: --after {found.after}"))
    raise typer.Exit(Exit.DONE if found.people else Exit.REFUSED)


@experts.command(help=say("一位专家：按角色所见，管理与审计另见履历", "one expert as a role may see them"))
def show(
    expert: Expert,
    changes: Annotated[bool, typer.Option("--changes", help=say("变更记录", "what was changed when"))] = False,
    looks: Annotated[bool, typer.Option("--looks", help=say("谁查看过", "who looked"))] = False,
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Show one expert; sealed numbers are opened only for a role that may see them. Every look is written down.

    Example: gongzhi experts show e-20260414-0123456789ab --changes
    """
    from portal.expert_views import whole
    from portal.expert_words import expert_lines

    with office(home, by, role, unit, purpose) as desk:
        document = whole(desk, expert, changes=changes, looks=looks)
    if as_json:
        print_json(document)
        return
    for line in expert_lines(document):
        data(line)


@experts.command(help=say("生命周期：审核、公示、聘任、暂停、退出、移出", "move experts into another state"))
def state(
    to: Annotated[
        str,
        typer.Argument(
            metavar="STATE",
            help="checked | publicised | appointed | suspended | expired | withdrawn | removed | applied",
        ),
    ],
    some: Some = None,
    every: Every = "",
    bureau: OfBureau = None,
    reason: Reason = "",
    since: Since = None,
    until: Until = None,
    bar_until: Annotated[
        datetime | None, typer.Option("--bar-until", formats=DAY, help=say("禁入截止日", "barred until"))
    ] = None,
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Move experts into a state, all of them or none; for appointed --since and --until are the term.

    Example: gongzhi experts state checked --every applied --bureau beibei --by 张工
    """
    from expert_registry.roster.life_cycle import move_all
    from portal.expert_words import note_lines, state_word

    with office(home, by) as desk:
        ids = chosen(desk, some, every, bureau)
        noted = move_all(
            desk.records, ids, to, desk.by, desk.at, desk.rules, reason=reason, term_start=day(since),
            term_end=day(until), bar_until=day(bar_until), vault=desk.vault,
        )  # fmt: skip
    for line in note_lines(noted):
        words(line)
    if as_json:
        print_json({"state": to, "experts": {one: [note.as_json() for note in notes] for one, notes in noted.items()}})
    else:
        data(say(f"{len(noted)} 人转为“{state_word(to)}”", f"{len(noted)} became {to}"))


@experts.command(help=say("聘期届满的转为届满", "let the terms that are over expire"))
def expire(by: By = "", as_json: Json = False, home: Home = None) -> None:
    """Let every appointment end whose last day is over.

    Example: gongzhi experts expire --by 张工
    """
    from expert_registry.roster.life_cycle import expire as end_terms

    with office(home, by) as desk:
        ended = end_terms(desk.records, desk.by, desk.at)
    if as_json:
        print_json({"expired": ended})
    else:
        data(say(f"{len(ended)} 人聘期届满", f"{len(ended)} terms are over"))


import portal.cli_experts_told  # noqa: E402, I001  (commands are registered on experts; they need what stands above)
import portal.cli_experts_match  # noqa: E402
import portal.cli_experts_checks  # noqa: E402
import portal.cli_draw_experts  # noqa: E402
import portal.cli_draw_papers  # noqa: E402
import portal.cli_panel_experts  # noqa: E402
import portal.cli_experts_called  # noqa: E402
import portal.cli_experts_privacy  # noqa: E402, F401

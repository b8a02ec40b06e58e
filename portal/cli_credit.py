"""The commands of the credit register: lookup, search, history, readers, message, refresh.

Each says who asks and why before anything is shown; ``GONGZHI_UNIT``, ``GONGZHI_CERTIFICATE`` and ``GONGZHI_PURPOSE``
stand in for options that are not given. Exit 0 where something was found, 1 where not, or only candidates.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from portal.cli import CST, Exit, Home, app, data, now, records_of, stop, words
from portal.credit_counter import Counter, asks_by_name, candidates, counter_of, kept_by_name, print_json
from portal.credit_options import (
    DAY,
    AsJson,
    CodeOrName,
    Limit,
    NoCode,
    Since,
    Unit,
    Until,
    When,
    Who,
    day_of,
    spread,
)
from portal.settings import read_credit_settings
from portal.words import say

credit = typer.Typer(
    name="credit",
    no_args_is_help=True,
    help=say(
        "信用库：两地的企业环境信用评价与处罚，哪些互认、为什么",
        "the credit register: what both bureaus have, and what counts",
    ),
)
app.add_typer(credit, name="credit")


@credit.command(
    help=say(
        "查询：按信用代码查一家企业；按名称只列候选",
        "what is known of one enterprise, by code; a name gives candidates",
    )
)
@spread
def lookup(
    code: CodeOrName, who: Who, when: When, no_code: NoCode = False, as_json: AsJson = False, home: Home = None
) -> None:
    """Answer what both bureaus have on one enterprise, what of it counts here, and what is not known.

    A name never opens a record: the candidates are listed with their codes, and the exit is 1.

    Example: gongzhi credit lookup 91500109MAYY00018G --unit beibei --purpose 检查前核查
    """
    with counter_of(home, who) as counter:
        document = _opened(counter, code, when, "lookup", no_code, as_json)
    _give(document, document["state"] == "found", as_json)


@credit.command(help=say("沿革：一家企业的记录何时登记、更正、移出", "what changed when on one enterprise"))
@spread
def history(
    code: CodeOrName, who: Who, when: When, no_code: NoCode = False, as_json: AsJson = False, home: Home = None
) -> None:
    """Tell what was recorded, corrected and taken out when, then the answer as of then.

    Example: gongzhi credit history 91500109MAYY00018G --unit beibei --purpose 复核 --known 2026-06-30
    """
    from credit_registry.history import history as changes

    with counter_of(home, who) as counter:
        document = _opened(counter, code, when, "history", no_code, as_json)
        found = document["state"] == "found"
        document = changes(counter.desk.register, code, document)
    _give(document, found, as_json)


def _opened(counter: Counter, code: str, when: When, kind: str, no_code: bool, as_json: bool) -> dict[str, Any]:
    """Answer for a code, or for a name that has none and was asked for as such; else end with the candidates."""
    from credit_registry.errors import BadCode

    if asks_by_name(code) and not (no_code and kept_by_name(counter, code)):
        candidates(counter, code, kind, as_json)
        raise typer.Exit(Exit.REFUSED)
    try:
        return counter.answer(code, when, kind)
    except BadCode as error:
        if as_json:
            print_json({"error": error.as_json()})
        raise


def _give(document: dict[str, Any], found: bool, as_json: bool) -> None:
    from portal.credit_lines import answer_lines, history_lines

    if as_json:
        print_json(document)
    else:
        for line in (history_lines if "timeline" in document else answer_lines)(document):
            data(line)
    raise typer.Exit(Exit.DONE if found else Exit.REFUSED)


@credit.command(
    help=say("检索：按代码、名称、曾用名、拼音或相近名称列出候选", "list candidates, each with what matched")
)
@spread
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help=say("要找的文字", "what to look for"))],
    who: Who,
    limit: Limit = 10,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List enterprises a text may mean, best first; opens no record.

    Example: gongzhi credit search 绵阳京东方 --unit mianyang --purpose 检查前核查
    """
    asks_by_name(text)
    with counter_of(home, who) as counter:
        found = candidates(counter, text, "search", as_json, limit)
    raise typer.Exit(Exit.DONE if found else Exit.REFUSED)


@credit.command(help=say("留痕：谁查看过本单位的记录", "who looked at the records of one's own bureau"))
def readers(
    unit: Unit = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """List who looked at the records of one's bureau, the newest first; days are China days, the last one included.

    Example: gongzhi credit readers --unit beibei --since 2026-11-01
    """
    from credit_registry.trace import readers as lookers
    from portal.credit import end_of_day, viewer_of
    from portal.credit_lines import reader_lines

    with records_of(home) as (places, records):
        bureau = viewer_of(unit or read_credit_settings().unit, places)
        first = since.replace(tzinfo=CST) if since else None
        found = lookers(records, bureau, first, end_of_day(until.date()) if until else None, limit)
    if as_json:
        for one in found:
            print_json(one)
        return
    for line in reader_lines(found):
        data(line)


@credit.command(
    help=say("告知对方：异议、修复、撤回、暂停、撤销、确认", "tell of an objection, repair, withdrawal and the like")
)
def message(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="objection | objection-closed | repair | withdrawal | suspension | annulment | confirmation",
        ),
    ],
    code: Annotated[str, typer.Argument(metavar="CODE", help=say("统一社会信用代码", "code of the enterprise"))],
    reason: Annotated[str, typer.Option("--reason", help=say("理由", "why"))],
    document: Annotated[str, typer.Option("--document", help=say("所依据的文书", "document it rests on"))],
    author: Annotated[str, typer.Option("--author", help=say("经办人", "who tells it"))],
    rating: Annotated[
        str | None,
        typer.Option("--rating", help=say("评价：办法|机关|层级|年度|场所", "scheme|issuer|tier|rated_year|site")),
    ] = None,
    penalty: Annotated[str | None, typer.Option("--penalty", help=say("处罚：决定书文号", "decision number"))] = None,
    effective: Annotated[
        datetime | None,
        typer.Option("--effective", **DAY, help=say("生效日，默认今天", "from that day")),
    ] = None,
    unit: Unit = None,
    home: Home = None,
) -> None:
    """Keep a message on one rating or penalty; both bureaus see its effect at once.

    Who decided repairs (谁认定、谁修复): all but an objection may be told only by the bureau that sent the record.

    Example: gongzhi credit message repair 91500109MAYY00018G --penalty 渝北碚环罚〔2026〕1号 --reason 已整改 --document 修复决定1号 --author 张工
    """
    from portal.credit import desk_of, tell_message, viewer_of

    if (rating is None) == (penalty is None):
        stop(Exit.USE, "请用 --rating 或 --penalty 指明一条记录", "name one record with --rating or --penalty")
    with records_of(home) as (places, records):
        bureau = viewer_of(unit or read_credit_settings().unit, places)
        at = now()
        with desk_of(places, records, at) as desk:
            kept = tell_message(
                desk, kind, bureau, code, "rating" if rating else "penalty", rating or penalty or "",
                day_of(effective) or at.astimezone(CST).date(), reason, document, author, at,
            )  # fmt: skip
    words(say(f"消息 {kept.message_id} 已登记", f"message {kept.message_id} kept"))


@credit.command(help=say("按最新共享数据重建信用库", "build the register of the newest shared tables"))
def refresh(
    force: Annotated[bool, typer.Option("--force", help=say("数据未变也重建", "also where nothing changed"))] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> None:
    """Build the register anew where the shared tables went on.

    Example: gongzhi credit refresh --home exchange
    """
    from credit_registry.answers import sources_of
    from portal.credit import desk_of, watch
    from portal.credit import refresh as build
    from portal.credit_lines import source_lines

    at = now()
    with records_of(home) as (places, records):
        build(places, at, force=force)
        watch(places, records, at)
        with desk_of(places, records, at) as desk:
            assert desk.register is not None, "it was built just now"
            sources = sources_of(desk.register, desk.editions, "", at)
            told: dict[str, Any] = {
                "version": desk.version,
                "made_at": desk.register.made_at.isoformat(),
                "sources": sources,
            }
    if as_json:
        print_json(told)
        return
    data(say(f"信用库 {told['version']}", f"register {told['version']}"))
    for line in source_lines(told["sources"]):
        data(line)

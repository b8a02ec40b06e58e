"""The commands of the credit register: lookup, search, history, readers, message, refresh.

Each says who asks and why before anything is shown; ``GONGZHI_UNIT``, ``GONGZHI_CERTIFICATE`` and ``GONGZHI_PURPOSE``
stand in for options that are not given. Exit 0 where something was found, 1 where not, or only candidates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import CST, Exit, Home, Json, app, data, now, records_of, stop, words
from portal.settings import read_credit_settings, read_settings
from portal.words import say

if TYPE_CHECKING:
    from credit_registry.search import Hit
    from credit_registry.trace import Asker
    from portal.credit import Desk
    from records.credit import Access
    from records.store import Records

CANDIDATES = "gongzhi-credit-candidates/1"

credit = typer.Typer(
    name="credit",
    no_args_is_help=True,
    help=say(
        "信用库：两地的企业环境信用评价与处罚，哪些互认、为什么",
        "the credit register: what both bureaus have, and what counts",
    ),
)
app.add_typer(credit, name="credit")

Unit = Annotated[
    str | None,
    typer.Option("--unit", help=say("查询单位，如 beibei/执法支队（或 GONGZHI_UNIT）", "who asks (or GONGZHI_UNIT)")),
]
Certificate = Annotated[
    str | None,
    typer.Option("--certificate", help=say("执法证号（或 GONGZHI_CERTIFICATE）", "officer's certificate number")),
]
Purpose = Annotated[
    str | None,
    typer.Option(
        "--purpose", "-p", help=say("查询目的：检查前核查、随机抽查、许可、会商、复核、其他", "why (GONGZHI_PURPOSE)")
    ),
]
Plan = Annotated[
    str, typer.Option("--plan", help=say("计划、案件或入企码编号", "number of the plan, case or entry code"))
]
On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help=say("有效日，默认今天", "valid on that day; today")),
]
Known = Annotated[
    str | None,
    typer.Option(
        "--known", help=say("截至何时所知（日期到当日终了），默认现在", "as known then; a day is meant to its end")
    ),
]
Since = Annotated[datetime | None, typer.Option("--since", formats=["%Y-%m-%d"])]
Until = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"])]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000)]


@dataclass(frozen=True)
class Counter:
    """Who stands before the opened register."""

    desk: Desk
    asker: Asker
    viewer: str
    at: datetime

    @property
    def records(self) -> Records:
        """The records of the home."""
        return self.desk.records

    def note(self, kind: str, asked: str, result: str, count: int = 0, owners: tuple[str, ...] = ()) -> Access:
        """Keep one use that gives no single answer."""
        from credit_registry.trace import trace

        return trace(
            self.records, self.asker, kind, asked,
            at=self.at, version=self.desk.version, result=result, count=count, owners=owners,
        )  # fmt: skip

    def answer(self, code: str, on: date | None, known: str | None, kind: str = "lookup") -> dict[str, Any]:
        """Answer and trace one look-up."""
        from credit_registry.answers import answer
        from portal.credit import read_known

        return answer(
            self.desk.register, self.records, code, self.viewer, on or self.at.astimezone(CST).date(),
            read_known(known, self.at), self.asker, now=self.at, kind=kind, editions=self.desk.editions,
        )  # fmt: skip


@contextmanager
def counter_of(
    home: Path | None, unit: str | None, certificate: str | None, purpose: str | None, plan: str
) -> Iterator[Counter]:
    """Check who asks, open the newest register, and look for bulk use afterwards."""
    from credit_registry.trace import checked
    from portal.credit import asker_of, desk_of, viewer_of, watch

    default = read_credit_settings()
    given = (unit or default.unit, certificate or default.certificate, purpose or default.purpose, plan)
    asker = checked(asker_of(read_settings().user, *given))
    with records_of(home) as (places, records):
        viewer = viewer_of(asker.unit, places)
        with desk_of(places, records, now()) as desk:
            if desk.behind is not None:
                words(say(desk.behind.message, desk.behind.message_en))
                words(say("以下为上一次建立的信用库", "what follows comes from the register built before"))
            try:
                yield Counter(desk, asker, viewer, now())
            finally:
                watch(places, records, now())


def day_of(moment: datetime | None) -> date | None:
    """Give the day an option named."""
    return moment.date() if moment else None


def print_json(document: Mapping[str, Any]) -> None:
    """Give a document on one line."""
    data(json.dumps(document, ensure_ascii=False))


@credit.command(
    help=say(
        "查询：按信用代码查一家企业；按名称只列候选",
        "what is known of one enterprise, by code; a name gives candidates",
    )
)
def lookup(
    code: Annotated[str, typer.Argument(metavar="CODE|NAME", help=say("统一社会信用代码或名称", "code or name"))],
    unit: Unit = None,
    certificate: Certificate = None,
    purpose: Purpose = None,
    plan: Plan = "",
    on: On = None,
    known: Known = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Answer what both bureaus have on one enterprise, what of it counts here, and what is not known.

    A name opens a record only where it is, letter for letter, the present name of exactly one enterprise; otherwise
    the candidates are listed and the exit is 1.

    Example: gongzhi credit lookup 91500109MAYY00018G --unit beibei --purpose 检查前核查
    """
    _open(code, (unit, certificate, purpose, plan), on, known, as_json, home, "lookup")


@credit.command(help=say("沿革：一家企业的记录何时登记、更正、移出", "what changed when on one enterprise"))
def history(
    code: Annotated[str, typer.Argument(metavar="CODE|NAME")],
    unit: Unit = None,
    certificate: Certificate = None,
    purpose: Purpose = None,
    plan: Plan = "",
    on: On = None,
    known: Known = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Tell what was recorded, corrected and taken out when, then the answer as of then.

    Example: gongzhi credit history 91500109MAYY00018G --unit beibei --purpose 复核 --known 2026-06-30
    """
    _open(code, (unit, certificate, purpose, plan), on, known, as_json, home, "history")


def _open(
    text: str,
    who: tuple[str | None, str | None, str | None, str],
    on: datetime | None,
    known: str | None,
    as_json: bool,
    home: Path | None,
    kind: str,
) -> None:
    from credit_registry.errors import BadCode
    from credit_registry.history import history as changes
    from portal.credit_lines import answer_lines, history_lines

    with counter_of(home, *who) as counter:
        subject = _subject(counter, text)
        if subject is None:
            _candidates(counter, text, kind, as_json, 10)
            raise typer.Exit(Exit.REFUSED)
        try:
            document = counter.answer(subject, day_of(on), known, kind)
        except BadCode as error:
            if as_json:
                print_json({"error": error.as_json()})
            raise
        found = document["state"] == "found"
        if kind == "history":
            document = changes(counter.desk.register, subject, document)
    if as_json:
        print_json(document)
    else:
        for line in (history_lines if kind == "history" else answer_lines)(document):
            data(line)
    raise typer.Exit(Exit.DONE if found else Exit.REFUSED)


def _subject(counter: Counter, text: str) -> str | None:
    """Give what a record is opened by: a code, or the only enterprise that bears just this name today."""
    from credit_registry.answers import is_name

    if not is_name(text) or counter.desk.finder is None:
        return text
    hits = counter.desk.finder.find(text, 3)
    same = [one for one in hits if one.matched_field == "name"]
    others = [one for one in hits if one.matched_field == "former_name"]
    if len(same) != 1 or others:
        return None
    words(
        say(
            f"名称与 {same[0].current_name} 完全一致，且只有这一家", f"the name is that of {same[0].current_name} alone"
        )
    )
    return same[0].uscc or same[0].subject


def _candidates(counter: Counter, text: str, kind: str, as_json: bool, limit: int) -> bool:
    """List candidates with what matched, and keep the trace; give whether there is one."""
    from portal.credit_lines import hit_lines

    finder = counter.desk.finder
    hits = finder.find(text, limit) if finder else []
    state = "candidates" if hits else "no_record" if finder and counter.desk.has_data else "source_unavailable"
    kept = counter.note(kind, text, state, len(hits))
    document = _candidates_document(kept, state, hits)
    if as_json:
        print_json(document)
        return bool(hits)
    for line in hit_lines(document):
        data(line)
    if hits:
        words(
            say(
                "按名称只列候选，不打开记录；请核对后用代码查询：gongzhi credit lookup 代码",
                "a name only gives candidates; check, then ask by code: gongzhi credit lookup CODE",
            )
        )
    return bool(hits)


def _candidates_document(kept: Access, state: str, hits: list[Hit]) -> dict[str, Any]:
    from credit_registry.nothing import told

    return {
        "document": CANDIDATES,
        **told(state),
        "query": {
            "id": kept.access_id, "at": kept.at.isoformat(), "kind": kept.kind, "asked": kept.asked,
            "version": kept.version,
        },
        "candidates": [
            {
                "uscc": one.uscc, "subject": one.subject, "name": one.name, "current_name": one.current_name,
                "matched": one.matched_field, "score": round(one.score, 1), "why": one.why_zh, "why_en": one.why_en,
                "region": one.region,
            }
            for one in hits
        ],
    }  # fmt: skip


@credit.command(
    help=say("检索：按代码、名称、曾用名、拼音或相近名称列出候选", "list candidates, each with what matched")
)
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    unit: Unit = None,
    certificate: Certificate = None,
    purpose: Purpose = None,
    plan: Plan = "",
    limit: Limit = 10,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List enterprises a text may mean, best first; opens no record.

    Example: gongzhi credit search 绵阳京东方 --unit mianyang --purpose 检查前核查
    """
    with counter_of(home, unit, certificate, purpose, plan) as counter:
        found = _candidates(counter, text, "search", as_json, limit)
    raise typer.Exit(Exit.DONE if found else Exit.REFUSED)


@credit.command(help=say("留痕：谁查看过本单位的记录", "who looked at the records of one's own bureau"))
def readers(
    unit: Unit = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    as_json: Json = False,
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
        typer.Option("--effective", formats=["%Y-%m-%d"], help=say("生效日，默认今天", "from that day")),
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
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Build the register anew where the shared tables went on.

    Example: gongzhi credit refresh --home exchange
    """
    from credit_registry.register import Register
    from portal.credit import folder_of, watch
    from portal.credit import refresh as build

    with records_of(home) as (places, records):
        build(places, now(), force=force)
        watch(places, records, now())
        with Register.open(folder_of(places)) as register:
            told: dict[str, Any] = {
                "version": register.version, "made_at": register.made_at.isoformat(),
                "sources": [
                    {"bureau": s.bureau, "table": s.table, "last_recorded": s.last_recorded.isoformat(), "rows": s.rows}
                    for s in register.sources()
                ],
            }  # fmt: skip
    if as_json:
        print_json(told)
        return
    data(say(f"信用库 {told['version']}", f"register {told['version']}"))
    for one in told["sources"]:
        data(f"  {one['bureau']} {one['table']} {one['rows']}")

"""The whole story on the examples of both bureaus: one night against their server."""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import Outcome, Places
from pipelines.sync import Road
from portal.home import make_home
from portal.show import finding_lines, plain_table
from portal.words import SEVERITIES, STATES, say, word

if TYPE_CHECKING:
    from records.store import Records

_QUERIES = (
    (
        "四月八日各站 PM2.5 均值与可疑值个数",
        "PM2.5 of 8 April by station, and how many values are suspect",
        "select bureau, station_name, round(avg(value), 1) as pm25, count(*) as hours, "
        "count(*) filter (where flag = 3) as suspect from air_observation "
        "where parameter = 'PM2.5' and period_start::date = date '2026-04-08' "
        "group by all order by bureau, station_name",
    ),
    (
        "两地都评价了的企业：各自的等级并列，不折算",
        "enterprises rated by both sides: both levels, no averaging",
        "select uscc, any_value(enterprise_name) as name, "
        "string_agg(bureau || ' ' || scheme || ' ' || level_text, ' | ' order by bureau) as ratings "
        "from credit_rating where uscc <> '' group by uscc having count(distinct bureau) > 1",
    ),
)


NIGHT = datetime(2026, 4, 14, 2, 30, tzinfo=timezone(timedelta(hours=8)))
"""The clock of the demo starts here: the night after the week of the examples."""


def examples() -> Path:
    """Find the examples: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    for folder in (here / "examples", here.parent / "examples"):
        if (folder / "deliveries").is_dir():
            return folder
    raise FileNotFoundError(say("找不到示例文件 examples", "the examples are not installed"))


def run_demo(places: Places, clock: Callable[[], datetime]) -> Iterator[str]:
    """Make a home, run one whole night against the bureaus' own server, and tell what came of it."""
    from records.store import Records

    begun = clock()

    def there() -> datetime:
        return NIGHT + (clock() - begun)

    yield say("== 建立数据目录 ==", "== a home ==")
    yield from make_home(places, there(), people=False)
    yield ""
    server = runpy.run_path(str(examples() / "bureau_server.py"))
    with server["BureauServer"](clock=there) as bureaus, Records.open(places.database_url) as records:
        for bureau in server["SOURCES"]:
            folder = places.site_facts / bureau
            folder.mkdir(parents=True, exist_ok=True)
            text = server["sources_toml"](bureaus.base_url, bureau)
            (folder / "sources.toml").write_text(text, encoding="utf-8")
        yield say(
            f"== 一夜：{there():%Y-%m-%d %H:%M}，从两地的服务器 {bureaus.base_url} 取数 ==",
            f"== one night: {there():%Y-%m-%d %H:%M}, from the bureaus' server {bureaus.base_url} ==",
        )
        outcomes, lines = _night(places, records, there)
        yield from lines
        yield ""
        from portal.demo_experts import draw_experts

        yield from draw_experts(places, records, examples(), there)
    yield ""
    yield say("== 退回了什么，为什么 ==", "== what was refused, and why ==")
    yield from _refused(outcomes)
    yield ""
    yield say("== 共享了什么 ==", "== what is shared ==")
    yield from _shared(places)
    for zh, en, sql in _QUERIES:
        yield ""
        yield f"== {say(zh, en)} =="
        yield f'$ gongzhi query "{sql}"'
        yield from _query(places, sql)
    yield ""
    yield from _where(places)
    yield from _doors(places, clock())


def _night(places: Places, records: Records, clock: Callable[[], datetime]) -> tuple[list[Outcome], list[str]]:
    """Run the night; give what came of each file, and the lines to show."""
    from pipelines.board import board
    from pipelines.intake.pull import Wanted
    from pipelines.sync import first_outcome
    from portal.boards import alarm_lines, board_lines
    from portal.nightly import site_of, sync_now
    from portal.settings import read_night_settings
    from records.alarms import alarms
    from schemas.sources import sources

    summary, _, _ = sync_now(places, records, read_night_settings(places.home), clock, None, Wanted())
    batches = [records.batch(number) for number in summary["batches"]]
    with Road(places, clock, records) as road:
        outcomes = [first_outcome(road, batch, batch.file_name, batch.state) for batch in batches]
    head = say(
        "单位,文件,数据集,状态,结果,发布,隔离,可疑", "bureau,file,dataset,state,results,published,quarantined,suspect"
    )
    lines = list(plain_table(
        head.split(","),
        [
            (
                o.bureau, o.file, o.dataset or "", word(STATES, o.state), o.results.get("read", 0),
                o.results.get("published", 0), o.results.get("quarantined", 0), o.results.get("flagged", 0),
            )
            for o in outcomes
        ],
    ))  # fmt: skip
    chores = [f"  {name}: {say(chore['message'], chore['message_en'])}" for name, chore in summary["chores"].items()]
    seen = board(records, sources(site_of(places))[0], NIGHT.date() - timedelta(days=3), NIGHT.date(), clock())
    lines += ["", say("例行工作", "chores"), *chores]
    lines += [
        "",
        say(
            "看板（gongzhi board）；今夜才开始取数，以前各日记为迟报",
            "the board (gongzhi board); earlier days came late: this is the first night",
        ),
    ]
    lines += board_lines(seen)
    lines += ["", say("告警（gongzhi alarms）", "alarms (gongzhi alarms)"), *alarm_lines(alarms(records))]
    return outcomes, lines


def _refused(outcomes: list[Outcome]) -> Iterator[str]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for outcome in outcomes:
        if outcome.error:
            yield f"{outcome.file}: {say(outcome.error['message'], outcome.error['message_en'])}"
        serious = [f for f in outcome.findings if str(f["severity"]).startswith("refuse")]
        if serious:
            yield f"{outcome.bureau} {outcome.file}"
            yield from finding_lines(serious, len(serious), 3)
        for f in outcome.findings:
            counts[(str(f["rule"]), str(f["severity"]), str(say(str(f["message"]), str(f["message_en"]))))] += 1
    yield ""
    rows = [
        (rule, word(SEVERITIES, severity), count, message[:60])
        for (rule, severity, message), count in counts.most_common(15)
    ]
    yield from plain_table(say("规则,后果,次数,说明", "rule,effect,count,meaning").split(","), rows)


def _shared(places: Places) -> Iterator[str]:
    from pipelines.publish.store import tables_status

    found = tables_status(places.tables)
    if found:
        wanted: list[str] = [k for k in ("table", "version", "rows", "rows_history", "files", "bytes") if k in found[0]]
        yield from plain_table(wanted, [tuple(row[k] for k in wanted) for row in found])


def _query(places: Places, sql: str) -> Iterator[str]:
    from pipelines.publish.reading import query

    answer = query(sql, places.tables)
    yield from plain_table(answer.column_names, [tuple(row.values()) for row in answer.to_pylist()])


def _where(places: Places) -> Iterator[str]:
    yield say(
        f"共享 Parquet 在 {places.tables}（Delta 表，一表一目录）",
        f"the shared Parquet lies in {places.tables} (Delta tables, one folder each)",
    )
    yield say("用 pandas 读取：", "read it with pandas:")
    yield "    from deltalake import DeltaTable"
    yield f'    air = DeltaTable("{places.tables}/air_observation").to_pandas()'
    yield "    air = air[air.recorded_until.isna()]"
    yield say(
        f"数据质量报告（Great Expectations Data Docs）：{places.docs}/site/index.html",
        f"Data Docs (Great Expectations): {places.docs}/site/index.html",
    )
    yield say(
        f"昨夜一页：{places.home}/nights/{NIGHT.date()}.html",
        f"the night on one page: {places.home}/nights/{NIGHT.date()}.html",
    )
    yield say(
        f"再来一夜：python examples/bureau_server.py --sources {places.site_facts} 开着，另开窗口 gongzhi sync",
        f"another night: keep python examples/bureau_server.py --sources {places.site_facts} running, then gongzhi sync",
    )


def _doors(places: Places, now: datetime) -> Iterator[str]:
    """Tell how to open the portal. The clock on the wall, not that of the demo: the passwords are good for days."""
    from portal.access.accounts import opened_doors
    from portal.access.gate import open_gate
    from records.store import Records

    with Records.open(places.database_url) as records:
        issued = opened_doors(open_gate(places, records), "gongzhi demo", now)
    shown = places.home.relative_to(Path.cwd()) if places.home.is_relative_to(Path.cwd()) else places.home
    yield say(
        f"打开门户：gongzhi serve --home {shown}，然后浏览 http://127.0.0.1:8800",
        f"the portal: gongzhi serve --home {shown}, then open http://127.0.0.1:8800",
    )
    for one in issued:
        login, password = one.account.login, one.password
        yield say(
            f"  登录名 {login}，一次性密码 {password}（只显示这一次，首次登录须修改）",
            f"  login {login}, one-time password {password} (shown this once, to be changed at the first login)",
        )

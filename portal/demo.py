"""The whole story on the example deliveries of both bureaus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.batch import Outcome, Places
from pipelines.sync import Road, check, submit
from portal.home import make_home
from portal.show import finding_lines, plain_table
from portal.words import SEVERITIES, STATES, say, word

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


def deliveries() -> Path:
    """Find the example deliveries: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    for folder in (here / "deliveries", here.parent / "examples" / "deliveries"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(say("找不到示例文件 examples/deliveries", "the example deliveries are not installed"))


def run_demo(places: Places, clock: Callable[[], datetime]) -> Iterator[str]:
    """Make a home, walk every example down the road, and tell what came of it."""
    from records.store import Records

    folder = deliveries()
    yield say("== 建立数据目录 ==", "== a home ==")
    yield from make_home(places, clock())
    yield ""
    yield say("== 两地一周的文件走完全程 ==", "== a week of deliveries of both bureaus down the road ==")
    outcomes: list[Outcome] = []
    with (
        Records.open(places.database_url) as records,
        Road(places, clock, records, submitted_by="demo", warm=True) as road,
    ):
        road.start(gate=True)
        for bureau in sorted(p.name for p in folder.iterdir() if p.is_dir()):
            for path in sorted((folder / bureau).iterdir()):
                walk = check if path.name.startswith("experts") or "专家" in path.name else submit
                for outcome in walk(road, path, bureau):
                    outcomes.append(outcome)
        if road.gate is not None:
            road.gate.build_docs(clock() - timedelta(days=1))
    yield from plain_table(
        say("单位,文件,数据集,状态,结果,发布,隔离,可疑", "bureau,file,dataset,state,results,published,quarantined,suspect").split(","),
        [
            (
                o.bureau, o.file, o.dataset or "", word(STATES, o.state), o.results.get("read", 0),
                o.results.get("published", 0), o.results.get("quarantined", 0), o.results.get("flagged", 0),
            )
            for o in outcomes
        ],
    )  # fmt: skip
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
        "门户网站尚未启用；现在用 gongzhi query、batches、report 查看",
        "the portal is not open yet; look around with gongzhi query, batches, report",
    )

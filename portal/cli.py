"""The command line: ``gongzhi``.

Data to stdout, words to stderr; exit 0 done, 1 refused or partly refused, 2 wrong use, 3 broken. Commands import what
they need when they run, so that those that move no data start at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from portal.settings import read_settings
from portal.words import LANGUAGE, STATES, STEPS, say, word

if TYPE_CHECKING:
    from pipelines.batch import Outcome, Places
    from pipelines.sync import Road
    from records.store import Records

CST = timezone(timedelta(hours=8))


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    REFUSED = 1
    USE = 2
    BROKEN = 3


app = typer.Typer(
    name="gongzhi",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=say("共治：两地生态环境数据交换", "gongzhi: environmental data exchange between bureaus"),
)

Home = Annotated[
    Path | None, typer.Option("--home", help=say("数据目录（或 GONGZHI_HOME）", "home folder (or GONGZHI_HOME)"))
]
Bureau = Annotated[str, typer.Option("--bureau", "-b", help=say("报送单位代码，如 beibei", "sender, e.g. beibei"))]
Dataset = Annotated[str | None, typer.Option("--dataset", "-d", help="air | water | soil | credit | penalty | experts")]
Json = Annotated[bool, typer.Option("--json", help=say("输出 JSON，每个文件一行", "print JSON, one line a file"))]
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help=say("文件", "files"))]


def words(text: str) -> None:
    """Say something to the person (stderr)."""
    print(text, file=sys.stderr)


def data(text: str) -> None:
    """Give data (stdout)."""
    sys.stdout.write(text + "\n")


def stop(code: Exit, zh: str, en: str) -> NoReturn:
    """End with words and an exit code."""
    words(say(zh, en))
    raise typer.Exit(code)


def now() -> datetime:
    """The clock of the command line."""
    return datetime.now(UTC)


def places_of(home: Path | None) -> Places:
    """Find the home, or say how to name one."""
    places = read_settings().places(home)
    if places is None:
        stop(Exit.USE, "请用 --home 或 GONGZHI_HOME 指明数据目录", "name a home with --home or GONGZHI_HOME")
    return places


@contextmanager
def records_of(home: Path | None) -> Iterator[tuple[Places, Records]]:
    """Open the records of a home that exists."""
    from records.store import Records

    places = places_of(home)
    if not places.home.is_dir():
        stop(
            Exit.USE,
            f"{places.home} 不是共治的数据目录；请先运行 gongzhi init --home {places.home}",
            f"{places.home} is no home of gongzhi; run gongzhi init --home {places.home} first",
        )
    with Records.open(places.database_url) as records:
        yield places, records


def _road(
    places: Places, records: Records | None, progress: Callable[[str], None] = lambda step: None, *, files: int = 1
) -> Road:
    """Make a road; for many files each next reading child starts while the one before works, and the catalogue waits."""
    from pipelines.sync import Road

    many = files > 1
    return Road(
        places, now, records, submitted_by=read_settings().user, progress=progress, warm=many, catalogue_later=many
    )


@contextmanager
def _progress(files: list[Path]) -> Iterator[tuple[Callable[[str], None], Callable[[str], None]]]:
    """Show progress on a terminal only; give what to call at each step and at each file."""
    if not sys.stderr.isatty():
        yield (lambda step: None), (lambda name: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(files) * len(STEPS))
        names = [path.name for path in files]

        def step(code: str) -> None:
            bar.update(task, advance=1, description=f"{names[0] if names else ''} {word(STEPS, code)}")

        def file_done(name: str) -> None:
            if name in names:
                names.remove(name)
            bar.update(task, completed=(len(files) - len(names)) * len(STEPS))

        yield step, file_done


def _run(
    files: list[Path],
    as_json: bool,
    make: Callable[[Callable[[str], None]], Road],
    *,
    whole: bool,
    bureau: str,
    dataset: str | None,
) -> None:
    """Walk files and tell the outcomes as they come."""
    from portal.show import exit_code

    outcomes: list[Outcome] = []
    with _progress(files) as (step, file_done), make(step) as road:
        road.start(gate=whole)
        from pipelines.sync import check, renew_catalogue, resume, submit

        if whole:
            for late in resume(road):
                words(
                    say(
                        f"补完上次中断的批次 {late.batch_id}：{late.state}",
                        f"finished interrupted batch {late.batch_id}: {late.state}",
                    )
                )
        for path in files:
            for outcome in (submit if whole else check)(road, path, bureau, dataset):
                outcomes.append(outcome)
                _tell(outcome, as_json)
            file_done(path.name)
        if whole:
            renew_catalogue(road)
    raise typer.Exit(exit_code(outcomes))


def _tell(outcome: Outcome, as_json: bool) -> None:
    """Give an outcome as data, at once."""
    from portal.show import outcome_lines

    for line in [json.dumps(outcome.as_json(), ensure_ascii=False)] if as_json else outcome_lines(outcome):
        data(line)
    sys.stdout.flush()


@app.command(help=say("预检：判定文件，不保存任何内容", "judge files, keep nothing"))
def check(files: Files, bureau: Bureau, dataset: Dataset = None, as_json: Json = False, home: Home = None) -> None:
    """Judge files, keep nothing.

    Example: gongzhi check air.csv --bureau beibei
    """
    import tempfile

    from pipelines.batch import Places

    places = read_settings().places(home)
    if places is None or not places.home.is_dir():
        nowhere = Path(tempfile.gettempdir()) / "gongzhi-no-home"
        places = Places(nowhere, "", str(nowhere / "tables"))
    chosen = places
    _run(
        files,
        as_json,
        lambda step: _road(chosen, None, step, files=len(files)),
        whole=False,
        bureau=bureau,
        dataset=dataset,
    )


@app.command(help=say("提交：判定、复核、发布，并给回执", "judge, gate and publish; gives receipts"))
def submit(files: Files, bureau: Bureau, dataset: Dataset = None, as_json: Json = False, home: Home = None) -> None:
    """Walk files down the whole road.

    Example: gongzhi submit air.csv --bureau beibei --home exchange
    """
    with records_of(home) as (places, records):
        _run(
            files, as_json, lambda step: _road(places, records, step, files=len(files)),
            whole=True, bureau=bureau, dataset=dataset,
        )  # fmt: skip


@app.command(help=say("建立数据目录：数据库、签名密钥", "make a home: database, signing keys"))
def init(home: Home = None) -> None:
    """Make a home.

    Example: gongzhi init --home exchange
    """
    from portal.home import make_home

    places = places_of(home)
    for line in make_home(places, now()):
        words(line)


@app.command(
    help=say("演示：把两地的示例文件走完全程", "walk the example deliveries of both bureaus down the whole road")
)
def demo(home: Home = None) -> None:
    """Tell the whole story on the example deliveries.

    Example: gongzhi demo --home demo-home
    """
    from portal.demo import run_demo

    places = read_settings().places(home or Path("demo-home"))
    assert places is not None
    for line in run_demo(places, now):
        data(line)
        sys.stdout.flush()


@app.command(help=say("为不认识的文件起草格式", "draft a layout for an unknown file"))
def propose(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    bureau: Bureau,
    dataset: Dataset = None,
    home: Home = None,
) -> None:
    """Draft a layout TOML for a file.

    Example: gongzhi propose monthly.xlsx --bureau beibei > bureaus/beibei/monthly.toml
    """
    import tempfile

    from pipelines.batch import ReadLimits
    from pipelines.intake.read import Reader
    from pipelines.standardise.propose import propose as draft

    places = read_settings().places(home)
    site = places.site_facts if places is not None and places.site_facts.is_dir() else None
    with tempfile.TemporaryDirectory() as scratch, Reader(ReadLimits()) as reader:
        data(draft(reader.read(file, file.name, Path(scratch)), bureau, dataset, site))


@app.command(help=say("写出交换模板", "write an exchange template"))
def template(
    dataset: Annotated[str, typer.Argument(help="air | water | soil | credit | penalty | experts")],
    output: Annotated[Path, typer.Option("--output", "-o")],
    bureau: Annotated[str | None, typer.Option("--bureau", "-b")] = None,
    home: Home = None,
) -> None:
    """Write the workbook of an exchange template.

    Example: gongzhi template air -o air.xlsx
    """
    from portal.template import write_template
    from schemas.layouts import DATASETS

    if dataset not in DATASETS:
        stop(
            Exit.USE,
            f"没有数据集 {dataset}；可选：{'、'.join(DATASETS)}",
            f"no data set {dataset}; there are {', '.join(DATASETS)}",
        )
    places = read_settings().places(home)
    site = places.site_facts if places is not None and places.site_facts.is_dir() else None
    write_template(dataset, output, bureau, site)
    words(say(f"已写出 {output}", f"wrote {output}"))


@app.command(help=say("一个批次的问题清单，或标注后的工作簿", "the findings of a batch, or the annotated workbook"))
def report(
    batch: Annotated[str, typer.Argument(help=say("批次号或回执号", "batch or receipt number"))],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="X.xlsx | X.csv")] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Write the findings of a batch.

    Example: gongzhi report b-20261123-0123456789ab -o findings.xlsx
    """
    from portal.reporting import findings_json, write_report

    with records_of(home) as (places, records):
        if output is None:
            for line in findings_json(places, records.batch(batch), as_json):
                data(line)
        else:
            write_report(places, records, records.batch(batch), output)
            words(say(f"已写出 {output}", f"wrote {output}"))


@app.command(help=say("回执（可离线核验的 JSON）", "the receipt, a JSON document that verifies off line"))
def receipt(batch: Annotated[str, typer.Argument()], home: Home = None) -> None:
    """Print the receipt of a batch.

    Example: gongzhi receipt Rbeibei-20261123-ABCDEFGHIJ > receipt.json
    """
    with records_of(home) as (places, records):
        from records.keys import KeyRing
        from records.receipts import receipt_document, write_receipt

        sys.stdout.write(
            write_receipt(receipt_document(*records.batch_on_chain(batch), KeyRing.open(places.keys).current()))
        )


@app.command(help=say("批次列表", "list batches"))
def batches(
    bureau: Annotated[str | None, typer.Option("--bureau", "-b")] = None,
    state: Annotated[str | None, typer.Option("--state")] = None,
    limit: Annotated[int, typer.Option("--limit")] = 50,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List batches, the newest first.

    Example: gongzhi batches --bureau beibei --state refused
    """
    from portal.show import plain_table

    with records_of(home) as (_, records):
        found = records.batches(bureau, limit, state)
        if as_json:
            for b in found:
                data(json.dumps(_batch_json(b), ensure_ascii=False))
            return
        rows = [
            (
                b.received_at.astimezone(CST).strftime("%Y-%m-%d %H:%M"), b.batch_id, b.bureau, b.dataset or "",
                word(STATES, b.state), b.results.get("published", ""), b.results.get("quarantined", ""), b.file_name,
            )
            for b in found
        ]  # fmt: skip
        head = say(
            "收到,批次,单位,数据集,状态,发布,隔离,文件",
            "received,batch,bureau,dataset,state,published,quarantined,file",
        )
        for line in plain_table(head.split(","), rows):
            data(line)


def _batch_json(batch: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {k: (v.isoformat() if isinstance(v, datetime) else v) for k, v in asdict(batch).items()}


@app.command(help=say("共享数据表的版本与行数", "versions and sizes of the shared tables"))
def tables(as_json: Json = False, home: Home = None) -> None:
    """Show the shared tables.

    Example: gongzhi tables --home exchange
    """
    from pipelines.publish.store import tables_status
    from portal.show import plain_table

    found = tables_status(places_of(home).tables)
    if as_json:
        data(json.dumps(found, ensure_ascii=False, default=str))
        return
    if found:
        for line in plain_table(list(found[0]), [tuple(row.values()) for row in found]):
            data(line)


@app.command(
    help=say(
        "用 SQL 查询共享数据（每张表是当前有效行，<表>_history 是全部）",
        "query the shared tables (each a view of current rows, <table>_history of all)",
    )
)
def query(
    sql: Annotated[str, typer.Argument()],
    as_of: Annotated[
        str | None, typer.Option("--as-of", help=say("当时所知：时刻或日期", "as known then: time or date"))
    ] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="table | csv | json | parquet")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o")] = None,
    home: Home = None,
) -> None:
    """Query the shared tables.

    Example: gongzhi query "select station_name, avg(value) from air_observation where parameter = 'PM2.5' group by 1"
    """
    from portal.querying import print_query

    print_query(places_of(home), sql, as_of, format, output)


@app.command(help=say("一张表的变更清单", "what changed in a table"))
def changes(
    table: Annotated[str, typer.Argument()],
    since: Annotated[int | None, typer.Option("--since", help=say("从哪个版本之后", "after which version"))] = None,
    format: Annotated[str, typer.Option("--format", "-f", help="table | csv | json | parquet")] = "table",
    home: Home = None,
) -> None:
    """List what was added, corrected or withdrawn.

    Example: gongzhi changes air_observation --since 3
    """
    from portal.querying import print_changes

    print_changes(places_of(home), table, since, format)


@app.command(
    help=say(
        "核验：receipt 回执、slip 查询单、chain 证据链、tables 数据文件；不带参数则核验后两项",
        "verify a receipt or slip FILE, the chain, the tables; the last two without arguments",
    )
)
def verify(
    what: Annotated[str | None, typer.Argument(help="receipt | slip | chain | tables")] = None,
    file: Annotated[Path | None, typer.Argument(help=say("回执或查询单文件", "receipt or slip file"))] = None,
    upload: Annotated[
        Path | None, typer.Option("--file", help=say("回执所指的原文件", "the file the receipt is for"))
    ] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """Verify evidence.

    Example: gongzhi verify receipt receipt.json --file air.csv
    """
    from portal.verifying import verify_receipt_file, verify_records, verify_slip_file

    if what == "receipt":
        if file is None:
            stop(Exit.USE, "请给出回执文件", "name the receipt file")
        places = read_settings().places(home)
        ok, lines = verify_receipt_file(file, upload, places)
    elif what == "slip":
        if file is None:
            stop(Exit.USE, "请给出查询单文件（.json）", "name the slip file (.json)")
        ok, lines = verify_slip_file(file, read_settings().places(home), now())
    elif what in (None, "chain", "tables"):
        with records_of(home) as (places_, records):
            ok, lines = verify_records(places_, records, what)
    else:
        stop(
            Exit.USE,
            f"不能核验“{what}”：receipt、slip、chain、tables",
            f"cannot verify {what!r}: receipt, slip, chain, tables",
        )
    if as_json:
        data(json.dumps({"ok": ok, "report": lines}, ensure_ascii=False))
    else:
        for line in lines:
            data(line)
    raise typer.Exit(Exit.DONE if ok else Exit.REFUSED)


@app.command(
    help=say(
        "封印一天的证据链，输出交双方保存的检查点", "seal a day of the chain; prints the checkpoint for both bureaus"
    )
)
def seal(
    day: Annotated[
        datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help=say("默认昨天", "yesterday unless named"))
    ] = None,
    home: Home = None,
) -> None:
    """Seal a day (China Standard Time) and print the checkpoint.

    Example: gongzhi seal --day 2026-04-12 > checkpoint.json
    """
    from records.keys import KeyRing
    from records.seals import checkpoint, seal_day

    chosen = day.date() if day is not None else (now().astimezone(CST) - timedelta(days=1)).date()
    with records_of(home) as (places, records):
        seal_day(records, chosen, now(), KeyRing.open(places.keys).current())
        data(json.dumps(checkpoint(records), ensure_ascii=False, sort_keys=True, indent=2))


@app.command(help=say("由保存的原文件重建共享数据表并比对", "build the tables again from the kept uploads and compare"))
def rebuild(
    replace: Annotated[
        bool, typer.Option("--replace", help=say("用重建的表替换现有的表", "put the rebuilt tables in place"))
    ] = False,
    home: Home = None,
) -> None:
    """Build the tables again from the kept uploads.

    Example: gongzhi rebuild --home exchange
    """
    from pipelines.rebuild import rebuild as build

    with records_of(home) as (places, records), _road(places, records) as road:
        ok = True
        for line_zh, line_en, good in build(road, replace=replace):
            ok = ok and good
            data(say(line_zh, line_en))
    raise typer.Exit(Exit.DONE if ok else Exit.REFUSED)


@app.command(help=say("重试一个被搁置的批次", "walk a held batch again"))
def retry(batch: Annotated[str, typer.Argument()], as_json: Json = False, home: Home = None) -> None:
    """Walk a held batch again.

    Example: gongzhi retry b-20261123-0123456789ab
    """
    from pipelines.sync import retry as again
    from portal.show import exit_code

    with records_of(home) as (places, records), _road(places, records) as road:
        outcome = again(road, records.batch(batch))
    _tell(outcome, as_json)
    raise typer.Exit(exit_code([outcome]))


@app.command(
    help=say(
        "按现行规则重新判定一个批次（不发布，两份结论都保留）",
        "judge a batch again under today's rules; publishes nothing, keeps both verdicts",
    )
)
def judge(batch: Annotated[str, typer.Argument()], as_json: Json = False, home: Home = None) -> None:
    """Judge a kept batch again.

    Example: gongzhi judge b-20261123-0123456789ab
    """
    from pipelines.sync import judge_again

    with records_of(home) as (places, records), _road(places, records) as road:
        outcome = judge_again(road, records.batch(batch))
    _tell(outcome, as_json)


@app.command(help=say("检查运行环境与数据目录", "check the surroundings and the home"))
def doctor(home: Home = None) -> None:
    """Check the surroundings and the home.

    Example: gongzhi doctor --home exchange
    """
    from portal.verifying import examine

    ok = True
    for good, zh, en in examine(read_settings().places(home), now()):
        ok = ok and good
        data(("✓ " if good else "✗ ") + say(zh, en))
    raise typer.Exit(Exit.DONE if ok else Exit.BROKEN)


@app.command(
    help=say(
        "豁免：一条规则、一个站点、一段时间，附理由、批准人与期限",
        "waive one rule for one station and period, with reason, author and expiry",
    )
)
def waive(
    rule: Annotated[str, typer.Argument()],
    bureau: Bureau,
    station: Annotated[str, typer.Option("--station")],
    since: Annotated[datetime, typer.Option("--since")],
    until: Annotated[datetime, typer.Option("--until")],
    reason: Annotated[str, typer.Option("--reason")],
    author: Annotated[str, typer.Option("--author")],
    expires: Annotated[datetime, typer.Option("--expires")],
    home: Home = None,
) -> None:
    """Waive one rule at one station for one period (times are China Standard Time).

    Example: gongzhi waive AIR-045 -b beibei --station 1414A --since 2026-04-01 --until 2026-04-30 --reason 沙尘 --author 张工 --expires 2026-12-31
    """
    from records.waivers import Waiver, grant_waiver
    from schemas.rules import all_rules

    if rule not in {r.code for r in all_rules()}:
        stop(Exit.USE, f"没有规则 {rule}；规则目录见 docs/rules.md", f"no rule {rule}; see docs/rules.md")
    with records_of(home) as (_, records):
        local = [t.replace(tzinfo=CST) for t in (since, until, expires)]
        made = grant_waiver(records, Waiver(rule, bureau, station, local[0], local[1], reason, author, local[2], now()))
        words(say(f"豁免 {made.id} 已登记", f"waiver {made.id} kept"))


import portal.cli_night  # noqa: E402, I001  (commands are registered on app; they need what stands above)
import portal.cli_credit  # noqa: E402
import portal.cli_lists  # noqa: E402
import portal.cli_draw  # noqa: E402
import portal.cli_experts  # noqa: E402
import portal.cli_users  # noqa: E402
import portal.cli_serve  # noqa: E402, F401

WRONG_USE = (
    "query-refused",
    "query-wrong",
    "wrong-time",
    "no-database",
    "unknown-batch",
    "incomplete-waiver",
    "not-handled",
    "wrong-setting",
    "unknown-purpose",
    "incomplete-request",
    "incomplete-message",
    "incomplete-expert",
    "unknown-word",
    "unknown-draw",
    "unknown-seat",
    "account-refused",
    "roles-refused",
    "key-refused",
    "login-taken",
)
"""Codes of errors that the person at the keyboard made."""


def main() -> None:
    """Run the command line; errors become words and an exit code."""
    try:
        app(standalone_mode=True)
    except BrokenPipeError:
        sys.exit(Exit.DONE)
    except Exception as error:
        sys.exit(_explain(error))


def _explain(error: Exception) -> Exit:
    """Say what went wrong in one line; the trace follows only where the fault is ours."""
    from credit_registry.errors import DamagedRegister, DamagedTable, NoRegister, RegistryError
    from expert_registry.errors import ExpertError, NoVaultKey, SealBroken
    from pipelines.errors import PublishError, RoadError
    from portal.access.errors import AccessError
    from records.errors import IllegalState, RecordsError
    from schemas.files import MalformedFact

    broken = (PublishError, RecordsError, DamagedRegister, DamagedTable, NoRegister, NoVaultKey, SealBroken)
    if isinstance(error, RoadError | RecordsError | RegistryError | ExpertError | AccessError):
        words(error.message if LANGUAGE == "zh" else error.message_en)
        if error.code in WRONG_USE:
            return Exit.USE
        return Exit.BROKEN if isinstance(error, broken) and not isinstance(error, IllegalState) else Exit.REFUSED
    if isinstance(error, MalformedFact):
        words(say(f"事实文件有误：{error}", f"malformed fact: {error}"))
        return Exit.BROKEN
    if isinstance(error, OSError):
        words(say(f"系统错误：{error}", f"system error: {error}"))
        return Exit.BROKEN
    if type(error).__module__.split(".")[0] in ("sqlalchemy", "sqlite3", "psycopg"):
        first = str(error).splitlines()[0]
        words(
            say(
                f"数据库不可用（可能已损坏）：{first}；请运行 gongzhi doctor",
                f"the database cannot be used: {first}; run gongzhi doctor",
            )
        )
        return Exit.BROKEN
    import traceback

    words(say(f"程序内部错误 {type(error).__name__}：{error}", f"an error of ours, {type(error).__name__}: {error}"))
    words("".join(traceback.format_exception(error)).rstrip())
    return Exit.BROKEN

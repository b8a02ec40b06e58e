"""A pool of 100,000 experts: taking the list in, one page of it, a draw, and the checking of its file.

The list is a CSV of the exchange template, as a bureau sends it, read by the whole road and sealed person by person.
The draw is asked for two fields of 69, with a party, so that every candidate is compared with it. Everything is asked of
finished records in processes of their own; times are taken inside them.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cases import GONGZHI, Bench, last_line_whole
from benchmarks.enterprises import percentile
from benchmarks.measure import Figure, Run, last_line, run

NUMBER, QUICK = 100_000, 3_000
T0 = datetime(2026, 4, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOTH = ("beibei", "mianyang")
ASKED = 60
FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
GIVEN = "子丹明华建国志强丽敏静伟芳秀英文军平刚桂兰玉波辉鹏宇浩然欣怡梓涵思远"
HEAD = ("姓名", "证件号码", "工作单位", "单位统一社会信用代码", "专业领域", "职称", "手机号", "证书有效期至", "备注")


def experts(bench: Bench) -> Iterator[Figure]:
    """Import, page, draw and verify."""
    number = QUICK if bench.quick else NUMBER
    home = bench.folder / "experts"
    made = run([GONGZHI, "init", "--home", home])
    assert made.code == 0, made.err
    path = write_list(bench.folder / "experts.csv", number)
    taken = _task("take", home, path)
    told = _told(taken)
    note = f"reading and judging {told.get('read', 0):.1f} s of it, {told.get('new', 0):,} new"
    yield _line(f"import of {number:,} experts", taken, told.get("seconds"), note, number)
    again = _task("take", home, path)
    note = f"{_told(again).get('unchanged', 0):,} unchanged"
    yield _line(f"import of the same {number:,} again", again, _told(again).get("seconds"), note, number)
    asked = _task("pages", home)
    lines: dict[str, dict[str, Any]] = _told(asked) or {"nothing": {}}
    for kind, one in lines.items():
        note = f"p99 {one.get('p99', 0):.1f} ms, processor {one.get('processor', 0):.1f} ms, {one.get('shown')} shown"
        yield _line(f"experts, page: {kind}", asked, one.get("seconds"), note)
    drawn = _task("draw", home)
    steps = _told(drawn)
    note = f"{steps.get('listed', 0):,} on the list, {steps.get('eligible', 0):,} eligible"
    together = steps["freeze"] + steps["run"] if steps else None
    yield _line(f"draw from {number:,} experts, freeze and run", drawn, together, note)
    for name in ("freeze", "commit", "reveal", "run", "publish", "names", "verify", "script"):
        yield _line(f"draw, {name}", drawn, steps.get(name), f"{steps.get('bytes', 0) / 1e6:.1f} MB file")


def write_list(path: Path, number: int) -> Path:
    """Write a list of invented people, born in 1900, with telephone numbers that are nobody's."""
    from schemas.identifiers import check_character, identity_check, organisation_check
    from schemas.specialties import specialties

    rng = random.Random(5)
    codes = [code for code in specialties() if len(code) > 1]
    employers = []
    for n in range(2_000):
        body = f"{('91500109', '91510104')[n % 2]}MAYY{n:04d}"  # every second one is of neither place
        body += organisation_check(body[8:])
        employers.append((f"示例第{n}研究院", body + check_character(body)))
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(HEAD)
        for n in range(number):
            born = date(1900, 1, 1) + timedelta(days=n % 365)
            body = f"999999{born:%Y%m%d}{n // 365:03d}"
            name = rng.choice(FAMILY) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))
            fields = "、".join(specialties()[code].title_zh for code in rng.sample(codes, rng.choice((1, 2, 3))))
            title = rng.choice(("教授", "研究员", "高级工程师", "副教授", "注册会计师"))
            phone = f"100{n:08d}"
            sheet.writerow(
                (name, body + identity_check(body), *rng.choice(employers), fields, title, phone, "2028-12-31", "")
            )
    return path


# -- inside their own processes --------------------------------------------------------------------------------------


def take(home: str, path: str) -> dict[str, Any]:
    """Walk the list down the road and into the vault."""
    from expert_registry.privacy.vault import Vault
    from expert_registry.roster.importing import RosterFacts, TakenOver, import_rows
    from pipelines.batch import Places
    from pipelines.sync import Road, read_experts
    from records.store import Records
    from schemas.experts import expert_rules

    places = Places(Path(home), f"sqlite:///{home}/records.db", f"{home}/tables")
    took = TakenOver("聘书〔2025〕1号", date(2025, 3, 1), date(2028, 2, 29))
    with Records.open(places.database_url) as records, Road(places, lambda: T0, records) as road:
        vault = Vault.open(Path(home) / "vault", create=True)
        began = time.perf_counter()
        ((outcome, rows),) = read_experts(road, Path(path), "beibei")
        read = time.perf_counter() - began
        assert outcome.state == "accepted", outcome.error
        facts = RosterFacts(expert_rules(), "500109")
        report = import_rows(records, vault, rows, "beibei", "bench", T0 - 400 * DAY, facts, taken_over=took)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds, "read": read, "new": report.new, "updated": report.updated, "unchanged": report.unchanged,
        "refused": len(report.refused),
    }  # fmt: skip


def pages(home: str) -> dict[str, Any]:
    """Ask for pages of many kinds."""
    from records import expert_pages
    from records.store import Records

    asked: dict[str, dict[str, Any]] = {
        "the first": {},
        "of a bureau and state": {"bureau": "beibei", "state": "appointed"},
        "by a part of a name": {"text": "子丹"},
        "by a name nobody has": {"text": "欧阳无名氏"},
        "by an employer": {"text": "示例第1999研究院"},
        "of one field": {"specialty": "W03"},
        "of a field and a name": {"specialty": "W", "text": "王"},
        "in the middle": {"after": ("李", "")},
    }
    found = {}
    with Records.open(f"sqlite:///{home}/records.db") as records:
        for kind, words in asked.items():
            expert_pages.experts(records, **words)
            wall, cpu, shown = [], [], 0
            for _ in range(ASKED):
                began, used = time.perf_counter(), time.process_time()
                shown = len(expert_pages.experts(records, **words).experts)
                wall.append(time.perf_counter() - began)
                cpu.append(time.process_time() - used)
            found[kind] = {
                "seconds": percentile(wall, 50) / 1000, "p99": percentile(wall, 99),
                "processor": percentile(cpu, 50), "shown": shown,
            }  # fmt: skip
    return found


def draw(home: str) -> dict[str, Any]:
    """Walk one draw, step by step."""
    from expert_registry.draw import desk as desks
    from expert_registry.draw import freezing, opening, rounds
    from expert_registry.draw.desk import Desk
    from expert_registry.draw.opening import Looker
    from expert_registry.draw.papers import PublicSource, PublicValue
    from expert_registry.draw.protocol import Seat
    from expert_registry.draw.requests import PanelRequest
    from expert_registry.draw.verification import read, verify
    from expert_registry.people import Matter, Party
    from expert_registry.privacy.vault import Vault
    from records import expert_drawbook
    from records.keys import KeyRing
    from records.store import Records
    from schemas.experts import expert_rules

    times: dict[str, Any] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = step()
        times[name] = times.get(name, 0.0) + time.perf_counter() - began
        return made

    public, later = PublicSource("示例彩票第1期", T0 + 30 * HOUR), PublicSource("示例彩票第2期", T0 + 60 * HOUR)
    party = Party("91500109MAYY00018G", "重庆示例涂料有限公司", heads=("周示例",))
    matter = Matter(
        f"示例〔2026〕{time.time_ns()}号", "园区废水治理咨询", date(2026, 4, 20), "beibei", parties=(party,)
    )
    seats = (Seat("W03", 2), Seat("A03", 1))
    asked = PanelRequest(matter, purpose="project-advice", seats=seats, opens_at=T0 + 10 * DAY)
    with Records.open(f"sqlite:///{home}/records.db") as records:
        vault = Vault.open(Path(home) / "vault", create=True)
        desk = Desk(records, vault, KeyRing.open(Path(home) / "keys").current(), BOTH, BOTH, expert_rules())
        id_ = desks.request(desk, asked, by="li", at=T0).draw_id
        timed("freeze", lambda: freezing.freeze(desk, id_, by="wang", at=T0 + HOUR, approves=APPROVED))
        sources = {"public_source": public, "fallback_source": later}
        for bureau in BOTH:
            timed("commit", partial(rounds.commit, desk, id_, bureau, by="wang", at=T0 + 2 * HOUR, **sources))
        for bureau in BOTH:
            timed("reveal", partial(rounds.reveal, desk, id_, bureau, by="wang", at=T0 + 3 * HOUR))
        value = PublicValue(public.name, "03 09 11 20 28 31 + 07", public.due + HOUR)
        timed("run", lambda: rounds.run(desk, id_, value, by="wang", at=T0 + 32 * HOUR))
        document = timed("publish", lambda: rounds.publish(desk, id_, by="wang", at=T0 + 33 * HOUR))
        looker = Looker("sun", "organiser", "beibei", "发送邀请")
        seen = timed("names", lambda: opening.names(desk, id_, looker, T0 + 10 * DAY))
        assert len(seen) == 3
        (approval,) = expert_drawbook.papers(records, id_, "approval")[:1]
    path = Path(home) / "draw.json"
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    assert timed("verify", lambda: verify(read(path.read_bytes()))).ok
    script = Path(__file__).resolve().parents[1] / "docs" / "verify_draw.py"
    timed("script", lambda: subprocess.run([sys.executable, script, path], check=True, capture_output=True))
    listed = document["list"]["candidates"]
    eligible = sum(one["status"] == "eligible" for one in listed)
    return {
        **times,
        "bytes": path.stat().st_size,
        "listed": len(listed),
        "eligible": eligible,
        "counts": approval.document["counts"],
    }


APPROVED = {"few-candidates": "基准测试"}
TASKS: dict[str, Callable[..., dict[str, Any]]] = {"take": take, "pages": pages, "draw": draw}
CASES = {"experts": experts}


def _line(name: str, done: Run, seconds: float | None, note: str, rows: int = 0) -> Figure:
    trouble = "" if done.code == 0 else f"exit {done.code}: {last_line(done.err)}"
    return Figure(
        name, [] if seconds is None else [seconds], rows, done.peak, done.private, done.load, [done.cpu],
        inside=True, note=note, trouble=trouble,
    )  # fmt: skip


def _task(*words: object) -> Run:
    return run([sys.executable, "-m", "benchmarks.experts", *map(str, words)])


def _told(done: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(last_line_whole(done.out)) if done.code == 0 else {}
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:]), ensure_ascii=False) + "\n")

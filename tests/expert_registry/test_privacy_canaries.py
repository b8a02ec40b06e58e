"""Fifty canaries go through the whole story of the pool; not one is found outside the fields of those who may see them."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import Flock, scan, write_csv
from openpyxl import Workbook

from records.models import metadata
from records.store import Records

T0 = datetime(2026, 4, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HERE = Path(__file__).parent
REQUEST = """
matter = "渝碚〔2026〕7号"
title = "园区废水治理咨询"
bureau = "beibei"
held_on = 2026-04-20
purpose = "project-advice"
opens_at = "2026-04-11 09:00"
[seats]
W03 = 2
A03 = 1
[[parties]]
name = "重庆示例涂料有限公司"
uscc = "91500109MAYY00018G"
"""


class Story:
    """A home and all that was said at it."""

    def __init__(self, folder: Path, url: str, flock: Flock) -> None:
        self.folder, self.flock, self.at, self.number = folder, flock, T0, 0
        self.home, self.said, self.temporary = folder / "home", folder / "said", folder / "tmp"
        self.lists = folder / "lists"
        for one in (self.said, self.temporary, self.lists):
            one.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.env = kept | {
            "GONGZHI_HOME": str(self.home), "GONGZHI_DATABASE_URL": url, "GONGZHI_USER": "zhang", "GONGZHI_LANG": "zh",
            "GONGZHI_UNIT": "beibei", "TMPDIR": str(self.temporary), "PYTHONUTF8": "1",
        }  # fmt: skip
        with (self.said / "server.err").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "canary_story.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=self.env | {"PYTHONPATH": str(HERE.parents[1])}, stderr=errors,
            )  # fmt: skip

    def run(self, *words: object, ends: int | None = 0, **env: str) -> str:
        """Run the command line; gives what it said."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.number += 1
        out = self.said / f"{self.number:03d}"
        asked = {"words": [str(one) for one in words], "env": env, "at": self.at.isoformat(), "out": str(out)}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        code = json.loads(self.process.stdout.readline())["exit"]
        told = "".join(Path(f"{out}.{name}").read_text("utf-8") for name in ("out", "err"))
        assert ends is None or code == ends, (words, code, told)
        return told

    def forget_last(self) -> None:
        """Take what was last said out of the search: it was for somebody who may see it."""
        for name in ("out", "err"):
            Path(f"{self.said / f'{self.number:03d}'}.{name}").unlink()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(60)


@pytest.fixture
def story(database_url, tmp_path):
    made = Story(tmp_path, database_url, Flock(4 if database_url.startswith("sqlite") else 7))
    yield made
    made.close()


def import_lists(story: Story) -> list[str]:
    """Both bureaus' lists, fifty people; the numbers of the experts."""
    bird = story.flock
    first = write_csv(story.lists / "b.csv", (bird.row(n) for n in range(1, 28)))
    grouped = f"周末打 10{bird.run} 9977 {30:04d}"
    second = write_csv(
        story.lists / "m.csv", (bird.row(n, 备注=grouped if n == 30 else "") for n in (1, 2, *range(28, 51)))
    )
    term = ("--appointed", "聘书1号", "--since", "2025-03-01", "--until", "2028-02-29")
    story.at = T0 - 200 * DAY
    story.run("experts", "import", first, "-b", "beibei", *term)
    told = story.run("experts", "import", second, "-b", "mianyang", *term, "--json")
    assert '"new": 25' in told, told
    with Records.open(story.env["GONGZHI_DATABASE_URL"]) as records:
        from records.expert_listing import expert_ids

        return expert_ids(records)


def refuse_lists(story: Story) -> None:
    """Every kind of list that is not taken, with numbers in all the wrong places."""
    bird, run = story.flock, story.run
    one, two = bird.canary(41), bird.canary(42)
    wrong = one.identity[:-1] + ("0" if one.identity[-1] != "0" else "1")
    rows = [
        bird.row(41, 证件号码=wrong), bird.row(42, 手机号=two.phone[:-1]), bird.row(43, 姓名=""),
        bird.row(44, 专业领域=bird.canary(44).identity), bird.row(45, 单位统一社会信用代码=bird.canary(45).identity),
        bird.row(46, 证书有效期至=bird.canary(46).phone), bird.row(47, 工作单位=bird.canary(47).phone),
        bird.row(48, 姓名=bird.canary(48).identity), [bird.canary(49).identity], bird.row(50) + [bird.canary(50).phone],
    ]  # fmt: skip
    bad = write_csv(story.lists / "bad.csv", rows)
    broken = story.lists / "broken.csv"
    broken.write_bytes(bad.read_bytes() + f'"{one.identity},{one.phone}'.encode())
    book = Workbook()
    for row in [list(bad.read_text("utf-8").splitlines()[0].split(",")), *rows]:
        book.active.append(row)
    book.active.append([f"样例{1}", int(one.identity[:15]), "示例", "", "危废", "教授", int(one.phone), "2028-12-31"])
    book.save(story.lists / "bad.xlsx")
    with zipfile.ZipFile(story.lists / "bad.zip", "w") as packed:
        packed.write(bad, "bad.csv")
    for path in (bad, broken, story.lists / "bad.xlsx", story.lists / "bad.zip"):
        run("check", path, "-b", "beibei", "-d", "experts", "--json", ends=None)
        run("experts", "import", path, "-b", "beibei", ends=1)
        told = run("submit", path, "-b", "beibei", ends=None)
        for batch in {word for word in told.split() if word.startswith("b-2")}:
            run("report", batch, "-o", story.folder / f"{batch}.xlsx", ends=None)
            run("report", batch, "--json", ends=None)
    run("check", bad, "-b", "beibei", ends=None)
    run("experts", "import", bad, "-b", "beibei", "--json", ends=1)
    run("experts", "import", bad, "-b", "nowhere", ends=None)
    run("propose", bad, "-b", "beibei", ends=None)


def look(story: Story, ids: list[str]) -> None:
    """Every role at lists and persons; who may see numbers sees just those."""
    run, bird = story.run, story.flock
    first = ids[0]
    for role in ("public", "peer_before", "organiser", "finance", "auditor", "pool_staff"):
        told = run("experts", "list", "--role", role, "-p", "核对", "--json", "--limit", "100", ends=None)
        if role in ("organiser", "auditor") and bird.found(told.encode()) <= {"phone", "identity"}:
            story.forget_last()
        told = run("experts", "show", first, "--role", role, "-p", "核对", "--json", "--changes", "--looks", ends=None)
        allowed = {"auditor": {"identity", "phone", "bank"}, "organiser": {"phone"}, "finance": {"bank"}}.get(
            role, set()
        )
        assert bird.found(told.encode()) == allowed, (role, told)
        if allowed:
            story.forget_last()
    run("experts", "show", "e-nobody", "--role", "auditor", "-p", "核对", ends=None)
    run("experts", "stats", "--json")
    run("experts", "match", "list", "--json", ends=None)


def draw(story: Story) -> str:
    """A whole draw with names, a decline and its replacement, minutes, appraisals."""
    run = story.run
    request = story.folder / "request.toml"
    request.write_text(REQUEST, "utf-8")
    story.at = T0
    told = run("experts", "draw", "request", request, "--by", "li", "--json")
    draw_id = next(word.strip('",') for word in told.split() if word.strip('",').startswith("beibei-2026-"))
    run("experts", "draw", "freeze", draw_id, "--by", "wang")
    sources = (
        "--source",
        "示例1期",
        "--due",
        "2026-04-02T21:15",
        "--fallback",
        "示例2期",
        "--fallback-due",
        "2026-04-04T21:15",
    )
    run("experts", "draw", "commit", draw_id, *sources)
    run("experts", "draw", "reveal", draw_id)
    story.at = T0 + 2 * DAY
    run("experts", "draw", "run", draw_id, "--value", "03 09 11 20 28 31 + 07", "--by", "wang")
    run("experts", "draw", "publish", draw_id, "-o", story.folder / "draw.json")
    run("experts", "verify", story.folder / "draw.json")
    run("experts", "draw", "show", draw_id, "--names", "--role", "organiser", "-p", "邀请", ends=1)
    story.at = T0 + 11 * DAY
    told = run("experts", "draw", "show", draw_id, "--names", "--role", "organiser", "-p", "邀请", "--json")
    assert story.flock.found(told.encode()) <= {"phone"}, told
    story.forget_last()
    seen = sorted({word.strip('",[]{}') for word in told.split() if word.strip('",[]{}').startswith("e-2")})
    assert len(seen) == 3, told
    number = story.flock.canary(3).phone
    run("experts", "invite", draw_id, "--document", f"邀请函 {number}")
    run("experts", "answer", draw_id, seen[0], "declined", "--code", "ill", "--reason", f"住院，改打 {number}")
    for one in seen[1:]:
        run("experts", "answer", draw_id, one, "accepted")
    story.at = T0 + 20 * DAY
    for one in seen[1:]:
        run("experts", "answer", draw_id, one, "attended")
        run("experts", "answer", draw_id, one, "opinion_signed", "--document", "意见1号")
        run("experts", "appraise", draw_id, one, "poor", "--remark", f"电话 {number} 不通", "--by", "zhao", ends=None)
        run("experts", "fee", draw_id, one, "800", "--payer", f"北碚局 {story.flock.canary(3).bank}", ends=None)
    run("experts", "proposals", "look")
    for kind in ("pdf", "json"):
        for role in ("public", "organiser", "auditor", "pool_staff"):
            path = story.folder / f"minutes-{role}.{kind}"
            run("experts", "minutes", draw_id, "-o", path, "--role", role, "-p", "归档", ends=None)
    assert (story.folder / "minutes-organiser.pdf").is_file()
    return draw_id


def crash_and_lose_keys(story: Story) -> None:
    """A reading child that dies, a database that is gone, keys that are missing: the words for it hold no number."""
    one = story.flock.canary(40)
    bomb = story.lists / "bomb.xlsx"
    bomb.write_bytes(b"PK\x03\x04" + one.identity.encode() * 50)
    story.run("experts", "import", bomb, "-b", "beibei", ends=1)
    good = write_csv(story.lists / "good.csv", [story.flock.row(60)])
    key = story.home / "vault" / "current"
    hidden = key.rename(key.with_name("away"))
    story.run("experts", "import", good, "-b", "beibei", ends=None)
    story.run("experts", "show", "e-nobody", "--role", "auditor", "-p", "核对", ends=None)
    hidden.rename(key)
    story.run(
        "experts", "import", good, "-b", "beibei", ends=None, GONGZHI_DATABASE_URL="sqlite:////nowhere/records.db"
    )


def stored(story: Story) -> dict[str, set[str]]:
    """Search all rows of all tables, in whatever database: table → kinds of numbers found."""
    with Records.open(story.env["GONGZHI_DATABASE_URL"]) as records, records.database.read() as connection:
        rows = {one.name: repr(connection.execute(one.select()).all()) for one in metadata.tables.values()}
    return {name: kinds for name, text in rows.items() if (kinds := story.flock.found(text.encode()))}


def test_fifty_canaries_are_found_nowhere_but_in_the_fields_of_those_who_may_see_them(story):
    bird = story.flock
    story.run("init")
    ids = import_lists(story)
    assert len(ids) == 52, "two stand in both lists"
    account = story.lists / "account.txt"
    account.write_text(bird.canary(1).bank, "utf-8")
    story.run(
        "experts",
        "consent",
        "sharing",
        "--every",
        "appointed",
        "--document",
        "同意书",
        "--since",
        "2025-10-01",
        ends=None,
    )
    for kind in ("sharing", "bank"):
        story.run("experts", "consent", kind, *ids, "--document", "同意书", ends=None)
    story.run("experts", "bank", ids[0], account)
    if story.env["GONGZHI_DATABASE_URL"].startswith("sqlite"):  # they are refused before any database is asked
        refuse_lists(story)
    look(story, ids)
    with Records.open(story.env["GONGZHI_DATABASE_URL"]) as records:
        from records.expert_matches import matches

        pairs = [one.match_id for one in matches(records)]
    for one in pairs:
        story.run("experts", "match", "decide", one, "same", "--reason", "证件号码相同")
    draw(story)
    phone = story.lists / "phone.txt"
    phone.write_text(bird.canary(51).phone, "utf-8")
    story.run(
        "experts", "person", "correct", ids[-1], "--set", f"phone=@{phone}", "-r", f"来电 {bird.canary(51).phone}"
    )
    story.run("experts", "person", "dossier", ids[0], "-r", "本人申请", "-o", story.lists / "dossier.json")
    assert bird.found((story.lists / "dossier.json").read_bytes()) == {"identity", "phone", "bank"}
    assert (story.lists / "dossier.json").stat().st_mode & 0o077 == 0
    story.run("experts", "person", "freeze", ids[5], "-r", "本人申请")
    story.run("experts", "person", "erase", ids[5], "-r", "本人申请", ends=None)
    story.run("experts", "person", "retention")
    story.run("experts", "keys", "rotate")
    crash_and_lose_keys(story)
    backups = story.folder / "backups"
    for words in (("backup", "-o", backups), ("alarms", "--all"), ("doctor",), ("verify",), ("board",)):
        story.run(*words, ends=None)
    assert list(backups.iterdir()), "there is a backup"
    assert not [path for path in backups.rglob("*") if "vault" in path.parts], "without the keys"
    assert stored(story) == {}
    assert scan(bird, story.folder, but=story.lists) == {}, (
        "home, backups, temporary files, all that was said and written"
    )
    assert len(scan(bird, story.lists)) > 4, "what the bureaus sent holds them, and the search sees it"


@pytest.mark.parametrize(
    "kind", ["raw", "utf16", "wide", "grouped", "zip", "xlsx", "gzip", "parquet", "base64", "hex", "pdf", "sqlite"]
)
def test_the_search_finds_a_canary_that_was_not_sealed(tmp_path, kind):
    bird = Flock(4)
    number = bird.canary(7).identity
    path = tmp_path / "home" / kind
    path.parent.mkdir()
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("inner.csv", f"样例,{number}")
    elif kind == "xlsx":
        book = Workbook()
        book.active.append([number])
        book.save(packed)
    elif kind == "parquet":
        pq.write_table(pa.table({"a": [number] * 9}), packed, compression="zstd")
    elif kind == "pdf":
        packed.write(_pdf(number))
    elif kind == "sqlite":
        import sqlite3

        with sqlite3.connect(path) as database:
            database.execute("create table t (a text)")
            database.execute("insert into t values (?)", (number,))
        database.close()
    else:
        packed.write({
            "raw": number.encode(), "utf16": number.encode("utf-16"), "grouped": f"{number[:6]} {number[6:14]}-{number[14:]}".encode(),
            "wide": number.translate({ord(str(n)): 0xFF10 + n for n in range(10)}).encode(), "gzip": gzip.compress(number.encode()),
            "base64": base64.b64encode(b"x" + number.encode() + b"yz"), "hex": number.encode().hex().encode(),
        }[kind])  # fmt: skip
    if kind != "sqlite":
        path.write_bytes(packed.getvalue())
    assert scan(bird, tmp_path) == {str(path): {"identity"}}
    assert scan(Flock(7), tmp_path) == {}, "of another run it is none"


def _pdf(text: str) -> bytes:
    """One page set as minutes are, with glyphs of an embedded font."""
    import typst

    return typst.compile(f'#set text(font: "DejaVu Sans Mono")\n{text}'.encode())

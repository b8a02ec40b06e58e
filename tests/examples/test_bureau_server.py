"""The bureaus' server to try against: every style, by day; the sources that fit it; and what it gives goes down the road."""

import json
import runpy
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.batch import Places
from pipelines.intake.fetch import Secret, open_client
from pipelines.intake.pull import Look, Wanted, pull
from pipelines.sync import Road, check
from schemas.sources import sources

EXAMPLES = Path(__file__).parents[2] / "examples"
SERVER = runpy.run_path(str(EXAMPLES / "bureau_server.py"))
BUREAUS = ("beibei", "mianyang")


@pytest.fixture(scope="module")
def server():
    with SERVER["BureauServer"](token="let-me-in") as running:
        yield running


@pytest.fixture
def get(server):
    def ask(path, token="let-me-in", **headers):
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(server.base_url + path, headers={"Authorization": f"Bearer {token}"} | told)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    return ask


@pytest.fixture
def visit(server, tmp_path):
    """Visit every declared source on a day, as a night does; gives the arrivals by source."""
    known = {}

    def night(day):
        server.day = day
        for bureau in BUREAUS:
            (tmp_path / "bureaus" / bureau).mkdir(parents=True, exist_ok=True)
            text = SERVER["sources_toml"](server.base_url, bureau, "bureau-server")
            (tmp_path / "bureaus" / bureau / "sources.toml").write_text(text, encoding="utf-8")
        found, faults = sources(tmp_path / "bureaus")
        assert faults == ()
        got = {}
        for key, source in found.items():
            if source.kind == "folder":
                continue
            scratch = tmp_path / f"{day}" / key
            scratch.mkdir(parents=True)
            look, now = Look(source), datetime(day.year, day.month, day.day, 1, 30, tzinfo=UTC)
            with open_client(source, scratch, lambda: datetime.now(UTC), Secret(token="let-me-in")) as client:
                items = known.setdefault(key, {})
                arrivals = list(pull(source, items, Wanted(), look, client, tmp_path, scratch, now, lambda: False))
            known[key] = items | {item.name: item for item in look.steady} | {a.name: a.item for a in arrivals}
            got[key] = arrivals
        return got

    return night


def names(got):
    return {key: sorted(arrival.name for arrival in arrivals) for key, arrivals in got.items() if arrivals}


def test_every_style_is_declared(visit):
    found = visit(date(2026, 4, 8))
    assert sorted(found) == [
        "beibei/air", "beibei/files", "beibei/penalty", "beibei/water",
        "mianyang/air", "mianyang/files", "mianyang/water",
    ]  # fmt: skip


def test_a_night_brings_what_was_published_since_the_last(visit):
    assert names(visit(date(2026, 4, 8))) == {
        "beibei/air": ["payload"],
        "beibei/files": ["企业环境信用评价结果_2025年度.xlsx"],
        "beibei/penalty": ["payload"],
        "beibei/water": ["payload"],
        "mianyang/air": ["空气小时值_20260406.csv", "空气小时值_20260407.csv"],
        "mianyang/files": ["企业环境信用评价结果_2025年度.csv", "行政处罚_2026年4月.xlsx"],
        "mianyang/water": ["latest.zip"],
    }
    assert names(visit(date(2026, 4, 9))) == {
        "beibei/air": ["payload"],
        "beibei/penalty": ["payload"],
        "beibei/water": ["payload"],
        "mianyang/air": ["空气小时值_20260408.csv"],
        "mianyang/water": ["latest.zip"],
    }


def test_by_the_end_of_the_week_all_deliveries_came_byte_for_byte(visit):
    got = visit(SERVER["LAST"])
    files = {
        (arrival.item.source.partition("/")[0], arrival.name): arrival.path.read_bytes()
        for arrivals in got.values()
        for arrival in arrivals
        if arrival.name != "payload"
    }
    water = files.pop(("mianyang", "latest.zip"))
    assert water == (EXAMPLES / "deliveries/mianyang/地表水_2026年第15周.zip").read_bytes()
    for (bureau, name), content in files.items():
        assert content == (EXAMPLES / "deliveries" / bureau / name).read_bytes()
    held = {
        (path.parent.name, path.name) for path in (EXAMPLES / "deliveries").rglob("*") if path.is_file()
    }  # fmt: skip
    by_api = {"空气小时值", "地表水_2026", "行政处罚_2026年4月.csv"}
    missing = {
        name for bureau, name in held - files.keys()
        if not (bureau == "beibei" and name.startswith(tuple(by_api))) and name != "地表水_2026年第15周.zip"
    }  # fmt: skip
    assert missing == {"专家名册_2026年.xlsx", "专家名册_2026年.csv"}


def test_the_road_takes_what_the_apis_give(visit, tmp_path):
    got = visit(SERVER["LAST"])
    places = Places(tmp_path, f"sqlite:///{tmp_path / 'records.db'}", str(tmp_path / "tables"))
    read = {}
    with Road(places, lambda: datetime(2026, 4, 13, 2, tzinfo=UTC)) as road:
        for key in ("beibei/air", "beibei/water", "beibei/penalty"):
            (arrival,) = got[key]
            (outcome,) = check(road, arrival.path, "beibei", key.partition("/")[2])
            assert (outcome.state, outcome.error) == ("accepted", None)
            read[key] = (outcome.rows["read"], outcome.rows["refused"])
    assert read == {"beibei/air": (7 * 72 + 1, 1), "beibei/water": (42, 0), "beibei/penalty": (3, 0)}


def test_the_apis_filter_by_day_and_declare_their_totals(get, server):
    server.day = SERVER["LAST"]
    _, _, body = get("/beibei/api/air?size=500&since=2026-04-08&until=2026-04-08")
    told = json.loads(body)["data"]
    assert (told["total"], len(told["rows"])) == (73, 73)
    _, headers, body = get("/beibei/api/water?since=2026-04-06&until=2026-04-07")
    assert len(json.loads(body)) == 10
    assert headers["Link"] == '</beibei/api/water?since=2026-04-06&until=2026-04-07&offset=10>; rel="next"'
    _, _, body = get("/beibei/api/penalty?cursor=c2")
    assert (len(json.loads(body)["items"]), json.loads(body)["next_cursor"]) == (1, None)


def test_conditions_and_ranges_are_honoured(get, server):
    server.day = SERVER["LAST"]
    path = "/mianyang/water/latest.zip"
    status, headers, whole = get(path)
    assert (status, headers["Last-Modified"]) == (200, "Mon, 13 Apr 2026 01:00:00 GMT")
    etag = headers["ETag"]
    assert get(path, If_None_Match=etag)[0] == 304
    assert get(path, If_Modified_Since=headers["Last-Modified"])[0] == 304
    status, headers, rest = get(path, Range="bytes=100-", If_Range=etag)
    assert (status, headers["Content-Range"], rest) == (206, f"bytes 100-{len(whole) - 1}/{len(whole)}", whole[100:])
    assert get(path, Range="bytes=100-", If_Range='"old"')[0] == 200
    assert get(path, Range=f"bytes={len(whole)}-")[0] == 416


def test_without_the_token_nothing_is_given(get, server):
    server.day = SERVER["LAST"]
    assert [get(path, token="wrong")[0] for path in ("/mianyang/air/", "/beibei/api/air")] == [401, 401]


@pytest.mark.parametrize(
    "path", ["/", "/mianyang/air/../../x", "/mianyang/air/%2e%2e/files/", "/beibei/files/专家名册_2026年.xlsx"]
)
def test_nothing_else_is_served(get, path):
    assert get(urllib.request.quote(path, safe="/%"))[0] == 404


def test_a_wrong_page_number_is_the_client_s_fault(get):
    assert get("/beibei/api/air?page=abc")[0] == 400


def test_the_command_writes_sources_and_serves(tmp_path):
    words = [sys.executable, EXAMPLES / "bureau_server.py", "--port", "0", "--day", "2026-04-08", "--sources", tmp_path]
    with subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            found, faults = sources(tmp_path)
            assert faults == () and found["mianyang/air"].url == f"{url}/mianyang/air/"
            with urllib.request.urlopen(found["mianyang/air"].url) as answer:
                assert "Index of /mianyang/air/" in answer.read().decode()
        finally:
            process.terminate()

"""Sources: what is declared is read, what cannot be right is given back by file and line, and the others go on."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from schemas.alarms import alarm_kinds
from schemas.contracts import catalogue_hash
from schemas.files import SCHEMAS
from schemas.layouts import layouts
from schemas.places import bureaus
from schemas.sources import KINDS, Paging, Source, Timetable, sources

GOOD = """[[sources]]
name = "air"
title = "空气小时值"
kind = "api"
url = "https://data.example.cn/api/air"
dataset = "air"
layout = "air_long"
credentials = "beibei-air"
auth = "header:X-Api-Key"
parameters = { station = "all" }
stale_hours = 30
least = 100
most = 9000
source = "letter of the bureau, 2026-03"
[sources.paging]
style = "page"
items = "data.rows"
total = "data.total"
page = "p"
first = 0
size = "n"
page_size = 500
since = "from"
format = "%Y%m%d%H"
overlap_hours = 48
[sources.due]
every = "day"
by = "05:30"
lag = 2
since = 2026-04-01
"""
LISTING = """[[sources]]
name = "files"
kind = "listing"
url = "https://data.example.cn/air/"
match = ["*.csv"]
source = "a test"
"""


@pytest.fixture
def site(tmp_path):
    def make(text: str, bureau: str = "beibei", file: str = "sources.toml"):
        (tmp_path / bureau).mkdir(exist_ok=True)
        (tmp_path / bureau / file).write_text(text, encoding="utf-8")
        return tmp_path

    return make


def test_each_bureau_ships_with_a_watched_folder():
    found, faults = sources()
    assert not faults and set(found) == {"beibei/inbox", "mianyang/inbox"}
    inbox = found["beibei/inbox"]
    assert (inbox.kind, inbox.path, inbox.pull, inbox.timetable) == ("folder", "inbox/beibei", "hour", None)


def test_every_key_is_read(site):
    found, faults = sources(site(GOOD))
    assert not faults and set(found) == {"beibei/air", "beibei/inbox", "mianyang/inbox"}
    air = found["beibei/air"]
    assert (air.bureau, air.name, air.kind, air.dataset, air.layout) == ("beibei", "air", "api", "air", "air_long")
    assert (air.credentials, air.auth, air.parameters) == ("beibei-air", "header:X-Api-Key", (("station", "all"),))
    assert (air.stale_hours, air.least, air.most, air.pull, air.enabled) == (30.0, 100, 9000, "night", True)
    assert (air.seconds, air.megabytes, air.inflated_megabytes, air.recheck_days) == (300.0, 200, 1024, 14)
    assert (air.paging.style, air.paging.items, air.paging.first, air.paging.page_size) == ("page", "data.rows", 0, 500)
    assert (air.paging.since, air.paging.until, air.paging.format, air.paging.overlap_hours) == (
        "from",
        "",
        "%Y%m%d%H",
        48,
    )
    due = air.timetable
    assert (due.every, due.by, due.lag, due.day, due.since) == ("day", dt.time(5, 30), 2, None, dt.date(2026, 4, 1))
    assert air.folder.name == "beibei" and air.source.startswith("letter")


def test_a_private_server_may_be_named_by_its_address_and_spoken_to_plainly(site):
    text = LISTING.replace("https://data.example.cn/air/", "http://10.1.2.3:8080/air/")
    found, faults = sources(site(text + 'networks = ["10.1.0.0/16"]\n'))
    assert not faults and found["beibei/files"].networks == ("10.1.0.0/16",)


LITERALS = ("127.0.0.1", "0x7f000001", "2130706433", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254", "[::1]",
            "8.8.8.8", "127.0.0.1.", "[fe80::1%25eth0]", "0")  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('kind = "api"', 'kind = "ftp"', 4, "kind 'ftp' is none of listing, api, file, folder"),
        ('kind = "api"', 'kind = "api"\nfrom = "x"', 5, "unknown key 'from'"),
        ('name = "air"', 'name = "Air"', 2, "not lower-case ASCII"),
        ('name = "air"\n', "", 1, "'name' is missing"),
        ('source = "letter of the bureau, 2026-03"\n', "", 1, "'source' is missing"),
        ("https://", "http://", 5, "is not https"),
        ("https://", "ftp://", 5, "is not https"),
        ("https://data.example.cn", "https://good.cn:pw@evil.cn", 5, "holds a user or password"),
        ("https://data.example.cn", "https://good.cn\\\\@evil.cn", 5, "backslash"),
        ("/api/air", "/api/air#top", 5, "has a fragment"),
        ("https://data.example.cn", "https://", 5, "has no host"),
        ("https://data.example.cn", "https://例子.cn", 5, "no host name"),
        ("https://data.example.cn", "https://data.example.cn:70000", 5, "cannot be read"),
        ("/api/air", "/api/air?access_token=abc", 5, "'access_token'; put the secret"),
        ('station = "all"', 'token = "abc"', 10, "parameter 'token' looks like a secret"),
        ('dataset = "air"', 'dataset = "noise"', 6, "dataset 'noise' is none of"),
        ('layout = "air_long"', 'layout = "mianyang_only"', 7, "layout 'mianyang_only' is not one of this bureau"),
        ('credentials = "beibei-air"', 'credentials = "eyJhbGciOiJIUzI1NiJ9.e30.x"', 8, "never the secret itself"),
        (
            'credentials = "beibei-air"',
            'credentials = "5f4dcc3b5aa765d61d8327deb882cf99"',
            8,
            "never the secret itself",
        ),
        ('credentials = "beibei-air"', 'password = "abc"', 8, "'password' does not belong here"),
        ('credentials = "beibei-air"\n', "", 8, "auth needs credentials"),
        ("header:X-Api-Key", "header:Host", 9, "header of the connection"),
        ("header:X-Api-Key", "digest", 9, "auth is bearer, basic or header"),
        ("stale_hours = 30", "stale_hours = true", 11, "stale_hours is a number"),
        ("least = 100", "least = 10000", 12, "least 10000 is above most 9000"),
        ('style = "page"', 'style = "offset"', 16, "style 'offset' is none of"),
        ('style = "page"', 'style = "cursor"', 15, "'cursor' is missing"),
        ('format = "%Y%m%d%H"', 'format = "2026"', 24, "holds no year"),
        ('every = "day"', 'every = "daily"', 27, "every 'daily' is none of"),
        ('by = "05:30"', 'by = "24:30"', 28, "by is a time of day"),
        ("lag = 2", "lag = 0", 29, "lag is at least 1"),
        ("lag = 2", "day = 2", 29, "day goes with week, month or year"),
        ('every = "day"\nby = "05:30"\nlag = 2', 'every = "week"\nday = 8', 28, "day of a week is 1"),
        ('every = "day"\nby = "05:30"\nlag = 2', 'every = "month"\nday = 32', 28, "day is a whole number from 1 to 31"),
        ('every = "day"\nby = "05:30"\nlag = 2', 'every = "year"\nmonth = 2\nday = 30', 29, "month 2 has no day 30"),
        ('every = "day"\nby = "05:30"\nlag = 2', 'every = "year"\nday = 3', 28, "month and day go together"),
        ("since = 2026-04-01", "since = 2026-04-31", 30, "not TOML"),
        ("since = 2026-04-01", "since = 2026-04-02\nuntil = 2026-04-01", 30, "is after until"),
        ('kind = "api"', 'kind = "listing"', 5, "ends in '/'"),
        ('kind = "api"', 'kind = "file"', 15, "only an api has paging"),
        ('kind = "api"', 'kind = "folder"', 5, "a folder has no 'url'"),
        ('kind = "api"', 'kind = "api"\npath = "inbox"', 5, "only a folder has a path"),
        ('kind = "api"', 'kind = "api"\nmatch = ["*.csv"]', 5, "match chooses among the names"),
        ('kind = "api"', 'kind = "api"\nnetworks = ["169.254.0.0/16"]', 5, "is not private"),
        ('kind = "api"', 'kind = "api"\nnetworks = ["224.0.0.0/4"]', 5, "is not private"),
        ('kind = "api"', 'kind = "api"\nnetworks = ["0.0.0.0/0"]', 5, "is not private"),
        ('kind = "api"', 'kind = "api"\nnetworks = ["10.0.0.1/8"]', 5, "cannot be read"),
        ('kind = "api"', 'kind = "api"\nhosts = ["127.1"]', 5, "none of 'networks'"),
        *((("data.example.cn", host, 5, "is in none of 'networks'")) for host in LITERALS),
    ],
)
def test_what_cannot_be_right_is_given_back_by_line_and_the_other_sources_stay(site, old, new, line, reason):
    assert old in GOOD
    home = site(GOOD.replace(old, new, 1))
    found, (fault,) = sources(home)
    assert set(found) == {"beibei/inbox", "mianyang/inbox"}
    assert fault.file == home / "beibei" / "sources.toml" and reason in fault.reason
    assert fault.line == line


def test_a_secret_written_in_the_wrong_place_is_not_repeated_in_the_message(site):
    _, (fault,) = sources(site(GOOD.replace("beibei-air", "5f4dcc3b5aa765d61d8327deb882cf99")))
    assert "5f4dcc" not in str(fault)


def test_one_malformed_source_leaves_the_next_of_its_file(site):
    found, (fault,) = sources(site(GOOD.replace('"api"', '"ftp"') + LISTING))
    assert "beibei/files" in found and fault.line == 4
    found, (fault,) = sources(site(LISTING + GOOD.replace('"api"', '"ftp"')))
    assert "beibei/files" in found and fault.line == 4 + LISTING.count("\n")


def test_a_name_stands_once_in_a_folder(site):
    found, (fault,) = sources(site(LISTING + LISTING.replace("/air/", "/other/")))
    assert found["beibei/files"].url.endswith("/air/") and "stands twice" in fault.reason and fault.line == 8


def test_the_site_wins_by_name_and_a_wrong_one_does_not_bring_the_shipped_one_back(site):
    own = '[[sources]]\nname = "inbox"\nkind = "folder"\npath = "/srv/drop"\nenabled = false\nsource = "a test"\n'
    found, faults = sources(site(own))
    assert not faults and (found["beibei/inbox"].path, found["beibei/inbox"].enabled) == ("/srv/drop", False)
    found, faults = sources(site(own.replace("/srv/drop", "../drop")))
    assert len(faults) == 1 and "beibei/inbox" not in found and "mianyang/inbox" in found


def test_a_bureau_of_the_site_declares_its_sources_in_its_own_toml(site):
    bureau = 'name_zh = "某局"\nname_en = "some bureau"\ndivision = "510000"\nkind = "bureau"\nsource = "a test"\n'
    home = site(bureau + LISTING, "some", "bureau.toml")
    found, faults = sources(home)
    assert not faults and "some/files" in found and "some" in bureaus(home)
    home = site(LISTING, "nobody")
    assert ["there is no bureau 'nobody'" in fault.reason for fault in sources(home)[1]] == [True]


def test_what_is_changed_is_read_again(site):
    home = site(LISTING)
    assert "beibei/files" in sources(home)[0]
    site(LISTING.replace('"files"', '"files2"'))
    assert "beibei/files2" in sources(home)[0]


def test_sources_are_no_layout_and_no_part_of_the_rules(site):
    home = site(LISTING)
    assert "sources" not in {one.layout for one in layouts("beibei", home)}
    assert "sources" not in bureaus(home)["beibei"].layouts
    assert catalogue_hash(home) == catalogue_hash(None)


def test_the_examples_of_the_documents_are_sources(site):
    text = (SCHEMAS.parent / "docs" / "add-a-source.md").read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if block.startswith("[[sources]]")]
    found, faults = sources(site("\n".join(blocks)))
    assert not faults and {one.kind for one in found.values()} == set(KINDS) and len(blocks) == 4
    keys = set(re.findall(r"^\| (`.*?`(?:, `.*?`)*) \|", text, re.MULTILINE))
    told = {key for row in keys for key in re.findall(r"`(\w+)`", row)}
    given = {"bureau", "timetable", "folder", "inflated_megabytes"}
    assert {*Source.__slots__, *Paging.__slots__, *Timetable.__slots__} - given <= told


def test_every_alarm_tells_what_it_means_and_what_to_do_in_both_languages():
    kinds = alarm_kinds()
    contract = """no-rows missing unchanged late stale volume-low volume-high refused held disabled malformed-source clock
        circuit-open certificate-ends run-failed run-interrupted night-missed backup-failed scrub-damaged chain-broken
        seal-late disk-space docs-failed address-refused url-refused redirect dns connect connect-timeout read-timeout
        reset tls certificate-expired unauthorised forbidden not-found bad-status rate-limited server-error too-slow
        budget-spent too-large inflates-too-much wrong-length length-unclear trailing-bytes wrong-type bad-encoding
        headers-too-large bad-json changed-while-read paging-loop paging-endless total-mismatch bad-listing
        folder-missing folder-unreadable""".split()
    assert set(contract) <= set(kinds)
    for kind in kinds.values():
        for chinese in (kind.title_zh, kind.meaning_zh, kind.remedy_zh):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), kind.code
        assert kind.title_en.isascii() and kind.meaning_en.isascii() and kind.remedy_en.isascii()
    assert SCHEMAS.joinpath("alarms.csv").is_file()

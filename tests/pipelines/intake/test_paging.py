"""The pages of an API over real sockets: every item once and word for word, and no end or sum taken on trust."""

import json

import pytest
from shelf import DAILY, JSON, Bureau, Page, Shelf, make_paging, make_source, page_of

from pipelines.intake import paging
from pipelines.intake.pull import Wanted

ITEMS = [{"n": n, "v": "缙云山"} for n in range(23)]


@pytest.fixture
def shelf():
    with Shelf() as server:
        yield server


@pytest.fixture
def read(shelf, tmp_path):
    """Visit ``/api``; gives the items, or the code of the error."""

    def visit(style, megabytes=200, **facts):
        source = make_source(
            kind="api",
            url=shelf.url("/api"),
            paging=make_paging(style, **facts),
            megabytes=megabytes,
            timetable=DAILY,
        )
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        home.mkdir()
        bureau = Bureau(source, home)
        got = bureau.visit()
        visit.bureau = bureau
        if bureau.error is not None:
            assert got == {}
            return bureau.code
        return json.loads(got["payload"]) if got else "empty"

    return visit


def numbered(shelf, items=ITEMS, size=10, **more):
    """Serve numbered pages; ``more`` stands in every page."""

    def page(query):
        start = (int(query["page"]) - 1) * size
        return page_of({"rows": items[start : start + size], **more})

    shelf.pages["/api"] = page


# -- styles -----------------------------------------------------------------------------------------------------------


def test_numbered_pages_end_with_the_declared_total(shelf, read):
    numbered(shelf, total=23)
    assert read("page", items="rows", total="total", size="size", page_size=10) == ITEMS
    asked = [line.split()[0] for line in shelf.asked[::2]]
    assert asked == [f"/api?page={n}&size=10" for n in (1, 2, 3)]
    assert len(read.bureau.arrivals[0].parts) == 3


def test_numbered_pages_without_a_total_end_with_a_shorter_page(shelf, read):
    numbered(shelf)
    assert read("page", items="rows", size="size", page_size=100) == ITEMS


def test_numbered_pages_without_a_total_end_with_an_empty_page(shelf, read):
    numbered(shelf, ITEMS[:20])
    assert read("page", items="rows") == ITEMS[:20]
    assert shelf.asked[-2].startswith("/api?page=3 ")


def test_pages_may_be_counted_from_0(shelf, read):
    shelf.pages["/api"] = lambda query: page_of([[1], [2], []][int(query["p"])])
    assert read("page", page="p", first=0) == [1, 2]


def test_a_server_that_gives_less_than_asked_for_is_read_to_the_end(shelf, read):
    numbered(shelf, size=4)
    assert read("page", items="rows", size="limit", page_size=500) == ITEMS


def test_a_cursor_leads_to_the_end(shelf, read):
    def page(query):
        start = int(query.get("after", "0"))
        following = start + 9 if start + 9 < len(ITEMS) else None
        return page_of({"list": ITEMS[start : start + 9], "meta": {"next": following, "count": str(len(ITEMS))}})

    shelf.pages["/api"] = page
    assert read("cursor", items="list", cursor="after", next="meta.next", total="meta.count") == ITEMS


@pytest.mark.parametrize("place", ["Link", "links.next"])
def test_a_link_leads_to_the_end(shelf, read, place):
    def page(query):
        start = int(query.get("from", "0"))
        link = f"api?from={start + 9}&x=1" if start + 9 < len(ITEMS) else ""
        header = {"Link": f'<{shelf.url("/")}{link}>; rel="next", </api>; rel=first'} if link else {}
        return page_of({"rows": ITEMS[start : start + 9], "links": {"next": link or None}}, **header)

    shelf.pages["/api"] = page
    assert read("next", items="rows", next=place) == ITEMS


def test_a_link_to_another_host_is_refused(shelf, read):
    shelf.pages["/api"] = page_of([1], Link='<http://169.254.169.254/latest>; rel="next"')
    assert read("next", next="Link") in ("url-refused", "address-refused")


def test_the_items_are_word_for_word(shelf, read):
    body = '{"rows":[ {"v": 0.10, "e":1E5,"t":"\\u503c"},\n{"v":00.1e0}]}'.replace("00.1e0", "123456789012345678.90")
    shelf.pages["/api"] = Page(body.encode(), JSON)
    read("single", items="rows")
    text = read.bureau.arrivals[0].path.read_text(encoding="utf-8")
    assert text == '[\n{"v": 0.10, "e":1E5,"t":"\\u503c"},\n{"v":123456789012345678.90}\n]\n'


def test_a_page_in_gbk_that_says_utf8_is_read(shelf, read):
    body = json.dumps(ITEMS, ensure_ascii=False).encode("gbk")
    shelf.pages["/api"] = Page(body, {"Content-Type": "application/json; charset=utf-8"})
    assert read("single") == ITEMS


# -- sums -------------------------------------------------------------------------------------------------------------


def shifting(shelf, readings):
    """Serve from the reading numbered ``readings`` on a steady order; before, item 9 comes twice and 19 never."""
    begun = []

    def page(query):
        number = int(query["page"])
        begun.extend([1] * (number == 1))
        shifted = ITEMS[:10] + ITEMS[9:19] + ITEMS[20:]
        held = ITEMS if len(begun) >= readings else shifted
        found = page_of({"rows": held[(number - 1) * 10 : number * 10], "total": 23})
        found.conditional = False
        return found

    shelf.pages["/api"] = page
    return begun


def test_an_order_that_shifts_between_pages_is_read_again(shelf, read):
    begun = shifting(shelf, 3)
    assert read("page", items="rows", total="total") == ITEMS
    assert len(begun) == 3


def test_an_order_that_never_stands_still_is_an_error(shelf, read):
    begun = shifting(shelf, 99)
    assert read("page", items="rows", total="total") == "total-mismatch"
    assert len(begun) == 3
    assert len(read.bureau.look.exchanges) == len(shelf.asked) == 9


def test_a_total_that_grows_while_reading_starts_again(shelf, read):
    held = list(ITEMS)

    def page(query):
        if query["page"] == "2" and len(held) == 23:
            held.append({"n": 23, "v": "新"})
        start = (int(query["page"]) - 1) * 10
        return page_of({"rows": held[start : start + 10], "total": len(held)})

    shelf.pages["/api"] = page
    assert read("page", items="rows", total="total") == held
    assert len(held) == 24


@pytest.mark.parametrize("total", [22, 24, 1_000_000])
def test_a_total_that_is_not_reached_exactly_is_an_error(shelf, read, total):
    numbered(shelf, total=total)
    assert read("page", items="rows", total="total") == "total-mismatch"


def test_a_cut_single_answer_is_noticed_by_its_total(shelf, read):
    shelf.pages["/api"] = page_of({"rows": ITEMS[:20], "total": 23})
    assert read("single", items="rows", total="total") == "total-mismatch"


def test_what_stands_twice_in_one_page_was_written_twice(shelf, read):
    twice = [ITEMS[0], ITEMS[0], ITEMS[1]]
    shelf.pages["/api"] = page_of({"rows": twice, "total": 3})
    assert read("single", items="rows", total="total") == twice


def test_an_item_repeated_on_a_later_page_comes_once(shelf, read):
    shelf.pages["/api"] = lambda query: page_of([[1, 2], [2, 3], []][int(query["page"]) - 1])
    assert read("page") == [1, 2, 3]


def test_the_total_may_stand_on_the_first_page_only(shelf, read):
    numbered(shelf)
    inner = shelf.pages["/api"]
    shelf.pages["/api"] = lambda query: (
        page_of({"rows": ITEMS[:10], "total": 23}) if query["page"] == "1" else inner(query)
    )
    assert read("page", items="rows", total="total") == ITEMS


def test_a_declared_total_that_is_nowhere_is_an_error(shelf, read):
    numbered(shelf)
    assert read("page", items="rows", total="total") == "bad-json"


# -- ends -------------------------------------------------------------------------------------------------------------


def test_a_page_that_repeats_an_earlier_one_is_a_loop(shelf, read):
    shelf.pages["/api"] = page_of({"rows": ITEMS, "total": 99})
    assert read("page", items="rows", total="total") == "paging-loop"
    assert len(shelf.asked) == 4


def test_a_link_seen_before_is_a_loop(shelf, read):
    shelf.pages["/api"] = lambda query: page_of(
        [query.get("p", "0")], Link=f"</api?p={query.get('p') == '1' and 2 or 1}>; rel=next"
    )
    assert read("next", next="Link") == "paging-loop"


def test_a_cursor_seen_before_is_a_loop_even_on_empty_pages(shelf, read):
    shelf.pages["/api"] = page_of({"rows": [], "next": "again"})
    assert read("cursor", items="rows", cursor="c", next="next") == "paging-loop"


def test_pages_without_end_are_ended_by_their_number(shelf, read, monkeypatch):
    monkeypatch.setattr(paging, "PAGES", 40)
    shelf.pages["/api"] = lambda query: page_of([int(query["page"])])
    assert read("page") == "paging-endless"
    assert len(shelf.asked) == 80


def test_pages_without_end_are_ended_by_their_bytes(shelf, read):
    shelf.pages["/api"] = lambda query: page_of([query["page"] * 150_000])
    assert read("page", megabytes=1) == "paging-endless"


def test_a_page_above_16_megabytes_is_refused(shelf, read, monkeypatch):
    shelf.pages["/api"] = Page(b'["' + b"a" * paging.PAGE_BYTES + b'"]', JSON)
    assert read("single") == "too-large"


# -- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [[], None, {"rows": []}, {"rows": None}])
def test_no_items_is_empty(shelf, read, body):
    shelf.pages["/api"] = page_of(body)
    assert read("single", items="rows" if isinstance(body, dict) else "") == "empty"
    assert read.bureau.look.empty


def test_an_error_in_a_200_names_what_the_server_says(shelf, read):
    shelf.pages["/api"] = page_of({"code": 401, "message": "令牌已过期"})
    assert read("single", items="data.rows") == "bad-json"
    assert "令牌已过期" in str(read.bureau.error)


@pytest.mark.parametrize("body", [{"rows": {"a": 1}}, {"rows": "none"}, "text", {"rows": [1], "total": "many"}])
def test_another_shape_is_an_error(shelf, read, body):
    shelf.pages["/api"] = page_of(body)
    assert read("single", items="rows", total="total") == "bad-json"


def test_times_are_written_as_the_server_wants_them(shelf, read):
    shelf.pages["/api"] = page_of([1])
    read("single", since="s", until="u", format="%Y%m%d %H:%M")
    assert "s=20260309+09:00&u=20260414+00:00" in shelf.asked[0].replace("%3A", ":")
    read("single", since="s", format="%s")
    assert f"s={int(read.bureau.now.timestamp()) - 35 * 86400} " in shelf.asked[-1]


def test_force_gives_the_same_items_again(shelf, read):
    shelf.pages["/api"] = page_of(ITEMS)
    assert read("single") == ITEMS
    assert read.bureau.visit() == {}
    assert json.loads(read.bureau.visit(Wanted(force=True))["payload"]) == ITEMS

"""One visit to each kind of source: what is new comes, once, and nothing is lost to a trouble beside it."""

import json
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qsl

import pytest
from shelf import DAILY, Bureau, Page, Shelf, make_paging, make_source, page_of

from pipelines.errors import Stopped
from pipelines.intake.pull import Wanted

DAY = timedelta(days=1)
A, B, C = "小时值_20260406.csv", "小时值_20260407.csv", "小时值_20260408.csv"


@pytest.fixture
def shelf():
    with Shelf() as server:
        yield server


@pytest.fixture
def listing(shelf, tmp_path):
    """Two files in a folder: the files, to be changed, and the bureau that visits."""
    files = {A: b"one", B: b"two"}
    shelf.list("/air/", files)
    return files, Bureau(make_source(kind="listing", url=shelf.url("/air/"), match=("*.csv",)), tmp_path)


def put(shelf, files, name, content):
    files[name] = content
    shelf.list("/air/", files)


# -- listing ----------------------------------------------------------------------------------------------------------


def test_every_listed_file_comes_once(listing):
    _, bureau = listing
    assert bureau.visit() == {A: b"one", B: b"two"}
    assert bureau.visit() == {}
    assert (bureau.look.seen, bureau.look.empty, [i.name for i in bureau.look.steady]) == (2, False, [A, B])
    assert bureau.known[A].batches == ("b1",)


def test_what_did_not_change_is_asked_for_conditionally(shelf, listing):
    _, bureau = listing
    bureau.visit()
    shelf.asked.clear()
    bureau.visit()
    assert shelf.asked == ["/air/ 200", f"/air/{A} 304", f"/air/{B} 304"]
    assert (bureau.look.requests, len(bureau.look.exchanges)) == (3, 3)


def test_news_is_told_by_the_bytes_not_by_the_server(shelf, listing):
    files, bureau = listing
    bureau.visit()
    shelf.pages["/air/" + A] = Page(b"one", {"ETag": '"renamed"'})
    shelf.pages["/air/" + B] = Page(b"TWO", {"Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT"})
    assert bureau.visit() == {B: b"TWO"}
    assert bureau.known[A].etag == '"renamed"'
    assert bureau.known[A].changed_at == bureau.known[A].first_seen


def test_old_items_rest_until_the_weekly_compare(shelf, listing):
    files, bureau = listing
    bureau.visit()
    put(shelf, files, C, b"three")
    assert bureau.visit(later=15 * DAY) == {C: b"three"}
    files[A] = b"one, corrected late"
    shelf.asked.clear()
    assert bureau.visit(later=DAY) == {}
    assert shelf.asked == ["/air/ 200", f"/air/{C} 304"]
    assert bureau.visit(Wanted(full=True), later=DAY) == {A: b"one, corrected late"}


def test_the_weekly_compare_does_not_believe_a_304(shelf, listing):
    files, bureau = listing
    shelf.pages["/air/" + A] = lambda _: Page(files[A], {"ETag": '"always"'})
    bureau.visit()
    files[A] = b"changed under the same tag"
    assert bureau.visit() == {}
    assert bureau.visit(Wanted(full=True)) == {A: b"changed under the same tag"}


def test_a_file_that_appears_while_reading_is_taken_too(shelf, listing):
    files, bureau = listing

    def slow(_):
        put(shelf, files, C, b"three")
        return Page(b"two")

    shelf.pages["/air/" + B] = slow
    assert bureau.visit() == {A: b"one", B: b"two", C: b"three"}
    assert bureau.error is None


def test_files_that_never_cease_to_appear_end_after_three_rounds(shelf, listing):
    files, bureau = listing

    def another(name):
        def page(_):
            following = f"{len(files):04d}.csv"
            files[following] = b""
            shelf.pages["/air/" + following] = another(following)
            return Page(name.encode(), conditional=False)

        return page

    shelf.pages["/air/" + A] = another(A)
    got = bureau.visit()
    assert set(got) == {A, B, "0002.csv", "0003.csv"}
    assert sum(line.startswith("/air/ ") for line in shelf.asked) == 3
    assert bureau.error is None


def test_a_file_withdrawn_while_reading_is_no_trouble(shelf, listing):
    files, bureau = listing

    def gone(_):
        files.pop(A, None)
        return Page(b"{}", {}, 404)

    shelf.pages["/air/" + A] = gone
    assert bureau.visit() == {B: b"two"}
    assert bureau.error is None


def test_one_broken_file_does_not_keep_the_others_away_and_is_named(shelf, listing):
    files, bureau = listing
    shelf.pages["/air/" + A] = Page(b"<html>login</html>", {"Content-Type": "text/html"})
    assert bureau.visit() == {B: b"two"}
    assert bureau.code == "wrong-type"
    shelf.pages["/air/" + A] = Page(b"one")
    assert bureau.visit() == {A: b"one"}


def test_after_three_broken_files_in_a_row_the_rest_is_left(shelf, tmp_path):
    shelf.list("/air/", {f"{n}.csv": b"" for n in range(9)})
    for n in range(9):
        shelf.pages[f"/air/{n}.csv"] = Page(b"", {}, 403)
    bureau = Bureau(make_source(kind="listing", url=shelf.url("/air/")), tmp_path)
    assert (bureau.visit(), bureau.code, len(shelf.asked)) == ({}, "forbidden", 4)
    assert len(bureau.look.exchanges) == 4


def test_a_withdrawn_key_ends_the_visit_at_once(shelf, listing):
    _, bureau = listing
    shelf.pages["/air/" + A] = Page(b"", {}, 401)
    assert (bureau.visit(), bureau.code, len(shelf.asked)) == ({}, "unauthorised", 2)


def test_an_empty_folder_is_said_to_be_empty(shelf, tmp_path):
    shelf.list("/air/", {"readme.html": b"", "a.csv.part": b"half"})
    bureau = Bureau(make_source(kind="listing", url=shelf.url("/air/"), match=("*.csv",)), tmp_path)
    assert (bureau.visit(), bureau.look.empty, bureau.look.seen, bureau.error) == ({}, True, 0, None)


def test_a_login_page_is_not_an_empty_folder(shelf, tmp_path):
    shelf.pages["/air/"] = Page("<title>登录</title><input type=password>".encode(), {"Content-Type": "text/html"})
    bureau = Bureau(make_source(kind="listing", url=shelf.url("/air/")), tmp_path)
    assert (bureau.visit(), bureau.code, bureau.look.empty) == ({}, "bad-listing", False)


def test_a_file_of_no_bytes_arrives(shelf, listing):
    files, bureau = listing
    files[A] = b""
    assert bureau.visit()[A] == b""


def test_a_name_no_file_may_have_is_reported_after_the_others_came(shelf, tmp_path):
    shelf.pages["/air/"] = Page(
        b'<title>Index of /air/</title><a href="a%0Ab.csv">x</a><a href="b.csv">b</a>', {"Content-Type": "text/html"}
    )
    shelf.pages["/air/b.csv"] = b"b"
    bureau = Bureau(make_source(kind="listing", url=shelf.url("/air/")), tmp_path)
    assert bureau.visit() == {"b.csv": b"b"}
    assert (bureau.code, r"a\nb.csv" in str(bureau.error)) == ("bad-listing", True)


def test_a_backfill_takes_what_was_never_seen_and_what_speaks_of_its_days(shelf, listing):
    files, bureau = listing
    bureau.visit()
    put(shelf, files, C, b"three")
    files[A], files[B] = b"ONE", b"TWO"
    shelf.asked.clear()
    assert bureau.visit(Wanted(date(2026, 4, 7), date(2026, 4, 7))) == {B: b"TWO", C: b"three"}
    assert not any(A in line for line in shelf.asked)


def test_force_takes_everything_again_without_conditions(shelf, listing):
    _, bureau = listing
    bureau.visit()
    shelf.asked.clear()
    assert bureau.visit(Wanted(force=True)) == {A: b"one", B: b"two"}
    assert shelf.asked[:2] == ["/air/ 200", f"/air/{A} 200"]


def test_a_stop_ends_between_two_files_and_the_rest_comes_next_time(listing):
    _, bureau = listing
    bureau.stop_after = 1
    assert bureau.visit() == {A: b"one"}
    assert isinstance(bureau.error, Stopped)
    bureau.stop_after = None
    assert bureau.visit() == {B: b"two"}


def test_the_requests_of_an_arrival_go_with_it(listing):
    _, bureau = listing
    bureau.visit()
    assert [[e.item for e in arrival.exchanges] for arrival in bureau.arrivals] == [[A, A], [B, B]]
    assert [e.item for e in bureau.look.exchanges] == ["", ""]
    assert abs(bureau.look.skew_seconds) < 5


# -- file -------------------------------------------------------------------------------------------------------------


def test_one_address_gives_its_content_when_it_changed(shelf, tmp_path):
    shelf.pages["/water/地表水.zip"] = b"PK one"
    bureau = Bureau(make_source(kind="file", url=shelf.url("/water/%E5%9C%B0%E8%A1%A8%E6%B0%B4.zip")), tmp_path)
    assert bureau.visit() == {"地表水.zip": b"PK one"}
    assert bureau.visit() == {}
    shelf.pages["/water/地表水.zip"] = b"PK two"
    assert bureau.visit() == {"地表水.zip": b"PK two"}
    assert [line[-3:] for line in shelf.asked] == ["200", "304", "304", "200", "304"]


def test_an_address_that_is_no_file_name_gives_the_name_of_the_source(shelf, tmp_path):
    shelf.pages["/export.do"] = b"a,b"
    bureau = Bureau(make_source(kind="file", url=shelf.url("/export.do?type=air"), name="air"), tmp_path)
    assert bureau.visit() == {"air": b"a,b"}


# -- api --------------------------------------------------------------------------------------------------------------


def rows(*days):
    return [{"时间": f"2026-04-{day:02d} 00:00", "值": day} for day in days]


@pytest.fixture
def api(shelf, tmp_path):
    """An API that filters by day; what it holds, and the bureau."""
    held = rows(*range(6, 13))

    def answer(query):
        since, until = query.get("from", ""), query.get("to", "9999")
        return page_of({"total": len(held), "rows": [r for r in held if since <= r["时间"][:10] <= until]})

    shelf.pages["/api"] = answer
    paging = make_paging("single", items="rows", since="from", until="to")
    return held, Bureau(
        make_source(kind="api", url=shelf.url("/api"), name="air", paging=paging, timetable=DAILY), tmp_path
    )


def query_of(shelf):
    return dict(parse_qsl(shelf.asked[-1].split(" ")[0].partition("?")[2]))


def test_the_first_visit_asks_35_days_back_and_later_ones_from_the_last_with_overlap(shelf, api):
    held, bureau = api
    assert json.loads(bureau.visit()["payload"]) == held
    assert query_of(shelf) == {"from": "2026-03-09", "to": "2026-04-14"}
    held += rows(13)
    assert json.loads(bureau.visit(later=DAY)["payload"]) == rows(12, 13)
    assert query_of(shelf) == {"from": "2026-04-12", "to": "2026-04-15"}
    bureau.visit(Wanted(full=True), later=DAY)
    assert query_of(shelf)["from"] == "2026-03-11"


def test_the_first_visit_begins_with_the_timetable_and_asks_a_register_for_everything(shelf, api):
    held, bureau = api
    bureau.source = replace(bureau.source, timetable=replace(DAILY, since=date(2026, 4, 8)))
    bureau.visit()
    assert query_of(shelf) == {"from": "2026-04-08", "to": "2026-04-14"}
    bureau.source, bureau.known = replace(bureau.source, timetable=None), {}
    assert json.loads(bureau.visit()["payload"]) == held
    assert query_of(shelf) == {"to": "2026-04-14"}
    assert bureau.arrivals[0].path.name == "air-20260413.json"
    bureau.visit(Wanted(full=True), later=DAY)
    assert query_of(shelf)["from"] == "2026-03-10"


def test_an_unfinished_visit_does_not_move_the_time_up_to_which_all_is_known(shelf, api):
    _, bureau = api
    bureau.visit()
    good = shelf.pages["/api"]
    shelf.pages["/api"] = Page(b"", {}, 404)
    bureau.visit(later=DAY)
    assert bureau.code == "not-found"
    shelf.pages["/api"] = good
    bureau.visit(later=DAY)
    assert query_of(shelf)["from"] == "2026-04-12"


def test_an_empty_answer_is_empty_and_does_not_move_the_time_either(shelf, api):
    held, bureau = api
    bureau.visit()
    held.clear()
    assert bureau.visit(later=DAY) == {}
    assert (bureau.look.empty, bureau.look.seen, bureau.error) == (True, 0, None)
    bureau.visit(later=DAY)
    assert query_of(shelf)["from"] == "2026-04-12"


def test_a_backfill_asks_for_its_days_and_leaves_the_time_alone(shelf, api):
    _, bureau = api
    bureau.visit()
    mark = bureau.known["payload"].mark
    got = bureau.visit(Wanted(date(2026, 4, 8), date(2026, 4, 9)), later=DAY)
    assert query_of(shelf) == {"from": "2026-04-08", "to": "2026-04-10"}
    assert json.loads(got["payload"]) == rows(8, 9, 10)
    assert bureau.known["payload"].mark == mark
    assert bureau.arrivals[0].path.name == "air-20260408_20260409.json"


def test_the_same_items_again_are_no_news_whatever_the_envelope_says(shelf, tmp_path):
    answers = iter(range(9))

    def answer(_):
        page = page_of({"time": next(answers), "rows": rows(6)})
        page.conditional = False
        return page

    shelf.pages["/api"] = answer
    bureau = Bureau(
        make_source(kind="api", url=shelf.url("/api"), paging=make_paging("single", items="rows")), tmp_path
    )
    assert json.loads(bureau.visit()["payload"]) == rows(6)
    assert (bureau.visit(), len(bureau.look.steady)) == ({}, 1)


def test_the_pages_are_kept_as_they_came(shelf, api):
    _, bureau = api
    bureau.visit()
    (arrival,) = bureau.arrivals
    assert [json.loads(part.read_bytes())["total"] for part in arrival.parts] == [7]


def test_an_api_without_paging_gives_its_answer_as_it_came(shelf, tmp_path):
    body = b'{"data": [ {"v": 0.10} ]}'
    shelf.pages["/api"] = Page(body, {"Content-Type": "application/json"})
    bureau = Bureau(make_source(kind="api", url=shelf.url("/api")), tmp_path)
    assert bureau.visit() == {"payload": body}
    assert bureau.visit() == {}
    assert shelf.asked[-1] == "/api 304"


@pytest.mark.parametrize("body", [b"[]", b'{"code": 0, "data": {"rows": []}}', b'{"columns": ["a"], "rows": []}'])
def test_an_api_without_paging_can_be_empty(shelf, tmp_path, body):
    shelf.pages["/api"] = Page(body, {"Content-Type": "application/json"})
    bureau = Bureau(make_source(kind="api", url=shelf.url("/api")), tmp_path)
    assert (bureau.visit(), bureau.look.empty) == ({}, True)


def test_an_answer_without_any_list_is_left_to_the_road_to_refuse(shelf, tmp_path):
    body = '{"code": 500, "message": "系统繁忙"}'.encode()
    shelf.pages["/api"] = Page(body, {"Content-Type": "application/json"})
    bureau = Bureau(make_source(kind="api", url=shelf.url("/api")), tmp_path)
    assert (bureau.visit(), bureau.look.empty) == ({"payload": body}, False)


def test_an_api_that_answers_broken_json_is_an_error_by_name(shelf, tmp_path):
    shelf.pages["/api"] = Page(b'{"rows": [{"v": NaN}]}', {"Content-Type": "application/json"})
    bureau = Bureau(make_source(kind="api", url=shelf.url("/api")), tmp_path)
    assert (bureau.visit(), bureau.code) == ({}, "bad-json")
    assert len(bureau.look.exchanges) >= 1

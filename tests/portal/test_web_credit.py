"""The credit desk over HTTP: nothing without a purpose, everything on record, nobody else's papers, limits that hold."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta

import openpyxl
import pytest
from portal_credit import WHY, enterprise, inspector, name_of, screening_of, site_of, slip_of, subjects
from portal_web import LOCAL, MARK, open_town

from portal.apart import Broken, Refused, TooLong, apart
from portal.credit import folder_of, refresh
from portal.credit_open import OpenRegister
from portal.credit_screening import read_screening
from portal.credit_uses import slip_file
from portal.web.asking import csrf_token
from portal.web.credit.slips import as_code
from records.alarms import alarms
from records.credit import Message, accesses, add_message
from records.credit_desk import find_slip
from schemas.trace_limits import trace_limits


@pytest.fixture(autouse=True)
def a_moment_later(town):
    """The clock of a test stands still; what one may ask in a second or a minute begins anew with every test."""
    town.clock.at += timedelta(minutes=2)


def post_list(browser, text="", file=None, csrf=None):
    """Send the form of a list as a page of ours would."""
    fields = {"csrf": (None, csrf_token(browser.token) if csrf is None else csrf), "list": (None, text)}
    fields["file"] = file or ("", b"")
    return browser.client.post("/credit/screen", files=fields, headers={"origin": LOCAL})


# -- why --------------------------------------------------------------------------------------------------------


def test_nothing_is_looked_at_before_the_session_says_why(town):
    browser = town.browser(town.session(town.people["beibei", "inspector"]))
    code, before = enterprise(town), len(accesses(town.records, user="inspector-beibei"))
    for path in (f"/credit/enterprises/{code}", "/credit/screen", "/credit/nameless?name=甲"):
        told = browser.get(path)
        assert told.status_code == 303 and told.headers["location"].startswith("/credit")
    told = browser.get("/credit/suggest?q=示例")
    assert told.status_code == 409 and told.headers["hx-redirect"] == "/credit"
    assert "查询目的" in browser.get("/credit?q=示例").text
    assert len(accesses(town.records, user="inspector-beibei")) == before


def test_a_purpose_that_needs_a_plan_is_not_taken_without_one(town):
    browser = town.browser(town.session(town.people["beibei", "inspector"]))
    for given, words in (
        ({"purpose": ""}, "还没有选"), ({"purpose": "spying"}, "还没有选"),
        ({"purpose": "random-check", "plan": "　"}, "必填"), ({"purpose": "other"}, "必填"),
    ):  # fmt: skip
        told = browser.post("/credit/errand", given)
        assert told.status_code == 422 and words in told.text
    code = enterprise(town)
    told = browser.post("/credit/errand", WHY | {"q": code})
    assert told.status_code == 303 and told.headers["location"] == f"/credit/enterprises/{code}"


def test_the_purpose_belongs_to_one_session_alone(town):
    inspector(town)
    other = town.browser(town.session(town.people["beibei", "inspector"]))
    assert "开始查询" in other.get("/credit").text


# -- searching and looking up -------------------------------------------------------------------------------------


def test_every_look_is_on_record_with_user_unit_purpose_and_plan(town):
    """CRD-18."""
    browser, code = inspector(town), enterprise(town)
    browser.get("/credit/suggest?q=示例")
    browser.get(f"/credit/enterprises/{code}")
    browser.get(f"/credit/enterprises/{code}?history=1")
    seen = accesses(town.records, user="inspector-beibei", limit=3)
    assert [one.kind for one in seen] == ["history", "lookup", "search"]
    for one in seen:
        said = (one.unit, one.certificate, one.purpose, one.plan)
        assert said == ("北碚区生态环境局", WHY["certificate"], WHY["purpose"], WHY["plan"])
    assert seen[0].uscc == code and seen[2].asked == "示例"


def test_a_name_opens_no_record_and_a_code_does_however_it_is_written(town):
    browser, code = inspector(town), enterprise(town)
    name = name_of(town, code)
    told = browser.get("/credit", params={"q": name})
    assert told.status_code == 200 and f'href="/credit/enterprises/{code}"' in told.text
    assert browser.get(f"/credit/enterprises/{name}").headers["location"].startswith("/credit?q=")
    wide = code.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
    for text in (code, code.lower(), f" {code[:6]} {code[6:]}", wide):
        told = browser.get("/credit", params={"q": text})
        assert (told.status_code, told.headers.get("location")) == (303, f"/credit/enterprises/{code}"), text


def test_a_candidate_shows_code_district_and_grade_in_words(town):
    browser, code = inspector(town), enterprise(town)
    told = browser.get("/credit/suggest", params={"q": name_of(town, code)}).text
    assert f"…{code[-6:]}" in told and "重庆市北碚区" in told and "环保诚信企业" in told and "<svg" in told


def test_nothing_found_is_not_a_clean_record_and_one_character_is_too_few(town):
    browser = inspector(town)
    assert "未找到不表示“无不良记录”" in browser.get("/credit/suggest?q=鑫龘靐齉").text
    before = len(accesses(town.records, user="inspector-beibei"))
    assert "再输入" in browser.get("/credit/suggest?q=示").text
    assert len(accesses(town.records, user="inspector-beibei")) == before


def test_an_identity_number_typed_by_mistake_is_not_kept(town):
    """CRD-17."""
    browser, number = inspector(town), "510703190001010015"
    for path in (f"/credit/suggest?q={number}", f"/credit/enterprises/{number}"):
        assert browser.get(path).status_code in (200, 422)
    kept = accesses(town.records, user="inspector-beibei", limit=2)
    assert len(kept) == 2 and all(number not in one.asked + one.uscc for one in kept)


def test_the_page_says_both_grades_the_draft_the_source_and_what_is_not_known(town):
    """I2, CRD-16: an enterprise of the other bureau."""
    foreign = next(one for one in subjects(town) if one.startswith("915107") or one.startswith("9151"))
    told = inspector(town).get(f"/credit/enterprises/{foreign}").text
    for words in (
        "原等级", "共同等级", "cy-2026-1", "建议稿", "有效至", "来源", "回执", "未经核实", "未知事项", "有效日", "所知至",
        "联合激励", "空白不代表信用良好",
    ):  # fmt: skip
        assert words in told, words


def test_both_clocks_are_asked_and_slips_of_days_are_told(town):
    browser, code = inspector(town), enterprise(town)
    then = browser.get(f"/credit/enterprises/{code}?on=2026-04-09&known=2026-04-01").text
    assert "这不是今天的情况" in then and "环保诚信企业" not in then.split('id="ratings"')[0]
    assert browser.get(f"/credit/enterprises/{code}?known=2027-01-01").status_code == 422
    assert "不是日期" in browser.get(f"/credit/enterprises/{code}?on=gestern").text


def test_what_a_person_writes_is_text_on_every_page(town):
    browser = inspector(town, plan=MARK)
    for path in ("/credit", f"/credit/enterprises/{enterprise(town)}", "/credit/looks", "/credit/screen"):
        told = browser.get(path).text
        assert "<script>alert" not in told and "&lt;script" in told, path
    assert "<script>alert" not in browser.get("/credit", params={"q": MARK}).text
    assert "<script>alert" not in browser.get("/verify/slip", params={"code": MARK}).text


def test_where_no_register_was_built_the_page_says_so(tmp_path_factory, town):
    from portal_home import new_home
    from portal_web import people_of

    opened = open_town(new_home(tmp_path_factory.mktemp("bare")))
    people_of(opened)
    try:
        browser = inspector(opened)
        assert "信用库还没有数据" in browser.get("/credit").text
        assert "来源不可用" in browser.get("/credit/suggest?q=示例").text
        told = browser.get("/credit/enterprises/91500109MAYY00018G")
        assert told.status_code == 200 and "来源不可用" in told.text and "环保诚信" not in told.text
    finally:
        opened.records.close()


# -- how much ---------------------------------------------------------------------------------------------------


def test_ten_questions_a_second_and_no_more(town):
    """CRD-05."""
    browser = inspector(town)
    most = trace_limits()["searches-a-second"].value
    told = [browser.get("/credit/suggest?q=示例").status_code for _ in range(most + 2)]
    assert told == [200] * most + [429] * 2
    assert inspector(town, "mianyang").get("/credit/suggest?q=示例").status_code == 200
    town.clock.at += timedelta(seconds=1)
    assert browser.get("/credit/suggest?q=示例").status_code == 200


def test_a_day_has_an_end_for_who_scrapes_and_the_alarm_is_raised(town, monkeypatch):
    """AUZ-12."""
    limits = dict(trace_limits())
    limits["daily-lookups"] = replace(limits["daily-lookups"], value=6)
    limits["bulk-lookups"] = replace(limits["bulk-lookups"], value=3)
    for place in ("portal.web.credit.standing", "credit_registry.trace"):
        monkeypatch.setattr(f"{place}.trace_limits", lambda: limits)
    person = town.person("beibei", "inspector", login="scraper")
    town.people["beibei", "scraper"] = person
    try:
        browser = inspector(town, role="scraper", plan="")
        told = [browser.get(f"/credit/enterprises/{one}").status_code for one in subjects(town)]
    finally:
        del town.people["beibei", "scraper"]
    assert told[:6] == [200] * 6 and set(told[6:]) == {429}
    assert any(one.code == "bulk-lookups" and "scraper" in one.source for one in alarms(town.records))
    town.clock.at += timedelta(days=1)
    assert inspector(town).get(f"/credit/enterprises/{enterprise(town)}").status_code == 200


# -- slips ------------------------------------------------------------------------------------------------------


def test_a_slip_is_one_signed_page_and_its_code_is_checked_by_anybody(town):
    """I4, I5."""
    browser, code = inspector(town), enterprise(town)
    place = browser.post(f"/credit/enterprises/{code}/slip").headers["location"]
    paper, document = browser.get(f"{place}/slip.pdf"), browser.get(f"{place}/slip.json").json()
    assert (
        paper.content.startswith(b"%PDF")
        and paper.content.count(b"/Type /Page\n") + paper.content.count(b"/Type/Page/") <= 1
    )
    assert document["document"] == "gongzhi-slip/1" and document["answer"]["query"]["user"] == "inspector-beibei"
    stranger = town.browser()
    for spelt in (document["verification_code"], document["verification_code"].lower().replace("-", " ")):
        told = stranger.get("/verify/slip", params={"code": spelt}).text
        assert "有效" in told and code in told and "inspector-beibei" not in told and WHY["plan"] not in told
    told = stranger.get(f"/verify/slip/{document['slip_id']}", params={"code": document["verification_code"]}).text
    assert "所载内容至今未变" in told


def test_a_slip_whose_record_changed_is_updated_and_shows_nothing_any_more(town):
    code = subjects(town)[1]
    browser = inspector(town)
    place = browser.post(f"/credit/enterprises/{code}/slip").headers["location"]
    document = browser.get(f"{place}/slip.json").json()
    (line, *_) = document["answer"]["ratings"]["lines"]
    day = (town.clock.at + timedelta(hours=8)).date()
    add_message(
        town.records,
        Message("", "objection", line["bureau"], code, "rating", line["key"], day, "r", "d", "tests", town.clock.at),
    )
    town.clock.at += timedelta(minutes=2)
    told = town.browser().get("/verify/slip", params={"code": document["verification_code"]}).text
    assert "已更新" in told and code not in told and line["issuer"] not in told


def test_a_slip_that_was_tampered_with_or_never_issued_is_not_valid(town):
    stranger = town.browser()
    issued = find_slip(town.records, slip_id=slip_of(town, "beibei"))
    file = slip_file(town.places.home, issued.slip_id)
    whole = file.read_text(encoding="utf-8")
    try:
        file.write_text(whole.replace("环保诚信企业", "环保良好企业"), encoding="utf-8")
        assert "无效" in stranger.get("/verify/slip", params={"code": issued.verification_code}).text
    finally:
        file.write_text(whole, encoding="utf-8")
    other = find_slip(town.records, slip_id=slip_of(town, "mianyang"))
    for path, code in (
        ("/verify/slip", "0000-0000-0000-0000"), ("/verify/slip", "' OR 1=1 --"),
        (f"/verify/slip/{issued.slip_id}", other.verification_code), (f"/verify/slip/{issued.slip_id}", ""),
        ("/verify/slip/..%2f..%2fvault", issued.verification_code), ("/verify/slip", issued.slip_id),
    ):  # fmt: skip
        told = stranger.get(path, params={"code": code})
        assert told.status_code == 404 or ("无效" in told.text and enterprise(town) not in told.text), (path, code)


def test_one_address_checks_ten_slips_a_minute(town):
    stranger = town.browser()
    told = [stranger.get("/verify/slip?code=0000").status_code for _ in range(12)]
    assert told == [200] * 10 + [429] * 2
    assert stranger.get("/verify/slip").status_code == 200  # the page itself costs nothing
    town.clock.at += timedelta(minutes=1)
    assert stranger.get("/verify/slip?code=0000").status_code == 200


def test_papers_of_the_other_bureau_do_not_exist(town):
    """AUZ-02."""
    browser = inspector(town, "mianyang")
    for path in (f"/credit/slips/{slip_of(town, 'beibei')}", f"/credit/screenings/{screening_of(town, 'beibei')}"):
        for tail in ("", "/slip.pdf", "/slip.json", "/result.xlsx", "/result.pdf"):
            assert browser.get(path + tail).status_code == 404
    told = browser.post(f"/credit/screenings/{screening_of(town, 'beibei')}/again", {"line-2": "甲"})
    assert told.status_code == 404


def test_a_code_is_read_as_people_write_it():
    assert as_code("7W75-S82T-MGRl-69NV") == "7W75-S82T-MGR1-69NV"
    assert as_code("U" * 16) == as_code("") == as_code("7W75") == ""


# -- screening --------------------------------------------------------------------------------------------------


def test_a_pasted_list_keeps_its_order_and_every_line_has_its_status(town):
    """I3."""
    browser, code = inspector(town), enterprise(town)
    name = name_of(town, code)
    told = post_list(browser, f"企业名称\n{code}\n{name}\n没有这样一家企业\n\n91500109MAYY00018H\n=1+1\n")
    assert told.status_code == 303, told.text
    kept = read_screening(town.places.home, told.headers["location"].rsplit("/", 1)[1])
    assert [(one["line"], one["status"]) for one in kept.lines] == [
        (2, "hit"), (3, "duplicate"), (4, "none"), (5, "blank"), (6, "bad_code"), (7, "none"),
    ]  # fmt: skip
    book = openpyxl.load_workbook(io.BytesIO(browser.get(told.headers["location"] + "/result.xlsx").content))
    assert book["核查结果"]["B7"].value == "=1+1" and book["核查结果"]["B7"].data_type == "s"
    assert "inspector-beibei" in json.dumps([[c.value for c in row] for row in book["说明"]], ensure_ascii=False)
    assert browser.get(told.headers["location"] + "/result.pdf").content.startswith(b"%PDF")
    (last,) = accesses(town.records, user="inspector-beibei", limit=1)
    assert (last.kind, last.count) == ("screen", 1)


def test_an_uploaded_list_is_read_by_its_header_and_mended_line_by_line(town):
    browser, code = inspector(town), enterprise(town)
    book = openpyxl.Workbook()
    for row in (["序号", "企业名称"], [1, name_of(town, code)[:6]], [2, "没有这样一家企业"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    told = post_list(browser, file=("../../名单.xlsx", out.getvalue()))
    assert told.status_code == 303, told.text
    place = told.headers["location"]
    page = browser.get(f"{place}?status=open").text
    assert "名单.xlsx" in page and ".." not in page.split("<h1>")[1][:80] and 'name="pick-2"' in page
    again = browser.post(f"{place}/again", {"pick-2": code, "line-2": "whatever", "line-3": code})
    kept = read_screening(town.places.home, again.headers["location"].rsplit("/", 1)[1])
    assert [one["status"] for one in kept.lines] == ["hit", "duplicate"] and kept.name.endswith("（更正）")
    same = browser.post(f"{again.headers['location']}/again", {})
    assert same.headers["location"].endswith("status=open")  # nothing was mended: nothing is screened again


@pytest.mark.parametrize(
    ("text", "file", "words"),
    [
        ("", None, "是空的"), ("", ("x.exe", b"MZ"), "不是 Excel 或 CSV"), ("", ("x.csv", b""), "文件是空的"),
        ("", ("x.xlsx", b"PK\x03\x04 no workbook"), "x.xlsx|读|损坏|无法"), ("甲\n" * 5001, None, "5001"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_screened_is_refused_in_words(town, text, file, words):
    told = post_list(inspector(town), text, file)
    assert told.status_code == 422 and any(one in told.text for one in words.split("|"))


def test_a_list_that_is_too_large_or_not_of_our_form_is_not_taken(town):
    browser = inspector(town)
    assert post_list(browser, "甲" * 2 * 2**20).status_code == 413
    assert post_list(browser, "甲", csrf="wrong").status_code == 403
    told = browser.client.post(
        "/credit/screen", content=b"x", headers={"origin": LOCAL, "content-type": "multipart/form-data"}
    )
    assert told.status_code == 400


# -- who looked -------------------------------------------------------------------------------------------------


def test_inspectors_see_their_own_looks_and_reviewers_and_auditors_all_of_their_records(town):
    """CRD-18."""
    code = enterprise(town)
    inspector(town, "mianyang").get(f"/credit/enterprises/{code}")
    own = inspector(town).get("/credit/looks").text
    assert "inspector-mianyang" not in own and "我的查询记录" in own
    for role in ("reviewer", "auditor"):
        told = town.browser(town.session(town.people["beibei", role])).get("/credit/looks").text
        assert "inspector-mianyang" in told and "谁查看过本单位的记录" in told
        mine = town.browser(town.session(town.people["beibei", role])).get("/credit/looks?whose=mine").text
        assert "inspector-mianyang" not in mine
    foreign = town.browser(town.session(town.people["mianyang", "auditor"])).get("/credit/looks").text
    assert code not in foreign


# -- the register held open -------------------------------------------------------------------------------------


def test_a_newer_register_takes_the_place_and_who_reads_the_old_one_goes_on(town):
    opened = OpenRegister(town.places, town.records)
    code = enterprise(town)
    with opened.desk() as before:
        with opened.desk() as same:
            assert same is before
        refresh(town.places, town.clock.at, force=True)
        with opened.desk() as after:
            assert after.register.folder != before.register.folder
        assert before.register.dossier(code) is not None and before.finder.find(code)
    with pytest.raises(Exception, match="closed"):
        before.register.dossier(code)
    with opened.desk() as still:
        assert still.register.folder.name == (folder_of(town.places) / "current").resolve().name
    opened.close()


def test_the_keeper_builds_what_is_missing_and_warms_it(town):
    kept = OpenRegister(town.places, town.records)
    (folder_of(town.places) / "current").unlink()
    kept.keep_up(town.clock.at)
    with kept.desk() as desk:
        assert desk.register is not None and desk.has_data
    kept.close()
    assert site_of(town).records is town.records


def slow() -> None:
    import time

    time.sleep(60)


def broken() -> None:
    raise RuntimeError("a fault of ours")


def test_work_apart_is_ended_when_it_takes_too_long_and_tells_how_it_failed():
    with pytest.raises(TooLong):
        apart(slow, seconds=0.5)
    with pytest.raises(Broken, match="a fault of ours"):
        apart(broken, seconds=60)
    with pytest.raises(Refused) as told:
        apart(read_day, seconds=60)
    assert told.value.message == "不行"
    assert apart(str, 7, seconds=60) == "7"


def read_day() -> None:
    from credit_registry.errors import BadList

    raise BadList("不行", "no")

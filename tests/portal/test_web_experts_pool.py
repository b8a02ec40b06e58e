"""E1: the pool, what staff tell of an expert, lists that come in, one person twice; and that numbers leak nowhere."""

from __future__ import annotations

import base64
import csv
import io
import logging
import re
import time
from pathlib import Path

import openpyxl
import pytest
from portal_experts import BEGUN, FIRST, OTHER, SECOND, Pool, done, hand_in, made_uscc, open_pool, words_of
from portal_home import DELIVERIES
from portal_web import LOCAL, Browser

from expert_registry.roster.pool import load
from portal.web.assets import assets
from portal.web.experts.bringing_in import MOST
from records.expert_access import expert_accesses
from records.expert_listing import expert_ids
from records.expert_pages import changes
from schemas.identifiers import identity_check

HEAD = ("姓名", "证件号码", "工作单位", "单位统一社会信用代码", "专业领域", "职称", "手机号", "证书有效期至", "备注")
AUDITOR = ("beibei", "auditor")
MARKS = ("99999319000101", "1039977")
"""How the identity numbers and telephones of the canaries begin; they stand in no mask."""


def canary(order: int) -> tuple[str, str]:
    """The numbers of one planted person, of nobody's: no region has the code, no telephone begins so."""
    body = f"99999319000101{order:03d}"
    return body + identity_check(body), f"1039977{order:04d}"


def line(order: int, **more: str) -> list[str]:
    identity, phone = canary(order)
    told = (f"金丝雀{chr(0x4E00 + order)}", identity, f"示例第{order}研究院", made_uscc(order), "工业废水与园区污水治理",
            "教授", phone, "2028-12-31", "")  # fmt: skip
    return list((dict(zip(HEAD, told, strict=True)) | more).values())


def as_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([HEAD, *rows])
    return text.getvalue().encode()


def as_book(rows: list[list[str]]) -> bytes:
    book, kept = openpyxl.Workbook(), io.BytesIO()
    for row in (list(HEAD), *rows):
        book.active.append(row)
    book.save(kept)
    return kept.getvalue()


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    made = open_pool(tmp_path_factory.mktemp("experts"), range(1, 61))
    yield made
    made.town.records.close()


@pytest.fixture(autouse=True)
def morning(pool):
    pool.town.clock.at = BEGUN


def staff(pool: Pool, who: tuple[str, str] = FIRST) -> Browser:
    return pool.sit_down(*who)


def test_the_list_goes_page_by_page_and_its_filters_hold(pool):
    browser, seen, path = staff(pool), [], "/experts?bureau=beibei"
    while path:
        page = browser.get(path)
        seen += re.findall(r'href="/experts/(e-\d+)"', page.text)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == 30 and "共 30 人" in words_of(page)
    for query, number in (("q=样例11", 1), ("q=示例研究院2&specialty=A03", 3), ("state=suspended", 0), ("specialty=W", 25),
                          ("state=nowhere&bureau=nowhere&specialty=ZZ", 25), ("q=%25", 0)):  # fmt: skip
        assert len(re.findall(r'href="/experts/e-', browser.get(f"/experts?{query}").text)) == number, query
    assert browser.get("/experts?after=e-nobody").status_code == 404


def test_a_page_of_the_list_is_answered_within_its_time(pool):
    browser, taken = staff(pool), []
    for _ in range(7):
        begun = time.process_time()
        assert browser.get("/experts").status_code == 200
        taken.append(time.process_time() - begun)
    assert min(taken) < 0.05, taken  # of work: what a disk or a busy machine adds is no fault of the page


def test_an_expert_is_suspended_and_taken_back_with_a_reason_by_their_own_bureau(pool):
    browser, path = staff(pool), "/experts/e-00002"
    assert "暂停（已暂停）" in words_of(browser.get(path))
    assert browser.post(f"{path}/state", {"state": "suspended"}).status_code == 422
    done(browser.post(f"{path}/state", {"state": "suspended", "reason": "核实中，电话 13800005678"}))
    page = words_of(browser.get(path))
    assert "已暂停" in page and "恢复（聘任中）" in page and "138****5678" in page and "13800005678" not in page
    assert browser.post(f"{path}/state", {"state": "checked", "reason": "x"}).status_code == 409
    done(browser.post(f"{path}/state", {"state": "appointed", "reason": "核实完毕"}))
    assert staff(pool, OTHER).post(f"{path}/state", {"state": "suspended", "reason": "x"}).status_code == 404
    assert "只能查看" in words_of(staff(pool, OTHER).get(path))
    told = [(one.kind, one.by) for one in changes(pool.town.records, "e-00002")]
    assert told[-2:] == [("state", "expert_manager-beibei")] * 2


@pytest.mark.parametrize(
    ("form", "fields", "shown"),
    [
        ("leave", {"since": "2026-07-01", "until": "2026-07-31", "reason": "出国访学"}, "出国访学"),
        ("employment", {"employer": "示例涂料有限公司", "role": "director", "since": "2021-03-01", "source": "申报表"}, "董事"),
        ("consent", {"kind": "publication", "document": "同意书9号"}, "同意书9号"),
        ("tie", {"kind": "adviser_or_contract_3y", "party": "示例涂料有限公司", "source": "申报表"}, "三年内有顾问或合同关系"),
        ("tie", {"kind": "namesake_cleared", "party": "周示例", "source": "身份核对", "reason": "不是同一人"}, "同名已核实"),
    ],
)  # fmt: skip
def test_what_staff_tell_is_kept_and_shown(pool, form, fields, shown):
    done(staff(pool).post(f"/experts/e-00006/{form}", fields))
    page = words_of(staff(pool).get("/experts/e-00006"))
    assert shown in page and "expert_manager-beibei" in page
    assert staff(pool, OTHER).post(f"/experts/e-00006/{form}", fields).status_code == 404
    assert staff(pool, SECOND).post(f"/experts/e-00006/{form}", fields).status_code == 403


def test_what_is_told_wrongly_is_refused_and_changes_nothing(pool):
    before = len(changes(pool.town.records, "e-00008"))
    for form, fields, words in (
        ("leave", {"since": "2026-07-01"}, "起止日"), ("leave", {"since": "2026-07-02", "until": "2026-07-01"}, "早于"),
        ("leave", {"since": "2026-13-01", "until": "2026-07-01"}, "不存在"), ("consent", {"kind": "all", "document": "x"}, "不认识"),
        ("employment", {"employer": "甲", "role": "king", "source": "x"}, "不认识"),
        ("tie", {"kind": "namesake_cleared", "party": "周", "source": "x"}, "写明理由后登记"),
        ("employment", {"employer": "没有的单位", "ended": "yes", "until": "2026-01-01", "source": "x"}, "没有在任"),
    ):  # fmt: skip
        answer = staff(pool).post(f"/experts/e-00008/{form}", fields)
        assert answer.status_code == 422 and words in words_of(answer), (form, words_of(answer)[:200])
    assert len(changes(pool.town.records, "e-00008")) == before


def test_an_auditor_says_why_and_passes_the_second_factor_before_seeing_anybody(pool):
    town = pool.town
    browser = staff(pool, AUDITOR)
    for path in ("/experts", "/experts/e-00002", "/experts/matches", "/experts/recusal"):
        page = browser.get(path)
        assert page.status_code == 200 and "请先写明查看目的" in page.text and "样例" not in page.text
    assert "样例" in browser.get("/experts?purpose=年度抽查").text
    assert "谁查看过" in browser.get("/experts/e-00002?purpose=年度抽查").text
    look = expert_accesses(town.records, expert_id="e-00002")[0]
    assert (look.by, look.role, look.unit, look.purpose) == ("auditor-beibei", "auditor", "beibei", "年度抽查")
    without = town.browser(town.session(town.people["beibei", "auditor"]))
    assert "样例" not in without.get("/experts/e-00002?purpose=年度抽查").text
    assert browser.post("/experts/e-00002/state", {"state": "suspended", "reason": "x"}).status_code == 403


def test_hostile_words_are_shown_as_words(pool):
    mark = "</dd><script>alert(1)</script>{{7*7}}"
    done(staff(pool).post("/experts/e-00010/leave", {"since": "2026-07-01", "until": "2026-07-02", "reason": mark}))
    page = staff(pool).get("/experts/e-00010").text
    assert "<script>alert" not in page and "{{7*7}}" in page
    assert "<script>alert" not in staff(pool).get("/experts", params={"q": mark}).text


# -- lists --------------------------------------------------------------------------------------------------------


def test_both_lists_come_in_and_the_same_person_is_decided_by_a_person(tmp_path):
    own = open_pool(tmp_path, ())
    for who, name in ((FIRST, "beibei/专家名册_2026年.xlsx"), (OTHER, "mianyang/专家名册_2026年.csv")):
        told = hand_in(staff(own, who), "/experts/import", Path(name).name, (DELIVERIES / name).read_bytes())
        assert told.status_code == 200 and "已入库" in words_of(told), words_of(told)
    page = staff(own).get("/experts/matches").text
    pair = re.search(r'name="pair" value="([^"]+)"', page)[1]
    refused = staff(own).post("/experts/matches", {"pair": pair, "decision": "same", "reason": ""})
    assert refused.status_code == 422
    done(staff(own).post("/experts/matches", {"pair": pair, "decision": "same", "reason": "核对证件一致"}))
    assert "核对证件一致" in staff(own, OTHER).get("/experts/matches?state=same").text
    done(staff(own, OTHER).post("/experts/matches", {"pair": pair, "decision": "undo", "reason": "核实有误"}))
    assert pair in staff(own).get("/experts/matches").text
    assert (
        staff(own).post("/experts/matches", {"pair": "x-nowhere", "decision": "same", "reason": "x"}).status_code == 404
    )
    assert staff(own, AUDITOR).post("/experts/matches", {"pair": pair, "decision": "same"}).status_code == 403
    own.town.records.close()


@pytest.mark.parametrize(
    ("name", "data", "status", "words"),
    [
        ("", b"", 422, "没有选择文件"), ("名册.xlsx", b"", 422, "没有选择文件"), ("名册.docx", b"x", 422, "只接受"),
        ("名册.xlsx", b"not a workbook", 422, "未入库"), ("名册.csv", "姓名\n甲".encode(), 422, "未入库"),
        ("名册.csv", b"x" * (MOST + 40_000), 413, "5 MB"), ("../../名册.CSV", as_csv([line(900, 姓名="")]), 422, "逐行报告"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_in_words(pool, name, data, status, words):
    before = expert_ids(pool.town.records)
    told = hand_in(staff(pool), "/experts/import", name, data)
    assert told.status_code == status and words in words_of(told), words_of(told)[:400]
    assert expert_ids(pool.town.records) == before and not list((pool.town.places.home / "scratch").glob("*"))


def test_a_list_without_the_token_or_from_another_site_is_not_taken(pool):
    browser, data = staff(pool), as_csv([line(901)])
    assert hand_in(browser, "/experts/import", "a.csv", data, csrf="0" * 64).status_code == 403
    files = {"file": ("a.csv", data, "text/csv")}
    assert (
        browser.client.post("/experts/import", files=files, headers={"origin": "https://evil.example"}).status_code
        == 403
    )
    assert browser.client.post("/experts/import", files=files, headers={"origin": LOCAL}).status_code == 403
    assert hand_in(staff(pool, SECOND), "/experts/import", "a.csv", data).status_code == 403


# -- canaries -----------------------------------------------------------------------------------------------------


def readings(data: bytes) -> str:
    """Bytes as text in every way a number might hide in them: as they are, without blanks, and out of Base64 or hex."""
    plain = re.sub(r"[\s\-]+", "", data.decode("utf-8", "ignore"))
    wide = data.decode("utf-16-le", "ignore")
    found = [plain, wide]
    for word in re.findall(rb"[A-Za-z0-9+/_-]{24,}", data):
        for start in range(4):
            part = word[start:].replace(b"-", b"+").replace(b"_", b"/")
            found.append(base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1"))
    return "\n".join(found)


def test_numbers_of_people_appear_on_no_page_in_no_log_and_in_no_file(tmp_path, caplog, monkeypatch):
    """R22: planted numbers, every page of every role without the right, the log, all temporary files and the home."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    own, said = open_pool(tmp_path / "own", range(1, 25)), []
    caplog.set_level(logging.DEBUG)
    good, bad = [line(n) for n in range(1, 26)], [line(n) for n in range(30, 40)]
    identity, phone = canary(41)
    bad += [
        line(41, 姓名=identity),
        line(42, 专业领域=phone),
        line(43, 证件号码=canary(43)[0][:-1] + "甲"),
        [phone, identity],
    ]
    for who, rows, write, name in (
        (FIRST, good, as_book, f"{canary(1)[0]}.xlsx"), (OTHER, good[:3], as_csv, "b.csv"), (FIRST, bad, as_book, "c.xlsx"),
        (FIRST, bad, as_csv, f"{phone}.csv"),
    ):  # fmt: skip
        told = hand_in(staff(own, who), "/experts/import", name, write(rows), appointed="聘书1号", since="2025-01-01",
                       until="2029-01-01")  # fmt: skip
        assert told.status_code == (200 if rows is not bad else 422)
        said.append(told.text)
    own.town.clock.at = BEGUN
    ids = expert_ids(own.town.records)
    assert len(ids) == 24 + 25 + 3
    someone = next(one for one in ids if not re.fullmatch(r"e-000\d\d", one))
    done(staff(own).post("/experts/" + _of(own, "beibei") + "/leave",
                         {"since": "2026-07-01", "until": "2026-07-02", "reason": f"请打 {phone[:3]} {phone[3:7]} {phone[7:]}"}))  # fmt: skip
    for who in (
        FIRST,
        OTHER,
        SECOND,
        AUDITOR,
        ("beibei", "inspector"),
        ("beibei", "uploader"),
        ("beibei", "administrator"),
    ):
        for path in ("/experts", "/experts?q=金丝雀", f"/experts/{someone}", "/experts/matches", "/draws", "/public/draws",
                     "/experts?purpose=抽查", "/experts/matches?purpose=抽查"):  # fmt: skip
            said.append(staff(own, who).get(path).text)
            assert who in (FIRST, OTHER, AUDITOR) or "金丝雀" not in said[-1].replace("q=金丝雀", ""), (who, path)
    masked = staff(own).get(f"/experts/{someone}").text
    assert "**********" in masked and "103****" in masked
    echoed = [
        text
        for text in said
        if any(mark in readings(text.encode()) for mark in MARKS) and f'value="{phone}"' not in text
    ]
    assert not echoed, echoed[0][:2000]
    clear = staff(own, AUDITOR).get(f"/experts/{someone}?purpose=抽查").text  # who may see them, and has said why
    assert any(mark in clear for mark in MARKS)
    logged = "\n".join(one.getMessage() for one in caplog.records if one.name.partition(".")[0] != "httpx")
    assert not any(mark in readings(logged.encode()) for mark in (*MARKS, "金丝雀"))
    for path in sorted(
        [*temporary.rglob("*"), *own.town.places.home.rglob("*"), *Path("/dev/shm").glob("gongzhi-*/**/*")]
    ):
        if path.is_file():
            assert not any(mark in readings(path.read_bytes()) for mark in MARKS), path
    own.town.records.close()


def _of(pool: Pool, bureau: str) -> str:
    return next(one.expert_id for one in load(pool.town.records, bureau=bureau) if one.name.startswith("金丝雀"))


def test_the_template_of_a_list_can_be_filled_in_and_handed_in(pool):
    told = staff(pool).get("/experts/template.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    header = [cell.value for cell in book.worksheets[0][1] if cell.value]
    assert set(header) >= {"姓名", "证件号码", "工作单位", "专业领域"}
    assert staff(pool, SECOND).get("/experts/template.xlsx").status_code == 403


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_word_of_the_room_is_there_in_both_languages(pool, lang):
    """English pages hold no Chinese of ours (names, places and employers stay as they are), Chinese ones no bare codes."""
    for path in ("/experts/import", "/draws/new", "/draws", "/public/draws"):
        page = words_of(staff(pool).get(path, params={"lang": lang}))
        assert ("Ask for" in page or "Draws" in page or "Import" in page) == (lang == "en"), path


def test_styles_of_the_room_stay_small():
    assert len(assets()["experts.css"].content) <= 8192

"""上传 to 回执 without scripts: the form, the check, the findings, the hand-in, the receipt, and who may see them."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from portal_filings import CLEAN, checked, example, settle, upload
from portal_web import MARK, Person, Town
from pypdf import PdfReader

from portal.web.asking import csrf_token
from records.filings import filing, filing_of_batch

FAULTY = "空气小时值_2026-04-08.xlsx"
"""One row of it names a station that was another bureau's at the time."""


def of(town: Town, bureau: str = "beibei", role: str = "uploader") -> Any:
    return town.browser(town.session(town.people[bureau, role]))


def fresh(content: bytes) -> bytes:
    """The same CSV with a line nobody reads, so that it is not a repeat of another test's."""
    fresh.count += 1  # type: ignore[attr-defined]
    return (
        content.rstrip(b"\r\n")
        + b"\r\n"
        + "注：第".encode("gb18030")
        + str(fresh.count).encode()
        + "份".encode("gb18030")
        + b"\r\n"
    )


fresh.count = 0  # type: ignore[attr-defined]


def clean(bureau: str = "mianyang") -> bytes:
    return fresh(example(bureau, CLEAN[bureau]))


def number_in(location: str) -> str:
    return location.rpartition("/")[2].partition("?")[0]


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


# -- the form ---------------------------------------------------------------------------------------------------


def test_the_form_tells_the_limits_before_a_file_is_chosen(town):
    text = of(town).get("/filings/new").text
    for said in (
        "空气",
        "地表水",
        "土壤",
        "环境信用评价",
        "行政处罚",
        "自动识别",
        "50.0 MB",
        "UTF-8 或 GBK",
        "仅预检",
        "/templates/air.xlsx",
    ):
        assert said in text, said
    assert 'enctype="multipart/form-data"' in text and "multiple" in text


def test_the_address_fills_the_form_in(town):
    """UIX-09: who had to sign in again finds kind and period as he left them."""
    stranger = town.browser()
    asked = stranger.get("/filings/new?dataset=water&period=2026-03&purpose=check")
    assert asked.status_code == 303 and "next=%2Ffilings%2Fnew%3Fdataset%3Dwater" in asked.headers["location"]
    text = of(town).get("/filings/new?dataset=water&period=2026-03&purpose=check").text
    assert re.search(r'value="water"[^>]* checked', text) and 'value="2026-03"' in text
    assert re.search(r'name="purpose" value="check" checked', text)


def test_the_template_of_a_kind_of_data_holds_the_stations_of_the_bureau(town):
    told = of(town).get("/templates/air.xlsx")
    assert told.status_code == 200 and "filename*=UTF-8''" in told.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    assert "1414A" in {str(cell.value) for row in book["代码表"].iter_rows() for cell in row}
    book.close()
    assert of(town).get("/templates/experts.xlsx").status_code == 404
    assert of(town).get("/templates/nothing.xlsx").status_code == 404


def test_what_is_wrong_with_the_form_is_told_and_nothing_filled_in_is_lost(town):
    told = upload(of(town), {}, dataset="water", period="April")
    assert told.status_code == 422 and told.text.count("没有选择文件") == 2
    assert (
        "不是有效的期间" in told.text
        and re.search(r'value="water"[^>]* checked', told.text)
        and 'value="April"' in told.text
    )


def test_a_form_of_another_session_uploads_nothing(town):
    """UIX-15: two users in two tabs."""
    other = csrf_token(town.session(town.people["mianyang", "uploader"]))
    told = upload(of(town), {CLEAN["beibei"]: example("beibei")}, csrf=other)
    assert told.status_code == 403 and "stale-form" in told.text


# -- the check --------------------------------------------------------------------------------------------------


def test_a_file_goes_from_the_form_to_its_receipt(town):
    """U2, U3, U4, U6, U7: seven pages, no script."""
    browser = of(town, "mianyang")
    sent = upload(browser, {CLEAN["mianyang"]: clean()}, dataset="air", period="2026-04-06", purpose="file")
    assert sent.status_code == 303
    address = sent.headers["location"]
    waiting = browser.get(address)
    assert (
        "排队" in waiting.text
        and '<noscript><meta http-equiv="refresh"' in waiting.text
        and "可以关闭本页" in waiting.text
    )
    asked = browser.get(f"{address}/progress?n=3")
    assert "n=4" in asked.text and "delay:1953ms" in asked.text and 'aria-current="step"' in asked.text
    settle(town)
    assert browser.get(f"{address}/progress?n=4").headers["hx-redirect"] == address
    seen = browser.get(address)
    assert "共 96 行：通过 96，需修改 0，请确认 0 处" in seen.text and "没有发现问题" in seen.text
    summary = browser.get(f"{address}/hand-in").text
    for said in ("96", "576", "2026-04-06", "24/24", "100%", "PM2.5", "我已核对"):
        assert said in plain(summary), said
    without = browser.post(f"{address}/hand-in")
    assert without.status_code == 422 and "提交声明：没有打勾" in without.text
    done = browser.post(f"{address}/hand-in", {"statement": "yes"})
    receipt = done.headers["location"]
    assert done.status_code == 303 and receipt.startswith("/receipts/R")
    again = browser.post(f"{address}/hand-in", {"statement": "yes"})
    assert again.headers["location"] == receipt and browser.get(f"{address}/hand-in").headers["location"] == receipt
    assert "已收到，正在复核和发布" in browser.get(receipt).text
    settle(town)
    told = plain(browser.get(receipt).text)
    made = filing(town.records, number_in(address))
    assert made.state == "published"
    for said in (
        "已发布",
        "绵阳市生态环境局",
        made.sha256,
        made.sm3,
        "读取 96 ＝ 通过 96 ＋ 退回 0",
        "+08:00",
        "2026-04-06",
        "新增",
    ):
        assert said in told, said


def test_an_upload_sent_twice_is_one_filing_and_one_receipt(town):
    """UPL-04, UPL-15."""
    browser, content = of(town, "mianyang"), clean()
    first, second = (upload(browser, {"a.csv": content}, key="k" * 20, purpose="file") for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    settle(town)
    address = first.headers["location"]
    receipts = {browser.post(f"{address}/hand-in", {"statement": "yes"}).headers["location"] for _ in range(3)}
    settle(town)
    later = upload(browser, {"a.csv": content}, key="m" * 20, purpose="file").headers["location"]
    settle(town)
    repeated = browser.post(f"{later}/hand-in", {"statement": "yes"}).headers["location"]
    assert len(receipts) == 1 and repeated == f"{receipts.pop()}?again=1"
    assert "没有重复登记" in browser.get(repeated).text


def test_several_files_are_several_filings_on_one_page(town):
    browser = of(town, "mianyang")
    sent = upload(browser, {"甲.csv": clean(), "乙.csv": clean()}, purpose="check")
    assert sent.status_code == 303 and sent.headers["location"].startswith("/filings?group=F")
    text = browser.get(sent.headers["location"]).text
    assert "甲.csv" in text and "乙.csv" in text
    settle(town)
    assert browser.get(sent.headers["location"]).text.count("预检完成") == 2
    group = sent.headers["location"]
    assert "甲.csv" not in of(town, "beibei").get(group).text


def test_one_bad_file_among_several_does_not_lose_the_others(town):
    told = upload(of(town, "mianyang"), {"好.csv": clean(), "坏.csv": b"MZ\x90\x00" + b"\0" * 5000}, purpose="check")
    assert told.status_code == 422 and "坏.csv" in told.text


def test_findings_stand_by_rule_with_row_column_value_and_remedy(town):
    made = checked(town, town.people["beibei", "uploader"], FAULTY, example("beibei", FAULTY), purpose="check")
    text = plain(of(town).get(f"/filings/{made.filing_id}").text)
    assert "共 73 行：通过 72，需修改 1" in text and "该站点编码在此时刻不属于本局" in text
    for said in ("第 33 行", "A 列", "1428A", "请改为：归属期内的时刻", "AIR-006", "必须修改 1", "请确认 0", "提示"):
        assert said in text, said
    assert "预检完成" in text and "核对并提交" not in text and "提交其余" not in text


def test_the_findings_are_filtered_and_downloaded_whole(town):
    made = checked(town, town.people["beibei", "uploader"], FAULTY, example("beibei", FAULTY), purpose="check")
    browser, address = of(town), f"/filings/{made.filing_id}"
    assert "符合条件 1" in plain(browser.get(f"{address}?q=1428A").text)
    assert "符合条件 0" in plain(browser.get(f"{address}?q=nothing&rule=AIR-006").text)
    rows = list(csv.reader(io.StringIO(browser.get(f"{address}/findings.csv").content.decode("utf-8-sig"))))
    assert len(rows) == 1 + made.findings_total and "1428A" in rows[1]
    told = browser.get(f"{address}/annotated.xlsx")
    assert "%E6%A0%87%E6%B3%A8.xlsx" in told.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    assert any("错误说明" in str(cell.value) for row in book.worksheets[0].iter_rows() for cell in row)
    book.close()


def test_the_good_rows_go_out_only_once_it_is_agreed_that_the_others_stay(town):
    made = checked(
        town, town.people["beibei", "uploader"], FAULTY, example("beibei", FAULTY) + b"", period="2026-04-08"
    )
    browser, address = of(town), f"/filings/{made.filing_id}"
    assert "提交其余 72 行" in browser.get(address).text
    told = browser.post(f"{address}/hand-in", {"statement": "yes"})
    assert told.status_code == 422 and "不提交的行：没有打勾" in told.text
    done = browser.post(f"{address}/hand-in", {"statement": "yes", "rest": "yes"})
    assert done.status_code == 303  # the night had this file: its first receipt is given again
    assert filing(town.records, made.filing_id).state == "repeated"


def test_what_is_suspect_wants_a_tick_or_a_reason(town):
    """A value far above its neighbours is flagged; it goes out once somebody said that he looked."""
    browser, made = flagged(town)
    address = f"/filings/{made.filing_id}"
    assert made.to_confirm and not made.blocking and "请确认" in browser.get(address).text
    rules = [group["rule"] for group in made.summary["groups"] if group["severity"] == "flag"]
    page = browser.get(f"{address}/hand-in").text
    assert all(f'name="sure-{rule}"' in page and f'name="why-{rule}"' in page for rule in rules)
    told = browser.post(f"{address}/hand-in", {"statement": "yes"})
    assert told.status_code == 422 and told.text.count("没有确认") == 2 * len(rules)
    done = browser.post(f"{address}/hand-in", {"statement": "yes"} | {f"why-{rule}": "沙尘天气" for rule in rules})
    assert done.status_code == 303
    assert filing(town.records, made.filing_id).confirmations == dict.fromkeys(rules, "沙尘天气")


def flagged(town: Town) -> tuple[Any, Any]:
    text = example("mianyang", "空气小时值_20260407.csv").decode("gb18030")
    lines = [re.sub(r"^(1878A,[^,]*,2026-04-07 \d\d:00),\d+,", r"\1,77,", line) for line in text.splitlines()]
    content = fresh("\r\n".join(lines).encode("gb18030"))
    return of(town, "mianyang"), checked(town, town.people["mianyang", "uploader"], "恒值.csv", content)


def test_a_file_that_cannot_be_read_says_why_and_how_to_go_on(town):
    browser = of(town)
    sent = upload(
        browser, {"表.csv": "甲,乙\r\n1,2\r\n".encode("gb18030")}, purpose="file", dataset="air", period="2026-04"
    )
    settle(town)
    text = browser.get(sent.headers["location"]).text
    assert "不认识的格式" in text and "配置一次格式" in text and "/templates/air.xlsx" in text
    assert f'href="/studio/{number_in(sent.headers["location"])}"' in text
    assert "需修改" in text and "修改后重新上传" in text and "dataset=air&amp;period=2026-04" in text
    assert browser.get(sent.headers["location"] + "/hand-in").status_code == 303
    assert (
        browser.post(sent.headers["location"] + "/hand-in", {"statement": "yes"}).headers["location"]
        == sent.headers["location"]
    )


def test_a_draft_is_dropped_and_stays_readable_as_withdrawn(town):
    browser = of(town, "mianyang")
    made = checked(town, town.people["mianyang", "uploader"], "草稿.csv", clean())
    told = browser.post(f"/filings/{made.filing_id}/withdraw")
    assert told.status_code == 303 and "已撤回" in browser.get(told.headers["location"]).text
    assert browser.get(f"/filings/{made.filing_id}/annotated.xlsx").status_code == 409
    assert (
        browser.post(f"/filings/{made.filing_id}/hand-in", {"statement": "yes"})
        .headers["location"]
        .startswith("/filings/")
    )


def test_twenty_thousand_findings_are_a_page_of_a_thousand_in_two_seconds(town):
    """UIX-01."""
    head = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注\r\n"
    rows = "".join(f"9999X,某站,2026-04-07 {n % 24:02d}:00,{n % 90},,,,,,\r\n" for n in range(20_000))
    made = checked(town, town.people["mianyang", "uploader"], "两万.csv", (head + rows).encode(), purpose="check")
    assert made.findings_total >= 20_000
    browser = of(town, "mianyang")
    browser.get("/filings/new")
    begun_at = time.perf_counter()
    told = browser.get(f"/filings/{made.filing_id}")
    took = time.perf_counter() - begun_at
    assert took <= 2 and len(told.content) < 600_000 and "只看这一项（前 1,000 处）" in told.text
    rule = re.search(r"\?rule=([A-Z]+-\d+)", told.text)
    assert rule is not None
    only = browser.get(f"/filings/{made.filing_id}?rule={rule[1]}")
    assert only.text.count("9999X") >= 1000 and only.text.count("<tr>") <= 1010


# -- who may see it ---------------------------------------------------------------------------------------------


def test_a_filing_of_the_other_bureau_is_as_if_it_were_not_there(town):
    """AUZ-02, AUZ-06."""
    made = checked(town, town.people["mianyang", "uploader"], "绵阳的草稿.csv", clean())
    browser = of(town, "beibei")
    for part in ("", "/progress", "/annotated.xlsx", "/findings.csv", "/hand-in"):
        assert browser.get(f"/filings/{made.filing_id}{part}").status_code == 404
    for part in ("/hand-in", "/withdraw"):
        assert browser.post(f"/filings/{made.filing_id}{part}", {"statement": "yes"}).status_code == 404
    for path in ("/", "/batches", "/filings", "/batches?q=绵阳的草稿", "/batches?state=checked"):
        assert "绵阳的草稿.csv" not in browser.get(path).text, path
    assert "绵阳的草稿.csv" in of(town, "mianyang").get("/batches").text
    assert filing(town.records, made.filing_id).state == "checked"


def test_who_may_only_check_hands_nothing_in(town):
    browser = of(town, "mianyang", "reviewer")
    assert "只能预检文件" in browser.get("/filings/new").text
    assert upload(browser, {"a.csv": clean()}, purpose="file").status_code == 403
    sent = upload(browser, {"a.csv": clean()}, purpose="check")
    settle(town)
    assert sent.status_code == 303 and "预检完成" in browser.get(sent.headers["location"]).text


def test_marks_in_names_and_cells_stay_marks(town):
    """WEB-02."""
    name = MARK.replace("/", "∕")[:60] + ".csv"
    content = "站点编码,站点名称,监测时间,PM2.5(μg/m3)\r\n<img src=x>,{{7*7}},2026-04-07 00:00,1\r\n".encode()
    made = checked(town, town.people["mianyang", "uploader"], name, content, reason=MARK)
    browser = of(town, "mianyang")
    for path in (
        f"/filings/{made.filing_id}",
        "/filings",
        "/batches",
        "/",
        f"/filings/new?period={MARK[:30]}&reason=%3Cscript%3E",
    ):
        text = browser.get(path).text
        assert "<img src=x" not in text and "<script>alert" not in text and "49" not in re.findall(r">(49)<", text)
    browser.post(f"/filings/{made.filing_id}/withdraw")


# -- the receipt ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(town: Town) -> tuple[Person, str]:
    """A delivery of a person, out, and its receipt number."""
    person = town.people["mianyang", "uploader"]
    made = checked(town, person, "四月六日.csv", clean())
    browser = of(town, "mianyang")
    done = browser.post(f"/filings/{made.filing_id}/hand-in", {"statement": "yes"})
    settle(town)
    return person, number_in(done.headers["location"])


def test_the_receipt_is_a_page_of_paper(town, published):
    _, number = published
    told = of(town, "mianyang").get(f"/receipts/{number}.pdf")
    assert told.status_code == 200 and told.headers["content-type"] == "application/pdf"
    pages = PdfReader(io.BytesIO(told.content)).pages
    text = re.sub(r"[\s\u200b]", "", pages[0].extract_text())
    batch = town.records.batch(number)
    assert len(pages) == 1
    for said in (number, "绵阳市生态环境局", batch.sha256, batch.sm3, "数据报送回执", "读取96＝通过96＋退回0"):
        assert said in text, said


def test_anybody_with_number_and_hash_verifies_a_receipt(town, published):
    _, number = published
    batch = town.records.batch(number)
    stranger = town.browser()
    told = stranger.get(f"/verify/receipt?number={number}&hash={batch.sha256[:16].upper()}")
    assert (
        told.status_code == 200 and "有效" in told.text and "绵阳市生态环境局" in told.text and batch.sm3 in told.text
    )
    for number_said, mark in (
        (number, batch.sha256[:15]),
        (number, "0" * 64),
        (batch.batch_id, batch.sha256),
        ("R1", "a" * 64),
    ):
        wrong = stranger.get(f"/verify/receipt?number={number_said}&hash={mark}").text
        assert "无效" in wrong and batch.sm3 not in wrong


def test_the_signed_receipt_is_verified_as_text_and_a_changed_one_is_not(town, clock, published):
    _, number = published
    clock.at += timedelta(minutes=5)
    text = of(town, "mianyang").get(f"/batches/{number}/receipt.json").text
    stranger = town.browser()
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', stranger.get("/verify/receipt").text)
    assert token is not None
    sent = stranger.post("/verify/receipt", {"receipt": text.replace("\n", "\r\n")}, csrf=token[1])
    assert sent.status_code == 200 and "签名有效" in sent.text and "有效" in sent.text
    changed = json.dumps(json.loads(text) | {"bytes": 1}, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    wrong = stranger.post("/verify/receipt", {"receipt": changed}, csrf=token[1]).text
    assert "无效" in wrong and "回执所载" not in wrong


def test_one_address_tries_ten_times_a_minute(town, clock):
    clock.at += timedelta(minutes=10)
    stranger = town.browser()
    answers = [stranger.get(f"/verify/receipt?number=R{n}&hash={'a' * 16}").status_code for n in range(11)]
    assert answers == [200] * 10 + [429]
    assert stranger.get("/verify/receipt").status_code == 200  # the empty form costs nothing
    clock.at += timedelta(seconds=61)
    assert stranger.get(f"/verify/receipt?number=R&hash={'a' * 16}").status_code == 200


def test_the_file_comes_back_byte_by_byte_under_its_name(town):
    """UPL-02."""
    name = '四月"；\u202e七日.csv'
    content = clean()
    made = checked(town, town.people["mianyang", "uploader"], name, content)
    browser = of(town, "mianyang")
    number = number_in(browser.post(f"/filings/{made.filing_id}/hand-in", {"statement": "yes"}).headers["location"])
    told = browser.get(f"/batches/{number}/raw")
    assert told.content == content and told.headers["content-type"] == "application/octet-stream"
    assert re.fullmatch(
        r"attachment; filename=\"[!-~ ]+\"; filename\*=UTF-8''[A-Za-z0-9%._-]+", told.headers["content-disposition"]
    )
    assert of(town, "mianyang", "auditor").get(f"/batches/{number}/raw").status_code == 403
    settle(town)


# -- versions ---------------------------------------------------------------------------------------------------


def test_a_correction_shows_old_and_new_and_waits_for_a_reviewer(town, published):
    """U9: the earlier version stays readable and says that it was corrected."""
    person, number = published
    browser = of(town, "mianyang")
    page = browser.get(f"/filings/new?corrects={number}").text
    assert number in page and "更正原因" in page and 'name="dataset" value="air"' in page and "multiple" not in page
    without = upload(browser, {"更正.csv": clean()}, corrects=number, purpose="file")
    assert without.status_code == 422 and "更正原因：没有填写" in without.text
    text = example("mianyang", CLEAN["mianyang"]).decode("gb18030")
    content = fresh(re.sub(r"(1878A,[^,]*,2026-04-06 03:00),\d+,", r"\1,47,", text).encode("gb18030"))
    sent = upload(browser, {"更正.csv": content}, corrects=number, reason="仪器复核", purpose="file")
    settle(town)
    summary = plain(browser.get(sent.headers["location"] + "/hand-in").text)
    assert number in summary and "仪器复核" in summary
    done = browser.post(sent.headers["location"] + "/hand-in", {"statement": "yes"})
    receipt = done.headers["location"]
    assert "待审核" in browser.get(receipt).text
    reviewer = of(town, "mianyang", "reviewer")
    assert reviewer.post(f"/reviews/{number_in(sent.headers['location'])}/approve").status_code == 303
    settle(town)
    changes = plain(browser.get(f"/batches/{number_in(receipt)}/changes").text)
    assert "更正" in changes and "47" in changes
    first = browser.get(f"/receipts/{number}").text
    assert "已由此回执更正" in first and number_in(receipt) in first
    batch = town.records.batch(number)
    assert "已更新" in town.browser().get(f"/verify/receipt?number={number}&hash={batch.sha256}").text
    assert filing_of_batch(town.records, town.records.batch(number_in(receipt)).batch_id) is not None


def test_the_history_is_chosen_by_period_and_lateness(town):
    browser = of(town, "mianyang")
    assert "共 0 条" in browser.get("/batches?period=2025-01").text
    april = plain(browser.get("/batches?period=2026-04-08").text)
    assert "共 0 条" not in april and "更正.csv" in april
    folder = town.places.site_facts / "mianyang"
    folder.mkdir(parents=True, exist_ok=True)
    declared = folder / "sources.toml"
    declared.write_text(
        '[[sources]]\nname = "watched"\ntitle = "日报"\nkind = "folder"\npath = "inbox/daily"\ndataset = "air"\nsource = "tests"\n'
        '[sources.due]\nevery = "day"\nby = "09:00"\nlag = 1\n',
        encoding="utf-8",
    )  # fmt: skip
    try:
        late = plain(browser.get("/batches?late=1").text)
        form = browser.get("/filings/new").text
        desk = browser.get("/").text
    finally:
        declared.unlink()
    assert "四月六日.csv" in late and "空气小时值_20260408_更正.csv" not in late
    assert re.search(r'value="air" data-period="2026-04-0\d"[^>]* checked', form) and "截止" in form
    assert re.search(r"/filings/new\?dataset=air&amp;period=2026-04-0\d", desk)


def test_the_menu_and_the_desk_have_one_way_in(town):
    text = of(town).get("/").text
    main = text.partition("<main")[2]
    assert main.count('class="button') == 1 and 'href="/filings/new"' in main
    assert "/filings/new" not in of(town, role="inspector").get("/").text


def test_whom_to_ask_is_told_where_the_home_says_it(town, published):
    _, number = published
    path = town.places.site_facts / "contacts.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[mianyang]\noffice = "监测科"\ntelephone = "分机 8"\nsource = "tests"\n', encoding="utf-8")
    try:
        assert "监测科 分机 8" in of(town, "mianyang").get(f"/receipts/{number}").text
    finally:
        path.unlink()
    assert "系统管理员" in of(town, "mianyang").get(f"/receipts/{number}").text

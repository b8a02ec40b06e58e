"""Screening a list: order and numbers kept, a status for each line, text that stays text, a result that is kept."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import UTC, date, datetime

import openpyxl
import pytest
from made_credit import FIRM, HOUR, OTHER, T0, made_code, name, penalty, publish, rating

from credit_registry.answers import compose
from credit_registry.errors import BadList
from credit_registry.nothing import KINDS
from credit_registry.register import Register
from credit_registry.screening import Screening, screen
from credit_registry.search import Finder
from credit_registry.store import build
from credit_registry.wording import STATUSES
from credit_registry.workbook import keep, text_cell, workbook_of
from records.keys import KeyRing, check_signature

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
ON = date(2026, 11, 23)
KNOWN_NAME = "重庆钰普科技有限公司"
OTHER_NAME = "重庆缙云山环保设备有限公司"
RESIDENT = "510703199001011234"


class Desk:
    """A register with its finder, and how often it was asked."""

    def __init__(self, folder) -> None:
        self.register = Register.open(folder)
        self.finder = Finder(self.register.folder)
        self.asked: list[str] = []

    def answer(self, code: str):
        self.asked.append(code)
        return compose(self.register, (), code, "beibei", ON, None, now=NOW)[0]

    def screen(self, *texts: str, **more) -> Screening:
        return screen(list(enumerate(texts, 2)), self.finder, self.answer, **more)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("screening")
    tables = folder / "tables"
    publish(tables, [
        rating(level_code="LH"),
        rating(uscc=OTHER, name=OTHER_NAME, state="not_rated", level_code="", level_text="不评定"),
        rating(uscc=made_code(7), name="绵阳富乐化工有限公司"),
        rating(uscc=made_code(8), name="绵阳富乐化工有限公司"),
        rating(uscc=made_code(9), name="重庆蔡家塑料制品有限公司", level_code="BL", veto="擅自停运"),
    ])  # fmt: skip
    publish(tables, [penalty("碚环罚〔2025〕1号", fine_yuan=50000.0, authority="北碚区生态环境局")])
    publish(tables, [name(FIRM, "重庆老钰普化工厂", "2001-01-01"), name(FIRM, KNOWN_NAME, "2020-01-01")])
    build(tables, folder / "credit", T0 + 24 * HOUR)
    made = Desk(folder / "credit")
    yield made
    made.finder.close()
    made.register.close()


@pytest.fixture
def signer(tmp_path):
    return KeyRing.open(tmp_path / "keys", create=True).current()


def statuses(screening: Screening) -> list[tuple[int, str]]:
    return [(line.line, line.status) for line in screening.lines]


def test_order_and_line_numbers_are_kept_and_each_line_has_a_status(desk):
    bad = FIRM[:-1] + "9"
    found = desk.screen(OTHER, "", FIRM, "毫不相干的名字叫做骥骦", bad, KNOWN_NAME, "绵阳富乐化工有限公司", " ")
    assert statuses(found) == [
        (2, "hit"), (3, "blank"), (4, "hit"), (5, "none"), (6, "bad_code"), (7, "duplicate"), (8, "several"), (9, "blank"),
    ]  # fmt: skip
    assert found.counts == {"hit": 2, "several": 1, "none": 1, "bad_code": 1, "duplicate": 1, "blank": 2}
    assert list(found.counts) == list(STATUSES) and found.owners == ("beibei",)


@pytest.mark.parametrize("text", [FIRM, FIRM.lower(), f" {FIRM} ", f"统一社会信用代码：{FIRM}", f"{FIRM}001C"])
def test_a_code_is_read_as_people_write_it(desk, text):
    (line,) = desk.screen(text).lines
    assert (line.status, line.uscc, line.name, line.matched) == ("hit", FIRM, KNOWN_NAME, "code")


@pytest.mark.parametrize("text", [KNOWN_NAME, "重庆鈺普科技有限公司", "重慶鈺普科技有限公司", " 重庆钰普 科技有限公司"])
def test_a_name_that_is_the_same_is_a_hit(desk, text):
    (line,) = desk.screen(text).lines
    assert (line.status, line.uscc) == ("hit", FIRM)


def test_a_former_name_is_a_hit_and_says_so(desk):
    (line,) = desk.screen("重庆老钰普化工厂").lines
    assert (line.status, line.name, line.matched, line.why) == ("hit", KNOWN_NAME, "former_name", "曾用名称一致")


def test_a_name_that_is_only_like_one_is_never_opened(desk):
    (line,) = desk.screen("重庆钰普科技").lines
    assert line.status == "several" and line.uscc == "" and line.candidates[0].uscc == FIRM
    assert line.summary is not None and line.summary.ratings.startswith("未查询：")


def test_two_enterprises_of_one_name_are_left_to_a_person(desk):
    (line,) = desk.screen("绵阳富乐化工有限公司").lines
    assert line.status == "several" and {hit.uscc for hit in line.candidates} >= {made_code(7), made_code(8)}
    assert line.why.startswith("2 个同名企业")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (FIRM[:-1] + "9", "校验"),
        (FIRM[:-1], "位"),
        ("91430102**********", ""),
        ("915001O9MA5U6NWC04", ""),
        ("19437573-1", ""),
    ],
)
def test_a_bad_code_says_why(desk, text, word):
    (line,) = desk.screen(text).lines
    assert line.status == "bad_code" and line.why and line.why_en and word in line.why


def test_a_resident_identity_number_is_shown_as_its_mask_only(desk):
    found = desk.screen(RESIDENT, RESIDENT)
    book = workbook_of(found, {})
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        assert not any(RESIDENT.encode() in parts.read(part) for part in parts.namelist())
    assert [line.text for line in found.lines] == ["510***********1234"] * 2
    assert [line.status for line in found.lines] == ["bad_code", "duplicate"]


def test_a_repeated_enterprise_is_answered_once_and_names_its_first_line(desk):
    desk.asked.clear()
    found = desk.screen(KNOWN_NAME, FIRM, FIRM, KNOWN_NAME, "重庆老钰普化工厂", FIRM)
    assert desk.asked == [FIRM]
    assert [line.status for line in found.lines] == ["hit"] + ["duplicate"] * 5
    assert {line.first for line in found.lines[1:]} == {2} and {line.uscc for line in found.lines} == {FIRM}
    assert len({line.summary for line in found.lines}) == 1 and found.lines[0].summary is not None


def test_a_repeated_line_without_an_enterprise_is_a_duplicate_too(desk):
    first, again = desk.screen("重庆钰普科技", "重庆钰普科技").lines
    assert again.status == "duplicate" and again.first == first.line and "请确认" in again.why
    assert first.candidates and not again.candidates


def test_the_summary_says_level_verdict_and_penalty(desk):
    (line,) = desk.screen(FIRM).lines
    assert line.summary is not None
    for words in ("2025 年度", "环保良好企业", "本方评价"):
        assert words in line.summary.ratings
    assert "碚环罚〔2025〕1号" in line.summary.penalties and "50000" in line.summary.penalties
    assert line.summary.withheld == "评价 0 件，处罚 0 件"


def test_an_empty_or_too_long_list_is_refused(desk):
    with pytest.raises(BadList, match="empty"):
        desk.screen("", "  ")
    with pytest.raises(BadList, match="3 lines are more than 2"):
        desk.screen("甲", "乙", "丙", most=2)


# -- nothing is shown as clean -----------------------------------------------------------------------------------------


def test_no_cell_about_ratings_or_penalties_is_ever_blank(desk):
    found = desk.screen(
        OTHER, "", FIRM, "毫不相干的名字叫做骥骦", FIRM[:-1] + "9", KNOWN_NAME, "重庆钰普科技", made_code(99)
    )
    sheet = openpyxl.load_workbook(io.BytesIO(workbook_of(found, {})))["核查结果"]
    for row in sheet.iter_rows(min_row=2, min_col=8, max_col=11, values_only=True):
        assert all(isinstance(cell, str) and cell.strip() for cell in row), row


def test_each_kind_of_nothing_stands_in_the_workbook_in_words(desk):
    found = desk.screen(OTHER, made_code(99))
    not_rated, no_record = (line.summary for line in found.lines)
    assert not_rated is not None and no_record is not None
    assert KINDS["not_rated"][0] in not_rated.ratings and KINDS["source_unavailable"][0] in not_rated.ratings
    assert KINDS["no_record"][0] in no_record.ratings and KINDS["no_record"][0] in no_record.penalties
    assert "不等于良好" in not_rated.attention
    notes = openpyxl.load_workbook(io.BytesIO(workbook_of(found, {})))["说明"]
    words = "".join(str(cell) for row in notes.iter_rows(values_only=True) for cell in row)
    assert all(zh in words for zh, _ in KINDS.values()) and "依法修复" in words


def test_a_valid_code_without_a_record_is_none_and_not_clean(desk):
    (line,) = desk.screen(made_code(99)).lines
    assert (line.status, line.uscc) == ("none", made_code(99)) and "没有" in line.why


# -- the workbook ------------------------------------------------------------------------------------------------------

INJECTIONS = [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "http://example.invalid",
    '=HYPERLINK("http://x")',
    "\t=1",
    "a\x01b",
    "123456",
]


def test_every_cell_is_text_without_formula_or_link(desk):
    found = desk.screen(*INJECTIONS, FIRM)
    data = workbook_of(found, {"=查询人": "=cmd|'/c calc'!A0", "计划": "https://example.invalid"})
    book = openpyxl.load_workbook(io.BytesIO(data))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"} and not any(cell.hyperlink for cell in cells)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        sheets = [parts.read(part) for part in parts.namelist() if part.startswith("xl/worksheets/")]
    assert not any(b"<f" in sheet.replace(b"<font", b"") or b"hyperlink" in sheet for sheet in sheets)
    shown = [row[1] for row in book["核查结果"].iter_rows(min_row=2, values_only=True)]
    assert shown[:4] == ["=1+1", "+1", "-1+2", "@SUM(A1)"]


def test_the_workbook_keeps_lines_candidates_and_facts(desk):
    found = desk.screen("重庆钰普科技", FIRM)
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(found, {"查询人": "李晓雯"})))
    assert book.sheetnames == ["核查结果", "候选企业", "说明"]
    rows = list(book["核查结果"].iter_rows(values_only=True))
    assert [row[0] for row in rows] == ["行号", "2", "3"] and rows[2][4:6] == (FIRM, KNOWN_NAME)
    assert next(book["候选企业"].iter_rows(min_row=2, values_only=True))[:3] == ("2", "重庆钰普科技", KNOWN_NAME)
    assert ("查询人", "李晓雯") in list(book["说明"].iter_rows(values_only=True))


def test_the_same_screening_gives_the_same_bytes(desk):
    assert workbook_of(desk.screen(FIRM), {"a": "b"}) == workbook_of(desk.screen(FIRM), {"a": "b"})


def test_a_text_longer_than_a_cell_is_cut_visibly():
    assert len(text_cell("长" * 40_000)) == 32_767 and text_cell("长" * 40_000).endswith("…")


def test_the_result_is_signed_kept_and_never_overwritten(desk, signer, tmp_path):
    found = desk.screen(FIRM, "")
    book = workbook_of(found, {})
    facts = {"input": {"name": "名单.xlsx", "sha256": "00" * 32}, "query": {"user": "李晓雯", "plan": "1号"}}
    kept = keep(tmp_path / "credit/screenings", "q-20261123-0002", found, book, facts, signer, NOW)
    document = json.loads(kept.document_file.read_text("utf-8"))
    assert document == kept.document and check_signature(document, {signer.key_id: signer.public_key}).valid
    assert document["workbook"]["sha256"] == hashlib.sha256(kept.workbook.read_bytes()).hexdigest()
    assert (document["lines"], document["counts"]["hit"], document["owners"]) == (2, 1, ["beibei"])
    with pytest.raises(BadList, match="there already"):
        keep(tmp_path / "credit/screenings", "q-20261123-0002", found, book, facts, signer, NOW)
    assert sorted(path.name for path in kept.workbook.parent.iterdir()) == [
        "q-20261123-0002.json",
        "q-20261123-0002.xlsx",
    ]


@pytest.mark.parametrize("wrong", ["../q-1", ".q", "", "a/b"])
def test_an_id_that_leads_elsewhere_is_refused(desk, signer, tmp_path, wrong):
    with pytest.raises(BadList):
        keep(tmp_path, wrong, desk.screen(FIRM), b"", {}, signer, NOW)

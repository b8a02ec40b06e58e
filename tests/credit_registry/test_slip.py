"""The query slip: signed JSON and one page, checked off line, told to be updated when the register moves on."""

from __future__ import annotations

import copy
import io
import json
from datetime import UTC, date, datetime

import pypdf
import pytest
from made_credit import FIRM, HOUR, OTHER, T0, penalty, publish, rating

from credit_registry.answers import compose
from credit_registry.errors import SlipInvalid
from credit_registry.nothing import KINDS
from credit_registry.paper import print_slip, qr_text
from credit_registry.register import Register
from credit_registry.slip import exact, make_slip, verify_slip
from credit_registry.store import build
from credit_registry.wording import bureau_name
from records.credit import Message
from records.keys import KeyRing, sign_document

ON = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
QUERY = {
    "id": "q-20261123-0001", "at": NOW.isoformat(), "kind": "slip", "asked": FIRM, "viewer": "mianyang",
    "user": "李晓雯", "unit": "绵阳市生态环境保护综合行政执法支队", "certificate": "51070012345", "purpose": "check",
    "plan": "绵环检〔2026〕12号", "purpose_zh": "检查前核查",
}  # fmt: skip


@pytest.fixture
def signer(tmp_path):
    return KeyRing.open(tmp_path / "keys", create=True).current()


@pytest.fixture
def answered(tmp_path):
    """Answer a question of what was published so far."""
    opened = []

    def ask(code: str = FIRM, heard: tuple[Message, ...] = (), hours: float = 24, on: date = ON) -> dict:
        build(tmp_path / "tables", tmp_path / "credit", T0 + hours * HOUR)
        register = Register.open(tmp_path / "credit")
        opened.append(register)
        document, _ = compose(register, heard, code, "mianyang", on, None, now=NOW)
        return {**document, "query": dict(QUERY)}

    yield ask
    for one in opened:
        one.close()


@pytest.fixture
def published(tmp_path):
    def put(*rows, **more) -> None:
        publish(tmp_path / "tables", list(rows), **more)

    return put


@pytest.fixture
def slip(signer, answered, published):
    published(rating(score=88.5), rating(year=2024))
    published(
        penalty(
            "璧环罚〔2025〕27号",
            violation="未按规定处置危险废物",
            fine_yuan=50000.0,
            authority="重庆市北碚区生态环境局",
        )
    )
    return make_slip(answered(), signer, NOW, issuer="绵阳市生态环境局")


def page(slip: dict, **more) -> str:
    reader = pypdf.PdfReader(io.BytesIO(print_slip(slip, **more)))
    assert len(reader.pages) == 1
    box = reader.pages[0].mediabox
    assert (round(float(box.width)), round(float(box.height))) == (595, 842)
    return "".join(reader.pages[0].extract_text().split())


def told(kind: str, key: str, target: str = "penalty") -> Message:
    return Message(
        "m-1", kind, "beibei", FIRM, target, key, date(2026, 5, 1), "", "渝环修〔2026〕1号", "王", T0 + 30 * HOUR
    )


# -- the signed document -----------------------------------------------------------------------------------------------


def test_a_slip_is_checked_off_line_with_nothing_but_the_key(slip, signer):
    check = verify_slip(json.loads(json.dumps(slip)), {signer.key_id: signer.public_key})
    assert (check.status, check.changes) == ("valid", ()) and check.message == "查询单有效"


def test_without_trusted_keys_the_words_say_that_nobody_vouches_for_it(slip):
    check = verify_slip(slip)
    assert check.status == "valid" and "未提供可信公钥" in check.message and "no trusted key" in check.message_en


def test_a_slip_of_another_key_is_not_confirmed(slip):
    assert verify_slip(slip, {}).status == "unknown-key"


def test_the_verification_code_has_sixteen_characters_in_four_groups(slip):
    groups = slip["verification_code"].split("-")
    assert [len(group) for group in groups] == [4] * 4
    assert set("".join(groups)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.mark.parametrize("place", ["level", "user", "state", "issued_at", "verification_code", "withheld"])
def test_a_changed_slip_is_invalid_and_so_is_one_signed_anew_with_the_old_code(slip, signer, place):
    changed = copy.deepcopy(slip)
    if place == "level":
        changed["answer"]["ratings"]["lines"][0]["level_code"] = "A"
    elif place == "user":
        changed["answer"]["query"]["user"] = "别人"
    elif place == "withheld":
        changed["answer"]["penalties"]["withheld"] += 1
    elif place == "state":
        changed["answer"]["state"] = "no_record"
    else:
        changed[place] = "AAAA-BBBB-CCCC-DDDD" if place == "verification_code" else T0.isoformat()
    assert verify_slip(changed).status == "invalid"
    anew = sign_document({key: value for key, value in changed.items() if key != "signature"}, signer)
    assert "验证码" in verify_slip(anew).message and verify_slip(anew).status == "invalid"


@pytest.mark.parametrize(
    "document", [{}, {"document": "gongzhi-slip/1"}, {"document": "gongzhi-receipt/1", "answer": {}}]
)
def test_what_is_no_slip_is_invalid(document):
    assert verify_slip(document).status == "invalid"


def test_an_answer_nobody_asked_for_becomes_no_slip(answered, published, signer):
    published(rating())
    with pytest.raises(SlipInvalid):
        make_slip({**answered(), "query": None}, signer, NOW, issuer="甲局")


def test_scores_and_fines_are_sealed_as_text(slip):
    assert slip["answer"]["ratings"]["lines"][0]["score"] == "88.5"
    assert slip["answer"]["penalties"]["lines"][0]["fine_yuan"] == "50000"
    assert exact([1.5, {"a": (1e6, None, True, 3)}]) == ["1.5", {"a": ["1000000", None, True, 3]}]


# -- updated -----------------------------------------------------------------------------------------------------------


def test_a_slip_that_still_holds_is_valid(slip, answered):
    check = verify_slip(slip, None, answered(hours=48))
    assert check.status == "valid" and "至今未变" in check.message


def test_a_later_correction_makes_the_slip_updated(slip, answered, published):
    published(rating(score=95.0, level_code="A", level_text="环保诚信企业"), batch_id="b2", hours=30)
    check = verify_slip(slip, None, answered(hours=48))
    assert check.status == "updated" and check.message.startswith("已更新")
    assert any("2025" in change and "level_code" in change and "score" in change for change in check.changes)


def test_a_repair_told_later_makes_the_slip_updated(slip, answered):
    check = verify_slip(slip, None, answered(heard=(told("repair", "璧环罚〔2025〕27号"),)))
    assert check.status == "updated"
    assert any("不再展示" in change for change in check.changes)
    assert any("0 件 → 1 件" in change for change in check.changes)


def test_a_new_rating_makes_the_slip_updated(slip, answered, published):
    published(
        rating(bureau="mianyang", scheme="SC-2019", issuer="绵阳市生态环境局", tier="city"), batch_id="b3", hours=30
    )
    check = verify_slip(slip, None, answered(hours=48))
    assert check.status == "updated" and any("新增" in change for change in check.changes)


def test_the_same_rows_sent_again_change_nothing(slip, answered, published):
    published(rating(score=88.5), rating(year=2024), batch_id="b4", hours=30)
    assert verify_slip(slip, None, answered(hours=48)).status == "valid"


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_says_who_asked_why_when_and_what_the_answer_was(slip):
    text = page(slip)
    for words in (
        "企业环境信用查询单", "q-20261123-0001", slip["verification_code"], "李晓雯", "51070012345", "检查前核查",
        "绵环检〔2026〕12号", "2026-11-23", FIRM, "重庆钰普科技有限公司", "CQ-2021", "2025", "88.5",
        "璧环罚〔2025〕27号", "50000", "cy-2026-1", "依法修复", "绵阳市生态环境局", slip["key_id"],
    ):  # fmt: skip
        assert words.replace(" ", "") in text, words


def test_an_unsigned_crosswalk_is_said_to_be_unsigned(slip):
    assert "未经任何一方签署" in page(slip)


def test_the_same_slip_gives_the_same_bytes(slip):
    assert print_slip(slip) == print_slip(copy.deepcopy(slip))


def test_the_page_is_black_only(slip):
    from pypdf.generic import ContentStream

    reader = pypdf.PdfReader(io.BytesIO(print_slip(slip)))
    content = reader.pages[0].get_contents()
    colours = {(op, tuple(map(float, values))) for values, op in ContentStream(content, reader).operations
               if op in (b"sc", b"SC", b"rg", b"RG", b"g", b"G", b"k", b"K", b"scn", b"SCN")
               and all(not isinstance(one, str) for one in values)}  # fmt: skip
    assert colours and all(len(set(values)) == 1 for _, values in colours), colours


def test_many_records_stay_on_one_page_and_the_rest_is_counted(answered, published, signer):
    published(*(rating(site=f"{number}号厂", veto="擅自停运污染防治设施" * 3) for number in range(30)))
    published(*(penalty(f"碚环罚〔2025〕{number}号", violation="超标排放" * 20) for number in range(40)))
    text = page(make_slip(answered(), signer, NOW, issuer="绵阳市生态环境局"))
    assert "共30条，本页列出" in text and "共40条，本页列出" in text and "其余见同号JSON文件" in text


CLEAN = (
    "良好",
    "诚信",
    "守法",
    "合格",
    "正常",
    "优秀",
    "无违法",
    "无不良",
    "无处罚",
    "没有违法",
    "没有问题",
    "没有处罚",
)
NEVER = (
    "不等于良好", "不等于没有问题", "空白不代表信用良好或没有违法记录", "来源正常，其中没有该主体的此类记录；不等于没有问题",
)  # fmt: skip
"""The only sentences in which a word of the clean may stand: those that deny it."""
NOTHINGS = {
    "no_record": ("ratings", "beibei"),
    "source_unavailable": ("ratings", "mianyang"),
    "withheld": ("penalties", "beibei"),
    "not_rated": ("ratings", "beibei"),
}


@pytest.mark.parametrize("state", NOTHINGS)
def test_each_kind_of_nothing_stands_on_the_page_in_words_and_never_a_word_of_clean(state, answered, published, signer):
    heard: tuple[Message, ...] = ()
    if state in ("no_record", "source_unavailable"):
        published(rating(uscc=OTHER))
    elif state == "withheld":
        published(penalty("璧环罚〔2025〕27号"))
        heard = (told("repair", "璧环罚〔2025〕27号"),)
    else:
        published(rating(state="not_rated", level_code="", level_text="不评定"))
    document = answered(heard=heard)
    block, bureau = NOTHINGS[state]
    assert {one["bureau"]: one["state"] for one in document[block]["by_bureau"]}[bureau] == state
    text = page(make_slip(document, signer, NOW, issuer="绵阳市生态环境局"))
    assert f"{bureau_name(bureau)}：{KINDS[state][0]}" in text and "空白不代表信用良好" in text
    for sentence in sorted(NEVER, key=len, reverse=True):
        text = text.replace(sentence, "")
    assert [word for word in CLEAN if word in text] == []


def test_a_good_level_is_seen_by_the_search_for_words_of_clean(slip):
    assert "良好" in page(slip).replace("空白不代表信用良好或没有违法记录", "").replace("不等于良好", "")


def test_the_values_of_a_slip_are_never_read_as_markup(slip, signer):
    nasty = "#panic(1) *粗* $x$ \\ [甲] //注 https://example.invalid @ref <label> ```"
    answer = copy.deepcopy(slip["answer"])
    answer["query"]["plan"] = nasty
    made = page(make_slip(answer, signer, NOW, issuer="绵阳市#let x=1"))
    assert "#panic(1)*粗*$x$" in made and "绵阳市#letx=1" in made


def test_a_character_the_font_lacks_is_spelt_out(slip, signer):
    answer = copy.deepcopy(slip["answer"])
    answer["query"]["user"] = "王﷽"
    assert "王‹U+FDFD›" in page(make_slip(answer, signer, NOW, issuer="绵阳市生态环境局"))


def test_the_qr_code_leads_to_the_portal_or_holds_number_and_code(slip):
    code = slip["verification_code"]
    assert qr_text(slip) == f"GONGZHI-SLIP/1 Q-20261123-0001 {code}"
    assert qr_text(slip, "https://portal.example/slips/") == f"https://portal.example/slips/q-20261123-0001?code={code}"
    assert print_slip(slip) != print_slip(slip, address="https://portal.example/slips")

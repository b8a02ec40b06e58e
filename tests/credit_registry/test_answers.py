"""The answer to a look-up: its blocks, the four kinds of nothing, both clocks, and the trace it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from made_credit import FIRM, HOUR, OTHER, T0, name, penalty, publish, rating

from credit_registry.answers import Asker, answer, compose
from credit_registry.barred import barred
from credit_registry.dossier import Dossier, Rating
from credit_registry.errors import BadCode, IncompleteRequest, UnknownPurpose
from credit_registry.history import history
from credit_registry.nothing import KINDS
from credit_registry.register import Register
from credit_registry.screening import summary_of
from credit_registry.store import build
from portal.credit_lines import answer_lines
from records.credit import Message, accesses, add_message
from schemas.credit_facts import purposes

NOW = datetime.fromisoformat("2026-11-23T04:00:00+00:00")
TODAY = date(2026, 11, 23)
LI = Asker("li", "mianyang/执法支队", "川A0001", "pre-inspection", "检2026-7")
BLOCKS = {
    "document", "state", "query", "identity", "ratings", "penalties", "in_progress", "supervision", "unknown", "as_of",
    "attention",
}  # fmt: skip
BY_MIANYANG = {"bureau": "mianyang", "scheme": "SC-2019", "issuer": "绵阳市生态环境局", "tier": "市级"}
Built = Callable[[], Register]


@pytest.fixture(autouse=True)
def chinese(monkeypatch) -> None:
    """The terminal of an inspector speaks Chinese."""
    monkeypatch.setattr("portal.words.LANGUAGE", "zh")


@pytest.fixture
def built(tmp_path) -> Iterator[Built]:
    """Build the register of what was published and open it."""
    opened: list[Register] = []

    def make() -> Register:
        build(tmp_path / "tables", tmp_path / "register", NOW)
        opened.append(Register.open(tmp_path / "register"))
        return opened[-1]

    yield make
    for register in opened:
        register.close()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "tables"


def ask(
    register: Register | None, records: Any, code: str = FIRM, viewer: str = "mianyang", **more: Any
) -> dict[str, Any]:
    given = {"on": TODAY, "known": None, "asked_by": LI, "now": NOW} | more
    return answer(register, records, code, viewer, **given)


def state_of(document: dict[str, Any], block: str, bureau: str) -> str:
    (found,) = [one for one in document[block]["by_bureau"] if one["bureau"] == bureau]
    assert (found["message"], found["message_en"]) == KINDS.get(found["state"], ("", ""))
    return found["state"]


def told(kind: str, key: str, target: str = "penalty", bureau: str = "beibei", at: datetime = NOW - HOUR) -> Message:
    return Message("", kind, bureau, FIRM, target, key, TODAY, "已整改", "决定1号", "张工", at)


def test_an_answer_has_its_blocks_and_is_plain_json(built, root, records):
    publish(root, [rating(level_code="LH")])
    publish(root, [penalty("渝环罚1号")], "b2")
    document = ask(built(), records)
    assert set(document) == BLOCKS == set(ask(None, records))
    assert document["document"] == "gongzhi-credit-answer/1"
    (line,) = document["ratings"]["lines"]
    assert (line["level"], line["recognised"], line["own"], line["edition"]) == (
        "环保良好企业",
        True,
        False,
        "cy-2026-1",
    )
    assert line["code"] == "recognised" and line["message"]
    assert document["penalties"]["lines"][0]["decision_number"] == "渝环罚1号"
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_where_there_is_no_register_every_source_is_unavailable_and_nothing_is_clean(records):
    document = ask(None, records)
    assert document["state"] == "source_unavailable" == document["identity"]["state"]
    assert {one["state"] for one in document["unknown"]["sources"]} == {"source_unavailable"}
    assert {state_of(document, block, b) for block in ("ratings", "penalties") for b in ("beibei", "mianyang")} == {
        "source_unavailable"
    }
    assert document["attention"]["level"] is None and "不等于良好" in document["attention"]["message"]


def test_the_four_kinds_of_nothing_are_kept_apart(built, root, records):
    publish(root, [rating(OTHER), rating(OTHER, **BY_MIANYANG)])
    publish(root, [penalty("渝环罚1号")], "b2")
    publish(root, [name(FIRM, "重庆钰普科技有限公司")], "b3")
    add_message(records, told("repair", "渝环罚1号"))
    document = ask(built(), records)
    assert state_of(document, "ratings", "beibei") == "not_rated"
    assert state_of(document, "ratings", "mianyang") == "no_record"
    assert state_of(document, "penalties", "beibei") == "withheld"
    assert state_of(document, "penalties", "mianyang") == "source_unavailable"
    assert document["unknown"]["withheld"]["penalties"] == 1
    assert "渝环罚1号" not in json.dumps(document, ensure_ascii=False)
    assert document["attention"]["level"] is None and not document["attention"]["incentive"]


def test_an_unknown_code_is_no_record_only_where_a_source_answers(built, root, records):
    publish(root, [rating(OTHER)])
    document = ask(built(), records)
    assert (document["identity"]["state"], state_of(document, "ratings", "beibei")) == ("no_record", "no_record")
    assert state_of(document, "ratings", "mianyang") == "source_unavailable"
    assert document["state"] == "source_unavailable", "the one that leaves most open"


def test_a_row_that_says_not_rated_is_not_a_level(built, root, records):
    publish(root, [rating(state="not_rated", level_code="", level_text="不评定")])
    document = ask(built(), records)
    assert state_of(document, "ratings", "beibei") == "not_rated"
    assert document["attention"]["level"] is None


def test_an_old_rating_says_that_the_last_year_has_none(built, root, records):
    publish(root, [rating(year=2024, level_code="LH")])
    (beibei, _) = ask(built(), records)["ratings"]["by_bureau"]
    assert beibei["newest_rated_year"] == 2024 and "2025 年度未见评价" in beibei["year_note"]
    (beibei, _) = ask(built(), records, on=date(2025, 11, 1))["ratings"]["by_bureau"]
    assert beibei["year_note"] is None


def test_native_and_shared_level_stand_together_with_the_edition_on_every_face(built, root, records):
    publish(root, [rating(level_code="LH")])
    document = ask(built(), records)
    (line,) = document["ratings"]["lines"]
    assert (line["level_text"], line["level"], line["shared_level_title"]) == ("环保良好企业",) * 3
    shown = "\n".join(answer_lines(document))
    assert "CQ-2021） 环保良好企业" in shown and "对照等级：SC-2019 环保良好企业（cy-2026-1）" in shown
    cell = summary_of(document).ratings
    assert "环保良好企业（对照 SC-2019 环保良好企业）" in cell and "cy-2026-1，建议稿，未经签署" in cell
    assert "部分日期或条款未经核实" in cell, "a doubt stands in the workbook too"
    (own,) = ask(built(), records, viewer="beibei")["ratings"]["lines"]
    assert (
        own["edition"] == ""
        and "对照" not in summary_of({**document, "ratings": {**document["ratings"], "lines": [own]}}).ratings
    )


def test_what_a_source_had_not_sent_by_then_is_unknown_not_absent(built, root, records):
    publish(root, [rating(OTHER)])
    register = built()
    before = ask(register, records, known=T0 - HOUR)
    assert state_of(before, "ratings", "beibei") == "source_unavailable"
    after = ask(register, records, known=T0 + HOUR)
    assert state_of(after, "ratings", "beibei") == "no_record"


def test_a_correction_is_seen_only_from_when_it_was_known(built, root, records):
    publish(root, [rating(level_code="LH")])
    publish(root, [rating(level_code="JS", level_text="环保警示企业")], "b2", hours=10)
    register = built()
    then = ask(register, records, known=T0 + HOUR, on=date(2026, 7, 1))
    now = ask(register, records, on=date(2026, 7, 1))
    assert [one["level_code"] for d in (then, now) for one in d["ratings"]["lines"]] == ["LH", "JS"]
    assert (then["attention"]["level"], now["attention"]["level"]) == ("LH", "JS")
    assert now["as_of"]["known"] == NOW.isoformat() and now["as_of"]["known_is_now"]


def test_a_source_without_news_for_long_is_called_old(built, root, records):
    publish(root, [rating()])
    late = datetime.fromisoformat("2028-01-01T00:00:00+00:00")
    (line,) = [
        one for one in ask(built(), records, now=late)["unknown"]["sources"]
        if (one["bureau"], one["table"]) == ("beibei", "credit_rating")
    ]  # fmt: skip
    assert line["old"] and line["age_days"] == (late - T0).days and line["rows"] == 1


def test_records_under_the_same_name_without_a_code_are_named_not_joined(built, root, records):
    publish(root, [rating(), rating("", uscc_status="none", site="二厂")])
    document = ask(built(), records)
    assert len(document["ratings"]["lines"]) == 1
    assert document["unknown"]["namesakes"] == ["重庆钰普科技有限公司"]


def test_a_rating_marked_secret_by_the_other_side_is_counted_only(built, root, records):
    publish(root, [rating(level_code="LH", remark="工作秘密")])
    register = built()
    foreign, own = ask(register, records), ask(register, records, viewer="beibei")
    assert (foreign["ratings"]["lines"], foreign["ratings"]["withheld"]) == ([], 1)
    assert len(own["ratings"]["lines"]) == 1


def test_a_penalty_names_the_edition_of_its_act_and_what_replaced_it(built, root, records):
    publish(
        root,
        [penalty("渝环罚1号", legal_basis="《中华人民共和国水污染防治法》第八十三条第二项", act_date="2025-09-01")],
    )
    ((line,),) = [ask(built(), records)["penalties"]["lines"]]
    ((act,),) = [line["acts"]]
    assert (act["edition_at_act"], act["repealed_by"]) == ("2017修正", "中华人民共和国生态环境法典")


def test_an_edition_no_document_confirms_is_shown_as_such_wherever_the_basis_is_shown(built, root, records):
    both = "《水污染防治法》第八十三条、《中华人民共和国生态环境法典》第一千零五十七条"
    publish(root, [penalty("渝环罚1号", legal_basis=both, act_date="2026-08-14", decision_date="2026-09-20")])
    document = ask(built(), records)
    (line,) = document["penalties"]["lines"]
    acts = {one["act"]: one for one in line["acts"]}
    water, code = acts["中华人民共和国水污染防治法"], acts["中华人民共和国生态环境法典"]
    assert [one["fact"] for one in water["unconfirmed"]] == ["edition", "since"], "its end is that of the Code's repeal"
    assert all(one["title"] and one["title_en"] for one in water["unconfirmed"])
    assert (code["edition_at_act"], code["edition_at_decision"], code["unconfirmed"]) == (None, "2026", [])
    shown = "\n".join(answer_lines(document))
    assert "未经核实，引用前请核对：法律版本、版本施行起始日" in shown


def test_what_the_papers_leave_open_of_a_scheme_is_said_with_its_rating(built, root, records):
    publish(root, [rating(level_code="BL", level_text="环保不良企业"), rating(OTHER, **BY_MIANYANG)])
    document = ask(built(), records)
    (line,) = document["ratings"]["lines"]
    assert not line["scheme_confirmed"] and "scheme-unconfirmed" in {one["code"] for one in line["warnings"]}
    assert [one["fact"] for one in line["unconfirmed"]] == ["issued_on", "effective_from", "veto", "colour"]
    assert "该办法未经核实的内容：发布日期、施行起始日、一票否决是否归入此等级" in "\n".join(answer_lines(document))


# -- what was repaired since, for who asks as known before ----------------------------------------------------------

BEFORE = T0 + 20 * HOUR
"""An instant at which nothing was repaired yet."""
REVIEW = replace(LI, purpose="review", plan="复核2026-3")
RATED = "CQ-2021|重庆市北碚区生态环境局|district|2025|"


def since_then(records, how: str, root) -> None:
    """Let a rating of 警示 and a penalty known ``BEFORE`` go out of view afterwards."""
    if how == "message":
        add_message(records, told("repair", "渝环罚1号"))
        add_message(records, told("withdrawal", RATED, "rating"))
    elif how == "row":
        publish(root, [penalty("渝环罚1号", repair_state="已修复")], "b3", hours=30)
        publish(root, [rating(level_code="JS", level_text="环保警示企业", state="repaired")], "b4", hours=31)


@pytest.fixture(params=["message", "row"])
def repaired(request, built, root, records) -> Register:
    publish(root, [rating(level_code="JS", level_text="环保警示企业")])
    publish(root, [penalty("渝环罚1号"), penalty("渝环罚2号")], "b2")
    since_then(records, request.param, root)
    return built()


@pytest.mark.parametrize("kind", ["lookup", "history", "slip"])
def test_an_earlier_known_does_not_look_around_a_repair(repaired, records, kind):
    document = ask(repaired, records, known=BEFORE, on=date(2026, 7, 1), kind=kind)
    assert (document["ratings"]["lines"], document["ratings"]["withheld"]) == ([], 1)
    assert state_of(document, "ratings", "beibei") == "withheld"
    assert [one["decision_number"] for one in document["penalties"]["lines"]] == ["渝环罚2号"]
    assert document["unknown"]["withheld"]["penalties"] == 1
    assert "渝环罚1号" not in json.dumps(document, ensure_ascii=False)
    assert document["attention"]["level"] is None, "neither shown nor used"
    assert document["as_of"]["out_of_view"] == 0 and accesses(records)[0].result == "found"


@pytest.mark.parametrize("kind", ["lookup", "history"])
def test_a_review_sees_what_was_known_then_marked_and_the_trace_says_so(repaired, records, kind):
    document = ask(repaired, records, known=BEFORE, on=date(2026, 7, 1), kind=kind, asked_by=REVIEW)
    (line,) = document["ratings"]["lines"]
    assert (line["recognised"], document["attention"]["level"]) == (True, "JS"), "as it was known and used then"
    assert line["out_of_view"] in ("withdrawn", "repaired") and "仅供复核" in line["out_of_view_message"]
    marks = {one["decision_number"]: one["out_of_view"] for one in document["penalties"]["lines"]}
    assert marks == {"渝环罚1号": "repaired", "渝环罚2号": ""}
    assert document["as_of"]["out_of_view"] == 2
    (kept,) = accesses(records)
    assert (kept.purpose, kept.plan, kept.result) == ("review", "复核2026-3", "found-out-of-view")
    assert "\n".join(answer_lines(document)).count("此后已") == 2
    if kind == "history":
        told_of = {one["key"] for one in history(repaired, FIRM, document)["timeline"]}
        assert {RATED, "渝环罚1号", "渝环罚2号"} <= told_of


def test_a_slip_of_a_review_leaves_out_what_was_repaired_since(repaired, records):
    document = ask(repaired, records, known=BEFORE, on=date(2026, 7, 1), kind="slip", asked_by=REVIEW)
    assert document["ratings"]["lines"] == [] and document["as_of"]["out_of_view"] == 0


def test_a_review_as_known_now_sees_no_more_than_anybody(repaired, records):
    document = ask(repaired, records, asked_by=REVIEW)
    assert document["ratings"]["lines"] == [] and document["unknown"]["withheld"] == {
        **document["unknown"]["withheld"], "ratings": 1, "penalties": 1,
    }  # fmt: skip


def test_only_a_review_may_look_around_a_repair():
    assert [one.code for one in purposes().values() if one.shows_repaired] == ["review"]


def test_a_penalty_whose_publication_ended_since_is_left_out_of_an_earlier_known_too(built, root, records):
    publish(root, [penalty("渝环罚1号", remark="一般失信", decision_date="2025-10-31")])
    register = built()
    early = ask(register, records, known=BEFORE, on=date(2026, 4, 2))
    assert early["penalties"]["lines"] == [] and state_of(early, "penalties", "beibei") == "withheld"
    then = ask(register, records, known=BEFORE, on=date(2026, 4, 2), now=BEFORE)
    assert [one["decision_number"] for one in then["penalties"]["lines"]] == ["渝环罚1号"], "asked on that very day"


def test_a_record_its_sender_took_back_altogether_is_left_out_too(built, root, records):
    dossier = Dossier(FIRM, FIRM, (), (), (), (), NOW)
    held = replace(dossier, ratings=(made_rating(),))
    assert barred(held, dossier, TODAY) == barred(held, None, TODAY) == {("rating", "beibei", RATED): "withdrawn"}
    assert barred(held, held, TODAY) == {}


def made_rating() -> Rating:
    """One rating as the register gives it."""
    words = ("issuer", "tier", "county", "site", "level_code", "level_text", "colour", "veto", "remark", "batch_id")
    blank = dict.fromkeys(words, "") | {"issuer": "重庆市北碚区生态环境局", "tier": "district", "level_code": "JS"}
    days = {"published_date": date(2026, 6, 30), "valid_until": None, "recorded_from": T0, "recorded_until": None}
    party = {"bureau": "beibei", "uscc": FIRM, "uscc_status": "valid", "subject": FIRM, "name": "重庆钰普科技有限公司"}
    return Rating(**party, scheme="CQ-2021", rated_year=2025, score=None, state="final", source_row=2, **blank, **days)


def test_a_look_up_is_traced_with_all_it_needs(built, root, records):
    publish(root, [rating()])
    register = built()
    document = ask(register, records)
    (kept,) = accesses(records)
    assert document["query"]["id"] == kept.access_id == document["as_of"]["query_id"]
    assert (kept.user, kept.unit, kept.certificate, kept.purpose, kept.plan) == (
        "li", "mianyang/执法支队", "川A0001", "pre-inspection", "检2026-7",
    )  # fmt: skip
    assert (kept.kind, kept.uscc, kept.owners, kept.version, kept.result, kept.count) == (
        "lookup", FIRM, ["beibei"], register.version, "found", 1,
    )  # fmt: skip


def test_composing_leaves_no_trace(built, root, records):
    publish(root, [rating()])
    document, dossier = compose(built(), [], FIRM, "beibei", TODAY, None, now=NOW)
    assert document["query"] is None and dossier is not None and accesses(records) == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("510703199001011231", "510***********1231"),
        (FIRM[:-1] + "A", FIRM[:-1] + "A"),
        ("91500227MA5U6N****", "91500227MA5U6N****"),
    ],
)
def test_what_is_no_code_is_refused_and_traced_without_an_identity_number(records, text, asked):
    with pytest.raises(BadCode):
        ask(None, records, text)
    (kept,) = accesses(records)
    assert (kept.asked, kept.result, kept.uscc) == (asked, "bad_code", "")


def test_who_does_not_say_why_gets_no_answer_and_no_trace(records):
    for asker, error in (
        (Asker("li", "", "", "pre-inspection", ""), IncompleteRequest),
        (Asker("li", "beibei", "", "", ""), IncompleteRequest),
        (Asker("li", "beibei", "", "random-check", ""), IncompleteRequest),
        (Asker("li", "beibei", "", "好奇", ""), UnknownPurpose),
    ):
        with pytest.raises(error):
            ask(None, records, asked_by=asker)
    assert accesses(records) == []


def test_history_tells_what_changed_and_leaves_out_what_is_withheld(built, root, records):
    publish(root, [rating(level_code="LH")])
    publish(root, [penalty("渝环罚1号"), penalty("渝环罚2号")], "b2", hours=1)
    publish(root, [rating(level_code="JS", level_text="环保警示企业")], "b3", hours=10)
    add_message(records, told("repair", "渝环罚1号"))
    register = built()
    found = history(register, FIRM, ask(register, records, kind="history"))
    changes = [(one["what"], one["target"]) for one in found["timeline"]]
    assert changes == [
        ("recorded", "rating"),
        ("recorded", "penalty"),
        ("corrected", "rating"),
        ("corrected", "rating"),
    ]
    assert "环保良好企业 → 环保警示企业" in found["timeline"][-1]["message"]
    assert "渝环罚1号" not in json.dumps(found, ensure_ascii=False)
    early = history(register, FIRM, ask(register, records, kind="history", known=T0 + HOUR / 2))
    assert [one["what"] for one in early["timeline"]] == ["recorded"]

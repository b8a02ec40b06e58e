"""Which rating counts: the table of cases, and what penalties are on a day."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

from credit_registry.barred import name_of
from credit_registry.dossier import Dossier, Penalty, Rating
from credit_registry.penalties import months_later
from credit_registry.recognition import assess, penalties_in_view, penalty_state
from credit_registry.states import banded, score_differs
from records.credit import Message
from schemas.credit_facts import recognition_reasons
from schemas.crosswalks import Crosswalk, crosswalks
from schemas.identifiers import read_uscc
from schemas.ratings import find_level

TABLE = tomllib.loads((Path(__file__).parent / "recognition_cases.toml").read_text(encoding="utf-8"))
UTC = dt.UTC


def instant(at: dt.datetime) -> dt.datetime:
    return at.astimezone(UTC)


def rating(**facts) -> Rating:
    raw = {**TABLE["rating"], **facts}
    code = read_uscc(raw["uscc"])
    usable = code.code if code.usable else ""
    raw |= {"uscc": usable, "uscc_status": code.status, "subject": usable or raw["name"], "colour": ""}
    raw["recorded_from"] = instant(raw["recorded_from"])
    raw["recorded_until"] = instant(raw["recorded_until"]) if "recorded_until" in raw else None
    raw["published_date"] = raw["published_date"] or None
    raw = {"score": None, "valid_until": None, "batch_id": "b", "source_row": 2, **raw}
    return Rating(**raw)


def penalty(**facts) -> Penalty:
    raw = {**TABLE["penalty"], **facts}
    raw["recorded_from"] = instant(raw["recorded_from"])
    blank = dict.fromkeys(("violation", "legal_basis", "penalty_text", "site"), "")
    extra = {"subject": raw["uscc"], "fine_yuan": None, "batch_id": "b", "source_row": 2, "recorded_until": None}
    return Penalty(**blank, **extra, **raw)


def message(**facts) -> Message:
    raw = {**TABLE["message"], **facts}
    raw["made_at"] = instant(raw["made_at"])
    return Message(**raw, message_id="m", reason="r", document="d", author="a")


def edition(name: str) -> Crosswalk:
    shipped = crosswalks()[0]
    if name == "shipped":
        return shipped
    known = {"status": "signed", "signatories": ("甲", "乙"), "signed_on": dt.date(2026, 10, 15)}
    known["valid_from"] = dt.date(2026, 7, 1)
    if name == "strict":
        known["mappings"] = tuple(row for row in shipped.mappings if row.from_level != "JS")
    if name == "ended":
        known |= {"signed_on": dt.date(2026, 1, 5), "valid_from": dt.date(2026, 1, 1)}
        known["valid_until"] = dt.date(2026, 6, 30)
    return dataclasses.replace(shipped, edition=f"cy-{name}", **known)


def dossier(case: dict) -> Dossier:
    ratings = tuple(rating(**facts) for facts in case.get("ratings", ()))
    return Dossier(
        uscc=case["uscc"],
        subject=case["uscc"] or TABLE["rating"]["name"],
        names=(),
        ratings=ratings,
        penalties=tuple(penalty(**facts) for facts in case.get("penalties", ())),
        messages=tuple(message(**facts) for facts in case.get("messages", ())),
        known=instant(case["known"]),
    )


def said(verdict, name: str):
    if name in ("state", "since"):
        return getattr(verdict.state, name)
    value = getattr(verdict, name)
    return list(value) if isinstance(value, tuple) else "" if value is None else value


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_a_rating_counts_as_its_rule_says(case):
    assert case["rule"], "every case names its rule"
    case = {**TABLE["asked"], **case}
    held, editions = dossier(case), tuple(edition(name) for name in case["editions"])
    made = assess(held, case["viewer"], editions, case["on"], held.known)

    assert [one.code for one in made.verdicts] == [one["code"] for one in case["expect"]]
    for verdict, expected in zip(made.verdicts, case["expect"], strict=True):
        assert {name: said(verdict, name) for name in expected} == expected
    if "attention" in case:
        assert (made.attention_level or "") == case["attention"]
    if "attention_from" in case:
        assert made.attention_from == case["attention_from"]
    if "flagged" in case:
        assert made.flagged == case["flagged"]
    if "incentive" in case:
        assert made.incentive_code == case["incentive"]
        assert made.incentive == case["incentive"].startswith("incentive-candidate")
    if "penalties_withheld" in case:
        assert penalties_in_view(held, case["on"])[1] == case["penalties_withheld"]
    if "penalties_shown" in case:
        assert len(penalties_in_view(held, case["on"])[0]) == case["penalties_shown"]


def test_there_are_enough_cases_and_no_two_bear_one_name():
    names = [case["name"] for case in TABLE["cases"]]
    assert len(names) >= 60 and len(set(names)) == len(names)


def test_every_code_of_a_verdict_and_an_incentive_has_its_case():
    tried = {one["code"] for case in TABLE["cases"] for one in case["expect"]}
    tried |= {case["incentive"] for case in TABLE["cases"] if "incentive" in case}
    tried |= {note for case in TABLE["cases"] for one in case["expect"] for note in one.get("notes", ())}
    assert tried == set(recognition_reasons())


ASKED_FOR = {
    "draft against final": {"preliminary", "not-yet-published"},
    "objection open": {"objected", "suspended"},
    "repaired basis": {"basis-changed"},
    "superseded": {"superseded"},
    "stale": {"stale", "expired"},
    "issuer outside": {"issuer-outside", "transcribed"},
    "bad code": {"code-invalid", "code-missing", "code-masked"},
    "branch": {"other-subject"},
    "not rated": {"not-rated"},
    "withdrawal, annulment, repair": {"withdrawn", "revoked", "repaired"},
    "subject type": {"subject-type"},
    "secrecy": {"secret-mark"},
    "no mapping": {"no-mapping", "no-crosswalk", "level-unknown"},
}
"""What the reference (§7) wants refused, and the codes that refuse it."""


def test_each_refusal_of_the_reference_is_a_case_and_no_code_refuses_without_one():
    refused = {one["code"] for case in TABLE["cases"] for one in case["expect"]} - {
        code for code, one in recognition_reasons().items() if one.recognised
    }
    assert set().union(*ASKED_FOR.values()) == refused


def test_each_case_names_where_its_rule_stands():
    stands = re.compile(
        r"§\d|look-up §|data README quirk \d+|reading of this project|strict at the door|valid_until is"
    )
    assert [case["name"] for case in TABLE["cases"] if not stands.search(case["rule"])] == []


def test_both_clocks_see_another_edition():
    """One rating, one day, two instants: before and after a strict edition was signed."""
    asked = {**TABLE["asked"], "ratings": [{"level_code": "JS"}]}
    held, editions = dossier(asked), (edition("shipped"), edition("strict"))
    codes = [
        assess(held, "mianyang", editions, asked["on"], dt.datetime(2026, 10, day, tzinfo=UTC)).verdicts[0].code
        for day in (14, 16)
    ]
    assert codes == ["recognised", "no-mapping"]


@pytest.mark.parametrize("why", ["repaired", "withdrawn", "revoked"])
def test_what_is_out_of_view_by_now_is_neither_shown_nor_used_for_an_earlier_moment(why):
    held = dossier({**TABLE["asked"], "ratings": [{"level_code": "BL"}, {"site": "二厂"}], "penalties": [{}]})
    bad, good = held.ratings
    before = assess(held, "mianyang", crosswalks(), dt.date(2026, 9, 1), held.known)
    assert (before.attention_level, before.incentive_code) == ("BL", "incentive-not-all")
    made = assess(held, "mianyang", crosswalks(), dt.date(2026, 9, 1), held.known, {name_of(bad): why})
    assert [(one.code, one.in_view) for one in made.verdicts] == [(why, False), ("recognised", True)]
    assert (made.attention_level, made.incentive_code, made.withheld) == ("CX", "incentive-candidate-unsigned", 1)
    (decided,) = held.penalties
    assert penalties_in_view(held, dt.date(2026, 9, 1), {name_of(decided): why}) == ((), {why: 1})
    assert name_of(good) != name_of(bad)


def test_nothing_but_its_arguments_decides():
    case = {**TABLE["asked"], "ratings": [{}, {"rated_year": 2024, "published_date": dt.date(2025, 3, 1)}]}
    held = dossier(case)
    before = dataclasses.replace(held)
    one = assess(held, "mianyang", crosswalks(), case["on"], held.known)
    assert one == assess(held, "mianyang", crosswalks(), case["on"], held.known) and held == before


def test_each_reason_is_said_in_both_languages():
    held = dossier({**TABLE["asked"], "ratings": [{}]})
    (verdict,) = assess(held, "mianyang", crosswalks(), dt.date(2028, 1, 1), held.known).verdicts
    assert verdict.message.endswith("（自 2028-01-01 起）") and verdict.message_en.endswith("(since 2028-01-01)")
    (verdict,) = assess(held, "mianyang", crosswalks(), dt.date(2026, 9, 1), held.known).verdicts
    assert verdict.message.endswith("（对照表 cy-2026-1，建议稿，未经签署）")
    assert verdict.message_en.endswith("(crosswalk cy-2026-1, a proposal nobody signed)")


@pytest.mark.parametrize(
    ("remark", "on", "expected"),
    [
        ("一般失信", dt.date(2026, 6, 29), ("minimum-period", dt.date(2027, 3, 30), "ordinary")),
        ("一般失信", dt.date(2026, 6, 30), ("published", dt.date(2027, 3, 30), "ordinary")),
        ("一般失信", dt.date(2027, 3, 30), ("published", dt.date(2027, 3, 30), "ordinary")),
        ("一般失信", dt.date(2027, 3, 31), ("expired", dt.date(2027, 3, 30), "ordinary")),
        ("严重失信", dt.date(2027, 3, 30), ("minimum-period", dt.date(2029, 3, 30), "serious")),
        ("严重失信", dt.date(2029, 3, 31), ("expired", dt.date(2029, 3, 30), "serious")),
        ("轻微失信", dt.date(2026, 4, 2), ("published", dt.date(2026, 6, 29), "minor")),
        ("", dt.date(2028, 1, 1), ("published", dt.date(2029, 3, 30), "unclassified")),
        ("", dt.date(2029, 3, 31), ("expired", dt.date(2029, 3, 30), "unclassified")),
    ],
)
def test_a_penalty_is_public_as_long_as_its_class_says(remark, on, expected):
    decided = penalty(remark=remark, decision_date=dt.date(2026, 3, 31))
    state = penalty_state(decided, (), on)
    assert (state.state, state.published_until, state.class_) == expected


def test_before_order_36_no_period_is_invented():
    state = penalty_state(penalty(remark="严重失信"), (), dt.date(2026, 3, 31))
    assert (state.state, state.published_until, state.class_) == ("published", None, "unclassified")


def test_a_decision_without_date_has_no_last_day():
    state = penalty_state(penalty(decision_date=None), (), dt.date(2030, 1, 1))
    assert (state.state, state.published_until) == ("published", None)


def test_only_the_bureau_that_decided_repairs_a_penalty():
    told = {"kind": "repair", "target": "penalty", "key": "渝(碚)环罚[2025]12号"}
    on = dt.date(2026, 5, 1)
    assert penalty_state(penalty(), [message(**told)], on).state == "repaired"
    assert penalty_state(penalty(), [message(**told)], on - dt.timedelta(1)).state == "published"
    assert penalty_state(penalty(), [message(**told, bureau="mianyang")], on).state == "published"


def test_the_last_word_on_a_penalty_counts():
    told = {"target": "penalty", "key": "渝(碚)环罚〔2025〕12号"}
    lifted = message(**told, kind="confirmation", effective=dt.date(2026, 6, 1))
    stopped = message(**told, kind="suspension")
    assert penalty_state(penalty(), [lifted, stopped], dt.date(2026, 5, 31)).state == "suspended"
    assert penalty_state(penalty(), [lifted, stopped], dt.date(2026, 6, 1)).state == "published"


def test_an_earlier_day_does_not_look_around_a_repair():
    facts = {"repair_state": "已修复", "recorded_from": dt.datetime(2026, 5, 20, tzinfo=UTC)}
    held = dossier({**TABLE["asked"], "penalties": [facts]})
    assert penalties_in_view(held, dt.date(2025, 12, 1)) == ((), {"repaired": 1})
    assert penalties_in_view(held, dt.date(2025, 6, 19)) == ((), {})  # the decision was not made yet


def test_an_earlier_day_does_not_look_around_a_message_either():
    told = [{"kind": "repair", "target": "penalty", "key": "渝(碚)环罚〔2025〕12号"}]
    held = dossier({**TABLE["asked"], "penalties": [{}], "messages": told})
    assert penalties_in_view(held, dt.date(2026, 4, 30)) == ((), {"repaired": 1})
    before = dataclasses.replace(held, known=dt.datetime(2026, 4, 30, tzinfo=UTC))
    assert len(penalties_in_view(before, dt.date(2026, 4, 30))[0]) == 1


def test_unknown_words_about_repair_do_not_hide_a_penalty():
    for written in ("不予修复", "修复中", "正在办理", ""):
        assert penalty_state(penalty(repair_state=written), (), dt.date(2026, 5, 1)).in_view


def test_months_end_where_the_month_ends():
    assert months_later(dt.date(2026, 11, 30), 3) == dt.date(2027, 2, 28)
    assert months_later(dt.date(2027, 11, 30), 3) == dt.date(2028, 2, 29)
    assert months_later(dt.date(2026, 1, 31), 12) == dt.date(2027, 1, 31)


BANDS = {"重庆市2017": "CQ-2017", "重庆市2021": "CQ-2021", "四川省2020": "SC-2019", "安徽省安庆市2016": "X-AQ"}


def published_bands(shared: Path) -> list[dict[str, str]]:
    with (shared / "data/credit/rating_bands.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["score_min_incl"] or row["score_max"]]
    return [{**row, "scheme": BANDS[row["jurisdiction"] + row["valid_from"]]} for row in rows]


def test_the_bands_reproduce_every_published_table(shared):
    rows = published_bands(shared)
    assert {row["scheme"] for row in rows} == set(BANDS.values()) and len(rows) == 16
    for row in rows:
        level = find_level(row["scheme"], row["grade"])
        low, high = row["score_min_incl"], row["score_max"]
        inside = [float(low)] if low else []
        if high:
            inside.append(float(high) if row["max_inclusive"] == "是" else float(high) - 0.01)
        for score in inside:
            assert level is not None and banded(row["scheme"], score) == level, (row, score)


def test_anqing_starts_its_best_level_at_95_and_stays_native():
    levels = [banded("X-AQ", score).level_zh for score in (95.0, 94.9)]
    assert levels == ["环保诚信企业", "环保良好企业"]
    foreign = {"scheme": "X-AQ", "issuer": "安庆市生态环境局", "tier": "市级", "level_code": "CX", "score": 96.0}
    held = dossier(
        {**TABLE["asked"], "ratings": [foreign, {**foreign, "issuer": "北碚区生态环境局", "tier": "区县级"}]}
    )
    made = assess(held, "mianyang", crosswalks(), dt.date(2026, 9, 1), held.known)
    assert [one.code for one in made.verdicts] == ["issuer-outside", "no-mapping"]
    assert all("scheme-unconfirmed" in one.notes and not one.shared_level for one in made.verdicts)


@pytest.mark.parametrize(
    ("scheme", "score", "level"),
    [
        ("CQ-2021", 99.5, "环保良好企业"),
        ("CQ-2021", 100.0, "环保诚信企业"),
        ("CQ-2021", 79.99, "环保警示企业"),
        ("CQ-2021", -5.0, "环保不良企业"),
        ("SC-2019", 99.5, "环保良好企业"),
        ("X-SN", 90.0, "A"),
    ],
)
def test_a_score_lies_in_its_band(scheme, score, level):
    assert banded(scheme, score).level_zh == level


def test_a_scheme_without_bands_gives_no_level():
    assert banded("CN-2013", 90.0) is None and banded("某办法", 90.0) is None
    assert not score_differs(rating(scheme="CN-2013", score=30.0))

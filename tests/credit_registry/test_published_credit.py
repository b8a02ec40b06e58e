"""The published ratings and penalties of ../shared, down the whole road and into the register, as their README says."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from made_credit import FIRM
from stdnum.cn import uscc as stdnum_uscc

from credit_registry.answers import compose
from credit_registry.dossier import Rating
from credit_registry.penalties import months_later
from credit_registry.recognition import Assessment, Verdict, assess, penalties_in_view
from credit_registry.register import Register
from credit_registry.states import level_of
from credit_registry.store import build
from pipelines.batch import Places
from pipelines.sync import Road, submit
from portal.home import make_home
from records.store import Records
from schemas.crosswalks import Crosswalk, crosswalks
from schemas.files import fold

RECEIVED = datetime(2026, 11, 23, 8, tzinfo=UTC)
FILES = ("ratings_published.csv", "penalties_published.csv")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def raw(shared) -> dict[str, list[dict[str, str]]]:
    """The rows as published, by file."""
    return {name: rows_of(shared / "data" / "credit" / name) for name in FILES}


@pytest.fixture(scope="module")
def register(shared, tmp_path_factory) -> Iterator[Register]:
    """The register of a home that took both files in."""
    home = tmp_path_factory.mktemp("published") / "home"
    places = Places(home, f"sqlite:///{home / 'records.db'}", str(home / "tables"))
    list(make_home(places, RECEIVED))
    with Records.open(places.database_url) as records, Road(places, lambda: RECEIVED, records) as road:
        for name in FILES:
            for outcome in submit(road, shared / "data" / "credit" / name, "notices"):
                assert outcome.state == "published", outcome.error
    build(places.tables, home / "credit", RECEIVED)
    with Register.open(home / "credit") as opened:
        yield opened


@pytest.fixture(scope="module")
def ratings(register):
    """All ratings, in the order of the file."""
    found = [one for subject in register.subjects() for one in register.dossier(subject).ratings]
    return sorted(found, key=lambda one: one.source_row)


@pytest.fixture(scope="module")
def penalties(register):
    """All penalties, in the order of the file."""
    found = [one for subject in register.subjects() for one in register.dossier(subject).penalties]
    return sorted(found, key=lambda one: one.source_row)


def test_all_published_rows_are_in_the_register_and_nothing_else(register, ratings, penalties):
    assert (len(ratings), len(penalties)) == (37, 19)
    counted = {(one.bureau, one.table): one.rows for one in register.sources()}
    assert counted["notices", "credit_rating"] == 37 and counted["notices", "penalty_decision"] == 19
    assert {bureau for bureau, _ in counted} == {"notices"}


def test_ratings_keep_level_colour_and_year_as_written_and_have_no_score(raw, ratings):
    rows = raw["ratings_published.csv"]
    assert [one.level_text for one in ratings] == [row["rating_raw"] for row in rows]
    assert [one.colour for one in ratings] == [row["colour_raw"] for row in rows]
    assert [one.rated_year for one in ratings] == [int(row["year"][:4]) for row in rows]
    assert {one.score for one in ratings} == {None}


def test_no_published_rating_names_a_code_and_each_is_held_under_its_name(register, ratings):
    assert {(one.uscc, one.uscc_status) for one in ratings} == {("", "none")}
    for one in ratings:
        assert one.subject == one.name and register.dossier(one.name).uscc == ""


def test_published_ratings_are_final_because_their_lists_say_so(raw, ratings):
    assert {row["stage"] for row in raw["ratings_published.csv"]} >= {"终评"}
    assert Counter(one.state for one in ratings) == {"final": 37}


def test_the_air_grades_are_another_scheme_with_no_level_of_credit(ratings):
    assert Counter(one.scheme for one in ratings) == {"企业环境信用评价": 32, "重点行业企业大气污染防治绩效评级": 5}
    air = [one for one in ratings if one.scheme == "重点行业企业大气污染防治绩效评级"]
    assert {one.rated_year for one in air} == {2024}
    credit = {one.level_code for one in ratings if one not in air}
    assert credit and not credit & {one.level_code for one in air}


def test_the_published_penalties_have_their_codes_numbers_and_fines(raw, penalties):
    rows = raw["penalties_published.csv"]
    assert [one.decision_number for one in penalties] == ["".join(row["doc_no_raw"].split()) for row in rows]
    written = [row["uscc_raw"].strip() for row in rows]
    assert [one.uscc for one in penalties] == [code if stdnum_uscc.is_valid(code) else "" for code in written]
    fines = {row["fine_raw"]: one.fine_yuan for row, one in zip(rows, penalties, strict=True)}
    assert fines == {"": None, "1万元": 10000.0, "7,200.00元(大写:柒仟贰佰元整)": 7200.0}


def test_every_published_penalty_is_found_by_its_code_or_else_by_its_name(register, penalties):
    assert Counter(bool(one.uscc) for one in penalties) == {True: 15, False: 4}
    for one in penalties:
        dossier = register.dossier(one.uscc or one.name)
        assert one in dossier.penalties and one.name in {name.name for name in dossier.names}


def test_a_masked_code_is_unknown_and_neither_invalid_nor_somebodys(register, penalties):
    (masked,) = [one for one in penalties if one.name == "湖南省华达机械模具开发有限公司"]
    assert (masked.uscc, masked.subject) == ("", masked.name)
    assert register.dossier("91430102**********") is None


def test_the_days_of_the_decisions_are_those_their_pages_give(raw, penalties):
    days = {one.decision_number: one.decision_date for one in penalties}
    assert days["荣环不罚〔2026〕1号"] == date(2026, 1, 21) and days["州环责改〔2025〕7号"] == date(2025, 3, 5)
    undated = ["".join(row["doc_no_raw"].split()) for row in raw["penalties_published.csv"] if not row["doc_date_raw"]]
    assert undated and {days[number] for number in undated} == {None}


def test_a_code_of_one_district_is_found_for_a_penalty_of_another(register):
    (decision,) = register.dossier("91500108305010074A").penalties
    assert decision.uscc[2:8] == "500108" and "荣昌" in decision.site


def test_a_branch_stands_alone(register, raw):
    (row,) = [row for row in raw["penalties_published.csv"] if row["party_type"] == "分公司"]
    dossier = register.dossier(row["uscc_raw"])
    assert dossier.names[0].name == fold(row["party_name_raw"]) and dossier.names[0].name.endswith("分公司")
    assert register.dossier(dossier.names[0].name) is None, "a name never stands for a code"


def test_nobody_is_known_before_the_files_came(register, penalties):
    assert all(register.dossier(one.subject, datetime(2026, 11, 22, tzinfo=UTC)) is None for one in penalties)


# -- what they are worth ------------------------------------------------------------------------------------------

SIDES = ("beibei", "mianyang")
AGREED = crosswalks()


def always() -> Crosswalk:
    """The shipped edition as if it had always been in force."""
    return replace(AGREED[0], valid_from=date(2000, 1, 1))


def judged(register: Register, one: Rating, viewer: str, on: date) -> Assessment:
    dossier = register.dossier(one.subject)
    return assess(dossier, viewer, AGREED, on, RECEIVED)


def verdicts(register: Register, ratings: list[Rating], on: date) -> list[tuple[Rating, Verdict]]:
    """Every published rating with its verdict, for both sides."""
    found = []
    for viewer in SIDES:
        for one in ratings:
            (mine,) = [v for v in judged(register, one, viewer, on).verdicts if v.rating == one]
            found.append((one, mine))
    return found


def test_every_published_rating_was_sent_as_final_and_keeps_its_native_level(raw, ratings):
    rows = raw["ratings_published.csv"]
    assert {row["stage"] for row in rows} == {"终评", "最终评价", "公告"}, "no draft among them"
    assert [one.state for one in ratings] == ["final"] * 37
    assert [one.level_text for one in ratings] == [row["rating_raw"] for row in rows]
    assert [one.rated_year for one in ratings] == [int(row["year"][:4]) for row in rows]
    assert [one.colour for one in ratings] == [row["colour_raw"] for row in rows]


@pytest.mark.parametrize(
    ("on", "states"),
    [
        (date(2018, 12, 31), {("2016", "final"): 28, ("2023", "preliminary"): 4, ("2024", "preliminary"): 5}),
        (date(2019, 1, 1), {("2016", "stale"): 28, ("2023", "preliminary"): 4, ("2024", "preliminary"): 5}),
        (date(2025, 12, 31), {("2016", "stale"): 28, ("2023", "final"): 4, ("2024", "final"): 5}),
        (date(2026, 1, 1), {("2016", "stale"): 28, ("2023", "stale"): 4, ("2024", "final"): 5}),
        (date(2027, 1, 1), {("2016", "stale"): 28, ("2023", "stale"): 4, ("2024", "stale"): 5}),
    ],
)
def test_each_published_rating_is_in_the_state_of_its_day(register, ratings, on, states):
    found = Counter((str(one.rated_year), verdict.state.state) for one, verdict in verdicts(register, ratings, on))
    assert found == {key: 2 * count for key, count in states.items()}


@pytest.mark.parametrize("on", [date(2017, 6, 1), date(2024, 9, 1), date(2026, 11, 23)])
def test_no_published_rating_counts_for_anybody_for_none_bears_a_code(register, ratings, on):
    for one, verdict in verdicts(register, ratings, on):
        assert (one.uscc, one.uscc_status, verdict.code) == ("", "none", "code-missing"), one.name
        assert not verdict.recognised and (verdict.relation, verdict.shared_level, verdict.edition) == ("none", "", "")
        assert verdict.in_view and verdict.message and verdict.message_en
    for one in ratings:
        made = judged(register, one, "beibei", on)
        assert (made.attention_level, made.incentive_code) == (None, "incentive-none"), (
            "unknown is neither good nor bad"
        )


def test_with_a_code_the_published_ratings_would_still_not_count(register, ratings):
    """Their own codes are nowhere published; the question is what stands in the way next."""
    said = Counter()
    for one in ratings:
        coded = replace(one, uscc=FIRM, uscc_status="valid", subject=FIRM)
        dossier = replace(register.dossier(one.subject), uscc=FIRM, subject=FIRM, ratings=(coded,))
        on = date(one.rated_year + 1, 12, 1) if one.rated_year > 2016 else date(2017, 12, 1)
        (verdict,) = assess(dossier, "mianyang", (always(),), on, RECEIVED).verdicts
        said[one.county or one.issuer[:3], verdict.code] += 1
        assert not verdict.recognised and not verdict.own
    assert {code for _, code in said} == {"issuer-outside"}


def test_a_published_level_of_tongliang_is_read_but_its_scheme_is_not_guessed(ratings):
    tongliang = [one for one in ratings if one.rated_year == 2023]
    assert {one.level_text for one in tongliang} == {"区级环保诚信企业"}
    assert {one.scheme for one in tongliang} == {"企业环境信用评价"}, "as the page calls it: no edition is named"
    performance = [one for one in ratings if one.rated_year == 2024]
    assert {one.scheme for one in performance} == {"重点行业企业大气污染防治绩效评级"}, "another scheme"
    assert all(level_of(one) is None for one in (*tongliang, *performance))


def test_every_published_penalty_is_in_the_state_of_its_class_and_day(register, penalties):
    """None names a class of order 36: the longest period, 36 months from the decision, is the outer bound."""
    on, expired = date(2026, 11, 23), set()
    for one in penalties:
        dossier = register.dossier(one.subject)
        shown, withheld = penalties_in_view(replace(dossier, penalties=(one,)), on)
        if not shown:
            assert withheld == {"expired": 1}
            expired.add(one.decision_number)
            continue
        ((_, state),) = shown
        day = one.decision_date
        assert (state.state, state.class_, withheld) == ("published", "unclassified", {})
        assert state.published_until == (months_later(day, 36) - timedelta(days=1) if day else None)
    assert expired == {
        "清环英责改〔2021〕5号", "湛环罚字〔2016〕1号", "豫0185环罚决字〔2023〕22号", "德环罚字〔2022〕第2-6号",
    }  # fmt: skip


def test_a_decision_not_to_punish_keeps_its_kind(raw, penalties):
    kinds = [row["doc_kind"] for row in raw["penalties_published.csv"]]
    assert [one.decision_kind for one in penalties] == kinds and len(set(kinds)) > 1


@pytest.mark.parametrize("viewer", SIDES)
def test_each_published_party_is_answered_and_nothing_about_it_looks_clean(register, ratings, penalties, viewer):
    for subject in sorted({one.subject for one in (*ratings, *penalties)}):
        document, dossier = compose(
            register, [], subject, viewer, date(2026, 11, 23), None, now=RECEIVED + timedelta(hours=1)
        )
        rated = {one["bureau"]: one["state"] for one in document["ratings"]["by_bureau"]}
        assert rated["notices"] == ("found" if dossier.ratings else "not_rated")
        assert {rated[side] for side in SIDES} == {"source_unavailable"}, "neither side sent anything"
        punished = {one["bureau"]: one for one in document["penalties"]["by_bureau"]}["notices"]
        assert punished["count"] + punished["withheld"] == len(dossier.penalties)
        assert punished["state"] == ("found" if punished["count"] else "withheld" if dossier.penalties else "no_record")
        attention = document["attention"]
        assert (attention["level"], attention["incentive"]) == (None, False) and "不等于良好" in attention["message"]
        assert not any(line["recognised"] for line in document["ratings"]["lines"])

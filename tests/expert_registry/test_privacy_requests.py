"""What an expert may ask for: everything on a person is found, corrected, frozen, deleted, and nothing else changes."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import date, timedelta

import pytest
from after_home import MEETING, OPEN, opened, tell
from desk_home import DAY, HOUR, LOOKER, T0, asked, committed, fill, home
from sqlalchemy import text

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, opening
from expert_registry.errors import IncompleteExpert, NoExpert, NotYet, UnknownWord, WrongState
from expert_registry.panel import afterwards
from expert_registry.people import Consent, Tie
from expert_registry.privacy.dossier import dossier, readable
from expert_registry.privacy.masks import shown
from expert_registry.privacy.requests_of_persons import (
    correct,
    end_consent,
    erase,
    freeze,
    obstacles,
    records_of_person,
    unfreeze,
)
from expert_registry.privacy.retention import due, let_go
from expert_registry.privacy.vault import IDENTITY, PHONE
from expert_registry.roster.declarations import declare_tie, give_consent, set_bank
from expert_registry.roster.importing import RosterFacts, import_rows
from expert_registry.roster.life_cycle import move
from expert_registry.roster.matching import refresh
from expert_registry.roster.merging import decide
from expert_registry.roster.pool import find, load_one
from expert_registry.roster.uploads import keep_upload
from records import expert_drawbook, expert_matches, expert_seats
from records import expert_pages as pages
from records.chain import verify_chain
from records.expert_access import expert_accesses, record_access
from records.expert_appraisals import appraisals, check_afterwards
from records.expert_models import metadata
from records.experts import expert
from schemas.experts import PersonRow, expert_rules
from schemas.identifiers import identity_check

NAME, EMPLOYER = "诸葛金丝雀", "金丝雀样例研究院"
ASKED = "本人2026-04-02书面申请"
FACTS = RosterFacts(expert_rules(), "500109")


def number(order: int) -> str:
    body = f"99999919000101{order:03d}"
    return body + identity_check(body)


def person(order: int = 1, **more) -> PersonRow:
    told = {
        "name": NAME, "identity": number(order), "employer": EMPLOYER, "employer_uscc": "", "specialty": "危废",
        "title": "教授", "phone": "10012345678", "certificate_until": date(2028, 12, 31), "remark": f"{NAME}的备注",
    }  # fmt: skip
    return PersonRow(order, **(told | more))


@pytest.fixture
def desk(records, tmp_path):
    fill(records)
    return home(records, tmp_path)


@pytest.fixture
def lists(tmp_path):
    return tmp_path / "experts" / "uploads"


@pytest.fixture
def take(desk, lists):
    """Import one person's list, which is kept; gives the number."""

    def go(one: PersonRow, bureau: str = "beibei", at=T0 - 300 * DAY) -> str:
        data = f"{one.name},{one.identity},{bureau}".encode()
        sha256 = keep_upload(desk.records, desk.vault, lists, data, bureau, "op", at).sha256
        report = import_rows(desk.records, desk.vault, [one], bureau, "op", at, FACTS, sha256=sha256)
        return report.experts[one.row]

    return go


def stored(desk) -> str:
    """All that stands in the tables of the pool and on the chain."""
    found = []
    with desk.records.database.read() as connection:
        for table in metadata.tables.values():
            found += [repr(tuple(row)) for row in connection.execute(table.select())]
    return "\n".join(found)


def remove(desk, expert_id, lists, at=OPEN + 20 * DAY):
    return erase(desk.records, desk.vault, expert_id, lists, by="zhou", at=at, reason=ASKED)


# -- see ---------------------------------------------------------------------------------------------------------------


def test_a_dossier_holds_everything_of_both_records_and_nobody_else(desk, take):
    first = take(person())
    second = take(person(name="諸葛金絲雀", phone="10087654321"), bureau="mianyang")
    give_consent(desk.records, first, Consent("bank", date(2026, 1, 1), None, "同意书7号"), "op", T0)
    set_bank(desk.records, desk.vault, first, "9900000000000001234", "op", T0)
    refresh(desk.records, "op", T0)
    (match,) = expert_matches.matches(desk.records, expert_id=first)
    decide(desk.records, match.match_id, "same", "wang", T0, "证件号码相同")
    record_access(
        desk.records, at=T0, by="li", role="organiser", unit="beibei", kind="show", expert_id=second,
        fields=["phone"], purpose="联系会议",
    )  # fmt: skip
    told = dossier(desk.records, desk.vault, second, by="zhou", unit="beibei", at=T0 + DAY, reason=ASKED)
    assert {one["expert_id"] for one in told["records"]} == {first, second}
    assert {one["identity"] for one in told["records"]} == {number(1)}
    assert {one["phone"] for one in told["records"]} == {"10012345678", "10087654321"}
    assert "9900000000000001234" in [one["bank"] for one in told["records"]]
    assert any(one["purpose"] == "联系会议" and one["by"] == "li" for one in told["accesses"])
    assert len(told["lists"]) == 2 and told["matches"][0]["state"] == "same"
    text = readable(told)
    for known in (
        NAME,
        "諸葛金絲雀",
        number(1),
        "10012345678",
        "9900000000000001234",
        "同意书7号",
        "联系会议",
        EMPLOYER,
    ):
        assert known in text
    whole = json.dumps(told, ensure_ascii=False)
    assert "专家1" not in whole and "示例研究院" not in whole, "nothing of others"
    assert "_sealed" not in whole and "identity_index" not in whole
    looks = expert_accesses(desk.records, expert_id=second)
    assert looks[0].kind == "export" and looks[0].fields == ["bank", "identity", "phone"] and looks[0].by == "zhou"


def test_a_dossier_tells_of_draws_only_when_their_names_may_be_known(desk):
    draw_id = committed(desk)
    early = dossier(desk.records, desk.vault, "e-00003", by="zhou", unit="", at=OPEN - HOUR, reason=ASKED)
    assert early["draws"] == []
    late = dossier(desk.records, desk.vault, "e-00003", by="zhou", unit="", at=OPEN, reason=ASKED)
    assert [one["draw_id"] for one in late["draws"]] == [draw_id]
    assert late["draws"][0]["status"] in ("eligible", "excluded")


# -- correct -----------------------------------------------------------------------------------------------------------


def test_a_correction_reaches_all_that_follows_from_a_field(desk, take):
    id_ = take(person())
    told = {
        "name": "诸葛正名",
        "title": "高级工程师",
        "employer": "正名研究院",
        "identity": number(2).lower(),
        "phone": "100 9999 0000",
    }
    changed = correct(desk.records, desk.vault, id_, told, by="zhou", at=T0, reason=ASKED)
    row_ = find(desk.records, id_)
    assert {"name", "title", "employer", "identity_index", "phone_sealed", "phone_mask"} <= set(changed)
    assert desk.vault.open_(id_, IDENTITY, row_.identity_sealed) == number(2)
    assert row_.identity_index == desk.vault.index(number(2)) and row_.identity_mask.endswith(number(2)[-4:])
    assert desk.vault.open_(id_, PHONE, row_.phone_sealed) == "10099990000" and row_.phone_mask == "100****0000"
    (work,) = load_one(desk.records, id_).employments
    assert work.employer == "正名研究院" and work.until is None, "it never was the other one"
    last = pages.changes(desk.records, id_)
    assert number(2) not in repr(last) and "10099990000" not in repr(last) and last[-1].reason == ASKED


def test_a_number_of_somebody_else_is_no_correction(desk, take):
    first, second = take(person(1)), take(person(2, name="另一位"))
    with pytest.raises(WrongState, match=first):
        correct(desk.records, desk.vault, second, {"identity": number(1)}, by="zhou", at=T0, reason=ASKED)
    with pytest.raises(UnknownWord):
        correct(desk.records, desk.vault, second, {"state": "appointed"}, by="zhou", at=T0, reason=ASKED)
    with pytest.raises(IncompleteExpert):
        correct(desk.records, desk.vault, second, {"name": " "}, by="zhou", at=T0, reason=ASKED)
    with pytest.raises(IncompleteExpert):
        correct(desk.records, desk.vault, second, {"title": "教授"}, by="zhou", at=T0, reason="")


# -- freeze, end of a consent ------------------------------------------------------------------------------------------


def test_a_frozen_person_is_neither_shown_nor_drawn_nor_brought_up_to_date(desk, take):
    assert freeze(desk.records, "e-00003", by="zhou", at=T0, reason=ASKED) == ("e-00003",)
    one = load_one(desk.records, "e-00003")
    assert set(shown(one, "pool_staff", date(2026, 4, 2))) == {"expert_id", "bureau", "state"}
    assert "name" in shown(one, "auditor", date(2026, 4, 2))
    draw = desks.request(desk, asked(), by="li", at=T0 + HOUR)
    freezing.freeze(desk, draw.draw_id, by="wang", at=T0 + 2 * HOUR)
    entry = opening.own_entry(desk, draw.draw_id, "e-00003", LOOKER, OPEN)
    assert entry.status == "excluded" and [one.code for one in entry.reasons] == ["suspended"]
    with pytest.raises(WrongState, match="停止使用"):
        move(desk.records, "e-00003", "appointed", "zhou", T0, desk.rules)
    id_ = take(person())
    freeze(desk.records, id_, by="zhou", at=T0, reason=ASKED)
    again = import_rows(desk.records, desk.vault, [person(title="讲师")], "beibei", "op", T0 + DAY, FACTS)
    assert [note.code for note in again.refused] == ["frozen"] and find(desk.records, id_).title == "教授"
    unfreeze(desk.records, id_, by="zhou", at=T0 + DAY, reason="本人撤回")
    assert find(desk.records, id_).frozen_at is None
    assert [one.kind for one in pages.changes(desk.records, id_)][-2:] == ["frozen", "unfrozen"]


def test_an_ended_consent_ends_the_use_and_names_where_the_person_still_sits(desk):
    draw_id, drawn = opened(desk)
    away = next(one for one in drawn if find(desk.records, one).bureau == "mianyang")
    give_consent(desk.records, away, Consent("bank", date(2026, 1, 1), None, "同意书"), "op", T0)
    set_bank(desk.records, desk.vault, away, "9900000000000001234", "op", T0)
    day = OPEN.date()
    assert end_consent(desk.records, away, "sharing", day, by="zhou", at=OPEN, reason=ASKED) == (1, (draw_id,))
    assert end_consent(desk.records, away, "bank", day, by="zhou", at=OPEN, reason=ASKED) == (1, ())
    assert find(desk.records, away).bank_sealed == ""
    next_draw = desks.request(desk, asked("渝碚环评〔2026〕8号", opens_at=OPEN + 5 * DAY), by="li", at=OPEN)
    freezing.freeze(desk, next_draw.draw_id, by="wang", at=OPEN + HOUR)
    entry = opening.own_entry(desk, next_draw.draw_id, away, LOOKER, OPEN + 6 * DAY)
    assert "no_sharing_consent" in [one.code for one in entry.reasons]
    assert expert_seats.seat(desk.records, draw_id, away).state == "drawn", "what was done stays"


# -- delete ------------------------------------------------------------------------------------------------------------


def test_nothing_of_a_deleted_person_is_left_in_the_tables(desk, take, lists):
    first, second = take(person()), take(person(phone="10087654321"), bureau="mianyang")
    give_consent(desk.records, first, Consent("bank", date(2026, 1, 1), None, f"{NAME}同意书"), "op", T0)
    set_bank(desk.records, desk.vault, first, "9900000000000001234", "op", T0)
    declare_tie(
        desk.records, first, Tie("kin_of_head", "", "亲属企业", "", None, None, None, f"{NAME}之弟", "申报"), "op", T0
    )
    correct(desk.records, desk.vault, first, {"name": "诸葛曾用名"}, by="zhou", at=T0, reason=f"{NAME}申请")
    refresh(desk.records, "op", T0)
    decide(desk.records, expert_matches.matches(desk.records)[0].match_id, "same", "wang", T0, f"{NAME}确认")
    record_access(
        desk.records, at=T0, by="li", role="organiser", unit="beibei", kind="list", purpose=f"查找{NAME}", count=1
    )
    other = keep_upload(desk.records, desk.vault, lists, b"other", "wulong", "op", T0)
    assert NAME in stored(desk) and EMPLOYER in stored(desk) and len(list(lists.glob("*.sealed"))) == 3
    done = erase(desk.records, desk.vault, second, lists, by="zhou", at=T0, reason=f"{NAME}本人申请")
    assert set(done.experts) == {first, second} and len(done.lists) == 2 and not done.repeated
    left = stored(desk)
    for gone in (
        NAME,
        "诸葛曾用名",
        "诸葛",
        EMPLOYER,
        "亲属企业",
        f"{NAME}同意书",
        desk.vault.index(number(1)),
        "100****5678",
        "100****4321",
    ):
        assert gone not in left, gone
    assert [path.stem for path in lists.glob("*.sealed")] == [other.sha256], "their lists went, another bureau's stays"
    assert verify_chain(desk.records).ok
    with pytest.raises(NoExpert):
        load_one(desk.records, first)
    again = erase(desk.records, desk.vault, first, lists, by="zhou", at=T0 + DAY, reason=ASKED)
    assert again.repeated and again.lists == done.lists and json.dumps(again.as_json())


def test_a_deletion_leaves_no_byte_in_the_sqlite_file(desk, take, lists):
    if desk.records.database.engine.dialect.name != "sqlite":
        with desk.records.database.write() as connection:
            connection.execute(text("select 1"))  # PostgreSQL keeps old rows until VACUUM FULL: docs/privacy.md
        return
    id_ = take(person())
    correct(desk.records, desk.vault, id_, {"remark": "金丝雀" * 600}, by="zhou", at=T0, reason=ASKED)
    file = os.fspath(desk.records.database.engine.url.database)
    with open(file, "rb") as opened_file:
        assert "金丝雀".encode() in opened_file.read()
    remove(desk, id_, lists, T0 + DAY)
    with open(file, "rb") as opened_file:
        data = opened_file.read()
    assert "金丝雀".encode() not in data and json.dumps(NAME)[1:-1].encode() not in data


def test_the_history_of_the_draws_stays_and_is_still_what_the_chain_knows(desk, lists):
    draw_id, (first, *_) = opened(desk)
    tell(desk, draw_id, first, "invited", "accepted")
    assert [one.code for one in obstacles(desk.records, desk.vault, first, OPEN)] == ["seated"]
    with pytest.raises(NotYet, match=draw_id):
        remove(desk, first, lists, OPEN)
    tell(desk, draw_id, first, "attended", at=MEETING)
    tell(desk, draw_id, first, "opinion_signed", at=MEETING + HOUR, document="意见1号", reason="专家一签字")
    afterwards.appraise(desk, draw_id, first, "by-user", "poor", by="周", at=MEETING + HOUR, remark="迟到一小时")
    afterwards.pay(desk, draw_id, first, 80_000, paid_on=MEETING.date(), payer="北碚局", by="周", at=MEETING + HOUR)
    before = expert_drawbook.papers(desk.records, draw_id)
    assert not remove(desk, first, lists).repeated
    assert expert_drawbook.papers(desk.records, draw_id) == before and expert_drawbook.check_numbers(desk.records) == []
    assert check_afterwards(desk.records) == [] and verify_chain(desk.records).ok
    seat = expert_seats.seat(desk.records, draw_id, first)
    assert seat.state == "opinion_signed" and find_name(desk, first) == ""
    (grade,) = appraisals(desk.records, expert_ids=[first])
    assert (grade.grade, grade.remark) == ("poor", "")
    assert len(opening.names(desk, draw_id, LOOKER, OPEN + 30 * DAY)) == 2, "the third is a number without a person"
    with desk.records.database.write() as connection:
        connection.execute(text("update expert_appraisal set grade = 'good'"))
    assert check_afterwards(desk.records), "a row that was altered is still found"


def find_name(desk, expert_id: str) -> str:
    found = expert(desk.records, expert_id)
    assert found is not None
    return found.name


def test_a_person_on_the_list_of_a_draw_under_way_is_frozen_instead(desk, lists):
    draw_id = committed(desk)
    with pytest.raises(NotYet, match=draw_id):
        remove(desk, "e-00003", lists, T0 + 3 * HOUR)
    freeze(desk.records, "e-00003", by="zhou", at=T0 + 3 * HOUR, reason=ASKED)
    desks.abandon(desk, draw_id, "list-wrong", "名单有误", by="wang", at=T0 + 4 * HOUR)
    assert remove(desk, "e-00003", lists, T0 + 5 * HOUR).experts == ("e-00003",)


def test_who_is_barred_is_kept_until_the_bar_is_over(desk, lists):
    move(desk.records, "e-00003", "removed", "zhou", T0, desk.rules, reason="泄密", bar_until=date(2026, 6, 30))
    (one,) = obstacles(desk.records, desk.vault, "e-00003", T0)
    assert (one.code, one.until) == ("barred", date(2026, 6, 30))
    last = T0 + timedelta(days=(date(2026, 6, 30) - T0.date()).days)
    with pytest.raises(NotYet):
        remove(desk, "e-00003", lists, last)
    assert remove(desk, "e-00003", lists, last + DAY)


# -- retention ---------------------------------------------------------------------------------------------------------


def test_what_is_past_its_term_goes_to_the_day(desk, lists):
    draw_id, (first, *_) = opened(desk)
    for one in (first,):
        tell(desk, draw_id, one, "invited", "declined", code="ill")
    move(desk.records, first, "withdrawn", "zhou", OPEN, desk.rules, reason="本人申请")
    rules = dataclasses.replace(desk.rules, retention_left_years=1, retention_access_years=3, retention_draw_years=4)
    left = OPEN.replace(year=2027)
    assert due(desk.records, desk.vault, rules, left).experts == ()
    assert due(desk.records, desk.vault, rules, left + DAY).experts == (first,)
    looks = len(expert_accesses(desk.records))
    three = OPEN.replace(year=2029)
    assert due(desk.records, desk.vault, rules, three).accesses == 0
    assert due(desk.records, desk.vault, rules, three + DAY).accesses == looks > 0
    four = MEETING.replace(year=2030)
    assert due(desk.records, desk.vault, rules, four).draws == ()
    found = due(desk.records, desk.vault, rules, four + DAY)
    assert found.draws == (draw_id,)
    with pytest.raises(IncompleteExpert):
        let_go(desk.records, desk.vault, rules, lists, by="zhou", at=four + DAY, reason="")
    assert let_go(desk.records, desk.vault, rules, lists, by="zhou", at=four + DAY, reason="批准") == found
    assert expert_accesses(desk.records) == [] and find_name(desk, first) == ""
    assert expert_drawbook.draw(desk.records, draw_id).key_sealed == ""
    assert expert_drawbook.sealed_secret(desk.records, draw_id, "beibei") is None
    with pytest.raises(WrongState):
        opening.names(desk, draw_id, LOOKER, four + DAY)
    after = due(desk.records, desk.vault, rules, four + DAY)
    assert (after.experts, after.accesses, after.draws) == ((), 0, ())
    assert verify_chain(desk.records).ok and expert_drawbook.check_numbers(desk.records) == []


def test_records_of_a_person_are_found_from_any_of_them(desk):
    with pytest.raises(NoExpert):
        records_of_person(desk.records, "e-99999")
    assert records_of_person(desk.records, "e-00001") == ("e-00001",)

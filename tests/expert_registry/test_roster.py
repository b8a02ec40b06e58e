from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from expert_registry.errors import IncompleteExpert, NoExpert
from expert_registry.people import Consent
from expert_registry.privacy.vault import PHONE, Vault
from expert_registry.roster.declarations import give_consent, revoke_consent, set_bank
from expert_registry.roster.importing import RosterFacts, TakenOver, import_rows
from expert_registry.roster.life_cycle import move
from expert_registry.roster.pool import find, load, load_one
from records import expert_pages as pages
from records.chain import verify_chain
from schemas.experts import PersonRow, expert_rules
from schemas.identifiers import check_character, identity_check

FACTS = RosterFacts(expert_rules(), "500109")
CODE = "12500109MAYY00210" + check_character("12500109MAYY00210")


def number(order: int) -> str:
    """An identity number of no place, born in 1900."""
    body = f"99999919000101{order:03d}"
    return body + identity_check(body)


def person(row: int, **more) -> PersonRow:
    told = {
        "name": "张样例",
        "identity": number(row),
        "employer": "示例大学",
        "employer_uscc": CODE,
        "specialty": "危废、源解析",
    }
    told |= {"title": "教授", "phone": f"138000{row:05d}", "certificate_until": date(2028, 12, 31), "remark": ""}
    return PersonRow(row, **(told | more))


@pytest.fixture
def vault(tmp_path):
    return Vault.open(tmp_path / "vault", create=True)


@pytest.fixture
def take(records, vault, now):
    """Import rows; later calls are a day later each."""
    days = iter(range(1000))

    def go(*rows, bureau="beibei", **more):
        at = now + timedelta(days=next(days))
        return import_rows(records, vault, rows, bureau, "op", at, FACTS, sha256="ab" * 32, **more)

    return go


def test_a_list_comes_in_with_fields_employment_and_masks(records, vault, take):
    report = take(person(2), person(3, name="李样例", title="工程师"))
    assert (report.new, report.updated, report.unchanged, report.refused) == (2, 0, 0, ())
    one = load_one(records, report.experts[2])
    assert (one.name, one.state, one.title_rank, one.division) == ("张样例", "applied", "senior", "500109")
    assert [(field.code, field.raw) for field in one.specialties] == [("H01", "危废"), ("A02", "源解析")]
    [work] = one.employments
    assert (work.employer, work.uscc, work.role, work.since, work.until) == ("示例大学", CODE, "employee", None, None)
    row = find(records, one.expert_id)
    assert vault.open_(one.expert_id, PHONE, row.phone_sealed) == "13800000002"
    assert (one.phone_mask, one.identity_mask) == ("138****0002", f"9999**********{number(2)[-4:]}")


def test_the_same_list_again_changes_nothing(records, take):
    first = take(person(2), person(3))
    again = take(person(2), person(3))
    assert (again.new, again.updated, again.unchanged) == (0, 0, 2) and again.experts == first.experts
    assert [change.kind for change in pages.changes(records, first.experts[2])] == ["entered"]


def test_a_new_employer_ends_the_old_work_on_the_day_of_the_import(records, take):
    expert_id = take(person(2)).experts[2]
    report = take(person(2, employer="示例研究院", employer_uscc=""))
    assert report.updated == 1
    one = load_one(records, expert_id)
    assert [(w.employer, w.since, w.until) for w in one.employments] == [
        ("示例大学", None, date(2026, 4, 2)),
        ("示例研究院", date(2026, 4, 2), None),
    ]
    assert one.employer == "示例研究院"
    kinds = [change.kind for change in pages.changes(records, expert_id)]
    assert kinds == ["entered", "employment", "employment", "imported"]


def test_the_same_code_under_another_name_is_the_same_employer(records, take):
    expert_id = take(person(2)).experts[2]
    take(person(2, employer="示例大学(更名)"))
    [work] = load_one(records, expert_id).employments
    assert (work.employer, work.until) == ("示例大学(更名)", None)


def test_a_code_that_becomes_known_is_written_to_the_employment(records, take):
    expert_id = take(person(2, employer_uscc="")).experts[2]
    assert take(person(2)).updated == 1
    [work] = load_one(records, expert_id).employments
    assert (work.uscc, work.until) == (CODE, None)


def test_a_blank_cell_takes_nothing_away(records, vault, take):
    expert_id = take(person(2)).experts[2]
    report = take(person(2, title="", phone="", employer="", employer_uscc="", certificate_until=None, specialty=""))
    assert report.unchanged == 1
    one = load_one(records, expert_id)
    assert (one.title, one.title_rank, one.employer, one.phone_mask) == ("教授", "senior", "示例大学", "138****0002")
    assert len(one.specialties) == 2


def test_a_new_phone_and_new_fields_are_changes_without_a_number(records, vault, take):
    expert_id = take(person(2)).experts[2]
    assert take(person(2, phone="13900000009", specialty="危废")).updated == 1
    row = find(records, expert_id)
    assert vault.open_(expert_id, PHONE, row.phone_sealed) == "13900000009"
    assert [field.code for field in load_one(records, expert_id).specialties] == ["H01"]
    told = str([(c.before, c.after) for c in pages.changes(records, expert_id)])
    assert "13900000009" not in told and "v1:" not in told and number(2) not in told and "139****0009" in told


def test_another_name_under_the_same_number_is_taken_and_warned_of(records, take):
    expert_id = take(person(2, name="何克斌")).experts[2]
    report = take(person(2, name="贺克斌"))
    assert "name-changed" in {note.code for note in report.warnings}
    assert load_one(records, expert_id).name == "贺克斌"
    assert "name-changed" not in {note.code for note in take(person(2, name="賀 克斌")).warnings}


def test_a_person_twice_in_a_list_is_refused_where_the_rows_differ(take):
    report = take(person(2), replace(person(2), row=3), replace(person(2), row=4, title="讲师"))
    assert (report.new, report.unchanged) == (1, 1)
    assert [(note.row, note.code) for note in report.refused] == [(4, "same-person-twice")]
    assert "2" in report.refused[0].message and number(2) not in str(report.as_json())


def test_a_row_without_a_number_is_refused(take):
    assert [note.code for note in take(person(2, identity="")).refused] == ["no-identity"]


def test_the_same_number_in_the_other_bureau_is_told_and_never_merged(records, take):
    ours = take(person(2)).experts[2]
    report = take(person(2, name="章样例"), bureau="mianyang")
    assert report.new == 1 and report.same_elsewhere == ((report.experts[2], ours),)
    assert [one.merged_into for one in load(records)] == [None, None]
    assert load_one(records, ours).name == "张样例"


def test_a_barred_person_comes_in_through_no_bureau(records, take, now):
    expert_id = take(person(2)).experts[2]
    rules = expert_rules()
    move(records, expert_id, "removed", "op", now, rules, reason="泄露信息", bar_until=date(2026, 4, 3))
    assert [note.code for note in take(person(2)).refused] == ["barred"]  # 2 April
    assert [note.code for note in take(person(2), bureau="mianyang").refused] == ["barred"]  # 3 April, the last day
    assert take(person(2), bureau="mianyang").new == 1


def test_an_appointment_made_before_is_taken_over_with_its_document(records, take):
    took = TakenOver("渝环〔2025〕1号", date(2025, 1, 1), date(2027, 12, 31))
    expert_id = take(person(2), taken_over=took).experts[2]
    one = load_one(records, expert_id)
    assert (one.state, one.term_start, one.term_end) == ("appointed", date(2025, 1, 1), date(2027, 12, 31))
    [change] = pages.changes(records, expert_id)
    assert (change.kind, change.reason) == ("taken-over", "渝环〔2025〕1号")
    with pytest.raises(IncompleteExpert):
        take(person(3), taken_over=replace(took, document=" "))


def test_wordings_nobody_mapped_stay_and_are_warned_of(records, take):
    report = take(person(2, specialty="茶艺；危废", title="工程师"))
    codes = {note.code for note in report.warnings}
    assert {"unmapped-specialty", "title-rank", "age-limit"} <= codes
    assert {(f.code, f.raw) for f in load_one(records, report.experts[2]).specialties} == {
        ("", "茶艺"),
        ("H01", "危废"),
    }


def test_numbers_in_a_remark_are_masked(records, take):
    expert_id = take(person(2, remark="手机 139 0000 1234 也可")).experts[2]
    assert load_one(records, expert_id).remark == "手机 139****1234 也可"


def test_nothing_personal_is_in_rows_reports_or_the_chain(records, take):
    from sqlalchemy import select

    from records.models import event

    row = person(2)
    report = take(row)
    for text in (repr(row), str(report.as_json()), repr(report)):
        assert "13800000002" not in text and number(2) not in text and "张样例" not in text
    with records.database.read() as connection:
        payloads = "".join(connection.execute(select(event.c.payload)).scalars())
    assert "张样例" not in payloads and "示例大学" not in payloads and report.experts[2] in payloads
    assert verify_chain(records).ok


def test_many_rows_go_in_by_pieces_each_with_its_event(records, vault, now, monkeypatch):
    from expert_registry.roster import importing as roster

    monkeypatch.setattr(roster, "PIECE", 100)
    rows = [person(n) for n in range(2, 252)]
    report = import_rows(records, vault, rows, "beibei", "op", now, FACTS)
    assert report.new == 250 and len(set(report.experts.values())) == 250
    assert verify_chain(records).events == 3 and len(load(records)) == 250


def test_an_import_stopped_in_the_middle_is_finished_by_importing_again(records, vault, now, monkeypatch):
    from expert_registry.roster import importing as roster

    monkeypatch.setattr(roster, "PIECE", 100)

    class Stop(BaseException):
        pass

    def rows():
        for n in range(2, 252):
            yield person(n)

    taken = roster._Import.take
    calls = iter(range(10))

    def stopping(self, pool, some):
        taken(self, pool, some)
        if next(calls) == 1:
            raise Stop  # the second piece is written and not committed

    monkeypatch.setattr(roster._Import, "take", stopping)
    with pytest.raises(Stop):
        import_rows(records, vault, rows(), "beibei", "op", now, FACTS)
    assert len(load(records)) == 100
    report = import_rows(records, vault, rows(), "beibei", "op", now, FACTS)
    assert (report.new, report.unchanged) == (150, 100) and len(load(records)) == 250


def test_a_bank_account_needs_its_consent_and_goes_with_it(records, vault, take, now):
    expert_id = take(person(2)).experts[2]
    with pytest.raises(IncompleteExpert):
        set_bank(records, vault, expert_id, "6200000000000001234", "op", now)
    give_consent(records, expert_id, Consent("bank", date(2026, 4, 1), None, "同意书"), "op", now)
    set_bank(records, vault, expert_id, "6200000000000001234", "op", now)
    assert find(records, expert_id).bank_sealed.startswith("v1:")
    assert revoke_consent(records, expert_id, "bank", date(2026, 5, 1), "op", now, "本人要求") == 1
    assert find(records, expert_id).bank_sealed == ""
    assert "6200000000000001234" not in str(pages.changes(records, expert_id))
    with pytest.raises(IncompleteExpert):
        set_bank(records, vault, expert_id, "6200000000000001234", "op", now)
    with pytest.raises(NoExpert):
        find(records, "e-none")

"""Messages between the bureaus and the trace of look-ups: kept, listed, chained; what is personal is masked before."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from records.chain import verify_chain
from records.credit import Access, Message, accesses, add_message, messages, record_access, without_identities
from records.errors import IncompleteMessage

HOUR = timedelta(hours=1)
FIRM, OTHER = "91500227MA5U6NWC04", "91500109MAD84FQW8X"


@pytest.fixture
def objection(now):
    return Message(
        "",
        "objection",
        "beibei",
        FIRM,
        "rating",
        "CQ-2021|重庆市北碚区生态环境局|district|2025|",
        date(2026, 3, 30),
        "排放数据有误",
        "异议〔2026〕1号",
        "王某",
        now,
    )


@pytest.fixture
def look(records, now):
    """Record one access; what is not said is usual."""

    def record(at=now, **more) -> Access:
        usual = {
            "user": "li", "unit": "绵阳市生态环境局", "certificate": "51070001", "purpose": "pre-inspection", "plan": "P-1",
            "kind": "lookup", "asked": FIRM, "uscc": FIRM, "owners": ["beibei"], "version": "r1.p1.n1.0a1b",
            "result": "found", "count": 3,
        }  # fmt: skip
        return record_access(records, at=at, **usual | more)

    return record


def last_event(records):
    *_, event = records.events()
    return event.kind, event.bureau, json.loads(event.payload)


def test_a_message_gets_a_number_and_comes_back_whole(records, objection):
    kept = add_message(records, objection)
    assert kept.message_id.startswith("m-20260401-") and replace(kept, message_id="") == objection
    assert messages(records) == messages(records, FIRM) == [kept]
    assert messages(records, OTHER) == []


def test_messages_come_in_the_order_told_also_within_one_instant(records, objection, now):
    kinds = ["objection", "objection-closed", "repair", "withdrawal", "suspension", "annulment", "confirmation"]
    for kind in kinds:
        add_message(records, replace(objection, kind=kind))
    add_message(records, replace(objection, uscc=OTHER, made_at=now - HOUR))
    assert [one.kind for one in messages(records, FIRM)] == kinds
    assert messages(records)[0].uscc == OTHER


def test_a_message_is_known_from_the_instant_it_was_told(records, objection, now):
    add_message(records, objection)
    assert messages(records, FIRM, now - timedelta(microseconds=1)) == []
    assert len(messages(records, FIRM, now)) == 1


def test_a_message_on_a_penalty_is_kept_under_its_decision_number(records, objection):
    kept = add_message(records, replace(objection, kind="repair", target="penalty", key="璧环罚〔2025〕27号"))
    assert messages(records, FIRM) == [kept]


def test_a_code_is_folded_so_that_the_message_finds_its_enterprise(records, objection):
    add_message(records, replace(objection, uscc=" 91500227ma5u6nwc04　"))
    assert len(messages(records, FIRM)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "rumour"},
        {"target": "enterprise"},
        {"bureau": ""},
        {"uscc": " "},
        {"key": ""},
        {"reason": "　"},
        {"author": ""},
        {"key": "CQ-2021|北碚|2025|"},
        {"key": "CQ-2021|北碚|district|latest|"},
    ],
    ids=str,
)
def test_a_message_without_what_it_needs_is_refused_and_leaves_nothing(records, objection, wrong):
    with pytest.raises(IncompleteMessage):
        add_message(records, replace(objection, **wrong))
    assert messages(records) == [] and list(records.events()) == []


def test_the_chain_keeps_what_a_message_says_but_of_the_reason_only_the_hash(records, objection):
    kept = add_message(records, objection)
    kind, bureau, told = last_event(records)
    assert (kind, bureau, told["message"], told["kind"], told["uscc"]) == (
        "credit-message", "beibei", kept.message_id, "objection", FIRM,
    )  # fmt: skip
    assert told["effective"] == "2026-03-30" and objection.reason not in json.dumps(told, ensure_ascii=False)
    assert len(told["reason_sha256"]) == 64 and verify_chain(records).ok


def test_an_access_comes_back_as_it_was_recorded(records, look):
    made = look(owners=["mianyang", "beibei", "beibei"])
    assert made.access_id.startswith("q-20260401-") and made.owners == ["beibei", "mianyang"]
    assert accesses(records) == [made]


def test_the_owner_sees_who_looked_at_its_records_and_nobody_elses(records, look, now):
    mine = look()
    both = look(now + HOUR, owners=["beibei", "mianyang"])
    look(now + 2 * HOUR, owners=[], result="no_record", count=0)
    assert accesses(records, owner="beibei") == [both, mine]
    assert accesses(records, owner="mianyang") == [both]
    assert accesses(records, owner="notices") == []


def test_accesses_are_listed_newest_first_by_user_and_time(records, look, now):
    made = [look(now + n * HOUR, user=user) for n, user in enumerate(["li", "wang", "li", "li"])]
    assert accesses(records) == made[::-1]
    assert accesses(records, user="li") == [made[3], made[2], made[0]]
    assert accesses(records, since=now + HOUR, until=now + 3 * HOUR) == [made[2], made[1]]
    assert accesses(records, user="li", limit=2) == [made[3], made[2]]
    assert accesses(records, owner="beibei", limit=1) == [made[3]]


def test_accesses_of_one_instant_keep_their_order(records, look):
    made = [look(asked=f"第{n}行") for n in range(5)]
    assert accesses(records) == made[::-1]


def test_each_access_is_on_the_chain_with_user_unit_purpose_plan_and_version(records, look):
    made = look()
    kind, _, told = last_event(records)
    assert kind == "access" and told["access"] == made.access_id
    for name in (
        "user",
        "unit",
        "certificate",
        "purpose",
        "plan",
        "kind",
        "uscc",
        "version",
        "result",
        "count",
        "owners",
    ):
        assert told[name] == getattr(made, name), name
    assert "asked" not in told and len(told["asked_sha256"]) == 64
    assert verify_chain(records).ok


IDENTITY = "510703199001011231"


@pytest.mark.parametrize(
    "asked",
    [
        IDENTITY,
        "张某" + IDENTITY,
        "５１０７０３１９９００１０１１２３１",
        "510703 19900101 1231",
        "510703-19900101-1231",
        "510703900101123",
    ],
)
def test_a_resident_identity_number_is_nowhere_in_the_records(records, look, asked):
    made = look(asked=asked, uscc="", owners=[], result="bad-code", count=0)
    assert made.asked.count("*") >= 8
    kept = json.dumps([accesses(records)[0].asked, last_event(records)[2]], ensure_ascii=False)
    assert "19900101" not in kept and "900101123" not in kept


@pytest.mark.parametrize("text", [FIRM, "91440101190440075J", "渝环罚〔2025〕27号", "绵阳京东方", "440800000014935"])
def test_codes_names_and_numbers_of_documents_are_kept_as_typed(text):
    assert without_identities(text) == text


@pytest.mark.parametrize("wrong", [{"kind": "peek"}, {"user": " "}, {"unit": ""}, {"purpose": ""}], ids=str)
def test_an_access_without_who_or_why_is_refused(records, look, wrong):
    with pytest.raises(IncompleteMessage):
        look(**wrong)
    assert accesses(records) == [] and list(records.events()) == []


def test_what_no_database_takes_is_kept_as_escapes(records, look, objection):
    assert look(asked="甲\0乙\udcff").asked == accesses(records)[0].asked == "甲\\x00乙\\udcff"
    assert add_message(records, replace(objection, reason="因\0果")).reason == "因\\x00果"
    assert messages(records)[0].reason == "因\\x00果"

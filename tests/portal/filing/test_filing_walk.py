"""Filings on the real road: judged, shown, handed in, looked at by a second person, published; each by its own file."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from datetime import timedelta

import openpyxl
import pytest
from filing_desk import (
    BOTH,
    FOREIGNER,
    NOON,
    REVIEWER,
    UPLOADER,
    air,
    begun,
    checked,
    delivery,
    flagged,
    handed_in,
    incoming,
    left_of,
    somebody,
    worked,
)
from portal_home import DELIVERIES

from pipelines.batch import Places
from portal.filing import (
    REST,
    STATEMENT,
    Wish,
    approve,
    begin,
    findings_of_filing,
    hand_in,
    make_report,
    send_back,
    waiting_for_review,
    wanted_for,
    withdraw,
)
from portal.filing.drafts import folder_of, sweep
from portal.filing.errors import ExpertList, GoneDraft, NotPermitted, NotReady, WrongWish
from records.chain import verify_chain
from records.errors import IllegalState, QuotaReached, UnknownFiling
from records.filings import filing, filing_of_batch

RATINGS = "企业环境信用评价结果_2025年度.xlsx"


def published_of(desk, data: bytes, **wish: str):
    one = handed_in(desk, checked(desk, data, **wish))
    worked(desk)
    return filing(desk.records, one.filing_id)


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(name.replace("_", "."), data)
    return packed.getvalue()


def test_a_clean_file_is_judged_handed_in_and_published_once(shared_desk):
    desk = shared_desk
    one = checked(desk, air(1), period="2026-04-01")
    assert (one.state, one.stage, one.error, one.blocking, one.to_confirm) == ("checked", "", None, 0, 0)
    assert (
        one.summary["rows"]["read"] == 6
        and list(one.summary["covers"]) == ["2026-04-01"]
        and one.summary["stations"] == 1
    )
    pm = next(told for told in one.summary["parameters"] if told["parameter"] == "PM2.5")
    assert pm == {"parameter": "PM2.5", "unit": "ug/m3", "count": 6, "low": 30.0, "high": 35.0}
    done = handed_in(desk, one)
    assert done.state == "handing_in" and done.receipt == desk.records.batch(done.batch_id).receipt_number
    assert handed_in(desk, done) == done, "a second click"
    worked(desk)
    done = filing(desk.records, one.filing_id)
    batch = desk.records.batch(done.batch_id)
    assert (done.state, batch.state, batch.submitted_by) == ("published", "published", "u-1")
    assert filing_of_batch(desk.records, batch.batch_id) == done
    assert not folder_of(desk.places, one.filing_id).exists(), "what the draft held stands with the batch now"
    assert verify_chain(desk.records).ok


def test_what_was_flagged_wants_a_reason_and_refused_rows_want_a_yes(shared_desk):
    one = checked(shared_desk, flagged(2).replace(b"04-02 03:00,33", b"04-02 03:00,3O"))
    assert (one.blocking, one.to_confirm) == (1, 1) and wanted_for(one) == ("AIR-040", REST)

    def tried(statement: bool, **given: str) -> tuple[str, ...]:
        with pytest.raises(NotReady, match="我已核对") as refused:
            hand_in(shared_desk, UPLOADER, one.filing_id, statement=statement, confirmations=given, at=NOON)
        return refused.value.missing

    assert tried(False) == (STATEMENT, "AIR-040", REST)
    assert tried(True, **{"AIR-040": "  ", REST: "是"}) == ("AIR-040",)
    assert tried(False, **{"AIR-040": "核实", REST: "是"}) == (STATEMENT,)
    given = {"AIR-040": " 核实 ", REST: "是", "X-1": "无关"}
    done = hand_in(shared_desk, UPLOADER, one.filing_id, statement=True, confirmations=given, at=NOON)
    assert done.confirmations == {"AIR-040": "核实", REST: "是"} and done.statement


def test_a_file_without_anything_to_publish_is_never_handed_in(shared_desk):
    for data, code in ((air(9).replace(b"2026-04-09", b"2027-04-09"), "refused-by-rules"), (b"a,b\n1,2\n", "")):
        one = checked(shared_desk, data)
        assert one.state == "checked" and one.error is not None and code in one.error["code"]
        with pytest.raises(NotReady, match="必须修改"):
            handed_in(shared_desk, one)
    straight = checked(shared_desk, b"a,b\n3,4\n", purpose="straight")
    assert (straight.state, straight.batch_id) == ("refused", "") and straight.error["message"]


def test_only_looking_never_becomes_a_delivery(shared_desk):
    one = checked(shared_desk, air(4), purpose="check")
    with pytest.raises(NotReady, match="仅作预检"):
        handed_in(shared_desk, one)
    assert filing(shared_desk.records, one.filing_id).batch_id == ""


def test_a_program_hands_in_at_once_and_a_repeat_is_told(shared_desk):
    one = checked(shared_desk, air(5), purpose="straight", idempotency_key="k-5")
    assert one.state == "published" and one.statement and one.receipt
    assert begun(shared_desk, air(5), purpose="straight", idempotency_key="k-5") == one
    again = checked(shared_desk, air(5), purpose="straight")
    assert (again.state, again.receipt) == ("repeated", one.receipt)


def test_ratings_wait_for_somebody_else_with_a_second_factor(shared_desk):
    desk, at = shared_desk, NOON
    one = begin(desk, BOTH, delivery(desk.places, RATINGS), Wish(), at)
    worked(desk)
    one = handed_in(desk, filing(desk.records, one.filing_id), BOTH)
    assert one.state == "in_review" and one in waiting_for_review(desk.records, "beibei")
    assert worked(desk) == 0 and desk.records.batch(one.batch_id).state == "received"
    for who, why in (
        (BOTH, "own-submission"), (UPLOADER, "forbidden"), (somebody("u-8", "reviewer", factor=False), "second-factor"),
    ):  # fmt: skip
        for act in (
            lambda who: approve(desk, who, one.filing_id, at),
            lambda who: send_back(desk, who, one.filing_id, "no-basis", "", at),
        ):
            with pytest.raises(NotPermitted) as refused:
                act(who)
            assert refused.value.decision.code == why
    with pytest.raises(UnknownFiling):
        approve(desk, FOREIGNER, one.filing_id, at)
    assert approve(desk, REVIEWER, one.filing_id, at).state == "handing_in"
    worked(desk)
    assert filing(desk.records, one.filing_id).state == "published"
    with pytest.raises(IllegalState):
        send_back(desk, REVIEWER, one.filing_id, "no-basis", "", at)


def test_who_sent_a_file_does_not_approve_it_when_a_colleague_handed_it_in(shared_desk):
    desk, name = shared_desk, "行政处罚_2026年4月.csv"
    one = begin(desk, BOTH, delivery(desk.places, name), Wish(), NOON)
    worked(desk)
    one = handed_in(desk, filing(desk.records, one.filing_id), UPLOADER)
    for who in (BOTH, replace(UPLOADER, roles=frozenset({"reviewer"}))):
        with pytest.raises(NotPermitted, match="本人"):
            approve(desk, who, one.filing_id, NOON)
    back = send_back(desk, REVIEWER, one.filing_id, "suspect-values", "第 2 行金额", NOON)
    assert back.error["message"] == "审核退回：数值可疑，须核实原始记录。第 2 行金额。请修改后重新上传"
    assert (
        desk.records.batch(back.batch_id).state == "refused" and desk.records.batch(back.batch_id).error == back.error
    )
    again = checked(desk, (DELIVERIES / "beibei" / name).read_bytes())
    assert handed_in(desk, again).state == "in_review", "the same file may be handed in again"


def test_a_reason_to_send_back_is_of_the_list_and_has_its_words(shared_desk):
    one = checked(shared_desk, (DELIVERIES / "beibei" / RATINGS).read_bytes() + b"\0", BOTH)
    for code, text in (("", ""), ("whatever", "x"), ("other", " ")):
        with pytest.raises(WrongWish, match="退回"):
            send_back(shared_desk, REVIEWER, one.filing_id, code, text, NOON)


def test_a_correction_says_of_what_and_why_and_is_reviewed(shared_desk):
    desk = shared_desk
    first = published_of(desk, air(6))
    data = air(6, pm25="4{}")
    for corrects, reason, said in (
        (first.receipt, " ", "更正原因"), ("Rbeibei-20260101-NOWHERE000", "x", "被更正的回执"),
    ):  # fmt: skip
        with pytest.raises(WrongWish, match=said):
            begun(desk, data, corrects=corrects, reason=reason)
    with pytest.raises(WrongWish, match="被更正的回执"):
        begun(desk, data, FOREIGNER, corrects=first.receipt, reason="x")
    one = handed_in(desk, checked(desk, data, corrects=first.receipt, reason="仪器校准后更正"))
    assert one.state == "in_review" and one.summary["dataset"] == "air"
    approve(desk, somebody("u-8", "reviewer", factor=False), one.filing_id, NOON)
    worked(desk)
    done = filing(desk.records, one.filing_id)
    [change] = [table for table in desk.records.batch(done.batch_id).tables if table["table"] == "air_observation"]
    assert done.state == "published" and change["corrected"] == 6 and change["unchanged"] == 30


def test_wishes_that_do_not_fit_leave_nothing_behind(desk):
    for wish, said in (
        ({"purpose": "x"}, "报送用途"), ({"dataset": "noise"}, "数据类型"), ({"period": "四月"}, "报送期间"),
        ({"reason": "因" * 501}, "更正原因"),
    ):  # fmt: skip
        with pytest.raises(WrongWish, match=said):
            begun(desk, air(), **wish)
    tight = replace(desk, rules=replace(desk.rules, quota=replace(desk.rules.quota, files_a_day=1)))
    begun(tight, air(1))
    with pytest.raises(QuotaReached):
        begun(tight, air(2))
    begun(tight, air(2), FOREIGNER)
    assert len(left_of(desk.places)) == 2


# -- lists of experts -----------------------------------------------------------------------------------------


def experts() -> bytes:
    return (DELIVERIES / "beibei" / "专家名册_2026年.xlsx").read_bytes()


@pytest.mark.parametrize("dataset", ["", "experts", "air"])
def test_a_list_of_experts_is_refused_at_once_and_gone(desk, dataset):
    with pytest.raises(ExpertList, match="专家库"):
        begun(desk, experts(), dataset=dataset)
    with pytest.raises(ExpertList):
        begun(desk, zipped(名册_csv=experts_as_text()), dataset=dataset)
    assert left_of(desk.places) == [] and not [one for one in desk.records.events() if one.kind == "filing"]


def experts_as_text() -> bytes:
    rows = openpyxl.load_workbook(io.BytesIO(experts())).worksheets[0].iter_rows(values_only=True)
    return "\n".join(",".join(str(cell or "") for cell in row) for row in rows).encode()


def deflated(workbook: bytes) -> bytes:
    """A workbook whose headings cannot be read from outside."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in old.namelist():
            out.writestr(name, old.read(name))
    return packed.getvalue()


def test_a_list_of_experts_packed_twice_is_found_by_the_worker_and_gone(desk):
    hidden = deflated(experts())
    for data in (zipped(名册_xlsx=hidden), zipped(空气_csv=air(1), 名册_xlsx=hidden)):
        one = checked(desk, data, purpose="file")
        assert (one.state, one.error["code"], one.summary) == ("refused", "no-roster", {})
    assert left_of(desk.places) == [] and not list((desk.places.home / "scratch").iterdir())


def test_an_archive_of_one_file_is_that_file_and_one_of_several_is_refused(desk):
    one = checked(desk, zipped(空气_csv=air(7)))
    assert one.error is None and one.summary["member"]["name"] == "空气.csv"
    done = handed_in(desk, one)
    batch = desk.records.batch(done.batch_id)
    assert (batch.file_name, batch.container_sha256) == ("空气.csv", one.sha256) and batch.sha256 != one.sha256
    several = checked(desk, zipped(a_csv=air(7), b_csv=air(8)))
    assert (several.state, several.error["code"]) == ("refused", "several-files")
    assert not folder_of(desk.places, several.filing_id).exists()


# -- what is shown --------------------------------------------------------------------------------------------


def test_findings_and_annotated_copy_are_the_same_before_and_after_handing_in(shared_desk, tmp_path):
    desk = shared_desk
    one = checked(desk, flagged(8).replace(b"04-08 02:00,32", b"04-08 02:00,-3"))
    before = findings_of_filing(desk.places, one)
    make_report(desk.places, desk.records, one, tmp_path / "before.xlsx")
    make_report(desk.places, desk.records, one, tmp_path / "before.csv")
    handed_in(desk, one)
    worked(desk)
    done = filing(desk.records, one.filing_id)
    assert done.state == "published" and len(before) == one.findings_total > 1
    assert findings_of_filing(desk.places, done).equals(before)
    make_report(desk.places, desk.records, done, tmp_path / "after.xlsx")
    sheets = [openpyxl.load_workbook(tmp_path / name).worksheets[0] for name in ("before.xlsx", "after.xlsx")]
    cells = [[[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in sheets]
    assert cells[0] == cells[1] and any("AIR-040" in str(cell) for row in cells[0] for cell in row)
    assert (tmp_path / "before.csv").read_text("utf-8-sig").count("AIR-") == len(before)


def test_a_withdrawn_draft_is_gone_and_says_so(desk, tmp_path):
    """UPL-19: also while its check waits."""
    one, waiting = checked(desk, air(1)), begun(desk, air(2))
    for each in (one, waiting):
        with pytest.raises(UnknownFiling):
            withdraw(desk, FOREIGNER, each.filing_id, NOON)
        assert withdraw(desk, UPLOADER, each.filing_id, NOON).state == "withdrawn"
        with pytest.raises(NotReady, match="已结束"):
            handed_in(desk, each)
    assert worked(desk) == 0 and left_of(desk.places) == []
    with pytest.raises(GoneDraft, match="重新上传"):
        make_report(desk.places, desk.records, one, tmp_path / "x.xlsx")


def test_the_broom_takes_what_nobody_needs_and_nothing_else(desk):
    """UPL-08: what a cut connection left goes within an hour."""
    old = checked(desk, air(2), at=NOON - timedelta(days=31))
    fresh = begun(desk, air(1))
    cut = incoming(desk.places, b"half").path
    orphan = folder_of(desk.places, "F" + "A" * 26)
    orphan.mkdir()
    machine = NOON.fromtimestamp(cut.stat().st_mtime, NOON.tzinfo)
    assert sweep(desk, NOON - timedelta(days=2), machine + timedelta(minutes=59)) == 0
    assert sweep(desk, NOON, machine + timedelta(minutes=61)) == 3
    assert not cut.exists() and not orphan.exists() and folder_of(desk.places, fresh.filing_id).exists()
    assert filing(desk.records, old.filing_id).state == "withdrawn" and len(left_of(desk.places)) == 1


def test_a_home_may_have_its_own_rules_for_review(desk, places: Places):
    from schemas.files import MalformedFact
    from schemas.filing_rules import filing_rules

    places.site_facts.mkdir(exist_ok=True)
    own = places.site_facts / "filing_rules.toml"
    block = (
        '[review]\ndatasets = ["air"]\nstrict = []\ncorrections = false\npartial = false\ndays = 1\nsource = "agreed"\n'
    )
    own.write_text(block, encoding="utf-8")
    looser = replace(desk, rules=filing_rules.__wrapped__(places.site_facts))
    assert looser.rules.needs_review("air", "") and not looser.rules.needs_review("credit", "R1")
    one = checked(looser, air(1).replace(b"00:00,30", b"00:00,3O"))
    with pytest.raises(NotReady, match="必须修改"):
        handed_in(looser, one)
    for bad in ("[limits]\n", '[review]\ndatasets = ["noise"]\n', block.replace("days = 1", "days = 0")):
        own.write_text(bad, encoding="utf-8")
        with pytest.raises(MalformedFact):
            filing_rules.__wrapped__(places.site_facts)

"""A draw between two homes that hand each other files: the other home has no roster, and trusts papers only."""

from __future__ import annotations

import copy
import json

import pytest
from desk_home import BOTH, DAY, FALLBACK, HOUR, LOOKER, T0, VALUE, commit, fill, frozen, home

from expert_registry.draw import desk as desks
from expert_registry.draw import opening, replacing, rounds
from expert_registry.draw.exchange import export, take_in
from expert_registry.draw.papers import PublicSource, PublicValue
from expert_registry.draw.verification import verify
from expert_registry.errors import BadDraw, WrongState
from records import expert_drawbook
from records.chain import verify_chain
from records.errors import IllegalState
from records.keys import sign_document
from records.store import Records


@pytest.fixture
def homes(records, tmp_path):
    """Beibei with the pool on each kind of database, Mianyang with nothing; each knows the other's key."""
    fill(records)
    with Records.open(f"sqlite:///{tmp_path / 'mianyang.db'}", create=True) as other:
        first = home(records, tmp_path / "beibei", plays=("beibei",))
        second = home(other, tmp_path / "mianyang", plays=("mianyang",))
        first.trusted["mianyang"] = {second.signer.public_key}
        second.trusted["beibei"] = {first.signer.public_key}
        yield first, second


def by_file(packet):
    """What a file leaves of it."""
    return json.loads(json.dumps(packet, ensure_ascii=False, indent=1))


def hand(sender, receiver, draw_id, at):
    packet = by_file(export(sender, draw_id, sender.plays[0], at))
    return take_in(receiver, packet, by="courier", at=at)


def committed(first, second):
    """Both have committed, and hold each other's commitment."""
    draw_id = frozen(first)
    commit(first, draw_id, "beibei")
    hand(first, second, draw_id, T0 + 2 * HOUR)
    commit(second, draw_id, "mianyang", T0 + 3 * HOUR)
    hand(second, first, draw_id, T0 + 3 * HOUR)
    return draw_id


def revealed(first, second):
    draw_id = committed(first, second)
    rounds.reveal(first, draw_id, "beibei", by="wang", at=T0 + 4 * HOUR)
    rounds.reveal(second, draw_id, "mianyang", by="he", at=T0 + 4 * HOUR)
    hand(second, first, draw_id, T0 + 5 * HOUR)
    hand(first, second, draw_id, T0 + 5 * HOUR)
    return draw_id


def published(first, second):
    draw_id = revealed(first, second)
    rounds.run(first, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    rounds.publish(first, draw_id, by="wang", at=T0 + 33 * HOUR)
    hand(first, second, draw_id, T0 + 34 * HOUR)
    return draw_id


def test_two_homes_draw_together_and_both_hold_the_same_result(homes):
    first, second = homes
    draw_id = published(first, second)
    mine, theirs = (desks.latest(one, draw_id) for one in homes)
    assert mine == theirs and mine["assurance"] == "two-homes" and mine["incidents"] == []
    assert verify(mine, {"beibei": {first.signer.public_key}, "mianyang": {second.signer.public_key}}).ok
    assert mine["commitments"]["beibei"]["public_key"] != mine["commitments"]["mianyang"]["public_key"]
    for one in homes:
        assert verify_chain(one.records).ok and expert_drawbook.check_numbers(one.records) == []
    assert expert_drawbook.sealed_secret(first.records, draw_id, "mianyang") is None
    assert expert_drawbook.sealed_secret(second.records, draw_id, "beibei") is None
    assert "专家" not in json.dumps(export(first, draw_id, "beibei", T0 + 2 * DAY), ensure_ascii=False).replace(
        "专家组", ""
    )


def test_a_replacement_between_two_homes(homes):
    first, second = homes
    draw_id = published(first, second)
    seen, later = opening.names(first, draw_id, LOOKER, T0 + 10 * DAY), T0 + 11 * DAY
    source = PublicSource("福利彩票第2026050期", later + 3 * DAY)
    replacing.open_vacancy(
        first, draw_id, seen[0].expert.expert_id, "declined", fallback_source=source, by="sun", at=later
    )
    with pytest.raises(WrongState):
        replacing.give_link(second, draw_id, "mianyang", by="he", at=later)
    replacing.give_link(first, draw_id, "beibei", by="wang", at=later)
    hand(first, second, draw_id, later)
    replacing.give_link(second, draw_id, "mianyang", by="he", at=later + HOUR)
    hand(second, first, draw_id, later + HOUR)
    made = replacing.replace(first, draw_id, by="wang", at=later + 2 * HOUR)
    hand(first, second, draw_id, later + 3 * HOUR)
    assert desks.latest(second, draw_id) == made and made["replacements"][0]["incidents"] == []
    assert len(opening.names(first, draw_id, LOOKER, later + DAY)) == 4


def test_a_home_that_comes_late_takes_in_a_whole_draw_with_its_replacements(homes, tmp_path):
    first, second = homes
    draw_id = published(first, second)
    seen, later = opening.names(first, draw_id, LOOKER, T0 + 10 * DAY), T0 + 11 * DAY
    source = PublicSource("福利彩票第2026050期", later + 3 * DAY)
    replacing.open_vacancy(first, draw_id, seen[0].expert.expert_id, "ill", fallback_source=source, by="sun", at=later)
    replacing.give_link(first, draw_id, "beibei", by="wang", at=later)
    value = PublicValue(source.name, "1 2 3", source.due)
    made = replacing.replace(first, draw_id, by="wang", at=later + 4 * DAY, value=value)
    hand(first, second, draw_id, later + 5 * DAY)
    assert desks.latest(second, draw_id) == made and expert_drawbook.check_numbers(second.records) == []


def test_a_file_taken_in_twice_changes_nothing(homes):
    first, second = homes
    draw_id = committed(first, second)
    before = second.records.head()
    hand(first, second, draw_id, T0 + 4 * HOUR)
    assert second.records.head() == before
    assert expert_drawbook.draw(second.records, draw_id).state == "committed"


def resigned(desk, packet, change):
    """The packet as its sender would sign it after a change."""
    body = {name: part for name, part in copy.deepcopy(packet).items()
            if name not in ("algorithm", "key_id", "public_key", "signature")}  # fmt: skip
    change(body)
    return sign_document(body, desk.signer)


def paper(packet, kind):
    return next(one["document"] for one in packet["papers"] if one["kind"] == kind)


def test_another_list_under_the_same_number_is_refused(homes):
    """Beibei shops for a list after Mianyang has committed to the first one."""
    first, second = homes
    draw_id = committed(first, second)
    packet = export(first, draw_id, "beibei", T0 + 4 * HOUR)
    changed = resigned(first, packet, lambda body: paper(body, "list")["candidates"].pop())
    with pytest.raises(IllegalState, match="不得改写"):
        take_in(second, changed, by="courier", at=T0 + 4 * HOUR)


def test_a_new_list_whose_commitment_is_to_another_is_refused(homes):
    first, second = homes
    draw_id = frozen(first)
    commit(first, draw_id, "beibei")
    packet = export(first, draw_id, "beibei", T0 + 3 * HOUR)
    changed = resigned(first, packet, lambda body: paper(body, "list")["candidates"].pop())
    with pytest.raises(BadDraw, match="名单被改动过"):
        take_in(second, changed, by="courier", at=T0 + 4 * HOUR)
    only_list = resigned(first, packet, lambda body: body["papers"].pop())
    with pytest.raises(BadDraw, match="没有 beibei"):
        take_in(second, only_list, by="courier", at=T0 + 4 * HOUR)
    assert expert_drawbook.draws(second.records) == []


def test_a_file_changed_on_its_way_or_signed_by_somebody_else_is_refused(homes, tmp_path):
    first, second = homes
    draw_id = frozen(first)
    commit(first, draw_id, "beibei")
    packet = export(first, draw_id, "beibei", T0 + 3 * HOUR)
    with pytest.raises(BadDraw, match="不是用 beibei 的密钥"):
        take_in(second, {**packet, "sent_at": "x"}, by="courier", at=T0 + 4 * HOUR)
    with pytest.raises(BadDraw, match="不是用 beibei 的密钥"):
        take_in(second, resigned(second, packet, lambda body: None), by="courier", at=T0 + 4 * HOUR)
    with pytest.raises(BadDraw, match="不是对方的交换文件"):
        take_in(first, packet, by="courier", at=T0 + 4 * HOUR)


def test_a_home_gives_nothing_for_the_other_bureau(homes):
    first, second = homes
    draw_id = frozen(first)
    for act in (
        lambda: commit(first, draw_id, "mianyang"),
        lambda: rounds.reveal(first, draw_id, "mianyang", by="wang", at=T0 + 3 * HOUR),
        lambda: export(first, draw_id, "mianyang", T0 + 3 * HOUR),
    ):
        with pytest.raises(BadDraw, match="不代表 mianyang"):
            act()


def test_a_forged_commitment_for_the_other_bureau_does_not_pass(homes):
    """Beibei makes both commitments with its own key: at Mianyang's home they are refused."""
    first, second = homes
    draw_id = frozen(first)
    commit(first, draw_id, "beibei")
    forger = home(first.records, first.vault.folder.parent, plays=BOTH)
    commit(forger, draw_id, "mianyang")
    packet = export(first, draw_id, "beibei", T0 + 3 * HOUR)
    with pytest.raises(BadDraw, match="不是用 mianyang 的密钥"):
        take_in(second, packet, by="courier", at=T0 + 3 * HOUR)


def test_a_reveal_that_comes_after_its_time_is_refused_whatever_it_says_of_itself(homes):
    first, second = homes
    draw_id = committed(first, second)
    rounds.reveal(first, draw_id, "beibei", by="wang", at=T0 + 4 * HOUR)
    rounds.reveal(second, draw_id, "mianyang", by="he", at=T0 + 4 * HOUR)  # dated in time …
    with pytest.raises(BadDraw, match="已过期限"):
        hand(second, first, draw_id, T0 + 30 * HOUR)  # … handed over when the public value is known
    made_with = PublicValue(FALLBACK.name, "5 6 7", FALLBACK.due)
    made = rounds.run(first, draw_id, made_with, by="wang", at=T0 + 62 * HOUR)
    assert [one["bureau"] for one in made["incidents"]] == ["mianyang"]


def test_who_draws_and_reveals_only_when_the_value_is_known_is_named_in_the_other_home(homes):
    """Beibei dates its reveal in time but holds it back: it could have chosen between two values."""
    first, second = homes
    draw_id = committed(first, second)
    rounds.reveal(second, draw_id, "mianyang", by="he", at=T0 + 4 * HOUR)
    hand(second, first, draw_id, T0 + 5 * HOUR)
    rounds.reveal(first, draw_id, "beibei", by="wang", at=T0 + 5 * HOUR)
    rounds.run(first, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    hand(first, second, draw_id, T0 + 33 * HOUR)
    assert rounds.incidents(second, T0) == {"beibei": [f"{draw_id} late-reveal"]}
    assert rounds.incidents(first, T0) == {}


def test_a_result_that_leaves_out_what_a_home_revealed_is_not_taken_in_silently(homes):
    first, second = homes
    draw_id = committed(first, second)
    rounds.reveal(first, draw_id, "beibei", by="wang", at=T0 + 4 * HOUR)
    rounds.reveal(second, draw_id, "mianyang", by="he", at=T0 + 4 * HOUR)
    rounds.run(first, draw_id, PublicValue(FALLBACK.name, "5 6 7", FALLBACK.due), by="wang", at=T0 + 62 * HOUR)
    with pytest.raises(BadDraw, match="漏掉"):
        hand(first, second, draw_id, T0 + 63 * HOUR)


def test_a_changed_result_is_refused_by_the_other_home(homes):
    first, second = homes
    draw_id = revealed(first, second)
    rounds.run(first, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    packet = export(first, draw_id, "beibei", T0 + 33 * HOUR)

    def swap(body):
        result = paper(body, "draw")
        result["taken"][0], result["taken"][1] = result["taken"][1], result["taken"][0]

    with pytest.raises(BadDraw, match="重新计算的结果不同"):
        take_in(second, resigned(first, packet, swap), by="courier", at=T0 + 34 * HOUR)


def test_the_other_home_learns_of_an_abandoned_draw(homes):
    first, second = homes
    draw_id = committed(first, second)
    with pytest.raises(BadDraw, match="由 beibei 中止"):
        desks.abandon(second, draw_id, "matter-withdrawn", "不愿参加", by="he", at=T0 + 5 * HOUR)
    desks.abandon(first, draw_id, "matter-withdrawn", "企业撤回", by="wang", at=T0 + 5 * HOUR)
    assert hand(first, second, draw_id, T0 + 6 * HOUR).state == "abandoned"
    with pytest.raises(WrongState):
        rounds.reveal(second, draw_id, "mianyang", by="he", at=T0 + 7 * HOUR)


def test_a_file_is_checked_before_anything_of_it_is_kept(homes):
    first, second = homes
    draw_id = frozen(first)
    commit(first, draw_id, "beibei")
    packet = export(first, draw_id, "beibei", T0 + 3 * HOUR)
    strange = resigned(
        first, packet, lambda body: body["papers"].append({"kind": "request", "part": "", "document": {}})
    )
    with pytest.raises(BadDraw, match="未知的文书"):
        take_in(second, strange, by="courier", at=T0 + 3 * HOUR)
    assert expert_drawbook.draws(second.records) == []

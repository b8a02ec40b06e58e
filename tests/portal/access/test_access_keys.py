"""API keys: scope within the owner's rights, expiry to the second, dead with the owner (AUT-13, AUT-17)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from portal.access.accounts import disable, enable, reset, set_roles
from portal.access.caller import allowed
from portal.access.errors import KeyRefused
from portal.access.keys import caller_of_key, issue_key, revoke_key
from records.account_keys import keys_of

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def issued(gate, enter, now, scopes=("batch.submit", "batch.read"), **more):
    session, _ = enter(gate, **more)
    return session.account_id, issue_key(gate, session.account_id, "自动报送", scopes, now + 30 * DAY, "op", now)


def test_a_key_stands_for_its_owner_within_its_scopes_and_bureau(gate, enter, now):
    account_id, made = issued(gate, enter, now, bureau="mianyang")
    caller = caller_of_key(gate, made.text, now)
    assert (caller.account_id, caller.bureau, caller.kind, caller.second_factor) == (
        account_id,
        "mianyang",
        "key",
        False,
    )
    assert allowed(caller, "batch.submit", "mianyang").ok
    assert allowed(caller, "batch.submit", "beibei").code == "foreign"
    assert allowed(caller, "batch.correct", "mianyang").code == "forbidden"  # his, but not the key's


@pytest.mark.parametrize("scope", ["credit.lookup", "users.manage", "batch.raw", "no.such", ""])
def test_aut_17_a_key_wider_than_its_owner_or_than_any_key_is_not_issued(scope, gate, enter, now):
    session, _ = enter(gate)
    with pytest.raises(KeyRefused):
        issue_key(gate, session.account_id, "自动报送", ["batch.submit", scope], now + DAY, "op", now)
    assert keys_of(gate.records, session.account_id) == []


def test_aut_17_what_the_owner_loses_the_key_loses_at_the_next_request(gate, enter, now):
    _, made = issued(gate, enter, now)
    set_roles(gate, "zhang", ["auditor"], "op", now)
    caller = caller_of_key(gate, made.text, now)
    assert caller.scopes == {"batch.read"} and not allowed(caller, "batch.submit", "beibei").ok


def test_aut_17_a_key_expires_to_the_second(gate, enter, now):
    _, made = issued(gate, enter, now)
    assert caller_of_key(gate, made.text, now + 30 * DAY - SECOND) is not None
    assert caller_of_key(gate, made.text, now + 30 * DAY) is None


def test_aut_13_keys_of_a_closed_account_are_dead_and_revoked_ones_stay_so(gate, enter, now):
    _, made = issued(gate, enter, now)
    disable(gate, "zhang", "op", now)
    assert caller_of_key(gate, made.text, now) is None
    enable(gate, "zhang", "op", now)
    assert caller_of_key(gate, made.text, now) is not None
    revoke_key(gate, made.key.key_id, "op", now)
    assert caller_of_key(gate, made.text, now) is None
    with pytest.raises(KeyRefused):
        revoke_key(gate, "k-20260401-000000000000", "op", now)


def test_only_the_hash_of_a_key_is_kept_and_neither_it_nor_the_chain_tells_the_key(gate, enter, now):
    _, made = issued(gate, enter, now)
    secret = made.text.rsplit("_", 1)[-1]
    with gate.records.database.read() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM api_key").all())
    told = json.dumps([event.payload for event in gate.records.events()])
    assert made.key.prefix in rows and secret not in rows + told + repr(made)
    assert "key-issued" in told


@pytest.mark.parametrize(
    "spoil", ["", "gz_", "gz_{0}_{1}x", "gz_{0}_" + "A" * 43, "gz_000000000000_{1}", "gz_{0}_{1}\n", "\ud800"]
)
def test_a_text_that_is_no_key_is_nobody(spoil, light_gate, enter, now):
    _, made = issued(light_gate, enter, now)
    _, prefix, secret = made.text.split("_", 2)
    assert caller_of_key(light_gate, made.text, now) is not None
    assert caller_of_key(light_gate, spoil.format(prefix, secret), now) is None


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_a_key_needs_an_end_within_a_year(days, light_gate, enter, now):
    session, _ = enter(light_gate)
    with pytest.raises(KeyRefused):
        issue_key(light_gate, session.account_id, "自动报送", ["batch.submit"], now + days * DAY, "op", now)


def test_the_last_use_is_written_down_at_most_once_a_minute(gate, enter, now):
    account_id, made = issued(gate, enter, now)
    for seconds in (0, 30, 59):
        caller_of_key(gate, made.text, now + seconds * SECOND)
    assert keys_of(gate.records, account_id)[0].used_at == now
    caller_of_key(gate, made.text, now + 60 * SECOND)
    assert keys_of(gate.records, account_id)[0].used_at == now + 60 * SECOND


def test_a_reset_revokes_the_keys_in_the_same_stroke_and_says_how_many(gate, enter, now):
    account_id, made = issued(gate, enter, now)
    issue_key(gate, account_id, "另一台机器", ["batch.read"], now + DAY, "op", now)
    reset(gate, "zhang", "op", now)
    assert caller_of_key(gate, made.text, now) is None
    assert all(one.revoked_at == now for one in keys_of(gate.records, account_id))
    last = [json.loads(one.payload) for one in gate.records.events() if one.kind == "account-change"][-1]
    assert (last["change"], last["keys_revoked"]) == ("reset", 2)

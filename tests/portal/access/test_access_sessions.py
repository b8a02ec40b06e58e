"""Sessions: idle, absolute, unfinished; and for every pattern of use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.access.accounts import add
from portal.access.login import sign_in, sign_out
from portal.access.sessions import begin, caller_of, end_others, end_session, open_sessions, token_hash
from records.account_sessions import find_session, sessions_of

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)


def test_a_session_dies_after_half_an_hour_without_use_and_not_before(gate, enter, now):
    session, _ = enter(gate)
    assert caller_of(gate, session.token, now + 30 * MINUTE - SECOND) is not None
    assert caller_of(gate, session.token, now + 60 * MINUTE - SECOND) is None


def test_a_session_dies_after_twelve_hours_of_use(gate, enter, now):
    session, _ = enter(gate)
    at = now
    while at + 20 * MINUTE < now + 12 * HOUR:
        at += 20 * MINUTE
        assert caller_of(gate, session.token, at) is not None
    assert caller_of(gate, session.token, now + 12 * HOUR - SECOND) is not None
    assert caller_of(gate, session.token, now + 12 * HOUR) is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gaps=st.lists(st.integers(1, 2_400), min_size=1, max_size=60))
def test_whatever_the_pattern_of_use_idle_and_age_hold_to_the_minute(light_gate, now, gaps):
    login = f"u{len(sessions_all(light_gate))}"
    found = add_quickly(light_gate, login, now)
    session = begin(light_gate, found, "beibei", "", now, "password")
    at = last = now
    alive = True
    for gap in gaps:
        at += timedelta(seconds=gap)
        open_now = caller_of(light_gate, session.token, at) is not None
        idle = at - last
        if not alive or at >= now + 12 * HOUR or idle >= 30 * MINUTE:
            assert not open_now
            alive = False
        elif idle < 29 * MINUTE:
            assert open_now
        alive = alive and open_now
        last = at if open_now else last


def sessions_all(gate):
    from records.accounts import accounts

    return accounts(gate.records)


def add_quickly(gate, login, now) -> str:
    """An account whose password nobody uses: hashing it would be most of the time of the property."""
    from records.accounts import add_account

    made = add_account(
        gate.records, login=login, name="张工", bureau="beibei", roles=["uploader"], password_hash="!",
        one_time_until=None, by="op", at=now,
    )  # fmt: skip
    return made.account_id


def test_a_use_is_written_down_at_most_once_a_minute(light_gate, enter, now):
    session, _ = enter(light_gate)
    for seconds in range(59):
        caller_of(light_gate, session.token, now + seconds * SECOND)
    assert find_session(light_gate.records, token_hash(session.token))[0].seen_at == now
    caller_of(light_gate, session.token, now + MINUTE)
    assert find_session(light_gate.records, token_hash(session.token))[0].seen_at == now + MINUTE


@pytest.mark.parametrize("token", ["", "x", "../../etc", "\x00", "\ud800", "a" * 1_000_000])
def test_a_token_nobody_issued_is_nobody(light_gate, token, now):
    assert caller_of(light_gate, token, now) is None
    sign_out(light_gate, token, now)


def test_a_holder_sees_his_sessions_and_ends_one_or_all_others_but_nobody_elses(gate, enter, now):
    mine, password = enter(gate)
    other = sign_in(gate, "zhang", password, now + MINUTE, address="10.1.2.3", agent="Firefox")
    third = sign_in(gate, "zhang", password, now + 2 * MINUTE)
    stranger, _ = enter(gate, "li.si")
    at = now + 3 * MINUTE
    caller = caller_of(gate, mine.token, at)
    assert [one.current for one in open_sessions(gate, caller, at)] == [False, False, True]
    assert open_sessions(gate, caller, at)[1].address == "10.1.2.3"
    assert not end_session(gate, caller, stranger.session_id, at)
    assert caller_of(gate, stranger.token, at) is not None
    assert end_session(gate, caller, other.session_id, at) and caller_of(gate, other.token, at) is None
    assert not end_session(gate, caller, other.session_id, at)
    assert end_others(gate, caller, at) == 1 and caller_of(gate, third.token, at) is None
    assert caller_of(gate, mine.token, at) is not None


def test_r40_sessions_of_long_ago_are_removed_at_the_next_login(gate, enter, now):
    session, password = enter(gate)
    sign_in(gate, "zhang", password, now + timedelta(days=40))
    assert len(sessions_of(gate.records, session.account_id)) == 1


def test_an_unfinished_login_opens_nothing_but_the_way_on(gate, now):
    from portal.access.caller import allowed
    from schemas.permissions import permissions

    issued = add(gate, "wang", "王工", "beibei", ["reviewer"], "op", now)
    caller = caller_of(gate, sign_in(gate, "wang", issued.password, now).token, now)
    assert caller.step == "change"
    assert {name for name in permissions() if allowed(caller, name).ok} == {"account.password", "account.logout"}
    assert allowed(caller, "dashboard.read").code == "change"

"""Accounts in the records: one event per change, nothing of a person on the chain, nobody logged in after a restore."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from records import account_sessions as sessions
from records import accounts, login_tries
from records.backup import restore, snapshot
from records.chain import verify_chain
from records.errors import LoginTaken, UnknownAccount
from records.store import Records

HOUR = timedelta(hours=1)


def made(records, now, login="zhang") -> accounts.Account:
    return accounts.add_account(
        records, login=login, name="张工\x00", bureau="beibei", roles=["uploader", "inspector"], password_hash="$one",
        one_time_until=now + HOUR, by="op", at=now,
    )  # fmt: skip


def session_of(records, account, now, token="t" * 64) -> sessions.Session:
    new = sessions.new_session(token, account.account_id, now, now + HOUR, None, "10.0.0.1", "x" * 5_000)
    assert sessions.start_session(records, new, "beibei", "password", now - HOUR)
    return new


def changes(records) -> list[str]:
    return [json.loads(one.payload)["change"] for one in records.events() if one.kind == "account-change"]


def test_an_account_is_read_as_it_was_written_and_a_login_is_unique(records, now):
    one = made(records, now)
    assert accounts.account(records, one.account_id) == one == accounts.find_login(records, "zhang")
    assert one.roles == {"uploader", "inspector"} and "$one" not in repr(one)
    with pytest.raises(LoginTaken):
        made(records, now)
    assert accounts.accounts(records) == [one] and accounts.accounts(records, "mianyang") == []
    with pytest.raises(UnknownAccount):
        accounts.account(records, "u-0")


def test_every_change_is_one_event_and_the_chain_names_nobody(records, now):
    one = made(records, now)
    number = one.account_id
    accounts.set_password(records, number, "$two", "reset", "op", now, None)
    accounts.set_roles(records, number, ["uploader"], "op", now)
    accounts.set_roles(records, number, ["uploader"], "op", now)  # nothing changes: nothing is told
    accounts.set_factor(records, number, "v1:sealed", ["c" * 64], number, now)
    accounts.set_disabled(records, number, True, "op", now, "调离")
    accounts.set_disabled(records, number, False, "op", now, "")
    assert changes(records) == ["added", "reset", "roles", "factor-on", "disabled", "enabled"]
    text = "".join(event.payload for event in records.events())
    assert not [hidden for hidden in ("张工", "zhang", "$one", "$two", "sealed", "调离", "cccc") if hidden in text]
    assert verify_chain(records).ok


def test_a_refused_change_of_nobody_leaves_no_event(records, now):
    with pytest.raises(UnknownAccount):
        accounts.set_password(records, "u-0", "$two", "reset", "op", now, None)
    assert records.events() == []


def test_a_hash_is_replaced_only_while_it_is_the_one_that_was_checked(records, now):
    one = made(records, now)
    accounts.set_hash(records, one.account_id, "$other", "$three")
    assert accounts.account(records, one.account_id).password_hash == "$one"
    accounts.set_hash(records, one.account_id, "$one", "$three")
    assert accounts.account(records, one.account_id).password_hash == "$three"


def test_a_step_and_a_recovery_code_are_used_once(records, now):
    one = made(records, now)
    accounts.set_factor(records, one.account_id, "v1:sealed", ["c" * 64], "op", now)
    steps = [accounts.use_factor_step(records, one.account_id, step) for step in (5, 5, 4, 6)]
    assert steps == [True, False, False, True]
    codes = [accounts.use_recovery_code(records, one.account_id, code, now) for code in ("c" * 64, "c" * 64, "d" * 64)]
    assert codes == [True, False, False] and accounts.recovery_codes_left(records, one.account_id) == 0


def test_a_session_replaces_one_that_is_open_only_and_none_begins_for_a_closed_account(records, now):
    one = made(records, now)
    first = session_of(records, one, now)
    assert len(first.agent) == 300
    second = sessions.new_session("u" * 64, one.account_id, now, now + HOUR, None, "", "")
    assert sessions.start_session(records, second, "beibei", "code", now, replaces="t" * 64)
    third = sessions.new_session("v" * 64, one.account_id, now, now + HOUR, None, "", "")
    assert not sessions.start_session(records, third, "beibei", "code", now, replaces="t" * 64)
    accounts.set_disabled(records, one.account_id, True, "op", now, "")
    assert not sessions.start_session(records, third, "beibei", "password", now)
    assert [(s.session_id, s.ended_why) for s in sessions.sessions_of(records, one.account_id)] == sorted(
        [(first.session_id, "renewed"), (second.session_id, "disabled")]
    )


def test_a_touch_never_goes_back_and_never_wakes_an_ended_session(records, now):
    one = made(records, now)
    session = session_of(records, one, now)
    for at in (now + HOUR, now):
        sessions.touch_session(records, session.token_sha256, at)
    assert sessions.find_session(records, session.token_sha256)[0].seen_at == now + HOUR
    assert sessions.end_session(records, one.account_id, session.session_id, now, "logout")
    sessions.touch_session(records, session.token_sha256, now + 2 * HOUR)
    assert sessions.find_session(records, session.token_sha256)[0].seen_at == now + HOUR


def test_a_try_counts_as_failed_until_it_passed_and_old_ones_are_removed(records, now):
    seen = []

    def look(tries: login_tries.Tries):
        seen.append((len(tries.day), len(tries.recent)))
        return None

    for number in range(3):
        last, _ = login_tries.begin_try(records, "zhang", "password", True, now + number * HOUR, look)
    login_tries.pass_try(records, last)
    login_tries.begin_try(records, "zhang", "password", True, now + 3 * HOUR, look)
    login_tries.begin_try(records, "zhang", "code", True, now + 3 * HOUR, look)
    login_tries.begin_try(records, "li", "password", False, now + 72 * HOUR, look)
    assert seen == [(0, 0), (1, 1), (2, 2), (2, 0), (0, 0), (0, 0)]
    with records.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM login_try").all()
    assert len(rows) == 1 and "'li'" not in str(rows)


def test_who_must_wait_is_not_counted(records, now):
    for _ in range(3):
        number, until = login_tries.begin_try(records, "zhang", "password", True, now, lambda tries: now + HOUR)
        assert (number, until) == (0, now + HOUR)
    with records.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM login_try").scalar_one() == 0


def test_a_restored_copy_keeps_the_accounts_and_nobody_is_logged_in(records, now, tmp_path, request):
    one = made(records, now)
    session = session_of(records, one, now)
    login_tries.begin_try(records, "zhang", "password", True, now, lambda tries: None)
    snapshot(records, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", f"sqlite:///{tmp_path / 'again.db'}")
    with Records.open(f"sqlite:///{tmp_path / 'again.db'}") as again:
        assert accounts.accounts(again) == [one]
        assert sessions.find_session(again, session.token_sha256) is None and verify_chain(again).ok


def test_a_copy_restored_into_postgresql_has_no_sessions_and_numbers_its_tries_on(postgresql, now, tmp_path):
    import psycopg

    with psycopg.connect(postgresql("postgres").replace("+psycopg", ""), autocommit=True) as server:
        server.execute("CREATE DATABASE gongzhi_accounts_restored")
    with Records.open(f"sqlite:///{tmp_path / 'from.db'}", create=True) as source:
        one = made(source, now)
        session_of(source, one, now)
        login_tries.begin_try(source, "zhang", "password", True, now, lambda tries: None)
        snapshot(source, tmp_path / "copy.db")
    restore(tmp_path / "copy.db", postgresql("gongzhi_accounts_restored"))
    with Records.open(postgresql("gongzhi_accounts_restored")) as again:
        assert accounts.accounts(again) == [one] and sessions.sessions_of(again, one.account_id) == []
        assert login_tries.begin_try(again, "zhang", "password", True, now, lambda tries: None)[0] == 2

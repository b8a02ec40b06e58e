"""Passwords and logging in: rows AUT-01 to AUT-13 of the faults that need no HTTP."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters

from portal.access.accounts import add, disable, enable, reset, set_roles
from portal.access.errors import DoorBusy, LoginRefused, MustWait, PasswordRefused
from portal.access.login import change_password, sign_in, sign_out
from portal.access.passwords import Passwords, one_time_password, refuse_weak
from portal.access.sessions import caller_of
from records.accounts import account, find_login, set_hash
from schemas.access_rules import access_rules

MINUTE = timedelta(minutes=1)


def refused(gate, login, password, at) -> str:
    with pytest.raises(LoginRefused) as caught:
        sign_in(gate, login, password, at)
    return caught.value.message


def kinds(gate) -> list[tuple[str, dict]]:
    return [(event.kind, json.loads(event.payload)) for event in gate.records.events()]


def test_aut_01_guessing_is_slowed_after_five_failures_and_the_wait_grows_and_is_told(gate, enter, now):
    enter(gate)
    at, waits = now + MINUTE, []
    for _ in range(5):
        refused(gate, "zhang", "wrong password", at)
    while len(waits) < 4:
        with pytest.raises(MustWait) as caught:
            sign_in(gate, "zhang", "wrong password", at)
        waits.append((caught.value.until - at) / MINUTE)
        assert "请等待" in caught.value.message and "China time" in caught.value.message_en
        at = caught.value.until
        refused(gate, "zhang", "wrong password", at)
    assert waits == [1, 2, 4, 8]


def test_aut_01_a_hundred_tries_at_once_get_five_looks(gate, enter, now):
    _, password = enter(gate)

    def guess(number: int) -> str:
        try:
            sign_in(gate, "zhang", f"wrong password {number}", now + MINUTE)
        except (LoginRefused, MustWait, DoorBusy) as error:
            return error.code
        return "in"

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(guess, range(40)))
    assert answers.count("login-refused") + answers.count("login-busy") <= 5
    assert answers.count("login-refused") >= 1 and "in" not in answers


def test_aut_01_the_legitimate_user_gets_in_after_the_wait_or_a_reset(gate, enter, now):
    _, password = enter(gate)
    for _ in range(5):
        refused(gate, "zhang", "wrong password", now)
    with pytest.raises(MustWait) as caught:
        sign_in(gate, "zhang", password, now)
    assert sign_in(gate, "zhang", password, caught.value.until).step == ""
    for _ in range(5):
        refused(gate, "zhang", "wrong password", now + 60 * MINUTE)
    issued = reset(gate, "zhang", "op", now + 60 * MINUTE)
    assert sign_in(gate, "zhang", issued.password, now + 60 * MINUTE).step == "change"


def test_aut_01_refusals_are_on_the_chain_without_password_or_typed_name(gate, enter, now):
    _, password = enter(gate)
    refused(gate, "zhang", "secretly-typed", now)
    refused(gate, "password-in-the-wrong-field", "secretly-typed", now)
    told = [payload for kind, payload in kinds(gate) if kind == "login-refused"]
    assert [(one["reason"], bool(one["account"])) for one in told] == [("wrong", True), ("unknown", False)]
    text = json.dumps(kinds(gate), ensure_ascii=False)
    for hidden in ("secretly-typed", "wrong-field", password, "张工", '"zhang"', "argon2"):
        assert hidden not in text


def test_aut_01_unknown_names_do_not_flood_the_chain(light_gate, now):
    rules = replace(light_gate.rules, throttle=replace(light_gate.rules.throttle, told_unknown=3))
    gate = replace(light_gate, rules=rules)
    for number in range(6):
        refused(gate, f"nobody{number}", "wrong password", now)
    assert [kind for kind, _ in kinds(gate)].count("login-refused") == 3


def test_aut_04_known_unknown_and_closed_accounts_get_the_same_words_and_the_same_waits(gate, enter, now):
    _, password = enter(gate)
    enter(gate, "closed")
    disable(gate, "closed", "op", now)
    answers = set()
    for login in ("zhang", "closed", "nobody"):
        for _ in range(5):
            answers.add(refused(gate, login, "wrong password", now))
        with pytest.raises(MustWait) as caught:
            sign_in(gate, login, "wrong password", now)
        answers.add(caught.value.message)
    assert len(answers) == 2
    assert "停用" not in "".join(answers)


def test_aut_04_nobodys_password_costs_the_same_work_as_somebodys():
    rules = access_rules()
    passwords = Passwords(rules.argon2, rules.password.most)
    kept = passwords.hash("somebody's password")
    assert extract_parameters(passwords.nobodys) == extract_parameters(kept)

    def cpu(kept: str | None, password: str) -> float:
        begun = time.process_time()
        assert not passwords.fits(password, kept)
        return time.process_time() - begun

    rounds = [(cpu(kept, "wrong"), cpu(None, "wrong"), cpu(kept, "w" * 10_000)) for _ in range(15)]
    known, unknown, long = (sorted(column)[7] for column in zip(*rounds, strict=True))
    assert unknown > known / 2 and known > unknown / 2 and long > known / 2


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "10"), ("x" * 129, "128"), ("aaaaaaaaaabb", "种字符"), ("Password123", "password"),
        ("mianyang@2026", "mianyang"), ("1qaz2wsx3edc", "1qaz2wsx3edc"), ("Ｐａｓｓｗｏｒｄ１２３", "password"),
        ("zhang.gong-2026", "姓名"), ("我是张工程师2026", "姓名"), ("北碚区生态环境局2026", "单位名称"),
    ],
)  # fmt: skip
def test_aut_06_a_common_password_or_a_name_is_refused_with_the_reason(password, why):
    with pytest.raises(PasswordRefused) as caught:
        refuse_weak(password, access_rules().password, ["zhang.gong", "张工程师", "北碚区生态环境局"])
    assert why in caught.value.message


def test_aut_06_a_long_phrase_and_every_one_time_password_pass():
    rules = access_rules().password
    refuse_weak("correct horse battery staple", rules, ["zhang.gong"])
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        refuse_weak(password, rules, ["zhang.gong"])


def test_aut_07_a_weaker_hash_is_made_anew_at_the_next_login_and_only_then(gate, enter, now):
    _, password = enter(gate)
    found = find_login(gate.records, "zhang")
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(password)
    set_hash(gate.records, found.account_id, found.password_hash, weak)
    refused(gate, "zhang", "wrong password", now)
    assert account(gate.records, found.account_id).password_hash == weak
    sign_in(gate, "zhang", password, now)
    strong = extract_parameters(account(gate.records, found.account_id).password_hash)
    assert (strong.memory_cost, strong.time_cost, strong.parallelism) == (19_456, 2, 1)
    sign_in(gate, "zhang", password, now)


def test_aut_08_hashing_at_once_is_bounded_and_who_waits_too_long_is_told_and_not_counted(light_gate, enter, now):
    _, password = enter(light_gate)
    argon2 = replace(light_gate.rules.argon2, at_once=1, queue_seconds=1)
    gate = replace(light_gate, passwords=Passwords(argon2, 128))
    gate.passwords.nobodys  # noqa: B018  (made before the place is taken)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with gate.passwords._place():
            entered.set()
            leave.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait(60)
    for _ in range(2):
        with pytest.raises(DoorBusy):
            sign_in(gate, "zhang", "wrong password", now)
    leave.set()
    holder.join()
    for _ in range(5):
        refused(gate, "zhang", "wrong password", now)


class Turnstile:
    """Hashes like the hasher it stands before, and knows how many were at it at once."""

    def __init__(self, hasher) -> None:
        self.hasher, self.lock, self.inside, self.most, self.seen = hasher, threading.Lock(), 0, 0, 0

    def verify(self, kept: str, password: bytes) -> bool:
        with self.lock:
            self.inside, self.seen = self.inside + 1, self.seen + 1
            self.most = max(self.most, self.inside)
        try:
            return self.hasher.verify(kept, password)
        finally:
            with self.lock:
                self.inside -= 1

    def __getattr__(self, name: str):
        return getattr(self.hasher, name)


def test_aut_08_twenty_people_at_once_all_get_in_and_two_hashes_run_at_a_time(light_gate, enter, now):
    people = {f"zhang{number:02d}": enter(light_gate, f"zhang{number:02d}")[1] for number in range(20)}
    # how long the queue is, not how fast this machine is today
    passwords = Passwords(replace(light_gate.rules.argon2, queue_seconds=60), 128)
    gate, gates = replace(light_gate, passwords=passwords), threading.Barrier(20)
    passwords.nobodys  # noqa: B018
    passwords._hasher = turnstile = Turnstile(passwords._hasher)

    def come(login: str) -> str:
        gates.wait(60)
        return sign_in(gate, login, people[login], now, address="192.0.2.1").token

    with ThreadPoolExecutor(20) as many:
        found = list(many.map(come, people))
    assert len(set(found)) == 20 and turnstile.seen == 20
    assert turnstile.most <= gate.rules.argon2.at_once == 2


def test_aut_08_the_queue_before_the_hasher_is_two_seconds_long():
    assert access_rules().argon2.queue_seconds == 2


def test_aut_01_one_password_tried_on_every_name_meets_the_count_of_the_address(light_gate, enter, now):
    """Guesses over many logins: each stays below its own limit, the address does not."""
    _, password = enter(light_gate)
    rules = replace(light_gate.rules, throttle=replace(light_gate.rules.throttle, address_failures=6))
    gate, told = replace(light_gate, rules=rules), []
    for number in range(10):
        with pytest.raises((LoginRefused, MustWait)) as caught:
            sign_in(gate, f"name{number}", "Spring-2026-spring", now, address="2001:db8:0:1::5")
        told.append(type(caught.value))
    assert told == [LoginRefused] * 6 + [MustWait] * 4
    with pytest.raises(MustWait):  # the whole network of one customer
        sign_in(gate, "zhang", password, now, address="2001:db8:0:1:ffff::1")
    for other in ("2001:db8:0:2::1", "192.0.2.9", ""):
        assert sign_in(gate, "zhang", password, now, address=other).step == ""
    assert sign_in(gate, "zhang", password, now + MINUTE, address="2001:db8:0:1::5").step == ""


def test_aut_01_ones_own_right_password_does_not_clear_the_count_of_the_address(light_gate, enter, now):
    _, password = enter(light_gate)
    rules = replace(light_gate.rules, throttle=replace(light_gate.rules.throttle, address_failures=4))
    gate, looked = replace(light_gate, rules=rules), 0
    for number in range(8):
        try:
            sign_in(gate, "zhang", password, now, address="192.0.2.1")
            sign_in(gate, f"name{number}", "wrong password", now, address="192.0.2.1")
        except LoginRefused:
            looked += 1
        except MustWait:
            break
    assert looked == 4


def test_aut_01_no_address_stands_in_the_records_of_the_tries(light_gate, now):
    with pytest.raises(LoginRefused):
        sign_in(light_gate, "nobody", "wrong password", now, address="192.0.2.77")
    with light_gate.records.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM login_try").all()
    assert len(rows) == 2 and "192.0.2.77" not in str(rows)


def test_aut_09_a_login_gives_a_new_token_and_the_one_the_browser_came_with_is_dead(gate, enter, now):
    old, password = enter(gate)
    new = sign_in(gate, "zhang", password, now, replaces=old.token)
    assert new.token != old.token
    assert caller_of(gate, old.token, now) is None and caller_of(gate, new.token, now) is not None


def test_aut_10_a_token_has_256_bits_and_only_its_hash_is_kept(gate, enter, now):
    session, _ = enter(gate)
    assert len(session.token) == 43 and session.token not in repr(session)
    with gate.records.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM session").all()
    assert rows and session.token not in str(rows)


@pytest.mark.parametrize("how", ["logout", "password", "roles", "reset", "disabled"])
def test_aut_11_a_stolen_token_is_dead_at_once_after(how, gate, enter, now):
    mine, password = enter(gate)
    stolen = sign_in(gate, "zhang", password, now)
    assert caller_of(gate, stolen.token, now) is not None
    if how == "logout":
        sign_out(gate, stolen.token, now)
    elif how == "password":
        new = change_password(gate, mine.token, password, "另一句足够长的新密码", now)
        assert caller_of(gate, new.token, now) is not None and caller_of(gate, mine.token, now) is None
    elif how == "roles":
        set_roles(gate, "zhang", ["uploader", "inspector"], "op", now)
    elif how == "reset":
        reset(gate, "zhang", "op", now)
    else:
        disable(gate, "zhang", "op", now)
        enable(gate, "zhang", "op", now)  # the sessions of before do not come back
    assert caller_of(gate, stolen.token, now) is None


def test_aut_13_a_closed_account_is_out_at_the_next_request_and_cannot_come_back_in(gate, enter, now):
    session, password = enter(gate)
    disable(gate, "zhang", "op", now, "调离")
    assert caller_of(gate, session.token, now) is None
    refused(gate, "zhang", password, now)
    enable(gate, "zhang", "op", now)
    assert sign_in(gate, "zhang", password, now).step == ""
    text = json.dumps(kinds(gate), ensure_ascii=False)
    assert "reason_sha256" in text and "调离" not in text


def test_a_one_time_password_must_be_changed_and_ends_after_its_days(gate, now):
    issued = add(gate, "wang", "王工", "beibei", ["reviewer"], "op", now)
    assert sign_in(gate, "wang", issued.password, now).step == "change"
    refused(gate, "wang", issued.password, now + timedelta(days=7))
    session = sign_in(gate, "wang", issued.password, now)
    with pytest.raises(PasswordRefused):
        change_password(gate, session.token, issued.password, issued.password, now)
    with pytest.raises(PasswordRefused):
        change_password(gate, session.token, issued.password, "wang-wang-2026", now)
    with pytest.raises(LoginRefused):
        change_password(gate, session.token, "not the old one", "另一句足够长的新密码", now)
    done = change_password(gate, session.token, issued.password, "另一句足够长的新密码", now)
    assert caller_of(gate, done.token, now).step == ""
    refused(gate, "wang", issued.password, now)


def test_a_login_is_the_same_in_capitals_and_full_width(gate, enter, now):
    _, password = enter(gate)
    assert sign_in(gate, " Ｚhang ", password, now).step == ""


def test_a_login_and_password_of_any_bytes_are_refused_like_any_other(gate, now):
    words = {refused(gate, login, password, now) for login, password in [
        ("", ""), ("\x00", "\x00"), ("\ud800", "\ud800"), ("a" * 100_000, "b" * 100_000), ("' OR 1=1 --", "x" * 11),
    ]}  # fmt: skip
    assert len(words) == 1

"""The second factor: enrolment, codes once each, recovery codes, and what it takes to lose it (AUT-19)."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta

import pyotp
import pytest

from portal.access.accounts import reset
from portal.access.errors import FactorRefused, LoginRefused, MustWait
from portal.access.login import change_password, pass_code, sign_in
from portal.access.second_factor import begin_enrolment, confirm_enrolment, renew_recovery_codes
from portal.access.sessions import caller_of, token_hash
from records.account_sessions import find_session
from records.accounts import find_login, recovery_codes_left

STEP = timedelta(seconds=30)


def enrol(gate, session, password, now):
    """Enrol a session's holder; give the new session, the secret's codes and the recovery codes."""
    offered = begin_enrolment(gate, session.token, password, now)
    totp = pyotp.TOTP(offered.secret)
    done = confirm_enrolment(gate, session.token, offered.offer, totp.at(now), now)
    return done, totp


def test_enrolling_gives_a_new_token_ends_the_old_ones_and_the_next_login_asks_for_the_code(gate, enter, now):
    session, password = enter(gate)
    other = sign_in(gate, "zhang", password, now)
    done, totp = enrol(gate, session, password, now)
    assert caller_of(gate, session.token, now) is None and caller_of(gate, other.token, now) is None
    assert caller_of(gate, done.signed_in.token, now).second_factor
    later = now + STEP
    half = sign_in(gate, "zhang", password, later)
    assert half.step == "code" and not caller_of(gate, half.token, later).second_factor
    full = pass_code(gate, half.token, totp.at(later), later)
    assert full.step == "" and caller_of(gate, full.token, later).second_factor
    assert caller_of(gate, half.token, later) is None


def test_aut_19_a_code_is_good_once_also_for_another_login_in_its_time(gate, enter, now):
    session, password = enter(gate)
    _, totp = enrol(gate, session, password, now)
    at = now + 4 * STEP
    first, second = (sign_in(gate, "zhang", password, at) for _ in range(2))
    pass_code(gate, first.token, totp.at(at), at)
    with pytest.raises(LoginRefused):
        pass_code(gate, second.token, totp.at(at), at)
    with pytest.raises(LoginRefused):  # nor one of before
        pass_code(gate, second.token, totp.at(at - STEP), at)
    assert pass_code(gate, second.token, totp.at(at + STEP), at).step == ""


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_aut_19_a_code_is_good_one_step_early_or_late_and_not_two(steps, good, light_gate, enter, now):
    session, password = enter(light_gate)
    _, totp = enrol(light_gate, session, password, now)
    at = now + 10 * STEP
    half = sign_in(light_gate, "zhang", password, at)
    if good:
        assert pass_code(light_gate, half.token, totp.at(at + steps * STEP), at).step == ""
    else:
        with pytest.raises(LoginRefused):
            pass_code(light_gate, half.token, totp.at(at + steps * STEP), at)


def test_aut_19_after_five_wrong_codes_even_the_right_one_waits_and_a_new_password_step_does_not_help(gate, enter, now):
    session, password = enter(gate)
    _, totp = enrol(gate, session, password, now)
    at = now + 4 * STEP
    for _ in range(5):
        half = sign_in(gate, "zhang", password, at)
        with pytest.raises(LoginRefused):
            pass_code(gate, half.token, "000000" if totp.at(at) != "000000" else "000001", at)
    with pytest.raises(MustWait):
        pass_code(gate, half.token, totp.at(at), at)
    at += timedelta(minutes=1)
    assert pass_code(gate, half.token, totp.at(at), at).step == ""


@pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "abcdef", "\ud800", "0" * 100_000, "٠١٢٣٤٥"])
def test_a_code_of_another_form_is_refused(code, light_gate, enter, now):
    session, password = enter(light_gate)
    enrol(light_gate, session, password, now)
    half = sign_in(light_gate, "zhang", password, now)
    with pytest.raises(LoginRefused):
        pass_code(light_gate, half.token, code, now)


def test_a_recovery_code_is_good_once_however_it_is_written_and_told_on_the_chain(gate, enter, now):
    session, password = enter(gate)
    done, _ = enrol(gate, session, password, now)
    codes = done.recovery_codes
    assert len(set(codes)) == 10
    half = sign_in(gate, "zhang", password, now)
    assert pass_code(gate, half.token, codes[0].upper().replace("-", " "), now).step == ""
    assert recovery_codes_left(gate.records, session.account_id) == 9
    half = sign_in(gate, "zhang", password, now)
    with pytest.raises(LoginRefused):
        pass_code(gate, half.token, codes[0], now)
    told = [json.loads(event.payload) for event in gate.records.events()]
    assert [one["change"] for one in told if one.get("change") == "recovery-used"] == ["recovery-used"]


def test_new_recovery_codes_kill_the_old_ones_and_need_the_password(gate, enter, now):
    session, password = enter(gate)
    done, _ = enrol(gate, session, password, now)
    with pytest.raises(LoginRefused):
        renew_recovery_codes(gate, done.signed_in.token, "not the password", now)
    fresh = renew_recovery_codes(gate, done.signed_in.token, password, now)
    half = sign_in(gate, "zhang", password, now)
    with pytest.raises(LoginRefused):
        pass_code(gate, half.token, done.recovery_codes[1], now)
    assert pass_code(gate, half.token, fresh[0], now).step == ""


def test_enrolment_needs_the_password_the_offer_of_this_session_and_a_fitting_code(gate, enter, now):
    session, password = enter(gate)
    other, others = enter(gate, "li.si")
    with pytest.raises(LoginRefused):
        begin_enrolment(gate, session.token, "not the password", now)
    offered = begin_enrolment(gate, session.token, password, now)
    code = pyotp.TOTP(offered.secret).at(now)
    for token, offer, given in [
        (session.token, offered.offer, "000000" if code != "000000" else "000001"),
        (session.token, offered.offer[:-8] + "AAAAAAA=", code),
        (session.token, "", code),
        (other.token, offered.offer, code),
    ]:
        with pytest.raises(FactorRefused):
            confirm_enrolment(gate, token, offer, given, now)
    assert find_login(gate.records, "zhang").factor_at is None
    with pytest.raises(FactorRefused):
        renew_recovery_codes(gate, session.token, password, now)


def test_a_half_finished_login_cannot_enrol_another_factor_or_change_the_password(gate, enter, now):
    session, password = enter(gate)
    enrol(gate, session, password, now)
    half = sign_in(gate, "zhang", password, now)
    for forbidden in (
        lambda: begin_enrolment(gate, half.token, password, now),
        lambda: renew_recovery_codes(gate, half.token, password, now),
        lambda: change_password(gate, half.token, password, "另一句足够长的新密码", now),
    ):
        with pytest.raises(LoginRefused):
            forbidden()


def test_a_half_finished_login_ends_after_ten_minutes(gate, enter, now):
    session, password = enter(gate)
    _, totp = enrol(gate, session, password, now)
    half = sign_in(gate, "zhang", password, now)
    late = now + timedelta(minutes=10)
    assert caller_of(gate, half.token, late - STEP) is not None
    with pytest.raises(LoginRefused):
        pass_code(gate, half.token, totp.at(late), late)


def test_the_code_comes_before_the_change_of_a_one_time_password(gate, enter, now):
    session, password = enter(gate)
    _, totp = enrol(gate, session, password, now)
    issued = reset(gate, "zhang", "op", now)
    at = now + 4 * STEP
    half = sign_in(gate, "zhang", issued.password, at)
    assert half.step == "code"
    almost = pass_code(gate, half.token, totp.at(at), at)
    assert almost.step == "change"
    done = change_password(gate, almost.token, issued.password, "另一句足够长的新密码", at)
    assert done.step == "" and caller_of(gate, done.token, at).second_factor


def test_a_reset_takes_the_factor_away_only_where_it_is_said(gate, enter, now):
    session, password = enter(gate)
    enrol(gate, session, password, now)
    assert sign_in(gate, "zhang", reset(gate, "zhang", "op", now).password, now).step == "code"
    issued = reset(gate, "zhang", "op", now, second_factor=True)
    assert sign_in(gate, "zhang", issued.password, now).step == "change"
    assert recovery_codes_left(gate.records, session.account_id) == 0


def test_the_secret_is_sealed_and_does_not_open_for_another_account(gate, enter, now):
    session, password = enter(gate)
    offered = begin_enrolment(gate, session.token, password, now)
    done = confirm_enrolment(gate, session.token, offered.offer, pyotp.TOTP(offered.secret).at(now), now)
    sealed = find_login(gate.records, "zhang").factor_sealed
    assert offered.secret not in sealed and offered.secret not in repr(offered) + repr(done)
    with pytest.raises(Exception, match="does not open"):
        gate.vault().open_("u-20260401-000000000000", "second-factor", sealed)


def test_without_its_key_a_code_is_refused_with_the_remedy_and_a_recovery_code_still_works(gate, enter, now):
    session, password = enter(gate)
    done, totp = enrol(gate, session, password, now)
    shutil.rmtree(gate.vault_folder)
    half = sign_in(gate, "zhang", password, now)
    with pytest.raises(FactorRefused, match="recovery code"):
        pass_code(gate, half.token, totp.at(now + STEP), now + STEP)
    assert not gate.vault_folder.exists(), "a new key would open nothing that is sealed"
    assert pass_code(gate, half.token, done.recovery_codes[0], now + STEP).step == ""


def test_the_session_of_the_code_lives_its_own_twelve_hours(gate, enter, now):
    session, password = enter(gate)
    _, totp = enrol(gate, session, password, now)
    at = now + 4 * STEP
    full = pass_code(gate, sign_in(gate, "zhang", password, at).token, totp.at(at), at)
    assert find_session(gate.records, token_hash(full.token))[0].ends_at == at + timedelta(hours=12)

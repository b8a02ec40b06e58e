"""The throttle, for every pattern of tries: what an attacker gets at most, and that nobody is kept out for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.access.throttling import wait_until
from records.login_tries import DAY, Tries
from schemas.access_rules import access_rules

RULES = access_rules().throttle
BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
gaps = st.lists(st.integers(0, 1_200), min_size=1, max_size=300)
"""Seconds between one knock and the next."""


def looked_at(knocks: list[int], passes: frozenset[int] = frozenset()) -> list[datetime]:
    """Play knocks against the throttle; give the instants of those that were looked at and failed."""
    now, failed, recent = BEGIN, [], []
    for number, gap in enumerate(knocks):
        now += timedelta(seconds=gap)
        day = tuple(moment for moment in failed if moment > now - DAY)
        if wait_until(Tries(day, tuple(one for one in recent if one > now - DAY)), RULES, now) is None:
            if number in passes:
                recent = []
            else:
                failed.append(now)
                recent.append(now)
    return failed


@settings(max_examples=60, deadline=None)
@given(gaps)
def test_aut_01_no_sixth_failure_comes_within_a_minute_of_five_in_the_window(knocks):
    failed = looked_at(knocks)
    for number, moment in enumerate(failed):
        before = [one for one in failed[:number] if one > moment - RULES.window]
        if len(before) >= RULES.free_failures:
            assert moment - before[-1] >= MINUTE * 2 ** (len(before) - RULES.free_failures)


@settings(max_examples=60, deadline=None)
@given(gaps, st.frozensets(st.integers(0, 299), max_size=30))
def test_aut_01_a_day_never_has_more_than_a_hundred_failures_even_with_logins_between(knocks, passes):
    failed = looked_at(knocks, passes)
    for moment in failed:
        assert len([one for one in failed if moment - DAY < one <= moment]) <= RULES.failures_a_day


def test_aut_01_who_knocks_without_end_for_a_day_gets_at_most_a_hundred_looks():
    assert 5 <= len(looked_at([8] * 10_800)) <= 100


def test_aut_01_who_spreads_his_guesses_evenly_is_stopped_at_a_hundred_and_goes_on_a_day_later():
    failed = looked_at([200] * 432)  # every 200 s is four in a window: only the day stops it
    assert len(failed) == 100
    assert wait_until(Tries(tuple(failed), tuple(failed)), RULES, failed[-1] + MINUTE) == failed[0] + DAY


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 899), max_size=90), st.integers(0, 3_600))
def test_the_wait_after_failures_is_never_longer_than_a_quarter_of_an_hour_from_now(seconds, later):
    moments = tuple(sorted(BEGIN + timedelta(seconds=one) for one in seconds))
    now = BEGIN + timedelta(seconds=later)
    until = wait_until(Tries(moments, moments), RULES, now)
    assert until is None or now < until <= now + 15 * MINUTE


def test_a_clock_set_back_neither_opens_the_door_nor_bars_it_for_days():
    future = tuple(BEGIN + timedelta(days=3, seconds=one) for one in range(5))
    assert wait_until(Tries(future, future), RULES, BEGIN) == BEGIN + MINUTE


def test_four_failures_and_old_ones_are_free():
    old = tuple(BEGIN - timedelta(minutes=16) for _ in range(20))
    fresh = tuple(BEGIN for _ in range(4))
    assert wait_until(Tries(old + fresh, old + fresh), RULES, BEGIN) is None

"""Keys against every address of the interface: with and without the scope, of the other bureau, ended, taken back."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import cache

import pytest
from portal_api import issued, program
from portal_objects import address, owned
from portal_web import BUREAUS, open_town

from portal.access.keys import key_permissions, revoke_key
from portal.web.api import ROOM
from portal.web.asking import PUBLIC
from schemas.permissions import permissions, portal_roles

CLOSED = [route for route in ROOM.routes if route.permission != PUBLIC]
NO_REFUSAL = {200, 202, 400, 409, 411, 415, 422}
"""What an address answers to a key that may: an answer, or what is wrong with the question."""


@pytest.fixture(scope="module")
def fresh(town):
    """A portal over the town's home whose buckets are full."""
    opened = open_town(town.places)
    opened.clock.at, opened.people = town.clock.at, town.people
    yield opened
    opened.records.close()


def asked(asks, route, path):
    """Ask with nothing, or send a body that is wrong for every address: nothing is kept of it."""
    if route.method == "GET":
        return asks.get(path)
    return asks.post(path, content=b"", headers={"content-type": "application/octet-stream"})


def test_each_key_opens_what_it_was_given_to_its_bureau_and_no_more(fresh):
    """AUT-17, AUZ-02, AUZ-05: roles × bureaus × addresses × scope given or not × own and foreign things."""
    wrong, seen = [], 0
    things = {(route.path, owner): address(fresh, route, owner) for route in CLOSED for owner in BUREAUS}
    for role, bureau in itertools.product(portal_roles(), BUREAUS):
        most = key_permissions(frozenset({role}))
        key_for = cache(lambda scopes, person=fresh.people[bureau, role]: issued(fresh, person, scopes).text)
        for route in CLOSED:
            given = [most] + ([most - {route.permission}] if route.permission in most and len(most) > 1 else [])
            for scopes, owner in itertools.product(given, BUREAUS if owned(route) else (bureau,)):
                told = asked(program(fresh, key_for(scopes)), route, things[route.path, owner])
                if route.permission not in scopes:
                    fits = told.status_code == 403 and told.json()["error"]["code"] == "forbidden"
                elif owner != bureau:
                    fits = told.status_code == 404
                else:
                    fits = told.status_code in NO_REFUSAL
                seen += 1
                if not fits:
                    wrong.append((route.method, route.path, role, bureau, owner, sorted(scopes), told.status_code))
    assert not wrong
    assert seen > len(CLOSED) * len(portal_roles()) * len(BUREAUS)


def test_a_key_that_ended_or_was_taken_back_opens_nothing(fresh):
    """AUT-17: to the second."""
    at = fresh.clock.at
    for route in CLOSED:
        role = sorted(permissions()[route.permission].roles)[0]
        for bureau in BUREAUS[:1]:
            path = address(fresh, route, bureau)
            ended, back = (issued(fresh, fresh.people[bureau, role], days=1) for _ in range(2))
            revoke_key(fresh.gate, back.key.key_id, "tests", at)
            assert asked(program(fresh, back.text), route, path).status_code == 401
            assert asked(program(fresh, ended.text), route, path).status_code in NO_REFUSAL
            fresh.clock.at = ended.key.expires_at
            assert asked(program(fresh, ended.text), route, path).status_code == 401
            fresh.clock.at = at
    assert ended.key.expires_at - at == timedelta(days=1)


def test_what_needs_the_second_factor_no_key_may_do():
    assert all(permissions()[route.permission].key for route in CLOSED)

"""Who may: the whole matrix of permissions × roles × bureaus × own and foreign, closed by default (AUZ)."""

from __future__ import annotations

from itertools import combinations

import pytest

from portal.access.accounts import add, set_roles
from portal.access.caller import Caller, allowed, may_approve
from portal.access.errors import AccountRefused, RolesRefused
from portal.access.sessions import caller_of
from records.errors import LoginTaken
from schemas.permissions import permissions, portal_roles

BUREAUS = ("beibei", "mianyang")
MATRIX = {
    "uploader": "account.read account.second_factor account.sessions dashboard.read batch.check batch.submit batch.read"
    " batch.download batch.raw batch.explain batch.correct layout.write board.read catalogue.read catalogue.download",
    "reviewer": "account.read account.second_factor account.sessions dashboard.read batch.check batch.read batch.download"
    " batch.raw batch.review rating.review layout.write board.read alarm.handle catalogue.read catalogue.download"
    " query.run credit.lookup credit.screen credit.slip credit.draw credit.message expert.confirm"
    " credit.readers expert.follow",
    "inspector": "account.read account.second_factor account.sessions dashboard.read board.read catalogue.read"
    " catalogue.download credit.lookup credit.screen credit.slip credit.draw",
    "expert_manager": "account.read account.second_factor account.sessions dashboard.read board.read catalogue.read"
    " catalogue.download expert.read expert.write expert.draw expert.confirm"
    " expert.follow expert.commit",
    "auditor": "account.read account.second_factor account.sessions dashboard.read batch.read batch.download board.read"
    " alarm.handle catalogue.read catalogue.download query.run credit.lookup expert.read audit.read chain.read users.read"
    " system.read credit.readers expert.follow",
    "administrator": "account.read account.second_factor account.sessions dashboard.read layout.write board.read"
    " catalogue.read chain.read users.read users.manage system.read system.manage",
}
"""Written out by hand: a change of the facts must be meant."""
ALWAYS = {"account.code", "account.password", "account.logout"}
SECOND = {
    "rating.review", "credit.draw", "credit.message", "expert.write", "expert.draw", "expert.confirm", "users.manage",
    "system.manage", "expert.commit",
}  # fmt: skip
REACHES_BOTH = {
    "board.read", "catalogue.read", "catalogue.download", "query.run", "credit.lookup", "credit.screen", "credit.slip",
    "expert.read", "expert.follow", "expert.commit", "chain.read", "system.read",
}  # fmt: skip


def caller(*roles: str, bureau: str = "beibei", factor: bool = True, kind="session", scopes=(), step="") -> Caller:
    return Caller("u-1", "张工", bureau, frozenset(roles), factor, "s-1", kind, frozenset(scopes), "zhang", step)


@pytest.mark.parametrize("role", portal_roles())
@pytest.mark.parametrize("bureau", BUREAUS)
def test_auz_the_matrix_of_roles_bureaus_own_and_foreign_has_no_surprise(role, bureau):
    expected = {*MATRIX[role].split(), *ALWAYS}
    foreign = next(one for one in BUREAUS if one != bureau)
    for name, wanted in permissions().items():
        asked = caller(role, bureau=bureau)
        assert allowed(asked, name).ok == (name in expected), name
        assert allowed(asked, name, bureau).ok == (name in expected and wanted.scope != "none"), name
        assert allowed(asked, name, foreign).ok == (name in expected and name in REACHES_BOTH), name
        assert not allowed(asked, name, "").ok or name in REACHES_BOTH
        plain = allowed(caller(role, bureau=bureau, factor=False), name)
        assert plain.ok == (name in expected and name not in SECOND), name
        if name in expected & SECOND:
            assert plain.code == "second-factor"


def test_auz_nobody_and_a_permission_nobody_wrote_down_are_refused_with_words():
    for found in (
        allowed(None, "board.read"),
        allowed(caller(*portal_roles()), "batch.delete"),
        allowed(caller(), "board.read"),
    ):
        assert not found.ok and found.reason_zh and found.reason_en
    assert allowed(None, "board.read").code == "unknown-caller"


def test_auz_03_the_bureau_comes_from_the_session_and_a_foreign_object_is_refused():
    found = allowed(caller("uploader"), "batch.read", "mianyang")
    assert (found.ok, found.code) == (False, "foreign")


@pytest.mark.parametrize(
    ("role", "permission"),
    [("inspector", "batch.submit"), ("uploader", "expert.draw"), ("uploader", "credit.draw"), ("expert_manager", "credit.screen")],
)  # fmt: skip
def test_auz_05_a_role_does_not_reach_the_work_of_another(role, permission):
    assert allowed(caller(role), permission).code == "forbidden"


def test_every_role_that_reviews_ratings_draws_or_administers_needs_the_second_factor():
    known = permissions()
    assert all(known[name].second_factor for name in SECOND)
    assert {name for name, one in known.items() if one.second_factor} == SECOND


@pytest.mark.parametrize("step", ["change", "code", "whatever"])
def test_an_unfinished_login_opens_only_what_finishes_it(step):
    opened = {name for name in permissions() if allowed(caller("reviewer", step=step), name).ok}
    assert opened == {"change": {"account.password", "account.logout"}, "code": {"account.code", "account.logout"}}.get(
        step, set()
    )


def test_a_key_has_its_scopes_only_and_nothing_that_needs_the_second_factor():
    scopes = ("batch.submit", "users.manage", "credit.draw", "batch.raw")
    for factor in (True, False):
        asked = caller(*portal_roles(), factor=factor, kind="key", scopes=scopes)
        assert {name for name in permissions() if allowed(asked, name).ok} == {"batch.submit"}


def test_nobody_approves_what_he_handed_in_by_number_or_login_nor_what_nobody_handed_in():
    reviewer = caller("uploader", "reviewer")
    for own in ("u-1", "U-1", "zhang", " Zhang ", "", " "):
        assert may_approve(reviewer, own).code == "own-submission"
    assert may_approve(reviewer, "u-2").ok and may_approve(reviewer, "zhang.li").ok


def test_system_and_audit_exclude_each_other_and_nothing_else_does(light_gate, now):
    for one, other in combinations(portal_roles(), 2):
        login = f"{one}.{other}".replace("_", "-")
        if {one, other} == {"auditor", "administrator"}:
            with pytest.raises(RolesRefused, match="one person cannot be"):
                add(light_gate, login, "张工", "beibei", [one, other], "op", now)
    add(light_gate, "zhang", "张工", "beibei", ["auditor", "uploader"], "op", now)
    with pytest.raises(RolesRefused):
        set_roles(light_gate, "zhang", ["auditor", "administrator"], "op", now)
    assert {role for role, one in portal_roles().items() if one.excludes} == {"auditor", "administrator"}


def test_a_change_of_roles_holds_from_the_next_request_on(gate, enter, now):
    from portal.access.login import sign_in

    session, password = enter(gate, roles=("uploader",))
    set_roles(gate, "zhang", ["inspector"], "op", now)
    assert caller_of(gate, session.token, now) is None
    again = caller_of(gate, sign_in(gate, "zhang", password, now).token, now)
    assert again.roles == {"inspector"} and not allowed(again, "batch.submit").ok


@pytest.mark.parametrize(
    ("login", "name", "bureau", "roles", "error"),
    [
        ("张", "张工", "beibei", ["uploader"], AccountRefused), ("a", "张工", "beibei", ["uploader"], AccountRefused),
        ("a b", "张工", "beibei", ["uploader"], AccountRefused), ("ab", " ", "beibei", ["uploader"], AccountRefused),
        ("ab", "张工", "cnemc", ["uploader"], AccountRefused), ("ab", "张工", "", ["uploader"], AccountRefused),
        ("ab", "张工", "beibei", [], RolesRefused), ("ab", "张工", "beibei", ["root"], RolesRefused),
    ],
)  # fmt: skip
def test_an_account_that_does_not_fit_is_refused_with_what_does(login, name, bureau, roles, error, light_gate, now):
    with pytest.raises(error):
        add(light_gate, login, name, bureau, roles, "op", now)


def test_a_login_is_taken_once_over_both_bureaus_and_all_capitals(gate, now):
    add(gate, "zhang", "张工", "beibei", ["uploader"], "op", now)
    with pytest.raises(LoginTaken):
        add(gate, "ZHANG", "张工", "mianyang", ["uploader"], "op", now)

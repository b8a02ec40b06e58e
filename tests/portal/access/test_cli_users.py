"""``gongzhi users`` and what ``gongzhi init`` says of the first administrators."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from portal_home import MORNING, new_home
from typer.testing import CliRunner

from pipelines.batch import Places
from portal.access.errors import AccountRefused, LoginRefused, RolesRefused
from portal.access.gate import open_gate
from portal.access.keys import caller_of_key
from portal.access.login import sign_in
from portal.cli import _explain, app, now
from portal.home import make_home
from records.chain import verify_chain
from records.store import Records

ADD = ("add", "zhang.gong", "--bureau", "beibei", "--name", "张工", "--role", "uploader")


def run(places: Places, *words: str):
    return CliRunner().invoke(app, ["users", *words, "--home", str(places.home)])


@pytest.fixture
def home(tmp_path) -> Places:
    return new_home(tmp_path)


def test_init_makes_one_administrator_for_each_bureau_tells_each_password_once_and_keeps_only_hashes(tmp_path):
    places = new_home(tmp_path / "first")
    assert not [line for line in make_home(places, MORNING) if "admin-" in line]
    fresh = Places(tmp_path / "second", f"sqlite:///{tmp_path / 'second' / 'records.db'}", "")
    told = [line for line in make_home(fresh, MORNING) if "admin-" in line]
    passwords = [line.rsplit(" ", 1)[-1].rsplit("：", 1)[-1] for line in told]
    assert ["beibei" in told[0], "mianyang" in told[1], len(told)] == [True, True, 2]
    with Records.open(fresh.database_url) as records:
        gate = open_gate(fresh, records)
        for bureau, password in zip(("beibei", "mianyang"), passwords, strict=True):
            assert sign_in(gate, f"admin-{bureau}", password, MORNING).step == "change"
        assert verify_chain(records).ok
    kept = b"".join(path.read_bytes() for path in fresh.home.rglob("*") if path.is_file())
    assert not any(password.encode() in kept for password in passwords)


def test_an_account_is_made_reset_given_roles_closed_and_opened(home):
    made = run(home, *ADD)
    password = made.stdout.strip()
    assert made.exit_code == 0 and len(password) == 19
    with Records.open(home.database_url) as records:
        gate = open_gate(home, records)
        assert sign_in(gate, "zhang.gong", password, now()).step == "change"
        again = run(home, "reset", "zhang.gong", "--second-factor").stdout.strip()
        with pytest.raises(LoginRefused):
            sign_in(gate, "zhang.gong", password, now())
        assert run(home, "roles", "zhang.gong", "-r", "inspector", "-r", "reviewer").exit_code == 0
        assert run(home, "disable", "zhang.gong", "--reason", "调离").exit_code == 0
        with pytest.raises(LoginRefused):
            sign_in(gate, "zhang.gong", again, now())
        assert run(home, "enable", "zhang.gong").exit_code == 0
        assert sign_in(gate, "zhang.gong", again, now()).step == "change"
    listed = [json.loads(line) for line in run(home, "list", "--json").stdout.splitlines()]
    mine = next(one for one in listed if one["login"] == "zhang.gong")
    assert mine["roles"] == ["inspector", "reviewer"] and mine["disabled_at"] is None
    assert "argon2" not in json.dumps(listed)
    told = run(home, "list", "--bureau", "mianyang").stdout
    assert "admin-mianyang" in told and "beibei" not in told


def test_a_key_is_issued_listed_and_revoked(home):
    run(home, *ADD)
    made = run(home, "keys", "issue", "zhang.gong", "--title", "自动报送", "--scope", "batch.submit", "--days", "30")
    text = made.stdout.strip()
    with Records.open(home.database_url) as records:
        gate = open_gate(home, records)
        assert caller_of_key(gate, text, now()).scopes == {"batch.submit"}
        assert caller_of_key(gate, text, now() + timedelta(days=31)) is None
        told = json.loads(run(home, "keys", "list", "zhang.gong", "--json").stdout)
        assert (told["login"], told["good"]) == ("zhang.gong", True) and text.rsplit("_", 1)[-1] not in json.dumps(told)
        assert run(home, "keys", "revoke", told["key_id"]).exit_code == 0
        assert caller_of_key(gate, text, now()) is None
    assert told["key_id"] in run(home, "keys", "list").stdout


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("disable", "nobody"), AccountRefused), (("roles", "admin-beibei", "-r", "auditor", "-r", "administrator"), RolesRefused),
        (("add", "x y", "--bureau", "beibei", "--name", "张工", "--role", "uploader"), AccountRefused),
    ],
)  # fmt: skip
def test_wrong_use_is_told_in_one_line_and_ends_with_two(words, error, home, capsys):
    result = run(home, *words)
    assert isinstance(result.exception, error)
    assert _explain(result.exception) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1

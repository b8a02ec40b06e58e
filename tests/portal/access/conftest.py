"""A door on each kind of database, and people to come through it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from portal.access.accounts import Issued, add
from portal.access.gate import Gate
from portal.access.login import change_password, sign_in
from portal.access.passwords import Passwords
from portal.access.sessions import SignedIn
from records.store import Records
from schemas.access_rules import access_rules
from schemas.places import bureaus

GOOD = "嘉陵江畔三江汇流处"  # nine characters; tests add what makes it long enough


def door_of(records: Records, folder: Path) -> Gate:
    """Make the door as ``open_gate`` does, without a home around it."""
    rules = access_rules()
    known = {code: one for code, one in bureaus().items() if one.kind == "bureau"}
    return Gate(records, rules, Passwords(rules.argon2, rules.password.most), known, folder / "vault")


@pytest.fixture
def gate(records: Records, tmp_path: Path) -> Gate:
    """A door, on each kind of database."""
    return door_of(records, tmp_path)


@pytest.fixture
def light_gate(tmp_path: Path):
    """A door on SQLite alone, for what does not depend on the database."""
    with Records.open(f"sqlite:///{tmp_path / 'light.db'}", create=True) as records:
        yield door_of(records, tmp_path)


Enter = Callable[..., tuple[SignedIn, str]]


@pytest.fixture
def enter(now: datetime) -> Enter:
    """Make an account, change its one-time password, and give its session and password."""

    def through(gate: Gate, login: str = "zhang", roles=("uploader",), bureau: str = "beibei"):
        issued: Issued = add(gate, login, "张工", bureau, roles, "op", now)
        first = sign_in(gate, login, issued.password, now)
        password = f"{GOOD}{len(login)}号"
        return change_password(gate, first.token, issued.password, password, now), password

    return through

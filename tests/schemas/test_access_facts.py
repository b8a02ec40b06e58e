"""The facts of the door: roles, permissions and strictness are refused where they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.access_rules import access_rules, common_passwords
from schemas.files import SCHEMAS, MalformedFact
from schemas.permissions import permissions, portal_roles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the facts of the door that a test may spoil."""
    (tmp_path / "vocabularies").mkdir()
    shutil.copy(SCHEMAS / "access_rules.toml", tmp_path)
    for name in ("portal_roles.csv", "permissions.csv", "common_passwords.csv"):
        shutil.copy(SCHEMAS / "vocabularies" / name, tmp_path / "vocabularies")
    return tmp_path


def spoil(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, f"{old!r} does not stand in {path.name}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_facts_hold_the_required_figures():
    rules = access_rules()
    assert (rules.argon2.memory_kib, rules.argon2.passes, rules.argon2.lanes) == (19_456, 2, 1)
    assert (rules.throttle.free_failures, rules.throttle.window_minutes, rules.throttle.failures_a_day) == (5, 15, 100)
    assert (rules.session.idle_minutes, rules.session.hours, rules.password.least) == (30, 12, 10)
    assert len(portal_roles()) == 6 and {"password", "1qaz2wsx", "mianyang"} <= common_passwords()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("memory_kib = 19456", "memory_kib = 19455"), ("passes = 2", "passes = 1"), ("lanes = 1", "lanes = 0"),
        ("least = 10", "least = 9"), ("free_failures = 5", "free_failures = 6"), ("failures_a_day = 100", "failures_a_day = 101"),
        ("window_minutes = 15", "window_minutes = 5"), ("idle_minutes = 30", "idle_minutes = 31"), ("hours = 12", "hours = 13"),
        ("longest_wait_minutes = 15", "longest_wait_minutes = 16"), ("window = 1", "window = 2"), ("hours = 12", "hours = true"),
        ("hours = 12", 'hours = "12"'), ("hours = 12\n", ""), ("hours = 12", "hours = 12\nhuors = 1"), ("[key]", "[kee]"),
    ],
)  # fmt: skip
def test_aut_07_a_door_weaker_than_its_floor_is_refused_by_file_and_line(root, old, new):
    spoil(root / "access_rules.toml", old, new)
    with pytest.raises(MalformedFact, match="access_rules.toml:"):
        access_rules(root)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("permissions.csv", "batch.submit,报送数据,hand a file in,uploader", "batch.submit,报送数据,hand a file in,root"),
        ("permissions.csv", "batch.submit,报送数据,hand a file in,uploader", "batch.submit,报送数据,hand a file in,"),
        ("permissions.csv", "batch.submit,", "batch.check,"), ("permissions.csv", ",own,no,yes", ",all,no,yes"),
        ("permissions.csv", ",own,yes,no", ",own,yes,yes"), ("permissions.csv", ",no,no,code,", ",no,no,cod,"),
        ("portal_roles.csv", "auditor,审计员,auditor,administrator", "auditor,审计员,auditor,"),
        ("portal_roles.csv", "inspector,", "uploader,"), ("portal_roles.csv", "reviewer,,", "reviewer,nobody,"),
    ],
)  # fmt: skip
def test_roles_and_permissions_that_do_not_fit_are_refused(root, file, old, new):
    spoil(root / "vocabularies" / file, old, new)
    with pytest.raises(MalformedFact, match=file):
        permissions(root)

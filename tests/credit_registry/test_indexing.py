"""A large index is built by two processes: the same as by one, and never half when one of them ends."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from made_credit import HOUR, T0, publish, rating

from benchmarks.enterprises import enterprises
from credit_registry import indexing
from credit_registry.errors import IndexFailed
from credit_registry.index import FOLDER, KEYS
from credit_registry.index_child import ChildFiles
from credit_registry.indexing import build_index
from credit_registry.register import current
from credit_registry.search import Finder
from credit_registry.store import build

ROWS = [(one.uscc, one.uscc, one.name, False, one.division) for one in enterprises(300, seed=5)]


STARTED: list[ChildFiles] = []


def _built(folder, rows, **how):
    folder.mkdir()
    with closing(sqlite3.connect(folder / "register.db")) as connection:
        return build_index(rows, connection, folder, **how)


def test_two_processes_build_what_one_builds(tmp_path):
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    assert _built(alone, ROWS, large=301) == _built(helped, iter(ROWS), large=300) == 300
    for name in KEYS:
        keys = [np.load(folder / FOLDER / f"{name}.npy") for folder in (alone, helped)]
        assert len(keys[0]) >= 300 and np.array_equal(*keys)
    finders = Finder(alone), Finder(helped)
    for text in (ROWS[0][2], ROWS[7][2][:-4], "电子", "hongda", "cq", ROWS[9][0]):
        first, second = (finder.find(text) for finder in finders)
        assert first == second
    assert finders[1].find(ROWS[7][2][:-4])[0].uscc == ROWS[7][0]
    for finder in finders:
        finder.close()


def test_a_small_register_starts_no_second_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert _built(tmp_path / "r", ROWS) == 300


def _killing(rows, at):
    """Give the rows and end every child of this process that builds an index, before row ``at``."""
    for number, row in enumerate(rows):
        if number == at:
            for child in STARTED:
                os.kill(child.child.pid, signal.SIGKILL)
                child.child.wait()
        yield row


@pytest.fixture
def watched(monkeypatch):
    """Note each child that is started; it is a real one."""

    class Watched(ChildFiles):
        def __init__(self, folder):
            super().__init__(folder)
            STARTED.append(self)

    monkeypatch.setattr(indexing, "ChildFiles", Watched)
    yield STARTED
    STARTED.clear()


def test_a_child_that_is_killed_fails_the_build_in_both_languages(tmp_path, watched):
    with pytest.raises(IndexFailed, match="信用库仍为原来的版本") as failed:
        _built(tmp_path / "r", _killing(ROWS, 200), large=100)
    assert failed.value.code == "index-failed" and "code -9" in failed.value.message_en
    assert watched[0].child.poll() is not None


def test_a_child_that_cannot_write_says_why(tmp_path, watched):
    def blocking(rows, at):
        for number, row in enumerate(rows):
            if number == at:
                (tmp_path / "r" / FOLDER / "names.npy").mkdir()
            yield row

    with pytest.raises(IndexFailed) as failed:
        _built(tmp_path / "r", blocking(ROWS, 200), large=100)
    assert any("names.npy" in note for note in failed.value.__notes__)


def test_rows_that_break_off_end_the_child(tmp_path, watched):
    def broken():
        yield from ROWS
        raise KeyError("the table")

    with pytest.raises(KeyError, match="the table"):
        _built(tmp_path / "r", broken(), large=100)
    assert watched[0].child.poll() == -signal.SIGKILL


def test_a_child_whose_parent_dies_finishes_nothing(tmp_path):
    (tmp_path / "search").mkdir()
    words = [sys.executable, "-P", "-m", "credit_registry.index_child", str(tmp_path / "search")]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, env={"PYTHONPATH": str(_project())}, check=False
    )
    assert done.returncode != 0 and done.stdout == b"" and b"EOFError" in done.stderr
    assert not list(tmp_path.glob("search/*.npy"))


def _project():
    return next(parent for parent in Path(__file__).parents if (parent / "pyproject.toml").exists())


def test_a_register_whose_index_failed_is_not_switched_in(tmp_path, monkeypatch):
    root, folder = tmp_path / "tables", tmp_path / "credit"
    publish(root, [rating(year=2023)])
    before = build(root, folder, T0 + HOUR)
    publish(root, [rating(year=2024)], "b2", 2)
    monkeypatch.setattr(indexing, "LARGE", 1)
    with monkeypatch.context() as at_fault:
        at_fault.setattr(sys, "executable", shutil.which("false"))
        with pytest.raises(IndexFailed):
            build(root, folder, T0 + 3 * HOUR)
    assert current(folder) == before.resolve()
    assert [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()] == [before]
    after = build(root, folder, T0 + 4 * HOUR)
    assert current(folder) == after.resolve() != before.resolve()

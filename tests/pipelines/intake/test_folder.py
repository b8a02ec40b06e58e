"""The watched folder: finished plain files, copied when they are at rest."""

import dataclasses
import os
import threading
import time

import pytest
from shelf import Bureau, make_source

from pipelines.errors import AnswerTooLarge, Stopped, Unreachable
from pipelines.intake import folder
from pipelines.intake.pull import Wanted


@pytest.fixture(autouse=True)
def short_settle(monkeypatch):
    monkeypatch.setattr(folder, "SETTLE", 0.3)


@pytest.fixture
def inbox(tmp_path):
    path = tmp_path / "inbox" / "beibei"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def bureau(tmp_path, inbox):
    return Bureau(make_source(kind="folder", path="inbox/beibei", networks=()), tmp_path)


def test_a_file_comes_once_and_stays_where_it_is(bureau, inbox):
    (inbox / "空气.csv").write_bytes(b"one")
    assert bureau.visit() == {"空气.csv": b"one"}
    assert bureau.visit() == {}
    assert (inbox / "空气.csv").read_bytes() == b"one"
    assert (bureau.look.seen, bureau.look.empty) == (1, False)


def test_a_file_replaced_comes_again_and_one_only_touched_does_not(bureau, inbox):
    path = inbox / "a.csv"
    path.write_bytes(b"one")
    bureau.visit()
    times = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert bureau.visit() == {"a.csv": b"two"}
    os.utime(path)
    assert (bureau.visit(), len(bureau.look.steady)) == ({}, 1)
    assert (bureau.visit(), len(bureau.look.steady)) == ({}, 0)


def test_the_weekly_compare_reads_what_looks_the_same(bureau, inbox):
    (inbox / "a.csv").write_bytes(b"one")
    bureau.visit()
    bureau.known["a.csv"] = dataclasses.replace(bureau.known["a.csv"], sha256="0" * 64)
    assert bureau.visit() == {}
    assert bureau.visit(Wanted(full=True)) == {"a.csv": b"one"}


def test_only_finished_plain_files_count(bureau, inbox, tmp_path):
    (tmp_path / "secret.csv").write_bytes(b"outside")
    for name in (".hidden.csv", "a.csv.part", "b.TMP", "c.crdownload", "~$d.xlsx"):
        (inbox / name).write_bytes(b"x")
    (inbox / "out.csv").symlink_to(tmp_path / "secret.csv")
    (inbox / "dangling.csv").symlink_to("nowhere")
    (inbox / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "sub.csv").mkdir()
    (inbox / "sub.csv" / "e.csv").write_bytes(b"below")
    assert bureau.visit() == {}
    assert (bureau.look.empty, bureau.error) == (True, None)
    (inbox / "in.csv").symlink_to(inbox / "sub.csv" / "e.csv")
    assert bureau.visit() == {"in.csv": b"below"}


def test_a_file_that_is_still_written_is_left_for_the_next_visit(bureau, inbox):
    path, done = inbox / "big.csv", threading.Event()

    def write():
        with path.open("ab", buffering=0) as file:
            while not done.wait(0.02):
                file.write(b"row\n")

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.1)
    (inbox / "done.csv").write_bytes(b"done")
    try:
        assert bureau.visit() == {"done.csv": b"done"}
        assert bureau.error is None
    finally:
        done.set()
        writer.join()
    assert bureau.visit() == {"big.csv": path.read_bytes()}


def test_a_file_at_rest_is_taken_without_waiting(bureau, inbox):
    (inbox / "a.csv").write_bytes(b"one")
    time.sleep(0.35)
    began = time.monotonic()
    assert bureau.visit() == {"a.csv": b"one"}
    assert time.monotonic() - began < 0.25


def test_a_file_that_changes_between_look_and_copy_is_not_taken(inbox, tmp_path):
    path = inbox / "a.csv"
    path.write_bytes(b"one")
    (seen,) = folder.look_in(inbox)
    path.write_bytes(b"other")
    assert folder.copy(seen, tmp_path / "copy-1", 100, lambda: False) is None
    path.unlink()
    assert folder.copy(seen, tmp_path / "copy-2", 100, lambda: False) is None
    path.symlink_to("/etc/hostname")
    with pytest.raises(Unreachable) as caught:
        folder.copy(seen, tmp_path / "copy-3", 100, lambda: False)
    assert caught.value.code == "folder-unreadable"


def test_a_pipe_put_in_the_place_of_a_file_does_not_hang(inbox, tmp_path):
    (inbox / "a.csv").write_bytes(b"one")
    (seen,) = folder.look_in(inbox)
    (inbox / "a.csv").unlink()
    os.mkfifo(inbox / "a.csv")
    assert folder.copy(seen, tmp_path / "copy", 100, lambda: False) is None


def test_a_file_above_the_limit_is_named_and_the_others_come(bureau, inbox):
    (inbox / "a.csv").write_bytes(b"0" * (2**20 + 1))
    (inbox / "b.csv").write_bytes(b"fits")
    bureau.source = dataclasses.replace(bureau.source, megabytes=1)
    assert bureau.visit() == {"b.csv": b"fits"}
    assert isinstance(bureau.error, AnswerTooLarge) and "a.csv" in str(bureau.error)


def test_a_name_in_gbk_is_read(bureau, inbox):
    (inbox / os.fsdecode("空气 1.csv".encode("gbk"))).write_bytes(b"one")
    assert bureau.visit() == {"空气 1.csv": b"one"}
    assert bureau.visit() == {}


def test_a_name_is_made_safe_for_the_road(bureau, inbox):
    (inbox / "a\nb.csv").write_bytes(b"one")
    assert bureau.visit() == {"a\nb.csv": b"one"}
    assert bureau.arrivals[0].path.name == "a_b.csv"


@pytest.mark.parametrize("path", ["inbox/nowhere", "inbox/beibei/a.csv"])
def test_a_folder_that_is_not_there_is_an_error(bureau, inbox, path):
    (inbox / "a.csv").write_bytes(b"one")
    bureau.source = dataclasses.replace(bureau.source, path=path)
    assert (bureau.visit(), bureau.code) == ({}, "folder-missing")


def test_a_folder_that_cannot_be_read_is_an_error(bureau, inbox):
    (inbox / "loop").symlink_to("loop")
    bureau.source = dataclasses.replace(bureau.source, path="inbox/beibei/loop")
    assert (bureau.visit(), bureau.code) == ({}, "folder-unreadable")


def test_an_absolute_path_is_taken_as_it_is(bureau, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_bytes(b"one")
    bureau.source = dataclasses.replace(bureau.source, path=str(tmp_path / "elsewhere"))
    assert bureau.visit() == {"a.csv": b"one"}


def test_a_stop_ends_the_waiting(bureau, inbox):
    (inbox / "a.csv").write_bytes(b"one")
    bureau.stop_after = 0
    assert bureau.visit() == {}
    assert isinstance(bureau.error, Stopped)

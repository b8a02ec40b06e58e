"""What must last is brought to the disk in one place, and hashed in one place."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from pipelines.disk import digest, flush

PIPELINES = Path(__file__).parents[2] / "pipelines"


def test_a_file_is_hashed_and_files_and_folders_are_flushed(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"abc" * 1_000_000)
    assert digest(file) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
    flush(file)
    flush(tmp_path)
    with pytest.raises(FileNotFoundError):
        flush(tmp_path / "nothing")


def test_nobody_else_flushes_a_folder():
    others = [
        path.name
        for path in PIPELINES.rglob("*.py")
        if re.search(r"os\.fsync\((handle|folder)", path.read_text("utf-8"))
    ]
    assert others == ["disk.py"]

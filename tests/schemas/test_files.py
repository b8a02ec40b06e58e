"""Strict reading of fact files, and the one folding of text."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.files import MalformedFact, fold, line_of, read_csv, read_rows, read_toml


def test_fold_makes_full_width_ascii_but_keeps_powers() -> None:
    assert fold("　ＰＭ２.５（μg/m³）\u00a0") == "PM2.5(μg/m³)"
    assert fold("10³") == "10³"
    assert fold("\ufeff\u202e9150\u200b0109\u00ad") == "91500109"


def test_fold_removes_every_invisible_control_of_unicode() -> None:
    invisible = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"]
    kept = [f"U+{ord(char):04X}" for char in invisible if fold(f"a{char}b") != "ab"]
    assert not kept


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def write(folder: Path, text: str | bytes, name: str = "facts.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv_rows_know_their_line_even_after_a_line_break_in_a_cell(tmp_path: Path) -> None:
    path = write(tmp_path, 'key,note\na,"one\ntwo"\n\nb, x \n')
    assert read_csv(path, ("key", "note")) == [
        (2, {"key": "a", "note": "one\ntwo"}),
        (5, {"key": "b", "note": "x"}),
    ]


def test_an_absent_optional_column_reads_as_blank(tmp_path: Path) -> None:
    path = write(tmp_path, "key\na\n")
    assert read_csv(path, ("key",), ("note",)) == [(2, {"note": "", "key": "a"})]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"key,note\na,\xff\n", 2, "not UTF-8"),
        ("", 1, "empty"),
        ("key\na\n", 1, "column 'note' is missing"),
        ("key,note,colour\na,b,c\n", 1, "unknown column 'colour'"),
        ("key,note,key\na,b,c\n", 1, "column 'key' stands twice"),
        ("key,note\na,b\nc\n", 3, "1 fields, the header has 2"),
        ("key,note\na,b,c\n", 2, "3 fields, the header has 2"),
        ('key,note\na,"b\n', 2, "not CSV"),
    ],
)
def test_a_malformed_csv_is_refused_by_file_line_and_reason(
    tmp_path: Path, text: str | bytes, line: int, reason: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(MalformedFact) as refused:
        read_csv(path, ("key", "note"))
    assert (refused.value.file, refused.value.line) == (path, line)
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"{path}:{line}: ")


def test_a_missing_file_is_a_malformed_fact(tmp_path: Path) -> None:
    with pytest.raises(MalformedFact, match=r"nowhere\.csv:0: cannot be read"):
        read_csv(tmp_path / "nowhere.csv", ("key",))


def test_a_broken_toml_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, 'title = "x"\nkey = \n', "facts.toml")
    with pytest.raises(MalformedFact) as refused:
        read_toml(path)
    assert refused.value.line == 2


def test_line_of_finds_headers_keys_and_names_within(tmp_path: Path) -> None:
    path = write(tmp_path, 'title = "x"\n[columns]\nvalue = "a"\n[time]\n"value" = 1\nlist = ["odd"]\n', "facts.toml")
    assert [line_of(path, "title"), line_of(path, "columns"), line_of(path, "time", "value")] == [1, 2, 5]
    assert line_of(path, "odd") == 6
    assert line_of(path, "nowhere") == 1


@pytest.mark.parametrize(
    ("cell", "cast", "reason"),
    [
        ("1,5", "number", "is not a number"),
        ("nan", "number", "is not a number"),
        ("2026-02-30", "date", "is not a date"),
        ("2026/02/03", "date", "is not a date"),
        ("a||b", "many", "has an empty part"),
        ("mg/L", "factors", "is not of the form unit=factor"),
        ("mg/L=x", "factors", "is not a number"),
        ("mg/L=1|mg/L=2", "factors", "stands twice"),
        ("maybe", "yes", "is not one of"),
        ("", "need", "cell is missing"),
    ],
)
def test_a_cell_that_cannot_be_cast_is_refused(tmp_path: Path, cell: str, cast: str, reason: str) -> None:
    path = write(tmp_path, f'cell,other\n"{cell}",x\n')
    (row,) = read_rows(path, ("cell", "other"))
    with pytest.raises(MalformedFact, match=reason) as refused:
        getattr(row, cast)("cell")
    assert refused.value.line == 2

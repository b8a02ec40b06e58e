"""Codes of enterprises against published lists, python-stdnum and the standard's own check."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from schemas.identifiers import (
    USCC_ALPHABET,
    check_character,
    identity_check,
    is_resident_id,
    mask,
    organisation_check,
    read_division,
    read_station_code,
    read_uscc,
    registration_check,
)


def rows(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "data" / "credit" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_two_hundred_real_codes_are_valid(shared: Path) -> None:
    codes = [row["uscc"] for row in rows(shared, "uscc_codes_stdnum.csv")]
    assert Counter(read_uscc(code).status for code in codes) == {"valid": 200}
    assert all(uscc.is_valid(code) for code in codes)


def test_named_cases_come_out_as_their_readme_says(shared: Path) -> None:
    for row in rows(shared, "uscc_named_cases.csv"):
        expected = "valid" if row["expect"] == "valid" else "pilot"
        found = read_uscc(row["uscc"])
        assert (found.status, found.code) == (expected, row["uscc"])
        assert (found.status == "valid") == (row["gb32100_ok"] == "True")
        assert organisation_check(row["uscc"][8:16]) == row["uscc"][16] or row["org_part_gb11714_ok"] != "True"


def test_bad_vectors_are_refused_with_their_position(shared: Path) -> None:
    found = {row["input"]: read_uscc(row["input"]) for row in rows(shared, "uscc_bad_vectors.csv")}
    assert {text: code.status for text, code in found.items()} == {
        "12345": "malformed",
        "A1110000600037341L": "malformed",
        "9111000060003IOZSV": "malformed",
        "91110000600037341N": "failing",
        "91 110000 600037341L": "valid",
        "9 1 110000 600037341L": "valid",
    }
    assert "18 位" in found["12345"].reason_zh
    assert "第 1 位" in found["A1110000600037341L"].reason_zh
    assert "第 14 位" in found["9111000060003IOZSV"].reason_zh
    assert "应为 L" in found["91110000600037341N"].reason_zh


def test_published_penalties_registrations_and_agencies_are_read(shared: Path) -> None:
    penalties = Counter(read_uscc(row["uscc_raw"]).status for row in rows(shared, "penalties_published.csv"))
    assert penalties == {"valid": 15, "none": 3, "masked": 1}
    agencies = [read_uscc(row["code_from_index_no"]) for row in rows(shared, "agency_codes.csv")]
    assert {code.status for code in agencies} == {"valid"}
    kinds = {"reg15": "registration", "org9": "organisation"}
    for row in rows(shared, "old_registration_codes.csv"):
        assert read_uscc(row["code_raw"]).status == kinds[row["kind"]]


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        (" 91500222MA5UQ7RR7W", "valid", "91500222MA5UQ7RR7W"),
        ("91500110MAACATRW37" + " " * 32, "valid", "91500110MAACATRW37"),
        ("９１５００２２２ｍａ５ｕｑ７ｒｒ７ｗ", "valid", "91500222MA5UQ7RR7W"),
        ("915002-22MA5UQ7RR7-W", "valid", "91500222MA5UQ7RR7W"),
        ("91500222\u200bMA5UQ7RR7W\u202c", "valid", "91500222MA5UQ7RR7W"),
        ("91500110MAACATRW37001Q", "permit", "91500110MAACATRW37"),
        ("排污许可证编号:91500110MAACATRW37001Q", "permit", "91500110MAACATRW37"),
        ("91500110MAACATRW38001Q", "failing", "91500110MAACATRW38"),
        ("91350211M0000XUF46", "pilot", "91350211M0000XUF46"),
        ("91350100M000100Y43", "valid", "91350100M000100Y43"),
        ("91430102**********", "masked", ""),
        ("9150XXXXXXXXXXRR7W", "masked", ""),
        ("91500222MA5UQ7RR7", "malformed", ""),
        ("营业执照注册号:440800000014935", "registration", ""),
        ("440800000014936", "malformed", ""),
        ("组织机构代码：19437573-1", "organisation", ""),
        ("19437573-2", "malformed", ""),
        ("", "none", ""),
        ("/", "none", ""),
        ("无", "none", ""),
    ],
)
def test_a_code_is_read_as_written(text: str, status: str, code: str) -> None:
    found = read_uscc(text)
    assert (found.status, found.code) == (status, code)
    assert found.usable == (status in ("valid", "pilot", "permit"))
    assert bool(found.reason_zh) == bool(found.reason_en) == (status != "valid")


@pytest.mark.parametrize(
    "number",
    [
        "11010519491231002X",
        "510703199001011231",
        "510703199001011238",
        "510703199013011231",
        "510703900101123",
        "51070319900101123x",
    ],
)
def test_a_resident_identity_number_never_leaves_in_clear(number: str) -> None:
    for text in (number, f" {number} ", f"张三{number}", f"身份证:{number}"):
        found = read_uscc(text)
        assert found.status == "resident-id"
        assert number.upper() not in "".join((found.text, found.code, found.reason_zh, found.reason_en))
        assert found.text.endswith(mask(number.upper()))


def test_a_mask_shows_three_and_four() -> None:
    assert mask("510703199001011234") == "510***********1234"
    assert len(mask("510703199001011234")) == 18
    assert mask("5107") == "****"


body = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["91", "92", "11", "12", "51", "93"]),
        st.sampled_from(["500109", "510703", "510781", "110105"]),
        st.text(USCC_ALPHABET, min_size=9, max_size=9),
    ),
)


@given(body)
def test_our_check_character_is_that_of_stdnum(code: str) -> None:
    whole = code + check_character(code)
    assert uscc.is_valid(whole)
    if not is_resident_id(whole) and "XXX" not in whole:
        assert read_uscc(whole).status == "valid"


@given(body, st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_one_wrong_character_is_always_seen(code: str, place: int, char: str) -> None:
    whole = code + check_character(code)
    wrong = whole[:place] + char + whole[place + 1 :]
    if wrong != whole:
        assert read_uscc(wrong).status != "valid"


@given(st.text(max_size=40))
def test_any_text_gets_one_of_the_states(text: str) -> None:
    found = read_uscc(text)
    assert bool(found.code) == (found.status in ("valid", "failing", "pilot", "permit"))
    assert read_uscc(found.text).status == found.status or found.status == "resident-id"


@given(st.text("0123456789", min_size=17, max_size=17))
def test_the_identity_check_is_that_of_stdnum(body: str) -> None:
    assert identity_check(body) == ric.calc_check_digit(body + "0")


def test_registration_numbers_check_by_iso_7064() -> None:
    assert registration_check("51000000002955") == "9"
    assert registration_check("44080000001493") == "5"


def test_divisions_and_station_codes_are_folded() -> None:
    assert read_division("５００１０９") == "500109"
    assert read_division("500109001") == "500109001"
    assert read_division("990109") is None
    assert read_division("50010") is None
    assert read_station_code(" １４１４ａ　") == "1414A"

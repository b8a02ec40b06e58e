"""How names are written: what folding makes alike, and what it must never."""

from __future__ import annotations

import pytest

from credit_registry import names
from records.scripts import folded, person_key, plain


def test_the_credit_register_folds_by_the_same_functions():
    assert names.folded is folded and names.plain is plain
    assert plain("重慶（三雷） 公司") == "重庆三雷公司" and folded("重慶（三雷） 公司") == "重庆(三雷)公司"


@pytest.mark.parametrize(
    "written", ["买买提·示例", "买买提•示例", "买买提・示例", "买买提．示例", "买买提 示例", "買買提‧示例"]
)
def test_dots_blanks_and_script_do_not_count_in_a_name(written):
    assert person_key(written) == "买买提示例"


def test_copies_of_characters_from_other_fonts_are_the_usual_ones():
    assert person_key("⽂示例") == "文示例" and person_key("\uf914示例") == person_key("樂示例") == "乐示例"


@pytest.mark.parametrize(
    ("one", "other"), [("何", "贺"), ("肖", "萧"), ("己", "已"), ("张（大）", "张（小）"), ("A-B", "AB")]
)
def test_what_is_another_name_stays_one(one, other):
    assert person_key(one) != person_key(other)

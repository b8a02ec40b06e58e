"""Kinds of check: True where the row is fine; missing values are not their business."""

import numpy as np
import pandas as pd
import pytest

from pipelines.validate.checks import CHECKS
from schemas import rules


def run(name: str, column, **arguments):
    return CHECKS[name](pd.Series(column), arguments).tolist()


WORDS = pd.Series(["a", "b", None, "a"], dtype="category")


def test_one_of_and_none_of_are_opposites_but_for_the_missing():
    assert run("one_of", WORDS, values=["a"]) == [True, False, True, True]
    assert run("none_of", WORDS, values=["a"]) == [False, True, True, False]


def test_matches_looks_from_the_beginning():
    assert run("matches", WORDS.cat.rename_categories(["12a", "a12"]), pattern=r"\d+") == [True, False, True, True]


@pytest.mark.parametrize(
    ("arguments", "fine"),
    [
        ({"low": 0}, [False, True, True, True, True]),
        ({"high": 1}, [True, True, True, False, True]),
        ({"low": 0, "high": 1}, [False, True, True, False, True]),
    ],
)
def test_within_includes_both_ends(arguments, fine):
    assert run("within", [-0.1, 0.0, 1.0, 1.1, np.nan], **arguments) == fine


def test_present_is_the_one_that_minds_the_missing():
    assert run("present", [1.0, np.nan]) == [True, False]


def test_not_above_compares_with_a_multiple_of_another_column():
    other = np.array([1.0, 1.0, np.nan, 1.0])
    assert run("not_above", [1.0, 1.1, 9.0, np.nan], other_values=other) == [True, False, True, True]
    assert run("not_above", [1.5, 2.1, 9.0, np.nan], other_values=other, factor=2.0) == [True, False, True, True]


def test_every_check_a_rule_may_name_exists():
    assert set(rules.CHECKS) - {"within_facts"} == set(CHECKS)

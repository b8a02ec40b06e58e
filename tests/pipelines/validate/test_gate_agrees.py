"""Great Expectations and the judge find the same rows, rule by rule."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from pipelines.batch import StandardBatch
from pipelines.validate.features import Measure
from pipelines.validate.gate import failing_ids, warm_up
from pipelines.validate.judge import evaluate
from schemas.layouts import layouts
from schemas.loaders import Table, parameters, tables
from schemas.rules import Rule, all_rules

SIZE = 120
NOW = datetime(2026, 4, 1, tzinfo=UTC)
MEDIA = {"air_observation": "air", "water_result": "water", "soil_result": "soil"}


@pytest.fixture(scope="module", autouse=True)
def _great_expectations() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warm_up()


def words(rng: np.random.Generator, choices: list[str]) -> pd.Categorical:
    """Words from these, with some missing."""
    codes = rng.integers(-1, len(choices), SIZE)
    codes[: len(choices)] = np.arange(len(choices))
    return pd.Categorical.from_codes(rng.permutation(codes), categories=choices)


def numbers(rng: np.random.Generator, edges: list[float]) -> np.ndarray:
    """Numbers on, just beside and far from the edges, with some missing."""
    near = [e for edge in edges for e in (edge, np.nextafter(edge, np.inf), np.nextafter(edge, -np.inf))]
    far = [edge + step for edge in edges for step in (-1e6, -1.0, 1.0, 1e6)]
    values = np.array([*near, *far, np.nan])
    return rng.permutation(np.concatenate([values, rng.choice(values, SIZE - len(values))]))


def frame_for(rule: Rule, rng: np.random.Generator) -> pd.DataFrame:
    """The columns one rule looks at, with values that pass, values that fail and missing ones."""
    known = [p for p in parameters().values() if p.medium == MEDIA.get(rule.table)]
    frame: dict[str, object] = {}
    for name, inside in rule.where.items():
        # what conditions are about (parameter, period, unit) is never missing
        frame[name] = pd.Categorical(rng.choice([*inside, "elsewhere"], SIZE))
    match rule.check:
        case "one_of" | "none_of":
            frame[rule.column] = words(rng, list(dict.fromkeys(["", *rule.arguments["values"], "other"])))
        case "matches" | "present":
            raise NotImplementedError("give this kind of check its values")
        case "within":
            frame[rule.column] = numbers(rng, [float(v) for v in rule.arguments.values()])
        case "within_facts":
            # a result always has a parameter
            frame["parameter"] = pd.Categorical(rng.choice([p.parameter for p in known][:12], SIZE))
            bounds = [b for p in known[:12] for b in (p.plausible_min, p.plausible_max) if b is not None]
            frame[rule.column] = rng.choice(numbers(rng, bounds[:6]), SIZE)
        case "not_above":
            other = rng.uniform(1, 50, SIZE)
            step = rng.choice([0.0, -1.0, 1.0, np.nan], SIZE)
            frame[rule.column] = other * float(rule.arguments.get("factor", 1.0)) + step
            frame[rule.arguments["other"]] = np.where(rng.random(SIZE) < 0.1, np.nan, other)
    return pd.DataFrame(frame)


def measured(rule: Rule, frame: pd.DataFrame) -> Measure:
    """The frame as a batch, so that the judge evaluates the rule itself."""
    layout = layouts("beibei")[0]
    table = tables().get(rule.table) or Table(rule.table, "", "", (), (), None, (), "")
    results = pd.DataFrame({"row": np.arange(SIZE)})
    rows = pd.DataFrame({"source_row": np.arange(SIZE)})
    if rule.on == "row":
        rows = rows.join(frame)
    else:
        results = results.join(frame)
    return Measure(StandardBatch("", table, layout, "beibei", rows, results, (), 0, ()), NOW)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_the_gate_and_the_judge_find_the_same_rows(rule: Rule) -> None:
    rng = np.random.default_rng(int.from_bytes(rule.code.encode()) % 2**32)
    frame = frame_for(rule, rng)
    judged = set(evaluate(rule, measured(rule, frame)).tolist())
    assert judged
    assert len(judged) < SIZE
    assert failing_ids(rule, frame) == judged

"""What the gate is shown: frames of what is about to be published beside what was measured on it, as Arrow files.

Up to ``native_rows`` results the frames hold the published rows themselves with the measured columns beside them, and
among them those that are not flagged (a rule that only flags must hold for all of these). Above, each is reduced to
what cannot hide a failure, so that the cost grows neither with the failures nor much with the rows: words to their
distinct combinations, on which the expectations are the same; numbers to the extremes of every thousand; keys, in
their order, to the smallest steps between them. (Great Expectations copies and hashes a whole frame again and again:
six million rows of twenty columns take it ten seconds.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.batch import Verdict
from pipelines.frames import coded
from pipelines.validate import expectations
from pipelines.validate.expectations import HIGH, LOW, Config, scaled
from schemas.loaders import flags, parameters
from schemas.rules import Rule, rules

BLOCK = 1024
COUNT = "rows like this"
MISSING = "(missing)"
SUSPECT = 3
SHOWN_WORDS = ("parameter", "averaging_period", "unit", "flag")
"""Published columns shown with their words in the combinations; of the others only that they are there."""
Values = np.ndarray | pd.Categorical


@dataclass(frozen=True)
class Shown:
    """One frame in its files, with what is expected of it."""

    name: str
    files: list[Path]
    configs: list[Config]
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of expectations that stand for several rules: which word tells which."""

    def save(self, scratch: Path) -> Path:
        """Write down what the child shall look at and expect."""
        path = scratch / f"{self.name}.json"
        plan = {"files": [str(file) for file in self.files], "configs": self.configs, "words": self.words}
        path.write_text(json.dumps(plan, ensure_ascii=False), encoding="utf-8")
        return path


@dataclass
class Evidence:
    """A verdict and the rows that shall go out, laid side by side.

    Attributes
    ----------
    verdict : Verdict
    published : DataFrame
        What will be written. Values, parameters, units and flags are looked at here, not in the verdict.
    """

    verdict: Verdict
    published: pd.DataFrame

    @cached_property
    def at(self) -> np.ndarray:
        """Position in the results of each published row; -1 where there are more rows than the judge let out."""
        positions = np.full(len(self.published), -1, dtype=np.int64)
        known = self.verdict.positions[: len(positions)]
        positions[: len(known)] = known
        return positions

    @cached_property
    def is_whole(self) -> bool:
        """Tell whether every result goes out, in its order."""
        total = len(self.verdict.batch.results)
        return len(self.at) == total and bool((self.at == np.arange(total)).all())

    @cached_property
    def row(self) -> np.ndarray:
        """Row of the file of each published row."""
        taken: np.ndarray = self.verdict.batch.results["row"].to_numpy()[self.at]
        return taken

    @cached_property
    def unflagged(self) -> np.ndarray:
        """Tell the published rows that do not carry the flag *suspect*."""
        if "flag" not in self.published:
            return self.verdict.flag != SUSPECT
        unflagged: np.ndarray = self.published["flag"].to_numpy() != SUSPECT
        return unflagged

    @cached_property
    def rules(self) -> list[Rule]:
        """Rules whose failure keeps a result back or flags it, and whose column this batch has."""
        table = self.verdict.batch.table.table
        return [
            rule for rule in rules(table) if rule.severity != "note" and self.source(rule.on, rule.column) is not None
        ]

    def source(self, on: str, name: str) -> pd.Series | None:
        """Give a measured column, in rows or results."""
        column: pd.Series | None = self.verdict.measure.column(on, name)
        return column

    def is_published(self, name: str) -> bool:
        """Tell whether a column goes out in a form that rules can compare."""
        if name not in self.published:
            return False
        dtype = self.published[name].dtype
        return isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(dtype)

    def column(self, on: str, name: str) -> Values | None:
        """Give a column for each published row, from the published rows where it is one of theirs."""
        if self.is_published(name):
            return _values(self.published[name])
        column = self.source(on, name)
        if column is None:
            return None
        values = _values(column)
        if on == "result" and self.is_whole:
            return values
        return values.take(self.row if on == "row" else self.at)

    def scope(self, rule: Rule) -> np.ndarray | None:
        """Tell where ``where`` holds among the published rows; ``None`` for everywhere."""
        inside: np.ndarray | None = None
        for name, words in rule.where.items():
            column = self.column(rule.on, name)
            if column is not None:
                here = _among(column, words)
                inside = here if inside is None else inside & here
        return inside

    def waived(self, rule: Rule) -> np.ndarray | None:
        """Tell the published rows for which a rule is waived; ``None`` for none."""
        gone = self.verdict.exempt.get(rule.code)
        if gone is None:
            return None
        of = self.verdict.batch.rows if rule.on == "row" else self.verdict.batch.results
        mask = np.zeros(len(of), dtype=bool)
        mask[gone] = True
        taken: np.ndarray = mask[self.row if rule.on == "row" else self.at]
        return taken

    def bounds(self, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
        """Give the range of parameters.csv for the parameter of each published row."""
        parameter = self.column("result", "parameter")
        assert isinstance(parameter, pd.Categorical)
        known = parameters()
        sides = []
        for side in ("low", "high"):
            found = [getattr(known.get(str(word)), rule.arguments[side], None) for word in parameter.categories]
            table = np.array([np.nan if bound is None else bound for bound in found] + [np.nan], dtype=float)
            sides.append(table[parameter.codes])
        return sides[0], sides[1]

    def judged(self) -> np.ndarray:
        """Tell which published rows are the results the judge let out, value for value."""
        same = self.at >= 0
        batch = self.verdict.batch
        if "source_row" in self.published:
            same &= self.published["source_row"].to_numpy() == batch.rows["source_row"].to_numpy()[self.row]
        if "value" in self.published and "value" in batch.results:
            value, judged = self.published["value"].to_numpy(), batch.results["value"].to_numpy()[self.at]
            same &= (value == judged) | (np.isnan(value) & np.isnan(judged))
        return same

    def units(self) -> tuple[pd.Categorical, list[str]] | None:
        """Give parameter and unit of each published row as one word, and the words parameters.csv allows."""
        parameter, unit = self.column("result", "parameter"), self.column("result", "unit")
        if not isinstance(parameter, pd.Categorical) or not isinstance(unit, pd.Categorical):
            return None
        signs = [*(str(sign) for sign in unit.categories), MISSING]
        names = [*(str(name) for name in parameter.categories), MISSING]
        pairs = parameter.codes.astype(np.int32) % len(names) * len(signs) + unit.codes.astype(np.int32) % len(signs)
        met = np.flatnonzero(np.bincount(pairs, minlength=len(names) * len(signs)))
        code = np.zeros(len(names) * len(signs), dtype=np.int16)
        code[met] = np.arange(len(met))
        words = [f"{names[pair // len(signs)]} {signs[pair % len(signs)]}" for pair in met]
        known = parameters()
        allowed = [f"{name} {known[name].unit}" for name in names if name in known]
        return coded(code[pairs], words), allowed

    def numbers(self, on: str, name: str) -> np.ndarray:
        """Give a column of numbers for each published row; missing is NaN."""
        values = self.column(on, name)
        assert isinstance(values, np.ndarray), name
        return values.astype(np.float64, copy=False)

    def limit(self, rule: Rule) -> np.ndarray:
        """Give what the values of a rule may not exceed."""
        factor = float(rule.arguments.get("factor", 1.0))
        other = self.numbers(rule.on, rule.arguments["other"])
        return other if factor == 1.0 else other * factor

    def keys(self) -> np.ndarray:
        """Number the keys: equal numbers for equal keys, a missing part being equal to a missing part."""
        # by parameter first, as results come: then the numbers mostly stand in order, and need no sorting
        names = sorted(self.verdict.batch.table.key, key=lambda name: name not in ("parameter", "averaging_period"))
        return combined([_values(self.published[name]) for name in names], len(self.published))


def combined(columns: Iterable[Values], size: int) -> np.ndarray:
    """Number the combinations of values: equal numbers for equal combinations; missing is a value."""
    number = np.zeros(size, dtype=np.int64)
    count = 1
    for values in columns:
        part, parts = _numbered(values)
        if parts <= 1:
            continue
        if count * parts >= 2**62:
            number, distinct = pd.factorize(number)
            count = len(distinct)
        number = number * parts
        number += part
        count *= parts
    return number


def _numbered(values: Values) -> tuple[np.ndarray, int]:
    """Number the values of a column from zero, with how many numbers there may be."""
    ticks = values.codes if isinstance(values, pd.Categorical) else values
    if ticks.dtype.kind == "M":
        ticks = ticks.view(np.int64)
    if ticks.dtype.kind in "iu" and len(ticks):
        low, high = int(ticks.min()), int(ticks.max())
        if high == low:
            return ticks, 1
        if high - low < 2**52 and low > np.iinfo(np.int64).min:
            return ticks.astype(np.int64) - low, high - low + 1
    codes, distinct = pd.factorize(ticks, use_na_sentinel=False)
    return codes, len(distinct)


def _values(column: pd.Series) -> Values:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array  # type: ignore[return-value]
    if column.dtype.kind in "OUTS":
        return pd.Categorical(column)
    return column.to_numpy()


def _among(values: Values, words: tuple[str, ...]) -> np.ndarray:
    """Tell where a column holds one of some words."""
    found: np.ndarray
    if isinstance(values, pd.Categorical):
        found = np.array([word in words for word in values.categories] + [False])[values.codes]
    else:
        found = np.isin(values, words)
    return found


def _presence(column: pd.Series) -> pd.Categorical:
    """Show of a column only where it is there."""
    codes = np.zeros(len(column), dtype=np.int8)
    if column.dtype.kind not in "iu":
        values = _values(column)
        missing = values.codes < 0 if isinstance(values, pd.Categorical) else pd.isna(values)
        if missing.any():
            codes[missing] = -1
    return coded(codes, ["there"])


def show(verdict: Verdict, published: pd.DataFrame, scratch: Path, native_rows: int) -> Iterator[Shown]:
    """Write the frames of a verdict one after the other, each with what is expected of it.

    Parameters
    ----------
    verdict : Verdict
    published : DataFrame
        In the shape of the table contract, without record time.
    scratch : Path
        Folder for the files.
    native_rows : int
        Up to how many rows the expectations speak of rows.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    evidence = Evidence(verdict, published)
    make = _by_row if len(published) <= native_rows else _by_column
    yield from make(evidence, scratch)


def _by_row(evidence: Evidence, scratch: Path) -> Iterator[Shown]:
    table, rows = evidence.verdict.batch.table, Rows(evidence)
    for rule in evidence.rules:
        rows.add(rule)
    rows.add_judged()
    frame, added = rows.frame()
    expected = [
        *expectations.contract(table, added, evidence.verdict.result_counts["published"], sorted(flags())),
        *rows.refusing,
    ]
    yield Shown("published", _write(scratch, "published", frame), *expectations.merged(expected))
    unflagged = frame[evidence.unflagged]
    looked_at = [one for one in rows.flagging if _holds_values(unflagged, one)]
    if looked_at:
        yield Shown("unflagged", _write(scratch, "unflagged", unflagged), *expectations.merged(looked_at))


def _holds_values(frame: Mapping[str, Any] | pd.DataFrame, one: Config) -> bool:
    """Tell whether there is anything to look at: a missing value fails no rule but *present*."""
    if one["type"] == "expect_column_values_to_not_be_null":
        return True
    names = [one["kwargs"][key] for key in ("column", "column_A", "column_B") if key in one["kwargs"]]
    return not any(bool(pd.isna(frame[name]).all()) for name in names)


class Rows:
    """The measured columns laid beside the published rows, and what refusing and flagging rules expect of them."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.beside: dict[str, Values] = {}
        self.refusing: list[Config] = []
        self.flagging: list[Config] = []
        self._sides: dict[str, str] = {}

    def add(self, rule: Rule) -> None:
        """Lay out what one rule looks at, unless it looks at nothing here, and write what it expects."""
        evidence = self.evidence
        scope = evidence.scope(rule)
        if scope is not None and not scope.any():
            return
        name = self._put(rule.on, rule.column)
        waived = evidence.waived(rule)
        if waived is not None:
            blanked = _blanked(evidence.column(rule.on, rule.column), waived)
            name = f"{name}@{rule.code}"
            self.beside[name] = blanked
        if rule.check == "present":
            there = pd.notna(pd.Series(evidence.column(rule.on, rule.column), copy=False)).to_numpy()
            name = f"{name} there"
            self.beside[name] = coded(np.where(there if waived is None else there | waived, 0, -1), ["there"])
        if rule.check == "within_facts":
            self.beside[LOW], self.beside[HIGH] = evidence.bounds(rule)
        if rule.check == "not_above":
            self.beside[scaled(rule)] = evidence.limit(rule)
        # a condition that holds everywhere is left out: it costs as much as the comparison
        known = {} if scope is None or scope.all() else {key: self._put(rule.on, key) for key in rule.where}
        found = expectations.native(rule, known, name)
        if rule.severity == "flag":
            self.flagging += found
        else:
            columns = {**self.beside, name: self.beside.get(name, evidence.column(rule.on, rule.column))}
            self.refusing += [one for one in found if _holds_values(columns, one)]

    def add_judged(self) -> None:
        """Lay out which rows the judge let out, and the units, where there are rows at all."""
        evidence = self.evidence
        if not len(evidence.published):
            return
        kind = "column_values_to_be_in_set"
        self.beside["judged"] = evidence.judged().astype(np.int8)
        self.refusing.append(expectations.config(kind, ["judged"], column="judged", value_set=[1]))
        units = evidence.units()
        if units is not None:
            self.beside["parameter_unit"] = units[0]
            self.refusing.append(expectations.config(kind, ["unit"], column="parameter_unit", value_set=units[1]))

    def frame(self) -> tuple[pd.DataFrame, list[str]]:
        """Give the published rows with the columns beside them, and the names of these."""
        beside = pd.DataFrame(self.beside, index=self.evidence.published.index, copy=False)
        return pd.concat([self.evidence.published, beside], axis=1), list(self.beside)

    def combinations(self) -> tuple[pd.DataFrame, list[str]]:
        """Give each combination of words among the published rows once, and the names of the columns laid beside.

        Returns
        -------
        DataFrame
            Columns of the table in order, then those beside. ``SHOWN_WORDS`` and what rules look at are shown as they
            are; the other columns of the table as ``there`` or missing.
        list of str
        """
        published = self.evidence.published
        looked_at = {one["kwargs"].get("column") for one in (*self.refusing, *self.flagging)}
        columns: dict[str, Values] = {}
        for name in map(str, published):
            shown = name in SHOWN_WORDS or name in looked_at
            columns[name] = _values(published[name]) if shown else _presence(published[name])
        columns |= self.beside
        number = combined(columns.values(), len(published))
        code, distinct = pd.factorize(number)
        first = np.zeros(len(distinct), dtype=np.int64)
        first[code[::-1]] = np.arange(len(code))[::-1]
        frame = {name: values.take(first) for name, values in columns.items()}
        return pd.DataFrame({**frame, COUNT: np.bincount(code, minlength=len(distinct))}), [*self.beside, COUNT]

    def _put(self, on: str, name: str) -> str:
        """Lay a column beside the published ones, unless it is one of them, and give its name there."""
        if self.evidence.is_published(name):
            return name
        if self._sides.setdefault(name, on) != on or name in self.evidence.published:
            name, key = f"{on} {name}", name
        else:
            key = name
        if name not in self.beside:
            values = self.evidence.column(on, key)
            if values is None:
                return name
            self.beside[name] = values
        return name


def _blanked(values: Values | None, where: np.ndarray) -> Values:
    assert values is not None
    if isinstance(values, pd.Categorical):
        return pd.Categorical.from_codes(np.where(where, -1, values.codes), dtype=values.dtype)
    return np.where(where, np.nan, values.astype(float))


def _by_column(evidence: Evidence, scratch: Path) -> Iterator[Shown]:
    table = evidence.verdict.batch.table
    by_number = [rule for rule in evidence.rules if rule.check in ("within", "within_facts", "not_above")]
    words = Rows(evidence)
    for rule in evidence.rules:
        if rule not in by_number:
            words.add(rule)
    words.add_judged()
    frame, added = words.combinations()
    expected = [*expectations.contract(table, added, None, sorted(flags())), *words.refusing]
    expected += expectations.counted(COUNT, evidence.verdict.result_counts["published"])
    yield Shown("words", _write(scratch, "words", frame), *expectations.merged(expected))
    unflagged = frame[frame["flag"] != SUSPECT] if "flag" in frame else frame
    looked_at = [one for one in words.flagging if _holds_values(unflagged, one)]
    if looked_at:
        yield Shown("unflagged", _write(scratch, "unflagged", unflagged), *expectations.merged(looked_at))
    numbers = Extremes(evidence)
    for rule in by_number:
        numbers.add(rule)
    numbers.add_keys()
    if numbers.configs:
        yield Shown("numbers", _write(scratch, "numbers", numbers.frame()), numbers.configs)


class Extremes:
    """The smallest and the greatest of every thousand values that a rule looks at."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.configs: list[Config] = []
        self.columns: dict[str, np.ndarray] = {}

    def add(self, rule: Rule) -> None:
        """Reduce what one rule looks at and write what it expects."""
        evidence = self.evidence
        keep = _all_of(evidence.scope(rule), evidence.unflagged if rule.severity == "flag" else None)
        waived = evidence.waived(rule)
        if waived is not None:
            keep = _all_of(keep, ~waived)
        if keep is not None and not keep.any():
            return
        label = " ".join([rule.code, rule.column])
        if rule.check == "within":
            values = evidence.numbers(rule.on, rule.column)
            sides = (rule.arguments.get("low"), rule.arguments.get("high"))
        else:
            label += f" above {scaled(rule)}" if rule.check == "not_above" else " outside the plausible range"
            values, sides = self._excess(rule), (None, 0)
        if keep is not None:
            values = np.where(keep, values, np.nan)
        for side, bound, least in (("lowest", sides[0], True), ("highest", sides[1], False)):
            if bound is not None:
                extremes = self._reduced(values, least=least)
                if not np.isnan(extremes).all():
                    name = f"{side} {label}"
                    self.columns[name] = extremes
                    self.configs += expectations.extreme_within(rule.code, name, bound, least=least)

    def add_keys(self) -> None:
        """Reduce the keys, in their order, to their smallest steps: a key that stands twice makes a step of zero."""
        keys = self.evidence.keys()
        if len(keys) > 1:
            steps = np.diff(keys)
            if steps.min() < 1:
                steps = np.diff(np.sort(keys))
            self.columns["smallest step of the key"] = self._reduced(steps, least=True)
            self.configs += expectations.extreme_within("key", "smallest step of the key", 1, least=True)

    def _reduced(self, values: np.ndarray, *, least: bool) -> np.ndarray:
        size = -(-len(self.evidence.published) // BLOCK)
        reduced: np.ndarray = (np.fmin if least else np.fmax).reduceat(values, np.arange(0, len(values), BLOCK))
        return np.pad(reduced, (0, size - len(reduced)), mode="edge")

    def frame(self) -> pd.DataFrame:
        """Give the extremes, a column for each side of each rule."""
        return pd.DataFrame(self.columns, copy=False)

    def _excess(self, rule: Rule) -> np.ndarray:
        """Give how far each value lies outside its bounds; not above zero where it is fine."""
        values = self.evidence.numbers(rule.on, rule.column)
        if rule.check == "within_facts":
            low, high = self.evidence.bounds(rule)
            np.subtract(low, values, out=low)
            np.subtract(values, high, out=high)
            outside: np.ndarray = np.fmax(low, high, out=low)
            return outside
        excess: np.ndarray = values - self.evidence.limit(rule)
        return excess


def _all_of(*masks: np.ndarray | None) -> np.ndarray | None:
    """Join masks; ``None`` for everywhere."""
    together: np.ndarray | None = None
    for mask in masks:
        if mask is not None and not mask.all():
            together = mask if together is None else together & mask
    return together


def _write(scratch: Path, name: str, frame: pd.DataFrame) -> list[Path]:
    path = scratch / f"{name}.arrow"
    _to_file(pa.Table.from_pandas(frame, preserve_index=False), path)
    return [path]


def _to_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)

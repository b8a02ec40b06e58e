"""What the gate is shown: frames of what is about to be published beside what was measured on it, as Arrow files.

Up to ``native_rows`` results the frames hold rows: the published rows themselves, the measured columns of each, and
among them those that are not flagged (a rule that only flags must hold for all of these). Above, they hold columns:
each rule that refuses or flags gets the values it looks at (in its scope, missing ones left out), columns of one
length share a frame, texts go as small codes, so that six million results stay small and are read without a copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
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

FEW_WORDS = 1000
MISSING = "(missing)"
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
    def row(self) -> np.ndarray:
        """Row of the file of each published row."""
        taken: np.ndarray = self.verdict.batch.results["row"].to_numpy()[self.at]
        return taken

    @cached_property
    def unflagged(self) -> np.ndarray:
        """Tell the published rows that do not carry the flag *suspect*."""
        if "flag" not in self.published:
            return self.verdict.flag != 3
        return self.published["flag"].to_numpy() != 3

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
        return _values(column).take(self.row if on == "row" else self.at)

    def scope(self, rule: Rule) -> np.ndarray | None:
        """Tell where ``where`` holds among the published rows; ``None`` for everywhere."""
        inside: np.ndarray | None = None
        for name, words in rule.where.items():
            column = self.column(rule.on, name)
            if column is not None:
                here = pd.Series(column, copy=False).isin(words).to_numpy()
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

    def keys(self) -> np.ndarray:
        """Number the keys: equal numbers for equal keys, a missing part being equal to a missing part."""
        code = np.zeros(len(self.published), dtype=np.int64)
        size = 1
        for name in self.verdict.batch.table.key:
            part, count = _numbered(self.published[name])
            if count <= 1:
                continue
            if size * count >= 2**62:
                code, distinct = pd.factorize(code)
                size = len(distinct)
            code = code * count + part
            size *= count
        return code


def _values(column: pd.Series) -> Values:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array  # type: ignore[return-value]
    if column.dtype.kind in "OUTS" or isinstance(column.dtype, pd.StringDtype):
        return pd.Categorical(column)
    return column.to_numpy()


def _numbered(column: pd.Series) -> tuple[np.ndarray, int]:
    """Number the values of a column from zero; missing is a value."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy().astype(np.int64) + 1, len(column.cat.categories) + 1
    values = column.to_numpy()
    if values.dtype.kind in "Mi" and len(values):
        ticks = values.view(np.int64) if values.dtype.kind == "M" else values.astype(np.int64)
        low, high = int(ticks.min()), int(ticks.max())
        if low > np.iinfo(np.int64).min and (high - low) < 2**52:
            return ticks - low, high - low + 1
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    return codes, len(distinct)


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


def _contract(evidence: Evidence, columns: list[str], *, by_row: bool) -> list[Config]:
    """Expect the shape of the table; ``columns`` are those laid beside its own."""
    table = evidence.verdict.batch.table
    rows = evidence.verdict.result_counts["published"]
    return expectations.contract(table, columns, rows, sorted(flags()), by_row=by_row)


def _by_row(evidence: Evidence, scratch: Path) -> Iterator[Shown]:
    rows = Rows(evidence)
    for rule in evidence.rules:
        rows.add(rule)
    rows.add_judged()
    frame, added = rows.frame()
    expected = [*_contract(evidence, added, by_row=True), *rows.refusing]
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
        if rule.check == "within_facts":
            self.beside[LOW], self.beside[HIGH] = evidence.bounds(rule)
        if rule.check == "not_above":
            other = evidence.column(rule.on, rule.arguments["other"])
            assert isinstance(other, np.ndarray)
            self.beside[scaled(rule)] = other * float(rule.arguments.get("factor", 1.0))
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
    yield _compact_contract(evidence, scratch)
    columns = Columns(evidence, scratch)
    for rule in evidence.rules:
        columns.add(rule)
    columns.add_judged()
    yield from columns.frames()


def _compact_contract(evidence: Evidence, scratch: Path) -> Shown:
    """Show the published columns in order: few words as they are, of the others only that they are there."""
    frame = {}
    for name in evidence.published.columns:
        series = evidence.published[name]
        if name == "flag":
            frame[name] = _arrow(series.to_numpy())
        elif isinstance(series.dtype, pd.CategoricalDtype):
            few = len(series.cat.categories) <= FEW_WORDS
            codes = series.cat.codes.to_numpy()
            frame[name] = _arrow(series.array) if few else _presence(codes < 0)
        else:
            frame[name] = _presence(series.isna().to_numpy())
    path = scratch / "published.arrow"
    _to_file(pa.table(frame), path)
    return Shown("published", [path], _contract(evidence, [], by_row=False))


def _presence(missing: np.ndarray) -> pa.Array:
    codes = pa.array(np.zeros(len(missing), dtype=np.int8), mask=missing if missing.any() else None)
    return pa.DictionaryArray.from_arrays(codes, pa.array(["there"]))


class Columns:
    """The columns that rules look at, each written once, gathered by their length."""

    def __init__(self, evidence: Evidence, scratch: Path) -> None:
        self.evidence = evidence
        self.scratch = scratch
        self.files: dict[int, list[Path]] = {}
        self.configs: dict[int, list[Config]] = {}
        self.words: dict[str, tuple[int, list[str]]] = {}
        self.lengths: dict[str, int] = {}

    def add(self, rule: Rule) -> None:
        """Take in what one rule looks at and what it expects of it."""
        label = self._label(rule)
        if label not in self.lengths:
            values = self._looked_at(rule)
            if rule.check == "matches" and isinstance(values, pd.Categorical):
                values = pd.Categorical(values.unique())
            self._write(label, values)
        size = self.lengths[label]
        if size:
            self.configs[size].extend(self._expected(rule, label))

    def add_judged(self) -> None:
        """Take in which rows the judge let out, the units and the keys."""
        evidence = self.evidence
        size = len(evidence.published)
        self._write("judged", evidence.judged().astype(np.int8))
        self.configs[size].append(
            expectations.config("column_distinct_values_to_be_in_set", ["judged"], column="judged", value_set=[1])
        )
        units = evidence.units()
        if units is not None:
            self._write("parameter_unit", units[0])
            self.configs[size].append(expectations.words_within(["unit"], "parameter_unit", units[1]))
        self._write("key", evidence.keys())
        unique = "column_unique_value_count_to_be_between"
        self.configs[size].append(expectations.config(unique, ["key"], column="key", min_value=size, max_value=size))

    def frames(self) -> Iterator[Shown]:
        """Give the frames, longest first."""
        for number, size in enumerate(sorted(self.files, reverse=True)):
            if self.configs[size]:
                yield Shown(f"columns-{number}", self.files[size], self.configs[size])

    def _label(self, rule: Rule) -> str:
        parts = [rule.column]
        if rule.check == "within_facts":
            parts.append("outside the plausible range")
        if rule.check == "not_above":
            parts.append(f"above {scaled(rule)}")
        parts += [f"where {name} in {'|'.join(words)}" for name, words in rule.where.items()]
        if rule.severity == "flag":
            parts.append("unflagged")
        if rule.code in self.evidence.verdict.exempt:
            parts.append(f"not waived {rule.code}")
        if rule.check in ("present", "matches"):
            parts.append(rule.check)
        return " ".join(parts)

    def _looked_at(self, rule: Rule) -> Values:
        """Give the values a rule looks at: in its scope, not waived, not missing, of a flagging rule the unflagged."""
        evidence = self.evidence
        if rule.on == "row" and not rule.where and not evidence.is_published(rule.column):
            return self._of_rows(rule)
        values = evidence.column(rule.on, rule.column)
        assert values is not None
        keep = _all_of(
            evidence.scope(rule),
            None if (waived := evidence.waived(rule)) is None else ~waived,
            evidence.unflagged if rule.severity == "flag" and not evidence.unflagged.all() else None,
        )
        if rule.check in ("within_facts", "not_above"):
            values = self._excess(rule, values)
        return _present_only(values if keep is None else values[keep], rule)

    def _of_rows(self, rule: Rule) -> Values:
        """Give the values of the file's rows of which something goes out."""
        evidence = self.evidence
        column = evidence.source("row", rule.column)
        assert column is not None
        used = np.zeros(len(column), dtype=bool)
        used[evidence.row[evidence.unflagged] if rule.severity == "flag" else evidence.row] = True
        if rule.code in evidence.verdict.exempt:
            used[evidence.verdict.exempt[rule.code]] = False
        values = _values(column)
        return _present_only(values if used.all() else values[used], rule)

    def _excess(self, rule: Rule, values: Values) -> np.ndarray:
        """Give how far each value lies outside its bounds; not above zero where it is fine."""
        assert isinstance(values, np.ndarray)
        if rule.check == "within_facts":
            low, high = self.evidence.bounds(rule)
            outside: np.ndarray = np.fmax(low - values, values - high)
            return outside
        other = self.evidence.column(rule.on, rule.arguments["other"])
        assert isinstance(other, np.ndarray)
        excess: np.ndarray = values - other * float(rule.arguments.get("factor", 1.0))
        return excess

    def _expected(self, rule: Rule, label: str) -> list[Config]:
        codes = [rule.code]
        match rule.check:
            case "one_of":
                return [expectations.words_within(codes, label, rule.arguments["values"])]
            case "none_of":
                return [
                    expectations.words_within(codes, label, set(self.words[label][1]) - set(rule.arguments["values"]))
                ]
            case "within":
                return expectations.extremes_within(codes, label, rule.arguments.get("low"), rule.arguments.get("high"))
            case "within_facts" | "not_above":
                return expectations.extremes_within(codes, label, None, 0)
            case "present":
                kind = "column_proportion_of_non_null_values_to_be_between"
                return [expectations.config(kind, codes, column=label, min_value=1)]
        bare = Rule(**{name: getattr(rule, name) for name in Rule.__slots__} | {"where": {}})
        return expectations.native(bare, {}, label)

    def _write(self, label: str, values: Values) -> None:
        self.lengths[label] = len(values)
        if isinstance(values, pd.Categorical):
            self.words[label] = (len(values), [str(word) for word in values.categories])
        if not len(values):
            return
        files = self.files.setdefault(len(values), [])
        self.configs.setdefault(len(values), [])
        path = self.scratch / f"columns-{len(self.lengths)}.arrow"
        _to_file(pa.table({label: _arrow(values)}), path)
        files.append(path)


def _all_of(*masks: np.ndarray | None) -> np.ndarray | None:
    found = [mask for mask in masks if mask is not None]
    if not found:
        return None
    together = found[0]
    for mask in found[1:]:
        together = together & mask
    return None if together.all() else together


def _present_only(values: Values, rule: Rule) -> Values:
    if rule.check == "present":
        missing = pd.isna(values)
        return coded(np.where(missing, -1, 0), ["there"])
    missing = values.codes < 0 if isinstance(values, pd.Categorical) else pd.isna(values)
    return values[~missing] if missing.any() else values


def _arrow(values: Values | Any) -> pa.Array:
    """Give values to Arrow as they are: numbers without nulls, texts as codes."""
    if isinstance(values, pd.Categorical):
        codes = values.codes
        missing = codes < 0
        words = pa.array([str(word) for word in values.categories], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing if missing.any() else None), words)
    return pa.array(_small(values), from_pandas=False)


def _small(values: np.ndarray) -> np.ndarray:
    """Give whole numbers in two bytes where they fit; the numbers stay the same."""
    if values.dtype != np.float64 or len(values) < 2**16:
        return values
    if not (values[: 2**12] == np.rint(values[: 2**12])).all() or np.abs(values).max() >= 2**15:
        return values
    whole = values.astype(np.int16)
    return whole if (whole == values).all() else values


def _write(scratch: Path, name: str, frame: pd.DataFrame) -> list[Path]:
    path = scratch / f"{name}.arrow"
    _to_file(pa.Table.from_pandas(frame, preserve_index=False), path)
    return [path]


def _to_file(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)

"""Rules on a batch → verdict.

Each rule becomes one bit of a mask per row or result; severities decide what is refused, flagged or noted. The judge
reads no clock and no disk: the time, the history and the waivers are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import pandas as pd

from pipelines.batch import FINDING_COLUMNS, HeaderColumn, StandardBatch, Verdict
from pipelines.frames import texts_at
from pipelines.validate import checks
from pipelines.validate.features import CST, NOT_A_TIME, RESULT_FEATURES, ROW_FEATURES, Measure
from schemas.loaders import parameters
from schemas.rules import SEVERITIES, Rule, all_rules, rules

FLAG_PASS, FLAG_NOT_EVALUATED, FLAG_SUSPECT = 1, 2, 3


class WaiverLike(Protocol):
    """One rule waived for one place and period."""

    @property
    def rule(self) -> str: ...  # noqa: D102
    @property
    def station(self) -> str: ...  # noqa: D102
    @property
    def since(self) -> datetime: ...  # noqa: D102
    @property
    def until(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True)
class Failures:
    """Where one rule fails: positions in the rows or in the results."""

    rule: Rule
    positions: np.ndarray


def evaluate(rule: Rule, measure: Measure) -> np.ndarray:
    """Give the positions (in rows or results) where a rule fails; none where the batch has no such column."""
    column = measure.column(rule.on, rule.column)
    if column is None or not len(column):
        return np.array([], dtype=np.int64)
    scope = in_scope(rule, measure)
    if scope is not None and not scope.any():
        return np.array([], dtype=np.int64)
    if rule.check == "within_facts":
        failing = ~_within_facts(column, rule, measure)
    elif rule.check == "not_above":
        other = measure.column(rule.on, rule.arguments["other"])
        assert other is not None
        failing = ~checks.CHECKS["not_above"](column, {**rule.arguments, "other_values": other.to_numpy()})
    else:
        failing = ~checks.CHECKS[rule.check](column, rule.arguments)
    if scope is not None:
        failing &= scope
    return np.flatnonzero(failing)


def in_scope(rule: Rule, measure: Measure) -> np.ndarray | None:
    """Tell where the rule's ``where`` holds; ``None`` for everywhere."""
    scope: np.ndarray | None = None
    for name, values in rule.where.items():
        column = measure.column(rule.on, name)
        if column is None:
            continue
        inside = checks.one_of(column, {"values": values})
        scope = inside if scope is None else scope & inside
    return scope


def _within_facts(column: pd.Series, rule: Rule, measure: Measure) -> np.ndarray:
    """Compare with the range that parameters.csv gives for each parameter."""
    names = list(measure.results["parameter"].cat.categories)
    known = parameters()
    bounds = []
    for side in ("low", "high"):
        attribute = rule.arguments[side]
        bounds.append(np.array([_bound(getattr(known.get(name), attribute, None)) for name in names]))
    value = column.to_numpy()
    with np.errstate(invalid="ignore"):
        return ~(value < bounds[0][measure.parameter]) & ~(value > bounds[1][measure.parameter])


def _bound(value: float | None) -> float:
    return float("nan") if value is None else value


def judge(
    batch: StandardBatch,
    now: datetime,
    *,
    waivers: Iterable[WaiverLike] = (),
    history: pd.DataFrame | None = None,
) -> Verdict:
    """Judge a batch under the rules of its table.

    Parameters
    ----------
    batch : StandardBatch
        Rows and results in the exchange's own words.
    now : datetime
        Aware; what is later is in the future.
    waivers : iterable
        Rules waived for a station and a period.
    history : DataFrame, optional
        Medians of published values: ``place_id, parameter, median``.

    Returns
    -------
    Verdict
        Published and quarantined results, findings and counts; ``results read = published + quarantined +
        repeated`` and ``rows read = clean + partial + refused + repeated``.
    """
    measure = Measure(batch, now, history)
    failures = []
    waived = 0
    exempt: dict[str, np.ndarray] = {}
    for rule in rules(batch.table.table):
        positions = evaluate(rule, measure)
        if len(positions):
            keep = _not_waived(rule, positions, measure, waivers)
            if len(keep) < len(positions):
                waived += len(positions) - len(keep)
                exempt[rule.code] = np.setdiff1d(positions, keep)
            if len(keep):
                failures.append(Failures(rule, keep))
    size, total = len(batch.rows), len(batch.results)
    row_of = measure.row_of
    row_refused = np.zeros(size, dtype=bool)
    row_flagged = np.zeros(size, dtype=bool)
    refused = np.zeros(total, dtype=bool)
    flagged = np.zeros(total, dtype=bool)
    batch_refused = False
    for failure in failures:
        on_row = failure.rule.on == "row"
        match failure.rule.severity:
            case "refuse_batch":
                batch_refused = True
            case "refuse_row":
                row_refused[failure.positions if on_row else row_of[failure.positions]] = True
            case "refuse_value":
                if on_row:
                    row_refused[failure.positions] = True
                else:
                    refused[failure.positions] = True
            case "flag":
                if on_row:
                    row_flagged[failure.positions] = True
                else:
                    flagged[failure.positions] = True
    refused |= row_refused[row_of]
    flagged |= row_flagged[row_of]
    repeats = measure.column("result", "repeat_status")
    repeated = (repeats == "repeated").to_numpy() & ~refused if repeats is not None else np.zeros(total, dtype=bool)
    if batch.layout.all_or_nothing and row_refused.any():
        batch_refused = True
    row_counts = _row_counts(size, row_of, row_refused, refused, repeated)
    findings = _findings(_told(failures, row_refused, refused), measure)
    if batch_refused or not (~refused & ~repeated).any():
        refused[:] = True
        repeated[:] = False
    published_mask = ~refused & ~repeated
    evaluated = _evaluated(measure)
    flag = np.where(flagged, FLAG_SUSPECT, np.where(evaluated, FLAG_PASS, FLAG_NOT_EVALUATED)).astype(np.int8)
    positions = np.flatnonzero(published_mask)
    result_counts = {
        "read": total,
        "published": len(positions),
        "quarantined": int(refused.sum()),
        "repeated": int(repeated.sum()),
        "missing": batch.missing,
        "censored": _censored(batch, published_mask),
        "flagged": int((flagged & published_mask).sum()),
    }
    state = "refused" if total and not len(positions) or batch_refused or not total else "accepted"
    if total and not len(positions) and result_counts["repeated"]:
        state = "accepted"
    quarantined = _quarantine(failures, measure, np.flatnonzero(refused), batch_refused)
    counts = (row_counts, result_counts, waived)
    return Verdict(state, batch, positions, flag[positions], quarantined, findings, *counts, measure, exempt)


def _told(failures: list[Failures], row_refused: np.ndarray, refused: np.ndarray) -> list[Failures]:
    """Leave out what would only be suspect where the row or value is refused anyway."""
    told = []
    for failure in failures:
        positions = failure.positions
        if not failure.rule.severity.startswith("refuse"):
            positions = positions[~(row_refused if failure.rule.on == "row" else refused)[positions]]
        if len(positions):
            told.append(Failures(failure.rule, positions))
    return told


def _censored(batch: StandardBatch, published: np.ndarray) -> int:
    if "qualifier" not in batch.results:
        return 0
    return int(((batch.results["qualifier"] == "<").to_numpy() & published).sum())


def _row_counts(
    size: int, row_of: np.ndarray, row_refused: np.ndarray, refused: np.ndarray, repeated: np.ndarray
) -> dict[str, int]:
    results = np.bincount(row_of, minlength=size)
    bad = np.bincount(row_of[refused], minlength=size)
    again = np.bincount(row_of[repeated], minlength=size)
    is_repeated = ~row_refused & (results > 0) & (again == results)
    partial = ~row_refused & ~is_repeated & (bad > 0)
    return {
        "read": size,
        "clean": int((~row_refused & ~is_repeated & ~partial).sum()),
        "partial": int(partial.sum()),
        "refused": int(row_refused.sum()),
        "repeated": int(is_repeated.sum()),
    }


def _evaluated(measure: Measure) -> np.ndarray:
    """Tell results a range rule could look at: not tested is not passed."""
    if "parameter" not in measure.results:
        return np.ones(len(measure.results), dtype=bool)
    known = parameters()
    has_range = np.array(
        [
            (p := known.get(name)) is not None and (p.plausible_min is not None or p.plausible_max is not None)
            for name in measure.results["parameter"].cat.categories
        ]
        or [False],
        dtype=bool,
    )
    return has_range[measure.parameter] & ~np.isnan(measure.value) if len(measure.results) else np.array([], dtype=bool)


def _not_waived(rule: Rule, positions: np.ndarray, measure: Measure, waivers: Iterable[WaiverLike]) -> np.ndarray:
    mine = [w for w in waivers if w.rule == rule.code]
    if not mine or "place_id" not in measure.rows:
        return positions
    rows = positions if rule.on == "row" else measure.row_of[positions]
    gone = np.zeros(len(positions), dtype=bool)
    place = texts_at(measure.rows["place_id"], rows)
    stamp = measure.stamp[rows]
    for waiver in mine:
        since, until = (int(t.timestamp() * 1_000_000) for t in (waiver.since, waiver.until))
        gone |= (place == waiver.station) & (stamp >= since) & (stamp <= until)
    return positions[~gone]


def _quarantine(failures: list[Failures], measure: Measure, positions: np.ndarray, whole: bool) -> pd.DataFrame:
    """Give the refused results with what was written and the codes of the rules that stopped them."""
    batch = measure.batch
    rows = measure.row_of[positions]
    codes = np.full(len(positions), "", dtype=object)
    at = np.full(len(batch.results), -1, dtype=np.int64)
    at[positions] = np.arange(len(positions))
    for failure in failures:
        if not failure.rule.severity.startswith("refuse"):
            continue
        if failure.rule.on == "row":
            hit = np.zeros(len(batch.rows), dtype=bool)
            hit[failure.positions] = True
            where = np.flatnonzero(hit[rows])
        else:
            where = at[failure.positions]
            where = where[where >= 0]
        codes[where] = codes[where] + ("|" + failure.rule.code)
    if whole:
        codes[codes == ""] = "|BATCH"
    frame = {
        "source_row": batch.rows["source_row"].to_numpy()[rows],
        "sheet": texts_at(batch.rows["sheet"], rows),
        "key": key_text(measure)(rows) if len(rows) else np.array([], dtype=object),
        "rules": pd.Series(codes).str.lstrip("|").to_numpy(),
    }
    if "column" in batch.results:
        letters = np.array([c.letter for c in batch.columns], dtype=object)
        headers = np.array([c.header for c in batch.columns], dtype=object)
        column = batch.results["column"].to_numpy()[positions]
        frame |= {"source_column": letters[column], "header": headers[column]}
        for name in ("parameter", "averaging_period", "value", "qualifier", "detection_limit", "unit", "result_text"):
            values = batch.results[name]
            text = isinstance(values.dtype, pd.CategoricalDtype)
            frame[name] = texts_at(values, positions) if text else values.to_numpy()[positions]
    return pd.DataFrame(frame)


def key_text(measure: Measure) -> Callable[[np.ndarray], np.ndarray]:
    """Give a function from row positions to the records' own keys, as a person would name them."""
    rows = measure.rows

    def of(positions: np.ndarray) -> np.ndarray:
        if "stamp" in rows:
            stamp = rows["stamp"].to_numpy()[positions]
            good = stamp != NOT_A_TIME
            text = np.full(len(positions), "", dtype=object)
            if good.any():
                local = np.datetime_as_string((stamp[good] + CST).astype("datetime64[us]"), unit="m")
                text[good] = [t + "+08:00" for t in local.tolist()]
            text = np.where(good, text, texts_at(rows["time_text"], positions))
            place = texts_at(rows["place_id"], positions)
            return np.array([f"{p} {t}".strip() for p, t in zip(place, text, strict=True)], dtype=object)
        names = [n for n in ("subject", "rated_year", "decision_number") if n in rows] or ["name_text"]
        parts = [texts_at(rows[n], positions) for n in names]
        return np.array([" ".join(p) for p in zip(*parts, strict=True)], dtype=object)

    return of


def _findings(failures: list[Failures], measure: Measure) -> pd.DataFrame:
    """Write every finding, most severe first."""
    if not failures:
        return pd.DataFrame({name: pd.Series([], dtype="object") for name in FINDING_COLUMNS})
    batch = measure.batch
    keys = key_text(measure)
    pieces = []
    for failure in sorted(failures, key=lambda f: SEVERITIES.index(f.rule.severity)):
        rule, positions = failure.rule, failure.positions
        rows = positions if rule.on == "row" else measure.row_of[positions]
        columns = _columns_of(rule, positions, measure)
        order = np.argsort(batch.rows["source_row"].to_numpy()[rows], kind="stable")
        positions, rows, columns = positions[order], rows[order], columns[order]
        letters = np.array([c.letter for c in batch.columns] + [None], dtype=object)
        headers = np.array([c.header for c in batch.columns] + [None], dtype=object)
        message_zh, message_en = _messages(rule, positions, measure)
        sheets = texts_at(batch.rows["sheet"], rows)
        pieces.append(
            pd.DataFrame(
                {
                    "rule": rule.code,
                    "severity": rule.severity,
                    "sheet": np.array([sheet or None for sheet in sheets.tolist()], dtype=object),
                    "row": batch.rows["source_row"].to_numpy()[rows],
                    "column": letters[columns],
                    "header": headers[columns],
                    "key": keys(rows),
                    "value": _shown(rule, positions, measure),
                    "expected": _expected(rule, positions, measure),
                    "message": message_zh,
                    "message_en": message_en,
                    "clause": rule.source,
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


_FIELD_OF = {
    "place_status": ("station_id", "section_id", "point_id", "station_name", "section_name"),
    "time_status": ("@time0",),
    "hours_ahead": ("@time0",),
    "local_year": ("@time0",),
    "minutes_past": ("@time0",),
    "place_text": ("station_id", "section_id", "point_id", "station_name", "section_name"),
    "time_text": ("@time0",),
    "depth_from_cm_text": ("depth_from_cm",),
    "depth_to_cm_text": ("depth_to_cm",),
    "name_text": ("enterprise_name", "party_name", "name"),
    "uscc_text": ("uscc", "employer_uscc"),
    "year_text": ("rated_year",),
    "published_text": ("published_date",),
    "valid_text": ("valid_until",),
    "number_text": ("decision_number",),
    "act_text": ("act_date",),
    "decision_text": ("decision_date",),
    "fine_text": ("fine_yuan",),
    "score_text": ("score",),
    "identity_text": ("identity_number",),
    "phone_text": ("phone",),
    "specialty_text": ("specialty",),
    "certificate_text": ("certificate_until",),
    "system_code": ("system_code",),
}


def _columns_of(rule: Rule, positions: np.ndarray, measure: Measure) -> np.ndarray:
    """Give the column (among those understood) that each finding points at; the last stands for none."""
    columns = measure.batch.columns
    if rule.on == "result" and "column" in measure.results:
        return measure.results["column"].to_numpy()[positions].astype(np.int64)
    if rule.column == "record_status" and rule.arguments.get("values") == ["broken"]:
        return np.full(len(positions), len(columns), dtype=np.int64)
    wanted = (*_FIELD_OF.get(rule.shown or rule.column, (rule.shown or rule.column,)), *_FIELD_OF.get(rule.column, ()))
    at = next((n for name in wanted for n, c in enumerate(columns) if _feeds(c, name)), len(columns))
    return np.full(len(positions), at, dtype=np.int64)


def _feeds(column: HeaderColumn, name: str) -> bool:
    return column.field == name


def _shown(rule: Rule, positions: np.ndarray, measure: Measure) -> np.ndarray:
    """Give the text as written that a finding shows."""
    if rule.on == "result" and "result_text" in measure.results and rule.shown in (None, "result_text"):
        return texts_at(measure.results["result_text"], positions)
    column = measure.column(rule.on, rule.shown or rule.column)
    if column is None:
        return np.full(len(positions), "", dtype=object)
    texts = texts_at(column, positions)
    if (rule.shown or rule.column) == "parameter":
        # an unknown name travels as ``?name``
        return np.array([text.removeprefix("?") for text in texts], dtype=object)
    if rule.shown == "unit_text":
        results = texts_at(measure.results["result_text"], positions)
        return np.array(
            [f"{r} {u}".strip() if r[-1:].isdigit() else r for r, u in zip(results, texts, strict=True)], dtype=object
        )
    return texts


def _expected(rule: Rule, positions: np.ndarray, measure: Measure) -> np.ndarray:
    if rule.check == "within_facts":
        known = parameters()
        words = []
        for name in measure.results["parameter"].cat.categories:
            p = known.get(name)
            words.append(
                f"{p.plausible_min:g}—{p.plausible_max:g} {p.unit}"
                if p and p.plausible_max is not None and p.plausible_min is not None
                else ""
            )
        return np.array(words, dtype=object)[measure.parameter[positions]]
    return np.full(len(positions), rule.expected_zh, dtype=object)


def _messages(rule: Rule, positions: np.ndarray, measure: Measure) -> tuple[np.ndarray, np.ndarray]:
    """Write the messages; a hint of the place, the unit or a proposal is added where there is one."""
    base_zh = rule.message_zh + (f"。{rule.hint_zh}" if rule.hint_zh else "")
    base_en = rule.message_en + (f". {rule.hint_en}" if rule.hint_en else "")
    zh = np.full(len(positions), base_zh, dtype=object)
    en = np.full(len(positions), base_en, dtype=object)
    if rule.on == "row" and rule.column in ("place_status", "record_status") and "place_hint" in measure.rows:
        hints = texts_at(measure.rows["place_hint"], positions)
        zh = np.array([f"{base_zh}。{hint}" if hint else base_zh for hint in hints], dtype=object)
    if rule.on == "result" and rule.column == "status" and "unreadable" in rule.arguments.get("values", ()):
        texts = texts_at(measure.results["result_text"], positions)
        zh = np.array([base_zh + _hint(text) for text in texts], dtype=object)
    return zh, en


def _hint(text: str) -> str:
    from schemas.layouts import habits

    found = [meaning for sign, meaning in habits().unreadable_hints.items() if sign in str(text).strip()]
    return "（" + "；".join(found) + "）" if found else ""


def check_rules() -> None:
    """Refuse rules whose check, column or arguments do not fit; called when the road is opened and in tests.

    Raises
    ------
    ValueError
        With the code of the rule.
    """
    for rule in all_rules():
        known = ROW_FEATURES if rule.on == "row" else RESULT_FEATURES
        if rule.check not in checks.CHECKS and rule.check != "within_facts":
            raise ValueError(f"{rule.code}: no such check {rule.check!r}")
        other = rule.arguments.get("other")
        if other is not None and other not in known and other not in RESULT_FEATURES:
            raise ValueError(f"{rule.code}: no such feature {other!r}")

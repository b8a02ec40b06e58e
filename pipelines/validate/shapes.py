"""What may go out, in the shape of the table contract (without record time)."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from pipelines.batch import StandardBatch, Verdict
from pipelines.frames import coded, constant, texts_at
from pipelines.validate.features import CST, DAY, HOUR, NOT_A_TIME
from schemas.loaders import Parameter, Table, parameters, stations, tables
from schemas.states import reference_states

PERIODS = {"1h": HOUR, "8h": 8 * HOUR, "24h": DAY}
_NUMBER = re.compile(r"^-?\d+(\.\d+)?$")
_PLACE = {"air": "station", "water": "section", "soil": "point"}


def publishable(verdict: Verdict, batch_id: str) -> pd.DataFrame:
    """Shape what may go out as rows of the shared table.

    Returns
    -------
    DataFrame
        Columns of the contract in order, but ``recorded_from`` and ``recorded_until``, which publication gives.
    """
    batch, positions, flag = verdict.batch, verdict.positions, verdict.flag
    make = _measured if batch.layout.medium else _registered
    made = make(batch, positions, flag)
    made["bureau"] = constant(batch.bureau, len(positions))
    made["batch_id"] = constant(batch_id, len(positions))
    frame = {}
    for column in batch.table.columns:
        if column.name in ("recorded_from", "recorded_until"):
            continue
        if column.name in made:
            frame[column.name] = made[column.name]
        elif column.type == "string":
            frame[column.name] = constant(str(batch.layout.fixed.get(column.name, "")), len(positions))
        else:
            frame[column.name] = np.full(len(positions), np.nan)
    return pd.DataFrame(frame)


def covers(verdict: Verdict) -> dict[str, list[int]]:
    """Say which days a batch speaks of: what the timetable of a source is held against.

    Returns
    -------
    dict of str to [int, int, int]
        Day of China Standard Time → results read, results that may go out, and a mask of the hours in which one of
        these begins (bit 0 is midnight). Empty for registers, whose rows have no sample time.
    """
    batch = verdict.batch
    if not batch.layout.medium:
        return {}
    start = period_start(batch, np.arange(len(batch.results)))
    out = np.zeros(len(start), dtype=bool)
    out[verdict.positions] = True
    dated = start != NOT_A_TIME
    hours, out = (start[dated] + CST) // HOUR, out[dated]
    found, place = np.unique(hours, return_inverse=True)
    read, published = np.bincount(place, minlength=len(found)), np.bincount(place, weights=out, minlength=len(found))
    told: dict[str, list[int]] = {}
    for hour, came, went in zip(found.tolist(), read.tolist(), published.astype(int).tolist(), strict=True):
        day = told.setdefault(str(np.datetime64(hour // 24, "D")), [0, 0, 0])
        day[0] += came
        day[1] += went
        day[2] |= (went > 0) << (hour % 24)
    return told


def _take(column: pd.Series, positions: np.ndarray) -> pd.Categorical | np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array.take(positions)  # type: ignore[return-value]
    return column.to_numpy()[positions]


def period_start(batch: StandardBatch, positions: np.ndarray) -> np.ndarray:
    """Begin of the period of each result, microseconds UTC: a stamp may mean the end."""
    stamp = batch.rows["stamp"].to_numpy()[batch.results["row"].to_numpy()[positions]]
    if batch.layout.time is None or batch.layout.time.stamp != "end":
        return stamp
    periods = batch.results["averaging_period"]
    shift = np.array([PERIODS.get(word, 0) for word in periods.cat.categories] or [0], dtype=np.int64)
    return np.where(stamp == NOT_A_TIME, stamp, stamp - shift[periods.cat.codes.to_numpy()[positions]])


def _month(local_days: np.ndarray) -> pd.Categorical:
    months = local_days.astype("datetime64[M]").astype(np.int64)
    first = int(months.min(initial=np.iinfo(np.int64).max)) if len(months) else 0
    size = int(months.max()) - first + 1 if len(months) else 0
    words = [str(np.datetime64(first + step, "M")) for step in range(size)]
    return coded((months - first).astype(np.int32), words)


def _measured(batch: StandardBatch, positions: np.ndarray, flag: np.ndarray) -> dict[str, object]:
    results, rows = batch.results, batch.rows
    at = results["row"].to_numpy()[positions]
    place = _PLACE[batch.dataset]
    start = period_start(batch, positions)
    local = (start + CST).astype("datetime64[us]")
    made: dict[str, object] = {
        f"{place}_id": _take(rows["place_id"], at),
        f"{place}_name": _take(rows["place_name"], at),
        "flag": flag,
        "source_row": rows["source_row"].to_numpy()[at],
        "source_column": _letters(batch, positions),
        "month": _month(local),
    }
    for name in (
        "parameter", "averaging_period", "value", "unit", "qualifier", "detection_limit", "result_text", "unit_text",
    ):  # fmt: skip
        made[name] = _take(results[name], positions)
    for name in ("remark", "land_use", "depth_from_cm", "depth_to_cm", "depth_m"):
        if name in rows:
            made[name] = _take(rows[name], at)
    if batch.dataset == "air":
        made["period_start"] = start.astype("datetime64[us]")
        made["reference_state"] = _reference_state(batch, positions, local)
    elif batch.dataset == "water":
        made["sample_time"] = start.astype("datetime64[us]")
    else:
        made["sample_date"] = local.astype("datetime64[D]").astype("datetime64[s]")
    return made


def _letters(batch: StandardBatch, positions: np.ndarray) -> pd.Categorical:
    letters = [column.letter for column in batch.columns]
    distinct = list(dict.fromkeys(letters))
    codes = np.array([distinct.index(letter) for letter in letters], dtype=np.int16)
    return coded(codes[batch.results["column"].to_numpy()[positions]], distinct)


def _phase(parameter: Parameter | None) -> str:
    if parameter is None or parameter.medium != "air" or not parameter.unit.endswith("/m3"):
        return ""
    gas = bool(parameter.state_factors) or parameter.molar_mass is not None or "O3" in parameter.parameter
    gas = gas or any(word in parameter.parameter for word in ("SO2", "NO2", "CO"))
    return "gas" if gas else "particle"


def _reference_state(batch: StandardBatch, positions: np.ndarray, local: np.ndarray) -> pd.Categorical:
    """To which state of the gas each value refers, by its phase and its day."""
    words = [""]
    codes = np.zeros(len(positions), dtype=np.int8)
    fixed = str(batch.layout.fixed.get("reference_state", ""))
    names = list(batch.results["parameter"].cat.categories)
    phases = np.array([{"": 0, "gas": 1, "particle": 2}[_phase(parameters().get(n))] for n in names] or [0])
    phase = phases[batch.results["parameter"].cat.codes.to_numpy()[positions]]
    day = local.astype("datetime64[D]")
    for state in reference_states():
        inside = phase == (1 if state.phase == "gas" else 2)
        if state.since:
            inside &= day >= np.datetime64(state.since)
        if state.until:
            inside &= day <= np.datetime64(state.until)
        if inside.any():
            word = fixed or state.state
            if word not in words:
                words.append(word)
            codes[inside] = words.index(word)
    return coded(codes, words)


def _dates(micros: np.ndarray) -> np.ndarray:
    """Instants of midnight in China to dates; missing stays missing."""
    days = np.full(len(micros), np.datetime64("NaT"), dtype="datetime64[s]")
    good = micros != NOT_A_TIME
    days[good] = (micros[good] + CST).astype("datetime64[us]").astype("datetime64[D]").astype("datetime64[s]")
    return days


def _registered(batch: StandardBatch, positions: np.ndarray, flag: np.ndarray) -> dict[str, object]:
    at = batch.results["row"].to_numpy()[positions]
    made: dict[str, object] = {"flag": flag}
    for column in batch.table.columns:
        name = column.name
        if name not in batch.rows:
            continue
        taken = _take(batch.rows[name], at)
        made[name] = _TO[column.type](np.asarray(taken)) if column.type in _TO else taken
    return made


_TO: dict[str, Callable[[np.ndarray], object]] = {
    "date": _dates,
    "int32": lambda values: values.astype(np.int32),
}


def side_tables(verdict: Verdict, batch_id: str) -> list[tuple[Table, pd.DataFrame]]:
    """Give what a batch says beside its own table: the places it names, the names its enterprises bear."""
    batch = verdict.batch
    if not len(verdict.positions):
        return []
    going = np.zeros(len(batch.rows), dtype=bool)
    going[batch.results["row"].to_numpy()[verdict.positions]] = True
    at = np.flatnonzero(going)
    if batch.layout.medium:
        return [(tables()["station"], _stations(batch, at, batch_id))]
    name = next((n for n in ("enterprise_name", "party_name") if n in batch.rows), None)
    if name is None:
        return []
    frame = pd.DataFrame(
        {
            "bureau": batch.bureau,
            "uscc": texts_at(batch.rows["uscc"], at),
            "enterprise_name": texts_at(batch.rows[name], at),
            "since": pd.array([None] * len(at), dtype="object"),
            "source": batch.layout.layout,
            "batch_id": batch_id,
            "source_row": batch.rows["source_row"].to_numpy()[at],
        }
    )
    frame = frame[frame["uscc"] != ""].drop_duplicates(["uscc", "enterprise_name"]).reset_index(drop=True)
    return [(tables()["enterprise_name"], frame)] if len(frame) else []


def _stations(batch: StandardBatch, at: np.ndarray, batch_id: str) -> pd.DataFrame:
    rows = batch.rows
    codes = rows["place_id"].cat.codes.to_numpy()[at]
    _, first = np.unique(codes, return_index=True)
    at = at[first]
    known = {s.station_id: s for s in stations(batch.bureau)}
    ids = texts_at(rows["place_id"], at)
    found = [known.get(name) for name in ids]

    def number(column: str) -> list[float | None]:
        if column in rows:
            texts = texts_at(rows[column], at)
            return [float(t) if _NUMBER.match(t) else None for t in texts]
        return [getattr(station, column) if station else None for station in found]

    return pd.DataFrame(
        {
            "bureau": batch.bureau,
            "station_id": ids,
            "medium": batch.layout.medium,
            "station_name": texts_at(rows["place_name"], at),
            "since": pd.array([s.since if s else None for s in found], dtype="object"),
            "longitude": pd.array(number("longitude"), dtype="Float64").to_numpy(dtype=float, na_value=np.nan),
            "latitude": pd.array(number("latitude"), dtype="Float64").to_numpy(dtype=float, na_value=np.nan),
            "area": texts_at(rows["area"], at),
            "batch_id": batch_id,
            "source_row": rows["source_row"].to_numpy()[at],
        }
    )

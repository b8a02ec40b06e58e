"""What is measured inside a process of its own: ``python -m benchmarks.tasks NAME ARGUMENT…`` prints one line of JSON.

``seconds`` there is the work alone, imports and preparation apart; whoever started the process times the whole.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Task = Callable[..., dict[str, Any]]


def floor(path: str, encoding: str, output: str, shape: str, stamp: str, *numbers: str) -> dict[str, Any]:
    """Read with pyarrow as text, give types, write Parquet: wide as it is, or long with one result per row."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import csv

    began = time.perf_counter()
    with open(path, encoding=encoding) as head:
        names = head.readline().strip().split(",")
    text = csv.read_csv(
        path,
        read_options=csv.ReadOptions(encoding=encoding),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    typed = {name: text[name] for name in names}
    typed[stamp] = pc.strptime(text[stamp], "%Y-%m-%d %H:%M", "us")
    for number in numbers:
        written = text[number]
        fine = pc.match_substring_regex(written, r"^-?[0-9]+(\.[0-9]+)?$")
        typed[number] = pc.if_else(fine, written, None).cast(pa.float64())
    table = pa.table(typed)
    if shape == "long":
        coded = pa.table({n: column_of(typed[n]) for n in names if n not in numbers})
        parts = []
        for number in numbers:
            word = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(table)), [number])
            part = coded.append_column("parameter", word).append_column("value", typed[number])
            parts.append(part.append_column("result_text", text[number]))
        table = pa.concat_tables(parts).unify_dictionaries()
    pq.write_table(table, output, compression="zstd", row_group_size=131_072)
    return {"seconds": time.perf_counter() - began, "rows": len(table)}


def column_of(column: Any) -> Any:
    """Give a text column each distinct text once."""
    return column.dictionary_encode() if str(column.type) == "string" else column


def frictionless(path: str, encoding: str, site: str) -> dict[str, Any]:
    """Validate the file by its schema, as the command ``frictionless validate`` does."""
    from frictionless import Dialect, Resource, Schema, system, validate
    from frictionless.formats import CsvControl

    from benchmarks.fields import fields, frictionless_schema

    schema = Schema.from_descriptor(frictionless_schema(fields(Path(site))))
    began = time.perf_counter()
    with system.use_context(trusted=True):
        resource = Resource(path=path, encoding=encoding, schema=schema, dialect=Dialect(controls=[CsvControl()]))
        report = validate(resource)
    told = report.tasks[0]
    return {
        "seconds": time.perf_counter() - began, "rows": told.stats.get("rows"), "findings": told.stats["errors"],
        "kinds": sorted({error.type for error in told.errors}),
    }  # fmt: skip


def gx(path: str, encoding: str, site: str) -> dict[str, Any]:
    """Validate the frame with native expectations, every failing row named."""
    import great_expectations as gx

    from benchmarks.fields import fields, frame, gx_expectations

    rules = fields(Path(site))
    rows = frame(Path(path), encoding, rules)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("frames").add_dataframe_asset("air")
    suite = gx.ExpectationSuite(name="fields", expectations=gx_expectations(rules))
    definition = batch.add_batch_definition_whole_dataframe("whole")
    run = gx.ValidationDefinition(name="fields", data=definition, suite=context.suites.add(suite))
    context.validation_definitions.add(run)
    began = time.perf_counter()
    told = run.run(batch_parameters={"dataframe": rows}, result_format={"result_format": "COMPLETE"})
    seconds = time.perf_counter() - began
    found = sum(result.result.get("unexpected_count", 0) for result in told.results)
    return {"seconds": seconds, "rows": len(rows), "findings": found, "rules": len(suite.expectations)}


def pandera(path: str, encoding: str, site: str) -> dict[str, Any]:
    """Validate the same frame with pandera, all failures gathered."""
    from pandera.errors import SchemaErrors

    from benchmarks.fields import fields, frame, pandera_schema

    rules = fields(Path(site))
    rows, schema = frame(Path(path), encoding, rules), pandera_schema(rules)
    found = 0
    began = time.perf_counter()
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as errors:
        found = len(errors.failure_cases)
    return {"seconds": time.perf_counter() - began, "rows": len(rows), "findings": found}


def judge(path: str, home: str) -> dict[str, Any]:
    """Read, standardise and judge the file, each step timed; the first judgement also compiles the rules."""
    from benchmarks.deliveries import BUREAU
    from pipelines.intake.recognise import recognise
    from pipelines.standardise import to_table
    from pipelines.sync import scratch_of
    from pipelines.validate.judge import judge as decide
    from schemas.layouts import layouts
    from schemas.loaders import bureaus
    from schemas.rules import rules

    with _road(Path(home), None) as road, scratch_of(road) as scratch:
        road.start(gate=False)
        bureau = bureaus(road.site)[BUREAU]
        time.sleep(3)  # the reading child is up, as it is in a worker: starts are measured elsewhere
        marks = [time.perf_counter()]
        raw = road.reader.read(Path(path), Path(path).name, scratch)
        marks.append(time.perf_counter())
        found, _ = recognise(raw, layouts(BUREAU, road.site), None)
        batch = to_table(found, raw, bureau, road.clock().date(), road.site)
        marks.append(time.perf_counter())
        verdict = decide(batch, road.clock(), waivers=[], history=None)
        marks.append(time.perf_counter())
    steps = [later - earlier for earlier, later in zip(marks, marks[1:], strict=False)]
    return {
        "seconds": steps[2], "read": steps[0], "standardise": steps[1], "rows": verdict.row_counts["read"],
        "results": verdict.result_counts["read"], "findings": len(verdict.findings),
        "rules": len(rules(batch.table.table)), "whole": sum(steps),
    }  # fmt: skip


def warm(home: str, pause: str, *paths: str) -> dict[str, Any]:
    """Submit files in a worker that stays: the first is cold, half of the others come after a pause, half at once."""
    from benchmarks.deliveries import BUREAU
    from pipelines.sync import submit
    from records.store import Records

    times, states = [], []
    with Records.open(f"sqlite:///{Path(home) / 'records.db'}") as records, _road(Path(home), records) as road:
        road.start(gate=True)
        for number, path in enumerate(paths):
            if 0 < number <= len(paths) // 2:
                time.sleep(float(pause))  # the worker waits for its next file, as it mostly does
            began = time.perf_counter()
            outcomes = list(submit(road, Path(path), BUREAU))
            times.append(time.perf_counter() - began)
            states += [outcome.state for outcome in outcomes]
    middle = len(paths) // 2 + 1
    return {"first": times[0], "paused": times[1:middle], "at_once": times[middle:], "states": states}


def base(home: str, stations: str, months: str) -> dict[str, Any]:
    """Publish a table of hourly results, a month a batch."""
    began, rows, told = time.perf_counter(), 0, []
    for month in range(int(months)):
        frame = _month(int(stations), month, f"base-{month:02d}")
        rows += len(frame)
        told.append(_publish(frame, home, f"base-{month:02d}", month))
    return {"seconds": time.perf_counter() - began, "rows": rows, "slowest": max(told)}


def merge(home: str, stations: str, months: str, revised: str, serial: str) -> dict[str, Any]:
    """Publish revised values of rows that are there, taken evenly from the given months."""
    import numpy as np
    import pandas as pd

    chosen = [int(month) for month in months.split(",")]
    each = int(revised) // len(chosen)
    name = f"revised-{serial}"
    parts = []
    for month in chosen:
        frame = _month(int(stations), month, name)
        at = np.sort(np.random.default_rng(int(serial)).choice(len(frame), each, replace=False))
        part = frame.iloc[at].copy()
        part["value"] = part["value"] + 1000 * int(serial)  # differs from all that went out before
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    for column in frame.columns:
        if frame[column].dtype == object or str(frame[column].dtype) == "str":
            frame[column] = frame[column].astype("category")
    made: dict[str, Any] = {}
    seconds = _publish(frame, home, name, 100 + int(serial), made)
    return {"seconds": seconds, "rows": len(frame), **made}


def lookup(home: str, station: str, month: str) -> dict[str, Any]:
    """Read one station's current rows of one month, with Polars and with DuckDB, on an opened version."""
    import duckdb
    import polars as pl
    from deltalake import DeltaTable

    address = Path(home) / "tables" / "air_observation"
    times: dict[str, list[float]] = {"polars": [], "duckdb": []}
    counts = set()
    for _ in range(5):
        began = time.perf_counter()
        rows = (
            pl.scan_delta(str(address))
            .filter((pl.col("month") == month) & (pl.col("station_id") == station) & pl.col("recorded_until").is_null())
            .collect()
        )
        times["polars"].append(time.perf_counter() - began)
        counts.add(len(rows))
        began = time.perf_counter()
        files = DeltaTable(str(address)).file_uris()
        with duckdb.connect() as connection:
            found = connection.sql(
                "select * from read_parquet(?, hive_partitioning = true, hive_types_autocast = false) "
                "where month = ? and station_id = ? and recorded_until is null",
                params=[files, month, station],
            ).to_arrow_table()
        times["duckdb"].append(time.perf_counter() - began)
        counts.add(len(found))
    return {"times": times, "counts": sorted(counts)}


def _road(home: Path, records: Any) -> Any:
    from pipelines.batch import Places
    from pipelines.sync import Road

    places = Places(home, f"sqlite:///{home / 'records.db'}", str(home / "tables"))
    return Road(places, lambda: datetime.now(UTC), records, submitted_by="benchmarks", warm=True)


def _publish(frame: Any, home: str, batch: str, number: int, told: dict[str, Any] | None = None) -> float:
    from pipelines.publish import publish_table
    from schemas.loaders import tables

    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    began = time.perf_counter()
    done = publish_table(
        frame,
        tables()["air_observation"],
        str(Path(home) / "tables"),
        batch_id=batch,
        recorded_at=at,
        lock_dir=Path(home) / "locks",
    )
    if told is not None:
        told |= {"corrected": done.change.corrected, "added": done.change.added}
    return time.perf_counter() - began


def _month(stations: int, month: int, batch: str) -> Any:
    """Make the judged frame of one month, in the shape of the contract."""
    import numpy as np
    import pandas as pd

    from benchmarks.deliveries import LEVELS, SEED, walks
    from schemas.loaders import parameters, tables

    first = np.datetime64("2025-01", "M") + month
    start = first.astype("datetime64[us]") - np.timedelta64(8, "h")
    hours = int((first + 1).astype("datetime64[h]").astype(int) - first.astype("datetime64[h]").astype(int))
    walked = walks(hours, SEED + month, stations)
    many, each = hours * stations, len(LEVELS)
    units = [parameters()[name].unit for name in LEVELS]
    codes = np.tile(np.arange(stations), hours * each)

    def coded(at: np.ndarray, words: list[str]) -> pd.Categorical:
        return pd.Categorical.from_codes(at, pd.Index(words, dtype="str"))

    kind = np.repeat(np.arange(each), many)
    unit_words = sorted(set(units))
    values = np.concatenate([walked[name].ravel() for name in LEVELS])
    texts, text_at = np.unique(values, return_inverse=True)
    names = [f"9{n:03d}A" for n in range(stations)]
    known: dict[str, Any] = {
        "station_id": coded(codes, names),
        "station_name": coded(codes, [f"测站{n}" for n in range(stations)]),
        "parameter": coded(kind, list(LEVELS)),
        "period_start": np.tile(np.repeat(start + np.arange(hours) * np.timedelta64(1, "h"), stations), each),
        "value": values,
        "unit": coded(np.array([unit_words.index(u) for u in units])[kind], unit_words),
        "flag": np.ones(many * each, dtype=np.int8),
        "result_text": coded(text_at, [f"{text:g}" for text in texts]),
        "source_row": np.tile(np.arange(many, dtype=np.int32) + 2, each),
        "source_column": coded(kind, list(LEVELS)),
    }
    fixed = {"bureau": "bench", "averaging_period": "1h", "stage": "received", "batch_id": batch, "month": str(first)}
    columns = {}
    for column in tables()["air_observation"].columns:
        if column.name in ("recorded_from", "recorded_until"):
            continue
        if column.name in known:
            columns[column.name] = known[column.name]
        elif column.type == "string":
            columns[column.name] = coded(np.zeros(many * each, dtype=np.int8), [fixed.get(column.name, "")])
        else:
            columns[column.name] = np.full(many * each, np.nan)
    return pd.DataFrame(columns)


TASKS: dict[str, Task] = {
    task.__name__: task for task in (floor, frictionless, gx, pandera, judge, warm, base, merge, lookup)
}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:]), ensure_ascii=False))

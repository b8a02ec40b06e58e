"""The files that are measured: invented air values of a bureau of our own with 120 stations, seeded.

Values walk from hour to hour as air does (a first-order autoregression of the logarithm), so that the checks on
series find little; one cell in 5,000 is ``35O`` and one in 5,000 is blank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter

from schemas.layouts import Layout, layouts

BUREAU = "bench"
STATIONS = 120
SEED = 20261101
FIRST = datetime(2025, 1, 1)
TROUBLE_EVERY = 5000
LEVELS = {"PM2.5": 35.0, "PM10": 60.0, "SO2": 9.0, "NO2": 28.0, "CO": 0.7, "O3": 80.0}
"""Levels the invented series walk around; nothing is judged by them."""
BUREAU_TOML = f"""name_zh = "基准测试局"
name_en = "bureau of the benchmarks"
division = "500109"
kind = "bureau"
source = "invented for the benchmarks"
schemes = ["CQ-2021"]
# {STATIONS} stations in stations.csv
"""


def template() -> Layout:
    """Give the exchange template for air."""
    return next(layout for layout in layouts() if layout.layout == "air_template")


def headers(layout: Layout) -> list[str]:
    """Give the headers of the template, in their order."""
    assert layout.time is not None
    first = [layout.columns["station_id"], layout.columns["station_name"], *layout.time.columns]
    return [*first, *(result.column for result in layout.results), layout.optional["remark"]]


def station_codes() -> list[str]:
    """Give the codes of the invented stations."""
    return [f"9{number:03d}A" for number in range(STATIONS)]


def make_bureau(site: Path) -> None:
    """Write the facts of the bureau into a home's folder of facts."""
    folder = site / BUREAU
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bureau.toml").write_text(BUREAU_TOML, "utf-8")
    lines = ["station_id,name_zh,medium,kind,longitude,latitude,since,until,aliases,note,source"]
    lines += [f"{code},测站{n},air,national,,,,,,,invented" for n, code in enumerate(station_codes())]
    (folder / "stations.csv").write_text("\n".join(lines) + "\n", "utf-8")


def walks(hours: int, seed: int, stations: int = STATIONS) -> dict[str, np.ndarray]:
    """Walk every parameter at every station.

    Returns
    -------
    dict of str to ndarray, shape (hours, stations)
        Rounded as the template writes them: whole numbers, CO with one decimal.
    """
    random = np.random.default_rng(seed)
    made = {}
    for parameter, level in LEVELS.items():
        state = random.normal(0, 0.4, stations)
        steps = np.empty((hours, stations))
        for hour in range(hours):
            state = 0.92 * state + random.normal(0, 0.16, stations)
            steps[hour] = state
        made[parameter] = level * np.exp(steps)
    made["PM10"] = np.maximum(made["PM10"], made["PM2.5"] * 1.1 + 1)
    return {name: np.round(values, 1) if name == "CO" else np.round(values) for name, values in made.items()}


@dataclass
class Deliveries:
    """Makes each file once, when it is asked for."""

    folder: Path
    made: dict[str, Path] = field(default_factory=dict)

    def csv(self, rows: int, encoding: str, part: int = 0) -> Path:
        """Give a CSV file; ``part`` moves it on in time, so that its bytes and keys are new."""
        path = self.folder / f"air_{rows}_{encoding}_{part}.csv"
        if path.name not in self.made:
            with open(path, "w", encoding=encoding, newline="") as out:
                out.write(",".join(headers(template())) + "\r\n")
                lines: list[str] = []
                for stamp, *cells in self._rows(rows, part):
                    lines.append(f"{cells[0]},{cells[1]},{stamp:%Y-%m-%d %H:%M},{','.join(map(str, cells[2:]))},\r\n")
                    if len(lines) == 50_000:
                        out.write("".join(lines))
                        lines.clear()
                out.write("".join(lines))
            self.made[path.name] = path
        return path

    def xlsx(self, rows: int) -> Path:
        """Give a workbook with number and date cells."""
        path = self.folder / f"air_{rows}.xlsx"
        if path.name not in self.made:
            book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
            sheet = book.add_worksheet("小时值")
            dates = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
            for column, header in enumerate(headers(template())):
                sheet.write_string(0, column, header)
            for row, (stamp, code, name, *values) in enumerate(self._rows(rows, 0), start=1):
                sheet.write_string(row, 0, code)
                sheet.write_string(row, 1, name)
                sheet.write_datetime(row, 2, stamp, dates)
                for column, value in enumerate(values, start=3):
                    if isinstance(value, str):
                        sheet.write_string(row, column, value)
                    else:
                        sheet.write_number(row, column, value)
            book.close()
            self.made[path.name] = path
        return path

    def _rows(self, rows: int, part: int) -> Iterator[list[Any]]:
        codes = station_codes()
        hours = -(-rows // STATIONS)
        walked = walks(hours, SEED + part)
        columns = [
            (walked[name] if name == "CO" else walked[name].astype(int)).tolist() for name in LEVELS
        ]  # floats and whole numbers as they are written
        first = FIRST + timedelta(hours=part * hours)
        number = 0
        for hour in range(hours):
            stamp = first + timedelta(hours=hour)
            for station, code in enumerate(codes):
                if number == rows:
                    return
                cells: list[Any] = [column[hour][station] for column in columns]
                if number % TROUBLE_EVERY == 4990:
                    cells[0] = "35O"
                if number % TROUBLE_EVERY == 2990:
                    cells[5] = ""
                number += 1
                yield [stamp, code, f"测站{station}", *cells]


def national_day(path: Path, layout: Layout, stations: int = 1700) -> int:
    """Write one day of a national feed, all stations and hours, with the headers of its layout; give its rows."""
    assert layout.time is not None
    names = list(layout.columns.values())
    columns = [*names, *layout.time.columns, *(result.column for result in layout.results)]
    walked = walks(24, SEED, stations)
    whole = {name: values.astype(int) if name != "CO" else values for name, values in walked.items()}
    of_header = {result.column: result.parameter.removeprefix("pub:").split("_")[0] for result in layout.results}
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write(",".join(columns) + "\n")
        for hour in range(24):
            for station in range(stations):
                known = {
                    layout.columns["station_id"]: f"{7000 + station}A", layout.columns["station_name"]: f"测站{station}",
                    layout.time.columns[0]: f"2022-08-20T{hour:02d}:00:00",
                }  # fmt: skip
                for header, name in of_header.items():
                    known[header] = str(whole[name if name in whole else "PM10"][hour, station])
                out.write(",".join(known.get(column, "") for column in columns) + "\n")
    return 24 * stations

"""Small factories: a table written as text, standardised and judged, without a file system in between."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.batch import CellMark, RawBatch, ReadLimits, StandardBatch, Verdict
from pipelines.intake import kinds
from pipelines.intake.recognise import recognise
from pipelines.standardise import to_table
from pipelines.validate.judge import judge
from schemas.files import SCHEMAS
from schemas.layouts import layouts
from schemas.loaders import bureaus

NOW = datetime(2026, 4, 10, tzinfo=UTC)
"""The time of receipt in these tests: 2026-04-10 08:00 in China."""

LONG = """
title = "{dataset} long"
dataset = "{dataset}"
table = "{table}"
source = "a test"
recognise = ["{dataset}", "时间", "因子", "数值", "单位"]
missing = ["", "/"]
[reader]
kinds = ["csv"]
[time]
column = "时间"
formats = ["%Y-%m-%d %H:%M"]
stamp = "begin"
period = "{period}"
[fixed]
stage = "received"
{fixed}
[columns]
{place} = "{dataset}"
[long]
parameter = "因子"
value = "数值"
unit = "单位"
mark = "标记"
coding = "name"
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts of a home: Beibei with a section and a point it has given up, and formats with a result per row."""
    folder = tmp_path_factory.mktemp("site")
    for bureau in ("beibei", "mianyang"):
        shutil.copytree(SCHEMAS / "bureaus" / bureau, folder / bureau)
    with (folder / "beibei/stations.csv").open("a", encoding="utf-8") as stream:
        for code, name, medium, kind in (
            ("BBW09", "旧断面", "water", "section"),
            ("BBS09", "旧点位", "soil", "soil-point"),
        ):
            stream.write(f"{code},{name},{medium},{kind},,,,2025-12-31,,given up,a test\n")
    for dataset, table, place, period, fixed in (
        ("air", "air_observation", "station_id", "1h", 'reference_state = "298.15K"'),
        ("water", "water_result", "section_id", "", 'kind = "manual"'),
        ("soil", "soil_result", "point_id", "", "depth_from_cm = 0\ndepth_to_cm = 20"),
    ):
        text = LONG.format(dataset=dataset, table=table, place=place, period=period, fixed=fixed)
        (folder / "beibei" / f"{dataset}_rows.toml").write_text(text, encoding="utf-8")
    return folder


def table_text(rows: Sequence[dict[str, str]]) -> str:
    """Write rows as CSV; the header holds every key once, in the order met."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., RawBatch]:
    """Read a text as an upload of some name; marks are (row, column from 0, kind, text)."""

    def read(text: str, name: str = "upload.csv", marks: Sequence[tuple[int, int, str, str]] = ()) -> RawBatch:
        path = tmp_path / "upload"
        path.write_text(text, encoding="utf-8", newline="")
        raw = kinds.read(path, name, tmp_path, ReadLimits())
        if not marks:
            return raw
        sheet = dataclasses.replace(raw.sheets[0], marks=tuple(CellMark(*mark) for mark in marks))
        return dataclasses.replace(raw, sheets=(sheet, *raw.sheets[1:]))

    return read


@pytest.fixture
def standard(read_text: Callable[..., RawBatch], site: Path) -> Callable[..., StandardBatch]:
    """Standardise rows (or a text) as a bureau's upload."""

    def make(
        rows: Sequence[dict[str, str]] | str,
        bureau: str = "beibei",
        *,
        name: str = "upload.csv",
        dataset: str | None = None,
        marks: Sequence[tuple[int, int, str, str]] = (),
    ) -> StandardBatch:
        raw = read_text(rows if isinstance(rows, str) else table_text(rows), name, marks)
        found, _ = recognise(raw, layouts(bureau, site), dataset)
        return to_table(found, raw, bureaus(site)[bureau], NOW.date(), site)

    return make


@pytest.fixture
def judged(standard: Callable[..., StandardBatch]) -> Callable[..., Verdict]:
    """Judge rows (or a text) as a bureau's upload, on 2026-04-10."""

    def make(rows: Sequence[dict[str, str]] | str, bureau: str = "beibei", **more: object) -> Verdict:
        told = {key: more.pop(key) for key in ("history", "waivers") if key in more}
        return judge(standard(rows, bureau, **more), NOW, **told)

    return make

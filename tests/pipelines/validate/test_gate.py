"""The gate lets through what the judge rightly let out, and stops what nobody may publish."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.batch import ReadLimits, Verdict
from pipelines.errors import GateRefused, PublishError
from pipelines.intake.read import Reader
from pipelines.intake.recognise import recognise
from pipelines.standardise import to_table
from pipelines.validate.gate import Gate, build_data_docs
from pipelines.validate.judge import judge
from pipelines.validate.shapes import publishable
from schemas.layouts import layouts
from schemas.loaders import bureaus

NOW = datetime(2026, 4, 13, tzinfo=UTC)
HEADER = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注"
SIZES = pytest.mark.parametrize("gate", ["native", "reduced"], indirect=True)


def delivery(hours: int = 48) -> str:
    """Two stations, with an unknown station, a value that is no number, one flagged and one repeated row."""
    lines = [HEADER]
    for number, (code, name) in enumerate([("1878A", "富乐山"), ("1879A", "市人大")]):
        for hour in range(hours):
            day, of_day = divmod(hour, 24)
            base = 10 + (hour * 7 + number * 3) % 23
            lines.append(
                f"{code},{name},2026-04-{6 + day:02d} {of_day:02d}:00,{base},{base + 12},{base / 4:.0f},"
                f"{base + 3},{0.3 + base / 100:.2f},{base * 2},"
            )
    lines.append("9999Z,无此站,2026-04-06 00:00,10,20,3,4,0.5,60,")
    lines[5] = lines[5].replace(lines[5].split(",")[3], "35O", 1)
    lines[8] = ",".join([*lines[8].split(",")[:3], "90", "40", *lines[8].split(",")[5:]])
    lines.append(lines[10])
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """The judge's verdict on the delivery, by the road itself."""
    folder = tmp_path_factory.mktemp("gate")
    path = folder / "air.csv"
    path.write_text(delivery(), encoding="gb18030")
    reader = Reader(ReadLimits())
    try:
        raw = reader.read(path, path.name, folder / "scratch")
    finally:
        reader.close()
    bureau = bureaus()["mianyang"]
    found, _ = recognise(raw, layouts("mianyang"))
    return judge(to_table(found, raw, bureau, NOW.date()), NOW)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One warm gate for all: its import takes seconds."""
    with Gate(tmp_path_factory.mktemp("docs"), keep_warm=True, seconds=60) as gate:
        gate.start()
        yield gate


@pytest.fixture
def gate(request: pytest.FixtureRequest, process: Gate) -> Gate:
    """The gate, speaking of rows or of reduced frames."""
    process.native_rows = 100_000 if request.param == "native" else 10
    return process


def replaced(frame: pd.DataFrame, column: str, at: int, value: object) -> pd.DataFrame:
    """A copy with one value changed, whatever the type of its column."""
    values = frame[column].astype("object") if frame[column].dtype == "category" else frame[column].copy()
    values.iloc[at] = value
    return frame.assign(**{column: values.astype("category") if frame[column].dtype == "category" else values})


@SIZES
def test_what_the_judge_let_out_passes(gate: Gate, verdict: Verdict, tmp_path: Path) -> None:
    assert verdict.result_counts["flagged"] >= 1
    assert verdict.result_counts["quarantined"] >= 7
    assert verdict.result_counts["repeated"] == 6
    result = gate.run(verdict, "b-1", NOW, tmp_path)
    assert result.ok
    assert result.failed == ()
    assert result.expectations >= 25
    assert list(tmp_path.iterdir()) == []


@SIZES
def test_a_result_the_judge_refused_does_not_pass(gate: Gate, verdict: Verdict, tmp_path: Path) -> None:
    status = verdict.batch.results["status"]
    bad = int(np.flatnonzero((status == "unreadable").to_numpy())[0])
    slipped = dataclasses.replace(
        verdict,
        positions=np.append(verdict.positions, bad),
        flag=np.append(verdict.flag, np.int8(1)),
        result_counts={**verdict.result_counts, "published": len(verdict.positions) + 1},
    )
    with pytest.raises(GateRefused, match="AIR-016"):
        gate.run(slipped, "b-2", NOW, tmp_path)


@SIZES
def test_a_row_of_an_unknown_station_does_not_pass(gate: Gate, verdict: Verdict, tmp_path: Path) -> None:
    refused = np.flatnonzero((verdict.batch.rows["place_status"] == "unknown").to_numpy())
    bad = np.flatnonzero(np.isin(verdict.batch.results["row"].to_numpy(), refused))
    slipped = dataclasses.replace(
        verdict,
        positions=np.append(verdict.positions, bad),
        flag=np.append(verdict.flag, np.ones(len(bad), np.int8)),
        result_counts={**verdict.result_counts, "published": len(verdict.positions) + len(bad)},
    )
    assert "AIR-004" in gate.weigh(slipped, "b-3", NOW, tmp_path).failed


Tamper = Callable[[pd.DataFrame], pd.DataFrame]
TAMPERED: dict[str, tuple[Tamper, str]] = {
    "a negative concentration": (lambda f: replaced(f, "value", 3, -50.0), "AIR-037"),
    "a suspect value without its flag": (lambda f: f.assign(flag=np.ones(len(f), np.int8)), "AIR-040"),
    "a value nobody judged": (lambda f: replaced(f, "value", 3, f["value"].iloc[3] + 1), "judged"),
    "a missing row": (lambda f: f.iloc[:-1], "row-count"),
    "a duplicate key": (lambda f: pd.concat([f.iloc[:-1], f.iloc[[0]]]), "key"),
    "one row more": (lambda f: pd.concat([f, f.iloc[[0]]]), "row-count"),
    "an unknown unit": (lambda f: replaced(f, "unit", 2, "furlong"), "unit"),
    "the unit of another parameter": (lambda f: replaced(f, "unit", 2, "mg/m3"), "unit"),
    "a flag that is never published": (lambda f: replaced(f, "flag", 2, 4), "flag"),
    "a missing parameter": (lambda f: replaced(f, "parameter", 2, None), "not-null:parameter"),
    "a missing station name": (lambda f: replaced(f, "station_name", 2, None), "not-null:station_name"),
    "a missing time": (lambda f: replaced(f, "period_start", 2, pd.NaT), "not-null:period_start"),
    "a column too few": (lambda f: f.drop(columns="remark"), "columns"),
    "a column too many": (lambda f: f.assign(note="x"), "columns"),
    "columns in another order": (lambda f: f[[*f.columns[1:], f.columns[0]]], "columns"),
}


@SIZES
@pytest.mark.parametrize("what", TAMPERED)
def test_a_frame_that_was_tampered_with_does_not_pass(what: str, gate: Gate, verdict: Verdict, tmp_path: Path) -> None:
    tamper, code = TAMPERED[what]
    frame = tamper(publishable(verdict, "b-4"))
    result = gate.weigh(verdict, "b-4", NOW, tmp_path, frame)
    assert not result.ok
    assert code in result.failed


@SIZES
def test_a_waived_rule_does_not_stop_the_results_it_was_waived_for(
    gate: Gate, verdict: Verdict, tmp_path: Path
) -> None:
    @dataclasses.dataclass(frozen=True)
    class Waived:
        rule: str = "AIR-040"
        station: str = "1878A"
        since: datetime = datetime(2026, 4, 1, tzinfo=UTC)
        until: datetime = datetime(2026, 5, 1, tzinfo=UTC)

    waived = judge(verdict.batch, NOW, waivers=[Waived()])
    assert waived.waived == 1
    assert waived.result_counts["flagged"] == verdict.result_counts["flagged"] - 1
    assert gate.run(waived, "b-5", NOW, tmp_path).ok
    forgotten = dataclasses.replace(waived, exempt={})
    assert "AIR-040" in gate.weigh(forgotten, "b-5", NOW, tmp_path).failed


def test_the_result_of_each_run_is_kept_and_shown_in_the_data_docs(verdict: Verdict, tmp_path: Path) -> None:
    with Gate(tmp_path / "docs") as gate:
        gate.run(verdict, "b-6", NOW, tmp_path)
        gate.run(verdict, "b-7", datetime(2026, 1, 2, tzinfo=UTC), tmp_path)
    kept = json.loads((tmp_path / "docs/runs/2026-04-13/b-6.json").read_text(encoding="utf-8"))
    assert kept["batch"] == "b-6"
    assert all(one["success"] for one in kept["results"].values())
    assert build_data_docs(tmp_path / "docs", NOW, days=31) == 1
    pages = {path.name: path for path in (tmp_path / "docs/site").rglob("*.html")}
    assert "index.html" in pages
    assert "b-6" in pages["index.html"].read_text(encoding="utf-8")
    assert not (tmp_path / "docs/runs/2026-01-02/b-7.json").exists()


def test_a_process_that_died_can_be_tried_again(verdict: Verdict, tmp_path: Path) -> None:
    with Gate(tmp_path / "docs") as gate:
        gate.start()
        assert gate._child is not None
        gate._child.kill()
        gate._child.wait()
        assert gate.run(verdict, "b-8", NOW, tmp_path).ok
    with Gate(tmp_path / "docs", python="/bin/true") as gate, pytest.raises(PublishError) as caught:
        gate.run(verdict, "b-9", NOW, tmp_path)
    assert caught.value.code == "gate-died"


def test_a_gate_that_takes_too_long_is_ended(verdict: Verdict, tmp_path: Path) -> None:
    with Gate(tmp_path / "docs", seconds=0.05) as gate:
        with pytest.raises(PublishError) as caught:
            gate.run(verdict, "b-10", NOW, tmp_path)
        assert gate._child is None
    assert caught.value.code == "gate-time"


def test_great_expectations_is_not_imported_on_this_side_of_the_pipe() -> None:
    words = "import sys, pipelines.validate.gate; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False, timeout=60).returncode == 0

"""Measure the road and print one table; figures are shown, never enforced: ``make bench``.

The table goes to stdout as Markdown, words about the progress to stderr, everything to ``bench-out/results.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from benchmarks import cases, credit_desk, experts, lookups, nights, portal, screenings
from benchmarks.cases import NOT_QUICK, Bench, ratios
from benchmarks.measure import ROOT, Figure

CASES = cases.CASES | nights.CASES | lookups.CASES | screenings.CASES | credit_desk.CASES | experts.CASES | portal.CASES
RATIOS = cases.RATIOS + nights.RATIOS
OUTPUT = ROOT / "bench-out"
PACKAGES = (
    "gongzhi", "pandas", "numpy", "pyarrow", "great-expectations", "deltalake", "duckdb", "polars", "python-calamine",
    "SQLAlchemy", "frictionless", "pandera", "tantivy", "rapidfuzz",
)  # fmt: skip


def main() -> None:
    """Run the cases that were asked for."""
    words = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    words.add_argument("--quick", action="store_true", help="one run each, no million rows: does it all still work")
    words.add_argument("--case", action="append", choices=list(CASES), help="only this case (may be repeated)")
    words.add_argument("--folder", type=Path, help="work here and keep the files (default: a temporary folder)")
    asked = words.parse_args()
    chosen = asked.case or [name for name in CASES if not (asked.quick and name in NOT_QUICK)]
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="gongzhi-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder.resolve(), *((1, 1) if asked.quick else (3, 2)), quick=asked.quick)
    surroundings = machine()
    try:
        for name in chosen:
            for figure in _figures(bench, name):
                bench.found[figure.name] = figure
                print(f"{name}: {_plain(figure)}", file=sys.stderr, flush=True)
                write(surroundings, bench.found)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    for figure in ratios(bench.found, RATIOS):
        bench.found[figure.name] = figure
    write(surroundings, bench.found)
    for line in table(surroundings, bench.found):
        print(line)


def _figures(bench: Bench, name: str) -> Iterator[Figure]:
    """Run one case; one that breaks is a line of the table, and the others go on."""
    try:
        yield from CASES[name](bench)
    except Exception as error:
        yield Figure(f"case {name}", trouble=f"{type(error).__name__}: {error}"[:300])


def machine() -> dict[str, Any]:
    """Say what this was measured on, and with which versions."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "-"
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_at_start": os.getloadavg()[0],
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")


def targets() -> dict[str, dict[str, Any]]:
    """Read the figures to reach."""
    return tomllib.loads((ROOT / "benchmarks" / "targets.toml").read_text("utf-8"))


def compared(figure: Figure, target: dict[str, Any]) -> tuple[str, bool | None]:
    """Say what is to be reached, and whether it is."""
    if not target:
        return "", None
    rate = figure.rows_per_second
    asks = {
        "seconds_max": (f"≤ {target.get('seconds_max')} s", bool(figure.seconds) and figure.median, False),
        "rows_per_second_min": (f"≥ {target.get('rows_per_second_min', 0):,} rows/s", rate, True),
        "peak_gb_max": (f"≤ {target.get('peak_gb_max')} GB", figure.peak / 1e9, False),
        "ratio_min": (f"≥ {target.get('ratio_min')} ×", figure.ratio, True),
        "ratio_max": (f"≤ {target.get('ratio_max')} ×", figure.ratio, False),
    }
    said, fine = [], not figure.trouble
    for name, (text, value, more) in asks.items():
        if name in target:
            said.append(text)
            fine = fine and bool(value) and (value >= target[name] if more else value <= target[name])
    return ", ".join(said), fine


def table(surroundings: dict[str, Any], found: dict[str, Figure]) -> Iterator[str]:
    """Lay the figures out as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in surroundings["versions"].items())
    yield f"{surroundings['at']} · {surroundings['cores']} cores, {surroundings['processor']}, "
    yield f"{surroundings['memory_gb']} GB, {surroundings['system']}, load {surroundings['load_at_start']:.1f}"
    yield ""
    yield versions
    yield ""
    yield "| what | seconds (median of n) | processor s | rows/s | peak MB (private) | load | to reach | | notes |"
    yield "|---|---|---|---|---|---|---|---|---|"
    wanted = targets()
    for figure in found.values():
        to_reach, fine = compared(figure, wanted.get(figure.name, {}))
        mark = {None: "", True: "reached", False: "NOT REACHED"}[fine]
        note = f"FAILED {figure.trouble}" if figure.trouble else figure.note
        cells = [
            figure.name,
            _seconds(figure),
            _cpu(figure),
            _rate(figure),
            _peak(figure),
            _load(figure),
            to_reach,
            mark,
            note.replace("|", "/"),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Seconds are of the whole process, start included; *in* marks times taken inside a running one. Processor: of"
    yield "the whole tree. Peak: summed resident sets of the process and all its children (shared pages count in each;"
    yield "private leaves them out). Load: of the machine when the case began."


def _seconds(figure: Figure) -> str:
    if figure.ratio is not None:
        return f"{figure.ratio:.1f} ×"
    if figure.trouble or not figure.seconds:
        return "-"
    mark = ", *in*" if figure.inside else ""
    return f"{figure.median:.{3 if figure.median < 1 else 2}f} ({len(figure.seconds)}{mark})"


def _cpu(figure: Figure) -> str:
    return f"{statistics.median(figure.cpu):.2f}" if figure.cpu else ""


def _rate(figure: Figure) -> str:
    return f"{figure.rows_per_second:,.0f}" if figure.rows_per_second and not figure.trouble else ""


def _peak(figure: Figure) -> str:
    return f"{figure.peak / 1e6:,.0f} ({figure.private / 1e6:,.0f})" if figure.peak else ""


def _load(figure: Figure) -> str:
    return f"{figure.load:.1f}" if figure.peak else ""


def _plain(figure: Figure) -> str:
    parts = [figure.name, _seconds(figure), _rate(figure), _peak(figure), figure.note, figure.trouble]
    return " · ".join(part for part in parts if part)


def write(surroundings: dict[str, Any], found: dict[str, Figure]) -> None:
    """Keep what was found so far."""
    OUTPUT.mkdir(exist_ok=True)
    wanted = targets()
    lines = []
    for figure in found.values():
        to_reach, fine = compared(figure, wanted.get(figure.name, {}))
        lines.append({**figure.as_json(), "to_reach": to_reach or None, "reached": fine})
    made = {"machine": surroundings, "figures": lines}
    (OUTPUT / "results.json").write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

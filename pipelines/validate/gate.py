"""The gate: Great Expectations looks at exactly what is about to be published and must agree with the judge.

The one door to Great Expectations. Its import takes seconds and 150 MB, so it happens only in a process of its own
(``gate_process``), which a ``Gate`` starts while the file is still being read, and which serves many runs. What is
shown to it and expected of it is made in ``gate_frames`` and ``expectations`` from the same facts that the judge reads.
If the gate refuses, the judge is wrong: nothing of the batch goes out and somebody must be told.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

import pipelines
from pipelines.batch import Verdict
from pipelines.errors import GateRefused, PublishError
from pipelines.validate import expectations, gate_frames
from pipelines.validate.expectations import HIGH, LOW, Config, scaled
from pipelines.validate.shapes import publishable
from schemas.loaders import parameters
from schemas.rules import Rule

NATIVE_ROWS = 100_000
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 20}


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate said; ``failed`` holds codes of rules, or clauses of the contract (``key``, ``row-count`` …)."""

    ok: bool
    expectations: int
    failed: tuple[str, ...]
    seconds: float


class Gate:
    """The gate's process, from this side of the pipe.

    Parameters
    ----------
    places_docs : Path
        Where the results of each run are kept, for the Data Docs.
    keep_warm : bool
        Where the process had to be ended, start the next at once, so that the next run need not wait for its import.
    native_rows : int
        Up to how many published results the expectations speak of rows.
    seconds : float
        How long one run may take.
    """

    def __init__(
        self,
        places_docs: Path,
        keep_warm: bool = False,
        *,
        native_rows: int = NATIVE_ROWS,
        seconds: float = 300.0,
        python: str = sys.executable,
    ) -> None:
        self.places_docs = places_docs
        self.keep_warm = keep_warm
        self.native_rows = native_rows
        self.seconds = seconds
        self.python = python
        self._child: subprocess.Popen[bytes] | None = None
        self._home: str | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, whose import goes on beside what the caller does next."""
        with self._lock:
            self._started()

    def weigh(
        self,
        verdict: Verdict,
        batch_id: str,
        now: datetime,
        scratch: Path,
        published: pd.DataFrame | None = None,
    ) -> GateResult:
        """Show what is about to be published and give the result, whatever it is; see ``run``."""
        began = time.perf_counter()
        at = now.astimezone(UTC)
        frame = publishable(verdict, batch_id) if published is None else published
        folder = scratch / f"gate-{batch_id}"
        keep = self.places_docs / "runs" / at.date().isoformat() / f"{batch_id}.json"
        try:
            with self._run():
                table = verdict.batch.table.table
                self._send({"do": "open", "batch": batch_id, "at": at.isoformat(), "table": table})
                for shown in gate_frames.show(verdict, frame, folder, self.native_rows):
                    self._send({"do": "frame", "name": shown.name, "plan": str(shown.save(folder))})
                self._send({"do": "close", "keep": str(keep)})
                answer = self._answer()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return GateResult(
            ok=answer["ok"],
            expectations=answer["expectations"],
            failed=tuple(answer["failed"]),
            seconds=time.perf_counter() - began,
        )

    def run(
        self,
        verdict: Verdict,
        batch_id: str,
        now: datetime,
        scratch: Path,
        published: pd.DataFrame | None = None,
    ) -> GateResult:
        """Let what is about to be published pass, or refuse it.

        Parameters
        ----------
        verdict : Verdict
        batch_id : str
        now : datetime
            Aware; the day under which the result is kept.
        scratch : Path
            Folder for the frames; they are gone afterwards.
        published : DataFrame, optional
            Exactly what will be written; else made from the verdict by ``validate.shapes.publishable``.

        Raises
        ------
        GateRefused
            Great Expectations disagrees with the judge; the codes are in the message.
        PublishError
            The process died (``gate-died``) or took too long (``gate-time``): the batch can be taken up again.
        """
        result = self.weigh(verdict, batch_id, now, scratch, published)
        if not result.ok:
            codes = ", ".join(result.failed)
            raise GateRefused(
                "gate-refused",
                f"公布前的复核（Great Expectations）与审核结论不一致：{codes}；本批次未公布，请通知管理员",
                f"Great Expectations disagrees with the judge on {codes}; nothing of the batch is published, "
                "tell the administrator",
            )
        return result

    def build_docs(self, since: datetime) -> int:
        """Build the Data Docs of the runs since a time and give their number."""
        with self._run():
            self._send({"do": "docs", "docs": str(self.places_docs), "since": since.astimezone(UTC).isoformat()})
            return int(self._answer()["runs"])

    @contextlib.contextmanager
    def _run(self) -> Iterator[None]:
        """Hold the process for one run; what breaks off in the middle ends it, since it may still be at work."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._end()
                if self.keep_warm:
                    self._started()
                raise

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        self._home = tempfile.mkdtemp(prefix="gongzhi-gate-")
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": self._home,
            "PYTHONPATH": str(Path(pipelines.__file__).resolve().parent.parent),
            "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
            "GX_ANALYTICS_ENABLED": "False",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._child = subprocess.Popen(
            [self.python, "-P", "-m", "pipelines.validate.gate_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=self._home,
            start_new_session=True,
        )
        return self._child

    def _send(self, job: dict[str, object]) -> None:
        child = self._started() if job["do"] in ("open", "docs") else self._child
        try:
            assert child is not None and child.stdin is not None
            child.stdin.write(json.dumps(job, ensure_ascii=False).encode() + b"\n")
            child.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._died() from None

    def _answer(self) -> dict[str, Any]:
        child = self._child
        assert child is not None and child.stdout is not None
        until = time.monotonic() + self.seconds
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(child.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise PublishError(
                        "gate-time",
                        f"公布前的复核在 {self.seconds:g} 秒内未完成；本批次尚未公布，稍后会继续",
                        f"the gate took longer than {self.seconds:g} seconds; the batch is not published yet",
                    )
                piece = os.read(child.stdout.fileno(), 2**16)
                if not piece:
                    raise self._died()
                line += piece
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            died = self._died()
            died.add_note(answer["error"])
            raise died
        return answer

    def _died(self) -> PublishError:
        code = self._child.poll() if self._child is not None else None
        return PublishError(
            "gate-died",
            "公布前的复核程序异常中止；本批次尚未公布，稍后会继续",
            f"the gate's process ended (code {code}); the batch is not published yet and will be taken up again",
        )

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            for pipe in (child.stdin, child.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except BrokenPipeError:
                    pass
            child.kill()
            child.wait()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None


def build_data_docs(places_docs: Path, now: datetime, days: int = 31) -> int:
    """Build static Data Docs of the last runs in a process of its own and give the number of runs shown.

    The pages are ``places_docs/site/index.html`` and below. Results of runs older than ``days`` are removed.
    """
    with Gate(places_docs) as gate:
        return gate.build_docs(now - timedelta(days=days))


# What follows runs inside the gate's process (and in tests): only there is Great Expectations imported.


def _context() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.analytics_enabled = False
    context.variables.progress_bars = {"globally": False}
    return context


@lru_cache(maxsize=1)
def _add_completeness() -> None:
    """Teach Great Expectations one expectation for all columns that must be there.

    An expectation of a small run costs more than its comparison, and a table has twenty such columns.
    """
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation import MulticolumnMapExpectation
    from great_expectations.expectations.metrics.map_metric_provider import (
        MulticolumnMapMetricProvider,
        multicolumn_condition_partial,
    )

    class RowsComplete(MulticolumnMapMetricProvider):  # type: ignore[misc]
        condition_metric_name = "multicolumn_values.complete"

        @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
        def _pandas(cls, column_list: pd.DataFrame, **_: object) -> pd.Series:  # noqa: N805
            return column_list.notna().all(axis=1)

    class ExpectRowsToBeComplete(MulticolumnMapExpectation):  # type: ignore[misc]
        """Expect every row to hold a value in each of the columns."""

        map_metric = "multicolumn_values.complete"
        ignore_row_if: str = "never"


def warm_up() -> None:
    """Import Great Expectations, the slow part, before there is anything to look at."""
    _add_completeness()
    _suite("warm", [expectations.config("column_max_to_be_between", [], column="value", max_value=1)])
    _context()


def _suite(name: str, configs: list[Config]) -> Any:
    import great_expectations as gx
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    made = [ExpectationConfiguration(type=c["type"], kwargs=c["kwargs"], meta=c["meta"]) for c in configs]
    return gx.ExpectationSuite(name=name, expectations=made)


class Run:
    """One run: a checkpoint per frame, in a context of its own (which keeps what it validated)."""

    def __init__(self, batch_id: str, at: str, table: str) -> None:
        self.batch_id = batch_id
        self.at = at
        self.table = table
        self.context = _context()
        self.source = self.context.data_sources.add_pandas("published")
        self.results: dict[str, dict[str, Any]] = {}
        self.words: dict[str, dict[str, str]] = {}

    def look(self, name: str, plan: Path) -> None:
        """Validate one frame by a checkpoint."""
        planned = json.loads(plan.read_text(encoding="utf-8"))
        files, configs = [Path(path) for path in planned["files"]], planned["configs"]
        self.words |= planned["words"]
        import great_expectations as gx
        from great_expectations.core.run_identifier import RunIdentifier

        label = f"{self.table}.{name}"
        data = self.source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        suite = self.context.suites.add(_suite(label, configs))
        definition = self.context.validation_definitions.add(
            gx.ValidationDefinition(name=label, data=data, suite=suite)
        )
        checkpoint = self.context.checkpoints.add(
            gx.Checkpoint(name=label, validation_definitions=[definition], result_format=RESULT_FORMAT)
        )
        run_id = RunIdentifier(run_name=self.batch_id, run_time=datetime.fromisoformat(self.at))
        result = checkpoint.run(batch_parameters={"dataframe": read_frame(files)}, run_id=run_id)
        for one in result.run_results.values():
            self.results[label] = one.to_json_dict()

    def close(self, keep: Path) -> dict[str, Any]:
        """Keep the results and give the answer."""
        failed: dict[str, None] = {}
        count = 0
        for result in self.results.values():
            count += len(result["results"])
            for one in result["results"]:
                if not one["success"]:
                    failed |= dict.fromkeys(_codes(one, self.words))
        record = {"batch": self.batch_id, "at": self.at, "table": self.table, "results": self.results}
        keep.parent.mkdir(parents=True, exist_ok=True)
        part = keep.with_name(keep.name + ".part")
        part.write_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
        os.replace(part, keep)
        return {"ok": not failed and count > 0, "expectations": count, "failed": list(failed)}


def _codes(result: dict[str, Any], words: dict[str, dict[str, str]]) -> list[str]:
    """Give the codes an expectation that failed stands for, by the words it met where they tell."""
    rules = result["expectation_config"]["meta"]["rules"]
    known = words.get(rules, {})
    unexpected = result["result"].get("partial_unexpected_list") or []
    if rules.startswith("not-null:"):
        met = [f"not-null:{name}" for row in unexpected if isinstance(row, dict) for name in row if _gone(row[name])]
    else:
        met = [known[word] for word in unexpected if isinstance(word, str) and word in known]
    return list(dict.fromkeys(met)) or rules.split(" ")


def _gone(value: object) -> bool:
    return value is None or value != value


def read_frame(files: list[Path]) -> pd.DataFrame:
    """Read one frame from its files, without a copy where Arrow and pandas lay it out alike."""
    import pyarrow as pa

    frames = []
    for path in files:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        frames.append(table.to_pandas(split_blocks=True))
    if len(frames) == 1:
        return frames[0]
    return pd.DataFrame({name: frame[name] for frame in frames for name in frame}, copy=False)


def write_docs(docs: Path, since: str) -> int:
    """Build the Data Docs of the kept runs and remove older ones."""
    from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = _context()
    site = docs / "site"
    fresh = docs / "site.new"
    shutil.rmtree(fresh, ignore_errors=True)
    context.add_data_docs_site(
        "gate",
        {
            "class_name": "SiteBuilder",
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(fresh)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    first = since[:10]
    shown = 0
    for path in sorted((docs / "runs").glob("*/*.json")):
        if path.parent.name < first:
            path.unlink()
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        shown += 1
        run_id = RunIdentifier(run_name=record["batch"], run_time=datetime.fromisoformat(record["at"]))
        for label, result in record["results"].items():
            key = ValidationResultIdentifier(
                ExpectationSuiteIdentifier(label), run_id, result["meta"].get("batch_id") or label
            )
            loaded = expectationSuiteValidationResultSchema.load(result)
            context.validation_results_store.set(key, loaded)
    context.build_data_docs()
    shutil.rmtree(site, ignore_errors=True)
    if fresh.exists():
        os.replace(fresh, site)
    return shown


@lru_cache(maxsize=1)
def _loose_frame() -> Any:
    return (
        _context()
        .data_sources.add_pandas("loose")
        .add_dataframe_asset("frame")
        .add_batch_definition_whole_dataframe("whole")
    )


def failing_ids(rule: Rule, frame: pd.DataFrame) -> set[int]:
    """Give the positions of the rows on which Great Expectations finds a rule failing.

    Parameters
    ----------
    rule : Rule
    frame : DataFrame
        The rule's column, those its ``where`` names, the column it may not exceed; ``parameter`` for a range that
        parameters.csv gives.

    Returns
    -------
    set of int
        Positions in ``frame``, of the union of the rule's expectations, found by COMPLETE results.
    """
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    shown = frame.reset_index(drop=True).assign(id=np.arange(len(frame)))
    if rule.check == "within_facts":
        for name, side in ((LOW, "low"), (HIGH, "high")):
            attribute = rule.arguments[side]
            shown[name] = [
                np.nan if (bound := getattr(parameters().get(str(word)), attribute, None)) is None else bound
                for word in shown["parameter"]
            ]
    if rule.check == "not_above":
        shown[scaled(rule)] = shown[rule.arguments["other"]] * float(rule.arguments.get("factor", 1.0))
    batch = _loose_frame().get_batch(batch_parameters={"dataframe": shown})
    found: set[int] = set()
    for one in expectations.native(rule, {name: name for name in frame.columns}):
        expectation = ExpectationConfiguration(**one).to_domain_obj()
        complete = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
        result = batch.validate(expectation, result_format=complete)
        if result.exception_info.get("raised_exception"):
            raise ValueError(f"{rule.code}: {result.exception_info}")
        found |= {int(entry["id"]) for entry in result.result.get("unexpected_index_list") or []}
    return found

"""Start the process that reads for a download or a question, wait for it, and end it when its time is over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import portal
from pipelines.batch import Places
from pipelines.errors import PublishError
from portal.exports.errors import ExportFailed, QueryStopped

GRACE = 20.0
"""Seconds a child has for its start on a busy machine; those of its job it counts itself."""
SPACE = 2**30
"""Address space of the libraries, beside what the job may take."""


def work(places: Places, scratch: Path, job: dict[str, Any], seconds: float, memory_mb: int) -> dict[str, Any]:
    """Have a job done in a process of its own; what it writes is in the scratch folder.

    Raises
    ------
    PublishError
        What the tables, or DuckDB, said no to.
    QueryStopped, ExportFailed
        It took too long, too much memory, or died.
    """
    told = {
        "tables": places.tables, "scratch": str(scratch), "seconds": seconds, "file_bytes": 4 * 2**30,
        "memory_bytes": 2 * memory_mb * 2**20 + SPACE, **job,
    }  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-P", *(["-B"] if sys.flags.dont_write_bytecode else []), "-m", "portal.export_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=scratch,
        env=_environment(scratch),
        start_new_session=True,
    )
    try:
        said, complaint = child.communicate(json.dumps(told).encode() + b"\n", timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        raise _too_long(seconds) from None
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    if child.returncode in (-24, -14) or not said:  # SIGXCPU, SIGALRM
        raise _too_long(seconds) if child.returncode in (-24, -14) else _died(job["kind"], child.returncode, complaint)
    answer: dict[str, Any] = json.loads(said)
    if "error" in answer:
        raise PublishError(*answer["error"])
    if "stopped" in answer:
        raise _too_much()
    return answer


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": "/",
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(Path(portal.__file__).resolve().parent.parent),
        "OMP_NUM_THREADS": "2",
    }


def _too_long(seconds: float) -> QueryStopped:
    return QueryStopped(
        f"查询或导出超过 {seconds:g} 秒，已停止；请缩小日期、点位范围或减少列",
        f"it took more than {seconds:g} s and was stopped; narrow the days or stations, or take fewer columns",
    )


def _too_much() -> QueryStopped:
    return QueryStopped(
        "查询或导出所需内存超过上限，已停止；请缩小范围，或先汇总再连接",
        "it needed more memory than it may and was stopped; narrow it, or aggregate before joining",
    )


def _died(kind: str, code: int, complaint: bytes) -> QueryStopped | ExportFailed:
    if kind == "question":  # what a question does to the process that answers it is the question's business
        error: QueryStopped | ExportFailed = _too_much()
    else:
        error = ExportFailed("文件未能生成；请重试，仍失败时告知管理员", "the file could not be made; try again")
    error.add_note(f"child ended with {code}: {complaint[-2000:].decode(errors='replace')}")
    return error

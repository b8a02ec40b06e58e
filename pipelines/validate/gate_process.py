"""The gate's own process: Great Expectations is imported here, once, while others still read and judge.

It answers one JSON line to each run. A run is a line per frame, looked at as soon as it is written, and a line that
asks for the result. Nothing is printed: whatever a library says goes nowhere.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO


def quiet() -> TextIO:
    """Keep the answering end of the pipe for ourselves and send all other output nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    return answers


def serve(lines: TextIO, answer: Callable[[dict[str, Any]], None]) -> None:
    """Serve runs until the other side closes."""
    from pipelines.validate import gate

    gate.warm_up()
    # what was imported stays: collecting it again and again costs a fifth of a small run
    gc.collect()
    gc.freeze()
    gc.disable()
    run: gate.Run | None = None
    broken = ""
    for line in lines:
        job = json.loads(line)
        told: dict[str, Any] | None = None
        try:
            match job["do"]:
                case "open":
                    broken, run = "", gate.Run(job["batch"], job["at"], job["table"])
                case "frame" if run is not None and not broken:
                    run.look(job["name"], Path(job["plan"]))
                case "close" if run is not None and not broken:
                    told = run.close(Path(job["keep"]))
                case "docs":
                    told = {"runs": gate.write_docs(Path(job["docs"]), job["since"])}
        except Exception:
            broken = traceback.format_exc()
        if job["do"] in ("close", "docs"):
            answer(told if told is not None else {"error": broken or "no run is open"})
            run = None
            gc.collect()


def main() -> int:
    """Import, then serve."""
    answers = quiet()

    def answer(words: dict[str, Any]) -> None:
        answers.write(json.dumps(words, ensure_ascii=False) + "\n")
        answers.flush()

    serve(sys.stdin, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs of the command line as real processes, without the seconds each would take to import the same libraries.

One process imports what the credit commands use and waits; each run is a fork of it with its own environment, folder
and output files, and ends with its own exit code. Nothing is called twice in one process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

if __name__ != "__main__":  # now, while it is the conftest of this folder; the process that waits needs none
    from conftest import Ran

PROJECT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


class Warm:
    """Processes, one for each language, that fork a run of the command line for each line they are given."""

    def __init__(self) -> None:
        self._waiting: dict[str, subprocess.Popen[str]] = {}

    def run(self, *words: str | Path, home: Path | None = None, lang: str = "zh", **more: str) -> Ran:
        """Run ``gongzhi`` with words, and give what it said and how it ended."""
        asks, tells = self._pipes(lang)
        if home is not None:
            more["GONGZHI_HOME"] = str(home)
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            asks.write(json.dumps({"words": [str(word) for word in words], "env": more, "folder": folder}) + "\n")
            asks.flush()
            told = json.loads(tells.readline())
            out, err = (Path(folder, name).read_text(encoding="utf-8") for name in ("out", "err"))
        return Ran(told["exit"], out, err, time.monotonic() - begun, told["cpu"], told["peak"])

    def _pipes(self, lang: str) -> tuple[IO[str], IO[str]]:
        if lang not in self._waiting:
            env = {name: os.environ[name] for name in KEPT if name in os.environ}
            env |= {"GONGZHI_LANG": lang, "PYTHONUTF8": "1", "PYTHONPATH": str(PROJECT)}
            self._waiting[lang] = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, cwd=PROJECT,
                text=True, encoding="utf-8",
            )  # fmt: skip
        process = self._waiting[lang]
        assert process.stdin is not None and process.stdout is not None
        return process.stdin, process.stdout

    def close(self) -> None:
        """Let the processes end."""
        for lang, process in self._waiting.items():
            for pipe in self._pipes(lang):
                pipe.close()
            process.wait(30)
        self._waiting.clear()


def serve() -> None:
    """Import everything, then fork a run for each line."""
    import portal.cli
    import portal.credit_lists  # noqa: F401
    from credit_registry.names import folded, spoken

    spoken(folded("臺灣"))  # the tables of scripts and sounds
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(asked)
        _, status, used = os.wait4(child, 0)
        told = {"exit": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime}
        print(json.dumps(told | {"peak": used.ru_maxrss / 1024}), flush=True)


def _run(asked: dict[str, object]) -> None:
    from portal.cli import main

    folder = str(asked["folder"])
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(asked["env"])  # type: ignore[call-overload]
    sys.argv = ["gongzhi", *asked["words"]]  # type: ignore[misc]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code or 0))  # type: ignore[call-overload]


if __name__ == "__main__":
    serve()

"""One process that has everything imported and forks a run of the command line for each line it reads.

A run gets its words, environment and the time it believes it is; what it says goes to files, crash traces too.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime


def run(asked: dict[str, object]) -> None:
    """Be one run of the command line."""
    from portal import cli

    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{asked['out']}.{name}", os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.update(asked["env"])  # type: ignore[call-overload]
    at = datetime.fromisoformat(str(asked["at"]))
    code: object = 0
    try:
        cli.app(asked["words"], obj=lambda: at, standalone_mode=True)  # type: ignore[operator]
    except SystemExit as end:
        code = end.code
    except Exception as error:
        code = cli._explain(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code or 0))  # type: ignore[call-overload]


def main() -> None:
    """Fork a run for each line."""
    import portal.cli
    import portal.expert_desk
    import portal.expert_import  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            run(asked)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()

"""A screening as the pages ask for one: in a process of its own, with its lines kept so that they can be read again.

Beside the workbook and the signed document stand the lines as JSON: who looks at the result page by page, or mends a
line and screens once more, needs them; the printed list is made of them too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipelines.batch import Places
from portal.credit_uses import SCREENINGS, Counter, GivenList, screen_list

LINES = "gongzhi-screening-lines/1"


@dataclass(frozen=True, slots=True)
class ScreeningTask:
    """A list and who asks; ``file`` is read where there are no ``lines``."""

    places: Places
    viewer: str
    user: str
    unit: str
    certificate: str
    purpose: str
    plan: str
    at: datetime
    most: int
    name: str
    sha256: str
    file: Path | None = None
    lines: tuple[tuple[int, str], ...] = ()
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Today:
    """As of a day (None: today), as known now."""

    day: date | None = None
    known: str | None = None


@dataclass(frozen=True, slots=True)
class KeptScreening:
    """A screening as it is read again."""

    number: str
    bureau: str
    user: str
    at: datetime
    name: str
    counts: Mapping[str, int]
    facts: Mapping[str, str]
    lines: Sequence[Mapping[str, Any]]


def screen_task(task: ScreeningTask) -> str:
    """Screen a list and keep it; give its number. Run by :func:`portal.apart.apart`.

    Raises
    ------
    BadList, NoRegister, IncompleteRequest
    """
    from credit_registry.register import Register
    from credit_registry.trace import checked
    from portal.credit import Desk, asker_of, folder_of
    from portal.credit_lists import lines_of, read_list
    from records.store import Records

    asker = checked(asker_of(task.user, task.unit, task.certificate, task.purpose, task.plan))
    given = task.lines or (lines_of(read_list(task.file)) if task.file else ())
    with Records.open(task.places.database_url) as records, Register.open(folder_of(task.places)) as register:
        desk = Desk(task.places, records, register, None)
        counter = Counter(desk, asker, task.viewer, task.at)
        made = screen_list(counter, GivenList(task.name, task.sha256, given), Today(task.on), most=task.most)
        if desk.finder is not None:
            desk.finder.close()
    document = {
        "document": LINES, "bureau": task.viewer, "user": task.user, "at": task.at.isoformat(), "name": task.name,
        "counts": made.found.counts, "facts": dict(made.facts), "lines": [asdict(line) for line in made.found.lines],
    }  # fmt: skip
    _write(lines_file(task.places.home, made.number), json.dumps(document, ensure_ascii=False))
    return made.number


def print_task(home: Path, number: str) -> bytes:
    """Print a kept screening as PDF. Run by :func:`portal.apart.apart`."""
    from credit_registry.screening_paper import print_screening

    kept = read_screening(home, number)
    assert kept is not None, "who asks found it before"
    return print_screening(kept.number, kept.at, kept.facts, kept.counts, kept.lines)


def read_screening(home: Path, number: str) -> KeptScreening | None:
    """Read a kept screening again, None where there is none of this number."""
    try:
        told = json.loads(lines_file(home, number).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    at = datetime.fromisoformat(told["at"])
    return KeptScreening(
        number, told["bureau"], told["user"], at, told["name"], told["counts"], told["facts"], told["lines"]
    )


def lines_file(home: Path, number: str) -> Path:
    """Where the lines of a screening stand."""
    return home / SCREENINGS / f"{number}.lines.json"


def workbook_file(home: Path, number: str) -> Path:
    """Where the workbook of a screening stands."""
    return home / SCREENINGS / f"{number}.xlsx"


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)

"""Walk a draw in child processes that are killed (-9) just before and just after each thing they write.

Every child starts from the beginning with the same words; what stands is given to it. After each kill a line tells the
papers that stand, so that the test can see that none was lost or changed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from desk_home import (
    BOTH,
    DAY,
    FALLBACK,
    HOUR,
    LOOKER,
    PUBLIC,
    T0,
    VALUE,
    asked,
    home,
)
from sqlalchemy import event

from expert_registry.draw import desk as desks
from expert_registry.draw import freezing, opening, replacing, rounds
from expert_registry.draw.callout import Called, CallOut, call_out
from expert_registry.draw.papers import PublicSource
from records import expert_drawbook, expert_listing
from records.database import WRITES
from records.store import Records


def walk(records: Records, folder: Path) -> None:
    """All steps of a draw with one replacement, then a call-out."""
    desk = home(records, folder)
    earlier = expert_drawbook.draws(records)
    draw_id = earlier[0].draw_id if earlier else desks.request(desk, asked(), by="li", at=T0).draw_id
    freezing.freeze(desk, draw_id, by="wang", at=T0 + HOUR)
    for bureau in BOTH:
        rounds.commit(
            desk, draw_id, bureau, public_source=PUBLIC, fallback_source=FALLBACK, by="wang", at=T0 + 2 * HOUR
        )
    for bureau in BOTH:
        rounds.reveal(desk, draw_id, bureau, by="wang", at=T0 + 3 * HOUR)
    rounds.run(desk, draw_id, VALUE, by="wang", at=T0 + 32 * HOUR)
    document = rounds.publish(desk, draw_id, by="wang", at=T0 + 33 * HOUR)
    later = T0 + 11 * DAY
    if not document["replacements"]:
        if not expert_drawbook.papers(records, draw_id, "opened"):  # every look is written down, so only one
            opening.names(desk, draw_id, LOOKER, T0 + 10 * DAY)
        out = expert_listing.seats_of(records, [draw_id])[0].expert_id
        source = PublicSource("福利彩票第2026050期", later + 3 * DAY)
        replacing.open_vacancy(desk, draw_id, out, "ill", fallback_source=source, by="sun", at=later)
        for bureau in BOTH:
            replacing.give_link(desk, draw_id, bureau, by="wang", at=later + HOUR)
        replacing.replace(desk, draw_id, by="wang", at=later + 2 * HOUR)
    call = CallOut(asked().matter, "water-incident", "涪江水华", "500109", ("W03",))
    call_out(desk, call, [Called("e-00002", "W03")], by="li", at=later + DAY)


def child(url: str, folder: Path, when: str) -> None:
    """Walk until the first thing is written, and die."""
    written = 0
    with Records.open(url) as records:

        @event.listens_for(records.database.engine, "commit")
        def commit(connection: object) -> None:
            nonlocal written
            if connection.get_execution_options().get(WRITES):  # type: ignore[attr-defined]
                written += 1
                if when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(records.database.engine, "begin")
        def begin(connection: object) -> None:
            if written and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)

        walk(records, folder)


def main(url: str, folder: Path) -> None:
    """Fork and kill until a child comes to the end."""
    for turn in range(60):
        when = ("before", "after")[turn % 2]
        process = os.fork()
        if process == 0:
            code = 1
            try:
                child(url, folder, when)
                code = 0
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        with Records.open(url) as records:
            papers = [
                [draw.draw_id, one.kind, one.part, one.sha256]
                for draw in expert_drawbook.draws(records)
                for one in expert_drawbook.papers(records, draw.draw_id)
            ]
        print(json.dumps({"when": when, "status": status, "papers": papers}), flush=True)
        if status >= 0:
            return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

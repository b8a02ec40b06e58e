"""kill -9 before and after everything a draw writes: nothing is lost, nothing is twice, and the result is the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from desk_home import BOTH, T0, VALUE, fill, home

from expert_registry.draw import desk as desks
from expert_registry.draw import publication
from expert_registry.draw.verification import verify
from records import expert_drawbook, expert_listing
from records.chain import verify_chain

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def test_a_draw_killed_anywhere_goes_on_to_one_whole_result(records, database_url, tmp_path):
    fill(records)
    desk = home(records, tmp_path)
    done = subprocess.run(
        [sys.executable, str(HERE / "draw_kill_driver.py"), database_url, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{HERE}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert turns and turns[-1]["status"] == 0, done.stderr
    assert {turn["status"] for turn in turns[:-1]} == {-9}
    before: list[list[str]] = []
    for turn in turns:
        assert turn["papers"][: len(before)] == before, "a paper was lost or changed"
        assert turn["when"] == "after" or turn is turns[-1] or turn["papers"] == before, "killed before it was written"
        before = turn["papers"]
    assert sum(turn["when"] == "after" for turn in turns) >= 14, "it was killed at every step"
    kinds = [(kind, part) for _, kind, part, _ in before]
    assert kinds == [
        ("request", ""), ("list", ""), ("approval", "freeze"), ("exclusions", ""),
        *(("commitment", bureau) for bureau in BOTH), *(("reveal", bureau) for bureau in BOTH), ("draw", "0"),
        ("published", ""), ("opened", "0"), ("vacancy", "1"), *(("link", f"1-{bureau}") for bureau in BOTH),
        ("draw", "1"), ("callout", ""),
    ]  # fmt: skip
    first, call = expert_drawbook.draws(records)
    assert (first.draw_id, call.draw_id) == ("beibei-2026-0001", "beibei-2026-0002")
    assert (first.state, call.state) == ("published", "called")
    assert verify(desks.latest(desk, first.draw_id), desk.keys.trusted).ok
    assert verify_chain(records).ok and expert_drawbook.check_numbers(records) == []
    assert len(expert_listing.seats_of(records, [first.draw_id])) == 3
    given = [desks.papers_of(desk, first.draw_id, kind) for kind in ("commitment", "reveal")]
    again = publication.draw(
        desks.paper_of(desk, first.draw_id, "list"), *given, VALUE,
        bureau="beibei", assurance="one-home", at=T0.replace(year=2027), signer=desk.signer,
    )  # fmt: skip
    assert again["taken"] == desks.paper_of(desk, first.draw_id, "draw", "0")["taken"], "drawn later it is the same"

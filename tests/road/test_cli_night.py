"""The commands of the night as people, cron and systemd use them: real processes, a real home, signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Ran, run_gongzhi

from records.lease import holder_of_this_process
from records.runs import begin_run, runs
from records.store import Records

DELIVERIES = PROJECT / "examples" / "deliveries"
AIR = "空气小时值_20260408_更正.csv"
CREDIT = "企业环境信用评价结果_2025年度_补报.csv"


def hand_in(home: Path, name: str, bureau: str = "mianyang") -> Path:
    folder = home / "inbox" / bureau
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(DELIVERIES / bureau / name, folder / name))


def declare(home: Path, text: str, bureau: str = "mianyang") -> None:
    folder = home / "bureaus" / bureau
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sources.toml").write_text(text, encoding="utf-8")


def ledger(home: Path, job: str | None = None) -> list[Any]:
    with Records.open(f"sqlite:///{home / 'records.db'}") as records:
        return runs(records, job)


@dataclass
class Story:
    """A home after one night with a good and a bad file, and a second night with nothing new."""

    home: Path
    first: Ran
    second: Ran

    def run(self, *words: str | Path, **more: Any) -> Ran:
        return run_gongzhi(*words, home=self.home, **more)


@pytest.fixture(scope="module")
def story(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = Path(shutil.copytree(empty_home, tmp_path_factory.mktemp("nights") / "home"))
    hand_in(home, AIR)
    hand_in(home, CREDIT)
    first = run_gongzhi("sync", "--json", home=home)
    return Story(home, first, run_gongzhi("sync", "--json", home=home))


def test_a_night_by_hand_walks_what_lies_in_the_folders_and_says_so(story):
    assert story.first.exit == 1, story.first.err
    (told,) = story.first.objects
    assert told["sources"] == {"new": 1, "unchanged": 1, "empty": 0, "failed": 0, "skipped": 0}
    assert (told["files"], told["results"]) == (2, {"read": 571, "published": 569, "quarantined": 2})
    assert all(chore["ok"] for chore in told["chores"].values()) and "backup" in told["chores"]
    assert "refused mianyang/inbox" in told["alarms"]
    assert "应到" not in story.first.out and "被退回" in story.first.err


def test_a_second_night_with_nothing_new_is_well_and_writes_no_version(story):
    assert story.second.exit == 0, story.second.err
    (told,) = story.second.objects
    assert told["sources"]["unchanged"] == 2 and told["files"] == 0 and told["batches"] == []
    (air,) = [one for one in json.loads(story.run("tables", "--json").out) if one["table"] == "air_observation"]
    assert (air["version"], air["rows"]) == (1, 569)


def test_each_run_stands_in_the_ledger_and_on_the_chain(story):
    assert [(run.job, run.kind, run.state) for run in ledger(story.home, "sync")] == [("sync", "manual", "done")] * 2
    assert story.run("verify", "chain").exit == 0


def test_the_page_of_the_day_is_there(story):
    (page,) = (story.home / "nights").glob("*.html")
    told = json.loads(page.with_suffix(".json").read_text("utf-8"))
    assert [batch["file"] for batch in told["batches"]].count(AIR) == 1 and AIR in page.read_text("utf-8")


def test_the_board_is_a_table_and_json(story):
    told = json.loads(story.run("board", "--json").out)
    today = [cell for cell in told["cells"] if cell["source"] == "mianyang/inbox"][-1]
    assert (today["state"], today["files"], today["accepted"], today["refused"]) == ("refused", 2, 569, 2)
    shown = story.run("board", "-b", "mianyang")
    assert shown.exit == 0 and "退回 2 ✗2" in shown.out and "beibei" not in shown.out
    days = json.loads(story.run("board", "--since", "2026-04-01", "--until", "2026-04-30", "--json").out)
    assert len(days["cells"]) == 2 * 30


def test_open_alarms_are_listed_with_what_to_do_and_make_the_exit_code(story):
    shown = story.run("alarms")
    assert shown.exit == 1 and "被退回 [refused] mianyang/inbox" in shown.out and "→" in shown.out
    (told,) = story.run("alarms", "--json").objects
    assert (told["code"], told["closed_at"]) == ("refused", None)


def test_sources_are_listed_with_their_last_visit(story):
    shown = story.run("sources")
    assert shown.exit == 0 and "mianyang/inbox" in shown.out and "无变化" in shown.out
    told = {one["source"]: one for one in story.run("sources", "--json").objects}
    assert told["mianyang/inbox"]["last_visit"]["state"] == "unchanged" and told["mianyang/inbox"]["lag_hours"] > 24


def test_a_backup_is_proved_and_restores_to_a_home_that_verifies(story, tmp_path):
    made = story.run("backup", "-o", tmp_path / "copies", "--json")
    assert made.exit == 0, made.err
    (told,) = made.objects
    assert told["faults"] == [] and told["files"] > 20
    restored = run_gongzhi("restore", told["folder"], "--home", tmp_path / "new")
    assert restored.exit == 0, restored.err
    assert run_gongzhi("verify", home=tmp_path / "new").exit == 0
    (air,) = [
        one
        for one in json.loads(run_gongzhi("tables", "--json", home=tmp_path / "new").out)
        if one["table"] == "air_observation"
    ]
    assert air["rows"] == 569
    again = run_gongzhi("restore", told["folder"], "--home", tmp_path / "new")
    assert again.exit != 0 and "不是空的" in again.err


def test_a_damaged_backup_is_not_restored(story, tmp_path):
    (told,) = story.run("backup", "-o", tmp_path / "copies", "--json").objects
    victim = next(Path(told["folder"]).glob("uploads/*/*"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    refused = run_gongzhi("restore", told["folder"], "--home", tmp_path / "new")
    assert refused.exit != 0 and "损坏" in refused.err and not (tmp_path / "new" / "records.db").exists()


def test_force_fetches_again_and_repeats_publish_nothing(story, tmp_path):
    home = Path(shutil.copytree(story.home, tmp_path / "home"))
    ran = run_gongzhi("sync", "--source", "mianyang/inbox", "--force", "--json", home=home)
    (told,) = ran.objects
    assert told["sources"]["new"] == 1 and told["files"] == 2 and told["results"]["published"] == 0
    assert told["chores"] == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--date", "2026-04-01", "--since", "2026-04-01"), "--date"),
        (("--since", "2026-04-02"), "--until"),
        (("--since", "2026-04-02", "--until", "2026-04-01"), "晚于"),
        (("--source", "nowhere"), "mianyang/inbox"),
        (("--bureau", "nobody"), "mianyang/inbox"),
    ],
)
def test_wrong_use_of_sync_is_said_and_visits_nothing(home, words, said):
    ran = run_gongzhi("sync", *words, home=home)
    assert ran.exit == 2 and said in ran.err
    assert ledger(home) == []


@pytest.mark.parametrize("name", ["GONGZHI_NIGHT", "GONGZHI_BIND"])
def test_a_setting_that_cannot_be_is_wrong_use(home, name):
    ran = run_gongzhi("schedule", home=home, **{name: "25:00:00"})
    assert ran.exit == 2 and name in ran.err


def test_a_malformed_channel_stops_the_service_at_its_start(home):
    (home / "notify.toml").write_text('[[channels]]\nname = "x"\nkind = "pigeon"\n', encoding="utf-8")
    ran = run_gongzhi("schedule", home=home)
    assert ran.exit == 2 and "notify.toml:3" in ran.err and "pigeon" in ran.err


def test_a_malformed_source_is_shown_with_its_line_and_the_others_go_on(home):
    declare(home, '[[sources]]\nname = "air"\ntitle = "t"\nkind = "telex"\nsource = "test"\n')
    hand_in(home, AIR)
    shown = run_gongzhi("sources", home=home)
    assert shown.exit == 1 and "sources.toml:4" in shown.out and "mianyang/inbox" in shown.out
    ran = run_gongzhi("sync", "--bureau", "mianyang", "--json", home=home)
    (told,) = ran.objects
    assert ran.exit == 1 and told["results"]["published"] == 569 and "sources.toml:4" in ran.err
    assert any(alarm.startswith("malformed-source") for alarm in told["alarms"])


def test_a_source_whose_secret_is_missing_fails_by_name_and_asks_nobody(home):
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(0.1)
        port = listening.getsockname()[1]
        declare(
            home,
            f'[[sources]]\nname = "air"\ntitle = "空气"\nkind = "file"\nurl = "http://localhost:{port}/air.csv"\n'
            'networks = ["127.0.0.0/8", "::1/128"]\ncredentials = "no-such-key"\nauth = "bearer"\nsource = "test"\n',
        )
        ran = run_gongzhi("sync", "--source", "air", "--json", home=home)
        with pytest.raises(TimeoutError):
            listening.accept()
    (told,) = ran.objects
    assert ran.exit == 1 and told["sources"]["failed"] == 1 and "unauthorised mianyang/air" in told["alarms"]
    (shown,) = [one for one in run_gongzhi("sources", "--json", home=home).objects if one["source"] == "mianyang/air"]
    assert shown["last_visit"]["code"] == "unauthorised" and "no-such-key" in shown["last_visit"]["message"]


def test_a_sync_that_was_killed_is_ended_by_the_next(home):
    host = holder_of_this_process().partition(":")[0]
    now = datetime.now(UTC) - timedelta(hours=1)
    with Records.open(f"sqlite:///{home / 'records.db'}") as records:
        assert begin_run(records, "sync", "2026-01-01T00:00:00", "manual", now, now, f"{host}:4194304:1", 0)
    assert run_gongzhi("sync", "--bureau", "beibei", home=home).exit == 0  # without the chores, which other tests see
    newest, killed = ledger(home, "sync")
    assert newest.state == "done" and killed.state == "failed" and killed.error["code"] == "interrupted"


# -- the service ----------------------------------------------------------------------------------------------


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Serving:
    process: subprocess.Popen[str]
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read())

    def until(self, seconds: float, true: Any) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            try:
                if found := true():
                    return found
            except (OSError, IndexError):
                pass
            time.sleep(0.2)
        raise AssertionError(self.log.read_text("utf-8"))

    def stop(self, how: int = signal.SIGTERM) -> float:
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(20)
        return time.monotonic() - began


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    begun: list[Serving] = []

    def start(home: Path, **more: str) -> Serving:
        port, log = free_port(), tmp_path / f"log-{len(begun)}"
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")}
        env |= {"GONGZHI_HOME": str(home), "GONGZHI_BIND": f"127.0.0.1:{port}", "PYTHONUTF8": "1", "GONGZHI_LANG": "zh"}
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-c", "from portal.cli import main; main()", "schedule"],
                env={**env, "PYTHONPATH": str(PROJECT), **more}, cwd=PROJECT, stdout=stream, stderr=stream, text=True,
            )  # fmt: skip
        begun.append(Serving(process, port, log))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(20)


def test_the_service_killed_in_its_night_finishes_it_stops_within_ten_seconds_and_repeats_nothing(home, serve):
    hand_in(home, AIR)
    hand_in(home, CREDIT)
    service = serve(home)
    service.until(
        60, lambda: any(run.state == "running" for run in ledger(home)) and list((home / "uploads").glob("*/*"))
    )
    service.process.kill()
    service.process.wait(20)
    again = serve(home)
    night = again.until(90, lambda: [run for run in ledger(home, "night") if run.state == "done"])[0]
    assert night.attempts == 2 and night.summary["results"] == {"read": 571, "published": 569, "quarantined": 2}
    assert all(chore["ok"] for chore in night.summary["chores"].values())
    again.until(60, lambda: again.get("/health/ready")[1]["schedule"]["last"]["hour"]["state"] == "done")
    status, told = again.get("/health/ready")
    assert status == 200 and told["schedule"]["leader"] and told["last_backup"]
    assert again.stop() < 10 and again.process.returncode == 0
    before = [(run.job, run.slot) for run in ledger(home)]
    assert len(before) == 2 == len(set(before))
    (air,) = [
        one for one in json.loads(run_gongzhi("tables", "--json", home=home).out) if one["table"] == "air_observation"
    ]
    assert (air["version"], air["rows"]) == (1, 569)
    states = [batch["state"] for batch in run_gongzhi("batches", "--json", home=home).objects]
    assert sorted(states) == ["published", "refused"]
    third = serve(home)
    third.until(60, lambda: third.get("/health/ready")[1]["schedule"]["leader"])
    time.sleep(1)
    assert third.stop(signal.SIGINT) < 10 and third.process.returncode == 0
    jobs = [run.job for run in ledger(home)]
    assert jobs.count("night") == 1 and jobs.count("hour") <= 2  # an hour may have struck meanwhile

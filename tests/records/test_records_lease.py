"""The lease: who takes it, who keeps it, and that a process that lost it writes nothing more."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from records.chain import verify_chain
from records.errors import BusyDatabase, LeaseLost, LostDatabase
from records.lease import Contender, Lease, fenced, holder_of_this_process, is_dead, lease_now, still_ours

PROJECT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)
WORKER = """
import os, sys
from datetime import UTC, datetime
from sqlalchemy import text
import records.database
from records.lease import Contender, fenced, holder_of_this_process
from records.store import Records

records.database.IDLE_SECONDS = 2
opened = Records.open(sys.argv[1])
lease = Contender(opened, "night", holder_of_this_process()).try_take(datetime.now(UTC))
ours = fenced(opened, lease)

def say(word):
    os.write(1, (word + "\\n").encode())

say(f"{lease.fence} {lease.holder}")
for line in sys.stdin:
    try:
        with ours.database.write() as connection:
            connection.execute(text("UPDATE lease SET beat = beat + 1"))
            if line.strip() == "pause":
                say("paused")
                sys.stdin.readline()
        say("written")
    except Exception as error:
        say(type(error).__name__)
"""


class Hands:
    """A monotonic clock moved by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def contender(records, hands):
    return lambda holder: Contender(records, "night", holder, seconds=20.0, monotonic=hands)


@pytest.fixture
def worker(records, database_url):
    """A process that holds the lease and writes when told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def tell(process, line: str) -> str:
    process.stdin.write(line + "\n")
    return process.stdout.readline().strip()


def outwait(contender: Contender, hands: Hands, now) -> Lease | None:
    assert contender.try_take(now) is None
    hands.seconds += 20
    return contender.try_take(now)


def test_the_first_takes_it_and_the_second_waits(records, contender, now):
    assert contender("a:1:1").try_take(now) == Lease("night", "a:1:1", 1, 0)
    assert contender("b:1:1").try_take(now) is None
    assert lease_now(records, "night") == Lease("night", "a:1:1", 1, 0)


def test_a_lease_that_beats_is_never_free(contender, hands, now):
    holder, other = contender("a:1:1"), contender("b:1:1")
    lease = holder.try_take(now)
    for beat in range(1, 6):
        assert other.try_take(now) is None
        hands.seconds += 19
        lease = holder.renew(lease, now)
        assert lease.beat == beat


def test_a_lease_without_a_beat_is_taken_when_the_contender_has_waited(records, contender, hands, now):
    lease = contender("a:1:1").try_take(now)
    other = contender("b:1:1")
    assert other.try_take(now) is None
    hands.seconds += 19.9
    assert other.try_take(now) is None
    hands.seconds += 0.1
    assert other.try_take(now) == Lease("night", "b:1:1", 2, 0)
    assert not still_ours(records, lease)


@pytest.mark.parametrize("jump", [-400 * DAY, 400 * DAY])
def test_a_jump_of_the_wall_clock_frees_and_keeps_nothing(contender, hands, now, jump):
    holder, other = contender("a:1:1"), contender("b:1:1")
    lease = holder.try_take(now)
    assert other.try_take(now) is None
    assert other.try_take(now + jump) is None
    lease = holder.renew(lease, now + jump)
    hands.seconds += 20
    assert other.try_take(now + jump) is None
    hands.seconds += 20
    assert other.try_take(now) is not None


def test_a_contender_that_was_stopped_itself_starts_its_wait_again(contender, hands, now):
    holder, other = contender("a:1:1"), contender("b:1:1")
    lease = holder.try_take(now)
    assert other.try_take(now) is None
    hands.seconds += 300
    holder.renew(lease, now)
    assert other.try_take(now) is None


def test_a_lease_given_back_is_free_at_once_and_its_holder_may_not_write(records, contender, now):
    holder = contender("a:1:1")
    lease = holder.try_take(now)
    holder.release(lease, now)
    assert not still_ours(records, lease)
    with pytest.raises(LeaseLost):
        fenced(records, lease).append("test", now)
    assert contender("b:1:1").try_take(now) == Lease("night", "b:1:1", 2, 0)


def test_giving_back_what_another_took_takes_nothing_from_it(records, contender, hands, now):
    holder = contender("a:1:1")
    old = holder.try_take(now)
    new = outwait(contender("b:1:1"), hands, now)
    holder.release(old, now)
    assert still_ours(records, new)


def test_a_renewal_of_a_lost_lease_is_refused(contender, hands, now):
    holder = contender("a:1:1")
    lease = holder.try_take(now)
    assert outwait(contender("b:1:1"), hands, now) is not None
    with pytest.raises(LeaseLost, match=r"接手.*taken over"):
        holder.renew(lease, now)


def test_leases_of_other_names_are_others(records, now):
    assert Contender(records, "night", "a:1:1").try_take(now) is not None
    assert Contender(records, "other", "b:1:1").try_take(now) is not None


@pytest.mark.parametrize("before", ["never held", "given back", "without a beat"])
def test_of_many_contenders_at_once_exactly_one_wins(records, contender, hands, now, before):
    many = [contender(f"host{i}:1:1") for i in range(12)]
    if before != "never held":
        first = contender("a:1:1")
        lease = first.try_take(now)
        if before == "given back":
            first.release(lease, now)
        else:
            assert [one.try_take(now) for one in many] == [None] * 12
            hands.seconds += 20
    start = threading.Barrier(12)

    def take(one: Contender) -> Lease | None:
        start.wait()
        return one.try_take(now)

    with ThreadPoolExecutor(12) as pool:
        won = [lease for lease in pool.map(take, many) if lease is not None]
    assert len(won) == 1
    assert lease_now(records, "night") == won[0]


def test_a_fenced_write_goes_through_while_the_lease_is_ours_and_then_changes_nothing(records, contender, hands, now):
    lease = contender("a:1:1").try_take(now)
    ours = fenced(records, lease)
    ours.append("mine", now)
    new = outwait(contender("b:1:1"), hands, now)
    with pytest.raises(LeaseLost):
        ours.append("too late", now)
    fenced(records, new).append("theirs", now)
    records.append("free", now)
    assert [event.kind for event in ours.events()] == ["mine", "theirs", "free"]


def test_the_holder_of_this_process_lives_and_others_are_judged_only_from_here():
    me = holder_of_this_process()
    host, pid, started = me.split(":")
    assert pid == str(os.getpid()) and not is_dead(me)
    assert is_dead(f"{host}:{pid}:{int(started) + 1}"), "the number was given to a later process"
    assert not is_dead(f"elsewhere{host}:{pid}:{int(started) + 1}")
    assert not is_dead("") and not is_dead("nonsense") and not is_dead(f"{host}:{pid}:?")


def test_a_killed_holder_is_dead_even_before_it_is_reaped():
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from records.lease import holder_of_this_process as h; print(h(), flush=True); input()",
        ],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        holder = process.stdout.readline().strip()
        assert not is_dead(holder)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, still in the table
        assert is_dead(holder)
    assert is_dead(holder)


def test_the_lease_of_a_killed_process_is_free_at_once(worker, contender, now):
    fence, holder = worker.stdout.readline().split()
    other = contender("b:1:1")
    assert other.try_take(now) is None
    worker.kill()
    worker.wait()
    assert other.try_take(now) == Lease("night", "b:1:1", int(fence) + 1, 0)


def test_a_stopped_process_that_comes_back_fails_at_its_next_write(records, worker, contender, hands, now):
    worker.stdout.readline()
    assert tell(worker, "go") == "written"
    os.kill(worker.pid, signal.SIGSTOP)
    new = outwait(contender("b:1:1"), hands, now)
    assert new is not None and new.fence == 2
    os.kill(worker.pid, signal.SIGCONT)
    assert tell(worker, "go") == "LeaseLost"
    assert lease_now(records, "night") == new


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_cuts_off_a_process_stopped_in_the_middle_of_a_write(records, worker, contender, hands, now):
    worker.stdout.readline()
    other = contender("b:1:1")
    assert other.try_take(now) is None
    assert tell(worker, "pause") == "paused"
    os.kill(worker.pid, signal.SIGSTOP)
    hands.seconds += 20
    new = other.try_take(now)  # waits for the writer lock until the server has cut the other off
    assert new is not None
    os.kill(worker.pid, signal.SIGCONT)
    assert tell(worker, "go on") == "LostDatabase"
    assert lease_now(records, "night") == new
    assert tell(worker, "again") == "LeaseLost"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_lets_nobody_in_while_a_writer_is_stopped(records, worker, contender, hands, now, monkeypatch):
    monkeypatch.setattr("records.database.BUSY_SECONDS", 0)
    worker.stdout.readline()
    other = contender("b:1:1")
    assert other.try_take(now) is None
    assert tell(worker, "pause") == "paused"
    os.kill(worker.pid, signal.SIGSTOP)
    hands.seconds += 20
    with pytest.raises(BusyDatabase):
        other.try_take(now)
    os.kill(worker.pid, signal.SIGCONT)
    assert tell(worker, "go on") == "written", "nobody could take its lease, so it was still its own"
    assert lease_now(records, "night").beat == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_client_cut_off_while_idle_fails_and_can_write_again(records, now, monkeypatch):
    monkeypatch.setattr("records.database.IDLE_SECONDS", 1)
    with pytest.raises(LostDatabase), records.database.write() as connection:
        connection.execute(text("UPDATE chain_head SET seq = 77"))
        time.sleep(1.5)
        connection.execute(text("SELECT 1"))
    records.append("after", now)
    assert records.head().seq == 1 and verify_chain(records).ok

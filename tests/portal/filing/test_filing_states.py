"""Whatever people do with one file, in whatever order: one batch at most, nobody approves his own, the chain is whole."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from filing_desk import FOREIGNER, NOON, begun, somebody
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from portal_home import new_home

from portal.filing import REST, approve, hand_in, open_desk, send_back, wanted_for, withdraw
from portal.filing.errors import NotPermitted, NotReady
from records.chain import verify_chain
from records.errors import IllegalState, UnknownFiling
from records.filing_jobs import WALK, open_jobs
from records.filings import HANDED_IN, MOVES, filing, filing_events, move, settle
from records.store import Records

PEOPLE = (somebody("u-1", "uploader", "reviewer"), somebody("u-2", "uploader", "reviewer"), FOREIGNER)
ENDS = {"published", "refused", "returned", "withdrawn", "repeated"}
REFUSED = (IllegalState, NotReady, NotPermitted, UnknownFiling)
people = st.sampled_from(PEOPLE)
HOME = Path(tempfile.mkdtemp(prefix="filing-states-"))


class OneFiling(RuleBasedStateMachine):
    """A filing of the first person and all that can be done with it; the worker's part is told to the records."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=HOME))
        shutil.copytree(made(), self.home, dirs_exist_ok=True)
        places = type(PLACES[0])(self.home, f"sqlite:///{self.home / 'records.db'}", str(self.home / "tables"))
        self.records = Records.open(places.database_url)
        self.desk = open_desk(places, self.records)
        self.number = begun(self.desk, b"x", PEOPLE[0]).filing_id
        self.receipts: set[str] = set()
        self.refusals = 0

    def teardown(self) -> None:
        report = verify_chain(self.records)
        assert report.ok, report.reason_en
        self.records.close()
        shutil.rmtree(self.home)

    @property
    def now(self):
        return filing(self.records, self.number)

    def tried(self, act) -> bool:
        before = self.now
        try:
            act()
        except REFUSED:
            self.refusals += 1
            assert self.now == before, "a refusal changes nothing"
            return False
        return True

    @rule(
        flags=st.booleans(),
        blocking=st.integers(0, 2),
        dataset=st.sampled_from(["air", "credit"]),
        broken=st.booleans(),
    )
    def check(self, flags, blocking, dataset, broken):
        if self.now.state not in ("queued", "checking"):
            return
        if self.now.state == "queued":
            move(self.records, self.number, "checking", "worker", NOON)
        groups = [{"rule": "AIR-040", "severity": "flag", "count": 1}] if flags else []
        move(
            self.records, self.number, "checked", "worker", NOON, blocking=blocking, to_confirm=len(groups),
            summary={"dataset": dataset, "groups": groups}, error={"code": "x"} if broken else None,
        )  # fmt: skip

    @rule(who=people, statement=st.booleans(), given=st.sets(st.sampled_from(["AIR-040", REST])))
    def hand_in(self, who, statement, given):
        before = self.now
        done = self.tried(
            lambda: hand_in(
                self.desk, who, self.number, statement=statement, confirmations=dict.fromkeys(given, "已核对"), at=NOON
            )
        )
        if done and not before.batch_id:
            ready = statement and set(wanted_for(before)) <= given and before.error is None
            assert ready and before.state == "checked" and who.bureau == before.bureau
            review = before.summary["dataset"] == "credit"
            assert self.now.state == ("in_review" if review else "handing_in")

    @rule(who=people)
    def withdraw(self, who):
        before = self.now.state
        if self.tried(lambda: withdraw(self.desk, who, self.number, NOON)):
            assert before in ("queued", "checking", "checked", "in_review", "withdrawn") and who is not FOREIGNER

    @rule(who=people, yes=st.booleans())
    def decide(self, who, yes):
        before = self.now

        def act():
            return (
                approve(self.desk, who, self.number, NOON) if yes
                else send_back(self.desk, who, self.number, "no-basis", "", NOON)
            )  # fmt: skip

        if self.tried(act):
            submitted = self.records.batch(before.batch_id).submitted_by
            assert before.state == "in_review" and who.account_id not in (before.account_id, submitted)
            assert who is not FOREIGNER

    @precondition(lambda self: self.now.state == "handing_in")
    @rule(end=st.sampled_from(["published", "refused", "held"]))
    def walked(self, end):
        batch = self.records.batch(self.now.batch_id)
        if end == "refused":
            self.records.advance(batch.batch_id, "refused", NOON, error={"code": "x"})
        else:
            for state in ("read", "judged"):
                self.records.advance(batch.batch_id, state, NOON)
            if end == "held":
                self.records.advance(batch.batch_id, "held", NOON)
            else:
                self.records.begin_publication(batch.batch_id, NOON)
                self.records.finish_publication(batch.batch_id, [], [], NOON)
        settle(self.records, NOON)
        assert self.now.state == end

    @invariant()
    def there_is_one_batch_at_most_and_one_receipt(self):
        batches, one = self.records.batches(), self.now
        assert len(batches) == (one.batch_id != "") and bool(one.receipt) == bool(one.batch_id)
        self.receipts |= {one.receipt} - {""}
        assert len(self.receipts) <= 1
        assert bool(one.batch_id) == (one.state in HANDED_IN or (one.state == "withdrawn" and one.batch_id != ""))

    @invariant()
    def what_waits_for_a_person_is_walked_by_nobody(self):
        walks = [job for job in open_jobs(self.records) if job.kind == WALK]
        assert len(walks) <= 1
        if self.now.state in ("in_review", "returned"):
            assert not walks and not self.records.unfinished()

    @invariant()
    def the_events_tell_a_way_the_table_knows(self):
        states = [event.state for event in filing_events(self.records, self.number)]
        assert states[0] == "queued" and states[-1] == self.now.state
        assert all(after in MOVES[before] for before, after in zip(states, states[1:], strict=False))
        assert sum(state in ENDS for state in states) <= 1

    @invariant()
    def every_deed_of_a_person_stands_on_the_chain(self):
        deeds = [event for event in filing_events(self.records, self.number) if event.by != "worker"]
        told = [json.loads(event.payload) for event in self.records.events() if event.kind == "filing"]
        assert [(one["state"], one["by"]) for one in told] == [(one.state, one.by) for one in deeds]


PLACES: list = []


def made() -> Path:
    """A home made once; each example has a copy."""
    if not PLACES:
        PLACES.append(new_home(HOME / "first"))
    return PLACES[0].home


def teardown_module() -> None:
    shutil.rmtree(HOME, ignore_errors=True)


TestOneFiling = OneFiling.TestCase
TestOneFiling.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

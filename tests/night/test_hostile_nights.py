"""Whole nights with partners that misbehave: each trouble is told by its name and nothing is lost by it.

One home lives through three nights. In the first those who are known already are decent, in the second every source of Mianyang meets a
trouble of its own at once (``hostile_troubles``, real sockets) while Beibei's is well, in the third all are decent
again. Limits of time and size are small, so that the night is not long; the client, the road, the records and the
tables are the real ones, the gate stands open and files are read in this process.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hostile_bureau import NIGHTS, Bureau, Turncoat, day_of, line, listing, sections, water
from hostile_home import BESIDE, SOURCE, Clock, Home, Memory, Row, content, declaration, home_in, logged, place_of
from hostile_troubles import KEY_OF_SOURCE, TROUBLES, door

from pipelines.intake import fetch
from pipelines.intake.fetch import Caps
from pipelines.intake.pull import Wanted
from pipelines.night import run_night, run_once
from pipelines.sync import submit
from records.alarms import outbox
from records.runs import Exchange, Visit, exchanges, visits
from schemas.alarms import alarm_kinds
from tests.partner import Partner, behaviours
from tests.partner.behaviours import document, status

APIS = ("page", "next")
MEMORY = 512 * 2**20
BUDGET, SLACK = 6.0, 4.0
"""What one visit may take, and what a busy machine adds."""
QUICK = partial(Caps, attempts=3, pause=0.05, budget=BUDGET, idle=0.4, connect=1.0, retry_after=3.0)


# -- three nights -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What a night left."""

    visits: dict[str, Visit]
    exchanges: dict[str, list[Exchange]]
    alarms: set[tuple[str, str]]
    rows: Counter[Row]
    content: Counter[Row]


@dataclass
class Story:
    """Three nights, and what the tables hold where nothing ever goes wrong."""

    bureaus: list[Bureau]
    undisturbed: Counter[Row]
    nights: list[Seen] = field(default_factory=list)
    told: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """What was told, by kind of notice."""
    grown: int = 0
    logged: str = ""
    home: Path = Path()

    def of(self, number: int, night: int) -> tuple[Visit, list[Exchange]]:
        key = self.bureaus[number].key
        return self.nights[night].visits[key], self.nights[night].exchanges[key]

    def expected(self, number: int, night: int, lost: str) -> Counter[Row]:
        """What a source has brought after a night, but for the sections lost in it."""
        bureau = self.bureaus[number]
        return Counter(
            {
                row: count
                for row, count in self.undisturbed.items()
                if self.is_of(row, bureau)
                and place_of(row)[2] <= night
                and not (place_of(row)[2] == night and (lost == "*" or place_of(row)[3] in tuple(lost)))
            }
        )

    def brought(self, number: int, night: int) -> Counter[Row]:
        bureau = self.bureaus[number]
        return Counter({row: n for row, n in self.nights[night].content.items() if self.is_of(row, bureau)})

    @staticmethod
    def is_of(row: Row, bureau: Bureau) -> bool:
        whose, slot, *_ = place_of(row)
        return (whose, slot) == ("air" if bureau.kind in APIS else "mianyang", bureau.slot)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("hostile")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        decent, bureaus = stack.enter_context(Partner()), _bureaus(stack)
        told = Story(bureaus, _undisturbed(folder, bureaus), home=folder / "home")
        home = stack.enter_context(home_in(told.home))
        _lead_names(patch, bureaus)
        patch.setattr(fetch, "Caps", QUICK)
        patch.setattr(behaviours, "formatdate", _dates_of(home.clock))
        log = stack.enter_context(logged())
        memory = stack.enter_context(Memory())
        for night in range(NIGHTS):
            _declare_all(home, [bureau for bureau in bureaus if bureau.first <= night], decent)
            _serve(decent, night)
            for trouble, bureau in zip(TROUBLES, bureaus, strict=True):
                bureau.serve(night)
                if night == 1:
                    trouble.put(bureau)
            told.nights.append(_seen(home, night))
        told.told = {
            kind: {(alarm["code"], alarm["source"]) for one in outbox(home.road.kept, home.clock()) if one.kind == kind
                   for alarm in one.alarms}
            for kind in ("opened", "recovered")
        }  # fmt: skip
        told.grown, told.logged = memory.grown, "\n".join(log)
    yield told


def _bureaus(stack: ExitStack) -> list[Bureau]:
    slots, bureaus = {True: count(), False: count()}, []
    for number, trouble in enumerate(TROUBLES):
        tls = Turncoat() if trouble.tls else None
        name = f"source{number}.test" if trouble.named else "localhost"
        partner = stack.enter_context(Partner(tls.door if tls else None, name=name))
        slot = next(slots[trouble.kind in APIS])
        bureaus.append(Bureau(number, slot, trouble.kind, partner, tls, first=int(not trouble.known)))
    return bureaus


def _undisturbed(folder: Path, bureaus: Sequence[Bureau]) -> Counter[Row]:
    """Publish all that the bureaus have at once, in a home of its own."""
    lines, items = [], []
    for bureau in bureaus:
        bureau.serve(NIGHTS)
        if bureau.kind in APIS:
            items += bureau.items()
        else:
            lines += [row for night in bureau.nights() for one in sections(night) for row in bureau.lines(one, night)]
    files = {
        ("mianyang", "water", "csv"): water(lines),
        ("mianyang", "air", "json"): f"[{','.join(items)}]".encode(),
        ("beibei", "water", "csv"): water(line("BBW01", night, 0) for night in range(NIGHTS)),
    }
    with home_in(folder / "undisturbed") as home:
        home.clock.set(day_of(NIGHTS), "02:00")
        for (bureau_name, dataset, ending), body in files.items():
            path = folder / f"{bureau_name}-{dataset}.{ending}"
            path.write_bytes(body)
            (outcome,) = submit(home.road, path, bureau_name, dataset)
            assert outcome.state == "published", outcome
        return content(home.rows())


def _declare_all(home: Home, bureaus: Sequence[Bureau], decent: Partner) -> None:
    home.declare("mianyang", [declaration(bureau, TROUBLES[bureau.number]) for bureau in bureaus])
    for bureau in bureaus:
        if bureau.tls:
            path = home.road.places.site_facts / "mianyang" / f"{bureau.number}.pem"
            bureau.tls.authority.cert_pem.write_to_path(path)
    kind = f'kind = "listing"\ndataset = "water"\nurl = "{decent.url("/water/")}"'
    home.declare(
        "beibei",
        [
            SOURCE.format(
                name="water", kind=kind, more="", paging="", by="06:00", since=day_of(0), until=day_of(NIGHTS - 1)
            )
        ],
    )


def _serve(decent: Partner, night: int) -> None:
    files = {f"{day_of(one)}.csv": water([line("BBW01", one, 0)]) for one in range(night + 1)}
    decent.script("/water/", listing(files))
    for name, body in files.items():
        decent.script(f"/water/{name}", document(body))


def _lead_names(patch: pytest.MonkeyPatch, bureaus: Sequence[Bureau]) -> None:
    """Be the resolver of the names of these servers; all others are left to the real one."""
    real = socket.getaddrinfo
    led = {bureau.partner.url("").split("/")[2].split(":")[0]: bureau for bureau in bureaus}

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not str(host).endswith(".test"):
            return real(host, port, *args, **kwargs)
        address = led[host].elsewhere.get(host, "127.0.0.1")
        if address is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(address, port, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", resolve)


def _dates_of(clock: Clock) -> Callable[..., str]:
    """Let the clocks of the servers go as ours."""

    def dates(at: float | None = None, usegmt: bool = False) -> str:
        return formatdate(clock().timestamp() if at is None else at, usegmt=usegmt)

    return dates


def _seen(home: Home, night: int) -> Seen:
    run = home.run(day_of(night + 1), "02:00", run_night)
    kept, rows = home.road.kept, home.rows()
    found = {visit.source: visit for visit in visits(kept, run_id=run)}
    asked = {key: exchanges(kept, visit_id=visit.visit_id) for key, visit in found.items()}
    return Seen(found, asked, home.alarms(), rows, content(rows))


# -- what must have come of it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(TROUBLES)), ids=[trouble.what for trouble in TROUBLES])
def test_a_trouble_is_told_by_its_name_and_costs_nothing(story, number):
    trouble, key = TROUBLES[number], story.bureaus[number].key
    visit, asked = story.of(number, 1)
    words = visit.message_en, [(one.status, one.error) for one in asked]
    assert (visit.state, visit.code) == (trouble.visited, trouble.code * (trouble.visited == "failed")), words
    named = {code for code, source in story.nights[1].alarms if source == key} - {"late"}
    assert named == ({trouble.code} if trouble.code else set())
    began = min(one.at for one in asked)
    took = max((one.at - began).total_seconds() + one.seconds for one in asked)
    assert trouble.longer <= took <= BUDGET + SLACK
    assert story.brought(number, 1) == story.expected(number, 1, trouble.lost), "what came before the trouble is out"


@pytest.mark.parametrize("number", range(len(TROUBLES)), ids=[trouble.what for trouble in TROUBLES])
def test_the_next_good_night_brings_what_was_missed(story, number):
    trouble, key = TROUBLES[number], story.bureaus[number].key
    for night in (0, 2) if trouble.known else (2,):
        visit, asked = story.of(number, night)
        states = {"new"} if not night or trouble.code else {"new", "unchanged"}
        words = visit.message_en, [(one.status, one.error) for one in asked]
        assert visit.state in states and not visit.code, words
        assert {code for code, source in story.nights[night].alarms if source == key} <= {"late"}
        assert story.brought(number, night) == story.expected(number, night, "")
    if trouble.code:
        assert (trouble.code, key) in story.told["opened"] and (trouble.code, key) in story.told["recovered"]


def test_the_bureau_beside_notices_nothing(story):
    for night, seen in enumerate(story.nights):
        visit = seen.visits[BESIDE]
        assert (visit.state, visit.arrived) == ("new", 1)
        assert not {code for code, source in seen.alarms if source in (BESIDE, "")}
        mine = {place_of(row)[2] for row in seen.content if place_of(row)[0] == "beibei"}
        assert mine == set(range(night + 1))


def test_what_was_out_before_is_untouched(story):
    before, during, after = (seen.rows for seen in story.nights)
    assert before and before <= during <= after, "the same rows, of the same batches, with the same times of record"


def test_the_tables_equal_those_of_a_home_without_trouble(story):
    assert story.nights[-1].content == story.undisturbed


def test_a_cut_download_goes_on_where_it_was_cut(story):
    (number,) = (number for number, trouble in enumerate(TROUBLES) if trouble.what == "cut, then whole")
    _, asked = story.of(number, 1)
    assert [one.status for one in asked] == [200, 206, 304] and asked[1].request["range"].startswith("bytes=")


def test_the_troubles_cost_little_memory(story):
    assert story.grown <= MEMORY, f"{story.grown >> 20} MB"


def test_the_key_of_the_sources_stands_nowhere(story):
    key = KEY_OF_SOURCE.encode()
    files = [path for path in story.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".html" for path in files) and any(path.name == "records.db" for path in files)
    assert [path for path in files if key in path.read_bytes()] == []
    assert KEY_OF_SOURCE not in story.logged
    sent = [request.header("authorization") for bureau in story.bureaus for request in bureau.partner.requests]
    assert set(sent) == {f"Bearer {KEY_OF_SOURCE}"}, "and yet it was sent to all of them"


def test_every_code_is_one_an_operator_can_look_up(story):
    assert {trouble.code for trouble in TROUBLES if trouble.code} <= set(alarm_kinds())


def test_five_failures_open_the_circuit_and_one_good_try_closes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "Caps", QUICK)
    with Partner(name="localhost") as partner, home_in(tmp_path / "home") as home:
        bureau = Bureau(0, 0, "listing", partner)
        home.declare("mianyang", [declaration(bureau, TROUBLES[0])])
        bureau.serve(0)
        door(status(401))(bureau)

        def visit(at: str) -> tuple[str, str, set[str]]:
            chosen = [home.sources()[bureau.key]]
            run = home.run(day_of(1), at, lambda night, run: run_once(night, run, chosen, Wanted()), "hour")
            (seen,) = visits(home.road.kept, run_id=run)
            return seen.state, seen.code, {code for code, source in home.alarms() if source == bureau.key}

        failing = {"unauthorised"}
        for hour in range(1, 5):
            assert visit(f"0{hour}:00") == ("failed", "unauthorised", failing)
        assert visit("05:00") == ("failed", "unauthorised", failing | {"circuit-open"})
        asked = len(partner.requests)
        assert visit("06:00")[:2] == visit("10:59")[:2] == ("skipped", "circuit-open")
        assert len(partner.requests) == asked, "left alone"
        assert visit("11:01")[:2] == ("failed", "unauthorised"), "one try in six hours"
        assert visit("12:00")[0] == "skipped"
        bureau.serve(0)
        assert visit("16:59")[0] == "skipped"
        state, code, left = visit("17:02")
        assert (state, code) == ("new", "") and not {"circuit-open", "unauthorised"} & left
        assert visit("18:00")[0] == "unchanged", "and it is visited every time again"

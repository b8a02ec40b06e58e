"""Invariants 1, 3, 4 and 5 of the exchange on generated files (2, receipts and crashes: ``test_crashes.py``).

The bulk of the files (1,000 with ``CI=true``) is read by the very functions the reading child calls, in this process,
through the same wire; a smaller share goes through real children, as zips, past the real gate, into homes on both
databases.
"""

from __future__ import annotations

import io
import math
import os
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import generated_files as makers
import pandas as pd
import psutil
import pytest
from generated_files import DATASETS, MEASURED, REGISTERED, Delivery, Form, Made
from here_reader import HereReader
from home_model import Model, home_at, rows_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.batch import Normalisation, RawBatch, ReadLimits, Verdict
from pipelines.errors import IntakeError, ReaderDied, RoadError
from pipelines.intake.read import Reader
from pipelines.rebuild import rebuild
from pipelines.sync import Road, judge_file, scratch_of, submit
from pipelines.validate.shapes import publishable
from records.chain import verify_chain
from schemas.loaders import bureaus, tables

CI = os.environ.get("CI") == "true"
RECEIVED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FILES = settings(
    max_examples=1000 if CI else 100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
FEWER = settings(FILES, max_examples=150 if CI else 20)
CHOICES = st.randoms(use_true_random=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """A road that keeps nothing and reads in this process."""
    home = tmp_path_factory.mktemp("here")
    with home_at(home / "home", "", RECEIVED, records=None) as road:
        road.reader = HereReader(road.limits)
        yield road


def judged(road: Road, made: Made) -> tuple[Verdict, dict[str, Normalisation]]:
    """Walk a file as far as the verdict; what was normalised comes by kind."""
    with scratch_of(road) as scratch:
        path = scratch / "upload"
        path.write_bytes(made.data)
        bureau = bureaus()[made.delivery.bureau]
        _, verdict, notes = judge_file(road, path, made.name, bureau, made.delivery.dataset, RECEIVED, scratch)
    by_kind: dict[str, Normalisation] = {}
    for note in notes:
        known = by_kind.get(note.what)
        by_kind[note.what] = replace(note, count=note.count + known.count) if known else note
    return verdict, by_kind


def out_of(made: Made, frame: pd.DataFrame) -> dict[tuple[int, str], tuple[Any, Any]]:
    """What would be published, by the place in the file: key and content as the truth tells them."""
    letters = frame["source_column"] if "source_column" in frame else [""] * len(frame)
    return dict(zip(zip(frame["source_row"], letters, strict=True), rows_of(made.delivery.dataset, frame), strict=True))


def balanced(rows: dict[str, int], results: dict[str, int]) -> None:
    assert rows["read"] == rows["clean"] + rows["partial"] + rows["refused"] + rows["repeated"]
    assert results["read"] == results["published"] + results["quarantined"] + results["repeated"]


@FILES
@given(CHOICES)
def test_exactly_the_good_results_go_out_unchanged_and_every_one_is_counted(here: Road, rng: random.Random) -> None:
    one = makers.delivery(rng)
    made = makers.write(one, makers.form(rng, len(one.lines)))
    verdict, notes = judged(here, made)
    rows, results = verdict.row_counts, verdict.result_counts
    balanced(rows, results)
    assert rows["read"] == made.read and results["read"] == made.results_read and results["missing"] == made.missing
    assert made.refused_rows is None or rows["refused"] == made.refused_rows
    going = out_of(made, publishable(verdict, "b-0"))
    assert going == {place: (one.key, one.content) for place, one in made.going.items()}
    assert verdict.state == ("accepted" if going else "refused")
    assert results["published"] == len(going)
    assert results["censored"] == sum(
        one.content[1] == "<" for one in made.going.values() if made.delivery.dataset in MEASURED
    )
    assert set(verdict.flag.tolist()) <= {1, 2, 3}
    assert told_in_findings(verdict, made)
    for what in ("full-width", "trimmed", "unit", "delimiter", "blank-row", "title-rows", "footer-row"):
        assert (notes[what].count if what in notes else 0) == made.notes.get(what, 0), what


def told_in_findings(verdict: Verdict, made: Made) -> bool:
    """Every result that was stopped has a finding that refuses it: its cell, its row, or the whole file."""
    told = verdict.findings[verdict.findings["severity"].str.startswith("refuse")]
    cells = set(zip(told["row"].tolist(), told["column"].tolist(), strict=True))
    rows = set(told.loc[told["severity"] != "refuse_value", "row"].tolist())
    kept = set(
        zip(verdict.quarantined["source_row"], verdict.quarantined.get("source_column", [""] * 99), strict=False)
    )
    if made.delivery.dataset in REGISTERED:
        return not made.stopped or bool(rows)
    return made.stopped <= kept and all(place in cells or place[0] in rows for place in made.stopped)


def test_the_generator_meets_everything_it_is_made_for(here: Road) -> None:
    """A property over files that are all alike would prove nothing."""
    rng = random.Random(11)
    seen: dict[str, int] = {}
    for _ in range(300):
        one = makers.delivery(rng)
        how = makers.form(rng, len(one.lines))
        made = makers.write(one, how)
        met = {one.bureau, one.dataset, how.kind, how.encoding, how.delimiter, *(k for k, n in made.notes.items() if n)}
        met |= {"broken"} if how.broken is not None and how.broken < len(one.lines) else set()
        met |= {"stopped"} if made.stopped else set()
        met |= {"nothing-goes-out"} if not made.going else set()
        met |= {"repeated"} if any(going.repeated for going in made.going.values()) else set()
        met |= {"refused-row"} if made.refused_rows else set()
        for line in one.lines:
            met |= {cell.status or cell.qualifier or "value" for cell in line.results.values()}
        for word in met:
            seen[word] = seen.get(word, 0) + 1
    wanted = {*DATASETS, *makers.BUREAUS, *makers.ENCODINGS, *makers.DELIMITERS, "csv", "xlsx", "broken", "stopped"}
    wanted |= {"nothing-goes-out", "repeated", "refused-row", "missing", "unreadable", "marked", "<", ">", ">=", "unit"}
    assert {word: seen.get(word, 0) for word in wanted if seen.get(word, 0) < 5} == {}


@FEWER
@given(CHOICES)
def test_encoding_delimiter_row_order_and_titles_do_not_change_what_goes_out(here: Road, rng: random.Random) -> None:
    one = makers.delivery(rng, good=True)
    turned = list(one.lines)
    rng.shuffle(turned)
    headers = list(one.headers)
    rng.shuffle(headers)
    forms = (Form(), replace(makers.form(rng, len(turned), whole=True), numbers=False))
    written = (
        makers.write(one, forms[0]),
        makers.write(replace(one, headers=tuple(headers), lines=tuple(turned)), forms[1]),
    )
    out = []
    for made in written:
        verdict, _ = judged(here, made)
        out.append(sorted(map(repr, out_of(made, publishable(verdict, "b-0")).values())))
    assert out[0] == out[1] and len(out[0]) == len(written[0].going)


# -- through the whole road ------------------------------------------------------------------------------------------


def test_generated_zips_pass_real_children_and_the_real_gate(database_url: str, tmp_path: Path) -> None:
    """Great Expectations never disagrees with the judge, and what is in the tables is what the generator said.

    Each database gets zips of its own.
    """
    rng = random.Random(2026 if database_url.startswith("sqlite") else 2027)
    model = Model()
    with home_at(tmp_path / "home", database_url, RECEIVED, gate=True) as road:
        for number in range(2 if CI else 1):
            bureau = makers.BUREAUS[number % 2]
            deliveries = [makers.delivery(rng, bureau=bureau) for _ in range(12)]
            files = [
                makers.write(one, makers.form(rng, len(one.lines)), f"{number}-{at}-{one.dataset}")
                for at, one in enumerate(deliveries)
            ]
            bundle = io.BytesIO()
            with zipfile.ZipFile(bundle, "w") as archive:
                for made in files:
                    archive.writestr(made.name, made.data)
            upload = tmp_path / f"{number}.zip"
            upload.write_bytes(bundle.getvalue())
            for made, outcome in zip(files, submit(road, upload, bureau), strict=True):
                assert outcome.file == made.name
                assert outcome.state == ("published" if made.going else "refused"), outcome.error
                assert outcome.error is None or outcome.error["code"] == "refused-by-rules", outcome.error
                balanced(outcome.rows, outcome.results)
                model.take(made)
        assert model.current() == model.published(road)
        assert verify_chain(road.kept).ok


def a_sequence(rng: random.Random, length: int) -> list[Made]:
    """Files in the order they come: new, corrections of the keys before (the pools are small), and repeats."""
    files: list[Made] = []
    focus = [(rng.choice(makers.BUREAUS), rng.choice(DATASETS)) for _ in range(2)]
    for number in range(length):
        if files and rng.random() < 0.2:
            files.append(rng.choice(files))
            continue
        bureau, dataset = rng.choice(focus)
        one: Delivery = makers.delivery(rng, bureau=bureau, dataset=dataset, good=rng.random() < 0.7)
        files.append(makers.write(one, makers.form(rng, len(one.lines)), f"{number}-{dataset}"))
    return files


@pytest.mark.parametrize("seed", range(5 if CI else 1))
def test_any_sequence_of_files_leaves_what_a_plain_model_says_now_then_and_rebuilt(
    seed: int, database_url: str, tmp_path: Path
) -> None:
    rng = random.Random(seed if database_url.startswith("sqlite") else 100 + seed)  # other files on each database
    model = Model()
    ticks = iter(RECEIVED + timedelta(minutes=number) for number in range(10_000))
    with home_at(tmp_path / "home", database_url, lambda: next(ticks)) as road:
        road.reader = HereReader(road.limits)
        receipts: dict[tuple[bytes, str], str | None] = {}
        for number, made in enumerate(a_sequence(rng, 8)):
            upload = tmp_path / f"{number}-{made.name}"
            upload.write_bytes(made.data)
            (outcome,) = submit(road, upload, made.delivery.bureau, made.delivery.dataset)
            known = receipts.setdefault((made.data, made.delivery.bureau), outcome.receipt)
            assert outcome.receipt == known, "the same bytes get the first receipt"
            if outcome.state != "repeated":
                assert outcome.state == ("published" if made.going else "refused"), outcome.error
                model.take(made)
            balanced(outcome.rows, outcome.results)
            assert outcome.results["read"] == made.results_read and outcome.rows["read"] == made.read
        assert model.current() == model.published(road)
        assert model.history() == model.published_history(road)
        finished = road.kept.publications()
        assert len(finished) == len(model.states)
        for publication, state in zip(finished, model.states, strict=True):
            assert model.published(road, as_of=publication.recorded_at) == state
        before = finished[0].recorded_at - timedelta(microseconds=1) if finished else RECEIVED
        assert model.published(road, as_of=before) == {}
        told = list(rebuild(road))
        assert len(told) == len(tables()) and all(good for *_, good in told), told
        assert verify_chain(road.kept).ok


# -- hostile bytes ---------------------------------------------------------------------------------------------------


def spoilt(rng: random.Random, data: bytes) -> bytes:
    """Damage a file: cut it, flip bytes, or put a piece of it where it does not belong."""
    way = rng.choice(("cut", "flip", "flip", "stuff", "turn"))
    if way == "cut":
        return data[: rng.randint(1, len(data))]
    if way == "turn":
        at = rng.randint(1, len(data) - 1)
        return data[at:] + data[:at]
    spoiled = bytearray(data)
    for _ in range(rng.randint(1, 40)):
        at = rng.randrange(len(spoiled))
        if way == "flip":
            spoiled[at] = rng.randrange(256)
        else:
            spoiled[at:at] = rng.choice(
                (b"\0", b'"', b"\xff\xfe", b"PK\x03\x04", b"<!DOCTYPE x>", b"[" * 5000, b",,,,")
            )
    return bytes(spoiled)


def same_sheets(one: RawBatch, other: RawBatch) -> bool:
    return [sheet.cells.to_pylist() for sheet in one.sheets] == [sheet.cells.to_pylist() for sheet in other.sheets]


def test_spoilt_files_end_at_most_their_own_child(tmp_path: Path) -> None:
    rng = random.Random(5)
    one = makers.measured_delivery(rng, "mianyang", "air", good=True)
    good = tmp_path / "good.csv"
    good.write_bytes(makers.write(one, Form()).data)
    limits = ReadLimits(seconds=20.0, memory_bytes=512 * 2**20)
    ended = 0
    with Reader(limits, keep_warm=True) as reader:
        first = reader.read(good, good.name, tmp_path / "first")
        for number in range(40 if CI else 8):
            another = makers.delivery(rng)
            made = makers.write(another, makers.form(rng, len(another.lines)))
            bad = tmp_path / f"bad-{number}{Path(made.name).suffix}"
            bad.write_bytes(spoilt(rng, made.data))
            try:
                reader.read(bad, bad.name, tmp_path / f"bad-{number}")
            except IntakeError as error:
                assert error.message and error.message_en
                ended += 1
            if number % 4 == 0:
                assert same_sheets(first, reader.read(good, good.name, tmp_path / f"after-{number}"))
        assert same_sheets(first, reader.read(good, good.name, tmp_path / "last"))
    assert ended, "nothing was spoilt enough to be refused"


def test_spoilt_files_never_break_a_step_of_the_road(here: Road) -> None:
    """Whatever the bytes are, the road ends in a verdict that balances or in an error of its own tree."""
    rng = random.Random(6)
    refused = 0
    for _ in range(400 if CI else 60):
        one = makers.delivery(rng)
        made = makers.write(one, makers.form(rng, len(one.lines)))
        try:
            verdict, _ = judged(here, replace(made, data=spoilt(rng, made.data)))
        except RoadError as error:
            assert error.message and error.message_en
            refused += 1
            continue
        balanced(verdict.row_counts, verdict.result_counts)
        frame = publishable(verdict, "b-0")
        assert len(frame) == verdict.result_counts["published"]
        if "value" in frame:
            assert not any(math.isinf(value) for value in frame["value"])
    assert refused


def test_a_child_killed_while_it_reads_is_an_error_of_that_file_alone(tmp_path: Path) -> None:
    one = makers.measured_delivery(random.Random(1), "mianyang", "air", good=True)
    good, big = tmp_path / "good.csv", tmp_path / "big.csv"
    good.write_bytes(makers.write(one, Form()).data)
    text = makers.write(one, Form()).data.decode()
    head, _, body = text.partition("\r\n")
    big.write_text(head + "\r\n" + body * (300_000 // len(one.lines)), encoding="utf-8")
    with Reader(ReadLimits()) as reader:
        first = reader.read(good, good.name, tmp_path / "first")
        reader.start()
        (child,) = [p for p in psutil.Process().children() if "pipelines.intake.child" in p.cmdline()]
        stopper = psutil.Popen(["sh", "-c", f"while [ ! -s {tmp_path}/second/text ]; do :; done; kill -9 {child.pid}"])
        with pytest.raises(ReaderDied) as caught:
            reader.read(big, big.name, tmp_path / "second")
        assert stopper.wait(10) == 0 and caught.value.code == "reader-died"
        assert same_sheets(first, reader.read(good, good.name, tmp_path / "third"))

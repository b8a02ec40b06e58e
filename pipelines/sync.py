"""The four steps in order, for one batch: the picture of the system.

``intake → standardise → validate → publish``. A kill at any point leaves a batch that :func:`resume` takes up where it
stood, exactly once: every step before publication can be repeated with the same outcome (the clock of the judgement is
the time of receipt), and publication itself is one transaction of the table store, under the batch's own number.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.batch import FINDING_COLUMNS, Normalisation, Outcome, Places, ReadLimits
from pipelines.disk import digest
from pipelines.errors import GateRefused, OurFault, PublishError, RoadError, Stopped, UnreadableFile, WrongSender
from pipelines.intake.personal import is_personal
from pipelines.intake.read import Reader, unpack
from pipelines.intake.receive import kept_path, receive, sweep
from schemas.experts import PersonRow
from schemas.layouts import layouts
from schemas.loaders import Bureau, bureaus, catalogue_hash

UNFINISHED = ("received", "read", "judged")
AWAITED = "awaited"
"""As ``records.store`` has them; the records are imported only where there are any."""

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.batch import RawBatch, Recognised, Verdict
    from pipelines.validate.gate import Gate
    from records.store import BatchRecord, DataFile, Records
    from records.waivers import Waiver
    from schemas.loaders import Table

DISPLAYED = 1000
"""Findings shown in an outcome; all are kept beside the batch."""
HISTORY_DAYS = 60
NIGHT = "night:"
"""How ``submitted_by`` of a batch begins that the night fetched; the key of its source follows."""
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".json", ".geojson", ".xml", ".zip", ".dat")


@dataclass
class Road:
    """What a walk needs from outside: the home, its records, the clock, and the two child processes."""

    places: Places
    clock: Callable[[], datetime]
    records: Records | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    submitted_by: str = "cli"
    warm: bool = False
    reader: Reader = field(init=False)
    gate: Gate | None = field(init=False, default=None)
    progress: Callable[[str], None] = field(default=lambda step: None)
    confirm: Callable[[], None] = field(default=lambda: None)
    """Called just before a table is committed; raises where this process may no longer publish."""
    leads: bool = False
    """This process holds the lease of the night: batches of the night are its own, whoever left them."""
    catalogue_later: bool = False
    """Whoever walks many files calls :func:`renew_catalogue` at their end: it opens every table."""

    def __post_init__(self) -> None:
        self.reader = Reader(self.limits, keep_warm=self.warm)

    def start(self, *, gate: bool) -> None:
        """Start the reading child, and the gate's, at once: their imports run beside everything else."""
        self.reader.start()
        if gate and self.gate is None:
            from pipelines.validate.gate import Gate

            self.gate = Gate(self.places.docs, keep_warm=self.warm)
            self.gate.start()

    def close(self) -> None:
        """End the children."""
        self.reader.close()
        if self.gate is not None:
            self.gate.close()

    def __enter__(self) -> Road:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def site(self) -> Path | None:
        """Facts of this home."""
        return self.places.site_facts if self.places.site_facts.is_dir() else None

    @property
    def kept(self) -> Records:
        """The records; a check has none."""
        assert self.records is not None, "this road keeps nothing"
        return self.records


def judge_file(
    road: Road,
    path: Path,
    name: str,
    bureau: Bureau,
    dataset: str | None,
    received: datetime,
    scratch: Path,
    known: datetime | None = None,
    layout: str | None = None,
) -> tuple[RawBatch, Verdict, list[Normalisation]]:
    """Walk one file as far as the verdict: read, recognise, standardise, judge.

    ``received`` is the clock of the judgement, ``known`` the instant up to which waivers and history count (the same,
    unless a batch is judged again). ``layout`` names the only layout the file may have.

    Raises
    ------
    RoadError
        The file is refused whole. A bug of ours comes as ``OurFault`` with its trace as a note: a file that trips over
        it must not stand in the way of the next one.
    """
    try:
        return _judge_file(road, path, name, bureau, dataset, received, known or received, scratch, layout)
    except (RoadError, Stopped, OSError, MemoryError):
        raise
    except Exception as error:
        fault = OurFault(
            "our-fault",
            f"程序内部错误（{type(error).__name__}），文件未处理；原文件已保留，请把批次号告诉管理员",
            f"an error of ours ({type(error).__name__}): the file was not processed; it is kept, tell the administrator",
        )
        fault.add_note("".join(traceback.format_exception(error)))
        raise fault from error


def _judge_file(
    road: Road,
    path: Path,
    name: str,
    bureau: Bureau,
    dataset: str | None,
    received: datetime,
    known: datetime,
    scratch: Path,
    layout: str | None,
) -> tuple[RawBatch, Verdict, list[Normalisation]]:
    road.progress("read")
    raw = road.reader.read(path, name, scratch)
    from pipelines.standardise import to_table
    from pipelines.validate.judge import judge

    road.progress("standardise")
    found, notes = _recognised(road, raw, bureau, dataset, layout)
    day = (received + timedelta(hours=8)).date()
    batch = to_table(found, raw, bureau, day, road.site)
    if not len(batch.rows):
        raise UnreadableFile(
            "no-rows",
            f"没有数据行：表头（第 {found[0].header_row} 行）之下没有记录",
            f"no data rows: there are no records below the header (row {found[0].header_row})",
            sheet=found[0].sheet.name,
            row=found[0].header_row or None,
        )
    road.progress("judge")
    verdict = judge(
        batch, received, waivers=_waivers(road, bureau, known), history=_history(road, batch.table, bureau, known)
    )
    return raw, verdict, [*raw.normalised, *notes, *batch.normalised]


def _recognised(
    road: Road, raw: RawBatch, bureau: Bureau, dataset: str | None, layout: str | None
) -> tuple[tuple[Recognised, ...], tuple[Normalisation, ...]]:
    from pipelines.intake.recognise import recognise

    allowed = tuple(one for one in layouts(bureau.bureau, road.site) if layout in (None, one.layout))
    return recognise(raw, allowed, dataset)


def check(
    road: Road,
    path: Path,
    bureau_code: str,
    dataset: str | None = None,
    *,
    name: str = "",
    personal: bool = True,
    seen: Callable[[str, Path, Verdict], None] = lambda name, member, verdict: None,
) -> Iterator[Outcome]:
    """Judge a file (each member, if it is a zip) and keep nothing.

    ``name`` is what the file is called where its path does not say it. ``seen`` is given each member that was judged, with
    its verdict, before its outcome is told. Without ``personal`` a list of experts is refused.
    """
    with scratch_of(road) as scratch:
        for label, member, refused in _members(road, path, scratch, name):
            outcome = Outcome(label, bureau=bureau_code)
            try:
                if refused is not None:
                    raise refused
                bureau = _bureau(road, bureau_code)
                if not personal and (dataset == "experts" or is_personal(member, layouts(bureau.bureau, road.site))):
                    raise _no_roster()
                outcome.sha256, outcome.rules = digest(member), catalogue_hash(road.site)
                raw, verdict, notes = judge_file(road, member, label, bureau, dataset, road.clock(), scratch)
                if not personal and verdict.batch.dataset == "experts":
                    raise _no_roster()
                seen(label, member, verdict)
                _tell(outcome, raw, verdict, notes)
                outcome.state = "accepted" if verdict.state == "accepted" else "refused"
                outcome.error = _why_refused(verdict)
            except RoadError as error:
                outcome.state, outcome.error = "refused", error.as_json()
            yield outcome


def read_experts(road: Road, path: Path, bureau_code: str) -> Iterator[tuple[Outcome, tuple[PersonRow, ...]]]:
    """Judge an expert list (each member, if it is a zip) and give, if it is accepted, its rows with the numbers in clear.

    Nothing is kept, and nothing of it stands on a disk meanwhile; outcome and findings hold masks only. The rows are for
    the vault of the expert registry.
    """
    from pipelines.memory_scratch import empty, memory_scratch
    from pipelines.standardise.people import people

    otherwise = road.places.home / "scratch"
    otherwise.mkdir(parents=True, exist_ok=True)
    with memory_scratch(path.stat().st_size, otherwise) as scratch:
        for name, member, refused in _members(road, path, scratch):
            outcome, rows = Outcome(name, bureau=bureau_code), tuple[PersonRow, ...]()
            grids = scratch / "grids"
            try:
                if refused is not None:
                    raise refused
                bureau = _bureau(road, bureau_code)
                outcome.sha256, outcome.rules = digest(member), catalogue_hash(road.site)
                raw, verdict, notes = judge_file(road, member, name, bureau, "experts", road.clock(), grids)
                empty(grids)
                _tell(outcome, raw, verdict, notes)
                outcome.state = "accepted" if verdict.state == "accepted" else "refused"
                outcome.error = _why_refused(verdict)
                if outcome.state == "accepted":
                    found, _ = _recognised(road, raw, bureau, "experts", None)
                    rows = people(found)
                    assert len(rows) == len(verdict.batch.rows) == len(verdict.positions), "a list goes in whole"
            except RoadError as error:
                outcome.state, outcome.error = "refused", error.as_json()
            yield outcome, rows


def submit(
    road: Road,
    path: Path,
    bureau_code: str,
    dataset: str | None = None,
    *,
    layout: str | None = None,
    submitted_by: str | None = None,
) -> Iterator[Outcome]:
    """Walk a file (each member, if it is a zip) down the whole road."""
    with scratch_of(road) as scratch:
        container = None
        for name, member, refused in _members(road, path, scratch):
            outcome = Outcome(name, bureau=bureau_code)
            if member != path and container is None:
                container = digest(path)
            try:
                bureau = _bureau(road, bureau_code)
                if dataset == "experts" or is_personal(member, layouts(bureau.bureau, road.site)):
                    raise _no_roster()
                batch, repeated = receive(
                    member,
                    name,
                    bureau.bureau,
                    road.places,
                    road.kept,
                    road.clock(),
                    submitted_by=submitted_by or road.submitted_by,
                    facts=facts_in_force(road, bureau, road.clock()),
                    limit=road.limits.file_bytes,
                    dataset=dataset,
                    layout=layout,
                    container=container,
                )
            except RoadError as error:
                outcome.state, outcome.error = "refused", error.as_json()
                yield outcome
                continue
            if repeated:
                yield first_outcome(road, batch, name)
            elif refused is not None:
                yield _refuse(road, batch, outcome, refused)
            else:
                with _held(road, batch.batch_id):
                    batch = road.kept.batch(batch.batch_id)
                    if batch.state == "received":
                        yield walk(road, batch, scratch)
                    else:
                        yield first_outcome(road, batch, name, batch.state)


def walk(road: Road, batch: BatchRecord, scratch: Path) -> Outcome:
    """Walk a received batch to its end: judged, gated, published; or refused, or held."""
    from pipelines.validate.shapes import covers

    records, bureau = road.kept, _bureau(road, batch.bureau)
    outcome = Outcome(
        batch.file_name, batch.sha256, batch.bureau, batch_id=batch.batch_id, receipt=batch.receipt_number
    )
    outcome.rules = batch.rules_hash
    path = kept_path(road.places.uploads, batch.sha256)
    try:
        raw, verdict, notes = judge_file(
            road, path, batch.file_name, bureau, batch.dataset_asked or None, batch.received_at, scratch,
            layout=batch.layout_asked,
        )  # fmt: skip
        if verdict.batch.dataset == "experts":
            path.unlink(missing_ok=True)
            raise _no_roster()
        _tell(outcome, raw, verdict, notes)
    except RoadError as error:
        return _refuse(road, batch, outcome, error)
    told = {
        "dataset": outcome.dataset, "layout": outcome.layout, "encoding": outcome.encoding, "rows": outcome.rows,
        "results": outcome.results, "normalised": outcome.normalised,
    }  # fmt: skip
    if batch.state == "received":
        batch = records.advance(
            batch.batch_id, "read", road.clock(), **{k: told[k] for k in ("dataset", "layout", "encoding")}
        )
    days = covers(verdict)
    _keep_verdict(road, batch, verdict, batch.rules_hash)
    if batch.state in ("read", "held"):
        batch = records.advance(batch.batch_id, "judged", road.clock(), covers=days, **told)
    _save_answers(road, batch, verdict)
    if verdict.state == "refused":
        outcome.state, outcome.error = "refused", _why_refused(verdict)
        records.advance(batch.batch_id, "refused", road.clock(), error=outcome.error, covers=days, **told)
        return outcome
    try:
        going = outgoing(verdict, batch.batch_id)
        road.progress("gate")
        _gate(road, verdict, batch, scratch, going[0][1])
        road.progress("publish")
        outcome.tables = publish(road, going, batch)
    except GateRefused as error:
        records.advance(batch.batch_id, "held", road.clock(), error=error.as_json())
        outcome.state, outcome.error = "held", error.as_json()
        return outcome
    except PublishError as error:
        outcome.state, outcome.error = "judged", error.as_json()
        return outcome
    outcome.state = "published"
    return outcome


def outgoing(verdict: Verdict, batch_id: str) -> list[tuple[Table, pd.DataFrame]]:
    """Give the rows that may go out, table by table: the batch's own first."""
    from pipelines.validate.shapes import publishable, side_tables

    return [(verdict.batch.table, publishable(verdict, batch_id)), *side_tables(verdict, batch_id)]


def publish(road: Road, going: list[tuple[Table, pd.DataFrame]], batch: BatchRecord) -> list[dict[str, object]]:
    """Write what may go out into the shared tables, each in one transaction, and record it."""
    publication = road.kept.begin_publication(batch.batch_id, road.clock())
    told, files, retired = write_tables(road.places, going, batch.batch_id, publication.recorded_at, road.confirm)
    road.kept.finish_publication(batch.batch_id, told, files, road.clock(), retired)
    if not road.catalogue_later:
        renew_catalogue(road)
    return told


def renew_catalogue(road: Road) -> None:
    """Write the catalogue where it does not tell the tables as they are, whoever published and was killed before this."""
    from pipelines.publish.catalogue import is_current, write_catalogue

    if not is_current(road.places.tables, road.places.catalogue):
        write_catalogue(road.places.tables, road.places.catalogue, road.site)


def write_tables(
    places: Places,
    going: list[tuple[Table, pd.DataFrame]],
    batch_id: str,
    recorded_at: datetime,
    confirm: Callable[[], None] = lambda: None,
) -> tuple[list[dict[str, object]], list[DataFile], list[tuple[str, str]]]:
    """Commit each table; give the changes, the files that came and those that went."""
    from pipelines.publish.commit import publish_table
    from records.store import DataFile

    told, files, retired = [], [], []
    for table, frame in going:
        done = publish_table(
            frame,
            table,
            places.tables,
            batch_id=batch_id,
            recorded_at=recorded_at,
            lock_dir=places.home / "locks",
            confirm=confirm,
        )
        told.append(done.change.as_json())
        files += [DataFile(f.table, f.path, f.sha256, f.bytes) for f in done.files_added]
        retired += [(table.table, path) for path in done.files_removed]
    return told, files, retired


def judge_again(road: Road, batch: BatchRecord) -> Outcome:
    """Judge a kept batch under today's rules, publish nothing; both verdicts stay."""
    outcome = Outcome(
        batch.file_name, batch.sha256, batch.bureau, batch_id=batch.batch_id, receipt=batch.receipt_number
    )
    outcome.rules = facts_in_force(road, _bureau(road, batch.bureau), road.clock())
    with scratch_of(road) as scratch:
        path = kept_path(road.places.uploads, batch.sha256)
        raw, verdict, notes = judge_file(
            road,
            path,
            batch.file_name,
            _bureau(road, batch.bureau),
            batch.dataset_asked or None,
            batch.received_at,
            scratch,
            known=road.clock(),
            layout=batch.layout_asked,
        )
    _tell(outcome, raw, verdict, notes)
    outcome.state = verdict.state
    _keep_verdict(road, batch, verdict, outcome.rules)
    return outcome


def tidy(road: Road) -> int:
    """Remove what a crash left behind an hour ago or earlier: unfinished copies and scratch folders."""
    old = road.clock().timestamp() - 3600
    count = sweep(road.places.uploads, old)
    for folder in (road.places.home / "scratch").glob("walk-*"):
        if folder.stat().st_mtime < old:
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    return count


def resume(road: Road) -> Iterator[Outcome]:
    """Take up what a crash left unfinished; batches another process is walking are left to it.

    The holder of the night's lease takes up the night's own batches even where their lock is held: a process that was
    stopped and never went on holds it for ever, and its writes fail now that the lease has moved.
    """
    tidy(road)
    for batch in road.kept.unfinished():
        if not kept_path(road.places.uploads, batch.sha256).exists():
            continue
        with _held(road, batch.batch_id, wait=False) as mine:
            if not mine and not (road.leads and batch.submitted_by.startswith(NIGHT)):
                continue
            batch = road.kept.batch(batch.batch_id)
            if batch.state in UNFINISHED and batch.review != AWAITED:
                road.start(gate=True)
                with scratch_of(road) as scratch:
                    yield walk(road, batch, scratch)


def take_up(road: Road, batch_id: str) -> Outcome:
    """Walk one received batch to its end, or tell what another process made of it; one that waits for a person waits."""
    with _held(road, batch_id):
        batch = road.kept.batch(batch_id)
        if batch.state not in UNFINISHED or batch.review == AWAITED:
            return first_outcome(road, batch, batch.file_name, batch.state)
        road.start(gate=True)
        with scratch_of(road) as scratch:
            return walk(road, batch, scratch)


def retry(road: Road, batch: BatchRecord) -> Outcome:
    """Walk a held batch again: judged, gated and, if the gate agrees now, published."""
    with _held(road, batch.batch_id):
        batch = road.kept.batch(batch.batch_id)
        if batch.state != "held":
            return first_outcome(road, batch, batch.file_name, batch.state)
        with scratch_of(road) as scratch:
            return walk(road, batch, scratch)


def first_outcome(road: Road, batch: BatchRecord, name: str, state: str = "repeated") -> Outcome:
    """Answer from the records: a repeat gets the first receipt and its counts."""
    outcome = Outcome(name, batch.sha256, batch.bureau, batch.dataset, batch.layout, batch.encoding, state)
    outcome.batch_id, outcome.receipt, outcome.rules = batch.batch_id, batch.receipt_number, batch.rules_hash
    outcome.rows = {**outcome.rows, **batch.rows}
    outcome.results = {**outcome.results, **batch.results}
    outcome.tables, outcome.normalised, outcome.error = batch.tables, batch.normalised, batch.error
    folder = road.places.batches / batch.batch_id
    if (folder / "findings.parquet").exists():
        from pipelines.validate.keep import findings

        frame = findings(folder)
        outcome.findings, outcome.findings_total = _displayed(frame), len(frame)
    return outcome


def _refuse(road: Road, batch: BatchRecord, outcome: Outcome, error: RoadError) -> Outcome:
    outcome.state, outcome.error = "refused", error.as_json()
    outcome.sha256, outcome.batch_id, outcome.receipt = batch.sha256, batch.batch_id, batch.receipt_number
    outcome.rules = batch.rules_hash
    if isinstance(error, OurFault):
        folder = road.places.batches / batch.batch_id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "trace.txt").write_text("\n".join(error.__notes__), encoding="utf-8")
    road.kept.advance(batch.batch_id, "refused", road.clock(), error=outcome.error)
    return outcome


def _why_refused(verdict: Verdict) -> dict[str, object] | None:
    """Say in one sentence why the rules let nothing of a file through."""
    if verdict.state != "refused":
        return None
    refusing = verdict.findings[verdict.findings["severity"].str.startswith("refuse")]
    codes = "、".join(refusing["rule"].value_counts().index[:5].tolist())
    whole = verdict.batch.layout.all_or_nothing and verdict.row_counts["refused"] < verdict.row_counts["read"]
    zh = "本类文件须整批合格" if whole else "没有可以发布的内容"
    en = "files of this kind go through whole or not at all" if whole else "nothing in it can be published"
    first = refusing.iloc[0] if len(refusing) else None
    return RoadError(
        "refused-by-rules",
        f"{zh}：{verdict.row_counts['refused']} 行退回，规则 {codes}；请按问题清单改正后重新提交",
        f"{en}: {verdict.row_counts['refused']} rows refused by {codes}; correct them and send the file again",
        sheet=None if first is None else first["sheet"],
        row=None if first is None else int(first["row"]),
        column=None if first is None else first["column"],
    ).as_json()


def _no_roster() -> WrongSender:
    return WrongSender(
        "no-roster",
        "专家名单含个人信息，请用 gongzhi experts import 导入；文件未保存",
        "an expert list holds personal data: gongzhi experts import takes it; nothing was kept",
    )


def _bureau(road: Road, code: str) -> Bureau:
    known = bureaus(road.site)
    if code not in known:
        raise WrongSender(
            "unknown-bureau",
            f"不认识的报送单位“{code}”；已登记：{'、'.join(known)}",
            f"unknown bureau {code!r}; known: {', '.join(known)}",
        )
    return known[code]


def _members(road: Road, path: Path, scratch: Path, called: str = "") -> Iterator[tuple[str, Path, RoadError | None]]:
    """Give the files of an upload, or the upload itself with the reason it cannot be unpacked."""
    called = called or path.name
    try:
        yield from ((name, member, None) for name, member in unpack(path, called, road.limits, scratch))
    except RoadError as error:
        yield called, path, error


def _tell(outcome: Outcome, raw: RawBatch, verdict: Verdict, notes: list[Normalisation]) -> None:
    outcome.encoding, outcome.dataset, outcome.layout = raw.encoding, verdict.batch.dataset, verdict.batch.layout.layout
    outcome.rows, outcome.results = verdict.row_counts, verdict.result_counts
    outcome.normalised = [note.as_json() for note in notes]
    outcome.findings, outcome.findings_total = _displayed(verdict.findings), len(verdict.findings)


def _displayed(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Give the findings shown, as plain values."""
    shown = frame.head(DISPLAYED)
    columns = {name: shown[name].tolist() for name in FINDING_COLUMNS}
    return [
        {
            name: (None if value is None or value != value else value)
            for name, value in zip(columns, values, strict=True)
        }
        for values in zip(*columns.values(), strict=True)
    ]


def _keep_verdict(road: Road, batch: BatchRecord, verdict: Verdict, rules: str) -> None:
    """Keep findings and quarantine beside the batch, one folder for each edition of the rules."""
    from pipelines.validate.keep import keep

    first = rules == batch.rules_hash
    folder = road.places.batches / batch.batch_id
    folder = folder if first else folder / rules.removeprefix("sha256:")[:12]
    keep(verdict, folder)
    path = str(folder.relative_to(road.places.home))
    road.kept.add_verdict(batch.batch_id, rules, road.clock(), verdict.row_counts, verdict.result_counts, path)


def _gate(road: Road, verdict: Verdict, batch: BatchRecord, scratch: Path, frame: pd.DataFrame) -> None:
    if not len(verdict.positions):
        return
    if road.gate is None:
        road.start(gate=True)
    assert road.gate is not None
    road.gate.run(verdict, batch.batch_id, batch.received_at, scratch, frame)


def facts_in_force(road: Road, bureau: Bureau, known: datetime) -> str:
    """Give the hash of the facts a file of this bureau is judged by: the catalogue, and its waivers if there are any."""
    catalogue = catalogue_hash(road.site)
    waived = sorted(f"{w.id} {w.rule} {w.station} {w.since} {w.until}" for w in _waivers(road, bureau, known))
    if not waived:
        return catalogue
    return "sha256:" + hashlib.sha256("\n".join([catalogue, *waived]).encode()).hexdigest()


def _waivers(road: Road, bureau: Bureau, known: datetime) -> list[Waiver]:
    """Waivers in force when the file came, so that judging it again gives the same."""
    if road.records is None:
        return []
    from records.waivers import waivers

    return list(waivers(road.records, at=known, bureau=bureau.bureau))


def _history(road: Road, table: Table, bureau: Bureau, known: datetime) -> pd.DataFrame | None:
    """Medians of what this bureau had published when the file came, where there is something."""
    if table.partition is None or not (Path(road.places.tables) / table.table / "_delta_log").exists():
        return None
    from pipelines.publish.history import history_medians

    return history_medians(table, road.places.tables, bureau.bureau, known=known)


def _save_answers(road: Road, batch: BatchRecord, verdict: Verdict) -> None:
    """Keep the uploader's explanations, so that later files that bring the same value carry them."""
    answers = verdict.batch.answers
    if not answers:
        return
    from records.waivers import Answer, save_answers

    rows = {row for row, _ in answers}
    frame = verdict.findings[verdict.findings["row"].isin(rows)].head(10_000)
    columns = (frame[name].tolist() for name in ("row", "rule", "key", "header", "value"))
    save_answers(
        road.kept,
        [
            Answer(
                bureau=batch.bureau,
                rule=rule,
                key=key,
                header=header or "",
                value=value,
                text=answers[(int(row), "")],
                author=batch.submitted_by,
                batch_id=batch.batch_id,
                created_at=batch.received_at,
            )
            for row, rule, key, header, value in zip(*columns, strict=True)
        ],
    )


@contextlib.contextmanager
def scratch_of(road: Road) -> Iterator[Path]:
    """Give a walk its own scratch folder, gone afterwards."""
    folder = road.places.home / "scratch"
    base = folder if road.places.home.is_dir() else None
    if base is not None:
        base.mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="walk-", dir=base))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _held(road: Road, batch_id: str, *, wait: bool = True) -> Iterator[bool]:
    """Hold a batch for this process; the lock goes with the process, however it ends."""
    folder = road.places.home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # a fixed set of lock files: removing one that somebody waits on would let two processes in
    path = folder / f"batch-{int(batch_id[-12:], 16) % 1024:04d}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)

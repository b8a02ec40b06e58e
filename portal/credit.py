"""Put the credit register together: the files of a home, who asks, the newest data, and what is watched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from credit_registry.answers import read_subject
from credit_registry.errors import DamagedTable, IncompleteRequest, NoRegister
from credit_registry.published import TABLES
from credit_registry.register import Register
from credit_registry.states import may_tell, same_key
from credit_registry.store import build, outdated
from credit_registry.trace import Asker, bulk_use
from pipelines.batch import Places
from pipelines.publish.store import open_table, scrub
from portal.boards import CHINA
from portal.nightly import REGISTER_FAILED, channels_of, site_of
from records.alarms import Trouble, tell
from records.alarms import alarms as kept_alarms
from records.credit import Message, add_message
from records.store import Records
from schemas.alarms import alarm_kinds
from schemas.contracts import tables
from schemas.crosswalks import Crosswalk, crosswalks
from schemas.files import fold
from schemas.places import bureaus

if TYPE_CHECKING:
    from credit_registry.search import Finder

BULK = "bulk-lookups"
log = logging.getLogger("gongzhi.credit")


def folder_of(places: Places) -> Path:
    """Where registers of a home are built."""
    return places.home / "credit" / "register"


def site_crosswalks(places: Places) -> Path:
    """Where a site keeps its own editions of the crosswalk."""
    return places.home / "credit" / "crosswalks"


def refresh(places: Places, now: datetime, *, force: bool = False) -> Path:
    """Build the register anew where the shared tables went on; give the folder of the one in use.

    Raises
    ------
    DamagedTable
        Nothing is taken over from a table that cannot be read or proved; the register in use stays.
    """
    if force or outdated(places.tables, folder_of(places)):
        prove(places)
    return build(places.tables, folder_of(places), now, force=force)


def prove(places: Places) -> None:
    """Refuse shared tables whose data files are not, byte for byte, what the exchange published.

    A rating whose hash does not verify must not be recognised (reference on credit schemes §7), and a file changed by
    hand reads like any other.
    """
    opened = {name: open_table(tables()[name], places.tables) for name in TABLES}
    with Records.open(places.database_url) as records:
        kept = {(file.table, file.path): file for name in TABLES for file in records.files(name)}
        unfinished = any(one.finished_at is None for one in records.publications(unfinished=True))
    live = [(name, file.path) for name, table in opened.items() if table for file in table.files]
    strange = [key for key in live if key not in kept]
    if strange and unfinished:
        raise DamagedTable(
            "有公布尚未完成；请运行 gongzhi sync 续办，原有信用库保持不变",
            "a publication has not finished; run gongzhi sync, the register in use stays",
        )
    bad = [f"{name}/{path}" for name, path in strange]
    bad += [f"{file.table}/{file.path}" for file, _ in scrub(places.tables, (kept[key] for key in live if key in kept))]
    if bad:
        raise DamagedTable(
            f"共享表的数据文件与公布时的哈希不符：{'、'.join(bad)}；其中的评价和处罚不得采用。"
            "请运行 gongzhi verify tables 核对，再用 gongzhi rebuild 由原件重建；原有信用库保持不变",
            f"data files of shared tables are not what was published: {', '.join(bad)}; nothing is taken from them."
            " Run gongzhi verify tables, then gongzhi rebuild; the register in use stays",
        )


def refresh_after_night(places: Places, now: datetime) -> list[Trouble]:
    """Build the register after a night; give the trouble where that fails: the one before then stays in use."""
    try:
        refresh(places, now)
    except Exception as error:
        log.exception("信用库未能更新 / the credit register was not refreshed")
        zh, en = (getattr(error, "message", None) or str(error)), (getattr(error, "message_en", None) or str(error))
        return [
            Trouble(
                REGISTER_FAILED, "", "", alarm_kinds()[REGISTER_FAILED].severity, f"信用库未能更新，仍用原有的：{zh}",
                f"the credit register was not rebuilt, the one before stays in use: {en}",
            )
        ]  # fmt: skip
    return []


@dataclass
class Desk:
    """An opened register of a home; without one every answer says that its sources are not available."""

    places: Places
    records: Records
    register: Register | None
    behind: DamagedTable | None
    """Why the register is older than the tables, where it is."""

    @property
    def version(self) -> str:
        """The version of the data, blank where there is no register."""
        return self.register.version if self.register else ""

    @property
    def has_data(self) -> bool:
        """Whether anybody ever sent anything: else nothing found says nothing."""
        return self.register is not None and any(one.rows for one in self.register.sources())

    @cached_property
    def editions(self) -> tuple[Crosswalk, ...]:
        """The editions of the crosswalk, the site's own included."""
        return crosswalks(site_crosswalks(self.places))

    @cached_property
    def finder(self) -> Finder | None:
        """The search of this register."""
        from credit_registry.search import Finder

        return Finder(self.register.folder) if self.register else None


@contextmanager
def desk_of(places: Places, records: Records, now: datetime) -> Iterator[Desk]:
    """Open the register, brought up to date first where that is possible."""
    behind: DamagedTable | None = None
    try:
        if outdated(places.tables, folder_of(places)):
            refresh(places, now)
    except DamagedTable as error:
        behind = error
    try:
        register: Register | None = Register.open(folder_of(places))
    except NoRegister:
        register = None
    desk = Desk(places, records, register, behind)
    try:
        yield desk
    finally:
        if "finder" in desk.__dict__ and desk.finder is not None:
            desk.finder.close()
        if register is not None:
            register.close()


def viewer_of(unit: str, places: Places) -> str:
    """Find the bureau a unit belongs to: its code or name, alone or before a department (``beibei/执法支队``).

    Raises
    ------
    IncompleteRequest
        No bureau is named; an answer must know what is its own and what foreign.
    """
    text = fold(unit)
    parties = {code: one for code, one in bureaus(site_of(places)).items() if one.kind == "bureau"}
    named = [(name, code) for code, one in parties.items() for name in (one.name_zh, *one.aliases)]
    for name, code in sorted(named, key=lambda pair: -len(pair[0])):
        if len(name) > 2 and text.startswith(fold(name)):
            return code
    head = text.split("/")[0].strip()
    if head in parties:
        return head
    raise IncompleteRequest(
        f"单位“{text}”不属于任何一方；请写单位代码或全称（可加“/部门”）：{'、'.join(f'{c}={one.name_zh}' for c, one in parties.items())}",
        f"unit {text!r} belongs to no bureau; write its code or full name (and '/department'): {', '.join(parties)}",
    )


def end_of_day(day: date) -> datetime:
    """Give the last microsecond of a China day, as an aware UTC instant."""
    return datetime.combine(day + timedelta(days=1), time(), CHINA).astimezone(UTC) - timedelta(microseconds=1)


def read_known(text: str | None, now: datetime) -> datetime | None:
    """Read ``--known``: an instant, or a China day that is meant to its end; None is now.

    Raises
    ------
    IncompleteRequest
        It is no time, or lies in the future.
    """
    if text is None:
        return None
    try:
        at = end_of_day(date.fromisoformat(text)) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise IncompleteRequest(
            f"--known 应为日期或时刻，如 2026-04-14 或 2026-04-14T12:00，现为“{text}”",
            f"--known is a day or an instant, 2026-04-14 or 2026-04-14T12:00, not {text!r}",
        ) from error
    at = (at if at.tzinfo else at.replace(tzinfo=CHINA)).astimezone(UTC)
    if at > now and at.astimezone(CHINA).date() != now.astimezone(CHINA).date():
        raise IncompleteRequest("--known 不能晚于现在", "--known cannot lie in the future")
    return min(at, now)


def watch(places: Places, records: Records, now: datetime) -> list[dict[str, Any]]:
    """Open and count the alarms of bulk use, which only a person ends; give what is going on now."""
    ended = kept_alarms(records, open_only=False, since=now - timedelta(days=1), limit=None)
    found = bulk_use(
        records, now, {one.detail["user"]: one.closed_at for one in ended if one.code == BULK and one.closed_at}
    )
    if not found:
        return []
    severity = alarm_kinds()[BULK].severity
    troubles = [
        Trouble(BULK, f"credit/{one['user'][:100]}", "", severity, one["message"], one["message_en"], one)
        for one in found
    ]
    tell(records, troubles, (), now, [channel.name for channel in channels_of(places)])
    return found


def tell_message(
    desk: Desk,
    kind: str,
    bureau: str,
    code: str,
    target: str,
    key: str,
    effective: date,
    reason: str,
    document: str,
    author: str,
    now: datetime,
) -> Message:
    """Keep a message on a record the register holds; gives it back with its number.

    Raises
    ------
    BadCode
    IncompleteRequest
        No document, no such record, or one that another bureau has to tell of (谁认定、谁修复).
    """
    subject, _ = read_subject(code)
    if not document.strip():
        raise IncompleteRequest("信用消息须写明所依据的文书（--document）", "a message needs its document (--document)")
    dossier = desk.register.dossier(subject) if desk.register else None
    held = [*(dossier.ratings if target == "rating" else dossier.penalties)] if dossier else []
    record = next((one for one in held if same_key(one.key, key)), None)
    message = Message("", kind, bureau, subject, target, key, effective, reason, document, author, now)
    if record is None:
        known = "；".join(one.key for one in held) or "无"
        raise IncompleteRequest(
            f"信用库中 {subject} 没有记录“{key}”；有：{known}",
            f"the register holds no {key!r} of {subject}; it has: {known}",
        )
    if not may_tell(message, record.bureau):
        raise IncompleteRequest(
            f"这条记录由 {record.bureau} 报送，只有该单位可以告知{kind}（谁认定、谁修复）",
            f"{record.bureau} sent this record and alone may tell {kind} of it (who decided repairs)",
        )
    return add_message(desk.records, replace(message, key=record.key))


def asker_of(user: str, unit: str, certificate: str, purpose: str, plan: str) -> Asker:
    """Put together who asks."""
    return Asker(user=user, unit=unit, certificate=certificate, purpose=purpose, plan=plan)

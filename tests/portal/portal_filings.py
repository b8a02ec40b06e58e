"""Filings for the tests of the pages: files of the examples, uploaded and checked as people and workers do."""

from __future__ import annotations

import hashlib

from portal_home import DELIVERIES
from portal_web import Browser, Person, Town

from portal.access.caller import Caller
from portal.access.sessions import caller_of
from portal.filing import Incoming, Wish, begin, open_desk, work_off
from portal.filing.drafts import new_part
from portal.web.asking import csrf_token
from records.chain import Sm3
from records.filings import Filing, WantedFilings, filing, filings

CLEAN = {"beibei": "空气小时值_2026-04-06.xlsx", "mianyang": "空气小时值_20260406.csv"}
"""A file without a finding, of each bureau; the letter O for a nought, there for the demonstration, is mended."""
SLIP = (b",35O,", b",35,")
BOUNDARY = "x-no-file-chosen"


def example(bureau: str, name: str = "") -> bytes:
    """The bytes of an example delivery; without a name, of one that is clean."""
    return (DELIVERIES / bureau / (name or CLEAN[bureau])).read_bytes().replace(*SLIP)


def caller(town: Town, person: Person) -> Caller:
    """Somebody as the guard knows him."""
    found = caller_of(town.gate, town.session(person), town.clock.at)
    assert found is not None
    return found


def incoming(town: Town, name: str, content: bytes) -> Incoming:
    """A file as it has come in."""
    path = new_part(town.places)
    path.write_bytes(content)
    sm3 = Sm3()
    sm3.update(content)
    return Incoming(path, name, len(content), hashlib.sha256(content).hexdigest(), sm3.hexdigest())


def begun(town: Town, person: Person, name: str, content: bytes, **wish: str) -> Filing:
    """A filing of somebody, waiting in the queue."""
    desk = open_desk(town.places, town.records)
    return begin(desk, caller(town, person), incoming(town, name, content), Wish(**wish), town.clock.at)


def checked(town: Town, person: Person, name: str, content: bytes, **wish: str) -> Filing:
    """A filing of somebody after its check."""
    made = begun(town, person, name, content, **wish)
    settle(town)
    return filing(town.records, made.filing_id)


def settle(town: Town) -> None:
    """Do all work that waits, in this process."""
    work_off(open_desk(town.places, town.records), town.clock)


def some_filing(town: Town, bureau: str) -> str:
    """The number of a checked filing of a bureau, made once."""
    known = filings(town.records, WantedFilings(bureau, states=("checked",)), 0, 1).filings
    if known:
        return known[0].filing_id
    return checked(town, town.people[bureau, "uploader"], CLEAN[bureau], example(bureau)).filing_id


def upload(browser: Browser, files: dict[str, bytes], *, csrf: str | None = None, **fields: str) -> object:
    """Send the form of an upload as a browser without scripts does."""
    token = csrf_token(browser.token) if csrf is None else csrf
    if not files:
        return _nothing_chosen(browser, {"csrf": token} | fields)
    sent = [("file", (name, content, "application/octet-stream")) for name, content in files.items()]
    return browser.client.post(
        "/filings", data={"csrf": token} | fields, files=sent, headers={"origin": browser.origin}
    )  # fmt: skip


def _nothing_chosen(browser: Browser, fields: dict[str, str]) -> object:
    """What a browser sends when no file was chosen: a file without name and content, which httpx does not make."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    ]
    nameless = 'Content-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream'
    body = "\r\n".join([*parts, f"--{BOUNDARY}\r\n{nameless}\r\n\r\n", f"--{BOUNDARY}--\r\n"])
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "origin": browser.origin}
    return browser.client.post("/filings", content=body.encode(), headers=kind)

"""核验回执: for anybody who holds a receipt, without a login; shows nothing that the receipt does not show (U7).

Whoever asks must know number and hash of the file, which stand on the receipt, or hold its signed JSON. One address may
try ten times a minute.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.responses import Response

from portal.receipt_words import HASH_DIGITS, Fact
from portal.web.asking import Ask, Site
from portal.web.errors import Problem
from portal.web.filing.receipts import facts_of, replaced_by
from portal.web.pages import page
from portal.web.sessions import VISIT, keep
from records.errors import UnknownBatch
from records.filings import filing_of_batch
from records.keys import KeyRing
from records.receipts import receipt_on_chain, verify_receipt
from records.store import BatchRecord

TRIES = 10
SPAN = timedelta(minutes=1)
ADDRESSES = 10_000
"""Addresses remembered; the oldest are forgotten first."""
MOST = 128 * 1024
"""Bytes of the form with a pasted receipt."""
LONGEST_NUMBER = 60
WORDS = {"valid": ("有效", "valid"), "newer": ("已更新", "updated"), "not": ("无效", "not valid")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What verifying gave: ``valid``, ``newer`` (it was corrected or has gone on since) or ``not``."""

    how: str
    sentence: str
    facts: tuple[Fact, ...] = ()

    @property
    def word(self) -> tuple[str, str]:
        """Give the word of the answer."""
        return WORDS[self.how]


@dataclass
class Tries:
    """How often each address tried lately."""

    seen: dict[str, deque[datetime]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def one_more(self, address: str, at: datetime) -> bool:
        """Count a try; say whether it is still allowed."""
        with self.lock:
            tried = self.seen.pop(address, deque())
            while tried and tried[0] <= at - SPAN:
                tried.popleft()
            allowed = len(tried) < TRIES
            if allowed:
                tried.append(at)
            self.seen[address] = tried  # now the newest
            while len(self.seen) > ADDRESSES:
                del self.seen[next(iter(self.seen))]
            return allowed


def tries_of(site: Site) -> Tries:
    """Make the memory of the tries."""
    return Tries()


def verify_page(ask: Ask) -> Response:
    """Ask for number and hash, or answer for those of the address."""
    number, mark = (ask.query.get(name, "").strip()[: LONGEST_NUMBER + 20] for name in ("number", "hash"))
    answer = _counted(ask, lambda: by_number(ask, number, mark)) if number and mark else None
    return _page(ask, answer, number, mark)


def verify_text(ask: Ask) -> Response:
    """Answer for a pasted receipt."""
    return _page(ask, _counted(ask, lambda: by_text(ask, ask.form.get("receipt", ""))), "", "")


def by_number(ask: Ask, number: str, mark: str) -> Answer:
    """Verify by the number and at least the first digits of the file's hash."""
    mark = re.sub(r"\s", "", mark).lower()
    batch = _batch(ask, number)
    if batch is None or len(mark) < HASH_DIGITS or not batch.sha256.startswith(mark):
        return Answer("not", ask.words(
            "没有与此编号和 SHA-256 相符的回执。请核对输入，或联系开具单位。",
            "No receipt has this number and hash. Check what you entered, or ask the bureau.",
        ))  # fmt: skip
    return _standing(ask, batch, ask.words("回执属实。", "The receipt is genuine."))


def by_text(ask: Ask, text: str) -> Answer:
    """Verify a pasted receipt: its signature with our keys, its place on the chain, and whether it is the last word."""
    text = text.replace("\r\n", "\n").strip("\n") + "\n"  # a form sends line ends its own way
    report = verify_receipt(text, KeyRing.open(ask.site.places.keys).public_keys())
    if not report.ok or not report.trusted:
        return Answer("not", ask.words(f"{report.reason_zh}。", f"{report.reason_en}."))
    document = json.loads(text)
    batch = _batch(ask, str(document["number"]))
    if batch is None or not receipt_on_chain(ask.site.records, document):
        return Answer(
            "not",
            ask.words("签名有效，但证据链上没有这份回执。", "The signature fits, but the chain does not hold it."),
        )
    sentence = ask.words(
        "签名有效，内容未被改动，证据链上有记录。", "The signature fits, nothing was changed, and the chain holds it."
    )
    if document["state"] != batch.state:
        return Answer("newer", sentence + ask.words("此后状态已有变化，以下是现在的内容。", " It has gone on since; below is how it stands now."),
                      tuple(facts_of(ask, batch, filing_of_batch(ask.site.records, batch.batch_id))))  # fmt: skip
    return _standing(ask, batch, sentence)


def _standing(ask: Ask, batch: BatchRecord, sentence: str) -> Answer:
    facts = tuple(facts_of(ask, batch, filing_of_batch(ask.site.records, batch.batch_id)))
    if replaced_by(ask, batch):
        return Answer("newer", sentence + ask.words("所载数据此后已更正。", " The data were corrected since."), facts)
    return Answer("valid", sentence, facts)


def _batch(ask: Ask, number: str) -> BatchRecord | None:
    try:
        batch = ask.site.records.batch(number.strip())
    except UnknownBatch:
        return None
    return batch if batch.receipt_number == number.strip() else None


def _counted(ask: Ask, verify: Callable[[], Answer]) -> Answer:
    if not ask.site.once(tries_of).one_more(ask.client, ask.at):
        raise Problem(
            429, "too-many", "核验次数过多（每分钟最多 10 次），请稍后再试", "too many tries (at most 10 a minute); wait a little",
            headers={"retry-after": str(int(SPAN.total_seconds()))},
        )  # fmt: skip
    return verify()


def _page(ask: Ask, answer: Answer | None, number: str, mark: str) -> Response:
    response = page(ask, "filing/verify.html", answer=answer, number=number, hash=mark)
    keep(response, VISIT, ask.visit, ask.site.settings.secure)  # the form hangs on it
    return response

"""上传: takes the files of one request as they stream in, and begins a filing for each (U2, UPL-02 to UPL-26).

A browser is sent on to the filing (303); a script that sent the form with a bar follows it there. What cannot be taken
is told on the same form, so that nothing filled in is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from portal.filing import Incoming, Wish, begin
from portal.filing.errors import FilingError
from portal.web.asking import Ask, see
from portal.web.filing.choosing import LONGEST_REASON, SENT, corrected, filing_desk, form, period_fault
from portal.web.incoming import receive_upload
from records.filings import Filing

LONGEST_KEY = 64


async def send(ask: Ask) -> Response:
    """Take the files of a form."""
    incoming, fields = await receive_upload(ask)
    return await run_in_threadpool(taken, ask, incoming, fields)


def taken(ask: Ask, incoming: Sequence[Incoming], fields: Mapping[str, str]) -> Response:
    """Begin a filing for each file; the wish is looked at before any."""
    try:
        wish = wished(fields)
        faults = faults_of(ask, wish, incoming)
        if faults:
            return form(ask, wish, faults)
        begun, refused = begun_of(ask, wish, incoming)
    finally:
        for one in incoming:
            one.drop()  # what became a filing has moved
    if refused:
        return form(ask, wish, refused, begun)
    if len(begun) == 1:
        return see(f"/filings/{begun[0].filing_id}")
    return see("/filings", group=".".join(one.filing_id for one in begun))


def wished(fields: Mapping[str, str]) -> Wish:
    """Read what is to be done with the files."""
    dataset = fields.get("dataset", "")
    return Wish(
        purpose="check" if fields.get("purpose") == "check" else "file",
        dataset=dataset if dataset in SENT else "",
        period=fields.get("period", "").strip(),
        corrects=fields.get("corrects", "").strip(),
        reason=fields.get("reason", "").strip()[:LONGEST_REASON],
        idempotency_key=fields.get("key", "")[:LONGEST_KEY],
    )


def faults_of(ask: Ask, wish: Wish, incoming: Sequence[Incoming]) -> dict[str, str]:
    """Say what is wrong with a wish, by field; one that may not be is no wish at all."""
    ask.need("batch.check" if wish.purpose == "check" else "batch.submit", ask.me.bureau)
    faults = {}
    if corrected(ask, wish.corrects) is not None and not wish.reason:
        faults["reason"] = ask.words(
            "更正原因：没有填写。请写明为什么更正。", "Why it is corrected: not filled in. Say why."
        )  # fmt: skip
    if said := period_fault(ask, wish.period):
        faults["period"] = said
    if not incoming:
        faults["file"] = ask.words("文件：没有选择文件。请选择要上传的文件。", "File: none was chosen. Choose one.")
    elif wish.corrects and len(incoming) > 1:
        faults["file"] = ask.words("文件：更正一次只能上传一个文件。", "File: a correction is one file.")
    return faults


def begun_of(
    ask: Ask, wish: Wish, incoming: Sequence[Incoming]
) -> tuple[list[Filing], dict[str, str]]:  # fmt: skip
    """Begin what can begin; of the others say why, under the field of the file."""
    begun, refused = [], []
    for place, one in enumerate(incoming):
        key = f"{wish.idempotency_key}-{place}" if wish.idempotency_key else ""
        try:
            begun.append(begin(filing_desk(ask), ask.me, one, replace(wish, idempotency_key=key), ask.at))
        except FilingError as error:
            refused.append(f"{one.file_name}：{ask.words(error.message, error.message_en)}")
    return begun, {"file": " ".join(refused)} if refused else {}

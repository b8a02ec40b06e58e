"""What a filing and a delivery are called on the pages, and the colour beside the word."""

from __future__ import annotations

from portal.words import STATES
from records.filings import Filing
from records.store import BatchRecord

MOVING = ("queued", "checking", "handing_in")
"""A worker has it, or will have it: the page asks again by itself."""
OPEN = ("queued", "checking", "checked", "handing_in", "in_review", "returned", "failed")
"""Somebody has still to do something."""
NO_LAYOUT = ("unknown-layout", "unknown-column", "missing-column", "ambiguous-layout", "repeated-column")
"""Codes of refusals that a layout of one's own may mend."""
FILING_STATES = {
    "queued": ("排队中", "in the queue"),
    "checking": ("校验中", "being checked"),
    "checked": ("待提交", "to hand in"),
    "mend": ("需修改", "to be mended"),
    "tried": ("预检完成", "checked only"),
    "handing_in": ("提交中", "being handed in"),
    "in_review": ("待审核", "waits for review"),
    "published": ("已发布", "published"),
    "refused": ("已退回", "refused"),
    "held": ("已搁置", "held"),
    "returned": ("审核退回", "returned by the reviewer"),
    "withdrawn": ("已撤回", "withdrawn"),
    "failed": ("处理失败", "failed"),
    "repeated": ("重复文件", "the same file as before"),
}
TONES = {
    "queued": "", "checking": "", "checked": "warn", "mend": "bad", "tried": "", "handing_in": "", "in_review": "warn",
    "published": "good", "refused": "bad", "held": "warn", "returned": "bad", "withdrawn": "", "failed": "bad",
    "repeated": "",
}  # fmt: skip
STAGES = (
    ("sent", "上传完成", "uploaded"),
    ("queued", "排队", "in the queue"),
    ("read", "读取", "reading"),
    ("judge", "校验", "checking"),
    ("report", "生成报告", "writing the report"),
)
LAST_STAGES = (
    ("sent", "已收到", "received"),
    ("queued", "排队", "in the queue"),
    ("judge", "校验", "checking"),
    ("gate", "复核", "gate"),
    ("publish", "发布", "publishing"),
)
_STAGE_OF = {
    "standardise": "judge",
    "read": "read",
    "judge": "judge",
    "report": "report",
    "gate": "gate",
    "publish": "publish",
}


def told_state(filing: Filing) -> str:
    """Give the state a person is told: a check that ended is a draft, something to mend, or a check only."""
    if filing.state != "checked":
        return filing.state
    if filing.purpose == "check":
        return "tried"
    return "mend" if filing.error or filing.blocking else "checked"


def state_words(filing: Filing) -> tuple[str, str]:
    """Give the words of the state of a filing."""
    return FILING_STATES.get(told_state(filing), (filing.state, filing.state))


def state_tone(filing: Filing) -> str:
    """Give the tone of the state of a filing."""
    return TONES.get(told_state(filing), "")


def delivery_state(batch: BatchRecord, filing: Filing | None) -> tuple[tuple[str, str], str]:
    """Give words and tone of a delivery; one that a person handed in may wait for, or come back from, a reviewer."""
    if filing is not None and filing.state in ("in_review", "returned"):
        return FILING_STATES[filing.state], TONES[filing.state]
    tone = {"published": "good", "refused": "bad", "held": "warn"}.get(batch.state, "")
    return STATES.get(batch.state, (batch.state, batch.state)), tone


def stages_of(filing: Filing) -> list[tuple[str, tuple[str, str], str]]:
    """Give the stages of a moving filing: code, words, and ``done``, ``now`` or blank."""
    shown = LAST_STAGES if filing.state == "handing_in" else STAGES
    codes = [code for code, _, _ in shown]
    reached = _STAGE_OF.get(filing.stage, "queued") if filing.state != "queued" else "queued"
    at = codes.index(reached) if reached in codes else 2
    return [
        (code, (zh, en), "done" if place < at else "now" if place == at else "")
        for place, (code, zh, en) in enumerate(shown)
    ]  # fmt: skip

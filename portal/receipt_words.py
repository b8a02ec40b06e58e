"""What a receipt says, in words: once, for its page, for paper and for the public page (U7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from portal.web.words import DATASETS
from portal.words import STATES
from records.filings import Filing
from records.store import BatchRecord
from schemas.contacts import Contact

CHINA = timezone(timedelta(hours=8))
Say = Callable[[str, str], str]
Fact = tuple[str, str, str]
"""Name, value, and ``code`` where the value is to be read digit by digit."""
HASH_DIGITS = 16
"""As many digits of the file's hash open the public page; 64 bits."""


def receipt_facts(
    batch: BatchRecord, filing: Filing | None, bureau: str, say: Say, *, replaced: str = ""
) -> list[Fact]:  # fmt: skip
    """Give the lines of a receipt; ``replaced`` is the receipt of the correction that is in force."""
    rows, results = batch.rows, batch.results
    dataset = batch.dataset or batch.dataset_asked or ""
    period = filing.period if filing is not None and filing.period else _days(batch)
    facts: list[Fact] = [
        (say("收到时间", "Received"), moment(batch.received_at), ""),
        (say("报送单位", "Bureau"), bureau, ""),
        (say("提交人", "Handed in by"), sender(batch, filing, say), ""),
        (say("数据类型", "Data"), say(*DATASETS.get(dataset, (dataset or "–", dataset or "–"))), ""),
        (say("期间", "Period"), period or "–", ""),
        (say("文件名", "File"), batch.file_name, ""),
        (say("大小", "Size"), say(f"{batch.bytes:,} 字节", f"{batch.bytes:,} bytes"), ""),
        ("SHA-256", batch.sha256, "code"),
        ("SM3", batch.sm3, "code"),
    ]
    if rows.get("read"):
        passed = rows.get("clean", 0) + rows.get("partial", 0)
        back = rows.get("refused", 0) + rows.get("repeated", 0)
        facts.append((
            say("行数", "Rows"),
            say(f"读取 {rows['read']:,} ＝ 通过 {passed:,} ＋ 退回 {back:,}", f"read {rows['read']:,} = passed {passed:,} + returned {back:,}"),
            "",
        ))  # fmt: skip
        facts.append((
            say("结果", "Results"),
            say(
                f"发布 {results.get('published', 0):,}，隔离 {results.get('quarantined', 0):,}，缺测 {results.get('missing', 0):,}",
                f"published {results.get('published', 0):,}, quarantined {results.get('quarantined', 0):,}, "
                f"missing {results.get('missing', 0):,}",
            ),
            "",
        ))  # fmt: skip
    facts.append((say("校验规则版本", "Edition of the rules"), batch.rules_hash or "–", "code"))
    for table in batch.tables:
        said = say(
            f"{table['table']} 第 {table['version']} 版：新增 {table['added']:,}，更正 {table['corrected']:,}，未变 {table['unchanged']:,}",
            f"{table['table']} version {table['version']}: added {table['added']:,}, corrected {table['corrected']:,}, "
            f"unchanged {table['unchanged']:,}",
        )
        facts.append((say("版本", "Version"), said, ""))
    if filing is not None and filing.corrects:
        facts.append((say("更正的回执", "Corrects"), filing.corrects, "code"))
    if replaced:
        facts.append((say("已由此回执更正", "Corrected by"), replaced, "code"))
    facts.append((say("状态", "State"), state_of(batch, filing, say), ""))
    return facts


def sender(batch: BatchRecord, filing: Filing | None, say: Say) -> str:
    """Say who handed a delivery in: a person, or the night for a source."""
    if filing is not None:
        return f"{filing.person}（{filing.login}）"
    if batch.submitted_by.startswith("night:"):
        return say("夜间自动获取", "fetched by the night")
    return batch.submitted_by


def state_of(batch: BatchRecord, filing: Filing | None, say: Say) -> str:
    """Say how a delivery stands; one before a reviewer, or sent back by him, is told so."""
    if filing is not None and filing.state == "in_review":
        return say("待审核", "waits for review")
    if filing is not None and filing.state == "returned":
        return say("审核退回", "returned by the reviewer")
    if filing is not None and filing.state == "withdrawn":
        return say("已撤回", "withdrawn")
    return say(*STATES.get(batch.state, (batch.state, batch.state)))


def next_step(batch: BatchRecord, filing: Filing | None, contact: Contact | None, say: Say) -> str:
    """Say what happens next, and whom to ask."""
    state = filing.state if filing is not None else batch.state
    said = {
        "in_review": ("下一步：由本单位审核员审核，结果会出现在工作台和报送历史。", "Next: your reviewer looks at it; the desk will say."),
        "handing_in": ("下一步：系统复核并发布，一般不超过一分钟；可以关闭本页。", "Next: published within a minute; you may close this page."),
        "returned": ("下一步：按退回原因修改后重新上传。", "Next: mend it as the reviewer says and upload it again."),
        "refused": ("下一步：查看问题，修改后重新上传。", "Next: look at the findings, mend the file and upload it again."),
        "held": ("下一步：数据已搁置，由管理员处理，无需重新上传。", "Next: an administrator looks at it; nothing to upload again."),
        "published": ("下一步：无。如发现数据有误，请在本页选择“更正”。", "Next: nothing. If something is wrong, choose Correct on this page."),
        "repeated": ("同一文件此前已报送，以首次回执为准，无需再报。", "The same file was handed in before: its first receipt counts."),
        "withdrawn": ("报送已撤回。", "The filing was withdrawn."),
        "failed": ("下一步：系统处理中断，夜间会自动继续；无需重新上传。", "Next: it goes on at night; nothing to upload again."),
    }.get(state, ("下一步：系统处理中。", "Next: it is being processed."))  # fmt: skip
    asked = (
        say(f"咨询：{contact.office} {contact.telephone}", f"Questions: {contact.office} {contact.telephone}")
        if contact is not None
        else say("咨询：请联系本单位系统管理员。", "Questions: ask the administrator of your bureau.")
    )
    return f"{say(*said)} {asked}"


def verification_text(batch: BatchRecord, address: str) -> str:
    """Give what the QR code says: the public page with number and hash, or both alone where there is no public address."""
    mark = batch.sha256[:HASH_DIGITS]
    if not address:
        return f"GONGZHI-RECEIPT/1 {batch.receipt_number} {mark}"
    return f"{address}/verify/receipt?{urlencode({'number': batch.receipt_number, 'hash': mark})}"


def moment(at: datetime) -> str:
    """Write an instant of China with its offset."""
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S +08:00")


def _days(batch: BatchRecord) -> str:
    days = sorted(batch.covers)
    return "" if not days else days[0] if len(days) == 1 else f"{days[0]} – {days[-1]}"

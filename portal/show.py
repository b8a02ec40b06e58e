"""Outcomes as a person reads them: what came in, what was refused and why, what is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipelines.batch import Outcome
from portal.words import LANGUAGE, SEVERITIES, STATES, say, word

SHOWN = 20


def outcome_lines(outcome: Outcome, *, limit: int = SHOWN) -> Iterator[str]:
    """Describe one file: state, counts, what was normalised, and the most severe findings."""
    mark = {"published": "✓", "accepted": "✓", "repeated": "=", "held": "‖"}.get(outcome.state, "✗")
    yield f"{mark} {outcome.file}  {word(STATES, outcome.state)}" + (
        f"  {outcome.dataset} / {outcome.layout}" if outcome.layout else ""
    )
    if outcome.receipt:
        yield say(
            f"  回执 {outcome.receipt}  批次 {outcome.batch_id}",
            f"  receipt {outcome.receipt}  batch {outcome.batch_id}",
        )
    if outcome.error:
        yield f"  {outcome.error['message'] if LANGUAGE == 'zh' else outcome.error['message_en']}"
    if outcome.rows.get("read"):
        r, v = outcome.rows, outcome.results
        yield say(
            f"  行 {r['read']}：完好 {r['clean']}，部分 {r['partial']}，退回 {r['refused']}，重复 {r['repeated']}；"
            f"结果 {v['read']}：发布 {v['published']}，隔离 {v['quarantined']}，重复 {v['repeated']}，"
            f"缺测 {v['missing']}，未检出 {v['censored']}，可疑 {v['flagged']}",
            f"  rows {r['read']}: clean {r['clean']}, partial {r['partial']}, refused {r['refused']}, repeated {r['repeated']}; "
            f"results {v['read']}: published {v['published']}, quarantined {v['quarantined']}, repeated {v['repeated']}, "
            f"missing {v['missing']}, below limit {v['censored']}, suspect {v['flagged']}",
        )
    for table in outcome.tables:
        yield say(
            f"  {table['table']} 第 {table['version']} 版：新增 {table['added']}，更正 {table['corrected']}，未变 {table['unchanged']}",
            f"  {table['table']} version {table['version']}: added {table['added']}, corrected {table['corrected']}, "
            f"unchanged {table['unchanged']}",
        )
    for note in outcome.normalised:
        text = note["what_zh"] if LANGUAGE == "zh" else note["what"]
        yield f"  · {text} ×{note['count']}" + (f"（{note['where']}）" if note.get("where") else "")
    yield from finding_lines(outcome.findings, outcome.findings_total, limit)


def finding_lines(findings: list[dict[str, Any]], total: int, limit: int) -> Iterator[str]:
    """List findings, most severe first, then how many there are of each rule."""
    for f in findings[:limit]:
        place = say(f"第 {f['row']} 行", f"row {f['row']}") + (
            f" {f['column']} 列"
            if f["column"] and LANGUAGE == "zh"
            else (f" column {f['column']}" if f["column"] else "")
        )
        sheet = f"{f['sheet']} " if f["sheet"] else ""
        message = f["message"] if LANGUAGE == "zh" else f["message_en"]
        told = LANGUAGE == "zh" or str(f["expected"]).isascii()  # what was expected is written in Chinese
        expected = say(f"；应为 {f['expected']}", f"; expected {f['expected']}") if f["expected"] and told else ""
        yield f"  [{f['rule']} {word(SEVERITIES, f['severity'])}] {sheet}{place} “{shorten(str(f['value']))}” {message}{expected}"
    if total > limit:
        counts = Counter(f["rule"] for f in findings)
        listed = "，".join(f"{rule}×{count}" for rule, count in counts.most_common(8))
        yield say(
            f"  … 共 {total} 条（{listed}）；全部见 gongzhi report",
            f"  … {total} findings ({listed}); all of them: gongzhi report",
        )


def shorten(text: str, length: int = 40) -> str:
    """Cut a long text for one line, control characters made visible."""
    visible = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return visible if len(visible) <= length else visible[: length - 1] + "…"


def exit_code(outcomes: list[Outcome]) -> int:
    """Give 0 where all went through whole, 1 where a file was refused, held or taken in part, 3 where we failed."""
    for outcome in outcomes:
        if outcome.state == "repeated":
            continue
        if outcome.state == "judged" or (outcome.error or {}).get("code") == "our-fault":
            return 3
        if outcome.state in ("refused", "held") or outcome.error:
            return 1
        if outcome.rows.get("refused") or outcome.results.get("quarantined"):
            return 1
    return 0


def plain_table(columns: list[str], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """Lay rows out in columns; a Chinese character takes two places."""
    texts = [[("" if value is None else str(value)) for value in row] for row in [tuple(columns), *rows]]
    widths = [max(_width(row[at]) for row in texts) for at in range(len(columns))]
    for number, row in enumerate(texts):
        yield "  ".join(text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def _width(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)

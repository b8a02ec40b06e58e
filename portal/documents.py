"""Documents made from facts: the rule catalogue, the data dictionary and the meanings of the alarms.

``python -m portal.documents`` writes them into ``docs/``; a test says when they are out of date.
"""

from __future__ import annotations

from pathlib import Path

from schemas.alarms import alarm_kinds
from schemas.loaders import parameters, tables
from schemas.rules import SEVERITIES, Rule, all_rules
from schemas.templates import read_template

DOCS = Path(__file__).resolve().parents[1] / "docs"
_SEVERITY = {
    "refuse_batch": ("整个文件退回", "the whole file is refused"),
    "refuse_row": ("整行退回", "the row is refused"),
    "refuse_value": ("该值不采用", "the value is refused"),
    "flag": ("可疑，照常发布", "published and flagged"),
    "note": ("提示", "a note"),
}


def rules_markdown() -> str:
    """Write the catalogue of all rules, by table, in both languages."""
    rules = all_rules()
    parts = [
        "# 规则目录 / Rule catalogue",
        "",
        "<!-- Generated from schemas/rules/ by portal.documents.rules_markdown; do not edit. -->",
        "",
        f"共 {len(rules)} 条。编号公开、不变，可在电话里引用；废止的编号不另作他用。",
        f"{len(rules)} rules. Codes are public and never reused.",
        "",
        "| 后果 / severity | 意思 | meaning |",
        "|---|---|---|",
        *(f"| `{word}` | {_SEVERITY[word][0]} | {_SEVERITY[word][1]} |" for word in SEVERITIES),
        "",
    ]
    for table in dict.fromkeys(rule.table for rule in rules):
        head = "| 编号 / code | 后果 / severity | 规则 | rule | 应为 | 依据 / source |"
        parts += [f"## {_title(table)}", "", head, "|---|---|---|---|---|---|"]
        parts += [_line(rule) for rule in rules if rule.table == table]
        parts.append("")
    return "\n".join(parts)


def _title(table: str) -> str:
    known = tables().get(table)
    if known is not None:
        return f"{known.title_zh} / {known.title_en} (`{table}`)"
    layout = read_template(table).layout
    return f"{layout.title} / {layout.title_en} (`{table}`)"


def _line(rule: Rule) -> str:
    zh = rule.message_zh + (f"。{rule.hint_zh}" if rule.hint_zh else "") + _where(rule)
    en = rule.message_en + (f". {rule.hint_en}" if rule.hint_en else "")
    cells = (rule.code, f"`{rule.severity}`", zh, en, rule.expected_zh or "", rule.source)
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def _where(rule: Rule) -> str:
    """Say for which parameters or units a rule holds, where it is not for all."""
    known = parameters()
    words = [
        known[value].name_zh if name == "parameter" and value in known else value
        for name, values in rule.where.items()
        for value in values
    ]
    return f"（{'、'.join(words)}）" if words else ""


def alarms_markdown() -> str:
    """Write what each alarm means and what to do about it, in both languages."""
    level = {"warning": "警告 / warning", "error": "错误 / error"}
    parts = [
        "# 告警 / Alarms",
        "",
        "<!-- Generated from schemas/alarms.csv by portal.documents.alarms_markdown; do not edit. -->",
        "",
        "一条告警从发现起保持打开，直到不再出现；期间只提醒，不重复发送。编号不变，可在电话里引用。",
        "An alarm stays open until its cause is gone, and is told once, then daily. Its code never changes its meaning.",
        "",
        "注明“须办结”的告警不会自动解除：核实后运行 gongzhi alarms --handled 来源 --author 经办人 --reason 核实结果。",
        "One marked as ending by a person never closes by itself: gongzhi alarms --handled SOURCE --author NAME --reason FINDING.",
        "",
        "一期数据始终未到的，七天后不再告警（最新一期除外），以「未到，已转入缺报」结束，不算恢复；看板上仍为缺报。",
        "A period that never comes is told for seven days (the newest one until it comes). Its alarm ends as given up, not as recovered;",
        "the board keeps it as missing.",
        "",
    ]
    for kind in alarm_kinds().values():
        parts += [
            f"## `{kind.code}` {kind.title_zh} / {kind.title_en}",
            "",
            level[kind.severity] + ("，须办结 / ends by a person" if kind.handled else ""),
            "",
        ]
        parts += [f"{kind.meaning_zh}", f"{kind.meaning_en}", ""]
        parts += [f"- 处置：{kind.remedy_zh}", f"- What to do: {kind.remedy_en}", ""]
    return "\n".join(parts)


def write_documents(folder: Path = DOCS) -> list[Path]:
    """Write the generated documents and give their paths."""
    from pipelines.publish.catalogue import dictionary_markdown

    made = {
        "rules.md": rules_markdown(),
        "data-dictionary.md": dictionary_markdown(),
        "alarms.md": alarms_markdown(),
    }
    for name, text in made.items():
        (folder / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    return [folder / name for name in made]


if __name__ == "__main__":
    for path in write_documents():
        print(path)

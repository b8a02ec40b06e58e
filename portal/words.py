"""Words of the command line in both languages, chosen once."""

from __future__ import annotations

from portal.settings import read_settings

LANGUAGE = read_settings().language

STATES = {
    "accepted": ("可以提交", "acceptable"),
    "published": ("已发布", "published"),
    "held": ("已搁置", "held"),
    "refused": ("已退回", "refused"),
    "repeated": ("重复文件，返回首次回执", "same file as before: the first receipt"),
    "received": ("已收到", "received"),
    "read": ("已读取", "read"),
    "judged": ("已判定", "judged"),
}
SEVERITIES = {
    "refuse_batch": ("整批退回", "refuses the file"),
    "refuse_row": ("整行退回", "refuses the row"),
    "refuse_value": ("该值不采用", "refuses the value"),
    "flag": ("可疑，照常发布", "suspect, published"),
    "note": ("提示", "note"),
}
STEPS = {
    "read": ("读取", "reading"),
    "standardise": ("标准化", "standardising"),
    "judge": ("判定", "judging"),
    "gate": ("复核", "gate"),
    "publish": ("发布", "publishing"),
}


def say(zh: str, en: str) -> str:
    """Give the words of the chosen language."""
    return zh if LANGUAGE == "zh" else en


def word(table: dict[str, tuple[str, str]], code: str) -> str:
    """Give the word for a code in the chosen language."""
    return say(*table.get(code, (code, code)))

"""Words of the pages in both languages: Chinese unless the reader chose English.

``?lang=en`` (or ``zh``) chooses and is remembered in a cookie; nothing else of a request decides, so that a page a
colleague sends looks the same here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LANGUAGES = ("zh", "en")
COOKIE = "gongzhi_lang"


@dataclass(frozen=True, slots=True)
class Words:
    """The chosen language; called with both wordings it gives one."""

    language: str = "zh"

    def __call__(self, zh: str, en: str) -> str:
        """Give the wording of the chosen language."""
        return zh if self.language == "zh" else en

    def of(self, table: Mapping[str, tuple[str, str]], code: str | None) -> str:
        """Give the word of a code, or the code where there is none."""
        return self(*table.get(code or "", (code or "", code or "")))


def chosen(query: Mapping[str, str], cookies: Mapping[str, str]) -> Words:
    """Find the language a request asks for."""
    for said in (query.get("lang"), cookies.get(COOKIE)):
        if said in LANGUAGES:
            return Words(said)
    return Words()


DATASETS = {
    "air": ("空气", "air"),
    "water": ("地表水", "surface water"),
    "soil": ("土壤", "soil"),
    "credit": ("环境信用评价", "credit ratings"),
    "penalty": ("行政处罚", "penalties"),
    "experts": ("专家名册", "experts"),
}
DUES = {
    "received": ("已报", "received"),
    "late": ("迟报", "late"),
    "missing": ("缺报", "missing"),
    "pending": ("待报", "due"),
}
CLASSES = {
    "must": ("必须修改", "must be mended"),
    "confirm": ("请确认", "please confirm"),
    "inform": ("提示", "for information"),
}
"""What findings ask of the person who reported: block, confirm, inform."""
CLASS_OF = {
    "refuse_batch": "must",
    "refuse_row": "must",
    "refuse_value": "must",
    "flag": "confirm",
    "note": "inform",
}

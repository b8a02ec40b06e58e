"""The codes of the pool and its draws in the words of the reader; what nobody knows is shown as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from portal.expert_rounds import shown
from portal.expert_words import COLUMNS, PARTS, STATES, STATUS
from portal.web.asking import Ask
from portal.web.pages import bureau_of, china
from schemas.divisions import division_path
from schemas.expert_draw_facts import draw_reasons, exclusions, panel_purposes
from schemas.expert_seat_facts import appraisal_grades, decline_reasons, seat_states, walk_words
from schemas.experts import expert_roles, expert_states
from schemas.match_facts import match_evidence
from schemas.recusal_facts import recusal_reasons
from schemas.specialties import employer_types, specialties, title_ranks

TONES = {
    "appointed": "good", "suspended": "warn", "expired": "warn", "withdrawn": "", "removed": "bad", "applied": "",
    "checked": "", "publicised": "",
}  # fmt: skip
DRAW_TONES = {"published": "good", "abandoned": "bad", "drawn": "warn", "called": "warn"}
SEAT_TONES = {
    "accepted": "good", "attended": "good", "opinion_signed": "good", "declined": "bad", "no_answer": "bad",
    "absent": "bad", "replaced": "bad", "invited": "warn",
}  # fmt: skip
CONSENT_WORDS = {
    "sharing": ("提供给对方", "sharing with the other side"), "publication": ("公开", "publication"),
    "bank": ("保存银行账户", "bank account"),
}  # fmt: skip
PAPER_WORDS = {
    "request": ("申请", "request"), "list": ("候选名单", "list"), "approval": ("第二人确认", "approval"),
    "exclusions": ("排除依据（密封）", "evidence of exclusions (sealed)"), "commitment": ("承诺", "commitment"),
    "reveal": ("揭示", "reveal"), "draw": ("抽取结果", "result"), "published": ("公布", "publication"),
    "opened": ("公开姓名", "names opened"), "vacancy": ("启动递补", "vacancy"), "link": ("链环", "link"),
    "abandoned": ("中止", "abandonment"), "archive": ("归档", "archive"), "callout": ("应急征调", "call-out"),
}  # fmt: skip
CHANGE_WORDS = {
    "entered": ("入库", "entered"), "imported": ("名册更新", "list"), "corrected": ("更正", "corrected"),
    "employment": ("任职", "employment"), "tie": ("关系申报", "tie"), "consent": ("同意", "consent"),
    "leave": ("请假", "leave"), "bank-forgotten": ("银行账户已删除", "bank account forgotten"), "state": ("状态变更", "state"),
    "match": ("重复核定", "match"),
    "merged": ("并入", "merged"), "unmerged": ("撤销并入", "unmerged"), "bank": ("银行账户", "bank account"),
}  # fmt: skip
LOOKS = {
    "list": ("名册", "list"), "show": ("查看", "record"), "open": ("打开密封号码", "numbers opened"),
    "export": ("导出", "export"), "draw": ("抽取姓名", "names of a draw"), "minutes": ("抽取记录", "minutes"),
}  # fmt: skip
ROLE_WORDS = {
    "pool_staff": ("专家库管理", "pool staff"), "auditor": ("审计", "auditor"), "organiser": ("组织单位", "organiser"),
    "finance": ("财务", "finance"), "peer_before": ("对方单位", "peer bureau"), "public": ("公众", "public"),
}  # fmt: skip


class Titled(Protocol):
    """What facts have in common: a title in both languages."""

    @property
    def title_zh(self) -> str:
        """The Chinese title."""

    @property
    def title_en(self) -> str:
        """The English title."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Words for the codes a page shows."""

    ask: Ask
    _bureaus: dict[str, str] = field(default_factory=dict)
    """Names of bureaus found for this page: their facts lie in files."""

    def of(self, table: Mapping[str, Titled], code: str) -> str:
        """Give the title of a code."""
        known = table.get(code)
        return self.ask.words(known.title_zh, known.title_en) if known else code

    def column(self, name: str) -> str:
        """Name a field of an expert."""
        return self.ask.words.of(COLUMNS, name)

    def part(self, name: str) -> str:
        """Name what experts have many of."""
        return self.ask.words.of(PARTS, name)

    def state(self, code: str) -> str:
        """Say the state of an expert."""
        return self.of(expert_states(), code)

    def draw_state(self, code: str) -> str:
        """Say the state of a draw."""
        return self.ask.words.of(STATES, code)

    def seat_state(self, code: str) -> str:
        """Say the state of a seat."""
        return self.of(seat_states(), code)

    def status(self, code: str) -> str:
        """Say whether somebody may sit."""
        return self.ask.words.of(STATUS, code)

    def field(self, code: str) -> str:
        """Say a specialty with its code."""
        title = self.of(specialties(), code)
        return f"{code} {title}" if title != code else code

    def fields(self, codes: list[str]) -> str:
        """Say specialties, one after the other."""
        return self.ask.words("、", ", ").join(self.field(one) for one in codes)

    def reason(self, code: str) -> str:
        """Say why somebody cannot be drawn."""
        return self.of(recusal_reasons(), code) if code in recusal_reasons() else self.of(exclusions(), code)

    def cause(self, code: str) -> str:
        """Say a coded reason of a draw, a refusal or a vacancy."""
        for step in ("redraw", "abandon", "vacancy", "callout"):
            if code in draw_reasons(step):
                return self.of(draw_reasons(step), code)
        return self.of(decline_reasons(), code) if code in decline_reasons() else self.of(walk_words(), code)

    def purpose(self, code: str) -> str:
        """Say what a panel is for."""
        return self.of(panel_purposes(), code)

    def grade(self, code: str) -> str:
        """Say a grade of an appraisal."""
        return self.of(appraisal_grades(), code)

    def sign(self, code: str) -> str:
        """Say what speaks for or against one person in two records."""
        return self.of(match_evidence(), code)

    def role(self, code: str) -> str:
        """Say a role in the pool, or a role at an employer."""
        return self.ask.words.of(ROLE_WORDS, code) if code in ROLE_WORDS else self.of(expert_roles(), code)

    def paper(self, kind: str, part: str) -> str:
        """Name a paper of a draw, with whose it is and of which round."""
        name, (number, _, bureau) = self.ask.words.of(PAPER_WORDS, kind), part.partition("-")
        if kind in ("commitment", "reveal"):
            return f"{name} {self.bureau(part)}"
        if part.isdigit() and int(part) == 0:
            return name
        if number.isdigit():
            of = self.ask.words(f"递补 {number}", f"replacement {number}")
            return " ".join(filter(None, (name, of, self.bureau(bureau) if bureau else "")))
        return name

    def bureau(self, code: str) -> str:
        """Name a bureau."""
        if code not in self._bureaus:
            known = bureau_of(self.ask, code)
            self._bureaus[code] = self.ask.words(known.name_zh, known.name_en) if known else code
        return self._bureaus[code]

    def when(self, text: str) -> str:
        """Show a time of a paper as China time."""
        return shown(text)

    def time(self, text: str) -> str:
        """Show an instant of a record as China time."""
        return china(datetime.fromisoformat(text))

    def cell(self, name: str, value: Any) -> str:
        """Show one field of an expert."""
        if value in (None, "", []):
            return "–"
        if name == "specialties":
            return self.fields(value)
        if name == "state":
            return self.state(value)
        if name == "bureau":
            return self.bureau(value)
        if name == "employer_type":
            return self.of(employer_types(), value)
        if name == "title_rank":
            return self.ask.words.of(title_ranks(), value)
        return "".join(division_path(value)[1:]) or str(value) if name == "division" else str(value)

"""Why an expert may not sit on a matter: every coded reason, each with what shows it.

Reasons are computed from what is on record of an expert's employers and offices, and taken from what was declared or
decided; ``recusal_reasons.csv`` gives each its source and its window.

**Days.** 政府采购法实施条例 Art. 9 bars who had a relation "within three years before". A relation holds on every day
from ``since`` to ``until``, both included. When it ended on day D, the three years are a term counted as 民法典
Arts 201–202 say: D itself is left out, and the term ends with the corresponding day of its last month, or that month's
last day where it has none. So a relation that ended on 2023-04-01 bars through 2026-04-01 and no longer on 2026-04-02;
one that ended on 2024-02-29 bars through 2027-02-28; one that ended on 2021-02-28 through 2024-02-28, not on the 29th.
The term is not made longer by a holiday (Art. 203 serves who must act in it). A relation without ``until`` goes on; one
without ``since`` has always been; one that begins after the day of the matter does not count yet; one whose days are
turned ends on the later of them. A :class:`Recusal` carries the beginning of the relation and the last day it bars.

**Unknown is a conflict.** An employer that is blank, hidden or unreadable, or a name without a usable code that nobody
has on record, bars (``affiliation_unknown``) until the data are mended or somebody tells a clearance. A declaration that
names neither party nor matter counts for every matter. A head of a party with the expert's name bars until cleared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain as chained

from expert_registry.people import Employment, Expert, Matter, Party, Recusal, Tie
from expert_registry.recusal.affiliation import Hit, Landscape, code_of, name_of, word_of
from expert_registry.recusal.days import bars, days_words, runs, tie_words, until_words
from records.scripts import person_key
from schemas.experts import expert_roles
from schemas.files import fold
from schemas.places import bureaus
from schemas.recusal_facts import recusal_reasons

OFFICES = {
    "director": "director_supervisor_3y",
    "supervisor": "director_supervisor_3y",
    "shareholder": "shareholder_controller_3y",
    "controller": "shareholder_controller_3y",
}
"""Roles that are told under a reason of their own; every other one is an employment."""
AS_EMPLOYMENT = {
    "employer_now": "employee",
    "employer_3y": "employee",
    "director_supervisor_3y": "director",
    "shareholder_controller_3y": "controller",
}
"""Reasons that, declared of an enterprise, say the same as an employment on record."""
AUTHOR = "author_of_the_reviewed_work"
UNKNOWN = "affiliation_unknown"
EXCLUDE_OWN_SIDE = "exclude-own-side"


@dataclass(frozen=True, slots=True)
class RecusalFacts:
    """What recusal needs to know beside the expert and the matter."""

    cross_bureau_rule: str = "off"
    """As ``expert_rules.toml``: ``off`` or ``exclude-own-side``."""
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Names of employers and enterprises on record, with their codes (:func:`affiliation.known_names`)."""
    opined: frozenset[str] = frozenset()
    """Experts on record as having given an opinion on this matter."""
    authorities: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further names of authorities by name or code, beside those of the bureaus' own facts."""


@dataclass(frozen=True, slots=True)
class Line:
    """One relation of work to somebody: an employment on record, the employer of the roster, or one declared."""

    work: Employment
    origin: str
    origin_en: str


def recusals(expert: Expert, matter: Matter, facts: RecusalFacts, also: Sequence[Expert] = ()) -> tuple[Recusal, ...]:
    """Give every reason why an expert may not sit, in the order of the vocabulary; none: may sit.

    ``also`` are the other records of the same person (merged ones): what is told under any of them counts. For many
    experts on one matter make one :class:`Bench` and ask it.
    """
    return Bench(matter, facts).recusals(expert, also)


class Bench:
    """One matter laid out, to be asked of many experts."""

    def __init__(self, matter: Matter, facts: RecusalFacts) -> None:
        self.matter = matter
        self.facts = facts
        self.reasons = recusal_reasons()
        self.order = {code: place for place, code in enumerate(self.reasons)}
        authorities = [_authority(text, facts.authorities) for text in matter.supervisors]
        self.landscape = Landscape.of(matter, authorities, facts.names)
        self.heads: dict[str, list[Party]] = {}
        for party in matter.parties:
            for head in filter(None, map(person_key, party.heads)):
                self.heads.setdefault(head, []).append(party)
        self.own_names = {fold(matter.matter_id), name_of(matter.title)} - {""}

    def recusals(self, expert: Expert, also: Sequence[Expert] = ()) -> tuple[Recusal, ...]:
        """Give every reason why this expert may not sit on the matter."""
        person = (expert, *also)
        ties = [tie for one in person for tie in one.ties]
        lines = [line for one in person for line in self._lines(one)]
        clearances = [tie for tie in ties if self._clears(tie)]
        found = chained(
            self._by_work(lines, clearances),
            *(self._by_tie(tie) for tie in ties),
            *(self._by_name(name, clearances) for name in dict.fromkeys(one.name for one in person)),
            self._by_decision(person),
            self._unknown(lines, clearances),
        )
        each = dict.fromkeys(found)
        return tuple(sorted(each, key=lambda one: (self.order[one.reason], one.evidence)))

    # -- work on record ---------------------------------------------------------------------------------------------

    def _lines(self, expert: Expert) -> Iterator[Line]:
        """Give the relations of work; the employer of the roster only where no open employment says the same."""
        now = Employment(expert.employer, expert.employer_uscc, "employee", None, None, "")
        said = any(
            one.until is None and (name_of(one.employer), one.uscc) == (name_of(now.employer), now.uscc)
            for one in expert.employments
        )
        if not said:
            yield Line(now, "名册所载工作单位", "employer on the roster")
        for work in expert.employments:
            source, source_en = (f"（{work.source}）", f" ({work.source})") if work.source else ("", "")
            yield Line(work, f"任职记录{source}", f"employment on record{source_en}")
        for tie in expert.ties:
            if tie.kind in AS_EMPLOYMENT and (tie.uscc or tie.party):
                work = Employment(tie.party, tie.uscc, AS_EMPLOYMENT[tie.kind], tie.since, tie.until, tie.source)
                yield Line(work, *tie_words(tie))

    def _by_work(self, lines: Iterable[Line], clearances: Sequence[Tie]) -> Iterator[Recusal]:
        for line in lines:
            for hit in self.landscape.find(line.work.employer, line.work.uscc):
                code = self._reason_of(line.work, hit)
                if not hit.by_code and any(
                    code in self.reasons[tie.kind].clears and self._meets(tie, hit) for tie in clearances
                ):
                    continue
                yield from self._told(code, line, hit)

    def _reason_of(self, work: Employment, hit: Hit) -> str:
        if hit.sought.side != "party":
            return AUTHOR if hit.sought.side == "author" else "supervising_official"
        if work.role in OFFICES:
            return OFFICES[work.role]
        return "employer_now" if runs(work.since, work.until, self.matter.on) else "employer_3y"

    def _told(self, code: str, line: Line, hit: Hit) -> Iterator[Recusal]:
        work, (who, who_en) = line.work, hit.sought.words()
        barred = bars(self.reasons[code], work.since, work.until, self.matter.on)
        if barred is None:
            return
        role = expert_roles().get(work.role)
        title, title_en = (role.title_zh, role.title_en) if role else (work.role, work.role)
        days, days_en = days_words(work.since, work.until)
        last, last_en = until_words(barred)
        shown = work.employer or code_of(work.uscc).text
        zh = f"{line.origin}：{days}为“{shown}”{title}；与{who}{hit.how}{last}"
        en = f"{line.origin_en}: {title_en} of “{shown}” {days_en}; against {who_en}: {hit.how_en}{last_en}"
        yield _recusal(code, zh, en, work.since, barred)

    def _unknown(self, lines: Sequence[Line], clearances: Sequence[Tie]) -> Iterator[Recusal]:
        reason = self.reasons[UNKNOWN]
        named = any(not word_of(line.work.employer) for line in lines)
        for line in lines:
            work, word = line.work, word_of(line.work.employer)
            if self.landscape.knows(work.employer, work.uscc) or (word == "retired" and named):
                continue  # of one who retired the former employers are looked at instead
            barred = bars(reason, work.since, work.until, self.matter.on)
            if barred is None or self._cleared_unknown(work, clearances):
                continue
            shown = work.employer.strip()
            days, days_en = days_words(work.since, work.until)
            code = code_of(work.uscc).text
            why, why_en = (f"代码“{code}”不可用", f"code “{code}” is not usable") if code else ("没有代码", "no code")
            zh = f"{line.origin}：{days}单位“{shown or '（空白）'}”无法识别，{why}，核清之前须回避"
            en = f"{line.origin_en}: employer “{shown or '(blank)'}” {days_en} cannot be told, {why_en}: until cleared"
            yield _recusal(UNKNOWN, zh, en, work.since, barred)

    def _cleared_unknown(self, work: Employment, clearances: Sequence[Tie]) -> bool:
        """Whether somebody established who it is: for this matter, this employer, every party, or all that was then."""
        mine = [tie for tie in clearances if UNKNOWN in self.reasons[tie.kind].clears]
        for tie in mine:
            if tie.matter:
                if self._same_matter(tie):
                    return True
            elif not (tie.party or tie.uscc):
                if work.since is None or (tie.since is not None and work.since <= tie.since):
                    return True
            elif tie.party and name_of(tie.party) == name_of(work.employer):
                return True
        sides = [*self.matter.parties, *self.matter.authors]
        named = {id(hit.sought.party) for tie in mine for hit in self._hits(tie)}
        return bool(sides) and all(id(party) in named for party in sides)

    # -- what was told ----------------------------------------------------------------------------------------------

    def _clears(self, tie: Tie) -> bool:
        reason = self.reasons.get(tie.kind)
        return reason is not None and reason.kind == "clearance" and runs(tie.since, tie.until, self.matter.on)

    def _meets(self, tie: Tie, hit: Hit) -> bool:
        """Whether a clearance of a name names this matter or the party of the hit; one that names nobody clears nothing."""
        named = any(other.sought.party is hit.sought.party for other in self._hits(tie))
        return self._same_matter(tie) if tie.matter else named

    def _by_tie(self, tie: Tie) -> Iterator[Recusal]:
        reason = self.reasons.get(tie.kind, self.reasons["declared_other"])
        if reason.kind == "clearance" or (tie.kind in AS_EMPLOYMENT and (tie.uscc or tie.party)):
            return
        barred = bars(reason, tie.since, tie.until, self.matter.on)
        if reason.code == AUTHOR and tie.matter and self._same_matter(tie):
            barred = date.max  # who made this very work stays its author
        scope = self._scope(tie) if barred is not None else None
        if barred is None or scope is None:
            return
        (says, says_en), (days, days_en) = tie_words(tie), days_words(tie.since, tie.until)
        last, last_en = until_words(barred)
        zh = f"{says}：{days}{reason.title_zh}，{scope[0]}{last}"
        en = f"{says_en}: {reason.title_en} {days_en}, {scope[1]}{last_en}"
        yield _recusal(reason.code, zh, en, tie.since, barred)

    def _scope(self, tie: Tie) -> tuple[str, str] | None:
        """Say how a declaration touches the matter, None where it does not."""
        if tie.matter and self._same_matter(tie):
            return f"事项相同（{tie.matter}）", f"the same matter ({tie.matter})"
        if tie.matter and tie.kind == "prior_opinion_on_same_matter":
            return None
        if not (tie.matter or tie.party or tie.uscc):
            return "未写明涉及何方，按涉及处理", "it names nobody: taken as touching this matter"
        hits = self._hits(tie)
        if tie.kind != "supervising_official":
            hits = tuple(hit for hit in hits if hit.sought.side != "supervisor")
        if hits:
            zh, en = hits[0].sought.words()
            return f"涉及{zh}，{hits[0].how}", f"it touches {en}: {hits[0].how_en}"
        if tie.kind == "kin_of_head" and person_key(tie.party) in self.heads:
            name = self.heads[person_key(tie.party)][0].name
            return f"{tie.party}为“{name}”负责人", f"{tie.party} is a head of “{name}”"
        return None

    def _hits(self, tie: Tie) -> tuple[Hit, ...]:
        return self.landscape.find(tie.party, tie.uscc) if tie.party or tie.uscc else ()

    def _same_matter(self, tie: Tie) -> bool:
        return fold(tie.matter) in self.own_names or name_of(tie.matter) in self.own_names

    # -- names, decisions, rules ------------------------------------------------------------------------------------

    def _by_name(self, name: str, clearances: Sequence[Tie]) -> Iterator[Recusal]:
        for party in self.heads.get(person_key(name), ()):
            if not any(self._clears_head(tie, party) for tie in clearances):
                yield Recusal(
                    "head_namesake",
                    f"与当事方“{party.name}”负责人同名（{name}），核实不是同一人之前须回避",
                    f"has the name of a head of the party “{party.name}” ({name}): until cleared",
                )

    def _clears_head(self, tie: Tie, party: Party) -> bool:
        if "head_namesake" not in self.reasons[tie.kind].clears:
            return False
        if tie.matter:
            return self._same_matter(tie)
        return any(hit.sought.party is party for hit in self._hits(tie))

    def _by_decision(self, person: Sequence[Expert]) -> Iterator[Recusal]:
        ids = {one.expert_id for one in person}
        if ids & set(self.matter.upheld):
            yield Recusal(
                "party_request_upheld",
                "当事方书面申请回避，经组织方认定成立",
                "a party asked for it in writing and the organiser upheld it",
            )
        if ids & self.facts.opined:
            yield Recusal(
                "prior_opinion_on_same_matter",
                f"此前已就同一事项（{self.matter.title or self.matter.matter_id}）出具意见",
                f"gave an opinion on the same matter before ({self.matter.title or self.matter.matter_id})",
            )
        if self.facts.cross_bureau_rule == EXCLUDE_OWN_SIDE and self.matter.bureau in {one.bureau for one in person}:
            yield Recusal(
                "other_bureau_rule",
                f"跨局回避规则已启用：提出方为 {self.matter.bureau}，专家属同一方名册",
                f"the cross-bureau rule is on: {self.matter.bureau} asks and the expert is of its list",
            )


def _recusal(code: str, zh: str, en: str, since: date | None, barred: date) -> Recusal:
    tidy = " ".join(en.split()).replace(" ;", ";").replace(" ,", ",")
    return Recusal(code, zh, tidy, since, None if barred == date.max else barred)


def _authority(text: str, further: Mapping[str, Sequence[str]]) -> Party:
    """Give an authority with all its names: a bureau of the exchange by its code or any of its names, or one told."""
    for one in bureaus().values():
        names = (one.name_zh, *one.aliases)
        if one.kind == "bureau" and (text == one.bureau or name_of(text) in map(name_of, names)):
            return Party("", one.name_zh, (*names, *further.get(one.bureau, ())))
    uscc, names = code_of(text).code, tuple(further.get(text, ()))
    return Party(uscc, names[0] if names else uscc, names) if uscc else Party("", text, names)

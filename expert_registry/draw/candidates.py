"""Who stands on the list of a draw: everybody with a specialty asked for, each eligible or excluded with coded reasons.

A person is one candidate, however many records were merged into one; what is told under any of them counts. Nobody is
left out silently: who cannot be drawn stands on the list with the reasons, so that a false exclusion can be seen by the
one it concerns. Late comers are out (somebody entered, appointed or given another field after the cut-off), so that
nobody can be placed on the list because a draw is coming.

Days are China days; first and last days count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

from expert_registry.draw import protocol
from expert_registry.draw.protocol import Candidate, Seat
from expert_registry.people import Consent, Expert, Matter
from expert_registry.recusal.reasons import Bench, RecusalFacts
from records.scripts import plain
from records.store import CHINA
from schemas.expert_draw_facts import exclusions
from schemas.experts import ExpertRules, expert_states
from schemas.identifiers import read_uscc
from schemas.places import bureaus

OUTSIDE = "outside"
"""The side of those who are of neither place."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """What the records say of those who may be candidates.

    ``changed`` has the time of the last change of field or appointment; ``uses`` the uses within twelve months;
    ``doubtful`` the records that may be the same person as another one, not decided.
    """

    experts: Sequence[Expert]
    changed: Mapping[str, datetime] = field(default_factory=dict)
    uses: Mapping[str, int] = field(default_factory=dict)
    doubtful: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why somebody is excluded; the evidence never leaves the home."""

    code: str
    evidence: str
    evidence_en: str


@dataclass(frozen=True, slots=True)
class Person:
    """One person with all records: the one the person lives on under first."""

    records: tuple[Expert, ...]

    @property
    def expert(self) -> Expert:
        """The record the person is drawn under."""
        return self.records[0]


@dataclass(frozen=True, slots=True)
class Entry:
    """One person of a list: who it is, as what they stand there, and the evidence of each reason."""

    person: Person
    candidate: Candidate
    reasons: tuple[Reason, ...]


def persons(experts: Sequence[Expert]) -> list[Person]:
    """Put the records of each person together, in the order of the numbers they live on under."""
    known = {one.expert_id: one for one in experts}
    together: dict[str, list[Expert]] = {}
    for one in experts:
        root, seen = one, {one.expert_id}
        while root.merged_into in known and root.merged_into not in seen:
            seen.add(root.merged_into)
            root = known[root.merged_into]
        together.setdefault(root.expert_id, []).append(one)
    return [
        Person(tuple(sorted(each, key=lambda one: (one.expert_id != root, one.expert_id))))
        for root, each in sorted(together.items())
    ]


def entries(
    view: PoolView,
    matter: Matter,
    seats: Sequence[Seat],
    rules: ExpertRules,
    *,
    key: str,
    at: datetime,
    cutoff: datetime,
    facts: RecusalFacts,
) -> list[Entry]:
    """Make the entries of a list from the pool as it is at an instant."""
    bench, places = Bench(matter, facts), both_places()
    wanted = [seat.specialty for seat in seats]
    found = []
    for person in persons(view.experts):
        fields = fits(person, wanted)
        if fields:
            reasons = tuple(_by_pool(person, view, matter, rules, cutoff)) + tuple(
                Reason(one.reason, one.evidence, one.evidence_en)
                for one in bench.recusals(person.expert, person.records[1:])
            )
            side = side_of(person, matter.bureau, places)
            found.append(Entry(person, _candidate(person, fields, reasons, key, rules.draw_hash, side), reasons))
    return found


def fits(person: Person, wanted: Sequence[str]) -> tuple[str, ...]:
    """Give the specialties asked for that a person has; one asked for by its letter is met by all below it.

    A person who named only the letter does not meet a specialty below it.
    """
    has = {one.code for record in person.records for one in record.specialties if one.code}
    return tuple(code for code in wanted if any(one == code or one.startswith(code) for one in has))


def enough(found: Sequence[Entry], seats: Sequence[Seat], ratio: int) -> tuple[dict[str, int], list[str]]:
    """Count those who can be drawn, in all (``""``) and for each specialty, and name where they are too few."""
    able = [one.candidate for one in found if not one.candidate.reasons]
    counts = {"": len(able)} | {seat.specialty: sum(seat.specialty in c.specialties for c in able) for seat in seats}
    needed = {"": sum(seat.number for seat in seats)} | {seat.specialty: seat.number for seat in seats}
    return counts, [name for name, number in counts.items() if number < ratio * needed[name]]


def both_places() -> tuple[str, ...]:
    """Give the divisions of the bureaus."""
    return tuple(one.division for one in bureaus().values() if one.kind == "bureau")


def side_of(person: Person, asking: str, places: Collection[str]) -> str:
    """Give the side a person counts for: the bureau whose list they are on, or ``outside`` both places.

    Who is on both lists counts for the asking bureau; who is on its list alone and lives in neither place is outside.
    """
    lists = {record.bureau for record in person.records}
    if asking in lists:
        division = person.expert.division
        away = division and not any(_within(division, place) for place in places)
        return OUTSIDE if away and lists == {asking} else asking
    return person.expert.bureau


def _within(division: str, place: str) -> bool:
    return division.startswith(place[:4] if place.endswith("00") else place)


def _candidate(
    person: Person, fields: tuple[str, ...], reasons: tuple[Reason, ...], key: str, algorithm: str, side: str
) -> Candidate:
    expert = person.expert
    code = _code(expert.employer_uscc)
    return Candidate(
        id=protocol.opaque_id(key, expert.expert_id, algorithm),
        side=side,
        employer=protocol.opaque_employer(key, code or plain(expert.employer), algorithm),
        specialties=fields,
        reasons=tuple(sorted({one.code for one in reasons})),
    )


@lru_cache(maxsize=20_000)
def _code(text: str) -> str:
    """Read an employer's code, each once: many experts have the same."""
    return read_uscc(text).code


def _by_pool(person: Person, view: PoolView, matter: Matter, rules: ExpertRules, cutoff: datetime) -> list[Reason]:
    expert, on = person.expert, matter.on
    found = [*_by_state(expert, on), *_by_days(person, on)]
    uses = sum(view.uses.get(one.expert_id, 0) for one in person.records)
    if uses >= rules.uses_per_year:
        found.append(_reason("cooling", f"已使用 {uses} 次，上限 {rules.uses_per_year} 次", f"{uses} uses"))
    entered = min(one.entered_at for one in person.records)
    changed = max(
        (view.changed[one.expert_id] for one in person.records if one.expert_id in view.changed), default=None
    )
    if entered > cutoff:
        found.append(_reason("late_entry", _when(entered), _when(entered)))
    elif changed is not None and changed > cutoff:
        found.append(_reason("late_change", _when(changed), _when(changed)))
    if any(one.expert_id in view.doubtful for one in person.records):
        found.append(_reason("possible_duplicate", "另有疑似同一人的记录未核定", "a match is not decided"))
    if any(one.bureau != matter.bureau for one in person.records) and not consents(person, "sharing", on):
        found.append(_reason("no_sharing_consent", "没有有效的单独同意", "no separate consent in force"))
    return found


def _by_state(expert: Expert, on: date) -> list[Reason]:
    state, found = expert_states()[expert.state], []
    if expert.frozen_at is not None:
        found.append(_reason("suspended", "依法停止使用", "frozen by law"))
    if expert.bar_until is not None and expert.bar_until >= on:
        found.append(_reason("barred", f"至 {expert.bar_until}", f"until {expert.bar_until}"))
    if not state.drawable:
        code = "suspended" if state.state == "suspended" else "not_appointed" if state.in_pool else "left_pool"
        found.append(_reason(code, state.title_zh, state.title_en))
    elif not (expert.term_start and expert.term_end and expert.term_start <= on <= expert.term_end):
        term = f"{expert.term_start} — {expert.term_end}"
        found.append(_reason("term_not_covering", term, term))
    return found


def _by_days(person: Person, on: date) -> list[Reason]:
    found, ends = [], person.expert.certificate_until
    if ends is not None and ends < on:
        found.append(_reason("certificate_ended", f"有效期至 {ends}", f"valid until {ends}"))
    if any(leave.since <= on <= leave.until for one in person.records for leave in one.leaves):
        found.append(_reason("on_leave", "会议日请假", "on leave that day"))
    return found


def consents(person: Person, kind: str, on: date) -> bool:
    """Tell whether a consent is in force on a day; of several the one given last speaks."""
    given = [one for record in person.records for one in record.consents if one.kind == kind and one.given_on <= on]
    last: Consent | None = max(given, key=lambda one: (one.given_on, one.revoked_on is None), default=None)
    return last is not None and (last.revoked_on is None or on < last.revoked_on)


def counts_of_reasons(found: Sequence[Entry]) -> dict[str, int]:
    """Count the exclusions by code, as minutes tell them."""
    return dict(sorted(Counter(code for one in found for code in one.candidate.reasons).items()))


def _when(at: datetime) -> str:
    return at.astimezone(CHINA).isoformat(timespec="minutes")


def _reason(code: str, evidence: str, evidence_en: str) -> Reason:
    known = exclusions()[code]
    return Reason(code, f"{known.title_zh}（{evidence}）", f"{known.title_en} ({evidence_en})")

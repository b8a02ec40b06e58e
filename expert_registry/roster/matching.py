"""The same person in both lists, or twice in one: pairs are proposed with their evidence, a person decides, nothing merges.

A pair is proposed where the identity numbers are the same (by their keyed hash), or where the names are the same, but
for blanks, dots, widths and traditional script, and something else speaks for it: the employer, or identity or telephone
numbers that begin and end alike. Names that only sound or look alike (何克斌, 贺克斌) are two names. ``match_evidence.csv``
holds the signs and their points; evidence is kept as codes, so that it holds nothing of the person. Deciding is in
``expert_registry/roster/merging.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, product
from typing import Protocol

from expert_registry.recusal.affiliation import code_of, name_of
from expert_registry.roster.likeness import alike, likely, without_region
from records import expert_matches as kept
from records.scripts import person_key
from records.store import Records
from schemas.files import fold
from schemas.match_facts import match_evidence
from schemas.recusal_facts import employer_word

RARE = 20
"""In a larger group of one name, pairs are only looked for by what else they share."""
PLACEHOLDER = 20
"""An identity number more records share than this is somebody's placeholder, and tells nothing."""


class Named(Protocol):
    """What of an expert is compared."""

    @property
    def expert_id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def employer(self) -> str: ...  # noqa: D102
    @property
    def employer_uscc(self) -> str: ...  # noqa: D102
    @property
    def identity_mask(self) -> str: ...  # noqa: D102
    @property
    def phone_mask(self) -> str: ...  # noqa: D102
    @property
    def merged_into(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Known:
    """What was decided of a pair: ``proposed``, ``same``, ``different``; on which evidence."""

    state: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Two records that may be one person; ``first`` has the smaller number, ``evidence`` are codes."""

    first: str
    second: str
    score: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """One record, folded for comparing."""

    expert_id: str
    person: str
    name: str
    written: str
    identity: str
    identity_mask: str
    phone_mask: str
    code: str
    employer: str
    core: str


SHARED: tuple[Callable[[_Compared], str], ...] = (
    lambda one: one.code,
    lambda one: one.employer,
    lambda one: one.identity_mask,
    lambda one: one.phone_mask,
)
"""What two records of a frequent name must share one of, or have employers that are alike."""


def proposals(
    experts: Iterable[Named], identity_indexes: Mapping[str, str], known: Mapping[tuple[str, str], Known] | None = None
) -> list[Proposal]:
    """Propose pairs that may be one person, the surest first.

    Parameters
    ----------
    identity_indexes : mapping
        Number of an expert → keyed hash of the identity number; absent or blank where there is none.
    known : mapping
        What was decided; a pair decided ``different`` comes again only when its identity numbers have become the same.
    """
    people = [_compared(one, identity_indexes.get(one.expert_id, "")) for one in experts]
    shared = _groups(people, lambda one: one.identity)
    placeholders = {group[0].identity for group in shared if len(group) > PLACEHOLDER}
    found: dict[tuple[str, str], Proposal] = {}
    for first, second in _pairs(people, shared, placeholders):
        if first.person == second.person:
            continue
        if first.expert_id > second.expert_id:
            first, second = second, first
        pair = first.expert_id, second.expert_id
        if pair in found:
            continue
        evidence = _evidence(first, second, placeholders)
        if evidence and not _decided((known or {}).get(pair), evidence):
            points = sum(match_evidence()[code].points for code in evidence)
            found[pair] = Proposal(*pair, max(0, min(100, points)), evidence)
    return sorted(found.values(), key=lambda one: (-one.score, one.first, one.second))


def _compared(one: Named, identity: str) -> _Compared:
    usable = code_of(one.employer_uscc)
    employer = "" if employer_word(one.employer) else name_of(one.employer)
    return _Compared(
        one.expert_id,
        one.merged_into or one.expert_id,
        person_key(one.name),
        "".join(filter(str.isalnum, fold(one.name).upper())),
        identity,
        one.identity_mask if "*" in one.identity_mask.strip("*") else "",
        one.phone_mask if "*" in one.phone_mask.strip("*") else "",
        usable.code if usable.usable else "",
        employer,
        without_region(employer),
    )


def _groups(people: Iterable[_Compared], key: Callable[[_Compared], str]) -> list[list[_Compared]]:
    """Group by what a key gives; blank is in no group, and a group has two or more."""
    found: dict[str, list[_Compared]] = defaultdict(list)
    for one in people:
        if text := key(one):
            found[text].append(one)
    return [group for group in found.values() if len(group) > 1]


def _pairs(
    people: Sequence[_Compared], shared: Iterable[list[_Compared]], placeholders: set[str]
) -> Iterator[tuple[_Compared, _Compared]]:
    """Give the pairs worth a look; large groups of one name are cut by what a pair must share to be proposed."""
    for group in shared:
        if group[0].identity not in placeholders:
            yield from combinations(group, 2)
    for group in _groups(people, lambda one: one.name):
        if len(group) <= RARE:
            yield from combinations(group, 2)
            continue
        for shares in SHARED:
            for block in _groups(group, shares):
                yield from combinations(block, 2)
        by_core: dict[str, list[_Compared]] = defaultdict(list)
        for one in group:
            by_core[one.core].append(one)
        for short, long in likely(by_core):
            yield from product(by_core[short], by_core[long])


def _evidence(first: _Compared, second: _Compared, placeholders: set[str]) -> tuple[str, ...]:
    """Say what speaks for and against a pair; nothing where there are no grounds to propose it."""
    identities = {one.identity for one in (first, second)} - placeholders - {""}
    same = first.identity == second.identity and bool(identities)
    if not same and (first.name != second.name or not first.name):
        return ()
    codes = {"identity_same"} if same else {"identity_differs" if len(identities) == 2 else "identity_unknown"}
    if first.name != second.name:
        codes.add("name_differs")
    else:
        codes.add("name_same" if first.written == second.written else "name_same_in_simplified")
    codes |= _employers(first, second)
    if not same and first.identity_mask == second.identity_mask != "":
        codes.add("identity_mask_same")
    if first.phone_mask == second.phone_mask != "":
        codes.add("phone_mask_same")
    signs = match_evidence()
    return tuple(code for code in signs if code in codes) if any(signs[code].grounds for code in codes) else ()


def _employers(first: _Compared, second: _Compared) -> set[str]:
    codes = set()
    if first.code == second.code != "":
        codes.add("employer_code_same")
    if first.employer == second.employer != "":
        codes.add("employer_name_same")
    elif alike(first.core, second.core):
        codes.add("employer_name_alike")
    if not codes and (first.employer and second.employer):
        codes.add("employer_differs")
    return codes


def _decided(known: Known | None, evidence: Sequence[str]) -> bool:
    if known is None or known.state not in ("same", "different"):
        return False
    return known.state == "same" or "identity_same" not in evidence or "identity_same" in known.evidence


def refresh(records: Records, by: str, at: datetime) -> kept.Refreshed:
    """Look through the whole pool again and keep what is proposed; what no longer holds lapses, decisions stay."""
    people = kept.compared(records)
    known = {(one.first, one.second): Known(one.state, tuple(one.evidence)) for one in kept.matches(records)}
    found = proposals(people, {one.expert_id: one.identity_index for one in people}, known)
    return kept.keep_proposals(records, [(p.first, p.second, p.score, p.evidence) for p in found], by, at)

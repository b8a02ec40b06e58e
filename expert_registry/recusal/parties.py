"""The parties of a matter with all that recusal must look for: names and codes they bore, their group, their heads.

The caller hands in an enterprise as it knows it (its code, its name, the names the credit register has); what the exchange
was told of enterprises (``enterprise_tie``, ``enterprise_head``) is added. A tie of a group counts where it holds on the
day of the matter or ended within the window of employment, for who worked there then worked for the group. A former
name or code is one for ever. Nobody is tied to others through a public body: enterprises are not related merely
because the state controls them (公司法 2023 Art. 265 (4)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from expert_registry.people import GroupMember, Party
from expert_registry.recusal.affiliation import code_of, known_names, name_of
from expert_registry.recusal.days import bars, runs
from expert_registry.recusal.reasons import RecusalFacts
from records.enterprise_ties import EnterpriseTie, enterprise_heads, enterprise_ties
from records.expert_employers import employers
from records.store import Records
from schemas.experts import ExpertRules
from schemas.recusal_facts import enterprise_relations, recusal_reasons

PUBLIC_BODY = "11"
"""GB 32100-2015: registered by the commission of establishments (1) as a public body (1)."""


@dataclass(frozen=True, slots=True)
class _Place:
    """An enterprise met on the way through a group: how it was reached; a blank relation is the party itself."""

    uscc: str
    name: str
    relation: str
    source: str

    @property
    def key(self) -> str:
        return _key(self.uscc, self.name)


def parties(records: Records, wanted: Iterable[Party], on: date) -> tuple[Party, ...]:
    """Complete parties with their former names and codes, group and heads as they count on a day."""
    return tuple(party(records, one, on) for one in wanted)


def party(records: Records, wanted: Party, on: date) -> Party:
    """Complete one party; what it came with stays."""
    selves, members = _around(records, wanted, on)
    codes = dict.fromkeys([*wanted.other_codes, *(one.uscc for one in selves if one.uscc)])
    names = dict.fromkeys([*wanted.former_names, *(one.name for one in selves if one.name)])
    own = [code for code in (wanted.uscc, *codes) if code]
    heads = dict.fromkeys(wanted.heads)
    heads |= dict.fromkeys(one.person for one in enterprise_heads(records, own) if runs(one.since, one.until, on))
    group = [GroupMember(one.uscc, one.name, one.relation, one.source) for one in members]
    return replace(
        wanted,
        former_names=tuple(name for name in names if name != wanted.name),
        other_codes=tuple(code for code in codes if code != wanted.uscc),
        group=(*wanted.group, *group),
        heads=tuple(heads),
    )


def facts_for(
    records: Records, rules: ExpertRules, names: Iterable[tuple[str, str]] = (), opined: Iterable[str] = ()
) -> RecusalFacts:
    """Gather the facts of recusal: the rule of the bureaus, and every name with a code that is on record.

    ``names`` are further names with codes, of the credit register; ``opined`` who gave an opinion on the matter before.
    """
    told = [
        pair for tie in enterprise_ties(records) for pair in ((tie.name, tie.uscc), (tie.other_name, tie.other_uscc))
    ]
    return RecusalFacts(rules.cross_bureau_rule, known_names([*employers(records), *told, *names]), frozenset(opined))


def _around(records: Records, wanted: Party, on: date) -> tuple[list[_Place], list[_Place]]:
    """Walk the ties outwards from a party: what is the party itself, and what is of its group."""
    start = [_Place(wanted.uscc, wanted.name, "", "")]
    start += [_Place(code, "", "", "") for code in wanted.other_codes]
    start += [_Place("", name, "", "") for name in wanted.former_names]
    start += [_Place(one.uscc, one.name, one.relation, one.source) for one in wanted.group]
    seen = {place.key: place for place in start}
    frontier = list(seen.values())
    given = set(seen)
    while frontier:
        usccs, called = _asked(frontier)
        ties = [tie for tie in enterprise_ties(records, usccs, called) if _counts(tie, on)]
        frontier = []
        for place in _next(list(seen.values()), ties):
            if place.key not in seen:
                seen[place.key] = place
                frontier.append(place)
    met = [place for key, place in seen.items() if key not in given]
    return [one for one in met if not one.relation], [one for one in met if one.relation]


def _asked(places: Iterable[_Place]) -> tuple[set[str], set[str]]:
    usccs = {code_of(place.uscc).code or place.uscc for place in places} | {place.uscc for place in places}
    return usccs - {""}, {place.name for place in places} - {""}


def _counts(tie: EnterpriseTie, on: date) -> bool:
    known = enterprise_relations().get(tie.relation)
    if known is not None and known.same:
        return True
    return bars(recusal_reasons()["employer_3y"], tie.since, tie.until, on) is not None


def _next(known: Iterable[_Place], ties: Iterable[EnterpriseTie]) -> Iterator[_Place]:
    """Give what the ties lead to from the places known, not through a public body."""
    places = {place.key: place for place in known if not place.uscc.startswith(PUBLIC_BODY) or not place.relation}
    by_name = {name_of(place.name): place for place in places.values() if place.name}
    relations = enterprise_relations()
    for tie in ties:
        ends = (tie.uscc, tie.name), (tie.other_uscc, tie.other_name)
        relation = relations.get(tie.relation)
        onward = relation.code if relation else "same_control"
        back = relation.inverse if relation else "same_control"
        for (code, name), (to_code, to_name), step in ((*ends, onward), (*ends[::-1], back)):
            place = places.get(_key(code, name))
            called = by_name.get(name_of(name)) if place is None and name else None
            if called is not None and not (code and called.uscc):
                place = called  # one of the two has no code: the name tells
            if place is not None:
                yield _Place(to_code, to_name, _joined(place.relation, step), _sources(place.source, tie.source))


def _joined(relation: str, step: str) -> str:
    """Say what the next one is to the party: the same as before through a former name, else of its group."""
    if enterprise_relations()[step].same:
        return relation
    if not relation or (relation == step and step in ("parent", "subsidiary")):
        return step
    return "same_control"


def _sources(first: str, second: str) -> str:
    return "；".join(dict.fromkeys(one for one in (first, second) if one))


def _key(uscc: str, name: str) -> str:
    return code_of(uscc).code or uscc or f"name:{name_of(name)}"

"""Whom an employer's name and code mean: which party, author or authority of a matter, and by what one can tell.

An employer is found by its unified social credit code, by the organisation code inside it (it stays when the
registering department or the division changes), by a name it bears or bore, as a branch or department behind the
whole name, or by a code somebody has on record for the name. Every enterprise of a party's group is looked for too.
A name that is alike only in sound or in part is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from expert_registry.people import Matter, Party
from records.scripts import plain
from schemas.identifiers import Uscc, read_uscc
from schemas.name_words import name_words
from schemas.places import bureaus
from schemas.recusal_facts import employer_word, enterprise_relations

LEAST_PREFIX = 4
"""A shorter name at the front of another one says nothing (中石化 is no department's head)."""


@dataclass(frozen=True, slots=True)
class Sought:
    """One enterprise or authority a matter knows: on which side, and what it is to the party it belongs to."""

    side: str
    """``party``, ``author`` or ``supervisor``."""
    party: Party
    name: str
    relation: str = ""
    """Blank for the party itself, else what it is to it in its group."""
    source: str = ""

    def words(self) -> tuple[str, str]:
        """Say who it is, in Chinese and English."""
        side, side_en = {"party": ("当事方", "party"), "author": ("编制单位", "author")}.get(
            self.side, ("监管部门", "authority")
        )
        zh, en = f"{side}“{self.party.name}”", f"the {side_en} “{self.party.name}”"
        if not self.relation:
            return zh, en
        known = enterprise_relations().get(self.relation)
        title, title_en = (known.title_zh, known.title_en) if known else (self.relation, self.relation)
        source = f"，据 {self.source}" if self.source else ""
        source_en = f", says {self.source}" if self.source else ""
        return f"{zh}的关联企业“{self.name}”（{title}{source}）", f"“{self.name}” ({title_en} of {en}{source_en})"


@dataclass(frozen=True, slots=True)
class Hit:
    """An employer is one of those sought; ``by_code`` where more than a name tells so."""

    sought: Sought
    by_code: bool
    how: str
    how_en: str


def known_names(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Lay out names with the codes on record for them: folded name → codes; unusable codes are left out."""
    found: dict[str, set[str]] = {}
    for name, text in pairs:
        code = code_of(text)
        if name and code.usable:
            found.setdefault(name_of(name), set()).add(code.code)
    return {name: frozenset(codes) for name, codes in found.items()}


@lru_cache(maxsize=100_000)
def code_of(text: str) -> Uscc:
    """Read a code once."""
    return read_uscc(text)


@lru_cache(maxsize=100_000)
def name_of(text: str) -> str:
    """Fold a name once."""
    return plain(text)


@lru_cache(maxsize=100_000)
def word_of(text: str) -> str:
    """Tell once what stands in place of an employer's name (:func:`employer_word`)."""
    return employer_word(text)


@dataclass(frozen=True, slots=True)
class Landscape:
    """Everybody a matter knows, laid out so that an employer is found at once."""

    names: Mapping[str, frozenset[str]]
    """Names on record elsewhere with their codes: they tell who an employer without a code is."""
    by_code: dict[str, list[Sought]] = field(default_factory=dict)
    by_organisation: dict[str, list[Sought]] = field(default_factory=dict)
    by_name: dict[str, list[Sought]] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[Hit, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, matter: Matter, authorities: Iterable[Party], names: Mapping[str, frozenset[str]]) -> Landscape:
        """Lay out the parties, authors and authorities of a matter with their groups and former names."""
        made = cls(names)
        for side, parties in (("party", matter.parties), ("author", matter.authors), ("supervisor", authorities)):
            for party in parties:
                own = Sought(side, party, party.name)
                made._add(own, (party.uscc, *party.other_codes), (party.name, *party.former_names))
                for member in party.group:
                    other = Sought(side, party, member.name or member.uscc, member.relation, member.source)
                    made._add(other, (member.uscc,), (member.name,))
        return made

    def _add(self, sought: Sought, codes: Iterable[str], names: Iterable[str]) -> None:
        for code in map(code_of, codes):
            if written := _written(code):
                self.by_code.setdefault(written, []).append(sought)
            if organisation := organisation_of(code):
                self.by_organisation.setdefault(organisation, []).append(sought)
        for name in filter(None, map(name_of, names)):
            self.by_name.setdefault(name, []).append(sought)

    def find(self, name: str, code: str) -> tuple[Hit, ...]:
        """Find an employer among those sought: each of them once, by the surest sign."""
        asked = (name, code)
        if asked not in self.found:
            hits: dict[int, Hit] = {}
            for hit in (*self._by_codes(code), *self._by_names(name, code_of(code))):
                hits.setdefault(id(hit.sought), hit)
            self.found[asked] = tuple(hits.values())
        return self.found[asked]

    def _by_codes(self, text: str) -> Iterable[Hit]:
        code = code_of(text)
        written = _written(code)
        for sought in self.by_code.get(written, ()) if written else ():
            yield Hit(sought, True, f"代码相同（{written}）", f"same code ({written})")
        organisation = organisation_of(code)
        for sought in self.by_organisation.get(organisation, ()) if organisation else ():
            zh = f"代码虽不同，组织机构代码段相同（{organisation}）"
            yield Hit(sought, True, zh, f"another code with the same organisation code in it ({organisation})")

    def _by_names(self, text: str, code: Uscc) -> Iterable[Hit]:
        name = "" if word_of(text) else name_of(text)
        if not name:
            return
        for sought in self.by_name.get(name, ()):
            yield Hit(sought, False, f"名称相同（{text}）", f"same name ({text})")
        if not code.usable:
            for known in sorted(self.names.get(name, ())):
                for sought in self.by_code.get(known, ()):
                    yield Hit(sought, True, f"按名称查得的代码相同（{known}）", f"the name has the same code ({known})")
        for length in range(LEAST_PREFIX, len(name)):
            if name[:length] in self.by_name and (not code.usable or _is_branch(name[length:])):
                for sought in self.by_name[name[:length]]:
                    yield Hit(sought, False, f"为其分支或内设机构（{text}）", f"a branch or department of it ({text})")

    def knows(self, name: str, code: str) -> bool:
        """Tell whether it is known who an employer is: by a usable code, or a name somebody has on record."""
        read = code_of(code)
        if read.usable or read.status == "organisation" or word_of(name) == "none":
            return True
        if word_of(name):
            return False
        return name_of(name) in self.names or name_of(name) in _bureau_names() or bool(self.find(name, code))


def _bureau_names() -> frozenset[str]:
    """Every name of the bureaus of the exchange: who works there is known, with or without a code."""
    return _folded(tuple(name for one in bureaus().values() for name in (one.name_zh, *one.aliases)))


@lru_cache(maxsize=4)
def _folded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(name_of, names))


def organisation_of(code: Uscc) -> str:
    """Give the nine characters of the organisation code, alone or inside a unified code; blank where there is none."""
    if code.status == "organisation":
        return code.text
    return code.code[8:17] if code.usable else ""


def _written(code: Uscc) -> str:
    """What of a code two sides can compare: the 18 characters, or an older number; never a masked or broken one."""
    return code.code or (code.text if code.status in ("organisation", "registration") else "")


def _is_branch(rest: str) -> bool:
    return any(rest.endswith(plain(word)) for word in name_words().branches)

"""Put the expert registry together: the pool and keys of a home, who stands before it, and what the credit register knows.

The vault is made at the first use of a home, and never where something was sealed already: keys that are lost are to be
brought back, not replaced by others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from expert_registry.draw.candidates import Entry, PoolView, entries
from expert_registry.draw.desk import Desk
from expert_registry.draw.freezing import opined
from expert_registry.draw.opening import Looker
from expert_registry.draw.protocol import Seat
from expert_registry.errors import BadRequest, IncompleteExpert
from expert_registry.people import Expert, Matter, Party
from expert_registry.privacy.vault import Vault
from expert_registry.recusal.parties import facts_for, parties
from expert_registry.recusal.reasons import RecusalFacts
from expert_registry.roster.pool import load, load_one
from pipelines.batch import Places
from portal.settings import ExpertSettings, read_expert_settings
from records import expert_drawbook, expert_listing
from records.expert_access import record_access
from records.keys import KeyRing
from records.store import Records
from schemas.experts import ExpertRules, add_years, expert_rules
from schemas.places import bureaus

if TYPE_CHECKING:
    from credit_registry.register import Register

POOL_STAFF = "pool_staff"
POOL_WORK = "专家库日常管理"
"""What pool staff look for where they do not say it; every other role says why."""
EXERCISE_KEY = "00" * 32
"""Opaque ids of a trial of recusal are shown to nobody."""


@dataclass(frozen=True)
class Office:
    """A home's expert registry, opened, with who stands before it."""

    places: Places
    records: Records
    settings: ExpertSettings
    by: str
    role: str
    unit: str
    purpose: str
    at: datetime

    @cached_property
    def rules(self) -> ExpertRules:
        """The parameters of the pool, with what this home replaces."""
        return expert_rules(site=self.places.site_facts)

    @cached_property
    def bureaus(self) -> tuple[str, ...]:
        """The bureaus of the pool."""
        found = bureaus(self.places.site_facts)
        return tuple(sorted(code for code, one in found.items() if one.kind == "bureau"))

    @cached_property
    def vault(self) -> Vault:
        """The keys of the sealed fields."""
        fresh = not expert_listing.expert_ids(self.records) and not expert_drawbook.draws(self.records)
        return Vault.open(self.places.home / "vault", create=fresh)

    @property
    def uploads(self) -> Path:
        """Where lists that came in are kept sealed."""
        return self.places.home / "experts" / "uploads"

    @cached_property
    def desk(self) -> Desk:
        """The desk of the draws."""
        ring = KeyRing.open(self.places.keys)
        plays = self.settings.plays or self.bureaus
        if unknown := {*plays, *self.settings.trusted} - set(self.bureaus):
            raise IncompleteExpert(
                f"expert_desk.toml 写的 {'、'.join(sorted(unknown))} 不是参与单位：{'、'.join(self.bureaus)}",
                f"expert_desk.toml names {', '.join(sorted(unknown))}; the bureaus are {', '.join(self.bureaus)}",
            )
        own = tuple(ring.public_keys().values())
        trusted = dict(self.settings.trusted) | {bureau: own for bureau in plays}
        return Desk(self.records, self.vault, ring.current(), plays, self.bureaus, self.rules, trusted)

    def looker(self) -> Looker:
        """Say who looks, as it is written down."""
        return Looker(self.by, self.role, self.unit, self.why)

    @property
    def why(self) -> str:
        """What somebody looks for.

        Raises
        ------
        IncompleteExpert
            A role other than the pool staff does not say it.
        """
        if self.purpose or self.role == POOL_STAFF:
            return self.purpose or POOL_WORK
        raise IncompleteExpert(
            f"角色 {self.role} 查看须写明目的：--purpose 或 GONGZHI_PURPOSE",
            f"role {self.role} says why it looks: --purpose or GONGZHI_PURPOSE",
        )

    def looked(self, kind: str, shown: set[str], *, expert_id: str = "", count: int = 1) -> None:
        """Write a look down before it is given."""
        record_access(
            self.records, at=self.at, by=self.by, role=self.role, unit=self.unit, kind=kind, expert_id=expert_id,
            fields=shown, purpose=self.why, count=count,
        )  # fmt: skip

    # -- what recusal needs --------------------------------------------------------------------------------------

    def complete(self, matter: Matter) -> Matter:
        """Add to the parties of a matter what the credit register and the pool's own records know of them.

        Raises
        ------
        BadRequest
            Of a party only a code is known.
        """
        with _register(self.places, self.records, self.at) as register:
            told = [tuple(_told(register, one) for one in side) for side in (matter.parties, matter.authors)]
        if unnamed := [one.uscc for side in told for one in side if not one.name]:
            raise BadRequest(
                f"信用库中没有 {'、'.join(unnamed)} 的名称，请在申请中写明 name，否则按名称的回避无从核对",
                f"the credit register has no name for {', '.join(unnamed)}: write it, or recusal by name is blind",
            )
        known = [parties(self.records, one, matter.on) for one in told]
        return replace(matter, parties=known[0], authors=known[1])

    def facts(self, matter: Matter) -> RecusalFacts:
        """Gather what recusal needs: names with codes of the credit register too, and earlier opinions."""
        with _register(self.places, self.records, self.at) as register:
            names = register.named() if register is not None else []
        return facts_for(self.records, self.rules, names, opined(self.desk, matter))

    def persons(self, expert_id: str) -> list[Expert]:
        """Give all records of the person behind a number, the one the person lives on under first."""
        merged = expert_listing.merges(self.records)

        def root(one: str) -> str:
            while one in merged:
                one = merged[one]
            return one

        load_one(self.records, expert_id)
        kept = root(expert_id)
        found = load(self.records, ids={kept, *(one for one in merged if root(one) == kept)})
        return sorted(found, key=lambda one: one.expert_id != kept)

    def entry(self, expert_id: str, matter: Matter, seats: tuple[Seat, ...], cutoff: datetime) -> Entry | None:
        """Say what a list made now would say of one expert; None where the seats ask for other fields."""
        since = add_years(matter.on, -1) + timedelta(days=1)
        view = PoolView(
            self.persons(expert_id),
            changed=expert_listing.late_changes(self.records, cutoff),
            uses=expert_listing.uses(self.records, since, matter.on),
            doubtful=expert_listing.doubtful(self.records),
        )
        found = entries(
            view, matter, seats, self.rules, key=EXERCISE_KEY, at=self.at, cutoff=cutoff, facts=self.facts(matter)
        )
        return found[0] if found else None


def office_of(
    places: Places, records: Records, by: str, at: datetime, role: str = "", unit: str = "", purpose: str = ""
) -> Office:
    """Open the registry for somebody; what is not said comes from the settings."""
    told = read_expert_settings(places.site_facts)
    return Office(places, records, told, by.strip(), role or told.role, unit or told.unit, purpose or told.purpose, at)


def _told(register: Register | None, party: Party) -> Party:
    """Add the names the credit register has for a party's code, and the code of a name only one enterprise bears."""
    if register is None:
        return party
    code = party.uscc
    if not code and party.name:
        bearers = {uscc for name, uscc in register.named() if name == party.name}
        code = bearers.pop() if len(bearers) == 1 else ""
    dossier = register.dossier(code) if code else None
    names = [one.name for one in dossier.names] if dossier else []
    name = party.name or (names[0] if names else "")
    former = dict.fromkeys([*party.former_names, *names])
    return replace(party, uscc=code, name=name, former_names=tuple(one for one in former if one != name))


@contextmanager
def _register(places: Places, records: Records, at: datetime) -> Iterator[Register | None]:
    """Open the credit register of the home, None where it has none."""
    from portal.credit import desk_of

    with desk_of(places, records, at) as desk:
        yield desk.register

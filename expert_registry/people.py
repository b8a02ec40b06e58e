"""What the rooms of the registry pass to each other: an expert, a party, a matter.

Nobody's identity number, phone or bank account is here: they stay sealed in the records and only
``expert_registry/privacy/vault.py`` opens them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Specialty:
    """A field of the taxonomy; ``raw`` is the wording it was read from, ``code`` is blank where nobody mapped it."""

    code: str
    edition: str
    raw: str


@dataclass(frozen=True, slots=True)
class Employment:
    """Work for somebody; both days are inclusive, a missing ``until`` means still there."""

    employer: str
    uscc: str
    role: str
    """Code of ``expert_roles.csv``: employee, director, supervisor, shareholder, controller."""
    since: date | None
    until: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Tie:
    """A relation an expert declared or an office knows of, by the kind of ``recusal_reasons.csv``."""

    kind: str
    uscc: str
    party: str
    matter: str
    since: date | None
    until: date | None
    amount_fen: int | None
    detail: str
    source: str


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent (``sharing``, ``publication``, ``bank``) with its day; ``revoked_on`` is the first day without it."""

    kind: str
    given_on: date
    revoked_on: date | None
    document: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Days, both inclusive, on which an expert cannot be asked."""

    since: date
    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class Expert:
    """One person of the pool, without the sealed fields."""

    expert_id: str
    bureau: str
    name: str
    employer: str
    employer_uscc: str
    title: str
    title_rank: str
    division: str
    state: str
    term_start: date | None
    term_end: date | None
    bar_until: date | None
    certificate_until: date | None
    practice_since: date | None
    identity_mask: str
    phone_mask: str
    remark: str
    entered_at: datetime
    updated_at: datetime
    merged_into: str | None
    specialties: tuple[Specialty, ...] = ()
    employments: tuple[Employment, ...] = ()
    ties: tuple[Tie, ...] = ()
    consents: tuple[Consent, ...] = ()
    leaves: tuple[Leave, ...] = ()
    frozen_at: datetime | None = None
    """Since when the person is only kept, neither shown nor used (PIPL Art. 47)."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """An enterprise tied to a party: its parent, a subsidiary, one under the same control."""

    uscc: str
    name: str
    relation: str
    source: str


@dataclass(frozen=True, slots=True)
class Party:
    """An enterprise a matter is about, with every name and code it bore and the group it belongs to."""

    uscc: str
    name: str
    former_names: tuple[str, ...] = ()
    other_codes: tuple[str, ...] = ()
    group: tuple[GroupMember, ...] = ()
    heads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matter:
    """What a panel is asked about: on which day, which parties, who made the work, who supervises."""

    matter_id: str
    title: str
    on: date
    bureau: str
    parties: tuple[Party, ...] = ()
    authors: tuple[Party, ...] = ()
    """Those who wrote the reviewed work (institutes, EIA providers)."""
    supervisors: tuple[str, ...] = ()
    """Names or codes of the authorities that supervise the parties in this matter."""
    upheld: tuple[str, ...] = ()
    """Expert ids for whom a party's request of recusal was upheld."""


@dataclass(frozen=True, slots=True)
class Recusal:
    """One reason why an expert may not sit, with what shows it."""

    reason: str
    evidence: str
    evidence_en: str
    since: date | None = None
    until: date | None = None

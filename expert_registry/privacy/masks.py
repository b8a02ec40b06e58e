"""What is shown of an expert, and to whom: masks of personal texts, and the view each role has.

The rules are data (``schemas/vocabularies/expert_views.csv``). Sealed fields are opened only where the view of the role
shows them, and only by a caller who hands in the vault; the caller records the look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from expert_registry.errors import UnknownWord
from expert_registry.people import Consent, Expert
from expert_registry.privacy.vault import BANK, IDENTITY, PHONE, Vault
from records.experts import ExpertRow
from schemas.expert_views import ROLES, expert_views
from schemas.personal import mask_bank, mask_identity, mask_name, mask_phone
from schemas.specialties import employer_type

__all__ = ["consented", "mask_bank", "mask_identity", "mask_name", "mask_phone", "opened", "shown", "visible"]

SEALED = (IDENTITY, PHONE, BANK)
FROZEN = ("expert_id", "bureau", "state")
"""What is still shown of a frozen record, but to an auditor."""


def consented(consents: tuple[Consent, ...], kind: str, on: date) -> bool:
    """Tell whether a consent holds on a day: given by then, and not revoked by then."""
    return any(
        one.kind == kind and one.given_on <= on and (one.revoked_on is None or on < one.revoked_on) for one in consents
    )


def visible(role: str, consents: tuple[Consent, ...], on: date) -> dict[str, str]:
    """Say how each field is shown to a role: ``clear`` or ``mask``; what is not shown is not there.

    Raises
    ------
    UnknownWord
        Nobody has this role.
    """
    if role not in ROLES:
        raise UnknownWord(
            f"不认识的角色 {role!r}，应为 {'、'.join(ROLES)}", f"unknown role {role!r}; roles: {', '.join(ROLES)}"
        )
    needs = {"consent": "publication", "bank": "bank"}
    found = {}
    for name, view in expert_views().items():
        how = view.shown[role]
        if how in needs:
            how = "clear" if consented(consents, needs[how], on) else "no"
        if how != "no":
            found[name] = how
    return found


def shown(
    expert: Expert, role: str, on: date, *, sealed: ExpertRow | None = None, vault: Vault | None = None
) -> dict[str, object]:
    """Give what a role may see of an expert on a day.

    Parameters
    ----------
    sealed, vault : ExpertRow and Vault, optional
        With both, the sealed fields the role may see in clear are opened; without them they are masks, and the bank
        account is not shown.
    """
    how = visible(role, expert.consents, on)
    if expert.frozen_at is not None and role != "auditor":
        how = {name: way for name, way in how.items() if name in FROZEN}
    fields: dict[str, object] = {name: _plain(expert, name) for name in how if name not in SEALED}
    masks = {IDENTITY: expert.identity_mask, PHONE: expert.phone_mask}
    for name in SEALED:
        if how.get(name) == "clear" and sealed is not None and vault is not None:
            fields[name] = vault.open_(expert.expert_id, name, getattr(sealed, f"{name}_sealed"))
        elif name in how and name in masks:
            fields[name] = masks[name]
    return fields


def opened(shown_fields: Mapping[str, object], role: str) -> list[str]:
    """Name the fields of a view that count as a look at personal numbers, for the record of accesses."""
    return sorted(name for name in shown_fields if name in SEALED and expert_views()[name].shown[role] != "mask")


def _plain(expert: Expert, name: str) -> object:
    if name == "employer_type":
        return employer_type(expert.employer, expert.employer_uscc)
    if name == "specialties":
        return [one.code or one.raw for one in expert.specialties]
    value = getattr(expert, name)
    return value.isoformat() if isinstance(value, date) else value

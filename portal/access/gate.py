"""What all doors share: the records, the rules, the hasher, the bureaus, and the key of the sealed secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from expert_registry.privacy.vault import Vault
from pipelines.batch import Places
from portal.access.passwords import Passwords
from records import expert_drawbook, expert_listing
from records.accounts import accounts
from records.store import Records
from schemas.access_rules import AccessRules, access_rules
from schemas.places import Bureau, bureaus


@dataclass(frozen=True, slots=True)
class Gate:
    """The door of one home; one for all threads of a portal."""

    records: Records
    rules: AccessRules
    passwords: Passwords
    bureaus: Mapping[str, Bureau]
    vault_folder: Path

    def vault(self) -> Vault:
        """Open the keys the secrets of second factors are sealed with; the first ones are made where nothing is sealed.

        The folder is in no backup: who restores a home without it resets the second factors.
        """
        exists = self.vault_folder.is_dir() and any(self.vault_folder.iterdir())
        return Vault.open(self.vault_folder, create=not exists and self._nothing_sealed())

    def _nothing_sealed(self) -> bool:
        if any(one.factor_sealed for one in accounts(self.records)):
            return False
        return not expert_listing.expert_ids(self.records) and not expert_drawbook.draws(self.records)


def open_gate(places: Places, records: Records) -> Gate:
    """Make the door of a home."""
    rules = access_rules()
    known = {code: one for code, one in bureaus(places.site_facts).items() if one.kind == "bureau"}
    return Gate(records, rules, Passwords(rules.argon2, rules.password.most), known, places.home / "vault")

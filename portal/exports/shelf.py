"""What lies on the shelf: every shared table with its state, who has rows in it, and under which terms it is given out.

Looked at again only when a table has a new version; the same facts make ``datapackage.json`` and the DCAT record.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.batch import Places
from pipelines.publish.catalogue import data_package, dcat, senders_of
from pipelines.publish.store import newest_version, tables_status
from schemas.contracts import Table, tables
from schemas.export_rules import Note, export_rules
from schemas.loaders import Bureau

_kept: dict[str, tuple[tuple[int | None, ...], dict[str, Shelved]]] = {}
_looking = threading.Lock()


@dataclass(frozen=True, slots=True)
class Shelved:
    """One shared table as it stands."""

    table: Table
    status: dict[str, Any]
    senders: tuple[tuple[str, Bureau | None], ...]

    @property
    def recorded_at(self) -> datetime | None:
        """When the newest publication became the record."""
        told = self.status["recorded_at"]
        return datetime.fromisoformat(told) if told else None

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is to be known of the table and of its senders."""
        rules = export_rules()
        of_senders = [rules.sender_notes[code] for code, _ in self.senders if code in rules.sender_notes]
        return (rules.table_notes[self.table.table], *of_senders)

    @property
    def sender_words(self) -> tuple[str, str]:
        """The names of those who have rows in it, in both languages."""
        zh = [bureau.name_zh if bureau else code for code, bureau in self.senders]
        en = [bureau.name_en if bureau else code for code, bureau in self.senders]
        return "、".join(zh), "; ".join(en)


def shelf(places: Places) -> dict[str, Shelved]:
    """Give every shared table as it stands now, by its name."""
    versions = tuple(newest_version(table, places.tables) for table in tables().values())
    with _looking:
        known = _kept.get(places.tables)
        if known is None or known[0] != versions:
            _kept[places.tables] = known = (versions, _look(places))
        return known[1]


def package(places: Places) -> dict[str, Any]:
    """Give the Data Package of the shared tables with the terms they are given out under."""
    found, licence = shelf(places), export_rules().licence
    made = data_package(_status(found), _senders(found))
    terms = {"name": licence.name, "title": f"{licence.title_zh} / {licence.title_en}"}
    return {**made, "licenses": [terms], "description": f"{licence.text_zh} / {licence.text_en}"}


def record(places: Places) -> dict[str, Any]:
    """Give the DCAT record of the shared tables with the rights in them."""
    found, licence = shelf(places), export_rules().licence
    made = dcat(_status(found), _senders(found))
    rights = [{"@value": licence.text_zh, "@language": "zh"}, {"@value": licence.text_en, "@language": "en"}]
    return {**made, "dcat:dataset": [{**one, "dct:accessRights": rights} for one in made["dcat:dataset"]]}


def _look(places: Places) -> dict[str, Shelved]:
    site = places.site_facts if places.site_facts.is_dir() else None
    status = {entry["table"]: entry for entry in tables_status(places.tables)}
    return {
        name: Shelved(table, status[name], tuple(senders_of(name, places.tables, site)))
        for name, table in tables().items()
    }


def _status(found: dict[str, Shelved]) -> dict[str, dict[str, Any]]:
    return {name: one.status for name, one in found.items()}


def _senders(found: dict[str, Shelved]) -> dict[str, list[tuple[str, Bureau | None]]]:
    return {name: list(one.senders) for name, one in found.items()}

"""Whom to ask about a delivery: ``contacts.toml`` among a home's facts, one block a bureau; nothing is shipped.

::

    [beibei]
    office = "监测科"
    telephone = "…"
    source = "notice of the bureau"
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import MalformedFact, line_of, read_toml


@dataclass(frozen=True, slots=True)
class Contact:
    """Who answers, and under which number."""

    office: str
    telephone: str
    source: str


def contact_of(bureau: str, site: Path | None) -> Contact | None:
    """Give whom to ask at a bureau; nothing where its home does not say.

    Raises
    ------
    MalformedFact
    """
    path = None if site is None else site / "contacts.toml"
    if path is None or not path.is_file():
        return None
    block = read_toml(path).get(bureau)
    if block is None:
        return None
    wanted = ("office", "telephone", "source")
    if (
        not isinstance(block, dict)
        or set(block) != set(wanted)
        or not all(isinstance(one, str) for one in block.values())
    ):
        raise MalformedFact(path, line_of(path, bureau), f"[{bureau}] takes the texts {', '.join(wanted)}")
    return Contact(**block)

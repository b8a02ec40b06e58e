"""Who may do what, as data: the roles of the portal and the permissions its routes declare.

A permission names the roles that have it, whose objects it reaches (``own``: those of the caller's bureau, ``any``:
those of both bureaus, ``none``: it is not about objects of a bureau), whether the second factor must have been passed,
whether an API key may use it, and ``during`` which unfinished step of a login it is open too (``change``: the one-time
password must be changed, ``code``: the second factor is awaited); all others are closed until the login is finished.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows

SCOPES = ("own", "any", "none")
STEPS = ("change", "code")


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and those nobody may hold beside it."""

    role: str
    title_zh: str
    title_en: str
    excludes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission, as a route declares it."""

    permission: str
    title_zh: str
    title_en: str
    roles: frozenset[str]
    scope: str
    second_factor: bool
    key: bool
    during: tuple[str, ...]
    source: str


@once
def portal_roles(root: Path = SCHEMAS) -> dict[str, Role]:
    """Read ``vocabularies/portal_roles.csv``: role → what it is; an exclusion stands at both roles."""
    rows = read_rows(root / "vocabularies" / "portal_roles.csv", ("role", "title_zh", "title_en", "excludes", "source"))
    found: dict[str, Role] = {}
    for row in rows:
        role = row.need("role")
        if role in found:
            raise row.fail(f"role {role!r} stands twice")
        titles = (row.need("title_zh"), row.need("title_en"))
        found[role] = Role(role, *titles, row.many("excludes"), row.need("source"))
    for row in rows:
        for other in row.many("excludes"):
            if other not in found or row["role"] not in found[other].excludes or other == row["role"]:
                raise row.fail(f"role {row['role']!r} excludes {other!r}, which does not exclude it")
    return found


@once
def permissions(root: Path = SCHEMAS) -> dict[str, Permission]:
    """Read ``vocabularies/permissions.csv``: permission → who has it, and how far it reaches."""
    columns = ("permission", "title_zh", "title_en", "roles", "scope", "second_factor", "key", "during", "source")
    known = portal_roles(root)
    found: dict[str, Permission] = {}
    for row in read_rows(root / "vocabularies" / "permissions.csv", columns):
        name, roles, during = row.need("permission"), row.many("roles"), row.many("during")
        if name in found or not roles or not set(roles) <= set(known):
            raise row.fail(f"permission {name!r} stands twice, or has no role, or one that is not known: {roles}")
        if not set(during) <= set(STEPS):
            raise row.fail(f"during {during} is not of {', '.join(STEPS)}")
        second, key = (row.one_of(column, ("yes", "no")) == "yes" for column in ("second_factor", "key"))
        if second and (key or during):
            raise row.fail(f"permission {name!r} needs the second factor: no key has it, no unfinished login either")
        titles = (row.need("title_zh"), row.need("title_en"))
        scope = row.one_of("scope", SCOPES)
        found[name] = Permission(name, *titles, frozenset(roles), scope, second, key, during, row.need("source"))
    return found

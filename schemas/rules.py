"""Rules: what must hold, one TOML per table, each rule under its public code.

A rule compares one column (of the file's rows, or of its results) with plain arguments. What must first be measured
(hours since the last change, the PM10 of the same hour) is a *feature* with a name of its own, so that the judge
and Great Expectations evaluate the same comparison independently. ``docs/rules.md`` is generated from these files.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.files import SCHEMAS, MalformedFact, line_of, read_toml

SEVERITIES = ("refuse_batch", "refuse_row", "refuse_value", "flag", "note")
CHECKS: dict[str, set[str]] = {
    "one_of": {"values"},
    "none_of": {"values"},
    "within": {"low", "high"},
    "within_facts": {"low", "high"},
    "present": set(),
    "matches": {"pattern"},
    "not_above": {"other", "factor"},
}
"""Kinds of check and the arguments each takes."""

_CODE = re.compile(r"^[A-Z]+-\d{3}$")
_KEYS = {
    "check", "on", "column", "where", "arguments", "severity", "message_zh", "message_en", "expected_zh", "hint_zh",
    "hint_en", "source", "stages", "shown",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    ``on`` is ``row`` or ``result``; ``where`` restricts by the values of other columns; ``shown`` names the column
    whose text a finding shows (else the rule's own column).
    """

    code: str
    table: str
    check: str
    on: str
    column: str
    where: dict[str, tuple[str, ...]]
    arguments: dict[str, Any]
    severity: str
    message_zh: str
    message_en: str
    expected_zh: str
    hint_zh: str
    hint_en: str
    shown: str | None
    source: str


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules of one table and refuse what does not fit.

    Raises
    ------
    MalformedFact
        A code, check, argument, severity or message is wrong or missing.
    """
    rules = []
    for code, raw in read_toml(path).items():

        def refuse(reason: str, code: str = code) -> MalformedFact:
            return MalformedFact(path, line_of(path, code), f"{code}: {reason}")

        if not _CODE.match(code) or not isinstance(raw, dict):
            raise refuse("a rule stands under a code such as WATER-001")
        unknown = set(raw) - _KEYS
        if unknown:
            raise refuse(f"unknown key {sorted(unknown)}")
        for key in ("check", "on", "column", "severity", "message_zh", "message_en", "source"):
            if not raw.get(key):
                raise refuse(f"{key!r} is missing")
        if raw["check"] not in CHECKS:
            raise refuse(f"check {raw['check']!r} is none of {', '.join(sorted(CHECKS))}")
        arguments = dict(raw.get("arguments", {}))
        if set(arguments) - CHECKS[raw["check"]]:
            raise refuse(f"{raw['check']!r} takes {sorted(CHECKS[raw['check']])}, not {sorted(arguments)}")
        if raw["check"] in ("one_of", "none_of") and not arguments.get("values"):
            raise refuse("'values' is missing")
        if raw["check"] == "within" and not ({"low", "high"} & set(arguments)):
            raise refuse("'low' or 'high' is missing")
        if raw["check"] == "matches":
            try:
                re.compile(arguments["pattern"])
            except (KeyError, re.error) as error:
                raise refuse(f"'pattern' is missing or no regular expression: {error}") from error
        if raw["severity"] not in SEVERITIES:
            raise refuse(f"severity {raw['severity']!r} is none of {', '.join(SEVERITIES)}")
        if raw["on"] not in ("row", "result"):
            raise refuse("'on' is 'row' or 'result'")
        where = {
            name: tuple(value) if isinstance(value, list) else (value,) for name, value in raw.get("where", {}).items()
        }
        rules.append(
            Rule(
                code=code,
                table=path.stem,
                check=raw["check"],
                on=raw["on"],
                column=raw["column"],
                where=where,
                arguments=arguments,
                severity=raw["severity"],
                message_zh=raw["message_zh"],
                message_en=raw["message_en"],
                expected_zh=raw.get("expected_zh", ""),
                hint_zh=raw.get("hint_zh", ""),
                hint_en=raw.get("hint_en", ""),
                shown=raw.get("shown"),
                source=raw["source"],
            )
        )
    if len(rules) > 63:
        raise MalformedFact(path, 1, "more than 63 rules do not fit one mask; split the table")
    return tuple(rules)


@lru_cache(maxsize=16)
def rules(table: str) -> tuple[Rule, ...]:
    """Give the rules of a shared table, in the order of their file."""
    path = SCHEMAS / "rules" / f"{table}.toml"
    return read_rules(path) if path.exists() else ()


@lru_cache(maxsize=1)
def all_rules() -> tuple[Rule, ...]:
    """Give every rule; codes are unique over all tables."""
    found: dict[str, Rule] = {}
    for path in sorted((SCHEMAS / "rules").glob("*.toml")):
        for rule in rules(path.stem):
            if rule.code in found:
                raise MalformedFact(
                    path, line_of(path, rule.code), f"{rule.code} stands in {found[rule.code].table} too"
                )
            found[rule.code] = rule
    return tuple(found.values())


@lru_cache(maxsize=1)
def rules_hash() -> str:
    """Give the hash of the rule catalogue: rules and the vocabularies they lean on."""
    digest = hashlib.sha256()
    for folder in ("rules", "vocabularies"):
        for path in sorted((SCHEMAS / folder).iterdir()):
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return "sha256:" + digest.hexdigest()

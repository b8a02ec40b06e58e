"""The form of the documents of ``draw/1``: which names each part has, and what may stand under a name.

A name means the same wherever it stands, so one table of names serves all documents. Nothing may be missing and
nothing more may stand there: what is not understood is not verified either.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from expert_registry.errors import BadDraw
from records.chain import canonical

WORD = re.compile(r"[A-Za-z0-9-]+")
CODE = re.compile(r"[A-Za-z0-9_.-]+")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
ANY = re.compile(r"(?s:.*)")

SIGNED = ("algorithm", "key_id", "public_key", "signature")
PARTS: dict[str, tuple[str, ...]] = {
    "list": (
        "document", "protocol", "hash", "draw_id", "request_id", "sequence", "replaces", "reason", "bureaus", "request",
        "rules_edition", "frozen_at", "candidates",
    ),
    "request": ("title", "bureau", "held_on", "seats", "quotas", "cutoff", "opens_at", "reveal_by", "links"),
    "seats": ("specialty", "number"),
    "quotas": ("per_employer", "other_side", "odd"),
    "candidates": ("id", "side", "employer", "specialties", "status", "reasons"),
    "commitment paper": (
        "document", "draw_id", "list_hash", "bureau", "commitment", "chain_tip", "links", "public_source",
        "fallback_source", "committed_at", *SIGNED,
    ),
    "reveal paper": ("document", "draw_id", "bureau", "commitment_hashes", "secret", "revealed_at", *SIGNED),
    "opening paper": (
        "document", "draw_id", "list_hash", "bureau", "round", "out", "cause", "fallback_source", "opened_at",
        "links_by", *SIGNED,
    ),
    "link paper": ("document", "draw_id", "bureau", "round", "opening_hash", "link", "revealed_at", *SIGNED),
    "public_source": ("name", "due"),
    "fallback_source": ("name", "due"),
    "public_value": ("source", "value", "observed_at"),
}  # fmt: skip
"""The names of each part, exactly these."""

LISTS = {"seats", "candidates"}
WORDS: dict[str, re.Pattern[str]] = {
    "document": re.compile(r"gongzhi-expert-(list|commitment|reveal|replacement|link)/1"),
    "protocol": re.compile("draw/1"),
    "hash": re.compile("sha256|sm3"),
    "status": re.compile("eligible|excluded"),
    "replaces": re.compile("[A-Za-z0-9-]*"),
    "employer": re.compile("[A-Za-z0-9-]*"),
    **dict.fromkeys(("draw_id", "request_id", "bureau", "bureaus"), WORD),
    **dict.fromkeys(("rules_edition", "specialty", "specialties", "reasons", "side", "cause", "held_on"), CODE),
    **dict.fromkeys(("id", "list_hash", "commitment", "chain_tip", "secret", "opening_hash", "link", "out"), HASH),
    **dict.fromkeys(("cutoff", "opens_at", "reveal_by", "frozen_at", "committed_at", "revealed_at", "opened_at"), TIME),
    **dict.fromkeys(("links_by", "due", "observed_at"), TIME),
    **dict.fromkeys(("title", "name", "source", "value", "reason", *SIGNED), ANY),
}
"""What a text under a name looks like; the lists of texts are told by the same names."""

LISTS_OF_WORDS = {"bureaus", "specialties", "reasons"}
MOST = 9999
NUMBERS = {"sequence", "number", "per_employer", "other_side", "links", "round"}


def check_shape(kind: str, value: object) -> None:
    """Refuse a part that is not in its one form.

    Raises
    ------
    BadDraw
        Naming the part and what is under it.
    """
    try:
        text = canonical(value)
        text.encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise BadDraw(f"{kind}：内容无法写成规范形式", f"{kind} has no canonical form: {error}") from error
    if unicodedata.normalize("NFC", text) != text:
        raise BadDraw(f"{kind}：文字须为 Unicode NFC 形式", f"{kind}: text is not in Unicode NFC")
    _check_part(kind, value)


def _check_part(kind: str, value: object) -> None:
    if not isinstance(value, Mapping) or set(value) != set(PARTS[kind]):
        found = sorted(value) if isinstance(value, Mapping) else type(value).__name__
        raise BadDraw(f"{kind} 的内容项不符：{found}", f"{kind} has other names than it must have: {found}")
    for name, inner in value.items():
        if name in LISTS and isinstance(inner, list):
            for one in inner:
                _check_part(name, one)
        elif name in PARTS and name not in LISTS:
            _check_part(name, inner)
        elif not _fits(name, inner):
            raise BadDraw(f"{kind} 中 {name} 的值有误：{inner!r:.80}", f"{kind}: {name} cannot be {inner!r:.80}")


def _fits(name: str, value: Any) -> bool:
    if name in LISTS_OF_WORDS:
        return isinstance(value, list) and all(_is_word(name, one) for one in value)
    if name in NUMBERS:
        return type(value) is int and 0 <= value <= MOST
    if name == "odd":
        return type(value) is bool
    if name == "commitment_hashes":
        return isinstance(value, Mapping) and all(HASH.fullmatch(str(one)) for one in value.values())
    return _is_word(name, value)


def _is_word(name: str, value: object) -> bool:
    return name in WORDS and isinstance(value, str) and WORDS[name].fullmatch(value) is not None

"""Whether a published draw is what its papers give: off line, without a database, a key or a clock.

``docs/verify_draw.py`` says the same of every file with the standard library alone; the tests hold the two together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expert_registry.draw.papers import KeyBook, Trusted, check_signed, seating
from expert_registry.draw.publication import DRAW, recompute
from expert_registry.draw.shapes import SIGNED
from expert_registry.errors import BadDraw
from records.chain import canonical
from records.keys import Verifier


@dataclass(frozen=True, slots=True)
class Check:
    """What doing a draw again found; ``trusted``: the signers' keys were told beforehand, and fit."""

    ok: bool
    reason_zh: str
    reason_en: str
    trusted: bool = False


def read(text: str | bytes) -> dict[str, Any]:
    """Read a published file, strictly: a name that stands twice, or a number that is not whole, is refused.

    Raises
    ------
    BadDraw
        It is no such file.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadDraw(f"不是可读的 JSON 文件：{error}", f"this is no JSON file that can be read: {error}") from error
    if not isinstance(found, dict):
        raise BadDraw("文件内容不是抽取结果", "the file holds no result of a draw")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _refuse(text: str) -> Any:
    raise ValueError(f"not a whole number: {text}")


def verify(
    document: Mapping[str, Any],
    trusted: Trusted | None = None,
    verifiers: Mapping[str, Verifier] | None = None,
) -> Check:
    """Do a published draw again from its own papers and compare everything.

    Parameters
    ----------
    trusted : mapping of bureau to public keys, optional
        The keys each bureau may sign with; without it each bureau's key is the one of its commitment, which shows that
        nothing was changed since, but not who signed.
    verifiers : mapping of algorithm to Verifier, optional
        For signatures other than Ed25519.
    """
    try:
        return _verify(document, KeyBook(trusted, verifiers))
    except BadDraw as error:
        return Check(False, error.message, error.message_en)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        return Check(False, f"文件不完整：{error!r:.200}", f"the document is not whole: {error!r:.200}")


def _verify(document: Mapping[str, Any], keys: KeyBook) -> Check:
    if document["document"] != DRAW:
        return Check(False, "不是专家抽取结果文件", "this is no result of a draw of experts")
    again = recompute(document, keys)
    told = {name: part for name, part in document.items() if name not in SIGNED}
    changed = sorted(name for name in {*again, *told} if canonical(again.get(name)) != canonical(told.get(name)))
    if changed or set(again) != set(told):
        names = "、".join(changed)
        return Check(False, f"重新计算的结果不同：{names}", f"drawn again it differs: {', '.join(changed)}")
    check_signed(document, document["bureau"], document["commitments"], keys)
    sitting = sum(1 for one in seating(document) if one["id"])
    number = len(document["replacements"])
    return Check(
        True,
        f"重新计算一致：{document['draw_id']}，在席 {sitting} 人，补抽 {number} 次",
        f"drawn again it is the same: {document['draw_id']}, {sitting} seated, {number} replaced",
        keys.trusted is not None,
    )

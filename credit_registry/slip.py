"""The query slip (查询单): one signed document that shows an answer as it was given, and can be checked off line.

A slip holds the answer whole (``docs/credit-json.md``), a verification code of 16 characters that is printed, and the
signature. Whoever has the JSON can check it with nothing but the public key; whoever also has the register learns
whether what the slip shows has changed since (已更新): then the slip is still genuine, but no longer the last word.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credit_registry.errors import SlipInvalid
from credit_registry.wording import plain_number
from records.chain import canonical
from records.keys import Signer, check_signature, sign_document

SLIP, ANSWER = "gongzhi-slip/1", "gongzhi-credit-answer/1"
_ALPHABET = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
"""RFC 4648 base32 to the letters of Crockford's, which has no I, L, O and U."""
_RATING_FACTS = ("level_code", "level_text", "score", "veto", "state", "recognised", "code", "shared_level", "relation")
_PENALTY_FACTS = (
    "decision_kind",
    "violation",
    "penalty_text",
    "fine_yuan",
    "act_date",
    "decision_date",
    "authority",
    "state",
)


@dataclass(frozen=True, slots=True)
class SlipCheck:
    """What checking a slip found: ``valid``, ``updated``, ``unknown-key`` or ``invalid``; ``changes``: what differs now."""

    status: str
    message: str
    message_en: str
    changes: tuple[str, ...] = ()


def exact(value: Any) -> Any:
    """Give plain values in which numbers that are not whole are text, so that they can be sealed."""
    if isinstance(value, Mapping):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [exact(inner) for inner in value]
    return plain_number(value) if isinstance(value, float) else value


def verification_code(body: Mapping[str, Any]) -> str:
    """Make the printed code of a slip from all of it but code, key and signature: 80 bits in four groups of four.

    >>> verification_code({"document": "gongzhi-slip/1"})
    '7W75-S82T-MGR1-69NV'
    """
    digest = hashlib.sha256(canonical(body).encode()).digest()
    text = base64.b32encode(digest[:10]).translate(_ALPHABET).decode("ascii")
    return "-".join(text[place : place + 4] for place in range(0, 16, 4))


def make_slip(answer: Mapping[str, Any], signer: Signer, at: datetime, *, issuer: str) -> dict[str, Any]:
    """Make the signed slip of an answer.

    Parameters
    ----------
    answer : mapping
        ``gongzhi-credit-answer/1`` with its ``query``: an answer nobody asked for becomes no slip.
    issuer : str
        Name of the unit that issues the slip.

    Raises
    ------
    SlipInvalid
        The answer is another document, or does not say who asked.
    """
    if answer.get("document") != ANSWER or not answer.get("query"):
        raise SlipInvalid("只能为留痕的查询结果开具查询单", "a slip is made of a traced answer only")
    body = {
        "document": SLIP,
        "slip_id": answer["query"]["id"],
        "issued_at": at.isoformat(),
        "issuer": issuer,
        "answer": exact(answer),
    }
    return sign_document({**body, "verification_code": verification_code(body)}, signer)


def verify_slip(
    document: Mapping[str, Any], keys: Mapping[str, str] | None = None, current: Mapping[str, Any] | None = None
) -> SlipCheck:
    """Check a slip, off line; with the answer as it would be given now also whether it still holds.

    Parameters
    ----------
    keys : mapping of key id to public key, optional
        Keys that may sign. Without it any key does, and the words say that nobody vouches for it.
    current : mapping, optional
        The answer to the same question (same code, viewer and day) as known now.
    """
    if document.get("document") != SLIP or not isinstance(document.get("answer"), Mapping):
        return SlipCheck("invalid", "不是查询单", "this is no query slip")
    signed = check_signature(document, keys)
    if not signed.valid and keys is not None and check_signature(document).valid:
        key = document.get("key_id")
        return SlipCheck(
            "unknown-key",
            f"不能确认：内容未被改动，但签发密钥 {key} 不在本数据目录已知公钥之列，请向开具单位核对公钥",
            f"not confirmed: nothing was changed, but the signing key {key} is not known here; ask the issuer for its key",
        )
    if not signed.valid:
        return SlipCheck("invalid", f"查询单无效：{signed.reason_zh}", f"the slip is not valid: {signed.reason_en}")
    outside = ("verification_code", "algorithm", "key_id", "public_key", "signature")
    body = {name: value for name, value in document.items() if name not in outside}
    if verification_code(body) != document.get("verification_code"):
        return SlipCheck("invalid", "查询单无效：验证码与内容不符", "the slip is not valid: the code does not fit")
    trust = ("", "") if signed.trusted else ("（未提供可信公钥，只核对了内容未被改动）", " (no trusted key was given)")
    try:
        changes = tuple(_changes(document["answer"], exact(current))) if current is not None else ()
    except (KeyError, TypeError, AttributeError) as error:
        return SlipCheck("invalid", f"查询单内容不完整：{error}", f"the slip is not whole: {error}")
    if changes:
        return SlipCheck(
            "updated",
            f"已更新：查询单属实，但所载内容此后有变化{trust[0]}",
            f"updated: the slip is genuine, but what it shows has changed since{trust[1]}",
            changes,
        )
    held = ("，所载内容至今未变", ", what it shows is unchanged") if current is not None else ("", "")
    return SlipCheck("valid", f"查询单有效{held[0]}{trust[0]}", f"the slip is valid{held[1]}{trust[1]}")


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Say in words what differs between two answers to the same question, sources' ages and versions left out."""
    if then["identity"]["uscc"] != now["identity"]["uscc"]:
        yield f"信用代码：{then['identity']['uscc']} → {now['identity']['uscc']}"
    if then["identity"]["name"] != now["identity"]["name"]:
        yield f"企业名称：{then['identity']['name']} → {now['identity']['name']}"
    for block, title, facts in (("ratings", "评价", _RATING_FACTS), ("penalties", "处罚", _PENALTY_FACTS)):
        yield from _changed_lines(then[block], now[block], title, facts)
        if then[block]["withheld"] != now[block]["withheld"]:
            yield f"不予展示的{title}：{then[block]['withheld']} 件 → {now[block]['withheld']} 件"
        before = {one["bureau"]: one["state"] for one in then[block]["by_bureau"]}
        for one in now[block]["by_bureau"]:
            if before.get(one["bureau"]) != one["state"]:
                yield f"{one['bureau']} 的{title}：{before.get(one['bureau'], '—')} → {one['state']}"
    heard = {one["message_id"] for one in then["in_progress"]["lines"]}
    if heard != {one["message_id"] for one in now["in_progress"]["lines"]}:
        yield "办理中的异议、暂停或确认有变化"
    if then["attention"]["level"] != now["attention"]["level"]:
        yield f"关注等级：{then['attention']['level'] or '无'} → {now['attention']['level'] or '无'}"
    if then["as_of"]["edition"] != now["as_of"]["edition"]:
        yield f"对照表版本：{then['as_of']['edition'] or '无'} → {now['as_of']['edition'] or '无'}"


def _changed_lines(
    then: Mapping[str, Any], now: Mapping[str, Any], title: str, facts: tuple[str, ...]
) -> Iterator[str]:
    def lines(block: Mapping[str, Any]) -> dict[tuple[str, str], list[Any]]:
        return {
            (one["bureau"], one["key"]): [one.get(fact) for fact in facts]
            for one in (*block["lines"], *block.get("earlier", ()))
        }

    before, after = lines(then), lines(now)
    for key in sorted(before.keys() | after.keys()):
        name = f"{title} {key[0]} {key[1]}"
        if key not in after:
            yield f"{name}：不再展示"
        elif key not in before:
            yield f"{name}：新增"
        elif before[key] != after[key]:
            changed = [fact for fact, a, b in zip(facts, before[key], after[key], strict=True) if a != b]
            yield f"{name}：{'、'.join(changed)} 有变化"

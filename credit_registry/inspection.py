"""The inspection draw (双随机, protocol ``gongzhi-draw/1``): freeze, commit, reveal, draw; anybody can do it again.

The list is frozen and hashed first. Each bureau then commits to a secret by its hash, so that nobody can look for a
list or a seed that suits; the seed is made of the revealed secrets and, where one was named in the commitment, a
public value that did not exist yet. An object's ticket is SHA-256 of ``seed|stratum|object``: the smallest tickets
are drawn, which is uniform inside the stratum. Yearly caps are looked at after the draw and a skip is written down,
with the next ticket in its place only where the plan said so beforehand. Officers are drawn the same way for each
visit. ``docs/inspection-draw.md`` describes it all for somebody who has nothing but the result and ``sha256sum``.

Sources: RFC 3797 (list first, entropy fixed in advance), Rivest's consistent sampling (tickets),
国办发〔2024〕54号 (yearly cap).
"""

from __future__ import annotations

import hashlib
import secrets as randomness
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from credit_registry.errors import BadDraw
from credit_registry.inspection_plan import (
    InspectionObject,
    Officer,
    Plan,
    Recusal,
    check_lists,
    plain_object,
)
from credit_registry.strata import stratum_fault, stratum_of, wanted_number
from records.chain import canonical
from records.keys import Signer, check_signature, sign_document

LIST, COMMITMENT, RESULT = "gongzhi-draw-list/1", "gongzhi-draw-commitment/1", "gongzhi-draw/1"
VERIFY_COMMAND = "gongzhi credit draw --verify FILE"


@dataclass(frozen=True, slots=True)
class DrawCheck:
    """What doing a draw again found."""

    ok: bool
    reason_zh: str
    reason_en: str


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ticket(seed: str, *names: str) -> str:
    """Give the ticket of an object in its stratum, or of an officer for an object.

    >>> ticket("00", "key", "E01")[:16]
    '9a763e8c25b3a39c'
    """
    return _hash("|".join((seed, *names)))


def list_sha256(frozen: Mapping[str, Any]) -> str:
    """Hash a frozen list: SHA-256 of its canonical JSON (sorted keys, no blanks, UTF-8)."""
    return _hash(canonical(frozen))


def new_secret() -> str:
    """Make the 32 random bytes a bureau commits to, in hex."""
    return randomness.token_hex(32)


def commitment(draw_id: str, list_hash: str, bureau: str, secret: str) -> str:
    """Give the hash by which a bureau commits to its secret."""
    return _hash("|".join((RESULT, draw_id, list_hash, bureau, secret)))


def freeze(
    plan: Plan,
    objects: Sequence[InspectionObject],
    officers: Sequence[Officer],
    recusals: Sequence[Recusal],
    *,
    draw_id: str,
    register_version: str,
    at: datetime,
    replaces: str = "",
    reason: str = "",
) -> dict[str, Any]:
    """Write the list the draw is made from, each object already in its stratum.

    ``replaces`` names the draw this one takes the place of; then ``reason`` must say why.

    Raises
    ------
    BadDraw
        A list holds something twice, or a new draw gives no reason.
    """
    check_lists(plan, objects, officers, recusals)
    if not draw_id or "|" in draw_id:
        raise BadDraw(f"抽取编号为空或含有“|”：{draw_id!r}", f"the draw id is blank or holds '|': {draw_id!r}")
    if bool(replaces) != bool(reason.strip()):
        raise BadDraw("重新抽取须写明所替代的编号和原因", "a new draw names the one it replaces and the reason")
    return {
        "document": LIST,
        "draw_id": draw_id,
        "replaces": replaces,
        "reason": reason.strip(),
        "frozen_at": at.isoformat(),
        "register_version": register_version,
        "plan": plan.raw,
        "objects": [plain_object(item, plan) for item in sorted(objects, key=lambda one: one.object_id)],
        "officers": [asdict(one) for one in sorted(officers, key=lambda one: one.officer_id)],
        "recusals": [asdict(one) for one in sorted(recusals, key=lambda one: (one.object_id, one.officer_id))],
    }


def commit(
    frozen: Mapping[str, Any], commitments: Mapping[str, str], *, public_source: str, at: datetime, signer: Signer
) -> dict[str, Any]:
    """Sign the list with the commitments of all who take part.

    Parameters
    ----------
    commitments : mapping of bureau to hash
        As :func:`commitment` gives them.
    public_source : str
        A public value still to come that will enter the seed (a lottery result of a named day …), or ``""``.
    """
    if not commitments:
        raise BadDraw("没有任何一方作出承诺", "nobody has committed to a secret")
    return sign_document(
        {
            "document": COMMITMENT,
            "list": dict(frozen),
            "list_sha256": list_sha256(frozen),
            "commitments": dict(sorted(commitments.items())),
            "public_source": public_source,
            "committed_at": at.isoformat(),
        },
        signer,
    )


def draw(
    committed: Mapping[str, Any],
    revealed: Mapping[str, str],
    *,
    public_value: str = "",
    at: datetime,
    signer: Signer,
    trusted_keys: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Reveal the secrets and draw.

    Raises
    ------
    BadDraw
        The commitment was changed, a secret is missing or another one, or the public value is missing.
    """
    check = check_signature(committed, trusted_keys)
    if not check.valid:
        raise BadDraw(f"承诺书无效：{check.reason_zh}", f"the commitment is not valid: {check.reason_en}")
    return sign_document(_result(committed, revealed, public_value, at.isoformat()), signer)


def _result(committed: Mapping[str, Any], revealed: Mapping[str, str], public_value: str, at: str) -> dict[str, Any]:
    """Give the whole result but for its signature; the same from the same values."""
    frozen, list_hash = committed["list"], committed["list_sha256"]
    _check_reveal(committed, revealed, public_value)
    secrets = [revealed[bureau] for bureau in sorted(revealed)]
    seed = _hash("|".join((frozen["draw_id"], list_hash, *secrets, public_value)))
    strata = [_draw_stratum(stratum, frozen, seed) for stratum in frozen["plan"]["strata"]]
    return {
        "document": RESULT,
        "draw_id": frozen["draw_id"],
        "commitment": dict(committed),
        "secrets": dict(sorted(revealed.items())),
        "public_value": public_value,
        "seed": seed,
        "drawn_at": at,
        "strata": strata,
        "outside_all_strata": [item["object_id"] for item in frozen["objects"] if not item["stratum"]],
        "visits": _draw_officers(frozen, [one for stratum in strata for one in stratum["drawn"]], seed),
        "assurance": _assurance(revealed, public_value),
        "verify": VERIFY_COMMAND,
    }


def check_list(committed: Mapping[str, Any]) -> None:
    """Check a list before anybody commits to it, and before it is drawn from: its hash, and each stratum by its rule.

    Raises
    ------
    BadDraw
        It was changed, a stratum of its plan cannot be, or an object stands in another than its rule says.
    """
    frozen = committed["list"]
    if list_sha256(frozen) != committed["list_sha256"]:
        raise BadDraw("名单与承诺时的哈希不符，名单被改动过", "the list does not fit its hash: it was changed")
    strata = frozen["plan"]["strata"]
    for stratum in strata:
        if fault := stratum_fault(stratum):
            raise BadDraw(f"层 {stratum['code']}：{fault[0]}", f"stratum {stratum['code']} {fault[1]}")
    for item in frozen["objects"]:
        if item["stratum"] != (rule := stratum_of(strata, item)):
            raise BadDraw(
                f"对象 {item['object_id']} 列在层“{item['stratum']}”，按方案的规则应为“{rule}”",
                f"object {item['object_id']} stands in stratum {item['stratum']!r}; by the rules of the plan {rule!r}",
            )


def _check_reveal(committed: Mapping[str, Any], revealed: Mapping[str, str], public_value: str) -> None:
    check_list(committed)
    frozen = committed["list"]
    if set(revealed) != set(committed["commitments"]):
        raise BadDraw(
            f"应由 {'、'.join(committed['commitments'])} 揭示，现有 {'、'.join(revealed)}",
            f"{', '.join(committed['commitments'])} must reveal, there are {', '.join(revealed)}",
        )
    for bureau, secret in revealed.items():
        made = commitment(frozen["draw_id"], committed["list_sha256"], bureau, secret)
        if made != committed["commitments"][bureau]:
            raise BadDraw(f"{bureau} 揭示的值与其承诺不符", f"what {bureau} reveals is not what it committed to")
    if bool(committed["public_source"]) != bool(public_value):
        raise BadDraw(
            f"公开值与承诺不符：{committed['public_source'] or '承诺中没有'}",
            f"the public value does not fit the commitment: {committed['public_source'] or 'none was named'}",
        )


def _assurance(revealed: Mapping[str, str], public_value: str) -> str:
    if len(revealed) > 1:
        return "two-parties-and-public-value" if public_value else "two-parties"
    return "one-party-and-public-value" if public_value else "one-party"


def _draw_stratum(stratum: Mapping[str, Any], frozen: Mapping[str, Any], seed: str) -> dict[str, Any]:
    code = stratum["code"]
    members = [item for item in frozen["objects"] if item["stratum"] == code]
    order = sorted((ticket(seed, code, item["object_id"]), item["object_id"], item) for item in members)
    wanted = wanted_number(stratum, len(members))
    reserve = iter(order[wanted:] if frozen["plan"]["replace_skipped"] else ())
    drawn, skipped = [], []
    for place in order[:wanted]:
        found: tuple[str, str, dict[str, Any]] | None = place
        while found is not None and (why := _cap_reached(found[2])):
            following = next(reserve, None)
            skipped.append({"object_id": found[1], "ticket": found[0], "reason": "cap-reached", **why,
                            "replaced_by": following[1] if following else ""})  # fmt: skip
            found = following
        if found is not None:
            drawn.append({"object_id": found[1], "name": found[2]["name"], "stratum": code, "ticket": found[0]})
    return {"code": code, "members": len(members), "wanted": wanted, "drawn": drawn, "skipped": skipped}


def _cap_reached(item: Mapping[str, Any]) -> dict[str, int] | None:
    """Say how many visits of how many an object had, where there is no room for another; a cap of 0 is none."""
    full = 0 < item["cap"] <= item["visits"]
    return {"visits": item["visits"], "cap": item["cap"]} if full else None


def _draw_officers(frozen: Mapping[str, Any], drawn: Iterable[Mapping[str, Any]], seed: str) -> list[dict[str, Any]]:
    plan = frozen["plan"]
    wanted, most = plan["officers"]["per_visit"], plan["officers"]["most_visits"]
    recused = {(one["officer_id"], one["object_id"]): one["reason"] for one in frozen["recusals"]}
    load: Counter[str] = Counter()
    visits = []
    for one in drawn:
        order = sorted((ticket(seed, "officer", one["object_id"], who["officer_id"]), who["officer_id"], who)
                       for who in frozen["officers"])  # fmt: skip
        chosen: list[str] = []
        skipped = []
        for _, officer_id, who in order:
            if len(chosen) == wanted:
                break
            if why := _not_this_officer(
                who, one["object_id"], plan["last_day"], recused, most and load[officer_id] >= most
            ):
                skipped.append({"officer_id": officer_id, **why})
            else:
                chosen.append(officer_id)
        load.update(chosen)
        visits.append({"object_id": one["object_id"], "name": one["name"], "stratum": one["stratum"],
                       "officers": chosen, "skipped": skipped, "missing": wanted - len(chosen)})  # fmt: skip
    return visits


def _not_this_officer(
    who: Mapping[str, Any], object_id: str, last_day: str, recused: Mapping[tuple[str, str], str], full: bool | int
) -> dict[str, str] | None:
    for place in (object_id, "*"):
        if (who["officer_id"], place) in recused:
            return {"reason": "recused", "why": recused[who["officer_id"], place]}
    if who["valid_until"] < last_day:
        return {"reason": "certificate-ends", "why": who["valid_until"]}
    return {"reason": "load-reached", "why": ""} if full else None


def signers(document: Mapping[str, Any]) -> dict[str, str]:
    """Give who signed a result and its commitment: key id → public key, as the document has them."""
    parts = (document, document.get("commitment"))
    return {str(one.get("key_id")): str(one.get("public_key")) for one in parts if isinstance(one, Mapping)}


def verify_draw(document: Mapping[str, Any], trusted_keys: Mapping[str, str] | None = None) -> DrawCheck:
    """Do a draw again from its own document, off line, and compare everything.

    Parameters
    ----------
    trusted_keys : mapping of key id to public key, optional
        Keys that may sign; without it the keys named in the document are used.
    """
    try:
        return _verify(document, trusted_keys)
    except BadDraw as error:
        return DrawCheck(False, error.message, error.message_en)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return DrawCheck(False, f"文件不完整：{error!r}", f"the document is not whole: {error!r}")


def _verify(document: Mapping[str, Any], trusted_keys: Mapping[str, str] | None) -> DrawCheck:
    committed = document["commitment"]
    if (document["document"], committed["document"], committed["list"]["document"]) != (RESULT, COMMITMENT, LIST):
        return DrawCheck(False, "不是抽取结果文件", "this is no result of a draw")
    for part, zh, en in ((document, "抽取结果", "the result"), (committed, "承诺书", "the commitment")):
        check = check_signature(part, trusted_keys)
        if not check.valid:
            return DrawCheck(False, f"{zh}：{check.reason_zh}", f"{en}: {check.reason_en}")
    if datetime.fromisoformat(document["drawn_at"]) < datetime.fromisoformat(committed["committed_at"]):
        return DrawCheck(False, "抽取早于承诺", "it was drawn before it was committed to")
    again = _result(committed, document["secrets"], document["public_value"], document["drawn_at"])
    changed = sorted(name for name, value in again.items() if canonical(document.get(name)) != canonical(value))
    if changed:
        return DrawCheck(
            False, f"重新计算的结果不同：{'、'.join(changed)}", f"drawn again it differs: {', '.join(changed)}"
        )
    count = len(again["visits"])
    return DrawCheck(
        True,
        f"重新计算一致：抽取 {count} 个对象（{again['draw_id']}）",
        f"drawn again it is the same: {count} objects ({again['draw_id']})",
    )

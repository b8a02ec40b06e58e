"""The same person twice (match list, decide, undo, refresh), and the keys of a home (keys list, trust, rotate)."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from portal.cli import Exit, Home, Json, data, stop, words
from portal.cli_experts import By, Purpose, Reason, Role, Unit, experts, office, print_json
from portal.words import say

match = typer.Typer(
    name="match", no_args_is_help=True, help=say("疑似同一人：列出、核定、撤销", "one person twice: list, decide, undo")
)
experts.add_typer(match)
keys = typer.Typer(
    name="keys", no_args_is_help=True, help=say("密钥：列出、登记对方公钥、更换", "keys: list, trust, rotate")
)
experts.add_typer(keys)

Pair = Annotated[str, typer.Argument(metavar="MATCH", help=say("配对编号 x-…", "number of the pair, x-…"))]


@match.command("list", help=say("列出配对及其证据", "list pairs with their evidence"))
def list_matches(
    state: Annotated[str, typer.Option("--state", help="proposed | same | different | lapsed | all")] = "proposed",
    role: Role = "",
    unit: Unit = "",
    purpose: Purpose = "",
    by: By = "",
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List pairs of records that may be one person, the surest first. Until decided neither is drawn.

    Example: gongzhi experts match list --state proposed
    """
    from portal.expert_views import pairs
    from portal.expert_words import match_lines

    with office(home, by, role, unit, purpose) as desk:
        found = pairs(desk, None if state == "all" else state)
    if as_json:
        for one in found:
            print_json(one)
    else:
        for line in match_lines(found):
            data(line)


@match.command(help=say("核定：same 同一人，different 不是同一人", "decide a pair: same or different"))
def decide(
    pair: Pair,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="same | different")],
    reason: Reason = "",
    keep: Annotated[str | None, typer.Option("--keep", help=say("保留的编号", "the record that goes on"))] = None,
    by: By = "",
    home: Home = None,
) -> None:
    """Decide whether two records are one person; both stay, one goes on, and it can be undone.

    Example: gongzhi experts match decide x-20260414-0123456789ab same --reason 电话核实 --by 张工
    """
    from expert_registry.roster.merging import decide as settle

    with office(home, by) as desk:
        made = settle(desk.records, pair, decision, desk.by, desk.at, reason, keep)
    data(
        say(f"{pair}：{made.state}" + (f"，保留 {made.kept}" if made.kept else ""), f"{pair}: {made.state} {made.kept}")
    )


@match.command(help=say("撤销核定", "take a decision back"))
def undo(pair: Pair, reason: Reason = "", by: By = "", home: Home = None) -> None:
    """Open a decided pair again; merged records stand alone again, history stays.

    Example: gongzhi experts match undo x-20260414-0123456789ab --reason 核实有误 --by 张工
    """
    from expert_registry.roster.merging import undo as take_back

    with office(home, by) as desk:
        take_back(desk.records, pair, desk.by, desk.at, reason)
    data(say(f"{pair} 已撤销，待重新核定", f"{pair} is open again"))


@match.command(help=say("重新比对全库", "look through the whole pool again"))
def refresh(by: By = "", as_json: Json = False, home: Home = None) -> None:
    """Look for the same person twice in the whole pool; every import does it by itself.

    Example: gongzhi experts match refresh --by 张工
    """
    from expert_registry.roster.matching import refresh as look

    with office(home, by) as desk:
        done = look(desk.records, desk.by, desk.at)
    if as_json:
        print_json({"new": done.new, "changed": done.changed, "lapsed": done.lapsed})
    else:
        data(
            say(
                f"新增 {done.new}，变化 {done.changed}，失效 {done.lapsed}",
                f"{done.new} new, {done.changed} changed, {done.lapsed} lapsed",
            )
        )


@keys.command("list", help=say("本方与对方的公钥，本机代表谁", "public keys, and whose part this home plays"))
def list_keys(as_json: Json = False, home: Home = None) -> None:
    """Show whose part this home plays in draws, its public key for the other bureau, and the keys it trusts.

    Example: gongzhi experts keys list --json
    """
    with office(home) as desk:
        told = {
            "plays": list(desk.desk.plays),
            "public_key": desk.desk.signer.public_key,
            "trusted": {bureau: list(found) for bureau, found in desk.settings.trusted.items()},
            "vault": f"v{desk.vault.current}",
        }
    if as_json:
        print_json(told)
        return
    data(say(f"本机代表：{'、'.join(told['plays'])}", f"this home plays: {', '.join(told['plays'])}"))
    data(say(f"本机公钥（交给对方）：{told['public_key']}", f"public key, for the other bureau: {told['public_key']}"))
    for bureau, found in desk.settings.trusted.items():
        data(say(f"信任 {bureau}：{'、'.join(found)}", f"trusts {bureau}: {', '.join(found)}"))
    data(say(f"密封字段的现用密钥：{told['vault']}", f"sealed fields are sealed with {told['vault']}"))


@keys.command(
    help=say("双机模式：本机代表谁，对方用哪个公钥签名", "two homes: whose part is played here, whose keys count")
)
def trust(
    bureau: Annotated[str, typer.Argument(metavar="BUREAU", help=say("对方单位代码", "the other bureau"))],
    key: Annotated[str, typer.Argument(metavar="KEY", help=say("对方公钥（64 位十六进制）", "its public key, hex"))],
    by: By = "",
    home: Home = None,
) -> None:
    """Trust a key of the other bureau, which from now on plays its part in a home of its own. Compare the key by telephone.

    Example: gongzhi experts keys trust mianyang 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29
    """
    from portal.expert_keys import trust_key

    with office(home, by) as desk:
        if bureau not in desk.bureaus or not re.fullmatch(r"[0-9a-f]{64}", key):
            stop(
                Exit.USE,
                f"须为 {'、'.join(desk.bureaus)} 之一和 64 位十六进制公钥",
                "a bureau, and a key of 64 hex digits",
            )
        plays = trust_key(desk, bureau, key)
    words(say("请与对方电话核对公钥", "compare the key with the other bureau by telephone"))
    data(
        say(
            f"本机代表 {'、'.join(plays)}，信任 {bureau} 的公钥",
            f"this home plays {', '.join(plays)} and trusts {bureau}",
        )
    )


@keys.command(help=say("更换密封字段的密钥，全部重新加密", "make a new key of the vault and seal everything anew"))
def rotate(
    finish: Annotated[
        bool, typer.Option("--finish", help=say("只补完中断的更换", "finish one that was interrupted"))
    ] = False,
    by: By = "",
    home: Home = None,
) -> None:
    """Seal all personal numbers, secrets of draws and kept lists with a new key; keep the vault folder apart afterwards.

    Example: gongzhi experts keys rotate --by 张工
    """
    with office(home, by) as desk:
        act = desk.vault.reseal if finish else desk.vault.rotate
        number = act(desk.records, desk.by, desk.at, desk.uploads)
        current = desk.vault.current
    data(say(f"{number} 处已用 v{current} 重新密封", f"{number} texts and files sealed with v{current}"))
    words(say("密钥文件夹 vault 不在备份中，请另行保管", "the folder vault is in no backup: keep it apart"))

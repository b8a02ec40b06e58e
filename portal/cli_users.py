"""The commands of the portal's accounts: add, list, disable, enable, reset, roles; and keys list, issue, revoke.

Whoever can run them holds the server: they ask for no login, and who acts is ``--by``, else ``GONGZHI_USER``, on the
chain like what is done at the portal. A one-time password and a key are data (stdout), printed once and kept nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portal.cli import CST, Bureau, Home, Json, app, data, now, records_of, words
from portal.settings import read_settings
from portal.words import LANGUAGE, say

if TYPE_CHECKING:
    from portal.access.gate import Gate
    from records.account_keys import ApiKey
    from records.accounts import Account

users = typer.Typer(
    name="users", no_args_is_help=True, help=say("账户、角色与 API 密钥", "accounts, roles and API keys")
)
app.add_typer(users, name="users")
keys = typer.Typer(
    name="keys", no_args_is_help=True, help=say("API 密钥：列出、签发、吊销", "API keys: list, issue, revoke")
)
users.add_typer(keys, name="keys")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help=say("登录名", "login"))]
By = Annotated[str, typer.Option("--by", help=say("经办人（默认 GONGZHI_USER）", "who acts (else GONGZHI_USER)"))]
Reason = Annotated[str, typer.Option("--reason", help=say("理由", "why"))]
Roles = Annotated[
    list[str],
    typer.Option(
        "--role",
        "-r",
        help="uploader 填报员 | reviewer 审核员 | inspector 执法人员 | expert_manager 专家管理员 | auditor 审计员 | administrator 系统管理员",
    ),
]


@contextmanager
def door(home: Path | None) -> Iterator[Gate]:
    """Open the door of a home."""
    from portal.access.gate import open_gate

    with records_of(home) as (places, records):
        yield open_gate(places, records)


def user(by: str) -> str:
    """Say who acts."""
    return by or read_settings().user


@users.command(help=say("新建账户，输出一次性密码", "make an account; prints its one-time password"))
def add(login: Login, bureau: Bureau, name: Annotated[str, typer.Option("--name", "-n", help=say("姓名", "name"))],
        role: Roles, by: By = "", home: Home = None) -> None:  # fmt: skip
    """Make an account; its password is printed once and must be changed at the first login.

    Example: gongzhi users add zhang.gong --bureau beibei --name 张工 --role uploader
    """
    from portal.access.accounts import add as make

    with door(home) as gate:
        issued = make(gate, login, name, bureau, role, user(by), now())
        _tell_password(issued.account, issued.password)


@users.command("list", help=say("列出账户", "list accounts"))
def list_users(
    bureau: Annotated[str | None, typer.Option("--bureau", "-b", help=say("单位代码", "bureau"))] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List accounts with their roles and state.

    Example: gongzhi users list --bureau beibei
    """
    from portal.show import plain_table
    from records.accounts import accounts

    with door(home) as gate:
        found = accounts(gate.records, bureau)
    if as_json:
        for one in found:
            data(json.dumps(_account_json(one), ensure_ascii=False))
        return
    rows = [(one.login, one.bureau, one.name, _titles(one.roles), _state(one), _factor(one)) for one in found]
    head = say("登录名,单位,姓名,角色,状态,第二因素", "login,bureau,name,roles,state,second factor")
    for line in plain_table(head.split(","), rows):
        data(line)


@users.command(help=say("停用账户：会话与密钥立即失效", "close an account: its sessions and keys are dead at once"))
def disable(login: Login, reason: Reason = "", by: By = "", home: Home = None) -> None:
    """Close an account.

    Example: gongzhi users disable zhang.gong --reason 调离
    """
    from portal.access.accounts import disable as close

    with door(home) as gate:
        close(gate, login, user(by), now(), reason)
    words(say(f"账户 {login} 已停用", f"account {login} is closed"))


@users.command(help=say("恢复停用的账户", "open a closed account again"))
def enable(login: Login, reason: Reason = "", by: By = "", home: Home = None) -> None:
    """Open a closed account again.

    Example: gongzhi users enable zhang.gong --reason 调回
    """
    from portal.access.accounts import enable as reopen

    with door(home) as gate:
        reopen(gate, login, user(by), now(), reason)
    words(say(f"账户 {login} 已恢复", f"account {login} is open again"))


@users.command(help=say("重置密码：新的一次性密码，解除等待", "a new one-time password; ends every wait"))
def reset(
    login: Login,
    second_factor: Annotated[
        bool,
        typer.Option("--second-factor", help=say("同时取消第二因素（手机遗失）", "also take the second factor away")),
    ] = False,
    by: By = "",
    home: Home = None,
) -> None:
    """Give a new one-time password; all sessions end and no wait is left.

    Example: gongzhi users reset zhang.gong --second-factor
    """
    from portal.access.accounts import reset as renew

    with door(home) as gate:
        issued = renew(gate, login, user(by), now(), second_factor=second_factor)
        _tell_password(issued.account, issued.password)


@users.command(help=say("设置角色（取代原有角色）", "give roles, in place of those there were"))
def roles(login: Login, role: Roles, by: By = "", home: Home = None) -> None:
    """Give an account these roles and no others; its sessions end.

    Example: gongzhi users roles zhang.gong --role uploader --role inspector
    """
    from portal.access.accounts import set_roles

    with door(home) as gate:
        found = set_roles(gate, login, role, user(by), now())
    words(say(f"{login} 的角色：{_titles(found.roles)}", f"{login} is {_titles(found.roles)}"))


@keys.command("list", help=say("列出密钥", "list keys"))
def list_keys(
    login: Annotated[str | None, typer.Argument(metavar="LOGIN", help=say("登录名", "login"))] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """List the keys of an account, or of all.

    Example: gongzhi users keys list station.upload
    """
    from portal.access.accounts import named
    from portal.access.keys import is_good
    from portal.show import plain_table
    from records.account_keys import keys_of
    from records.accounts import accounts

    with door(home) as gate:
        found = keys_of(gate.records, named(gate, login).account_id if login else None)
        owners = {one.account_id: one for one in accounts(gate.records)}
    good = {one.key_id: is_good(one, owners[one.account_id], now()) for one in found}
    if as_json:
        for one in found:
            told = _key_json(one) | {"login": owners[one.account_id].login, "good": good[one.key_id]}
            data(json.dumps(told, ensure_ascii=False))
        return
    rows = [
        (
            one.key_id, owners[one.account_id].login, one.title, " ".join(one.scopes),
            say("可用", "good") if good[one.key_id] else say("失效", "dead"), _clock(one.expires_at), _clock(one.used_at),
        )
        for one in found
    ]  # fmt: skip
    head = say("编号,登录名,用途,权限,状态,到期,上次使用", "key,login,title,permissions,state,ends,last used")
    for line in plain_table(head.split(","), rows):
        data(line)


@keys.command(help=say("签发密钥：只显示一次", "issue a key; shown once"))
def issue(
    login: Login,
    title: Annotated[str, typer.Option("--title", help=say("用途", "what it is for"))],
    scope: Annotated[
        list[str], typer.Option("--scope", help=say("权限，如 batch.submit", "permission, e.g. batch.submit"))
    ],
    days: Annotated[int, typer.Option("--days", min=1, help=say("有效天数", "days it is good for"))] = 90,
    by: By = "",
    home: Home = None,
) -> None:
    """Issue a key of an account for some permissions; it is printed once.

    Example: gongzhi users keys issue station.upload --title 监测站自动报送 --scope batch.submit --scope batch.read --days 180
    """
    from portal.access.accounts import named
    from portal.access.keys import issue_key

    with door(home) as gate:
        at = now()
        made = issue_key(gate, named(gate, login).account_id, title, scope, at + timedelta(days=days), user(by), at)
    words(say(f"密钥 {made.key.key_id} 至 {_clock(made.key.expires_at)} 有效，只显示这一次：",
              f"key {made.key.key_id}, good until {_clock(made.key.expires_at)}, shown this once:"))  # fmt: skip
    data(made.text)


@keys.command(help=say("吊销密钥", "revoke a key"))
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help=say("密钥编号 k-…", "number of the key, k-…"))],
    by: By = "",
    home: Home = None,
) -> None:
    """Revoke a key; it is dead at once.

    Example: gongzhi users keys revoke k-20261123-0123456789ab
    """
    from portal.access.keys import revoke_key

    with door(home) as gate:
        revoke_key(gate, key, user(by), now())
    words(say(f"密钥 {key} 已吊销", f"key {key} is revoked"))


def _tell_password(account: Account, password: str) -> None:
    until = _clock(account.one_time_until)
    words(say(f"{account.login} 的一次性密码（至 {until} 有效，只显示这一次，首次登录须修改）：",
              f"one-time password of {account.login}, good until {until}, shown this once, to be changed at the first login:"))  # fmt: skip
    data(password)


def _titles(roles: frozenset[str]) -> str:
    from schemas.permissions import portal_roles

    known = portal_roles()
    titles = [(known[one].title_zh if LANGUAGE == "zh" else known[one].title_en) for one in known if one in roles]
    return say("、", ", ").join(titles)


def _state(one: Account) -> str:
    if one.disabled_at is not None:
        return say("停用", "closed")
    return say("待首次登录", "first login due") if one.one_time_until is not None else say("在用", "open")


def _factor(one: Account) -> str:
    return say("已启用", "on") if one.factor_at is not None else say("未启用", "off")


def _clock(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(CST).strftime("%Y-%m-%d %H:%M")


def _account_json(one: Account) -> dict[str, Any]:
    """Give what of an account may be told: no hash, no sealed secret."""
    instants = {
        name: moment.isoformat() if moment is not None else None
        for name, moment in (
            ("made_at", one.made_at), ("password_at", one.password_at), ("one_time_until", one.one_time_until),
            ("second_factor_at", one.factor_at), ("disabled_at", one.disabled_at),
        )
    }  # fmt: skip
    texts = {"account_id": one.account_id, "login": one.login, "name": one.name, "bureau": one.bureau}
    return texts | {"roles": sorted(one.roles), "made_by": one.made_by} | instants


def _key_json(one: ApiKey) -> dict[str, Any]:
    instants = {
        name: moment.isoformat() if moment is not None else None
        for name, moment in (
            ("made_at", one.made_at), ("expires_at", one.expires_at), ("revoked_at", one.revoked_at),
            ("used_at", one.used_at),
        )
    }  # fmt: skip
    texts = {"key_id": one.key_id, "account_id": one.account_id, "prefix": one.prefix, "title": one.title}
    return texts | {"scopes": one.scopes, "made_by": one.made_by} | instants

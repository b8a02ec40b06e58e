"""``python -m portal.demo_serve``: the portal over the demo's home, with somebody in every role of both bureaus.

On this machine only: its people and their passwords are printed. Who needs a second factor enrols it on the account
page at the first login. Started again, it prints new passwords for those who never changed theirs.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pipelines.batch import Places
from portal.access.accounts import Issued, add, reset
from portal.access.gate import Gate, open_gate
from portal.cli import Exit, data, now, words
from portal.cli_serve import opened_at, run_portal
from portal.demo import examples, run_demo
from portal.settings import LOOPBACK, PortalSettings, WrongSetting, read_portal_settings, read_settings
from portal.show import plain_table
from portal.words import say
from records.accounts import find_login
from records.store import Records
from schemas.permissions import portal_roles

BY = "demo-serve"


def main(arguments: list[str] | None = None) -> int:
    """Make the home where it is missing, its people, and serve it; give an exit code where it cannot."""
    wanted = _arguments(arguments)
    try:
        settings = read_portal_settings(wanted.host, wanted.port)
    except WrongSetting as error:
        words(say(error.message, error.message_en))
        return Exit.USE
    if settings.bind[0] not in LOOPBACK or settings.address:
        words(
            say(
                f"示例门户只在本机打开（{'、'.join(LOOPBACK)}）：它的账户与一次性密码都印在屏幕上。正式使用请用 gongzhi serve",
                f"the demo's portal opens on this machine only ({', '.join(LOOPBACK)}): its people and passwords are printed; "
                "in earnest use gongzhi serve",
            )
        )
        return Exit.USE
    places = read_settings().places(wanted.home)
    assert places is not None
    _serve(places, settings)
    return Exit.DONE


def _serve(places: Places, settings: PortalSettings) -> None:
    if not places.home.is_dir():
        for line in run_demo(places, now):
            data(line)
    with Records.open(places.database_url) as records:
        lines = list(told_people(open_gate(places, records), now()))
    for line in (
        *lines,
        "",
        say(f"打开 {opened_at(settings)}，Ctrl-C 结束", f"open {opened_at(settings)}, Ctrl-C ends it"),
    ):
        data(line)
    sys.stdout.flush()
    run_portal(places, settings)


def told_people(gate: Gate, at: datetime) -> Iterator[str]:
    """Make the people of the demo, and tell the logins and one-time passwords, this once."""
    roles = portal_roles()
    rows = []
    for person in people():
        issued = _issued(gate, person, at)
        title = roles[person["role"]]
        password = issued.password if issued else say("（已自行修改）", "(changed by its owner)")
        rows.append((person["login"], person["name"], person["bureau"], say(title.title_zh, title.title_en), password))
    yield say(
        "== 示例账户，一次性密码只显示这一次，首次登录须修改 ==",
        "== people; their one-time passwords are shown this once ==",
    )
    yield from plain_table(
        say("登录名,姓名,单位,角色,一次性密码", "login,name,bureau,role,one-time password").split(","), rows
    )
    yield say(
        "复核、抽取、管理等操作需要第二因素：首次登录后在“账户”页登记",
        "reviewing, drawing and administering need a second factor: enrol it on the account page after the first login",
    )


def people() -> list[dict[str, str]]:
    """Read who works at the demo's bureaus."""
    with (examples() / "people.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _issued(gate: Gate, person: dict[str, str], at: datetime) -> Issued | None:
    """Make an account, or give a new one-time password where it was never used; None where its owner has his own."""
    login = person["login"]
    known = find_login(gate.records, login)
    if known is None:
        return add(gate, login, person["name"], person["bureau"], [person["role"]], BY, at)
    return reset(gate, login, BY, at) if known.one_time_until is not None else None


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m portal.demo_serve",
        description=say("在本机打开示例门户", "open the demo's portal on this machine"),
        epilog="Example: python -m portal.demo_serve --home demo-home --port 8800",
    )
    parser.add_argument("--home", type=Path, default=Path("demo-home"), help=say("数据目录", "the home"))
    parser.add_argument("--host", help=say("本机地址", "an address of this machine"))
    parser.add_argument("--port", type=int, help=say("端口", "port"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

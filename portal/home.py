"""Make a home: folders, database, keys, and the first administrator of each bureau."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pipelines.batch import Places
from portal.words import say


def make_home(places: Places, now: datetime, *, people: bool = True) -> Iterator[str]:
    """Make what a home needs, and leave what is there; tell what was done.

    Without ``people`` it has no administrators yet: a one-time password counts its days from the moment it is made.
    """
    from portal.access.accounts import first_administrators
    from portal.access.gate import open_gate
    from records.keys import KeyRing
    from records.store import Records
    from schemas.sources import sources

    fresh = not places.home.exists()
    for folder in (places.home, places.uploads, places.batches, places.site_facts, places.catalogue, places.docs):
        folder.mkdir(parents=True, exist_ok=True)
    watched = [source for source in sources(places.site_facts)[0].values() if source.kind == "folder"]
    for source in watched:
        if not Path(source.path).is_absolute():  # a share that is not mounted must stay missed
            (places.home / source.path).mkdir(parents=True, exist_ok=True)
    places.home.chmod(0o750)
    with Records.open(places.database_url, create=True) as records:
        key = KeyRing.open(places.keys, create=True).current()
        if fresh or not records.events(limit=1):
            records.append("home-made", now, payload={"key": key.key_id})
        issued = first_administrators(open_gate(places, records), "gongzhi init", now) if people else []
    yield say(f"数据目录 {places.home}", f"home {places.home}")
    yield say(f"签名公钥 {key.key_id}：{key.public_key}", f"public key {key.key_id}: {key.public_key}")
    for source in watched:
        yield say(
            f"投递文件夹 {places.home / source.path}：放入的文件每小时收取一次",
            f"inbox {places.home / source.path}: what is put there is taken every hour",
        )
    yield say(
        "请把公钥抄送双方，回执与封印以它核验", "give the public key to both bureaus: receipts and seals verify with it"
    )
    for one in issued:
        yield say(
            f"系统管理员 {one.account.login}（{one.account.bureau}）的一次性密码，只显示这一次：{one.password}",
            f"one-time password of administrator {one.account.login} ({one.account.bureau}), shown this once: {one.password}",
        )

"""Make a home: folders, database, keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pipelines.batch import Places
from portal.words import say


def make_home(places: Places, now: datetime) -> Iterator[str]:
    """Make what a home needs, and leave what is there; tell what was done."""
    from records.keys import KeyRing
    from records.store import Records

    fresh = not places.home.exists()
    for folder in (places.home, places.uploads, places.batches, places.site_facts, places.catalogue, places.docs):
        folder.mkdir(parents=True, exist_ok=True)
    places.home.chmod(0o750)
    with Records.open(places.database_url, create=True) as records:
        key = KeyRing.open(places.keys, create=True).current()
        if fresh or not records.events(limit=1):
            records.append("home-made", now, payload={"key": key.key_id})
    yield say(f"数据目录 {places.home}", f"home {places.home}")
    yield say(f"签名公钥 {key.key_id}：{key.public_key}", f"public key {key.key_id}: {key.public_key}")
    yield say(
        "请把公钥抄送双方，回执与封印以它核验", "give the public key to both bureaus: receipts and seals verify with it"
    )

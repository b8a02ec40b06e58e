"""The client in docs/api.md does what the page says, against a portal on a real port."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from portal_api import DOCUMENT, issued
from portal_home import DELIVERIES
from portal_web import open_town, serving

from portal.filing import open_desk, work_off
from portal.web.api import ROOM
from records.receipts import verify_receipt

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
CLIENT, USE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILE = "空气小时值_20260408.csv"


@pytest.fixture
def door(places):
    """A portal over a home of its own, whose workers work."""
    town = open_town(places)
    key = issued(town, town.person("mianyang", "uploader")).text
    stopped = threading.Event()

    def work():
        while not stopped.wait(0.2):
            work_off(open_desk(places, town.records), town.clock)

    with serving(town) as running:
        worker = threading.Thread(target=work)
        worker.start()
        yield running.url, key
        stopped.set()
        worker.join()


def test_the_page_s_client_hands_in_reads_and_takes_rows(door, tmp_path, monkeypatch, capsys):
    address, key = door
    shutil.copy(DELIVERIES / "mianyang" / FILE, tmp_path / FILE)
    monkeypatch.chdir(tmp_path)
    rooms: dict[str, object] = {}
    exec(compile(CLIENT, "docs/api.md", "exec"), rooms)
    use = USE.replace("https://gongzhi.example", address).replace("gz_…", key)
    assert use != USE
    exec(compile(use, "docs/api.md", "exec"), rooms)
    printed = capsys.readouterr().out
    receipt = (tmp_path / "receipt.json").read_bytes()
    assert verify_receipt(receipt).ok and "published" in printed.splitlines()[0]
    rows = pq.read_table(tmp_path / "air_observation-0001.parquet")
    assert rows.num_rows == rooms["done"]["results"]["published"]  # type: ignore[index]
    again = rooms["exchange"].hand_in(FILE, dataset="air")  # type: ignore[attr-defined]
    assert again["filing"] == rooms["done"]["filing"]  # type: ignore[index]
    with pytest.raises(rooms["Refused"], match="wrong-parameter"):  # type: ignore[call-overload]
        rooms["exchange"].hand_in(FILE, dataset="gold")  # type: ignore[attr-defined]


def test_the_page_names_every_address():
    told = {re.sub(r"\?.*", "", word) for word in re.findall(r"`(?:GET |POST )?(/[a-z{}/.…?=]*)`", PAGE)}
    told |= {"/batches/{number}/findings", "/tables/{table}/changes", "/openapi.json"}
    assert {path.removeprefix("/api/v1") for path in DOCUMENT["paths"]} <= told
    for route in ROOM.routes:
        assert f"`{route.permission}`" in PAGE or route.permission == "public"

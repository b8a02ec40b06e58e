"""Receipts verify off line, and no changed byte goes unseen."""

import json
import random
from datetime import timedelta

import pytest

from records.keys import KeyRing
from records.receipts import receipt_document, receipt_on_chain, verify_receipt, write_receipt
from records.store import DataFile

TEXT = "1414A,2026-04-01 08:00,35"


@pytest.fixture
def receipt(records, judged, signer, now):
    """The receipt of a published batch."""
    batch = judged(TEXT)
    records.begin_publication(batch.batch_id, now)
    table = {"table": "air_observation", "version": 3, "added": 1, "corrected": 0, "unchanged": 0}
    files = [DataFile("air_observation", "a.parquet", "a" * 64, 1)]
    records.finish_publication(batch.batch_id, [table], files, now + timedelta(seconds=1))
    return receipt_document(*records.batch_on_chain(batch.receipt_number), signer)


def test_a_receipt_says_what_was_taken_in_and_what_became_of_it(receipt, records, signer):
    batch = records.batches()[0]
    assert receipt["number"] == batch.receipt_number and receipt["file_name"] == "空气.csv"
    assert receipt["sha256"] == batch.sha256 and receipt["sm3"] == batch.sm3 and receipt["bytes"] == len(TEXT)
    assert receipt["received_at"] == "2026-04-01T00:00:00.000000Z"
    assert receipt["state"] == "published" and receipt["rules"] == "sha256:one"
    assert receipt["rows"] == {"read": 1, "clean": 1} and receipt["tables"][0]["version"] == 3
    assert receipt["chain"]["seq"] == 4 and receipt_on_chain(records, receipt)
    assert receipt["key_id"] == signer.key_id


def test_a_receipt_verifies_with_the_public_key_and_the_file(receipt, ring, tmp_path):
    file = tmp_path / "renamed.csv"
    file.write_text(TEXT)
    report = verify_receipt(write_receipt(receipt).encode(), ring.public_keys(), file)
    assert report.ok and report.trusted and report.file_matches is True and report.number == receipt["number"]


def test_a_receipt_of_another_file_is_refused(receipt, ring, tmp_path):
    file = tmp_path / "other.csv"
    file.write_text(TEXT + "\n")
    report = verify_receipt(receipt, ring.public_keys(), file)
    assert not report.ok and report.file_matches is False and "other.csv" in report.reason_zh


def test_without_trusted_keys_the_key_is_left_to_be_compared(receipt, signer):
    report = verify_receipt(receipt)
    assert report.ok and not report.trusted and signer.key_id in report.reason_zh


def test_a_receipt_signed_by_somebody_else_is_refused(receipt, ring, records, tmp_path):
    stranger = KeyRing.open(tmp_path / "other", create=True).current()
    forged = receipt_document(*records.batch_on_chain(receipt["number"]), stranger)
    assert verify_receipt(forged).ok
    assert not verify_receipt(forged, ring.public_keys()).ok
    renamed = {**forged, "key_id": receipt["key_id"]}
    assert not verify_receipt(renamed, ring.public_keys()).ok


def test_a_receipt_of_an_old_key_still_verifies(receipt, ring):
    ring.rotate()
    assert verify_receipt(receipt, ring.public_keys()).ok


def test_any_changed_byte_is_seen(receipt, ring):
    keys = ring.public_keys()
    good = write_receipt(receipt).encode()
    assert verify_receipt(good, keys).ok
    rng = random.Random(20260401)
    found = 0
    for _ in range(1000):
        data = bytearray(good)
        place, how = rng.randrange(len(data)), rng.randrange(4)
        if how == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[place] = (data[place] + rng.randrange(1, 256)) % 256
        elif how == 2:
            del data[place]
        else:
            data.insert(place, rng.randrange(256))
        found += bytes(data) != good and not verify_receipt(bytes(data), keys).ok
        found += bytes(data) == good
    assert found == 1000


def test_every_changed_value_is_seen(receipt, ring):
    for name, value in receipt.items():
        for other in ({"x": 1}, None, 7, f"{value}0", 1.5, [value]):
            if other != value:
                assert not verify_receipt({**receipt, name: other}, ring.public_keys()).ok, (name, other)
        assert not verify_receipt({k: v for k, v in receipt.items() if k != name}, ring.public_keys()).ok, name
    assert not verify_receipt({**receipt, "extra": 1}, ring.public_keys()).ok


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{" * 5000, "[" * 200_000, b"\xff\xfe", '{"a": NaN}', "1e999"]
)
def test_what_is_no_receipt_is_refused_not_crashed_on(text):
    report = verify_receipt(text)
    assert not report.ok and report.reason_zh and report.reason_en


def test_spelling_a_receipt_otherwise_is_seen(receipt, ring):
    keys = ring.public_keys()
    assert not verify_receipt(json.dumps(receipt), keys).ok
    assert not verify_receipt(write_receipt(receipt) + " ", keys).ok
    assert not verify_receipt({**receipt, "signature": receipt["signature"].upper()}, keys).ok


def test_a_receipt_that_is_not_on_the_chain_is_noticed(receipt, records):
    assert not receipt_on_chain(records, {**receipt, "chain": {**receipt["chain"], "sha256": "0" * 64}})
    assert not receipt_on_chain(records, {**receipt, "chain": {**receipt["chain"], "seq": 99}})

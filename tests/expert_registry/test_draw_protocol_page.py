"""The test vectors of the protocol page are true, and the page tells what the program does."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path

import pytest
from made_draws import TRUSTED

from expert_registry.draw import shapes
from expert_registry.draw.protocol import list_hash, opaque_employer, opaque_id, paper_hash, ticket
from expert_registry.draw.verification import read, verify
from records.chain import canonical, sm3_hex

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "draw-protocol.md").read_text("utf-8")
EXAMPLE = json.loads((DOCS / "draw-example.json").read_text("utf-8"))
KEY = "0b" * 32
COMMANDS = re.findall(r"printf '%s' '([^']+)' \| sha256sum\n([0-9a-f]{64})\n", PAGE)


def test_the_example_is_good_and_signed_by_the_two_bureaus():
    assert verify(read((DOCS / "draw-example.json").read_bytes()), TRUSTED).ok
    assert {line["reason"] for part in (EXAMPLE, *EXAMPLE["replacements"]) for line in part["skipped"]} == {
        "no-seat",
        "employer-quota",
    }


def test_the_canonical_list_and_its_hashes_are_those_of_the_page():
    told = re.search(r"```json\n(.+)\n```", PAGE)
    assert told and told[1] == canonical(EXAMPLE["list"])
    assert (
        f"by SHA-256 is `{hashlib.sha256(told[1].encode()).hexdigest()}`, by SM3 `{sm3_hex(told[1].encode())}`" in PAGE
    )
    assert list_hash(EXAMPLE["list"]) == EXAMPLE["list_hash"] == hashlib.sha256(told[1].encode()).hexdigest()
    assert paper_hash("sm3", EXAMPLE["list"]) == sm3_hex(told[1].encode())


@pytest.mark.parametrize("number", range(8))
def test_a_command_of_the_page_gives_what_stands_under_it(number):
    text, told = COMMANDS[number]
    assert hashlib.sha256(text.encode()).hexdigest() == told


def test_the_commands_are_about_the_example():
    replacement = EXAMPLE["replacements"][0]
    assert len(COMMANDS) == 8
    assert {told for _, told in COMMANDS} >= {
        EXAMPLE["commitments"]["beibei"]["commitment"],
        EXAMPLE["commitments"]["beibei"]["chain_tip"],
        EXAMPLE["seed"],
        EXAMPLE["taken"][0]["ticket"],
        replacement["link"],
        replacement["taken"][0]["ticket"],
    }
    assert EXAMPLE["incidents"] == [] and replacement["incidents"] == [
        {"kind": "no-link", "bureau": "mianyang", "round": 1}
    ]


def test_tickets_of_the_example_are_those_of_the_library():
    first = EXAMPLE["taken"][0]
    assert ticket("sha256", EXAMPLE["seed"], "0", first["id"]) == first["ticket"]


def test_opaque_ids_are_hmac_by_either_hash():
    assert opaque_id(KEY, "E-001") == hmac.new(bytes.fromhex(KEY), b"expert|E-001", "sha256").hexdigest()
    for made in (opaque_id(KEY, "E-001"), opaque_id(KEY, "E-001", "sm3"), opaque_employer(KEY, "某大学")):
        assert f"`{made}`" in PAGE
    assert opaque_id(KEY, "E-001") in {one["id"] for one in EXAMPLE["list"]["candidates"]}
    assert opaque_employer(KEY, "") == ""


def test_hmac_by_sm3_is_that_of_openssl_where_it_has_it():
    if "sm3" in hashlib.algorithms_available:
        assert opaque_id(KEY, "E-7", "sm3") == hmac.new(bytes.fromhex(KEY), b"expert|E-7", "sm3").hexdigest()


def test_every_name_of_every_paper_stands_on_the_page():
    told = set(re.findall(r"`([a-z_]+)`", PAGE)) | set(re.findall(r"`([a-z_]+)` = ", PAGE))
    names = {name for part in shapes.PARTS.values() for name in part} | set(EXAMPLE) | set(EXAMPLE["replacements"][0])
    missing = names - told - {"document"}
    assert not missing


def test_every_reason_of_the_walk_stands_on_the_page():
    source = (DOCS.parent / "expert_registry/draw/selection.py").read_text("utf-8")
    for reason in re.findall(r'return "([a-z-]+)"', source):
        assert f"`{reason}`" in PAGE

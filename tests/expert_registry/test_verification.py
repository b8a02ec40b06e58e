"""The library and the script of the documents say the same of a thousand draws and of a thousand altered files."""

from __future__ import annotations

import copy
import importlib.util
import json
import random
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from made_draws import BUREAUS, KEYS, TRUSTED, key, random_draw

from expert_registry.draw.verification import Check, read, verify
from expert_registry.errors import BadDraw
from records.chain import canonical
from records.keys import sign_document

SCRIPT = Path(__file__).resolve().parents[2] / "docs/verify_draw.py"
CHUNKS = range(10)
SIGNED = ("algorithm", "key_id", "public_key", "signature")


@cache
def script() -> Any:
    spec = importlib.util.spec_from_file_location("verify_draw", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_library(text: str, trusted: Any = TRUSTED) -> Check:
    try:
        return verify(read(text), trusted)
    except BadDraw as error:
        return Check(False, error.message, error.message_en)


def by_script(text: str, trusted: Any = TRUSTED) -> tuple[bool, str]:
    keys = None if trusted is None else {bureau: ",".join(many) for bureau, many in trusted.items()}
    try:
        return True, script().verify(text, keys)
    except Exception as error:  # whatever stops the script is its "no"
        return False, repr(error)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_the_library_and_the_script_agree_on_a_thousand_draws(chunk):
    for number in range(100 * chunk, 100 * chunk + 100):
        text = json.dumps(random_draw(number), ensure_ascii=number % 2 == 0, indent=number % 3 or None)
        ours, theirs = by_library(text), by_script(text)
        assert ours.ok and ours.trusted, (number, ours)
        assert theirs[0], (number, theirs)


def paths(value: Any, here: tuple = ()) -> list[tuple]:
    """Every place of a document, inner ones too."""
    found = [here] if here else []
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += paths(inner, (*here, name))
    return found


def holder(document: Any, path: tuple) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


def other_value(value: Any, chance: random.Random) -> Any:
    """Another value in the place of one: like it, or of another kind."""
    if isinstance(value, str):
        at = chance.randrange(len(value) + 1)
        like = [
            value[:at] + chance.choice("0af7-Z 汉\u0301") + value[at:],
            value[:-1],
            value.swapcase(),
            value[::-1],
            "",
        ]
    elif isinstance(value, bool | None):
        like = [not value, 1, 0]
    elif isinstance(value, int):
        like = [value + 1, value - 1, float(value), bool(value), str(value)]
    elif isinstance(value, list):
        like = [value[1:], [*value, *value[-1:]], value[::-1], [*value, "x"]]
    else:
        like = [{**value, "more": 1}, dict(list(value.items())[1:]), list(value)]
    return chance.choice([*like, *like, None, {}, [], 0, "x"])


def altered(document: dict[str, Any], chance: random.Random) -> tuple[dict[str, Any], tuple]:
    """A copy with one place changed, taken out or exchanged with another."""
    everywhere = paths(document)
    while True:
        made = copy.deepcopy(document)
        path = chance.choice(everywhere)
        place = holder(made, path)
        kind = chance.random()
        if kind < 0.15:
            del place[path[-1]]
        elif kind < 0.25:
            other = chance.choice(everywhere)
            place[path[-1]] = copy.deepcopy(holder(document, other)[other[-1]])
        else:
            place[path[-1]] = other_value(place[path[-1]], chance)
        if json.dumps(made, sort_keys=True) != json.dumps(document, sort_keys=True):
            return made, path


def signed_again(document: dict[str, Any], bureau: str) -> dict[str, Any]:
    body = {name: part for name, part in document.items() if name not in SIGNED}
    return sign_document(body, KEYS[bureau])


def assert_both_refuse(made: Any, what: Any, trusted: Any = TRUSTED) -> None:
    text = made if isinstance(made, str) else json.dumps(made)
    ours, theirs = by_library(text, trusted), by_script(text, trusted)
    assert not ours.ok, (what, ours)
    assert not theirs[0], (what, theirs)
    assert ours.reason_zh and ours.reason_en


@pytest.mark.parametrize("chunk", CHUNKS)
def test_every_one_of_a_thousand_altered_files_is_found_by_both(chunk):
    """Even numbers: altered and left so; odd numbers: then signed again by the bureau that published it."""
    for number in range(100 * chunk, 100 * chunk + 100):
        chance = random.Random(number)
        document = random_draw(number % 97)
        made, path = altered(document, chance)
        told_by_the_publisher = {"drawn_at", "observed_at", "assurance", *SIGNED}
        if number % 2 and not set(path) & told_by_the_publisher:
            try:
                made = signed_again(made, "beibei")
            except TypeError:
                pass  # a number that is not whole cannot be signed at all
        assert_both_refuse(made, (number, path), TRUSTED if number % 3 else None)


def resigned_paper(document: dict[str, Any], place: Callable[[Any], dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """A document with one paper changed and signed again by its own bureau, and the whole by its publisher."""
    made = copy.deepcopy(document)
    paper = place(made)
    fresh = signed_again({**paper, **changed}, paper["bureau"])
    paper.clear()
    paper.update(fresh)
    return signed_again(made, "beibei")


@cache
def with_replacement() -> dict[str, Any]:
    return next(
        drawn
        for drawn in map(random_draw, range(500))
        if len(drawn["reveals"]) == 2 and drawn["replacements"] and len(drawn["replacements"][0]["links"]) == 2
    )


@pytest.mark.parametrize(
    ("place", "changed"),
    [
        (lambda one: one["commitments"]["mianyang"], {"chain_tip": "0" * 64}),
        (lambda one: one["commitments"]["mianyang"], {"links": 9}),
        (lambda one: one["commitments"]["mianyang"], {"committed_at": "2026-10-08T00:59:59.999999Z"}),
        (lambda one: one["commitments"]["mianyang"], {"public_source": {"name": "另一期", "due": "2026-10-08T13:00:00.000000Z"}}),
        (lambda one: one["commitments"]["mianyang"], {"remark": "更多"}),
        (lambda one: one["reveals"]["mianyang"], {"secret": "0" * 64}),
        (lambda one: one["reveals"]["mianyang"], {"revealed_at": "2026-10-08T01:59:59.999999Z"}),
        (lambda one: one["reveals"]["mianyang"], {"revealed_at": "2026-10-08T07:00:00.000001Z"}),
        (lambda one: one["reveals"]["mianyang"], {"revealed_at": "2026-10-08 03:00"}),
        (lambda one: one["reveals"]["mianyang"], {"commitment_hashes": {}}),
        (lambda one: one["reveals"]["mianyang"], {"draw_id": "beibei-2026-77"}),
        (lambda one: one["replacements"][0]["opening"], {"out": "0" * 64}),
        (lambda one: one["replacements"][0]["opening"], {"cause": "declined"}),
        (lambda one: one["replacements"][0]["opening"], {"round": 2}),
        (lambda one: one["replacements"][0]["opening"], {"opened_at": "2026-10-08T02:00:00.000000Z"}),
        (lambda one: one["replacements"][0]["links"]["mianyang"], {"link": "0" * 64}),
        (lambda one: one["replacements"][0]["links"]["mianyang"], {"round": True}),
        (lambda one: one["replacements"][0]["links"]["mianyang"], {"opening_hash": "0" * 64}),
        (lambda one: one["replacements"][0]["links"]["mianyang"], {"revealed_at": "2026-12-01T00:00:00.000000Z"}),
    ],
)  # fmt: skip
def test_a_paper_changed_by_its_own_bureau_is_found_though_all_is_signed_again(place, changed):
    made = resigned_paper(with_replacement(), place, **changed)
    assert_both_refuse(made, changed)
    assert_both_refuse(made, changed, None)


def test_what_was_not_changed_stays_good_when_signed_again():
    made = resigned_paper(with_replacement(), lambda one: one["replacements"][0]["links"]["mianyang"])
    assert by_library(json.dumps(made)).ok and by_script(json.dumps(made))[0]


def test_a_file_signed_by_a_stranger_is_refused_where_keys_are_told():
    stranger = key("stranger")
    made = sign_document({name: one for name, one in random_draw(3).items() if name not in SIGNED}, stranger)
    assert_both_refuse(made, "a stranger")
    assert_both_refuse(random_draw(3), "other keys", {bureau: (stranger.public_key,) for bureau in BUREAUS})
    swapped = {"beibei": TRUSTED["mianyang"], "mianyang": TRUSTED["beibei"]}
    assert_both_refuse(random_draw(3), "the key of the other bureau", swapped)


def test_several_keys_of_a_bureau_may_be_told():
    many = {bureau: (key("old").public_key, *keys) for bureau, keys in TRUSTED.items()}
    text = json.dumps(random_draw(4))
    assert by_library(text, many).ok and by_script(text, many)[0]


def test_without_keys_the_verdict_says_that_the_signers_are_not_known():
    assert by_library(json.dumps(random_draw(5)), None) == Check(
        True, *(getattr(by_library(json.dumps(random_draw(5))), name) for name in ("reason_zh", "reason_en")), False
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"round":', '"round": 5, "round":', 1),
        lambda text: text.replace('"sequence": 1', '"sequence": 1.0', 1),
        lambda text: text.replace('"sequence": 1', '"sequence": 1e0', 1),
        lambda text: text.replace('"sequence": 1', '"sequence": NaN', 1),
        lambda text: text.replace('"title": "', '"title": "\\ud800', 1),
        lambda text: text[:-1],
        lambda text: "[" * 100_000,
        lambda text: "[]",
        lambda text: "",
        lambda text: text.replace('"sequence": 1', '"sequence": ' + "1" * 5000, 1),
    ],
)
def test_text_that_could_be_read_in_two_ways_is_refused(change):
    document = next(one for one in map(random_draw, range(99)) if one["list"]["sequence"] == 1 and one["replacements"])
    text = json.dumps(document)
    assert change(text) != text
    assert_both_refuse(change(text), change)


def test_key_order_blanks_and_escapes_do_not_matter():
    document = random_draw(6)
    backwards = json.dumps(dict(reversed(document.items())), indent=4, ensure_ascii=True)
    assert by_library(backwards).ok and by_script(backwards)[0]
    assert canonical(read(backwards)) == canonical(document)


def test_the_script_runs_alone_and_its_exit_code_tells(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    document = random_draw(7)
    good.write_text(json.dumps(document), "utf-8")
    bad.write_text(json.dumps({**document, "seed": "0" * 64}), "utf-8")
    keys = [f"{bureau}={','.join(many)}" for bureau, many in TRUSTED.items()]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-I", str(SCRIPT), *words], capture_output=True, text=True, cwd=tmp_path)

    for words in ([str(good)], [str(good), *keys]):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, "") and document["draw_id"] in done.stdout
    for words in ([str(bad)], [str(good), f"beibei={'0' * 64}"], [str(tmp_path / "none.json")], []):
        done = run(*words)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("NOT OK")


def test_the_script_needs_nothing_but_the_standard_library_and_stays_short():
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    imported = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)

"""Questions nobody thought of: schemathesis asks what the document allows, and what it does not, of every address.

Whatever comes, the answer is one the document tells of, in the shape it tells, and never that something broke.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import timedelta

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from portal_api import DOCUMENT, fits, issued, program
from portal_objects import delivery
from portal_web import LOCAL, Person, open_town
from schemathesis import GenerationMode

from portal.access import accounts
from portal.access.keys import key_permissions
from portal.settings import read_settings
from portal.web.credit.standing import open_register

ROLES = ("uploader", "reviewer", "inspector")
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
FEW, MANY = 2, 52
"""Questions of each kind to each address."""
KINDS = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.query or operation.path_parameters or operation.body
]
"""What has no parameter cannot be asked wrongly."""


@pytest.fixture(scope="module")
def swept(town, tmp_path_factory):
    """A copy of the town's home with a portal of its own, and a program whose key has all scopes a key may have."""
    home = tmp_path_factory.mktemp("sweep") / "home"
    shutil.copytree(town.places.home, home)
    places = read_settings({}).places(home)
    assert places is not None
    opened = open_town(places)
    opened.clock.at = town.clock.at
    opened.app.state.site.once(open_register).keep_up(opened.clock.at)
    made = accounts.add(opened.gate, "sweeper", "清扫", "beibei", ROLES, "tests", opened.clock.at)
    person = Person("sweeper", "beibei", "uploader", made.account.account_id, "")
    scopes = key_permissions(frozenset(ROLES))
    yield opened, program(opened, issued(opened, person, scopes).text), delivery(opened, "beibei")
    opened.records.close()


def ask(asks: httpx.Client, case: schemathesis.Case) -> httpx.Response:
    """Send a case as it is, over the wire inside this process, with our key."""
    sent = case.as_transport_kwargs(base_url=LOCAL)
    said = dict(sent.get("headers") or {})
    headers = {name: value for name, value in said.items() if name.lower() not in ("authorization", "cookie", "host")}
    body = sent.get("data")
    content = body if isinstance(body, bytes) else str(body).encode() if body is not None else None
    if "json" in sent:
        content = json.dumps(sent["json"]).encode()
        headers.setdefault("content-type", "application/json")
    raw = [(name.encode("utf-8"), str(value).encode("utf-8")) for name, value in headers.items()]
    return asks.request(sent["method"], sent["url"], params=sent.get("params"), headers=raw, content=content)


def known_numbers(operation, number):
    """What is fixed of a question: nothing, and once more the number of a delivery that exists."""
    return [{}, {"path_parameters": {"number": number}}] if "{number}" in operation.path else [{}]


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("operation", "mode"), KINDS, ids=[f"{one.label} {mode.value}" for one, mode in KINDS])
def test_no_question_breaks_an_address(swept, operation, mode, examples):
    opened, asks, number = swept
    path, seen = operation.path.removeprefix("/api/v1"), Counter()
    for fixed in known_numbers(operation, number):

        @settings(
            max_examples=examples, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode, **fixed))
        def once(case):
            opened.clock.at += timedelta(seconds=2)  # so that nobody asks too often
            told = ask(asks, case)
            seen[told.status_code] += 1
            assert told.status_code < 500, told.text
            if told.status_code not in (404, 405):  # another address altogether, where a path parameter is odd
                fits(told, case.method, path)

        once()
    assert sum(seen.values()) >= planned(operation, examples)
    if mode is GenerationMode.POSITIVE and examples == MANY:
        assert seen[200] + seen[202] > 0, seen


def planned(operation, examples):
    """How many questions there are at least."""
    return examples * len(known_numbers(operation, "")) if operation.label != "GET /api/v1/openapi.json" else 1


def test_there_are_two_thousand_questions():
    assert sum(planned(operation, MANY) for operation, _ in KINDS) >= 2000

"""The things addresses name, for the matrix of who may what: one of each kind, by the bureau that has it.

A parameter of an address names its kind: ``{number}`` a delivery, ``{filing}`` an upload on its way. A room that has
addresses with a parameter of its own adds it here; one that no bureau owns (a table, an enterprise) ignores the bureau.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from portal_credit import enterprise, screening_of, slip_of
from portal_experts import ask_for_draw, expert_of
from portal_filings import some_filing
from portal_web import Town

from portal.access.keys import issue_key
from portal.web.asking import Route
from records.account_keys import keys_of
from records.alarms import Trouble, alarms, tell
from records.batch_pages import Wanted, batch_page
from records.gaps import Told, gaps, tell_gap
from records.runs import runs
from schemas.files import SCHEMAS
from schemas.permissions import permissions


def delivery(town: Town, bureau: str) -> str:
    """The receipt number of a published delivery."""
    return batch_page(town.records, Wanted(bureau, "published"), 0, 1).batches[0].receipt_number


def event(town: Town, bureau: str) -> str:
    """The number of an event of a bureau: somebody of it was given his account."""
    return str(next(one.seq for one in town.records.events(limit=None) if one.bureau == bureau))


def somebody(town: Town, bureau: str) -> str:
    """The number of an account of a bureau."""
    return town.people[bureau, "uploader"].account_id


def machine_key(town: Town, bureau: str) -> str:
    """The number of an API key of a bureau, issued once."""
    owner = town.people[bureau, "uploader"].account_id
    kept = keys_of(town.records, owner)
    end = town.clock.at + timedelta(days=30)
    made = kept or [issue_key(town.gate, owner, "数采", ["batch.read"], end, "tests", town.clock.at).key]
    return made[0].key_id


def word_on_gap(town: Town, bureau: str) -> str:
    """The number of a bureau's word on missing hours."""
    day = town.clock.at.replace(minute=0, second=0, microsecond=0)
    kept = gaps(town.records, day - timedelta(days=3), day, bureau)
    told = Told(bureau, "air", "1414A", day - timedelta(hours=50), day - timedelta(hours=48), "power", "停电")
    return str((kept or [tell_gap(town.records, told, "tests", day)])[0].id)


def alarm_of(town: Town, bureau: str) -> str:
    """The number of an open alarm of a bureau that only a person ends."""
    source = f"credit/tests-{bureau}"
    kept = alarms(town.records, source=source)
    trouble = Trouble(
        "bulk-lookups", source, bureau, "warning", "测试：无计划批量查询", "tests: bulk look-ups", {"user": "nobody"}
    )
    return str((kept or tell(town.records, [trouble], (), town.clock.at, ()))[0].alarm_id)


def layout_of(town: Town, bureau: str) -> str:
    """The name of a layout a bureau made at this site."""
    name = f"own_{bureau}"
    path = town.places.site_facts / bureau / f"{name}.toml"
    if not path.exists():
        shipped = (SCHEMAS / "layouts" / "soil_template.toml").read_text("utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(re.sub(r"recognise *= *\[", 'recognise = ["本单位自定", ', shipped), "utf-8")
    return name


OBJECTS: dict[str, Callable[[Town, str], str]] = {
    "filing": some_filing,
    "dataset": lambda town, bureau: "air",
    "event": event,
    "account": somebody,
    "api_key": machine_key,
    "gap": word_on_gap,
    "layout": layout_of,
    "alarm": alarm_of,
    "run": lambda town, bureau: str(runs(town.records, limit=1)[0].run_id),
    "mark": lambda town, bureau: "0",
    "name": lambda town, bureau: "app.css",
    "number": delivery,
    "table": lambda town, bureau: "air_observation",
    "enterprise": enterprise,
    "slip": slip_of,
    "screening": screening_of,
    "expert": expert_of,
    "draw": ask_for_draw,
}
OWNED = {"number", "filing", "event", "account", "api_key", "expert", "draw", "gap", "layout", "alarm"}
"""Kinds that belong to a bureau; the other bureau is told there is no such thing."""

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def parameters(route: Route) -> list[str]:
    """The kinds of things an address of a route names."""
    return _PARAMETER.findall(route.path)


def owned(route: Route) -> bool:
    """Whether an address names something of one bureau that the other must not reach."""
    wanted = permissions().get(route.permission)
    return bool(OWNED & set(parameters(route))) and wanted is not None and wanted.scope == "own"


def address(town: Town, route: Route, bureau: str) -> str:
    """An address of a route, with things of a bureau."""
    return _PARAMETER.sub(lambda found: OBJECTS[found[1]](town, bureau), route.path)


def nowhere(route: Route) -> str:
    """An address of a route that names what does not exist."""
    return _PARAMETER.sub("nowhere", route.path)

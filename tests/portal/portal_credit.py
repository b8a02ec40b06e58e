"""What the tests of the credit desk share: people who have said why they ask, an enterprise, a slip and a screening."""

from __future__ import annotations

from portal_web import Browser, Town

from credit_registry.trace import Asker
from portal.credit_open import OpenRegister
from portal.credit_screening import ScreeningTask, Today, screen_task
from portal.credit_uses import Counter, issue_slip
from portal.web.asking import Site

WHY = {"purpose": "pre-inspection", "plan": "北碚检〔2026〕7号", "certificate": "C-0001"}
_made: dict[tuple[str, str, str], str] = {}


def site_of(town: Town) -> Site:
    """The site of a portal."""
    site: Site = town.app.state.site
    return site


def inspector(town: Town, bureau: str = "beibei", role: str = "inspector", **why: str) -> Browser:
    """A browser of somebody who has said why he asks."""
    browser = town.browser(town.session(town.people[bureau, role]))
    told = browser.post("/credit/errand", WHY | why)
    assert told.status_code == 303, told.text
    return browser


def subjects(town: Town) -> list[str]:
    """The codes the register holds ratings of."""
    opened = OpenRegister(town.places, town.records)
    with opened.desk() as desk:
        assert desk.register is not None
        found = [one for one in desk.register.subjects() if len(one) == 18 and one.isascii()]
    opened.close()
    return found


def enterprise(town: Town, bureau: str = "beibei") -> str:
    """An enterprise that both bureaus may look up."""
    return subjects(town)[0]


def counted(town: Town, bureau: str) -> tuple[OpenRegister, Asker]:
    """The register, and somebody of a bureau who asks it without a page."""
    return OpenRegister(town.places, town.records), Asker("tests", bureau, "", "pre-inspection", "P1")


def slip_of(town: Town, bureau: str) -> str:
    """The number of a slip issued to a bureau, once per home."""
    key = (str(town.places.home), "slip", bureau)
    if key not in _made:
        opened, asker = counted(town, bureau)
        with opened.desk() as desk:
            made, _ = issue_slip(Counter(desk, asker, bureau, town.clock.at), enterprise(town), Today())
        opened.close()
        _made[key] = made["slip_id"]
    return _made[key]


def screening_of(town: Town, bureau: str) -> str:
    """The number of a screening made by a bureau, once per home."""
    key = (str(town.places.home), "screening", bureau)
    if key not in _made:
        lines = ((1, enterprise(town)), (2, "没有这样一家企业"), (3, enterprise(town)), (4, "91500109MAYY00018H"))
        _made[key] = screen_task(
            ScreeningTask(
                town.places, bureau, "tests", bureau, "", "pre-inspection", "P1", town.clock.at, 5000, "list.csv",
                "0" * 64, lines=lines,
            )
        )  # fmt: skip
    return _made[key]


def name_of(town: Town, code: str) -> str:
    """The name an enterprise bears in the register."""
    opened = OpenRegister(town.places, town.records)
    with opened.desk() as desk:
        assert desk.register is not None
        dossier = desk.register.dossier(code)
        assert dossier is not None
        name = dossier.names[0].name
    opened.close()
    return name

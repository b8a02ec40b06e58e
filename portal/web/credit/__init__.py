"""信用查询: an inspector's search, the enterprise, screening, slip and its verification (I1 to I5)."""

from __future__ import annotations

from collections.abc import Callable

from portal.credit_open import begin_keeping
from portal.web.asking import PUBLIC, MenuItem, Room, Route, Site
from portal.web.credit import enterprise, looks, screening, searching, slips
from portal.web.credit.standing import open_register

MENDED = 64 * 1024
"""Bytes of a form in which the lines of a page are mended."""


def begin(site: Site) -> Callable[[], None]:
    """Keep the register open and up to date while the portal runs."""
    return begin_keeping(site.once(open_register), site.clock)


ROOM = Room(
    routes=(
        Route("GET", "/credit", "credit.lookup", searching.desk),
        Route("GET", "/credit/suggest", "credit.lookup", searching.suggest),
        Route("POST", "/credit/errand", "credit.lookup", searching.set_errand),
        Route("GET", "/credit/enterprises/{enterprise}", "credit.lookup", enterprise.enterprise),
        Route("GET", "/credit/nameless", "credit.lookup", enterprise.nameless),
        Route("POST", "/credit/enterprises/{enterprise}/slip", "credit.slip", slips.make),
        Route("GET", "/credit/slips/{slip}", "credit.slip", slips.slip),
        Route("GET", "/credit/slips/{slip}/slip.pdf", "credit.slip", slips.slip_pdf),
        Route("GET", "/credit/slips/{slip}/slip.json", "credit.slip", slips.slip_json),
        Route("GET", "/credit/screen", "credit.screen", screening.ask_list),
        Route("POST", "/credit/screen", "credit.screen", screening.screen, takes="stream"),
        Route("GET", "/credit/screenings/{screening}", "credit.screen", screening.result),
        Route("GET", "/credit/screenings/{screening}/result.xlsx", "credit.screen", screening.workbook),
        Route("GET", "/credit/screenings/{screening}/result.pdf", "credit.screen", screening.paper),
        Route("POST", "/credit/screenings/{screening}/again", "credit.screen", screening.mend, most=MENDED),
        Route("GET", "/credit/looks", "credit.lookup", looks.looks),
        Route("GET", "/verify/slip", PUBLIC, slips.check),
        Route("GET", "/verify/slip/{slip}", PUBLIC, slips.check),
    ),
    menu=(MenuItem("/credit", "信用查询", "Credit", "credit.lookup"),),
    begin=begin,
)

"""上传: a person's file on its way: chosen, sent, checked, handed in, its receipt (U2 to U7, U9)."""

from __future__ import annotations

from collections.abc import Callable

from portal.filing.crew import start
from portal.web.asking import PUBLIC, MenuItem, Room, Route, Site
from portal.web.filing import choosing, following, handing, listing, receipts, sending, verifying, versions


def begin(site: Site) -> Callable[[], None]:
    """Keep the workers running that check files, as long as the portal does."""
    return start(site.places, site.settings, site.clock)


ROOM = Room(
    routes=(
        Route("GET", "/filings/new", "batch.check", choosing.new),
        Route("GET", "/templates/{dataset}.xlsx", "batch.check", choosing.template),
        Route("POST", "/filings", "batch.check", sending.send, takes="stream"),
        Route("GET", "/filings", "batch.read", listing.listed),
        Route("GET", "/filings/{filing}", "batch.read", following.one),
        Route("GET", "/filings/{filing}/progress", "batch.read", following.progress),
        Route("GET", "/filings/{filing}/annotated.xlsx", "batch.download", following.annotated),
        Route("GET", "/filings/{filing}/findings.csv", "batch.download", following.error_list),
        Route("GET", "/filings/{filing}/hand-in", "batch.submit", handing.hand_in_page),
        Route("POST", "/filings/{filing}/hand-in", "batch.submit", handing.handed_in, most=handing.MOST),
        Route("POST", "/filings/{filing}/withdraw", "batch.submit", handing.withdrawn),
        Route("GET", "/receipts/{number}.pdf", "batch.download", receipts.paper),
        Route("GET", "/receipts/{number}", "batch.read", receipts.receipt),
        Route("GET", "/batches/{number}/raw", "batch.raw", versions.raw),
        Route("GET", "/batches/{number}/changes", "batch.read", versions.changed),
        Route("GET", "/verify/receipt", PUBLIC, verifying.verify_page),
        Route("POST", "/verify/receipt", PUBLIC, verifying.verify_text, most=verifying.MOST),
    ),
    menu=(MenuItem("/filings/new", "上传数据", "Upload", "batch.check"),),
    begin=begin,
)

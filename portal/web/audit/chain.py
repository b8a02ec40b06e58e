"""The state of the chain: verified up to which event, when and by whom; seals and the keys they are signed with."""

from __future__ import annotations

from starlette.responses import Response

from portal.trail_check import ChainCheck
from portal.web.asking import Ask, Site, see
from portal.web.audit.trail import eyes
from portal.web.pages import page
from records.keys import KeyRing
from records.seals import seals

SEALS = 40
PATIENCE = 3.0
"""Seconds a click waits for the check to end; a longer one goes on beside the pages."""


def checking(site: Site) -> ChainCheck:
    """Make the check of a portal."""
    return ChainCheck(site.places, site.records, site.clock)


def chain(ask: Ask) -> Response:
    """Show it."""
    check, ring = ask.site.once(checking), KeyRing(ask.site.places.keys)
    running = check.running  # asked first: what ends meanwhile is seen, and the page renews itself once more
    newest = check.newest()
    kept = seals(ask.site.records)
    current = ring.folder / "current"
    return page(
        ask, "audit/chain.html",
        newest=newest, by=eyes(ask).name_of(newest.by) if newest else "", running=running, head=ask.site.records.head(),
        seals=kept[-SEALS:][::-1], sealed=len(kept), most=SEALS, keys=ring.public_keys(),
        current=current.read_text("ascii").strip() if current.is_file() else "", trail=ask.may("audit.read").ok,
    )  # fmt: skip


def verify(ask: Ask) -> Response:
    """Begin a check; a short one has ended when the page is seen, of a longer one it shows when it has."""
    check = ask.site.once(checking)
    check.begin(ask.me.account_id)
    check.wait(PATIENCE)
    return see("/audit/chain")

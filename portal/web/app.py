"""The portal, put together: one table of every address with who may use it, and what holds for all of them.

A route without a permission that ``schemas/vocabularies/permissions.csv`` knows does not start. Documentation pages of
the framework are off: they would load scripts from elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from pipelines.batch import Places
from portal.access.gate import open_gate
from portal.settings import PortalSettings
from portal.web import (
    account,
    api,
    audit,
    credit,
    desk,
    experts,
    filing,
    gaps,
    history,
    nightboard,
    office,
    reviewing,
    shared,
    signing_in,
    single_sign_on,
    statistics,
    studio,
)  # fmt: skip
from portal.web.asking import PUBLIC, Ask, MenuItem, Room, Route, Site
from portal.web.assets import at_address
from portal.web.errors import Problem, note
from portal.web.guard import Guarded, asked
from portal.web.problems import draw
from portal.web.security import Shield
from records.store import Records
from schemas.permissions import permissions


class UndeclaredRoute(Exception):
    """An address without a permission that the facts know; the portal does not start."""


def live(ask: Ask) -> Response:
    """Say that the process answers; the state of the exchange is told by ``gongzhi schedule``."""
    return JSONResponse({"state": "live"})


def static(ask: Ask) -> Response:
    """Give a style, script or picture file, for good: its address names its content."""
    asset = at_address(ask.path["mark"], ask.path["name"])
    if asset is None:
        raise Problem(404)
    return Response(
        asset.content, media_type=asset.media_type, headers={"cache-control": "public, max-age=31536000, immutable"}
    )


ENTRY = Room(
    routes=(
        Route("GET", "/health/live", PUBLIC, live),
        Route("GET", "/static/{mark}/{name}", PUBLIC, static),
        Route("GET", "/login", PUBLIC, signing_in.login_page),
        Route("POST", "/login", PUBLIC, signing_in.login),
        Route("GET", "/login/oidc", PUBLIC, single_sign_on.leave),
        Route("GET", single_sign_on.RETURN, PUBLIC, single_sign_on.come_back),
        Route("GET", "/second-factor", "account.code", signing_in.code_page),
        Route("POST", "/second-factor", "account.code", signing_in.code),
        Route("GET", "/first-password", "account.password", signing_in.first_page),
        Route("POST", "/first-password", "account.password", signing_in.first),
        Route("POST", "/logout", "account.logout", signing_in.logout),
        Route("GET", "/", "dashboard.read", desk.desk),
    ),
    menu=(MenuItem("/", "工作台", "Desk", "dashboard.read"),),
)
HISTORY = Room(
    routes=(
        Route("GET", "/batches", "batch.read", history.history),
        Route("GET", "/batches/{number}", "batch.read", history.one),
        Route("GET", "/batches/{number}/receipt.json", "batch.download", history.receipt),
        Route("GET", "/batches/{number}/findings.csv", "batch.download", history.error_list),
        Route("GET", "/batches/{number}/annotated.xlsx", "batch.download", history.annotated),
    ),
    menu=(MenuItem("/batches", "报送历史", "Deliveries", "batch.read"),),
)
NIGHT = Room(
    routes=(Route("GET", "/night", "board.read", nightboard.night),),
    menu=(MenuItem("/night", "夜间看板", "The night", "board.read"),),
)
ACCOUNT = Room(
    routes=(
        Route("GET", "/account", "account.read", account.account),
        Route("POST", "/account/password", "account.password", account.password),
        Route("POST", "/account/second-factor", "account.second_factor", account.offer_factor),
        Route("POST", "/account/second-factor/confirm", "account.second_factor", account.confirm_factor),
        Route("POST", "/account/recovery-codes", "account.second_factor", account.new_codes),
        Route("POST", "/account/sessions", "account.sessions", account.others),
    ),
    menu=(MenuItem("/account", "账户", "Account", "account.read"),),
)
ROOMS: tuple[Room, ...] = (
    ENTRY, filing.ROOM, HISTORY, gaps.ROOM, reviewing.ROOM, studio.ROOM, NIGHT, statistics.ROOM, shared.ROOM, credit.ROOM,
    experts.ROOM, audit.ROOM, office.ROOM, ACCOUNT, api.ROOM,
)  # fmt: skip
"""The parts of the portal, in the order of the menu."""
ROUTES: tuple[Route, ...] = tuple(route for room in ROOMS for route in room.routes)
NO_PAGES = ("/health/", "/static/", "/login", "/second-factor", "/first-password", "/metrics", "/api/")
"""Begins the address of what no login leads on to."""


def make_app(places: Places, settings: PortalSettings, clock: Callable[[], datetime]) -> FastAPI:
    """Make the portal of a home; it holds the records open until it is shut down.

    Raises
    ------
    UndeclaredRoute
    RecordsError
        The records cannot be opened, or are of another edition.
    """
    records = Records.open(places.database_url)
    pages = tuple(
        compile_path(route.path)[0] for route in ROUTES if route.method == "GET" and not route.path.startswith(NO_PAGES)
    )
    menu = tuple(item for room in ROOMS for item in room.menu)
    site = Site(places, records, open_gate(places, records), settings, clock, pages, menu)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        check_routes(app)  # whatever was added since
        with ExitStack() as running:
            running.callback(records.close)
            for room in ROOMS:
                if room.begin is not None:
                    running.callback(room.begin(site))
            yield

    def say(request: Request, problem: Problem) -> Response:
        return draw(asked(site, request), problem)

    async def unrouted(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        problem = Problem(status, headers={"allow": _methods(app, request)} if status == 405 else {})
        note(problem, request.method, str(request.scope["path"]), request.client.host if request.client else "-")
        return say(request, problem)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=life)
    app.router.routes.extend(Guarded(site, route) for route in ROUTES)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_middleware(Shield, hosts=settings.hosts, secure=settings.secure, say=say)
    app.state.site = site
    check_routes(app)
    return app


def _methods(app: FastAPI, request: Request) -> str:
    """Give the methods that an address takes, of all its routes."""
    path = request.scope["path"]
    return ", ".join(sorted({m for one in app.routes if one.path_regex.match(path) for m in one.methods}))  # type: ignore[attr-defined]


def check_routes(app: FastAPI) -> None:
    """See that every address declares a permission.

    Raises
    ------
    UndeclaredRoute
    """
    known = {PUBLIC, *permissions()}
    for route in app.routes:
        if not isinstance(route, Guarded) or route.permission not in known:
            raise UndeclaredRoute(f"{getattr(route, 'path', route)} declares no permission of permissions.csv")

"""What stands before every page: who asks, whether he may, whether the form is ours; only then is anything read or done.

The order is the point: session and permission come before the first byte of a body, so that a stranger's upload costs
nothing. All faults end here as one kind of answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import cast
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Address

from portal.access.caller import Caller, Decision, allowed
from portal.access.keys import caller_of_key
from portal.access.sessions import caller_of
from portal.web.asking import PUBLIC, Ask, Route, Site, refusal, see
from portal.web.errors import Problem, note, printable, problem_of
from portal.web.forms import read_form, read_json
from portal.web.problems import draw, wants_json
from portal.web.security import comes_from_us
from portal.web.sessions import SESSION, VISIT, keep, keep_language, new_visit, token_in
from portal.web.words import LANGUAGES, chosen

QUERY_FIELDS = 40
TOKEN_HEADER = "x-csrf-token"
"""Carries the token of a form that a script sends."""
STEPS = {"unknown-caller": "/login", "change": "/first-password", "code": "/second-factor"}
"""Where a browser is sent that has still to sign in, or to finish it."""


class Guarded(Address):
    """An address with the permission it declares."""

    def __init__(self, site: Site, route: Route) -> None:
        self.permission = route.permission
        super().__init__(route.path, guarded(site, route), methods=[route.method], include_in_schema=False)


def guarded(site: Site, route: Route) -> Callable[[Request], Awaitable[Response]]:
    """Put the guard before a route."""

    async def answer(request: Request) -> Response:
        ask = asked(site, request)
        try:
            if route.permission != PUBLIC:
                ask = replace(ask, caller=await run_in_threadpool(_caller, ask, request))
                request.scope["gongzhi.account"] = ask.caller.account_id if ask.caller else ""  # for the log
                decision = allowed(ask.caller, route.permission)
                if not decision.ok:
                    return _turn_away(ask, decision)
            if len(request.query_params) > QUERY_FIELDS:
                raise Problem(400)
            if route.method == "POST":
                ask = await _with_body(ask, request, route)
            if iscoroutinefunction(route.answer):
                response = await route.answer(ask)
            else:
                response = await run_in_threadpool(cast(Callable[[Ask], Response], route.answer), ask)
        except Exception as error:
            response = explained(ask, error)
        return _with_cookies(ask, request, response)

    return answer


def asked(site: Site, request: Request) -> Ask:
    """Take down a request as it came; nobody is known yet."""
    client = request.client
    secure = site.settings.secure
    return Ask(
        site=site,
        at=site.clock(),
        method=request.method,
        address=str(request.scope.get("path") or "/"),
        path={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        words=chosen(request.query_params, request.cookies),
        caller=None,
        token=token_in(request, SESSION, secure),
        visit=token_in(request, VISIT, secure) or new_visit(),
        client=client.host if client else "",
        agent=printable(request.headers.get("user-agent", ""))[:200],
        hurried=request.headers.get("hx-request") == "true",
        headers=request.headers,
    )


def explained(ask: Ask, error: Exception) -> Response:
    """Answer an error and write it down."""
    problem = problem_of(error)
    who = ask.caller.account_id if ask.caller else ask.client
    note(problem, ask.method, ask.address, who, None if problem is error else error)
    return draw(ask, problem)


def _caller(ask: Ask, request: Request) -> Caller | None:
    """Find who asks: a key opens the addresses for programs, a session all others too."""
    said = request.headers.get("authorization", "")
    if wants_json(ask.address) and said:
        scheme, _, key = said.partition(" ")
        return caller_of_key(ask.site.gate, key.strip(), ask.at) if scheme.lower() == "bearer" else None
    return caller_of(ask.site.gate, ask.token, ask.at) if ask.token else None


def _turn_away(ask: Ask, decision: Decision) -> Response:
    """Send a browser to where it signs in; refuse everybody else."""
    step = STEPS.get(decision.code)
    if step is None or ask.method not in ("GET", "HEAD") or wants_json(ask.address):
        return explained(ask, refusal(decision))
    if ask.hurried:
        return Response(status_code=401, headers={"hx-redirect": "/login"})
    wanted = ask.address + (f"?{urlencode(ask.query)}" if ask.query else "")
    return see(step, next="" if wanted == "/" else wanted)


async def _with_body(ask: Ask, request: Request, route: Route) -> Ask:
    """Read what a route takes, where it comes from a page of ours or from a program with a key."""
    nobody = route.permission == PUBLIC and route.takes == "json"  # no session acts for whoever sends it
    if not nobody and (ask.caller is None or ask.caller.kind != "key"):
        _from_us(ask, request)
    if route.takes == "stream":  # who reads it looks for the token of its form
        return replace(ask, request=request)
    if route.takes == "json":
        if ask.caller is not None and ask.caller.kind != "key":
            check_token(ask, request.headers.get(TOKEN_HEADER, ""))
        return replace(ask, body=await read_json(request, route.most))
    form = await read_form(request, route.most)
    check_token(ask, form.pop("csrf", ""))
    return replace(ask, form=form)


def _from_us(ask: Ask, request: Request) -> None:
    if not comes_from_us(request, ask.site.settings.address):
        raise Problem(403, "cross-site", "请求不是由本系统的页面发出的", "the request was not sent by a page of ours")


def check_token(ask: Ask, token: str) -> None:
    """Refuse a form that does not carry the token of its session."""
    if not hmac.compare_digest(token.encode(), ask.csrf.encode()):
        raise Problem(
            403, "stale-form", "页面已过期（可能已在别处登录或退出），请返回并刷新后重试",
            "the page is stale (perhaps you signed in or out elsewhere): go back, reload and try again",
        )  # fmt: skip


def _with_cookies(ask: Ask, request: Request, response: Response) -> Response:
    secure = ask.site.settings.secure
    if ask.caller is None and ask.address == "/login" and not token_in(request, VISIT, secure):
        keep(response, VISIT, ask.visit, secure)
    if ask.query.get("lang") in LANGUAGES:
        keep_language(response, ask.words.language, secure)
    return response

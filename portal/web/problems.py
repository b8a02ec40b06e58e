"""A problem drawn for whoever asked: a page for people, JSON under ``/api/``."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from portal.web.asking import Ask
from portal.web.errors import Problem
from portal.web.pages import page

API = "/api/"


def wants_json(address: str) -> bool:
    """Say whether an address is for programs."""
    return address.startswith(API)


def draw(ask: Ask, problem: Problem) -> Response:
    """Give the answer of a problem."""
    headers = problem.headers
    if ask.method not in ("GET", "HEAD"):  # what is left of the body is not taken
        headers = headers | {"connection": "close"}
    if wants_json(ask.address):
        return JSONResponse(problem.as_json(), problem.status, headers)
    return page(ask, "problem.html", problem.status, headers, problem=problem)

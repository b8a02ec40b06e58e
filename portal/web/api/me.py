"""Who asks: what a program wants to know after it was given a key."""

from __future__ import annotations

from starlette.responses import Response

from portal.web.api.answering import offered, told
from portal.web.api.shapes import TEXT, YES, many, one_of, thing
from portal.web.asking import ApiDoc, Ask


def me(ask: Ask) -> Response:
    """Say who asks, and what the key may."""
    caller = ask.me
    return told(
        {
            "name": caller.name,
            "bureau": caller.bureau,
            "roles": sorted(caller.roles),
            "kind": caller.kind,
            "scopes": sorted(caller.scopes),
            "second_factor": caller.second_factor,
        }  # fmt: skip
    )


ROUTES = (
    offered(
        "GET", "/me", "board.read", me,
        ApiDoc(
            "Who asks: name, bureau and roles of the account, and what the key may",
            answers={
                "application/json": thing(
                    name=TEXT, bureau=TEXT, roles=many(TEXT), kind=one_of(("session", "key")), scopes=many(TEXT),
                    second_factor=YES,
                )
            },
        ),
    ),
)  # fmt: skip

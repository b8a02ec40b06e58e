"""``gongzhi serve``: the portal, run by uvicorn."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pipelines.batch import Places
from portal.cli import Exit, Home, app, now, places_of, stop, words
from portal.settings import PortalSettings, read_portal_settings
from portal.words import say

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

KEEP_ALIVE_SECONDS = 10
LEAVE_SECONDS = 5
"""How long answers under way may take once the portal is told to stop."""
CONNECTIONS = 512

log = logging.getLogger("gongzhi.serve")


@app.command(help=say("启动门户网站", "run the portal"))
def serve(
    host: Annotated[str | None, typer.Option("--host", help=say("监听地址", "address to listen on"))] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help=say("端口", "port"))] = None,
    home: Home = None,
) -> None:
    """Serve the pages of a home until stopped; the log is JSON lines on stderr.

    Example: gongzhi serve --port 8800 --home exchange
    """
    places = places_of(home)
    if not places.home.is_dir():
        stop(
            Exit.USE,
            f"{places.home} 不是共治的数据目录；请先运行 gongzhi init --home {places.home}",
            f"{places.home} is no home of gongzhi; run gongzhi init --home {places.home} first",
        )
    run_portal(places, read_portal_settings(host, port, home=places.home))


def run_portal(places: Places, settings: PortalSettings) -> None:
    """Look at the home, open the portal, and answer until told to stop; where something is missing it stays shut."""
    from portal.serving.logs import AccessLog, log_as_json
    from portal.web.app import make_app
    from portal.web.office.health import counting

    untidy = _looked(places, settings)
    log_as_json()
    for told in untidy:
        log.warning(told)
    site = make_app(places, settings, now)
    if sys.stderr.isatty():
        words(say(f"门户：{opened_at(settings)}", f"portal: {opened_at(settings)}"))
    log.info("portal of %s at %s", places.home, opened_at(settings))
    _run(make_server(AccessLog(site, site.state.site.once(counting)), settings), settings)


def make_server(site: ASGIApp, settings: PortalSettings) -> uvicorn.Server:
    """Make the server of a portal: nothing told about itself, nobody believed about callers but the proxies named."""
    import uvicorn

    from portal.web.headtime import HeadInTime

    config = uvicorn.Config(
        site,
        host=settings.bind[0],
        port=settings.bind[1],
        proxy_headers=settings.secure,
        forwarded_allow_ips=list(settings.proxies),
        server_header=False,
        log_config=None,
        access_log=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LEAVE_SECONDS,
        h11_max_incomplete_event_size=16 * 1024,
        http=HeadInTime,
        ws="none",
    )
    return uvicorn.Server(config)


def opened_at(settings: PortalSettings) -> str:
    """Give the address people type."""
    host, port = settings.bind
    return settings.address or f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _looked(places: Places, settings: PortalSettings) -> list[str]:
    """Look at everything first; end with words where something vital is not well, give what is only untidy."""
    from portal.serving.starting import look_before_opening

    amiss = [one for one in look_before_opening(places, settings, now()) if not one.ok]
    vital = [one for one in amiss if one.vital]
    for one in vital:
        words(say(f"{one.name}：{one.zh}", f"{one.name}: {one.en}"))
    if vital:
        code = Exit.USE if all(one.name == "settings" for one in vital) else Exit.BROKEN
        stop(code, "门户未启动：请先处理以上各项", "the portal was not started: mend the above first")
    return [say(one.zh, one.en) for one in amiss]


def _run(server: uvicorn.Server, settings: PortalSettings) -> None:
    """Answer until told to stop. The server hands the signal on once it has left; to us it is a good end."""
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        server.run()
    if not server.started:
        stop(
            Exit.BROKEN,
            f"门户未能在 {settings.bind[0]}:{settings.bind[1]} 启动：端口可能已被占用，请换 --port 或先停下占用者；详见以上日志",
            f"the portal could not start at {settings.bind[0]}:{settings.bind[1]}: perhaps the port is taken, choose another "
            "--port or stop who has it; the log above has more",
        )


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(Exit.DONE)

"""A real browser for the tests of the portal: a telephone's screen and a desk's, what a screen reader meets, no outside world.

Needs a Chromium: the one on ``PATH`` (Debian's package ``chromium``, or Google Chrome). ``make`` installs Debian's where
it may; without any browser these tests fail and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from get_browser import find_browser
from playwright.sync_api import Browser, Page, sync_playwright
from portal_web import PASSWORD, Served

from records.fonts import font_folders

WIDTHS = {"telephone": (360, 740), "desk": (1366, 768)}
MEASURED = (360, 768, 1366, 1920)
PICTURES = Path(__file__).parents[2] / "artefacts" / "screens"


def the_browser() -> str:
    """The Chromium of this machine."""
    found = find_browser()
    if found is None:
        pytest.fail("no Chromium: install Debian's package chromium (apt-get install chromium), or Google Chrome")
    return found


def with_fonts(folder: Path) -> dict[str, str]:
    """Show the browser the Chinese fonts the project finds; empty boxes have other widths."""
    kept = "".join(f"<dir>{one}</dir>" for one in font_folders(()))
    settings = folder / "fonts.conf"
    settings.write_text(
        f'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>{kept}'
        f'<include ignore_missing="yes">/etc/fonts/fonts.conf</include><cachedir>{folder}</cachedir></fontconfig>',
        encoding="utf-8",
    )
    return {**os.environ, "FONTCONFIG_FILE": str(settings)}


@contextmanager
def launched_browser(folder: Path) -> Iterator[Browser]:
    """Start the browser."""
    path, fonts = the_browser(), with_fonts(folder)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"], env=fonts
        )
        yield launched
        launched.close()


@contextmanager
def tab(chromium: Browser, served: Served, size: tuple[int, int], known: str = "\0", **more: Any) -> Iterator[Page]:
    """A tab that knows nothing yet; at its end nothing but what is known was complained of, and nothing asked elsewhere."""
    context = chromium.new_context(
        base_url=served.url, viewport={"width": size[0], "height": size[1]}, locale="zh-CN", **more
    )
    page, complaints, asked = context.new_page(), [], []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
    page.on("request", lambda request: asked.append(request.url))
    if more.get("java_script_enabled", True):
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective))"
        )
    try:
        yield page
        heard = [text for text in complaints if known not in text]
        assert not heard, heard
        assert asked and all(url.startswith(served.url + "/") for url in asked), asked
    finally:
        context.close()


def at_ease(page: Page, name: str) -> None:
    """No sideways scroll, nothing serious in the way of a screen reader; a picture is kept under artefacts/screens."""
    page.wait_for_load_state("load")  # a click may still be on its way to the page that is meant
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert not serious, (name, serious)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    page.get_by_label("账号").fill(login)
    page.get_by_label("口令").fill(password)
    page.get_by_role("button", name="登录").click()

"""Find a Chromium for the tests of the portal, or get Debian's: installed where this user may, else unpacked beside the environment.

Run by ``make``; says what it did. Where neither is possible it says what to install, and the browser tests fail saying
the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PRIVATE = Path(sys.prefix) / "browser"
LISTS = Path("/var/lib/apt/lists")


def find_browser() -> str | None:
    """The first Chromium on ``PATH``, or the one unpacked beside the environment."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    own = PRIVATE / "chromium"
    return found or (str(own) if own.exists() else None)


def run(*command: str) -> bool:
    """Run a command of the system's package manager quietly; say what it said if it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=QUIET, check=False)
    if done.returncode:
        print(" ".join(command), done.stderr.strip()[-2000:], sep="\n", file=sys.stderr)
    return done.returncode == 0


QUIET = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}


def install() -> bool:
    """Install Debian's package, as root."""
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium")
    return run(*install) or (run("apt-get", "update", "-q") and run(*install))


def unpack(status: str = "/var/lib/dpkg/status") -> bool:
    """Fetch Debian's package and what it needs that is not installed, and unpack them beside the environment."""
    state, cache = PRIVATE / "state", PRIVATE / "cache"
    for folder in (state / "lists" / "partial", cache / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    own = (
        "-o", f"Dir::State={state}", "-o", f"Dir::Cache={cache}", "-o", f"Dir::State::status={status}",
        "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
    )  # fmt: skip
    if not run("apt-get", *own, "update", "-q"):
        return False
    if not run("apt-get", *own, "install", "-y", "-q", "--no-install-recommends", "--download-only", "chromium"):
        return False
    tree = PRIVATE / "tree"
    for package in sorted((cache / "archives").glob("*.deb")):
        if not run("dpkg", "-x", str(package), str(tree)):
            return False
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)
    return write_starter(tree)


def write_starter(tree: Path) -> bool:
    """Write the script that starts the unpacked browser with its own libraries."""
    program = tree / "usr/lib/chromium/chromium"
    if not program.exists():
        return False
    libraries = sorted({str(found.parent) for found in tree.rglob("*.so*")})
    starter = PRIVATE / "chromium"
    starter.write_text(
        f'#!/bin/sh\nexport LD_LIBRARY_PATH="{":".join(libraries)}"\nexec "{program}" "$@"\n', encoding="utf-8"
    )
    starter.chmod(0o755)
    return True


def main() -> int:
    """Find or get a browser."""
    if (found := find_browser()) is not None:
        print(f"browser: {found}")
        return 0
    if shutil.which("apt-get") and (install() if os.geteuid() == 0 else unpack()):
        print(f"browser: {find_browser()}")
        return 0
    print("no Chromium: install Debian's package chromium, or Google Chrome, so that it is on PATH", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

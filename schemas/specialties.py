"""Fields and titles of experts, and the words other lists use for them.

The taxonomy has two levels and an edition; it is the exchange's own until the official list of 23 fields is obtained.
A wording nobody mapped gives no code, and stays beside the expert as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, fold, once, read_rows

UNKNOWN_TITLE = "other"
"""The rank of a title nobody knows."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the taxonomy; ``parent`` is blank on the first level, ``title_zh`` its own name."""

    code: str
    parent: str
    title_zh: str
    title_en: str
    edition: str
    agreement_item: str
    source: str


@once
def specialties(root: Path = SCHEMAS) -> dict[str, Field]:
    """Read ``vocabularies/specialties.csv``: code → field, a field of the first level before those below it."""
    columns = ("code", "level1_zh", "level2_zh", "name_en", "edition", "agreement_item", "note", "source")
    found: dict[str, Field] = {}
    for row in read_rows(root / "vocabularies" / "specialties.csv", columns):
        code = row.need("code")
        if code in found or not re.fullmatch(r"[A-Z](\d{2})?", code):
            raise row.fail(f"code {code!r} stands twice or is not a letter, or a letter and two digits")
        parent = code[0] if len(code) > 1 else ""
        if parent and (parent not in found or found[parent].title_zh != row["level1_zh"]):
            raise row.fail(f"{code} has no field {parent} named {row['level1_zh']!r} above it")
        title = row.need("level2_zh" if parent else "level1_zh")
        words = (title, row.need("name_en"), row.need("edition"), row["agreement_item"], row.need("source"))
        found[code] = Field(code, parent, *words)
    if len({one.edition for one in found.values()}) != 1:
        raise ValueError("specialties.csv holds more than one edition")
    return found


def edition(root: Path = SCHEMAS) -> str:
    """Name the edition of the taxonomy."""
    return next(iter(specialties(root).values())).edition


@once
def _field_words(root: Path = SCHEMAS) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in specialties(root).values():
        for word in (one.code, one.title_zh, f"{one.code}{one.title_zh}", one.title_en):
            found.setdefault(_key(word), one.code)
    for row in read_rows(root / "vocabularies" / "specialty_words.csv", ("word", "code", "source")):
        code, word = row.one_of("code", tuple(specialties(root))), _key(row.need("word"))
        row.need("source")
        if found.setdefault(word, code) != code:
            raise row.fail(f"{row['word']!r} already means {found[word]}")
    return found


def find_specialty(text: str, root: Path = SCHEMAS) -> Field | None:
    """Find a field by its code, its name or another list's word for it.

    Examples
    --------
    >>> find_specialty("Ｗ06").title_zh, find_specialty("危废").code, find_specialty("茶艺")
    ('入河排污口与总磷管控', 'H01', None)
    """
    code = _field_words(root).get(_key(text))
    return specialties(root)[code] if code is not None else None


@once
def split_specialties(text: str, root: Path = SCHEMAS) -> tuple[tuple[str, str], ...]:
    """Read a cell of fields as (code, wording), the code blank where nobody mapped the wording; none twice.

    Examples
    --------
    >>> split_specialties("PM2.5与臭氧协同控制/源解析、危废；茶艺")
    (('A02', 'PM2.5与臭氧协同控制/源解析'), ('H01', '危废'), ('', '茶艺'))
    """
    found: dict[str, tuple[str, str]] = {}
    for part in _parts(fold(text), root):
        field = find_specialty(part, root)
        found.setdefault(field.code if field else part, (field.code if field else "", part))
    return tuple(found.values())


def _parts(text: str, root: Path) -> Iterator[str]:
    for piece in filter(None, map(str.strip, re.split(r"[、,;|\n]", text))):
        if find_specialty(piece, root) is not None:
            yield piece
        else:  # a stroke or a blank separates too, unless it belongs to the name of a field
            smaller = [part for part in re.split(r"[/\s]+", piece) if part]
            yield from smaller if any(find_specialty(part, root) for part in smaller) else [piece]


@once
def title_ranks(root: Path = SCHEMAS) -> dict[str, tuple[str, str]]:
    """Read ``vocabularies/expert_title_ranks.csv``: rank → its words (zh, en), the highest first."""
    rows = read_rows(root / "vocabularies" / "expert_title_ranks.csv", ("rank", "title_zh", "title_en", "source"))
    found = {row.need("rank"): (row.need("title_zh"), row.need("title_en")) for row in rows if row.need("source")}
    if len(found) != len(rows) or list(found)[-1:] != [UNKNOWN_TITLE]:
        raise ValueError(f"expert_title_ranks.csv: a rank stands twice, or the last is not {UNKNOWN_TITLE!r}")
    return found


@once
def expert_titles(root: Path = SCHEMAS) -> dict[str, str]:
    """Read ``vocabularies/expert_titles.csv``: word → rank, the longest word first."""
    found: dict[str, str] = {}
    for row in read_rows(root / "vocabularies" / "expert_titles.csv", ("word", "rank", "title_en", "source")):
        word, rank = _key(row.need("word")), row.one_of("rank", tuple(title_ranks(root)))
        if not row.need("source") or word in found:
            raise row.fail(f"{row['word']!r} stands twice")
        found[word] = rank
    return dict(sorted(found.items(), key=lambda one: -len(one[0])))


@once
def title_rank(text: str, root: Path = SCHEMAS) -> str:
    """Find the rank of a title as written: the highest of the titles that stand in it.

    Examples
    --------
    >>> [title_rank(text) for text in ("高级工程师（正高）", "副研究员", "中国工程院院士/教授", "助理工程师", "")]
    ['senior', 'associate', 'academician', 'other', 'other']
    """
    rest, ranks = _key(text), {UNKNOWN_TITLE}
    for word, rank in expert_titles(root).items():
        if word in rest:
            rest = rest.replace(word, "|")
            ranks.add(rank)
    return min(ranks, key=list(title_ranks(root)).index)


def _key(text: str) -> str:
    return re.sub(r"\s+", "", fold(text)).lower()


@dataclass(frozen=True, slots=True)
class EmployerType:
    """What kind of body an employer is."""

    type: str
    title_zh: str
    title_en: str
    code_starts: tuple[str, ...]
    words: tuple[str, ...]


@once
def employer_types(root: Path = SCHEMAS) -> dict[str, EmployerType]:
    """Read ``vocabularies/employer_types.csv``: type → how its codes begin and which words its names hold."""
    columns = ("type", "title_zh", "title_en", "code_starts", "words", "source")
    found: dict[str, EmployerType] = {}
    for row in read_rows(root / "vocabularies" / "employer_types.csv", columns):
        words = (row.need("type"), row.need("title_zh"), row.need("title_en"), row.many("code_starts"))
        if words[0] in found or not row.need("source"):
            raise row.fail(f"type {words[0]!r} stands twice")
        found[words[0]] = EmployerType(*words, row.many("words"))
    return found


def employer_type(name: str, uscc: str, root: Path = SCHEMAS) -> str:
    """Tell the kind of an employer by its code, else by the last telling word of its name; blank where nothing tells.

    Examples
    --------
    >>> employer_type("某某大学", "12500109MAYY002108"), employer_type("某某大学科技有限公司", ""), employer_type("某某", "")
    ('institution', 'enterprise', '')
    """
    for one in employer_types(root).values():
        if uscc.startswith(one.code_starts):
            return one.type
    places = {
        one.type: max((name.rfind(word) for word in one.words), default=-1) for one in employer_types(root).values()
    }
    best = max(places, key=lambda kind: places[kind])
    return best if places[best] >= 0 else ""

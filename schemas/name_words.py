"""What names of enterprises are made of besides regions and brands: ``vocabularies/name_words.csv``.

A name runs region + brand + industry + legal form (企业名称登记管理规定 art. 6); a branch puts its own words behind the
whole name of its parent and is another enterprise. Words are given longest first, as they must be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows

KINDS = ("suffix", "branch", "industry", "bracket", "mark")


@dataclass(frozen=True, slots=True)
class NameWords:
    """The words by kind; ``brackets`` and ``marks`` map one character to what it becomes (blank: dropped)."""

    suffixes: tuple[str, ...]
    branches: tuple[str, ...]
    industries: tuple[str, ...]
    brackets: dict[str, str]
    marks: dict[str, str]


@once
def name_words(root: Path = SCHEMAS) -> NameWords:
    """Read ``vocabularies/name_words.csv``.

    Examples
    --------
    >>> words = name_words()
    >>> next(word for word in words.suffixes if "绵阳某某股份有限公司".endswith(word)), words.brackets["（"]
    ('股份有限公司', '(')
    """
    words: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for row in read_rows(root / "vocabularies" / "name_words.csv", ("word", "kind", "canonical", "source")):
        word, kind = row.need("word"), row.one_of("kind", KINDS)
        row.need("source")
        if kind in ("bracket", "mark"):
            if len(word) != 1 or len(row["canonical"]) > 1:
                raise row.fail(f"a {kind} is one character and becomes one or none")
            if kind == "bracket" and row["canonical"] not in ("(", ")"):
                raise row.fail(f"a bracket becomes ( or ), not {row['canonical']!r}")
        elif row["canonical"]:
            raise row.fail(f"a {kind} has no canonical form")
        if word in words[kind]:
            raise row.fail(f"{kind} {word!r} stands twice")
        words[kind][word] = row["canonical"]
    suffixes, branches, industries = (
        tuple(sorted(words[kind], key=lambda word: (-len(word), word))) for kind in ("suffix", "branch", "industry")
    )
    return NameWords(suffixes, branches, industries, words["bracket"], words["mark"])

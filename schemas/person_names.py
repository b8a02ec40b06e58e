"""What is written inside names of persons and is no part of them: ``vocabularies/person_name_marks.csv``."""

from __future__ import annotations

from pathlib import Path

from schemas.files import SCHEMAS, once, read_rows


@once
def name_marks(root: Path = SCHEMAS) -> frozenset[str]:
    """Read ``vocabularies/person_name_marks.csv``: single characters, given by their code points.

    Examples
    --------
    >>> "·" in name_marks(), "-" in name_marks()
    (True, False)
    """
    found: set[str] = set()
    for row in read_rows(root / "vocabularies" / "person_name_marks.csv", ("code_point", "name_en", "source")):
        code = row.need("code_point")
        row.need("name_en"), row.need("source")
        try:
            mark = chr(int(code.removeprefix("U+"), 16))
        except (ValueError, OverflowError):
            raise row.fail(f"code_point {code!r} is not of the form U+00B7") from None
        if mark in found:
            raise row.fail(f"{code} stands twice")
        found.add(mark)
    return frozenset(found)

"""File names as people send them, made safe to show, to store and to give back; the file itself never lies under them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from schemas.files import fold

UNNAMED = "未命名"
LONGEST = 120
ENDING = 12
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def safe_name(said: str, longest: int = LONGEST) -> str:
    r"""Give the last part of a name without what misleads an eye, a shell or Windows; its ending stays.

    Examples
    --------
    >>> safe_name("C:\\报表\\空气 4月.xlsx"), safe_name("../../.htaccess"), safe_name("-rf.csv"), safe_name("CON.xlsx")
    ('空气 4月.xlsx', '_.htaccess', '_-rf.csv', '_CON.xlsx')
    >>> safe_name("a\u202egpj.csv\x00.exe"), safe_name("x" * 300 + ".csv")[-8:], safe_name("  ")
    ('agpj.csv_.exe', 'xxxx.csv', '未命名')
    """
    last = said.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = _FORBIDDEN.sub("_", fold(unicodedata.normalize("NFC", last)))
    name = "".join(c for c in name if c.isprintable()).strip().rstrip(".")
    if not name:
        return UNNAMED
    if name[0] in ".-~$=+@%" or _DEVICE.fullmatch(name):
        name = "_" + name
    if len(name) <= longest:
        return name
    ending = PurePosixPath(name).suffix
    ending = ending if len(ending) <= ENDING else ""
    return name[: longest - len(ending)] + ending

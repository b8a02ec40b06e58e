"""Find a font that has the Chinese characters of a page, and know which characters it has.

A page set without such a font would show empty boxes and say nothing, so a missing font is an error that names the
Debian package, and a character the font lacks is spelt out. Fonts are looked for in the folders given, then where
the system keeps them, then in the wheel ``manimgx-fonts-cjk`` (Noto Sans CJK, SIL OFL), if it is installed.

Source: OpenType specification 1.9, tables ``ttcf``, ``cmap`` (formats 4 and 12).
"""

from __future__ import annotations

import importlib.util
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from records.errors import NoChineseFont

FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "SimSun",
    "SimHei",
    "Microsoft YaHei",
    "PingFang SC",
    "Songti SC",
    "Heiti SC",
)
"""Families with the characters of GB 18030 as far as names need them, the better ones first."""

NEEDED = "企业环境信用查询单诚信良好警示不良未参评碚绵专家抽取哈希递补"
DEBIAN_PACKAGE = "fonts-noto-cjk"
WHEEL = "manimgx_fonts_cjk"


@dataclass(frozen=True, slots=True)
class FontFace:
    """One face of a font file: its family and the position of the face in the file."""

    family: str
    path: Path
    index: int


@dataclass(frozen=True, slots=True)
class Characters:
    """The characters a face has, as ranges of code points: first ones, and last ones at the same places."""

    first: tuple[int, ...]
    last: tuple[int, ...]

    def __contains__(self, character: str) -> bool:
        place = bisect_right(self.first, ord(character)) - 1
        return place >= 0 and ord(character) <= self.last[place]


def wheel_folder() -> list[Path]:
    """Give the folder of the font wheel, if there is one."""
    found = importlib.util.find_spec(WHEEL)
    return [Path(found.origin).parent] if found is not None and found.origin is not None else []


def choose(faces: Iterable[FontFace]) -> tuple[FontFace, Characters]:
    """Choose the best of the faces found.

    Raises
    ------
    NoChineseFont
        None of them is of a known family and has the characters of the page.
    """
    seen = list(faces)
    for family in FAMILIES:
        for face in seen:
            if face.family == family and not missing(NEEDED, have := characters(face.path, face.index)):
                return face, have
    raise NoChineseFont(
        f"没有找到中文字体，无法生成 PDF；请安装 Debian 软件包 {DEBIAN_PACKAGE}（apt install {DEBIAN_PACKAGE}）",
        f"no font with Chinese characters was found, so no PDF can be made; "
        f"install the Debian package {DEBIAN_PACKAGE} (apt install {DEBIAN_PACKAGE})",
    )


def missing(text: str, have: Characters) -> str:
    """Give the characters of a text that a face lacks, each once; blanks and line ends count as had."""
    return "".join(sorted({one for one in text if not one.isspace() and one not in have}))


def characters(path: Path, index: int = 0) -> Characters:
    """Read which characters a face has; none where the file cannot be read that far."""
    try:
        data = path.read_bytes()
        ranges = sorted(_ranges(data, _cmap(data, index)))
    except (OSError, struct.error, IndexError, StopIteration):
        return Characters((), ())
    return Characters(tuple(first for first, _ in ranges), tuple(last for _, last in ranges))


def _cmap(data: bytes, index: int) -> int:
    """Give where the best Unicode subtable of ``cmap`` begins."""
    start = struct.unpack_from(">I", data, 12 + 4 * index)[0] if data[:4] == b"ttcf" else 0
    count = struct.unpack_from(">H", data, start + 4)[0]
    records = (struct.unpack_from(">4sIII", data, start + 12 + 16 * number) for number in range(count))
    table = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    number = struct.unpack_from(">H", data, table + 2)[0]
    places = [table + struct.unpack_from(">I", data, table + 4 + 8 * one + 4)[0] for one in range(number)]
    kinds = {struct.unpack_from(">H", data, place)[0]: place for place in places}
    return kinds[12] if 12 in kinds else kinds.get(4, -1)


def _ranges(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    if at < 0:
        return
    if struct.unpack_from(">H", data, at)[0] == 12:
        for group in range(struct.unpack_from(">I", data, at + 12)[0]):
            first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * group)
            yield first, last
        return
    doubled = struct.unpack_from(">H", data, at + 6)[0]
    lasts = struct.unpack_from(f">{doubled // 2}H", data, at + 14)
    firsts = struct.unpack_from(f">{doubled // 2}H", data, at + 16 + doubled)
    yield from ((first, last) for first, last in zip(firsts, lasts, strict=True) if first != 0xFFFF)


def spelt_out(text: str, have: Characters) -> str:
    """Give a text in which a character the face lacks stands as its code point: ``‹U+2B7F9›``, never an empty box."""
    lacking = missing(text, have)
    return text.translate({ord(one): f"‹U+{ord(one):04X}›" for one in lacking}) if lacking else text


def font_folders(given: Sequence[Path]) -> list[Path]:
    """Give the folders to look in beside those of the system."""
    return [folder for folder in [*given, *wheel_folder()] if folder.is_dir()]

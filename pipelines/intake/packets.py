r"""HJ 212 packets (2005, 2017 and 2025 editions) as a long grid: one row per item and kind of value.

Packets are found anywhere in the text: one a line, glued together, or with ``\r\n`` printed as four characters.
The declared length and CRC stand beside the counted ones; judging them is not reading's business.

Source: HJ/T 212-2005, HJ 212-2017 and HJ 212-2025, Annex A (length, CRC, Flag).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pipelines.batch import BrokenLine, Normalisation, ReadLimits, Sheet
from pipelines.errors import TooLarge
from pipelines.intake import grid
from pipelines.intake.text import SENTINEL, Decoded

HEADERS = (
    "设备编码",
    "系统编码",
    "命令编码",
    "请求编码",
    "数据时间",
    "版本",
    "包数",
    "包号",
    "重发",
    "监测因子编码",
    "数据类型",
    "数值",
    "数据标记",
    "声明长度",
    "实际长度",
    "声明CRC",
    "计算CRC",
)
EDITIONS = {0: "HJ/T 212-2005", 1: "HJ 212-2017", 2: "HJ 212-2025"}
TEXT_KEPT = 500
_START = re.compile(r"(?=##\d{4})")
_PACKET = re.compile(r"##(\d{4})([^&]*&&((?:(?!&&).)*)&&)([0-9A-Fa-f]{4})", re.DOTALL)
_BETWEEN = re.compile(r"(?:\s|\\r|\\n)*")
_ENCRYPTED = re.compile(r"\{\s*0x[0-9A-Fa-f]{2}\b")


def _register(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE = [_register(value) for value in range(256)]


def crc(segment: bytes) -> int:
    """Count the CRC of a data segment; it is not CRC-16/MODBUS.

    Examples
    --------
    >>> f"{crc(b''):04X}", f"{crc(bytes(1)):04X}"
    ('FFFF', '4040')
    >>> f"{crc(b'QN=20240601085857223;ST=32;CN=1011;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&&&'):04X}"
    '2200'
    """
    register = 0xFFFF
    for byte in segment:
        register = _TABLE[(register >> 8) ^ byte]
    return register


class Flag(NamedTuple):
    """What the Flag of a packet says."""

    edition: str
    packet_numbers: bool
    answer_wanted: bool


def read_flag(flag: int) -> Flag:
    """Read the Flag of a packet: bits 7-2 edition, bit 1 packet numbers, bit 0 answer wanted.

    Examples
    --------
    >>> read_flag(9)
    Flag(edition='HJ 212-2025', packet_numbers=False, answer_wanted=True)
    """
    return Flag(EDITIONS.get(flag >> 2, f"未知版本 {flag >> 2}"), bool(flag & 2), bool(flag & 1))


def read(decoded: Decoded, limits: ReadLimits) -> tuple[Sheet, list[Normalisation]]:
    """Read spooled text as packets.

    Parameters
    ----------
    decoded : Decoded
        UTF-8 text with the sentinel as its last line.
    limits : ReadLimits
        Rows, columns and cells allowed.

    Returns
    -------
    sheet : Sheet
        Columns ``HEADERS``; a packet without items gives one row; ``broken`` holds packets that are cut off.
    notes : list of Normalisation
        ``outside-packets``: text between packets that is not read.
    """
    text = decoded.path.read_bytes().removesuffix(SENTINEL).decode()
    codec = decoded.encoding.lower()
    records: list[tuple[str, ...]] = [HEADERS]
    broken: list[BrokenLine] = []
    outside = 0
    for piece in _START.split(text):
        match = _PACKET.match(piece)
        if match:
            records.extend(_rows(match, codec))
            outside += _BETWEEN.fullmatch(piece, match.end()) is None
        elif piece.startswith("##"):
            records.append(())
            broken.append(BrokenLine(len(records), 0, len(HEADERS), piece.strip()[:TEXT_KEPT]))
        else:
            outside += _BETWEEN.fullmatch(piece) is None
        if len(records) > limits.rows + 1:
            raise TooLarge(
                "too-many-rows",
                f"报文超过 {limits.rows} 行的上限；请按时间段拆成几个文件后再交",
                f"the packets hold more than {limits.rows} rows; split them by period",
            )
    notes = [Normalisation("outside-packets", "报文之外的文字未读", outside)] if outside else []
    return replace(grid.sheet_of(records, limits), broken=tuple(broken)), notes


def _rows(match: re.Match[str], codec: str) -> Iterator[tuple[str, ...]]:
    """Give the rows of one packet."""
    length, segment, area, declared = match.groups()
    head = dict(field.partition("=")[::2] for field in segment[: segment.index("&&")].split(";"))
    flag = head.get("Flag", "0")
    packet = (
        head.get("MN", ""),
        head.get("ST", ""),
        head.get("CN", ""),
        head.get("QN", ""),
    )
    numbers = (
        read_flag(int(flag)).edition if flag.isascii() and flag.isdigit() else f"未知版本 {flag}",
        head.get("PNUM", ""),
        head.get("PNO", ""),
        head.get("RF", ""),
    )
    counted = (length, str(len(segment)), declared, f"{crc(segment.encode(codec)):04X}")
    if _ENCRYPTED.search(area):
        yield (*packet, "", *numbers, "", "encrypted", "", "", *counted)
        return
    when, items = _items(area)
    for item in items or [("", "", "", "")]:
        yield (*packet, when, *numbers, *item, *counted)


def _items(area: str) -> tuple[str, list[tuple[str, str, str, str]]]:
    """Read a data area into its time and (factor, kind, value, mark) of each item."""
    when, items = "", []
    for part in filter(str.strip, area.split(";")):
        values: list[tuple[str, str, str]] = []
        marks: dict[str, str] = {}
        for field in filter(str.strip, part.split(",")):
            name, _, value = field.strip().partition("=")
            if name == "DataTime":
                when = value
                continue
            factor, dash, kind = name.rpartition("-")
            if kind == "Flag" and dash:
                marks[factor] = value
            else:
                values.append((factor, kind, value))
        named = {factor for factor, _, _ in values}
        values += [(factor, "", "") for factor in marks if factor not in named]
        items += [(factor, kind, value, marks.get(factor, "")) for factor, kind, value in values]
    return when, items

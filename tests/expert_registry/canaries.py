"""Fifty people whose numbers are found again wherever they leak, and the search through all bytes that finds them.

Every number of one run begins with the same digits, which occur in no mask. The search opens what is packed (zip and
xlsx, gzip, PDF, Parquet), reads texts of UTF-16, folds full-width digits, leaves out blanks and hyphens between digits,
and undoes Base64 and hex.
"""

from __future__ import annotations

import binascii
import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pypdf
from desk_home import made_uscc

from schemas.identifiers import identity_check

HEAD = ("姓名", "证件号码", "工作单位", "单位统一社会信用代码", "专业领域", "职称", "手机号", "证书有效期至", "备注")
WIDE = str.maketrans("０１２３４５６７８９Ｘ", "0123456789X")
DEEP = 4


@dataclass(frozen=True)
class Canary:
    """One planted person."""

    order: int
    identity: str
    phone: str
    bank: str


@dataclass(frozen=True)
class Flock:
    """The canaries of one run; ``run`` is a digit that keeps runs apart."""

    run: int

    def canary(self, order: int) -> Canary:
        body = f"99999{self.run}19000101{order:03d}"
        return Canary(
            order, body + identity_check(body), f"10{self.run}9977{order:04d}", f"99{self.run}0770088001{order:04d}"
        )

    @property
    def marks(self) -> dict[str, str]:
        """The beginnings by the kind of number."""
        return {"identity": f"99999{self.run}19000101", "phone": f"10{self.run}9977", "bank": f"99{self.run}0770088001"}

    def row(self, order: int, **more: str) -> list[str]:
        """One good line of a list."""
        one = self.canary(order)
        field = ("工业废水与园区污水治理", "工业废气与VOCs治理")[order % 2]
        usual = (
            f"样例{chr(0x4E00 + order)}",
            one.identity,
            f"示例第{order}研究院",
            made_uscc(order),
            field,
            "教授",
            one.phone,
        )
        told = dict(zip(HEAD, (*usual, "2028-12-31", ""), strict=True))
        return list((told | more).values())

    def found(self, data: bytes) -> set[str]:
        """Name the kinds of numbers that are in some bytes, however packed."""
        return {kind for text in texts(data) for kind, mark in self.marks.items() if mark in text}


def texts(data: bytes, depth: int = 0) -> Iterator[str]:
    """Give every reading of some bytes as text without blanks and hyphens."""
    for encoding in ("latin-1", "utf-8", "utf-16-le", "utf-16-be"):
        plain = data.decode(encoding, "ignore").translate(WIDE)
        yield re.sub(r"[\s\-]+", "", plain)
    yield encoded(data).decode("latin-1")
    if depth < DEEP:
        for inner in unpacked(data):
            yield from texts(inner, depth + 1)


def unpacked(data: bytes) -> Iterator[bytes]:
    """Open what is packed in some bytes."""
    if data[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            for name in packed.namelist():
                yield packed.read(name)
    elif data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:5] == b"%PDF-":
        yield "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages).encode()
    elif data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        yield repr(table.to_pydict()).encode() + repr(table.schema.metadata).encode()


def encoded(data: bytes) -> bytes:
    """Undo Base64 (from each of four beginnings, since one may begin inside a word) and hex."""
    found = []
    for word in re.findall(rb"[A-Za-z0-9+/_-]{24,}", data):
        if re.fullmatch(rb"[0-9a-fA-F]+", word):
            found.append(bytes.fromhex(word[: len(word) // 2 * 2].decode()))
        for start in range(4):
            part = word[start:].replace(b"-", b"+").replace(b"_", b"/")
            found.append(binascii.a2b_base64(part[: len(part) // 4 * 4]))
    return b"\n".join(found)


def scan(flock: Flock, folder: Path, but: Path | None = None) -> dict[str, set[str]]:
    """Search all files below a folder, but those of another one below it: file → kinds of numbers found."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and (but is None or but not in path.parents)]
    hits = {str(path): flock.found(path.read_bytes()) for path in files}
    return {name: found for name, found in hits.items() if found}


def write_csv(path: Path, rows: Iterable[list[str]]) -> Path:
    """Write a list as a bureau sends it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(HEAD), *rows])
    return path

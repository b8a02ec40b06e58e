"""What a file is, by its first bytes; the name only says what the sender believes it to be."""

from __future__ import annotations

import re
from pathlib import PurePath

from pipelines.batch import Normalisation
from pipelines.errors import UnreadableFile

REFUSED = (
    (b"\x89PNG", "PNG 图片", "a PNG picture"),
    (b"\xff\xd8\xff", "JPEG 图片", "a JPEG picture"),
    (b"GIF8", "GIF 图片", "a GIF picture"),
    (b"BM", "BMP 图片", "a BMP picture"),
    (b"%PDF", "PDF 文档", "a PDF document"),
    (b"PAR1", "Parquet 数据文件", "a Parquet file"),
    (b"ARROW1", "Arrow 数据文件", "an Arrow file"),
    (b"\x1f\x8b", "gzip 压缩包", "a gzip archive"),
    (b"BZh", "bzip2 压缩包", "a bzip2 archive"),
    (b"\xfd7zXZ", "xz 压缩包", "an xz archive"),
    (b"7z\xbc\xaf", "7z 压缩包", "a 7z archive"),
    (b"Rar!", "RAR 压缩包", "a RAR archive"),
    (b"MZ", "Windows 程序", "a Windows program"),
    (b"\x7fELF", "程序", "a program"),
    (b"SQLite format 3", "SQLite 数据库", "an SQLite database"),
    (b"{\\rtf", "RTF 文档", "an RTF document"),
    (b"RDX", "R 数据文件", "an R data file"),
)
EXTENSIONS = {
    "csv": {"text"},
    "tsv": {"text"},
    "tab": {"text"},
    "txt": {"text", "json", "xml", "hj212"},
    "dat": {"text", "json", "xml", "hj212"},
    "log": {"text", "hj212"},
    "": {"text", "json", "xml", "hj212", "zip", "ole"},
    "xlsx": {"zip"},
    "xlsm": {"zip"},
    "xls": {"ole"},
    "et": {"ole"},
    "json": {"json"},
    "geojson": {"json"},
    "xml": {"xml"},
    "zip": {"zip"},
}
NAMES = {
    "zip": "Excel 工作簿（xlsx）或 zip",
    "ole": "Excel 97–2003 工作簿（xls）",
    "text": "表格文本（CSV）",
    "json": "JSON",
    "xml": "XML",
    "hj212": "HJ 212 报文",
}


def sniff(first_bytes: bytes, name: str) -> str:
    r"""Tell the kind of a file: ``zip``, ``ole``, ``json``, ``xml``, ``hj212`` or ``text``.

    Parameters
    ----------
    first_bytes : bytes
        The beginning of the file, 1 KiB is plenty.
    name : str
        Name as uploaded; an extension that is not on the list is refused whatever the content.

    Raises
    ------
    UnreadableFile
        The content, or the extension, is of a type the exchange does not take.

    Examples
    --------
    >>> sniff(b"PK\x03\x04", "a.xlsx"), sniff(b"##0087QN=", "a.txt"), sniff("站点,".encode(), "a.csv")
    ('zip', 'hj212', 'text')
    """
    if not first_bytes:
        raise UnreadableFile("empty", "文件为空（0 字节）；请重新导出后再交", "the file is empty (0 bytes)")
    for magic, zh, en in REFUSED:
        if first_bytes.startswith(magic) and (len(magic) > 2 or b"\0" in first_bytes or magic == b"\x1f\x8b"):
            raise _refused(zh, en)
    ending = extension(name)
    if ending not in EXTENSIONS:
        raise UnreadableFile(
            "file-type",
            f"不接收扩展名为 .{ending} 的文件；请交 xlsx、xls、csv、txt、json、xml 或 zip",
            f"files named .{ending} are not taken; send xlsx, xls, csv, txt, json, xml or zip",
        )
    if first_bytes.startswith(b"PK\x03\x04") or first_bytes.startswith(b"PK\x05\x06"):
        return "zip"
    if first_bytes.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "ole"
    start = first_bytes.removeprefix(b"\xef\xbb\xbf").lstrip()
    if re.match(rb"(?i)<(!doctype\s+html|html|head|body|table)\b", start):
        raise _refused("网页（HTML）", "a web page (HTML)")
    if re.match(rb"<[?!A-Za-z]", start):
        return "xml"
    if re.match(rb"\{\s*[\"}]|\[\s*[\[{\"\]]", start):
        return "json"
    return "hj212" if re.match(rb"##\d{4}", start) else "text"


def extension(name: str) -> str:
    """Give the last extension of a name, in lower case and without the dot."""
    return PurePath(name.replace("\\", "/").strip()).suffix.lower().lstrip(".")


def renamed(kind: str, name: str) -> list[Normalisation]:
    """Note that the content is not what the extension says."""
    ending = extension(name)
    if kind in EXTENSIONS.get(ending, ()):
        return []
    return [Normalisation("renamed", f"扩展名是 .{ending}，内容实为{NAMES[kind]}，已按内容读取", 1)]


def _refused(zh: str, en: str) -> UnreadableFile:
    return UnreadableFile(
        "file-type",
        f"文件内容实为{zh}，不能作为数据文件；请交 xlsx、xls、csv、txt、json、xml 或 zip",
        f"the file is {en}, not a data file; send xlsx, xls, csv, txt, json, xml or zip",
    )

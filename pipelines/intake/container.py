"""Zip containers, checked before anything in them is believed: entries, names, overlap, encryption, inflation.

Declared sizes are not trusted: bytes are counted while they are inflated.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from pipelines.batch import ReadLimits
from pipelines.errors import TooLarge, UnreadableFile

PIECE = 2**20
LOCAL_HEADER = 30
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)


def damaged(what: object) -> UnreadableFile:
    """Make the refusal of a container that cannot be opened."""
    return UnreadableFile(
        "damaged",
        "文件已损坏，无法打开；请在 Excel 中打开确认后另存，再重新上传",
        f"the file is damaged and cannot be opened ({type(what).__name__}); save it again",
    )


class Container:
    """An opened zip whose directory has passed the checks, with one counter of inflated bytes for all entries.

    Parameters
    ----------
    path : Path
        The file.
    limits : ReadLimits
        ``zip_entries``, ``inflated_bytes``, ``inflated_ratio`` beyond ``ratio_from_bytes``.

    Raises
    ------
    UnreadableFile
        Damaged, encrypted, or with hostile names or overlapping entries.
    TooLarge
        Too many entries.
    """

    def __init__(self, path: Path, limits: ReadLimits) -> None:
        self.limits = limits
        self.size = path.stat().st_size
        self.inflated = 0
        self._streams = ExitStack()
        try:
            self.zip = zipfile.ZipFile(path)
        except DAMAGED as error:
            raise damaged(error) from error
        self.entries = self.zip.infolist()
        self._check()

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: object) -> None:
        self._streams.close()
        self.zip.close()

    def _check(self) -> None:
        if len(self.entries) > self.limits.zip_entries:
            raise TooLarge(
                "too-many-entries",
                f"压缩包内有 {len(self.entries)} 个文件，上限为 {self.limits.zip_entries} 个；请分批上传",
                f"the archive holds {len(self.entries)} entries, at most {self.limits.zip_entries} are read",
            )
        end = 0
        names = set()
        for entry in sorted(self.entries, key=lambda item: item.header_offset):
            parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
            drive = len(entry.filename) > 1 and entry.filename[1] == ":"
            link = (entry.external_attr >> 16) & 0o170000 == 0o120000
            if ".." in parts or entry.filename[:1] in ("/", "\\") or drive or link or entry.filename in names:
                raise _hostile("条目指向包外、重复或为链接", "its entries point outside, repeat or link")
            if entry.flag_bits & 1:
                raise UnreadableFile(
                    "encrypted", "文件已加密；请去掉密码后再交", "the file is encrypted; remove the password"
                )
            if entry.header_offset < end:
                raise _hostile("条目相互重叠", "its entries overlap")
            names.add(entry.filename)
            end = entry.header_offset + LOCAL_HEADER + entry.compress_size

    def names(self) -> set[str]:
        """Give the names of all entries."""
        return {entry.filename for entry in self.entries}

    def pieces(self, entry: zipfile.ZipInfo | str) -> Iterator[bytes]:
        """Inflate one entry piece by piece, counting.

        Raises
        ------
        TooLarge
            The counter passed the limit of size, or of ratio.
        """
        try:
            with self._streams.enter_context(self.zip.open(entry)) as stream:
                while piece := stream.read(PIECE):
                    self.inflated += len(piece)
                    if self.inflated > self.limits.inflated_bytes or (
                        self.inflated > self.limits.ratio_from_bytes
                        and self.inflated > self.limits.inflated_ratio * self.size
                    ):
                        raise TooLarge(
                            "inflated",
                            f"文件解压后过大（已超过 {self.inflated // 2**20} MiB）；请删去空白行列或拆分后再交",
                            f"the file inflates to more than {self.inflated // 2**20} MiB; split it",
                        )
                    yield piece
        except TooLarge:
            raise
        except (*DAMAGED, RuntimeError) as error:
            raise damaged(error) from error

    def read(self, name: str) -> bytes:
        """Inflate one small entry whole."""
        return b"".join(self.pieces(name))


def _hostile(zh: str, en: str) -> UnreadableFile:
    return UnreadableFile("hostile-archive", f"压缩包不正常：{zh}；请重新打包", f"the archive is refused: {en}")

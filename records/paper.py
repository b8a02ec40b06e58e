"""Set a page as PDF: a typst template, values from the caller, a Chinese font, a QR code.

Values are passed to a template as values, never pasted into its markup; a character the font lacks is spelt out. The
same values set with the same font at the same instant give the same bytes. The PDF is PDF/A-2u: every character can be
read back as text. A template gets ``data`` (JSON) with ``font``, ``qr`` (SVG) and ``qr_text`` beside the caller's values,
and leaves its number of pages under the label ``<pages>``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import segno
import typst

from records.fonts import Characters, FontFace, choose, font_folders, spelt_out


def print_page(
    template: Path, editions: Iterable[Mapping[str, Any]], *, qr_text: str, at: datetime, folders: Sequence[Path] = ()
) -> bytes:
    """Set the first edition of a page that fits on one sheet, else the last one on as many as it takes.

    Parameters
    ----------
    editions : iterable of mapping
        The values of the page, the fullest first; where sheets do not matter there is only one.
    qr_text : str
        What the QR code says.
    at : datetime
        The time the PDF bears.
    folders : sequence of Path
        Folders with fonts, beside those of the system.

    Raises
    ------
    NoChineseFont
        No font with Chinese characters is installed; names the Debian package.
    """
    face, have = _chosen(tuple(folders))
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(face.path.parent)])
    beside = {"font": face.family, "qr_text": qr_text, "qr": qr_code(qr_text)}
    compiler = None
    for values in editions:
        data = json.dumps({**_spelt(values, have), **beside}, ensure_ascii=False)
        compiler = typst.Compiler(template, font_paths=fonts, ignore_system_fonts=True, sys_inputs={"data": data})
        if compiler.query("<pages>", field="value", one=True) == "1":
            break
    if compiler is None:
        raise ValueError("there is no edition of the page to set")
    made = compiler.compile(format="pdf", pdf_standards="a-2u", timestamp=int(at.timestamp()))
    if not isinstance(made, bytes):
        raise TypeError(f"a page should be bytes, not {type(made).__name__}")
    return made


def qr_code(text: str) -> str:
    """Draw a QR code as SVG."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", xmldecl=False, border=1)
    return out.getvalue().decode("utf-8")


def font_of_pages(folders: Sequence[Path] = ()) -> str:
    """Name the font pages are set with.

    Raises
    ------
    NoChineseFont
    """
    return _chosen(tuple(folders))[0].family


@lru_cache(maxsize=4)
def _chosen(folders: tuple[Path, ...]) -> tuple[FontFace, Characters]:
    found = typst.Fonts(
        include_system_fonts=True, include_embedded_fonts=False, font_paths=[str(one) for one in font_folders(folders)]
    ).fonts()
    return choose(FontFace(one.family, Path(one.path), one.index) for one in found if one.path)


def _spelt(value: Any, have: Characters) -> Any:
    if isinstance(value, Mapping):
        return {key: _spelt(inner, have) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt(inner, have) for inner in value]
    return spelt_out(value, have) if isinstance(value, str) else value

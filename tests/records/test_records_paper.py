"""Setting a page: the font it needs, values that stay values, one sheet where an edition fits on it."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pypdf
import pytest

from records.errors import NoChineseFont, RecordsError
from records.fonts import FontFace, characters, choose, spelt_out, wheel_folder
from records.paper import print_page, qr_code

AT = datetime(2026, 11, 23, 6, tzinfo=UTC)
TEMPLATE = """#let data = json(bytes(sys.inputs.data))
#set text(font: data.font)
#set page(paper: "a4")
#image(bytes(data.qr), format: "svg", width: 25mm, alt: data.qr_text)
#for one in data.lines { par(one) }
#context [#metadata(counter(page).final().first()) <pages>]
"""


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "page.typ"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def read(made: bytes) -> tuple[int, str]:
    reader = pypdf.PdfReader(io.BytesIO(made))
    return len(reader.pages), "".join("".join(one.extract_text().split()) for one in reader.pages)


def test_the_first_edition_that_fits_on_one_sheet_is_set(template):
    editions = ({"lines": [f"{count}行"] * count} for count in (200, 20, 2))
    pages, text = read(print_page(template, editions, qr_text="A1", at=AT))
    assert pages == 1 and text.count("20行") == 20


def test_where_none_fits_the_last_takes_as_many_sheets_as_it_needs(template):
    pages, text = read(print_page(template, [{"lines": ["抽取记录"] * 200}], qr_text="A1", at=AT))
    assert pages > 1 and text.count("抽取记录") == 200


def test_values_are_never_markup_and_a_missing_character_is_spelt_out(template):
    _, text = read(print_page(template, [{"lines": ["#panic(1) *粗*", "王﷽"]}], qr_text="A1", at=AT))
    assert "#panic(1)*粗*" in text and "王‹U+FDFD›" in text


def test_the_same_values_give_the_same_bytes_and_another_code_gives_others(template):
    first, same, other = (print_page(template, [{"lines": ["甲"]}], qr_text=qr, at=AT) for qr in ("A1", "A1", "A2"))
    assert first == same != other and qr_code("A1") != qr_code("A2")


def test_no_edition_at_all_is_a_fault_of_the_caller(template):
    with pytest.raises(ValueError, match="no edition"):
        print_page(template, [], qr_text="A1", at=AT)


def test_without_a_chinese_font_the_error_names_the_debian_package(tmp_path):
    with pytest.raises(NoChineseFont, match="fonts-noto-cjk") as refused:
        choose([FontFace("DejaVu Sans", tmp_path / "a.ttf", 0), FontFace("SimSun", tmp_path / "damaged.ttc", 0)])
    assert "apt install" in refused.value.message_en and isinstance(refused.value, RecordsError)


def test_a_font_of_a_known_name_without_the_characters_is_passed_over(tmp_path):
    (tmp_path / "noise.ttf").write_bytes(b"\x00\x01\x00\x00\x00\x01" + bytes(40))
    assert "良" not in characters(tmp_path / "noise.ttf")
    with pytest.raises(NoChineseFont):
        choose([FontFace("Noto Sans CJK SC", tmp_path / "noise.ttf", 0)])


def test_the_characters_of_the_font_of_the_wheel_are_read():
    (folder,) = wheel_folder()
    have = characters(next(folder.glob("*.ttc")), 2)
    assert all(one in have for one in "碚龘𫟹，（〔") and "﷽" not in have
    assert spelt_out("碚﷽", have) == "碚‹U+FDFD›"

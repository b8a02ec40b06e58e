"""Decoding: BOM, strict UTF-8, strict GB18030, over the whole file; never a guess."""

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.batch import ReadLimits
from pipelines.errors import TooLarge, UnreadableText
from pipelines.intake.text import SENTINEL, decode

LIMITS = ReadLimits()


def taken(folder: Path, content: bytes, lines: bool = True) -> tuple[str, str]:
    """Decode bytes: encoding and text."""
    source = folder / "source"
    source.write_bytes(content)
    decoded = decode(source, folder / "text", LIMITS, lines)
    text = (folder / "text").read_bytes().removesuffix(SENTINEL).decode()
    return decoded.encoding, text


any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: not text.startswith("\ufeff")
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(any_text, st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16-le", "utf-16-be", "utf-32-le"]))
def test_any_text_comes_back_from_any_encoding(tmp_path, text, encoding):
    marks = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE, "utf-32-le": codecs.BOM_UTF32_LE}
    content = marks.get(encoding, b"") + text.encode(encoding)
    try:
        _, back = taken(tmp_path, content)
    except UnreadableText:
        # GB18030 bytes that are nearly all UTF-8 are taken for damaged UTF-8: refused, not misread
        assert encoding == "gb18030"
        return
    if encoding == "gb18030" and back.removesuffix("\n") != text.removesuffix("\n"):
        assert content.decode("utf-8") == back.removesuffix("\n") or content.decode("utf-8") == back
        return
    assert back in (text, text + "\n")


def test_a_late_gb18030_character_decides_for_the_whole_file(tmp_path):
    content = b"code,remark\n" + b"1414A,ok\n" * 600_000 + "1414A,设备校准\n".encode("gbk")
    encoding, text = taken(tmp_path, content)
    assert encoding == "GB18030"
    assert text.endswith("1414A,设备校准\n")


def test_a_character_across_two_pieces_is_kept(tmp_path):
    for encoding in ("utf-8", "gb18030"):
        content = b"a" + ("断面名称\n" * 800_000).encode(encoding)
        assert taken(tmp_path, content)[1] == "a" + "断面名称\n" * 800_000


def test_a_cut_gbk_file_is_named_truncated_with_row_and_byte(tmp_path):
    content = "站点,名称\n1414A,缙云山".encode("gbk")[:-1]
    with pytest.raises(UnreadableText, match="截断") as refusal:
        taken(tmp_path, content)
    assert (refusal.value.code, refusal.value.row) == ("truncated", 2)
    assert f"第 {len(content) - 1} 字节" in refusal.value.message


def test_a_cut_utf8_file_is_named_truncated(tmp_path):
    with pytest.raises(UnreadableText) as refusal:
        taken(tmp_path, "站点编码,站点名称,监测时间\n1414A,缙云山,天生".encode()[:-1])
    assert refusal.value.code == "truncated"


def test_a_surrogate_written_as_utf8_is_refused_with_its_place_not_read_as_gb18030(tmp_path):
    content = "站点编码,站点名称,备注\n1414A,缙云山,".encode() + b"\xed\xa0\x80\n"
    with pytest.raises(UnreadableText) as refusal:
        taken(tmp_path, content)
    assert refusal.value.row == 2
    assert f"第 {len(content) - 4} 字节，ED A0 80" in refusal.value.message


def test_the_byte_is_right_far_into_the_file(tmp_path):
    content = "站点,名称\n".encode() * 500_000
    with pytest.raises(UnreadableText) as refusal:
        taken(tmp_path, content + b"\xff\n" + content)
    assert refusal.value.row == 500_001
    assert f"第 {len(content)} 字节" in refusal.value.message


def test_nul_is_refused_with_row_and_byte(tmp_path):
    with pytest.raises(UnreadableText) as refusal:
        taken(tmp_path, b"a,b\n1,\x002\n")
    assert (refusal.value.code, refusal.value.row) == ("nul", 2)
    assert "第 6 字节" in refusal.value.message


def test_utf16_without_mark_is_advised_to_be_saved_again(tmp_path):
    with pytest.raises(UnreadableText, match="UTF-16"):
        taken(tmp_path, "a,b\n1,2\n".encode("utf-16-le"))


def test_two_marks_are_removed_and_noted(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(codecs.BOM_UTF8 * 2 + "站点\n".encode())
    decoded = decode(source, tmp_path / "text", LIMITS)
    assert (tmp_path / "text").read_bytes() == "站点\n".encode() + SENTINEL
    assert [note.what for note in decoded.normalised] == ["double-bom"]


def test_a_line_is_limited_and_its_row_named(tmp_path):
    limits = ReadLimits(line_bytes=100)
    source = tmp_path / "source"
    source.write_bytes(b"short\n" * 50 + b"y" * 101 + b"\n" + b"short\n" * 50)
    with pytest.raises(TooLarge) as refusal:
        decode(source, tmp_path / "text", limits)
    assert (refusal.value.code, refusal.value.row) == ("line-too-long", 51)
    source.write_bytes(b"short\n" * 50 + b"y" * 99 + b"\n" + b"short\n" * 50)
    assert decode(source, tmp_path / "text", limits).encoding == "UTF-8"


def test_lines_may_end_with_carriage_returns_alone(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"short\r" * 500)
    assert decode(source, tmp_path / "text", ReadLimits(line_bytes=100)).size == 3000

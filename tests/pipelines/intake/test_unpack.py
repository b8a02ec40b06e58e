"""Zip archives of data files, and what a file is by its first bytes."""

import struct
import zipfile

import pytest

from pipelines.batch import ReadLimits
from pipelines.errors import IntakeError, TooLarge, UnreadableFile
from pipelines.intake import unpack
from pipelines.intake.sniff import renamed, sniff


@pytest.fixture
def packed(tmp_path):
    """Write a zip of the given members and unpack it."""

    def run(members, limits: ReadLimits | None = None, name: str = "delivery.zip"):
        path = tmp_path / "delivery"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for member, data in members:
                out.writestr(member, data)
        return unpack(path, name, limits or ReadLimits(), tmp_path / "members")

    return run


def test_members_come_in_order_under_safe_paths(packed, tmp_path):
    found = packed([("一月/小时值.csv", b"a,b\n"), ("b.txt", b"c\n"), ("__MACOSX/._b.txt", b"x")])
    assert [name for name, _ in found] == ["小时值.csv", "b.txt"]
    assert [path.read_bytes() for _, path in found] == [b"a,b\n", b"c\n"]
    assert all(path.parent == tmp_path / "members" for _, path in found)


def test_a_gbk_name_is_read(packed, tmp_path):
    packed([("XXXX.csv", b"a,b\n")])
    path = tmp_path / "delivery"
    path.write_bytes(path.read_bytes().replace(b"XXXX.csv", "空气".encode("gbk") + b".csv"))
    assert unpack(path, "d.zip", ReadLimits(), tmp_path / "m")[0][0] == "空气.csv"


def test_a_file_that_is_no_archive_is_its_own_member(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n")
    assert unpack(path, "a.csv", ReadLimits(), tmp_path / "m") == [("a.csv", path)]


def test_a_workbook_is_its_own_member(packed, tmp_path):
    found = packed([("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>")], name="a.xlsx")
    assert found == [("a.xlsx", tmp_path / "delivery")]


@pytest.mark.parametrize("name", ["../up.csv", "/etc/a.csv", "C:\\a.csv", "a/../../b.csv", "..\\b.csv"])
def test_members_that_point_outside_are_refused(packed, name):
    with pytest.raises(UnreadableFile) as refusal:
        packed([(name, b"a,b\n")])
    assert refusal.value.code == "hostile-archive"


def test_links_are_refused(packed):
    link = zipfile.ZipInfo("link.csv")
    link.external_attr = 0o120777 << 16
    with pytest.raises(UnreadableFile):
        packed([(link, b"/etc/passwd")])


def test_overlapping_members_are_refused(packed, tmp_path):
    packed([("a.csv", b"a,b\n" * 50), ("b.csv", b"a,b\n" * 50)])
    path = tmp_path / "delivery"
    data = bytearray(path.read_bytes())
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<I", 3)
    path.write_bytes(data)
    with pytest.raises(UnreadableFile) as refusal:
        unpack(path, "d.zip", ReadLimits(), tmp_path / "m")
    assert refusal.value.code == "hostile-archive"


def test_encrypted_members_are_refused(packed, tmp_path):
    packed([("a.csv", b"a,b\n")])
    path = tmp_path / "delivery"
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnreadableFile, match="加密"):
        unpack(path, "d.zip", ReadLimits(), tmp_path / "m")


def test_an_archive_in_an_archive_is_refused(packed, tmp_path):
    packed([("a.csv", b"a,b\n")])
    with pytest.raises(UnreadableFile) as refusal:
        packed([("inner.zip", (tmp_path / "delivery").read_bytes())])
    assert refusal.value.code == "nested-archive"


def test_entries_and_inflation_are_limited(packed):
    with pytest.raises(TooLarge):
        packed([(f"{i}.csv", b"") for i in range(5)], ReadLimits(zip_entries=4))
    with pytest.raises(TooLarge) as refusal:
        packed([("a.csv", b"0" * 5_000_000)], ReadLimits(inflated_bytes=1_000_000))
    assert refusal.value.code == "inflated"
    with pytest.raises(TooLarge):
        packed([("a.csv", b"0" * 5_000_000)], ReadLimits(ratio_from_bytes=1_000_000))


def test_damaged_and_empty_archives_are_refused(packed, tmp_path):
    with pytest.raises(UnreadableFile) as refusal:
        packed([])
    assert refusal.value.code == "empty-archive"
    packed([("a.csv", b"a,b\n" * 100)])
    path = tmp_path / "delivery"
    whole = path.read_bytes()
    for data in (whole[:-10], whole[:40] + b"\xff" * 20 + whole[60:]):
        path.write_bytes(data)
        with pytest.raises(IntakeError) as damage:
            unpack(path, "d.zip", ReadLimits(), tmp_path / "m")
        assert damage.value.code == "damaged"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04", "zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
        (b'\xef\xbb\xbf [{"a":1}]', "json"),
        (b"<a:r xmlns:a='x'>", "xml"),
        (b"\r\n##0087QN=", "hj212"),
        (b"##12", "text"),
        (b"[GB 3095],b\n", "text"),
        (b"BM25,x\n", "text"),
        ("站点".encode("utf-16"), "text"),
    ],
)
def test_the_first_bytes_tell_the_kind(head, kind):
    assert sniff(head, "data") == kind


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x89PNG\r\n", "PNG"), (b"\xff\xd8\xff\xe0", "JPEG"), (b"%PDF-1.7", "PDF"), (b"PAR1\x15", "Parquet"),
        (b"  <!DOCTYPE html><html>", "网页"), (b"<TABLE border=1>", "网页"), (b"MZ\x90\x00\x03", "程序"),
    ],
)  # fmt: skip
def test_other_types_are_refused_by_their_real_name(head, said):
    with pytest.raises(UnreadableFile, match=said):
        sniff(head, "data.csv")


@pytest.mark.parametrize("name", ["data.csv.exe", "data.xlsx.html", "a.docx", ".htaccess.php"])
def test_extensions_off_the_list_are_refused(name):
    with pytest.raises(UnreadableFile) as refusal:
        sniff(b"a,b\n", name)
    assert refusal.value.code == "file-type"


def test_a_name_that_lies_is_noted():
    assert [note.what for note in renamed("text", "a.xlsx")] == ["renamed"]
    assert renamed("zip", "a.xlsx") == []

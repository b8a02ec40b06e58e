"""The limited child: whatever a file does, it ends one child and the next file is read."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.batch import RawBatch, ReadLimits
from pipelines.errors import IntakeError, ReaderDied, TooLarge, UnreadableFile
from pipelines.intake import Reader

GOOD = "站点编码,站点名称,监测时间,PM2.5(μg/m3)\n1414A,缙云山,2026-04-01 00:00,35\n"
ROOT = Path(__file__).resolve().parents[3]
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
REFUSED_BY_READING = {
    "enc_gbk_truncated.csv": "truncated",
    "enc_lone_surrogate.csv": "bad-text",
    "enc_empty.csv": "empty",
    "enc_blank_lines.csv": "no-rows",
    "csv_nul.csv": "nul",
    "xls_xxe.xlsx": "hostile-workbook",
    "xls_xxe_props.xlsx": "hostile-workbook",
    "upl_polyglot.xlsx": "file-type",
    "sto_truncated.parquet": "file-type",
    "sto_huge_metadata.parquet": "file-type",
}
BROKEN_ROWS = {"csv_fullwidth_comma.csv": [4, 8], "csv_all_rows_extra_field.csv": list(range(2, 26))}
# the row count of these includes titles, a template's notes, or no header at all
MORE_ROWS = {"csv_title_rows.csv": 3, "csv_no_header.csv": -1, "xls_old_template.xlsx": 1}


@pytest.fixture
def reader():
    with Reader(ReadLimits()) as one:
        yield one


@pytest.fixture
def take(reader, tmp_path):
    """Write bytes under a name and read them."""

    def read(content: bytes, name: str = "data.csv") -> RawBatch:
        path = tmp_path / "upload"
        path.write_bytes(content)
        return reader.read(path, name, tmp_path / "scratch")

    return read


def workbook(path: Path, rows) -> Path:
    """Write a minimal workbook whose sheet is the given pieces of XML."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("[Content_Types].xml", "<Types/>")
        out.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}">'
            f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        out.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns:r="{RELATIONS}"><sheets><sheet name="数据" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        out.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{PACKAGE}">'
            f'<Relationship Id="rId1" Type="{RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        with out.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(SHEET.encode())
            for piece in rows:
                sheet.write(piece)
            sheet.write(b"</sheetData></worksheet>")
    return path


def test_a_file_becomes_a_grid_of_text_as_written(take):
    batch = take(GOOD.encode())
    sheet = batch.sheets[0]
    assert (batch.kind, batch.encoding, batch.file) == ("csv", "UTF-8", "data.csv")
    assert [column.to_pylist() for column in sheet.cells.columns] == [
        ["站点编码", "1414A"],
        ["站点名称", "缙云山"],
        ["监测时间", "2026-04-01 00:00"],
        ["PM2.5(μg/m3)", "35"],
    ]
    assert sheet.rows.tolist() == [1, 2]
    assert {str(column.type) for column in sheet.cells.columns} == {
        "dictionary<values=string, indices=int32, ordered=0>"
    }
    assert batch.sha256 == "".join(f"{byte:02x}" for byte in __import__("hashlib").sha256(GOOD.encode()).digest())


@pytest.mark.slow
def test_every_bad_file_is_refused_or_read_in_time_and_memory_and_the_good_one_after_is_read(shared, tmp_path):
    folder = shared / "badfiles"
    with (folder / "manifest.csv").open(encoding="utf-8") as stream:
        manifest = {row["file"]: row for row in csv.DictReader(stream)}
    good = tmp_path / "good.csv"
    good.write_text(GOOD, encoding="utf-8")
    script = (
        "import json, resource, sys, time\n"
        "from pathlib import Path\n"
        "from pipelines.batch import ReadLimits\n"
        "from pipelines.errors import RoadError\n"
        "from pipelines.intake import Reader\n"
        "with Reader(ReadLimits(), keep_warm=True) as reader:\n"
        "    for i, path in enumerate(map(Path, sys.stdin.read().splitlines())):\n"
        "        begun = time.monotonic()\n"
        "        try:\n"
        "            batch = reader.read(path, path.name, Path(sys.argv[1]) / str(i))\n"
        "            first = batch.sheets[0]\n"
        "            said = {'rows': sum(s.cells.num_rows for s in batch.sheets),\n"
        "                    'broken': [line.row for line in first.broken]}\n"
        "        except RoadError as error:\n"
        "            said = {'code': error.code, 'message': error.message}\n"
        "        said |= {'name': path.name, 'seconds': time.monotonic() - begun,\n"
        "                 'peak': resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}\n"
        "        print(json.dumps(said))\n"
    )
    paths = []
    for name in manifest:
        paths += [folder / name, good] if name in REFUSED_BY_READING else [folder / name]
    paths.append(good)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        input="\n".join(map(str, paths)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["name"] for answer in answers] == [path.name for path in paths]
    for answer in answers:
        name = answer["name"]
        if name == good.name:
            assert answer["rows"] == 2
            continue
        assert answer["seconds"] < 10 and answer["peak"] < 512 * 1024, name
        if name in REFUSED_BY_READING:
            assert answer.get("code") == REFUSED_BY_READING[name], answer
            assert any("一" <= character <= "鿿" for character in answer["message"])
            assert manifest[name]["disposition"] in ("reject_file", "reject_rows"), name
        else:
            expected = int(manifest[name]["data_rows"]) + 1 + MORE_ROWS.get(name, 0)
            assert answer["broken"] == BROKEN_ROWS.get(name, []), name
            assert answer["rows"] + len(answer["broken"]) == expected, name


def test_every_published_file_is_read_or_refused_for_its_type(shared, reader, tmp_path):
    files = [
        path
        for room in ("air", "water", "soil", "credit")
        for path in sorted((shared / "data" / room).rglob("*"))
        if path.is_file() and path.suffix != ".md"
    ]
    assert len(files) > 40
    for i, path in enumerate(files):
        if path.suffix in (".rda", ".html"):
            with pytest.raises(UnreadableFile) as refusal:
                reader.read(path, path.name, tmp_path / str(i))
            assert refusal.value.code == "file-type"
        else:
            assert reader.read(path, path.name, tmp_path / str(i)).sheets[0].cells.num_rows > 1, path.name


def test_a_workbook_of_450_mb_is_stopped_while_it_inflates(reader, tmp_path):
    row = b'<row r="1"><c r="A1" t="inlineStr"><is><t>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</t></is></c></row>'
    path = workbook(tmp_path / "bomb.xlsx", (row * 10_000 for _ in range(450)))
    assert path.stat().st_size < 3 * 2**20
    with pytest.raises(TooLarge) as refusal:
        reader.read(path, "bomb.xlsx", tmp_path / "scratch")
    assert refusal.value.code == "inflated"


def test_a_cell_at_the_far_corner_is_refused_and_a_far_format_is_not(reader, tmp_path):
    first = b'<row r="1"><c r="A1" t="str"><v>a</v></c></row>'
    corner = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    path = workbook(tmp_path / "corner.xlsx", [first, corner])
    with pytest.raises(TooLarge, match="表格范围过大"):
        reader.read(path, "corner.xlsx", tmp_path / "a")
    path = workbook(tmp_path / "format.xlsx", [first, b'<row r="1048576"><c r="XFD1048576" s="0"/></row>'])
    assert reader.read(path, "format.xlsx", tmp_path / "b").sheets[0].cells.shape == (1, 1)


def test_a_far_cell_is_refused_however_its_address_is_written(reader, tmp_path):
    for i, cell in enumerate(
        (b"<c r='XFD1048576'>", b'<c  r = "XFD1048576" >', b'<c\nr="XFD1048576">', b'<c s="0"\tr="XFD9">')
    ):
        path = workbook(tmp_path / "far.xlsx", [b'<row r="1"><c r="A1"><v>1</v></c>' + cell + b"<v>1</v></c></row>"])
        with pytest.raises(TooLarge):
            reader.read(path, "far.xlsx", tmp_path / str(i))


def test_ten_million_rows_are_refused(take):
    with pytest.raises(TooLarge) as refusal:
        take(b"1414A,1,2\n" * 10_000_000)
    assert refusal.value.code == "too-many-rows"


def test_ten_million_rows_with_quotation_marks_are_refused(take):
    with pytest.raises(TooLarge) as refusal:
        take(b'"1414A",1\n' * 10_000_000)
    assert refusal.value.code == "too-many-rows"


def test_a_gzip_is_refused_by_its_real_type(take):
    with pytest.raises(UnreadableFile, match="gzip"):
        take(b"\x1f\x8b\x08\x00", "rows.csv")


def test_a_million_columns_are_refused(take):
    with pytest.raises(TooLarge, match="512 列") as refusal:
        take(b",".join(b"c%d" % i for i in range(1_000_000)) + b"\n")
    assert refusal.value.code == "too-many-columns"


def test_six_hundred_columns_are_refused(take):
    with pytest.raises(TooLarge, match="600 列"):
        take(b",".join(b"c%d" % i for i in range(600)) + b"\n" + b"1," * 599 + b"1\n")


def test_a_line_of_60_mb_is_refused(take):
    with pytest.raises(TooLarge) as refusal:
        take(b"x" * 60_000_000)
    assert refusal.value.code == "line-too-long"


def test_a_file_beyond_the_size_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.csv"
    path.write_bytes(b"a,b\n" * 1000)
    with Reader(ReadLimits(file_bytes=2000)) as reader, pytest.raises(TooLarge, match="上限"):
        reader.read(path, "big.csv", tmp_path / "scratch")


def test_a_child_over_its_time_is_ended(tmp_path):
    path = tmp_path / "slow.csv"
    path.write_text(GOOD, encoding="utf-8")
    with Reader(ReadLimits(seconds=0.02)) as reader, pytest.raises(ReaderDied, match="文件无法解析") as refusal:
        reader.read(path, "slow.csv", tmp_path / "scratch")
    assert refusal.value.code == "reading-time"


def test_a_child_over_its_memory_ends_alone(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_bytes(b"".join(b"%d,%d,%d\n" % (i, i * 7, i * 13) for i in range(1_500_000)))
    with Reader(ReadLimits(memory_bytes=330 * 2**20)) as reader:
        with pytest.raises(IntakeError) as refusal:
            reader.read(path, "wide.csv", tmp_path / "a")
        assert refusal.value.code in ("memory", "reader-died")
        good = tmp_path / "good.csv"
        good.write_text(GOOD, encoding="utf-8")
        assert reader.read(good, "good.csv", tmp_path / "b").sheets[0].cells.num_rows == 2


def test_a_standby_that_was_killed_is_replaced(tmp_path):
    path = tmp_path / "good.csv"
    path.write_text(GOOD, encoding="utf-8")
    with Reader(ReadLimits(), keep_warm=True) as reader:
        reader.start()
        for i in range(3):
            assert reader._standby is not None
            os.kill(reader._standby.pid, signal.SIGKILL)
            assert reader.read(path, "good.csv", tmp_path / str(i)).sheets[0].cells.num_rows == 2


def readers_of_this_process() -> set[str]:
    found = set()
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        line = Path(f"/proc/{child}/cmdline")
        if line.exists() and b"pipelines.intake.child" in line.read_bytes():
            found.add(child)
    return found


def test_twenty_bad_files_leave_no_child_behind(tmp_path, take):
    before = readers_of_this_process()  # other tests of this worker may keep one warm
    for i in range(20):
        with pytest.raises(IntakeError):
            take(b"PK\x03\x04" + bytes([i]) * 100, "bad.xlsx")
    assert take(GOOD.encode()).sheets[0].cells.num_rows == 2
    assert readers_of_this_process() <= before


def test_the_child_sees_no_environment_and_no_network():
    listener = socket.create_server(("127.0.0.1", 0))
    script = (
        "import socket, sys\n"
        "from pipelines.intake.child import leave_network\n"
        "left = leave_network()\n"
        "try:\n"
        f"    socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 2)\n"
        "    print(left, True)\n"
        "except OSError:\n"
        "    print(left, False)\n"
    )
    with listener:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    left, reached = done.stdout.split()
    if left == "False":
        pytest.skip("this kernel gives no network namespace")
    assert reached == "False"
    with Reader(ReadLimits()) as reader:
        reader.start()
        assert reader._standby is not None
        environment = Path(f"/proc/{reader._standby.pid}/environ").read_bytes()
    names = {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry}
    assert names <= {
        b"PATH", b"LANG", b"PYTHONPATH", b"PYTHONDONTWRITEBYTECODE", b"ARROW_DEFAULT_MEMORY_POOL",
        b"ARROW_IO_THREADS", b"OMP_NUM_THREADS", b"OPENBLAS_NUM_THREADS", b"MALLOC_ARENA_MAX",
    }  # fmt: skip


def test_the_parent_imports_neither_pandas_nor_pyarrow_nor_calamine():
    script = "import sys, pipelines.intake; print({'pandas', 'pyarrow', 'numpy', 'python_calamine'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"

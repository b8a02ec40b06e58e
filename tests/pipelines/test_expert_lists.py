from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.batch import Places
from pipelines.memory_scratch import PREFIX, SHARED_MEMORY, empty, memory_scratch, sweep
from pipelines.sync import Road, read_experts
from schemas.identifiers import identity_check

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HEADER = "姓名,证件号码,工作单位,单位统一社会信用代码,专业领域,职称,手机号,证书有效期至"
NUMBER = "99999919000101001" + identity_check("99999919000101001")
PHONE = "13800000001"
ROW = f"张 样例,{NUMBER},示例大学,12500109MAYY002108,危废、源解析,教授,１３８００００ ０００１,2028年12月31日"


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with Road(Places(home, "", str(home / "tables")), lambda: NOW) as opened:
        yield opened


@pytest.fixture
def read(road, tmp_path):
    """Read one list of some lines."""

    def go(*lines: str, header: str = HEADER):
        path = tmp_path / "名单.csv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        [(outcome, rows)] = read_experts(road, path, "beibei")
        return outcome, rows

    return go


def test_an_accepted_list_gives_its_rows_folded_with_the_numbers(read):
    outcome, [row] = read(ROW)
    assert outcome.state == "accepted" and outcome.rows["clean"] == 1
    assert (row.row, row.name, row.identity, row.phone) == (2, "张 样例", NUMBER, PHONE)
    assert (row.employer, row.employer_uscc, row.specialty) == ("示例大学", "12500109MAYY002108", "危废、源解析")
    assert (row.title, row.certificate_until, row.remark) == ("教授", date(2028, 12, 31), "")


def test_neither_outcome_nor_row_shows_a_number(read):
    outcome, rows = read(ROW)
    told = f"{outcome.as_json()} {outcome!r} {rows!r}"
    assert NUMBER not in told and PHONE not in told and "张 样例" not in told and "示例大学" not in told


WRONG = NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (ROW.replace(NUMBER, WRONG), "EXPERT-006"),
        (ROW + ",多,余", "EXPERT-001"),
        (ROW.replace("2028年12月31日", WRONG), "EXPERT-012"),
        (ROW.replace("2028年12月31日", PHONE), "EXPERT-012"),
    ],
)
def test_a_refused_list_gives_no_row_and_its_findings_no_number(read, line, rule):
    outcome, rows = read(
        line, ROW.replace("张", "李").replace(NUMBER, "99999919000101002" + identity_check("99999919000101002"))
    )
    assert (outcome.state, rows) == ("refused", ())
    assert rule in {finding["rule"] for finding in outcome.findings}
    told = str(outcome.as_json())
    assert not any(number in told for number in (NUMBER, WRONG, PHONE, "13800000001", "00010001"))


def test_a_number_in_the_column_of_employers_codes_goes_on_as_a_mask(read):
    living = "11010119000307" + "803"
    living += identity_check(living)
    _, [row] = read(ROW.replace("12500109MAYY002108", living))
    assert "*" in row.employer_uscc and living not in repr(row)


def test_another_dataset_is_no_expert_list(read):
    outcome, rows = read("a,b", header="站点,时间")
    assert outcome.state == "refused" and rows == () and outcome.error is not None


def test_each_list_of_a_zip_is_read(road, tmp_path):
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", f"{HEADER}\n{ROW}\n")
        archive.writestr("b.csv", f"{HEADER}\n{ROW.replace(NUMBER, WRONG)}\n")
    found = [(outcome.file, outcome.state, len(rows)) for outcome, rows in read_experts(road, path, "beibei")]
    assert found == [("a.csv", "accepted", 1), ("b.csv", "refused", 0)]


def test_nothing_of_a_list_is_left_in_the_home(road, read):
    read(ROW)
    kept = b"".join(path.read_bytes() for path in road.places.home.rglob("*") if path.is_file())
    assert NUMBER.encode() not in kept and PHONE.encode() not in kept and "样例".encode() not in kept


def test_a_scratch_folder_is_in_memory_and_goes_with_its_walk(tmp_path):
    with memory_scratch(10, tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.parent == (SHARED_MEMORY if SHARED_MEMORY.is_dir() else tmp_path)
        (folder / "cells").write_text("x")
    assert not folder.exists()


def test_without_room_in_memory_the_home_is_used(tmp_path):
    with memory_scratch(2**60, tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "cells").write_text("x")
        empty(folder)
        assert list(folder.iterdir()) == []


def test_a_folder_whose_walk_was_killed_is_swept_and_a_living_one_is_not(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom pipelines.memory_scratch import memory_scratch\n"
        "place = Path(sys.argv[1])\n"
        "with memory_scratch(1, place, place) as folder:\n    (folder / 'cells').write_text('x')\n    os._exit(9)\n"
    )
    here = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=here, check=False)
    assert ended.returncode == 9
    [left] = tmp_path.glob(f"{PREFIX}*")
    assert os.listdir(left) == ["cells"]
    with memory_scratch(1, tmp_path, tmp_path) as folder:
        assert not left.exists() and sweep(tmp_path) == 0 and folder.exists()

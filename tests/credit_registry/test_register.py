"""The register: built from the shared tables, switched whole, asked as of any instant."""

from __future__ import annotations

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from made_credit import FIRM, HOUR, OTHER, T0, made_code, name, penalty, publish, rating

from credit_registry.dossier import Borne, names_of
from credit_registry.errors import DamagedRegister, DamagedTable, NoRegister
from credit_registry.register import Register, SourceState, current
from credit_registry.search import Finder
from credit_registry.store import _bearers, build, outdated
from records.credit import Message

TICK = timedelta(microseconds=1)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "tables"


@pytest.fixture
def built(tmp_path, root):
    """Build the register of what was published and open it."""
    opened = []

    def make(at: datetime = T0 + 24 * HOUR) -> Register:
        build(root, tmp_path / "credit", at)
        opened.append(Register.open(tmp_path / "credit"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


# -- what a dossier holds ----------------------------------------------------------------------------------------------


def test_a_rating_comes_back_with_every_column_in_its_type(root, built):
    publish(
        root,
        [rating(score=88.5, site="二号厂", veto="无证排污", colour="蓝", county="北碚区", valid_until="2027-06-30")],
    )
    (one,) = built().dossier(FIRM).ratings
    assert (one.bureau, one.uscc, one.uscc_status, one.subject) == ("beibei", FIRM, "valid", FIRM)
    assert (one.scheme, one.tier, one.rated_year, one.level_code, one.score) == ("CQ-2021", "district", 2025, "B", 88.5)
    assert (one.published_date, one.valid_until) == (date(2026, 6, 30), date(2027, 6, 30))
    assert (one.recorded_from, one.recorded_until, one.batch_id, one.source_row) == (T0, None, "b1", 2)
    assert one.key == "CQ-2021|重庆市北碚区生态环境局|district|2025|二号厂"
    assert (one.veto, one.colour, one.county, one.remark) == ("无证排污", "蓝", "北碚区", "")


def test_a_penalty_comes_back_with_every_column_in_its_type(root, built):
    publish(
        root, [penalty("璧环罚〔2025〕27号", fine_yuan=50000, act_date="2025-08-01"), penalty("璧环改〔2025〕24号")]
    )
    fined, ordered = sorted(built().dossier(FIRM).penalties, key=lambda one: one.fine_yuan is None)
    assert (fined.fine_yuan, fined.act_date, fined.decision_date) == (50000.0, date(2025, 8, 1), date(2025, 10, 31))
    assert (ordered.fine_yuan, ordered.act_date, ordered.key) == (None, None, "璧环改〔2025〕24号")
    assert fined.name == "重庆钰普科技有限公司" and fined.recorded_from == T0


def test_ratings_run_from_the_newest_year_and_penalties_from_the_newest_decision(root, built):
    publish(root, [rating(year=year) for year in (2021, 2025, 2023)])
    days = {"甲": "2024-01-05", "乙": "2026-01-05", "丙": None}
    publish(root, [penalty(number, decision_date=day) for number, day in days.items()])
    dossier = built().dossier(FIRM)
    assert [one.rated_year for one in dossier.ratings] == [2025, 2023, 2021]
    assert [one.decision_number for one in dossier.penalties] == ["乙", "甲", "丙"]


def test_both_senders_of_one_enterprise_stand_side_by_side(root, built):
    publish(root, [rating()])
    publish(root, [rating(bureau="mianyang", scheme="SC-2019", issuer="四川省生态环境厅", tier="province")], "b2", 1)
    assert {one.bureau for one in built().dossier(FIRM).ratings} == {"beibei", "mianyang"}


@pytest.mark.parametrize("typed", [FIRM, FIRM.lower(), f" {FIRM} ", FIRM + "001Q", "统一社会信用代码:" + FIRM])
def test_a_code_is_found_however_it_is_typed(root, built, typed):
    publish(root, [rating(), rating(OTHER, name="三雷(重庆)汽车零部件有限公司")])
    dossier = built().dossier(typed)
    assert (dossier.uscc, dossier.subject, len(dossier.ratings)) == (FIRM, FIRM, 1)


def test_an_enterprise_without_a_code_is_held_under_its_name_and_never_under_anothers_code(root, built):
    publish(root, [rating("", name="福州玉龙建材有限公司"), rating(name="福州玉龙建材有限公司")])
    register = built()
    nameless = register.dossier("福州玉龙建材有限公司")
    assert (nameless.uscc, nameless.subject, len(nameless.ratings)) == ("", "福州玉龙建材有限公司", 1)
    assert [one.uscc for one in register.dossier(FIRM).ratings] == [FIRM]
    assert register.namesakes("福州玉龙建材有限公司") == ["福州玉龙建材有限公司"]
    assert register.namesakes("重庆钰普科技有限公司") == []


def test_what_nobody_sent_anything_on_has_no_dossier(root, built):
    publish(root, [rating()])
    assert built().dossier(OTHER) is None and built().dossier("没有这家公司") is None


def test_an_enterprise_known_by_name_only_has_a_dossier_without_ratings(root, built):
    publish(root, [name(OTHER, "三雷(重庆)汽车零部件有限公司")])
    dossier = built().dossier(OTHER)
    assert (dossier.ratings, dossier.penalties, dossier.names[0].name) == ((), (), "三雷(重庆)汽车零部件有限公司")


def test_a_dossier_holds_the_messages_of_its_subject_told_by_then(root, built):
    publish(root, [rating()])
    told = Message("m-1", "objection", "beibei", FIRM, "rating", "k", date(2026, 4, 1), "因", "", "王某", T0 + HOUR)
    heard = [replace(told, message_id="m-2", made_at=T0 + 2 * HOUR), told, replace(told, uscc=OTHER)]
    register = built()
    assert [m.message_id for m in register.dossier(FIRM, messages=heard).messages] == ["m-1", "m-2"]
    assert [m.message_id for m in register.dossier(FIRM, T0 + HOUR, heard).messages] == ["m-1"]
    assert register.dossier(FIRM, T0 + HOUR - TICK, heard).messages == ()


def test_the_register_lists_all_subjects_with_a_current_record(root, built):
    publish(root, [rating(), rating("", name="福州玉龙建材有限公司")])
    publish(root, [penalty("甲", OTHER)])
    publish(root, [name(made_code(1), "只有名称的公司")])
    assert list(built().subjects()) == sorted([FIRM, OTHER, "福州玉龙建材有限公司"])


# -- the two ends of record time ---------------------------------------------------------------------------------------


def test_a_correction_is_seen_from_its_instant_on_and_the_old_row_before(root, built):
    publish(root, [rating(level_code="B")])
    publish(root, [rating(level_code="D")], "b2", 5)
    register = built()

    def level(known: datetime | None) -> list[str]:
        dossier = register.dossier(FIRM, known)
        return [one.level_code for one in dossier.ratings] if dossier else []

    corrected = T0 + 5 * HOUR
    assert level(T0 - TICK) == []
    assert level(T0) == level(corrected - TICK) == ["B"]
    assert level(corrected) == level(None) == ["D"]


def test_a_dossier_says_as_of_when_it_is(root, built):
    publish(root, [rating()])
    register = built(T0 + 7 * HOUR)
    assert register.dossier(FIRM).known == register.made_at == T0 + 7 * HOUR
    assert register.dossier(FIRM, T0 + HOUR).known == T0 + HOUR


def test_ten_years_are_looked_up_by_the_index_alone(root, built):
    publish(root, [rating(made_code(firm), 2016 + year) for firm in range(50) for year in range(10)])
    publish(root, [penalty("甲", made_code(3))])
    register = built()
    assert len(register.dossier(made_code(3), T0).ratings) == 10
    with closing(sqlite3.connect(register.folder / "register.db")) as file:
        for table in ("rating", "penalty", "name"):
            plan = file.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE subject = ?", (FIRM,)).fetchall()
            assert [row[3] for row in plan] == [f"SEARCH {table} USING INDEX {table}_subject (subject=?)"]


# -- names -------------------------------------------------------------------------------------------------------------


def told(written: str, since: str = "", seen: str = "", recorded: datetime = T0) -> Borne:
    days = [date.fromisoformat(day) if day else None for day in (since, seen)]
    return Borne(written, *days, "beibei", "test", recorded)


def test_a_name_ends_the_day_before_the_next_one_begins():
    names = names_of([told("旧厂", "2010-05-01"), told("新公司", "2020-07-01"), told("中公司", "2015-01-01")])
    assert [(n.name, n.since, n.until) for n in names] == [
        ("新公司", date(2020, 7, 1), None),
        ("中公司", date(2015, 1, 1), date(2020, 6, 30)),
        ("旧厂", date(2010, 5, 1), date(2014, 12, 31)),
    ]


def test_a_decision_under_the_old_name_does_not_bring_it_back():
    names = names_of([told("旧厂", seen="2019-03-01"), told("旧厂", seen="2022-03-01"), told("新公司", "2020-07-01")])
    assert [(n.name, n.until) for n in names] == [("新公司", None), ("旧厂", date(2020, 6, 30))]


def test_without_days_the_name_seen_last_is_the_current_one_and_one_typing_error_is_not():
    signs = [told("甲公司", seen="2018-01-01"), told("甲公词", seen="2020-01-01"), told("甲公司", seen="2024-01-01")]
    assert [n.name for n in names_of(signs)] == ["甲公司", "甲公词"]
    assert names_of(signs)[0].since is None


def test_with_nothing_to_tell_by_the_name_recorded_last_is_the_current_one():
    assert [n.name for n in names_of([told("甲", recorded=T0 + HOUR), told("乙"), told("丙")])] == ["甲", "乙", "丙"]


def test_the_names_of_a_dossier_come_from_all_three_tables(root, built):
    publish(root, [rating(year=2016, name="璧山县钰普厂")])
    publish(root, [penalty("甲", name="重庆钰普科技有限公司", decision_date="2025-10-31")])
    publish(root, [name(FIRM, "重庆钰普科技有限公司"), name(FIRM, "璧山县钰普厂")])
    names = built().dossier(FIRM).names
    assert [one.name for one in names] == ["重庆钰普科技有限公司", "璧山县钰普厂"]


def test_a_name_is_known_only_from_its_record_time_on(root, built):
    publish(root, [name(FIRM, "璧山县钰普厂")])
    publish(root, [name(FIRM, "重庆钰普科技有限公司", "2020-01-01")], "b2", 3)
    register = built()
    assert [one.name for one in register.dossier(FIRM, T0 + HOUR).names] == ["璧山县钰普厂"]
    assert register.dossier(FIRM).names[0].name == "重庆钰普科技有限公司"


def test_the_index_gets_each_name_once_and_knows_the_former_ones(root, built):
    publish(root, [rating(year=2016, name="璧山县钰普厂"), rating(year=2024), rating("", name="福州玉龙建材有限公司")])
    publish(root, [name(FIRM, "璧山县钰普厂"), name(FIRM, "重庆钰普科技有限公司")])
    with closing(sqlite3.connect(built().folder / "register.db")) as file:
        found = file.execute("SELECT uscc, name, former, division FROM search_name ORDER BY uscc, former").fetchall()
    assert found == [
        ("", "福州玉龙建材有限公司", 0, None),
        (FIRM, "重庆钰普科技有限公司", 0, None),  # its division stands in the code
        (FIRM, "璧山县钰普厂", 1, None),
    ]


def test_a_name_that_stands_only_on_a_closed_row_stays_searchable_as_a_former_one(root, tmp_path, built):
    publish(root, [rating(name="璧山县钰普厂"), rating(OTHER, name="重庆旧名化工厂")])
    publish(root, [rating(name="重庆钰普科技有限公司"), rating(OTHER, name="重庆新名化工有限公司")], "b2", 3)
    publish(root, [name(OTHER, "重庆中间化工厂")], "b3", 4)
    register = built()
    assert [one.name for one in register.dossier(FIRM).names] == ["重庆钰普科技有限公司"], "closed: not in the answer"
    finder = Finder(register.folder)
    hits = [finder.find(text)[0] for text in ("璧山县钰普厂", "重庆旧名化工厂", "重庆钰普科技有限公司")]
    finder.close()
    assert [(hit.uscc, hit.matched_field, hit.current_name) for hit in hits] == [
        (FIRM, "former_name", "重庆钰普科技有限公司"),
        (OTHER, "former_name", "重庆新名化工有限公司"),
        (FIRM, "name", "重庆钰普科技有限公司"),
    ]


def test_an_enterprise_all_whose_rows_were_closed_is_not_found(root, built):
    publish(root, [rating("", name="福州玉龙建材有限公司")])
    publish(root, [rating("", name="福州玉龙建材有限公司", flag=1, state="draft")], "b2", 1)
    register = built()
    with closing(sqlite3.connect(register.folder / "register.db")) as file:
        file.execute("UPDATE rating SET recorded_until = recorded_from + 1")
        assert list(_bearers(file)) == []
        file.rollback()
        assert [one[2:4] for one in _bearers(file)] == [("福州玉龙建材有限公司", False)]


# -- sources -----------------------------------------------------------------------------------------------------------


def test_sources_tell_what_each_bureau_has_now_and_when_it_last_changed(root, built):
    publish(root, [rating(), rating(OTHER)])
    publish(root, [rating(level_code="D")], "b2", 5)
    publish(root, [penalty("甲", bureau="mianyang")], "b3", 2)
    assert built().sources() == [
        SourceState("beibei", "credit_rating", T0 + 5 * HOUR, 2),
        SourceState("mianyang", "penalty_decision", T0 + 2 * HOUR, 1),
    ]


# -- building and switching --------------------------------------------------------------------------------------------


def test_before_the_first_build_there_is_no_register(tmp_path):
    with pytest.raises(NoRegister):
        Register.open(tmp_path / "credit")


def test_an_exchange_that_published_nothing_has_an_empty_register(built):
    register = built()
    assert register.sources() == [] and register.dossier(FIRM) is None and register.version.startswith("r-.p-.n-.")


def test_a_build_of_the_same_tables_is_skipped_and_after_a_publication_it_is_not(tmp_path, root, built):
    publish(root, [rating()])
    folder = tmp_path / "credit"
    assert outdated(root, folder)
    first = built()
    assert not outdated(root, folder) and build(root, folder, T0 + 30 * HOUR) == first.folder
    publish(root, [rating(year=2026)], "b2", 1)
    assert outdated(root, folder)
    second = built()
    assert second.folder != first.folder and second.version != first.version
    assert build(root, folder, T0 + 31 * HOUR, force=True) != second.folder


def test_tables_built_anew_at_the_same_versions_are_noticed(tmp_path, root, built):
    publish(root, [rating()])
    before = built()
    root.rename(tmp_path / "before")
    publish(root, [rating(level_code="D")])
    assert outdated(root, tmp_path / "credit")
    after = built()
    assert after.version != before.version and after.version.startswith("r1.p-.n-.")
    assert [one.level_code for one in after.dossier(FIRM).ratings] == ["D"]


def test_who_reads_keeps_the_old_register_while_the_new_one_takes_its_place(tmp_path, root, built):
    publish(root, [rating(level_code="B")])
    old = built()
    for n in range(1, 4):
        publish(root, [rating(level_code="CD"[n % 2])], f"b-{n}", n)
        new = built()
    assert [one.level_code for one in old.dossier(FIRM).ratings] == ["B"]
    assert [one.level_code for one in new.dossier(FIRM).ratings] == ["D"]
    folders = [path for path in (tmp_path / "credit").iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(folders) == 2 and new.folder in folders, "the one in use and the one before"
    assert not Path((tmp_path / "credit" / "current").readlink()).is_absolute()


def test_a_home_can_be_moved(tmp_path, root, built):
    publish(root, [rating()])
    built()
    (tmp_path / "credit").rename(tmp_path / "moved")
    with Register.open(tmp_path / "moved") as register:
        assert register.dossier(FIRM) is not None


def test_a_damaged_table_leaves_the_register_in_use(tmp_path, root, built):
    publish(root, [rating()])
    good = built()
    publish(root, [rating(year=2026)], "b2", 1)
    newest = max(root.glob("credit_rating/*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    newest.write_bytes(newest.read_bytes()[:200])
    with pytest.raises(DamagedTable, match="credit_rating"):
        build(root, tmp_path / "credit", T0 + 30 * HOUR)
    assert current(tmp_path / "credit") == good.folder
    left = {path.name for path in (tmp_path / "credit").iterdir()}
    assert left == {".lock", "current", good.folder.name}


def test_what_a_killed_build_left_goes_with_the_next(tmp_path, root, built):
    publish(root, [rating()])
    half = tmp_path / "credit" / "20260401T000000Z-dead00"
    half.mkdir(parents=True)
    (half / "register.db").write_bytes(b"half")
    (tmp_path / "credit" / ".current.part").symlink_to(half.name)
    register = built()
    assert not half.exists() and current(tmp_path / "credit") == register.folder


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_damaged_register_is_told_and_built_anew(tmp_path, root, built, content):
    publish(root, [rating()])
    (built().folder / "register.db").write_bytes(content)
    with pytest.raises(DamagedRegister):
        Register.open(tmp_path / "credit")
    assert built().dossier(FIRM) is not None


def test_a_register_of_another_edition_is_not_read_but_built_anew(tmp_path, root, built):
    publish(root, [rating()])
    with closing(sqlite3.connect(built().folder / "register.db")) as file:
        file.execute("""UPDATE meta SET value = json_set(value, '$.register', 0) WHERE key = 'editions'""")
        file.commit()
    with pytest.raises(DamagedRegister):
        Register.open(tmp_path / "credit")
    assert outdated(root, tmp_path / "credit") and built().dossier(FIRM) is not None


def _build(root: Path, folder: Path) -> str:
    return build(root, folder, datetime(2026, 4, 2, tzinfo=UTC)).name


def test_builders_at_the_same_time_make_one_register(tmp_path, root):
    publish(root, [rating(made_code(n)) for n in range(200)])
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = pool.starmap(_build, [(root, tmp_path / "credit")] * 3)
    assert len(set(made)) == 1
    assert {path.name for path in (tmp_path / "credit").iterdir()} == {".lock", "current", made[0]}


def test_the_register_cannot_be_written_and_any_thread_may_ask(root, built):
    publish(root, [rating(made_code(n)) for n in range(40)])
    register = built()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        register._connection.execute("DELETE FROM rating")
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda n: register.dossier(made_code(n % 40)).subject, range(400)))
    assert found == [made_code(n % 40) for n in range(400)]

"""The facts: complete against the reference papers, and refused by file, line and reason where malformed."""

from __future__ import annotations

import csv
import datetime as dt
import doctest
import importlib
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas.files import SCHEMAS, MalformedFact
from schemas.loaders import (
    aqi_breakpoints,
    aqi_levels,
    bureaus,
    catalogue_hash,
    conversion,
    find_level,
    find_parameter,
    find_scheme,
    find_unit,
    flags,
    limit_editions,
    limits,
    nearest,
    parameter_by_hj_code,
    parameters,
    provisions,
    qualifiers,
    rating_schemes,
    regions,
    scheme_in_force,
    standards,
    stations,
    tables,
    units,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the facts that may be spoilt."""
    copy = tmp_path / "schemas"
    for folder in ("vocabularies", "standards", "bureaus", "tables"):
        shutil.copytree(SCHEMAS / folder, copy / folder)
    return copy


def reference(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "reference" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- parameters and units -------------------------------------------------------------------------------------------


def test_every_parameter_of_the_reference_is_here_unchanged(shared: Path) -> None:
    rows = reference(shared, "pollutant_codes.csv")
    known = parameters()
    assert len(rows) == 150
    assert {row["key"] for row in rows} <= {key for key, parameter in known.items() if not parameter.publisher}
    for row in rows:
        parameter = known[row["key"]]
        assert (parameter.name_zh, parameter.name_en) == (row["name_cn"], row["name_en"])
        assert (parameter.medium, parameter.unit) == (row["medium"], row["canonical_unit"])
        assert (parameter.cas, parameter.note) == (row["cas"], row["note"])
        assert (parameter.source, parameter.evidence) == (row["source"], row["evidence"])
        assert parameter.hj_unit == row["unit_in_hj212_2017"]
        assert parameter.plausible_min == (float(row["range_min"]) if row["range_min"] else None)
        assert parameter.plausible_max == (float(row["range_max"]) if row["range_max"] else None)
        assert parameter.detection_limit == (float(row["lod"]) if row["lod"] else None)
        assert set(filter(None, (a.strip() for a in row["aliases_cn"].split(";")))) <= set(parameter.aliases)
        assert {row["code_hj212_2017"], row["code_alt"].split(" ")[0]} - {""} == set(parameter.hj_codes)
        assert {row["code_hjt212_2005"]} - {""} == set(parameter.hj_codes_2005)


def test_every_factor_of_the_reference_is_here(shared: Path) -> None:
    for row in reference(shared, "pollutant_codes.csv"):
        parameter = parameters()[row["key"]]
        for part in filter(None, (p.strip() for p in row["other_units_factor_to_canonical"].split(";"))):
            name, equals, factor = part.partition("=")
            if not equals:
                assert part in ("K: minus 273.15", "倍: not convertible")
            elif name.endswith("(298.15 K)"):
                assert parameter.state_factors[name[:3]] == float(factor)
                assert parameter.state_temperature == 298.15
            else:
                assert parameter.factors[name] == float(factor)
                factor_here, offset = conversion(parameter, units()[name]) or (None, None)
                assert factor_here == pytest.approx(float(factor), rel=1e-5)
                assert offset == 0


def test_mixing_ratio_factors_follow_from_the_molar_mass() -> None:
    with_state = [parameter for parameter in parameters().values() if parameter.state_factors]
    assert len(with_state) == 12
    for parameter in with_state:
        assert parameter.molar_mass is not None
        to_ug = {"ug/m3": 1.0, "mg/m3": 1e-3}[parameter.unit]
        for unit, scale in (("ppb", 1.0), ("ppm", 1000.0)):
            if unit in parameter.state_factors:
                expected = parameter.molar_mass / 24.4654 * scale * to_ug
                assert parameter.state_factors[unit] == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize(
    ("medium", "text", "key"),
    [
        ("water", "镉", "Cd"),
        ("soil", "镉", "Cd_soil"),
        ("air", "镉", "Cd_air"),
        ("water", "pH", "pH"),
        ("soil", "pH", "pH_soil"),
        ("air", "PM₂.₅", "PM2.5"),
        ("air", "ｐｍ２．５", "PM2.5"),
        ("air", "细颗粒物（PM2.5）", "PM2.5"),
        ("air", "PM2.5(μg/m³)", "PM2.5"),
        ("air", "二氧化硫(SO2)(μg/m3)", "SO2"),
        ("water", "氨氮（以N计）", "NH3-N"),
        ("water", "氨 氮", "NH3-N"),
        ("water", "总磷(以P计)", "TP"),
        ("water", "叶绿素α", "Chla"),
        ("water", "苯并[a]芘(ug/L)", "BaP_w"),
        ("soil", "铬（六价）", "Cr6_soil"),
        ("soil", "铬(六价)(mg/kg)", "Cr6_soil"),
        ("soil", "铬", "Cr_soil"),
        ("air", "臭氧8小时", "O3_8h"),
        ("water", "氨氮(以NH4计)", None),
        ("water", "硝酸盐氮(以NO3计)", None),
        ("air", "臭氧(日最大8小时)", None),
        ("air", "氨氮", None),
        ("air", "AQI", None),
        ("water", "", None),
    ],
)
def test_a_name_is_resolved_within_its_medium(medium: str, text: str, key: str | None) -> None:
    found = find_parameter(medium, text)
    assert (found.parameter if found else None) == key


def test_what_a_publisher_derived_is_found_only_when_asked_for() -> None:
    found = find_parameter("air", "AQI", publisher=True)
    assert found is not None
    assert (found.parameter, found.publisher, found.unit) == ("pub:AQI", True, "1")
    assert find_parameter("water", "水质类别") is None
    assert parameters()["pub:water_class"].plausible_max == 6


@pytest.mark.parametrize(
    ("code", "medium", "key"),
    [
        ("a34004", None, "PM2.5"),
        ("W21003", None, "NH3-N"),
        ("060", "water", "NH3-N"),
        ("w20143", "water", "Cd"),
        ("w20115", "water", "Cd"),
        ("a05024", "air", "O3"),
        ("a34004", "water", None),
        ("z99999", None, None),
    ],
)
def test_a_transmission_code_names_a_parameter(code: str, medium: str | None, key: str | None) -> None:
    found = parameter_by_hj_code(code, medium)
    assert (found.parameter if found else None) == key


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("μg/m3", "ug/m3"),
        ("µg/m³", "ug/m3"),
        ("ug/㎥", "ug/m3"),
        ("（μg/m^3）", "ug/m3"),
        ("μg·m-3", "ug/m3"),
        ("μg/m?", "ug/m3"),
        ("毫克/升", "mg/L"),
        ("mg/l", "mg/L"),
        ("MG/L", "mg/L"),
        ("mg·kg-1", "mg/kg"),
        ("mg:kg-1", "mg/kg"),
        ("mg kg⁻¹", "mg/kg"),
        ("μS/cm", "uS/cm"),
        ("μs/cm", "uS/cm"),
        ("umho/cm", "uS/cm"),
        ("umho", "uS/cm"),
        ("℃", "degC"),
        ("°C", "degC"),
        ("％", "%"),
        ("无量纲", "-"),
        ("", "-"),
        ("-", "-"),
        ("个/L", "个/L"),
        ("MPN/100mL", "MPN/100mL"),
        ("dB(A)", "dB(A)"),
        ("furlong", None),
        ("ug/m4", None),
    ],
)
def test_a_unit_is_found_as_people_write_it(text: str, unit: str | None) -> None:
    found = find_unit(text)
    assert (found.unit if found else None) == unit


@pytest.mark.parametrize(
    ("parameter", "unit", "expected"),
    [
        ("CO", "ug/m3", (0.001, 0.0)),
        ("Cd_soil", "ng/g", (0.001, 0.0)),
        ("WaterTemp", "K", (1.0, -273.15)),
        ("FC", "MPN/100mL", (10.0, 0.0)),
        ("OM_soil", "%", (10.0, 0.0)),
        ("HCH_w", "mg/L", (1e6, 0.0)),
        ("NH3-N", "mg/L as NH4", (0.776484, 0.0)),
        ("SO2", "ppb", None),
        ("PM2.5", "个/L", None),
        ("Colour", "倍", None),
        ("PM2.5", "dB(A)", None),
        ("DO", "%", None),
    ],
)
def test_a_unit_converts_only_where_there_is_an_unconditional_way(
    parameter: str, unit: str, expected: tuple[float, float] | None
) -> None:
    assert conversion(parameters()[parameter], units()[unit]) == expected


def test_nearest_names_are_offered() -> None:
    names = [parameter.name_zh for parameter in parameters().values() if parameter.medium == "water"]
    assert nearest("高锰酸盐指标", names)[0] == "高锰酸盐指数"


def test_qualifiers_and_flags_are_ours_and_qartods() -> None:
    assert {code for code, qualifier in qualifiers().items() if qualifier.censored} == {"<", ">"}
    assert {"", "unreadable"} <= set(qualifiers())
    assert {code: flag.name for code, flag in flags().items()} == {
        1: "pass",
        2: "not evaluated",
        3: "suspect",
        4: "fail",
        9: "missing",
    }


# --- standards ------------------------------------------------------------------------------------------------------


def test_every_limit_of_the_reference_is_carried_over(shared: Path) -> None:
    air = Counter(row["edition"] for row in reference(shared, "air_quality_limits.csv"))
    counts = {edition: len(limits(edition)) for edition in limit_editions()}
    assert counts == {
        **air,
        "GB 3838-2002": len(reference(shared, "surface_water_limits.csv")),
        "GB 15618-2018": len(reference(shared, "soil_agricultural_limits.csv")),
        "GB 36600-2018": len(reference(shared, "soil_construction_limits.csv")),
    }
    assert counts["GB 3838-2002"] == 110
    for edition in ("HJ 633-2012", "HJ 633-2026"):
        rows = [row for row in reference(shared, "aqi_breakpoints.csv") if row["edition"] == edition]
        assert [str(p.breakpoint) if p.breakpoint is not None else "" for p in aqi_breakpoints(edition)] == [
            row["breakpoint"] for row in rows
        ]
        assert len(aqi_levels(edition)) == 6
    for topic, name in (
        ("air_validity", "air_validity_rules.csv"),
        ("aqi", "aqi_rules.csv"),
        ("surface_water", "surface_water_evaluation.csv"),
        ("soil", "soil_rules.csv"),
    ):
        assert [p.provision for p in provisions(topic)] == [row["rule_id"] for row in reference(shared, name)]
    assert list(standards()) == [row["standard"] for row in reference(shared, "standards_timeline.csv")]


def test_limits_keep_direction_range_and_digits() -> None:
    water = {(limit.item_zh, limit.water_body): limit for limit in limits("GB 3838-2002")}
    ph = water["pH值", "all"].bounds["class3"]
    assert (ph.low, ph.high) == (Decimal(6), Decimal(9))
    oxygen = water["溶解氧", "all"].bounds["class3"]
    assert (oxygen.low, oxygen.high) == (Decimal(5), None)
    mercury = next(limit for limit in limits("GB 3838-2002") if limit.parameter == "Hg")
    assert str(mercury.bounds["class1"].high) == "0.00005"
    assert water["水温", "all"].bounds == {}


def test_each_edition_of_the_air_limits_has_its_own_days() -> None:
    assert max(limit.until or dt.date.max for limit in limits("GB 3095-2012")) == dt.date(2026, 2, 28)
    assert min(limit.since for limit in limits("GB 3095-2026")) == dt.date(2026, 3, 1)
    final = [limit for limit in limits("GB 3095-2026") if limit.phase == "final"]
    assert {limit.since for limit in final} == {dt.date(2031, 1, 1)}


# --- ratings, regions, bureaus ---------------------------------------------------------------------------------------


def test_every_scheme_and_level_of_the_reference_is_here(shared: Path) -> None:
    rows = reference(shared, "credit_schemes.csv")
    assert {row["scheme_id"] for row in rows} == set(rating_schemes()) - {"X-AQ"}, "Anqing: of the published bands"
    levels = {
        (level.scheme, level.level_code): level for scheme in rating_schemes().values() for level in scheme.levels
    }
    mine = {key for key in levels if key[0] != "X-AQ"}
    assert mine == {(row["scheme_id"], row["level_code"]) for row in rows if row["level_code"]}
    for row in rows:
        scheme = rating_schemes()[row["scheme_id"]]
        assert (scheme.effective_from_note, scheme.effective_until_note) == (row["effective_from"], row["effective_to"])
        assert scheme.issued_on == row["issued_on"]
        for fact, written in (("issued_on", "issued_on"), ("effective_from", "effective_from")):
            assert (fact in scheme.unconfirmed) == (not row[written] or "?" in row[written]), (scheme.scheme, fact)
        assert ("effective_until" in scheme.unconfirmed) == ("?" in row["effective_to"])
        assert ("levels" in scheme.unconfirmed) == (not row["level_code"])
        assert ("first_rated_year" in scheme.unconfirmed) == ("our reading" in scheme.source)
        if row["level_code"]:
            level = levels[row["scheme_id"], row["level_code"]]
            assert level.score_min == (float(row["score_min_incl"]) if row["score_min_incl"] else None)
            assert level.score_max == (float(row["score_max_excl"]) if row["score_max_excl"] else None)
            assert level.rank == int(row["level_rank"])
            assert ("veto" in level.unconfirmed) == (row["veto_lands_here"] == "Y?")
            assert ("colour" in level.unconfirmed) == row["colour"].endswith("*")
            assert "band" in level.unconfirmed or "consultation draft" not in row["confidence"]


def test_no_scheme_passes_for_confirmed_while_a_fact_of_it_is_not() -> None:
    assert not [scheme.scheme for scheme in rating_schemes().values() if scheme.confirmed and scheme.unconfirmed]
    assert not any(scheme.confirmed for scheme in rating_schemes().values()), "each has an open fact by the references"
    assert {level.level_code for level in rating_schemes()["SC-2019"].levels if "band" in level.unconfirmed} == {
        "CX", "LH", "JS", "BL",
    }  # fmt: skip
    assert set(rating_schemes()["X-AQ"].unconfirmed) == {"title", "doc_no", "issued_on", "effective_from"}


@pytest.mark.parametrize(
    ("scheme", "text", "code"),
    [
        ("CQ-2021", "环保诚信企业", "CX"),
        ("CQ-2021", "区级环保诚信企业", "CX"),
        ("CQ-2021", " 环保 良好 ", "LH"),
        ("SC-2019", "绿牌", "CX"),
        ("SC-2019", "不良", "BL"),
        ("X-HN5", "黑牌", "黑"),
        ("CQ-2021", "黑牌", None),
        ("CQ-2021", "A", None),
        ("NOWHERE", "诚信", None),
    ],
)
def test_a_level_is_found_in_its_scheme_only(scheme: str, text: str, code: str | None) -> None:
    found = find_level(scheme, text)
    assert (found.level_code if found else None) == code


def test_a_scheme_is_found_by_number_title_or_year() -> None:
    assert find_scheme("渝环规[2021]7号") is rating_schemes()["CQ-2021"]
    assert find_scheme("《四川省企业环境信用评价指标及计分方法(2019年版)》") is rating_schemes()["SC-2019"]
    assert find_scheme("重庆市企业环境信用评价办法") is None
    assert find_scheme("重庆市企业环境信用评价办法", 2019) is rating_schemes()["CQ-2017"]
    assert find_scheme("重庆市企业环境信用评价办法", 2023) is rating_schemes()["CQ-2021"]


@pytest.mark.parametrize(
    ("division", "when", "scheme"),
    [
        ("500109", 2016, "CQ-2017"),
        ("500109", 2020, "CQ-2017"),
        ("500109", 2021, "CQ-2021"),
        ("500109", dt.date(2021, 12, 31), "CQ-2017"),
        ("500109", dt.date(2022, 1, 1), "CQ-2021"),
        ("510700", 2023, "SC-2019"),
        ("510700", dt.date(2019, 6, 1), "CN-2013"),
        ("330000", 2018, "CN-2013"),
        ("500109", 2005, None),
    ],
)
def test_the_scheme_in_force_is_the_nearest_one(division: str, when: int | dt.date, scheme: str | None) -> None:
    found = scheme_in_force(division, when)
    assert (found.scheme if found else None) == scheme


def test_every_region_of_the_reference_is_here(shared: Path) -> None:
    here = {(region.division, region.name_zh): region for region in regions()}
    for row in reference(shared, "regions.csv"):
        region = here[row["code"], row["name_cn"]]
        assert (region.level, region.parent) == (row["level"], row["parent_code"])
        assert (region.until.isoformat() if region.until else "") == row["valid_to"]


def test_the_shipped_bureaus_have_the_stations_of_the_agreement() -> None:
    known = bureaus()
    assert {code: bureau.kind for code, bureau in known.items()} == {
        "beibei": "bureau",
        "mianyang": "bureau",
        "cnemc": "feed",
        "notices": "feed",
    }
    assert (known["beibei"].division, known["mianyang"].division) == ("500109", "510700")
    assert known["cnemc"].open_stations
    assert known["notices"].open_issuers
    assert not known["beibei"].open_stations
    named = {station.station_id: station for station in stations()}
    assert named["1414A"].name_zh == "缙云山"
    assert named["1428A"].until == dt.date(2025, 11, 5)
    assert {s.station_id for s in stations("mianyang") if s.medium == "water"} == {f"MYW0{n}" for n in range(1, 5)}
    assert {s.station_id for s in stations("beibei") if s.medium != "soil"} == {
        "1414A",
        "1416A",
        "1428A",
        "BBQ03",
        "BBW01",
    }


def test_a_site_adds_a_bureau_and_its_own_stations_at_once(tmp_path: Path) -> None:
    site = tmp_path / "bureaus"
    assert "suining" not in bureaus(site)
    header = (SCHEMAS / "bureaus" / "beibei" / "stations.csv").read_text(encoding="utf-8").splitlines()[0]
    for code in ("suining", "beibei"):
        (site / code).mkdir(parents=True)
    (site / "suining" / "bureau.toml").write_text(
        'name_zh = "遂宁市生态环境局"\nname_en = "Suining"\ndivision = "510900"\nkind = "bureau"\nsource = "site"\n',
        encoding="utf-8",
    )
    (site / "suining" / "monthly.toml").write_text("", encoding="utf-8")
    (site / "beibei" / "stations.csv").write_text(
        header + "\n1414A,缙云山新址,air,national,,,,,,,site\nBBQ09,金刀峡,air,district,,,,,,,site\n", encoding="utf-8"
    )
    assert bureaus(site)["suining"].layouts == ("monthly",)
    here = {station.station_id: station.name_zh for station in stations("beibei", site)}
    assert (here["1414A"], here["BBQ09"], here["1416A"]) == ("缙云山新址", "金刀峡", "天生")
    assert {s.station_id: s.name_zh for s in stations("beibei")}["1414A"] == "缙云山"


# --- tables ----------------------------------------------------------------------------------------------------------


def test_the_shared_tables_have_keys_and_record_time() -> None:
    known = tables()
    assert set(known) == {
        "air_observation",
        "water_result",
        "soil_result",
        "credit_rating",
        "penalty_decision",
        "enterprise_name",
        "station",
    }
    for table in known.values():
        assert {"batch_id", "source_row", "recorded_from", "recorded_until"} <= set(table.names)
        assert table.column("recorded_until").nullable
        assert set(table.key) <= set(table.names)
        for measured in ("value", "detection_limit"):
            if measured in table.names:
                assert table.column(measured).type == "float64"
    assert known["air_observation"].partition == "month"
    assert "stage" in known["air_observation"].key


def test_the_catalogue_hash_follows_every_fact(root: Path, tmp_path: Path) -> None:
    before = catalogue_hash(root=root)
    assert before == catalogue_hash(root=root)
    assert before.startswith("sha256:")
    site = tmp_path / "site"
    (site / "beibei").mkdir(parents=True)
    assert catalogue_hash(site, root) == before
    (site / "beibei" / "stations.csv").write_text("x", encoding="utf-8")
    with_site = catalogue_hash(site, root)
    (root / "vocabularies" / "flags.csv").write_text("x", encoding="utf-8")
    assert len({before, with_site, catalogue_hash(root=root)}) == 3


# --- malformed facts ------------------------------------------------------------------------------------------------

Load = Callable[[Path], Any]


def line_with(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("file", "old", "new", "load", "reason"),
    [
        ("vocabularies/units.csv", "mg/L,mg/L,", "mg/L,mg/L,x,y,", units, "fields, the header has"),
        ("vocabularies/units.csv", "ug/L,μg/L,", "mg/L,μg/L,", units, "unit 'mg/L' stands twice"),
        ("vocabularies/units.csv", "ug/L,μg/L,微克每升,water-concentration,0.001,,微克/升", "ug/L,μg/L,微克每升,water-concentration,0.001,,mg/L", units, "already means 'mg/L'"),  # noqa: E501
        ("vocabularies/units.csv", "water-concentration,0.001,", "water-concentration,-0.001,", units, "not positive"),
        ("vocabularies/units.csv", "water-concentration,0.001,", "water-concentration,1e-x,", units, "is not a number"),
        ("vocabularies/parameters.csv", "NH3-N,氨氮,ammonia nitrogen,water,mg/L", "NH3-N,氨氮,ammonia nitrogen,water,mg/litre", parameters, "unknown unit 'mg/litre'"),  # noqa: E501
        ("vocabularies/parameters.csv", "NH3-N,氨氮,ammonia nitrogen,water", "NH3-N,氨氮,ammonia nitrogen,sea", parameters, "medium 'sea' is not one of"),  # noqa: E501
        ("vocabularies/parameters.csv", "TP,总磷,", "NH3-N,总磷,", parameters, "'NH3-N' stands twice"),
        ("vocabularies/parameters.csv", "TP,总磷,", "TP,氨氮,", parameters, "name '氨氮' already means 'NH3-N'"),
        ("vocabularies/parameters.csv", "w21011", "w21003", parameters, "code 'w21003' already means 'NH3-N'"),
        ("vocabularies/parameters.csv", "TP,总磷,", "pub:TP,总磷,", parameters, "publisher_parameters.csv only"),
        ("vocabularies/parameters.csv", "mg/L as PO4=0.326145", "mg/L as PO5=0.326145", parameters, "unknown unit 'mg/L as PO5'"),  # noqa: E501
        ("vocabularies/parameters.csv", "ug/L=0.001|ng/L=0.000001|g/L=1000|mg/L as PO4", "ug/L=0.01|ng/L=0.000001|g/L=1000|mg/L as PO4", parameters, "but units.csv gives 0.001"),  # noqa: E501
        ("vocabularies/parameters.csv", "ppb=2.6184|ppm=2618.4,298.15", "ppb=2.6184|ppm=2618.4,", parameters, "go together"),  # noqa: E501
        ("vocabularies/parameters.csv", "298.15,0,3000,", "298.15,4000,3000,", parameters, "plausible_min 4000 is above plausible_max 3000"),  # noqa: E501
        ("vocabularies/parameters.csv", "298.15,0,3000,", "298.15,zero,3000,", parameters, "plausible_min 'zero' is not a number"),  # noqa: E501
        ("vocabularies/publisher_parameters.csv", "CNEMC live feed and its re-publishers; HJ 633-2012", "", parameters, "source is missing"),  # noqa: E501
        ("vocabularies/publisher_parameters.csv", "pub:AQI,", "AQI,", parameters, "publisher_parameters.csv only"),
        ("vocabularies/qualifiers.csv", "<,低于检出限", ">,低于检出限", qualifiers, "stands twice"),
        ("vocabularies/flags.csv", "9,missing", "7,missing", flags, "flag '7' is not one of"),
        ("vocabularies/rating_schemes.csv", "2022-01-01,2022-01?", "2022-13-01,2022-01?", rating_schemes, "is not a date"),  # noqa: E501
        ("vocabularies/rating_schemes.csv", "2017-10-13,2017-10-13?,2021-12-31", "2017-10-13,2017-10-13?,2011-12-31", rating_schemes, "is after effective_until"),  # noqa: E501
        ("vocabularies/rating_schemes.csv", "SC-MON-DRAFT,四川省,", "SC-2019,四川省,", rating_schemes, "stands twice"),  # noqa: E501
        ("vocabularies/rating_schemes.csv", "CQ-2021,重庆市,500000", "CQ-2021,重庆市,5000", rating_schemes, "6 digits"),
        ("vocabularies/rating_schemes.csv", "2016,2020,CQ-2021", "2016,2020,CQ-2031", rating_schemes, "superseded_by"),
        ("vocabularies/rating_levels.csv", "CQ-2021,LH,环保良好企业,2,blue,yes,80,100", "CQ-2021,LH,环保良好企业,2,blue,yes,80,101", rating_schemes, "overlaps"),  # noqa: E501
        ("vocabularies/rating_levels.csv", "CQ-2021,LH,", "CQ-2031,LH,", rating_schemes, "not in rating_schemes.csv"),
        ("vocabularies/rating_levels.csv", "CQ-2021,LH,环保良好企业,2", "CQ-2021,LH,环保良好企业,1", rating_schemes, "stands twice in CQ-2021"),  # noqa: E501
        ("vocabularies/rating_levels.csv", "CQ-2021,LH,环保良好企业,2", "CQ-2021,LH,环保诚信企业,2", rating_schemes, "already means 'CX'"),  # noqa: E501
        ("vocabularies/regions.csv", "510703,涪城区", "51070,涪城区", regions, "neither 6 nor 9 digits"),
        ("vocabularies/regions.csv", "510703,涪城区,Fucheng,county,510700", "510703,涪城区,Fucheng,county,510799", regions, "not in the list"),  # noqa: E501
        ("bureaus/beibei/stations.csv", "1416A,天生,air", "1414A,天生,air", lambda r: stations("beibei", root=r), "stands twice"),  # noqa: E501
        ("bureaus/beibei/stations.csv", "1416A,天生,air", "1416A,缙云山,air", lambda r: stations("beibei", root=r), "already means '1414A'"),  # noqa: E501
        ("bureaus/beibei/stations.csv", "106.424,29.8264", "106.424,", lambda r: stations("beibei", root=r), "go together"),  # noqa: E501
        ("bureaus/beibei/stations.csv", "106.424,29.8264", "29.8264,106.424", lambda r: stations("beibei", root=r), "latitude 106.424"),  # noqa: E501
        ("bureaus/beibei/bureau.toml", 'kind = "bureau"', 'kind = "office"', lambda r: bureaus(root=r), "none of bureau"),  # noqa: E501
        ("bureaus/beibei/bureau.toml", "soil_prefix =", "prefix =", lambda r: bureaus(root=r), "unknown key 'prefix'"),
        ("bureaus/beibei/bureau.toml", '"CQ-2021"', '"CQ-2031"', lambda r: bureaus(root=r), "not in rating_schemes.csv"),  # noqa: E501
        ("standards/timeline.csv", "\nHJ 633-2026,", "\nHJ 633-2012,", standards, "stands twice"),
        ("standards/gb3838-2002.csv", ",DO,溶解氧,dissolved oxygen,DO,all,>=,7.5", ",DO,溶解氧,dissolved oxygen,DO,all,>=,7.5x", lambda r: limits("GB 3838-2002", r), "is not a decimal"),  # noqa: E501
        ("standards/gb3838-2002.csv", "pH,all,range,6~9", "pH,all,range,9~6", lambda r: limits("GB 3838-2002", r), "9 is above 6"),  # noqa: E501
        ("standards/gb3838-2002.csv", "dissolved oxygen,DO,", "dissolved oxygen,OD,", lambda r: limits("GB 3838-2002", r), "unknown parameter 'OD'"),  # noqa: E501
        ("standards/gb3838-2002.csv", "dissolved oxygen,DO,all,>=", "dissolved oxygen,DO,all,>", lambda r: limits("GB 3838-2002", r), "direction '>'"),  # noqa: E501
        ("standards/hj633-2012_levels.csv", ",51,100,", ",52,100,", lambda r: aqi_levels("HJ 633-2012", r), "does not begin where"),  # noqa: E501
        ("standards/hj633-2012_breakpoints.csv", "SO2,24h,100,150", "SO2,24h,100,40", lambda r: aqi_breakpoints("HJ 633-2012", r), "do not rise"),  # noqa: E501
        ("tables/air_observation.toml", 'name = "value"\ntype = "float64"', 'name = "value"\ntype = "double"', tables, "type 'double'"),  # noqa: E501
        ("tables/air_observation.toml", 'name = "value"\ntype = "float64"', 'name = "value"\ntype = "string"', tables, "column 'value' is"),  # noqa: E501
        ("tables/air_observation.toml", 'partition = "month"', 'partition = "year"', tables, "which is no column"),
        ("tables/air_observation.toml", 'title_zh = "空气监测值"', 'titel_zh = "空气监测值"', tables, "unknown key"),
    ],
)  # fmt: skip
def test_a_malformed_fact_is_refused_by_file_line_and_reason(
    root: Path, file: str, old: str, new: str, load: Load, reason: str
) -> None:
    path = root / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MalformedFact) as refused:
        load(root)
    assert reason in refused.value.reason
    if "column 'value' is" not in reason:  # the second table to disagree is the one named
        assert refused.value.file == path
    assert 1 <= refused.value.line <= len(text.splitlines())
    assert str(refused.value).startswith(f"{refused.value.file}:{refused.value.line}: ")
    if path.suffix == ".csv" and "superseded_by" not in reason:
        at = line_with(path, new.strip())
        assert refused.value.line in (at, at + 1)


def test_every_row_of_every_vocabulary_names_its_source() -> None:
    missing = []
    for path in [
        *SCHEMAS.glob("vocabularies/*.csv"),
        *SCHEMAS.glob("standards/*.csv"),
        *SCHEMAS.glob("bureaus/*/*.csv"),
    ]:
        with path.open(encoding="utf-8", newline="") as file:
            missing += [(path.name, n) for n, row in enumerate(csv.DictReader(file), 2) if not row["source"].strip()]
    assert missing == []


# --- the house --------------------------------------------------------------------------------------------------------

MODULES = ("files", "loaders", "quantities", "limits", "ratings", "places", "contracts", "identifiers")


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"schemas.{module}")).failed == 0


def test_schemas_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import schemas.loaders, schemas.identifiers;"
        "print(' '.join(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SCHEMAS.parent
    )
    assert {name for name in answer.stdout.split() if name not in sys.stdlib_module_names} == {"schemas"}

"""A waiver counts when the same bytes are sent again: what it lets through goes out, what was out stays as it is."""

from datetime import timedelta

from pipelines.batch import Places
from pipelines.sync import Road, submit
from portal.home import make_home
from records.store import Records
from records.waivers import Waiver, grant_waiver

HEADER = "站点编码,站点名称,监测时间,PM2.5(μg/m3),PM10(μg/m3),SO2(μg/m3),NO2(μg/m3),CO(mg/m3),O3(μg/m3),备注\n"


def test_a_refused_value_goes_out_once_its_rule_is_waived_and_the_file_is_sent_again(tmp_path, database_url, now):
    places = Places(tmp_path / "home", database_url, str(tmp_path / "home" / "tables"))
    list(make_home(places, now))
    file = tmp_path / "air.csv"
    file.write_text(HEADER + "1414A,缙云山,2026-04-01 00:00,50,80,11,31,120,103,\n", encoding="utf-8")
    clock = [now]
    with Records.open(database_url) as records, Road(places, lambda: clock[0], records, warm=True) as road:
        (first,) = submit(road, file, "beibei")
        assert (first.state, first.results["published"], first.results["quarantined"]) == ("published", 5, 1)
        (again,) = submit(road, file, "beibei")
        assert again.state == "repeated" and again.receipt == first.receipt
        clock[0] = now + timedelta(hours=1)
        since, until, expires = (now - timedelta(days=days) for days in (3650, -3650, -30))
        waiver = Waiver("AIR-039", "beibei", "1414A", since, until, "标定事故已核实", "张工", expires, clock[0])
        grant_waiver(records, waiver)
        (second,) = submit(road, file, "beibei")
        assert second.state == "published" and second.receipt != first.receipt and second.rules != first.rules
        assert (second.results["published"], second.results["quarantined"]) == (6, 0)
        assert second.tables[0]["added"] == 1 and second.tables[0]["unchanged"] == 5

"""Their codes and names to our stations, sections and points.

A closed bureau has a list: by code, else by name with its drift (blanks, bracket widths, remarks such as 启用20220628).
An open sender (a national feed) brings its stations: the code is the key, or city and name where there is no code;
twins, two names of one place, are told, never merged.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.standardise.text import TextColumn
from pipelines.standardise.times import CST, DAY, NOT_A_TIME
from schemas.files import fold
from schemas.loaders import Bureau, Station, bureaus, nearest, stations

_BRACKETS = re.compile(r"[(\[（【][^()\[\]（）【】]*[)\]）】]")


def name_key(name: str) -> str:
    """Fold a place name for comparison: blanks and bracket widths do not count."""
    return re.sub(r"\s+", "", fold(name))


def base_name(name: str) -> str:
    """Give a place name without remarks in brackets.

    Examples
    --------
    >>> base_name("歇台子（启用161118）")
    '歇台子'
    """
    key = name_key(name)
    bare = _BRACKETS.sub("", key)
    return bare or key


@dataclass(frozen=True)
class Resolved:
    """Places of the records: ``ids``/``names`` by distinct place, ``codes`` into them, ``status`` by record.

    Status: ``""``, ``missing``, ``unknown``, ``foreign``, ``outside`` (not this bureau's at that time),
    ``name-differs``, ``twin``. ``hints`` by distinct place says what may have been meant.
    """

    codes: np.ndarray
    ids: list[str]
    names: list[str]
    status: np.ndarray
    hints: list[str]


def resolve(
    code: TextColumn | None,
    name: TextColumn | None,
    area: TextColumn | None,
    stamps: np.ndarray,
    bureau: Bureau,
    medium: str,
    site: Path | None = None,
) -> Resolved:
    """Find the place of each record.

    Parameters
    ----------
    code, name, area : TextColumn or None
        As written; at least one of code and name.
    stamps : ndarray of int64
        Instants of the records: a station belongs to a bureau from a date until a date.
    """
    given = [column if column is not None else TextColumn.constant("", len(stamps)) for column in (code, name, area)]
    pair = (given[0].codes.astype(np.int64) * len(given[1].texts) + given[1].codes) * len(given[2].texts) + given[
        2
    ].codes
    distinct, codes = np.unique(pair, return_inverse=True)
    ids, names, statuses, hints, known = [], [], [], [], []
    own = [s for s in stations(bureau.bureau, site) if s.medium == medium]
    for key in distinct.tolist():
        rest, third = divmod(key, len(given[2].texts))
        first, second = divmod(rest, len(given[1].texts))
        found = _place(
            given[0].folded[first], given[1].folded[second], given[2].folded[third], bureau, medium, own, site
        )
        ids.append(found[0])
        names.append(found[1])
        statuses.append(found[2])
        hints.append(found[3])
        known.append(found[4])
    if bureau.open_stations and code is None:
        _mark_twins(ids, names, statuses, hints)
    status = np.array(statuses, dtype=object)[codes] if len(codes) else np.array([], dtype=object)
    _mark_outside(status, codes, known, stamps)
    return Resolved(codes.astype(np.int32), ids, names, status, hints)


def _place(
    code: str, name: str, area: str, bureau: Bureau, medium: str, own: list[Station], site: Path | None
) -> tuple[str, str, str, str, list[Station]]:
    if not code and not name:
        return "", "", "missing", "", []
    if bureau.open_stations:
        tidy = name_key(name)
        return (code or (f"{area}:{tidy}" if area and area != name else tidy)), tidy or code, "", "", []
    if code:
        same = [s for s in own if code.upper() in (s.station_id.upper(), *(a.upper() for a in s.aliases))]
        if same:
            station = same[-1]
            names = {name_key(station.name_zh), *(name_key(a) for a in station.aliases)}
            differs = name and name_key(name) not in names and base_name(name) != base_name(station.name_zh)
            hint = f"登记名称为“{station.name_zh}”" if differs else ""
            return station.station_id, station.name_zh, "name-differs" if differs else "", hint, same
        if medium == "soil" and bureau.soil_prefix and code.upper().startswith(bureau.soil_prefix):
            return code.upper(), name, "", "", []
        owner = _owner(code, medium, bureau, site)
        if owner is not None:
            return code, name, "foreign", f"{code} 属于 {owner}", []
        hint = _near(code, own)
        if name:
            by_name = [s for s in own if base_name(name) == base_name(s.name_zh)]
            if by_name:
                hint = f"名称“{name}”登记的编码是 {by_name[0].station_id}"
        if code.isdigit() and len(code) < 4:
            hint = (hint + "；" if hint else "") + "编码是否丢失了前导零（Excel 数字格式）？请将该列设为文本"
        return code, name, "unknown", hint, []
    by_name = [s for s in own if name_key(name) in {name_key(s.name_zh), *(name_key(a) for a in s.aliases)}]
    by_name = by_name or [s for s in own if base_name(name) == base_name(s.name_zh)]
    if by_name and len({s.station_id for s in by_name}) == 1:
        return by_name[0].station_id, by_name[0].name_zh, "", "", by_name
    return name_key(name), name, "unknown", _near(name, own), []


def _near(text: str, own: list[Station]) -> str:
    near = nearest(text, [n for s in own for n in (s.station_id, s.name_zh)])
    listed = near or [f"{s.station_id} {s.name_zh}" for s in own[:6]]
    return "本局登记的有：" + "、".join(listed) if listed else "本局没有登记此类站点"


def _owner(code: str, medium: str, bureau: Bureau, site: Path | None) -> str | None:
    for other in bureaus(site).values():
        if other.bureau == bureau.bureau or other.open_stations:
            continue
        if any(s.station_id.upper() == code.upper() for s in stations(other.bureau, site)):
            return other.name_zh
    return None


def _mark_twins(ids: list[str], names: list[str], statuses: list[str], hints: list[str]) -> None:
    groups: dict[str, list[int]] = {}
    for at, key in enumerate(ids):
        area, _, name = key.rpartition(":")
        groups.setdefault(f"{area}:{base_name(name)}", []).append(at)
    for members in groups.values():
        if len({ids[at] for at in members}) > 1:
            for at in members:
                statuses[at] = statuses[at] or "twin"
                hints[at] = "疑为同一站点：" + "、".join(sorted({names[m] for m in members}))


def _mark_outside(status: np.ndarray, codes: np.ndarray, known: list[list[Station]], stamps: np.ndarray) -> None:
    for at, records in enumerate(known):
        if not any(s.since or s.until for s in records):
            continue
        inside = np.zeros(len(codes), dtype=bool)
        for station in records:
            low = _day(station.since) if station.since else np.iinfo(np.int64).min + 1
            high = _day(station.until) + DAY if station.until else np.iinfo(np.int64).max
            inside |= (stamps >= low) & (stamps < high)
        status[(codes == at) & ~inside & (stamps != NOT_A_TIME)] = "outside"


def _day(day: dt.date) -> int:
    moment = dt.datetime(day.year, day.month, day.day, tzinfo=CST)
    return int(moment.timestamp()) * 1_000_000

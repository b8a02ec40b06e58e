"""What a rule compares must first be measured: features, one pure function each.

A feature is a column computed from a batch: hours ahead of the clock, the PM10 of the same time, the length of a frozen
run. Rules name features like columns, so that the judge and Great Expectations compare the same measured column, each in
its own way. Missing (NaN) means "does not apply", and no rule fails on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import pandas as pd

from pipelines.batch import StandardBatch
from pipelines.frames import coded
from schemas.loaders import parameters

NOT_A_TIME = np.iinfo(np.int64).min
HOUR = 3_600_000_000
CST = 8 * HOUR
DAY = 24 * HOUR

RowFeature = Callable[["Measure"], np.ndarray | pd.Categorical]
ROW_FEATURES: dict[str, RowFeature] = {}
RESULT_FEATURES: dict[str, RowFeature] = {}


def row_feature(function: RowFeature) -> RowFeature:
    """Register a feature of the file's rows."""
    ROW_FEATURES[function.__name__] = function
    return function


def result_feature(function: RowFeature) -> RowFeature:
    """Register a feature of the results."""
    RESULT_FEATURES[function.__name__] = function
    return function


@dataclass
class Measure:
    """A batch under measurement; what several features need is computed once.

    Attributes
    ----------
    batch : StandardBatch
    now : datetime
        The clock of the judgement, an argument like any other.
    history : DataFrame or None
        Median of the published values by ``place_id`` and ``parameter``, where there is a history.
    """

    batch: StandardBatch
    now: datetime
    history: pd.DataFrame | None = None
    _made: dict[tuple[str, str], np.ndarray | pd.Categorical] = field(default_factory=dict)

    @property
    def rows(self) -> pd.DataFrame:
        """The file's rows."""
        return self.batch.rows

    @property
    def results(self) -> pd.DataFrame:
        """The results."""
        return self.batch.results

    def column(self, on: str, name: str) -> pd.Series | None:
        """Give a column or feature of the rows or the results; ``None`` where the batch has no such column."""
        frame = self.rows if on == "row" else self.results
        if name in frame.columns:
            return frame[name]
        if on == "result" and name in self.rows.columns:
            return self.rows[name].take(self.row_of).reset_index(drop=True)
        features = ROW_FEATURES if on == "row" else RESULT_FEATURES
        if name in features:
            key = (on, name)
            if key not in self._made:
                self._made[key] = features[name](self)
            return pd.Series(self._made[key], name=name, copy=False)
        return None

    @cached_property
    def row_of(self) -> np.ndarray:
        """Row position of each result."""
        return self.results["row"].to_numpy()

    @cached_property
    def stamp(self) -> np.ndarray:
        """Instant of each row."""
        return self.rows["stamp"].to_numpy()

    @cached_property
    def place(self) -> np.ndarray:
        """Code of the place of each row."""
        return self.rows["place_id"].cat.codes.to_numpy().astype(np.int64)

    @cached_property
    def parameter(self) -> np.ndarray:
        """Code of the parameter of each result."""
        return self.results["parameter"].cat.codes.to_numpy()

    @cached_property
    def sample(self) -> np.ndarray:
        """Number of the sample (place, instant, depth) of each row; -1 where it has no time."""
        keys: list[np.ndarray] = [self.place, self.stamp]
        for name in ("depth_from_cm", "depth_to_cm", "depth_m"):
            if name in self.rows:
                keys.append(np.nan_to_num(self.rows[name].to_numpy(dtype=float), nan=-1e9))
        order = self.row_order if len(keys) == 2 else np.lexsort(keys[::-1])
        new = np.zeros(len(order), dtype=bool)
        for key in keys:
            ranked = key[order]
            new[1:] |= ranked[1:] != ranked[:-1]
        numbers = np.empty(len(order), dtype=np.int64)
        numbers[order] = np.cumsum(new)
        return np.where(self.stamp == NOT_A_TIME, -1, numbers)

    @cached_property
    def row_order(self) -> np.ndarray:
        """Order of the rows by place and instant."""
        good = self.stamp[self.stamp != NOT_A_TIME]
        low, high = (int(good.min()), int(good.max())) if len(good) else (0, 0)
        if (high - low + 2) * (int(self.place.max(initial=0)) + 2) < 2**62:
            # one key sorts twice as fast as two; rows without a time come first in their place
            within = np.where(self.stamp == NOT_A_TIME, 0, self.stamp - low + 1)
            return np.argsort(self.place * (high - low + 2) + within, kind="stable")
        return np.lexsort((self.stamp, self.place))

    def block(self, parameter: str, period: str | None = None) -> np.ndarray:
        """Positions of the results of one parameter (and averaging period)."""
        known = self.results["parameter"].cat.categories
        if parameter not in known:
            return np.array([], dtype=np.int64)
        inside = self.parameter == known.get_loc(parameter)
        if period is not None:
            periods = self.results["averaging_period"].cat.categories
            if period not in periods:
                return np.array([], dtype=np.int64)
            inside &= self.results["averaging_period"].cat.codes.to_numpy() == periods.get_loc(period)
        return np.flatnonzero(inside)

    @cached_property
    def value(self) -> np.ndarray:
        """Value of each result."""
        return self.results["value"].to_numpy()

    def same_sample(self, of: str, other: str, period: str | None = None) -> np.ndarray:
        """Give each result of one parameter the value of another parameter of the same sample."""
        out = np.full(len(self.results), np.nan)
        mine, theirs = self.block(of, period), self.block(other, period)
        if not len(mine) or not len(theirs):
            return out
        by_sample = np.full(int(self.sample.max(initial=0)) + 2, np.nan)
        by_sample[self.sample[self.row_of[theirs]]] = self.value[theirs]
        by_sample[-1] = np.nan
        out[mine] = by_sample[self.sample[self.row_of[mine]]]
        return out

    @cached_property
    def series(self) -> list[np.ndarray]:
        """Positions of the results of each parameter in the order of place and instant."""
        rank = np.empty(len(self.rows), dtype=np.int64)
        rank[self.row_order] = np.arange(len(self.rows))
        found = []
        for code in np.unique(self.parameter):
            block = np.flatnonzero(self.parameter == code)
            ranked = rank[self.row_of[block]]
            if len(ranked) > 1 and (ranked[1:] < ranked[:-1]).any():
                block = block[np.argsort(ranked, kind="stable")]
            found.append(block)
        return found


@row_feature
def hours_ahead(m: Measure) -> np.ndarray:
    """Hours from the clock to the stamp."""
    now = int(m.now.timestamp() * 1_000_000)
    return np.where(m.stamp == NOT_A_TIME, np.nan, (m.stamp - now) / HOUR)


@row_feature
def local_year(m: Measure) -> np.ndarray:
    """Year of the stamp in China Standard Time."""
    years = (m.stamp + CST).astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    return np.where(m.stamp == NOT_A_TIME, np.nan, years)


@row_feature
def years_ahead(m: Measure) -> np.ndarray:
    """Rated year minus the current year."""
    year: np.ndarray = m.rows["rated_year"].to_numpy() - m.now.year
    return year


def _days_ahead(m: Measure, column: str) -> np.ndarray:
    stamp = m.rows[column].to_numpy()
    return np.where(stamp == NOT_A_TIME, np.nan, (stamp - int(m.now.timestamp() * 1_000_000)) / DAY)


@row_feature
def published_ahead(m: Measure) -> np.ndarray:
    """Days from the clock to the publication date."""
    return _days_ahead(m, "published_date")


@row_feature
def decision_ahead(m: Measure) -> np.ndarray:
    """Days from the clock to the decision date."""
    return _days_ahead(m, "decision_date")


@row_feature
def certificate_days(m: Measure) -> np.ndarray:
    """Days from the clock to the end of the certificate."""
    return _days_ahead(m, "certificate_until")


@row_feature
def depth_span(m: Measure) -> np.ndarray:
    """Lower minus upper sampling depth, cm."""
    span: np.ndarray = m.rows["depth_to_cm"].to_numpy() - m.rows["depth_from_cm"].to_numpy()
    return span


@row_feature
def system_status(m: Measure) -> pd.Categorical:
    """Tell packets whose system code (ST) is not the one the layout takes."""
    words = ["", "source"]
    if "system_code" not in m.rows:
        return coded(np.zeros(len(m.rows), dtype=np.int8), words)
    taken = (*next(iter(m.batch.layout.recognise_values.values()), ()), "")
    codes = m.rows["system_code"]
    other = np.array([word not in taken for word in codes.cat.categories], dtype=np.int8)
    return coded(other[codes.cat.codes.to_numpy()], words)


@row_feature
def twin_hours(m: Measure) -> np.ndarray:
    """Times at which a place equals another in all its values (three or more)."""
    out = np.zeros(len(m.rows))
    if not len(m.results):
        return out
    weights = np.random.default_rng(20200402).random(len(m.results["parameter"].cat.categories)) + 1.0
    good = ~np.isnan(m.value)
    count = np.bincount(m.row_of[good], minlength=len(m.rows))
    total = np.bincount(m.row_of[good], weights=m.value[good] * weights[m.parameter[good]], minlength=len(m.rows))
    if len(m.rows["place_id"].cat.categories) < 2:
        return out
    rows = np.flatnonzero((count >= 3) & (m.stamp != NOT_A_TIME))
    key = total[rows].view(np.int64) ^ (m.stamp[rows] * np.int64(1_000_003))
    rows = rows[pd.Series(key).duplicated(keep=False).to_numpy()]
    order = rows[np.lexsort((total[rows], m.stamp[rows]))]
    same = (m.stamp[order][1:] == m.stamp[order][:-1]) & (total[order][1:] == total[order][:-1])
    same &= m.place[order][1:] != m.place[order][:-1]
    alike = np.zeros(len(m.rows), dtype=bool)
    alike[order[1:][same]] = True
    alike[order[:-1][same]] = True
    per_place = np.bincount(m.place[alike], minlength=int(m.place.max(initial=0)) + 1)
    out[alike] = per_place[m.place[alike]]
    return out


@result_feature
def minutes_past(m: Measure) -> np.ndarray:
    """Minutes past the full hour."""
    past = np.where(m.stamp == NOT_A_TIME, np.nan, (m.stamp % HOUR) / 60_000_000)
    return past[m.row_of]


@result_feature
def repeat_status(m: Measure) -> pd.Categorical:
    """Tell results whose key stands twice: ``repeated`` where the content is the same, else ``conflict``."""
    out = np.zeros(len(m.results), dtype=np.int8)
    words = ["", "repeated", "conflict"]
    if not len(m.results) or "stamp" not in m.rows:
        return coded(out, words)
    sample = m.sample[m.row_of]
    parameters_ = len(m.results["parameter"].cat.categories)
    periods = len(m.results["averaging_period"].cat.categories)
    key = (sample * parameters_ + m.parameter) * periods + m.results["averaging_period"].cat.codes.to_numpy()
    if int(m.sample.max(initial=-1)) + 1 == len(m.rows) and m.batch.layout.long is None:
        return coded(out, words)
    positions = np.flatnonzero(sample >= 0)
    again = positions[pd.Series(key[positions]).duplicated(keep=False).to_numpy()]
    if not len(again):
        return coded(out, words)
    content = pd.DataFrame(
        {
            "key": key[again],
            "value": m.value[again],
            "qualifier": m.results["qualifier"].cat.codes.to_numpy()[again],
            "limit": m.results["detection_limit"].to_numpy()[again],
            "status": m.results["status"].cat.codes.to_numpy()[again],
        }
    )
    once = content.drop_duplicates()
    differing = once["key"][once["key"].duplicated(keep=False)].unique()
    conflict = content["key"].isin(differing).to_numpy()
    later = content["key"].duplicated().to_numpy()
    out[again[conflict]] = 2
    out[again[~conflict & later]] = 1
    return coded(out, words)


@result_feature
def times_plausible(m: Measure) -> np.ndarray:
    """Value over the upper end of the plausible range."""
    high = np.array([p.plausible_max or np.nan if (p := parameters().get(name)) else np.nan for name in _names(m)])
    return m.value / high[m.parameter] if len(high) else np.array([])


def _names(m: Measure) -> list[str]:
    return list(m.results["parameter"].cat.categories)


@result_feature
def history_ratio(m: Measure) -> np.ndarray:
    """Value over the median of this place's published values of the parameter."""
    out = np.full(len(m.results), np.nan)
    if m.history is None or not len(m.history):
        return out
    places, names = list(m.rows["place_id"].cat.categories), _names(m)
    table = np.full((len(places), len(names)), np.nan)
    for place, name, median in m.history.itertuples(index=False):
        if place in places and name in names and median > 0:
            table[places.index(place), names.index(name)] = median
    ratio = m.value / table[m.place[m.row_of], m.parameter]
    return np.where(m.value > 0, ratio, np.nan)


@result_feature
def pm10_same_time(m: Measure) -> np.ndarray:
    """PM10 of the same time, for PM2.5."""
    return m.same_sample("PM2.5", "PM10")


@result_feature
def o3_day_max(m: Measure) -> np.ndarray:
    """Published maximum hour of the trailing 24 hours, for O3."""
    return m.same_sample("O3", "pub:O3_24h")


@result_feature
def tn_same_sample(m: Measure) -> np.ndarray:
    """Total nitrogen of the same sample, for NH3-N."""
    return m.same_sample("NH3-N", "TN")


@result_feature
def cod_same_sample(m: Measure) -> np.ndarray:
    """Chemical oxygen demand of the same sample, for CODMn and BOD5."""
    one, other = m.same_sample("CODMn", "COD"), m.same_sample("BOD5", "COD")
    return np.where(np.isnan(one), other, one)


@result_feature
def cr_same_sample(m: Measure) -> np.ndarray:
    """Total chromium of the same sample, for Cr6."""
    return m.same_sample("Cr6_soil", "Cr_soil")


def _hours_of_day(m: Measure) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Highest and lowest PM10 hour among the 24 that end with each PM10 24 h mean, where 20 or more are there."""
    means, hours = m.block("pub:PM10_24h"), m.block("PM10", "1h")
    high, low = np.full(len(means), np.nan), np.full(len(means), np.nan)
    if not len(means) or len(hours) < 20:
        return means, high, low
    series = pd.DataFrame(
        {"place": m.place[m.row_of[hours]], "stamp": m.stamp[m.row_of[hours]], "value": m.value[hours]}
    )
    series = series[series["stamp"] != NOT_A_TIME].drop_duplicates(["place", "stamp"]).sort_values(["place", "stamp"])
    times = pd.to_datetime(series["stamp"], unit="us")
    rolled = series.assign(time=times).set_index("time").groupby("place")["value"].rolling("24h", min_periods=20)
    tops, floors = rolled.max().to_numpy(), rolled.min().to_numpy()
    index = pd.MultiIndex.from_arrays([series["place"], series["stamp"]])
    wanted = pd.MultiIndex.from_arrays([m.place[m.row_of[means]], m.stamp[m.row_of[means]]])
    at = index.get_indexer(wanted)
    high, low = np.where(at >= 0, tops[at], np.nan), np.where(at >= 0, floors[at], np.nan)
    return means, high, low


@result_feature
def pm10_hours_high(m: Measure) -> np.ndarray:
    """Highest hour of the 24 that a published PM10 24 h mean covers."""
    out = np.full(len(m.results), np.nan)
    means, high, _ = _hours_of_day(m)
    out[means] = high
    return out


@result_feature
def pm10_below_hours(m: Measure) -> np.ndarray:
    """How far a published PM10 24 h mean lies below the lowest of its hours."""
    out = np.full(len(m.results), np.nan)
    means, _, low = _hours_of_day(m)
    out[means] = low - m.value[means]
    return out


@result_feature
def run_length(m: Measure) -> np.ndarray:
    """Length of the run of equal values (in succession, of one place and parameter) that a result stands in."""
    out = np.ones(len(m.results))
    for block in m.series:
        row = m.row_of[block]
        value, place = m.value[block], m.place[row]
        change = np.ones(len(block), dtype=bool)
        change[1:] = (place[1:] != place[:-1]) | ~(value[1:] == value[:-1])
        run = np.cumsum(change) - 1
        stamp = m.stamp[row]
        fresh = np.ones(len(block))
        fresh[1:] = change[1:] | (stamp[1:] != stamp[:-1])  # a record that stands twice is not a longer run
        out[block] = np.bincount(run, weights=fresh)[run]
    return out


@result_feature
def spike_ratio(m: Measure) -> np.ndarray:
    """Value over the greater of its two neighbours in time (within 3 h), where all three are above the noise."""
    out = np.full(len(m.results), np.nan)
    names = _names(m)
    for block in m.series:
        if len(block) < 3:
            continue
        fact = parameters().get(names[m.parameter[block[0]]])
        floor = (fact.plausible_max or 0.0) / 100 if fact else 0.0
        row = m.row_of[block]
        value, place, stamp = m.value[block], m.place[row], m.stamp[row]
        near = (place[2:] == place[:-2]) & (
            stamp[2:] - stamp[:-2] <= 6 * HOUR * (4 if m.batch.dataset == "water" else 1)
        )
        highest = np.maximum(np.maximum(value[:-2], value[2:]), floor)
        ratio = np.full(len(block), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio[1:-1] = np.where(near & (highest > 0), value[1:-1] / highest, np.nan)
        out[block] = ratio
    return out


@row_feature
def gap_hours(m: Measure) -> np.ndarray:
    """Hours since the row before of the same place, in a layout of hourly values.

    Missing for the first of a place, and beyond a year: that is a slip of the stamp, no gap.
    """
    out = np.full(len(m.rows), np.nan)
    if m.batch.layout.time is None or m.batch.layout.time.period != "1h":
        return out
    order = m.row_order
    place, stamp = m.place[order], m.stamp[order]
    gap = np.full(len(order), np.nan)
    same = (place[1:] == place[:-1]) & (stamp[1:] != NOT_A_TIME) & (stamp[:-1] != NOT_A_TIME)
    with np.errstate(over="ignore"):
        hours = (stamp[1:] - stamp[:-1]) / HOUR
    gap[1:] = np.where(same & (hours <= 366 * 24), hours, np.nan)
    out[order] = gap
    return out


@result_feature
def limit_status(m: Measure) -> pd.Categorical:
    """Tell results below the detection limit that came without it."""
    below = (m.results["qualifier"] == "<").to_numpy()
    bare = np.isnan(m.results["detection_limit"].to_numpy())
    return coded((below & bare).astype(np.int8), ["", "no-limit"])

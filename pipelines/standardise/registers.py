"""Registers: ratings, penalties and experts, one record per row.

Each field is read once per distinct text; beside each stands a status that says why it could not be read. Names and
codes are folded, never corrected; a native level stays as written.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd

from pipelines.batch import BrokenLine, Recognised, StandardBatch
from pipelines.frames import coded, stacked
from pipelines.standardise import times
from pipelines.standardise.results import read_number
from pipelines.standardise.text import TextColumn, categorical
from schemas.files import fold
from schemas.identifiers import identity_check, mask, read_uscc
from schemas.layouts import Layout
from schemas.loaders import Bureau, Table, find_level, find_scheme, scheme_in_force, tables
from schemas.personal import mask_name, mask_phone, without_numbers
from schemas.states import find_rating_state

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_PRIVATE = re.compile(r"[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_YEAR = re.compile(r"^(\d{4})\s*(?:年度?|年第.*)?$")
_FINE = re.compile(r"^(?:人民币)?(?P<n>[\d,.]+)\s*(?P<w>万|亿)?元?(?:整)?(?:\(.*\))?$")
_QUALIFIED = re.compile(r"^\((?P<word>[^()]*)\)\s*(?P<date>.+)$")
_TIMES = {"万": 1e4, "亿": 1e8, None: 1.0}
EXPERTS = Table("experts", "专家", "experts", (), (), None, (), "design of the exchange §3")


class Fields:
    """The columns of a register by field name; an absent field reads as blank."""

    def __init__(self, found: Recognised, columns: dict[int, TextColumn], size: int) -> None:
        self.size = size
        self.layout: Layout = found.layout
        self.typed = found.sheet.typed
        self.by_name = {c.field: columns[c.position] for c in found.columns if c.field}

    def column(self, name: str) -> TextColumn:
        """Give a column by its field."""
        found = self.by_name.get(name)
        if found is not None:
            return found
        return TextColumn.constant(str(self.layout.fixed.get(name, "")), self.size)

    def text(self, name: str) -> pd.Categorical:
        """Give the folded texts of a column."""
        return self.column(name).category()

    def dates(self, name: str) -> tuple[np.ndarray, pd.Categorical]:
        """Read a date column to microseconds and a status."""
        column = self.column(name)
        assert self.layout.time is not None
        texts, qualified = [], []
        for text in column.texts:
            match = _QUALIFIED.match(fold(text))
            texts.append(match["date"] if match else text)
            qualified.append(match is not None)
        texts = [
            re.sub(r"^(\S+)\s+\d{1,2}:\d{2}$", r"\1", fold(t)) if q else t
            for t, q in zip(texts, qualified, strict=True)
        ]
        read = times.read_times(texts, self.layout.time.formats, typed=self.typed, hour24=False)
        status = [
            "qualified" if word == "" and q else word for word, q in zip(read.status.tolist(), qualified, strict=True)
        ]
        return read.micros[column.codes], categorical(status, column.codes)


def read_register(
    found: Recognised, columns: dict[int, TextColumn], rows: np.ndarray, bureau: Bureau, received: dt.date
) -> StandardBatch:
    """Read a sheet of records of the layout's dataset.

    Parameters
    ----------
    found : Recognised
        The sheet and its layout.
    columns : dict of int to TextColumn
        Columns by position, for the records kept.
    rows : ndarray of int32
        Excel row numbers of those records.
    """
    size = len(rows)
    fields = Fields(found, columns, size)
    frame: dict[str, object] = {
        "source_row": rows.astype(np.int32),
        "sheet": coded(np.zeros(size, np.int8), [found.sheet.name or ""]),
        "record_status": _record_status(found, rows),
    }
    reader = {"credit": _ratings, "penalty": _penalties, "experts": _experts}[found.layout.dataset]
    frame |= reader(fields, bureau)
    data = pd.DataFrame(frame)
    if found.sheet.broken:
        data = _with_broken(data, found.sheet.broken, shown=not found.layout.personal)
    table = tables().get(found.layout.table, EXPERTS)
    results = pd.DataFrame({"row": np.arange(len(data), dtype=np.int32)})
    if found.sheet.broken:
        results = results.iloc[:size].reset_index(drop=True)
    return StandardBatch(
        found.layout.dataset,
        table,
        found.layout,
        bureau.bureau,
        data,
        results,
        found.columns,
        0,
        (),
        _answers(found, rows, columns),
    )


def _answers(found: Recognised, rows: np.ndarray, columns: dict[int, TextColumn]) -> dict[tuple[int, str], str]:
    if found.answer_column is None:
        return {}
    texts = [fold(t or "") for t in found.sheet.cells.column(found.answer_column).to_pylist()]
    at = {int(number): text for number, text in zip(found.sheet.rows.tolist(), texts, strict=True)}
    return {(int(row), ""): at[int(row)] for row in rows.tolist() if at.get(int(row))}


def _record_status(found: Recognised, rows: np.ndarray) -> pd.Categorical:
    keys = {c.position for c in found.columns if c.field and c.field != "remark"}
    bad = {m.row for m in found.sheet.marks if m.column in keys and m.kind not in ("percent", "formula", "font-colour")}
    return coded(np.isin(rows, list(bad)).astype(np.int8), ["", "bad-cell"])


def _with_broken(frame: pd.DataFrame, broken: tuple[BrokenLine, ...], *, shown: bool) -> pd.DataFrame:
    extra: dict[str, object] = {}
    for name in frame.columns:
        kind: Any = frame[name].dtype
        if name == "source_row":
            extra[name] = np.array([b.row for b in broken], dtype=np.int32)
        elif name == "record_status":
            extra[name] = pd.Categorical(["broken"] * len(broken))
        elif name in ("name_text", "enterprise_name", "party_name"):
            # nobody knows which part of a broken record is somebody's number
            extra[name] = pd.Categorical([b.text[:200] if shown else "***" for b in broken])
        elif isinstance(kind, pd.CategoricalDtype):
            extra[name] = pd.Categorical([""] * len(broken))
        elif kind.kind in "iu":
            extra[name] = np.full(len(broken), times.NOT_A_TIME if kind.itemsize == 8 else 0, dtype=kind)
        else:
            extra[name] = np.full(len(broken), np.nan)
    other = pd.DataFrame(extra)
    joined = {}
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            joined[name] = pd.Series(stacked([frame[name].array, other[name].array]))
        else:
            joined[name] = pd.concat([frame[name], other[name]], ignore_index=True)
    return pd.DataFrame(joined)


def name_status(text: str) -> str:
    """Judge a registered name: ``""``, ``missing``, ``too-short``, ``too-long``, ``no-han``, ``private`` or ``control``."""
    folded = fold(text)
    if not folded:
        return "missing"
    if len(folded) < 2:
        return "too-short"
    if len(folded) > 120:
        return "too-long"
    if _PRIVATE.search(folded):
        return "private"
    if not _HAN.search(folded):
        return "no-han"
    visible = text.strip(" \t\r\n\u3000\u00a0")
    if "\ufffd" in visible:
        return "private"
    return (
        "control"
        if any(ord(c) < 32 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" for c in visible)
        else ""
    )


def _name(fields: Fields, field: str) -> dict[str, object]:
    column = fields.column(field)
    return {
        field: column.category(),
        "name_text": column.category(),
        "name_status": categorical([name_status(t) for t in column.texts], column.codes),
    }


def _uscc(fields: Fields, field: str = "uscc") -> dict[str, object]:
    column = fields.column(field)
    read = [read_uscc(text) for text in column.texts]
    return {
        "uscc": categorical([u.code if u.status in ("valid", "pilot", "permit") else "" for u in read], column.codes),
        "uscc_status": categorical([u.status for u in read], column.codes),
        "uscc_text": categorical([u.text for u in read], column.codes),
        "uscc_part": categorical(
            ["foreign-kind" if u.code[:1] == "1" and u.status == "valid" else "" for u in read], column.codes
        ),
    }


def _pair_status(name: Any, code: Any) -> pd.Categorical:
    """Tell names that stand under two codes, and codes that stand under two names."""
    frame = pd.DataFrame({"name": name.astype("str"), "code": code.astype("str")})
    given = frame["code"] != ""
    per_name = frame[given].groupby("name")["code"].nunique()
    per_code = frame[given].groupby("code")["name"].nunique()
    status = np.zeros(len(frame), dtype=np.int8)
    status[(frame["name"].map(per_name).fillna(0).to_numpy() > 1) & given.to_numpy()] = 1
    status[(frame["code"].map(per_code).fillna(0).to_numpy() > 1) & given.to_numpy()] = 2
    return coded(status, ["", "two-codes", "two-names"])


def _repeats(frame: dict[str, object], key: list[str], content: list[str]) -> pd.Categorical:
    """Tell records whose key stands twice: ``repeated`` if all is the same, else ``conflict``."""
    data = pd.DataFrame({name: pd.Series(frame[name]).astype("str") for name in dict.fromkeys(key + content)})
    status = np.zeros(len(data), dtype=np.int8)
    again = data.duplicated(key, keep=False).to_numpy()
    if again.any():
        groups = data[again].groupby(key, sort=False)
        distinct = groups[content].nunique(dropna=False).max(axis=1)
        sizes = pd.MultiIndex.from_frame(data[again][key]) if len(key) > 1 else data[again][key[0]]
        conflict = distinct.reindex(sizes).to_numpy() > 1
        first = ~data[again].duplicated(key).to_numpy()
        marks = np.where(conflict, 2, np.where(first, 0, 1))
        status[np.flatnonzero(again)] = marks
    return coded(status, ["", "repeated", "conflict"])


def _days(later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Days between two instants; missing where either is."""
    good = (later != times.NOT_A_TIME) & (earlier != times.NOT_A_TIME)
    out = np.full(len(later), np.nan)
    out[good] = (later[good] - earlier[good]) / times.DAY
    return out


def _ratings(fields: Fields, bureau: Bureau) -> dict[str, object]:
    frame = _name(fields, "enterprise_name") | _uscc(fields)
    frame["name_pair_status"] = _pair_status(frame["enterprise_name"], frame["uscc"])  # type: ignore[arg-type]
    years = fields.column("rated_year")
    matches = [_YEAR.match(text) for text in years.folded]
    year = np.array([float(m[1]) if m else np.nan for m in matches])
    frame["year_text"] = years.category()
    frame["rated_year"] = year[years.codes]
    frame["year_status"] = categorical(
        ["" if m else ("missing" if not t else "unreadable") for m, t in zip(matches, years.folded, strict=True)],
        years.codes,
    )
    published, frame["published_status"] = fields.dates("published_date")
    until, frame["valid_status"] = fields.dates("valid_until")
    frame["published_date"], frame["valid_until"] = published, until
    frame["published_text"], frame["valid_text"] = fields.text("published_date"), fields.text("valid_until")
    frame["valid_days"] = _days(until, published)
    local = (published + times.CST_MICROS).astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970
    after = np.where(published == times.NOT_A_TIME, np.nan, local.astype(float)) - np.asarray(frame["rated_year"])
    frame["published_after_year"] = after
    frame |= _levels(fields, bureau, np.asarray(frame["rated_year"]))
    for name in ("issuer", "tier", "county", "site", "veto", "remark", "colour"):
        frame[name] = fields.text(name)
    if not bureau.open_issuers:
        frame["issuer"] = fields.column("issuer").category(lambda text: text or bureau.name_zh)
    state = fields.column("state_text")
    read = [
        find_rating_state(text) if text else str(fields.layout.fixed.get("state", "final")) for text in state.folded
    ]
    frame["state"] = categorical([word or "" for word in read], state.codes)
    frame["state_text"] = state.category()
    frame["state_status"] = categorical(["" if word else "unknown" for word in read], state.codes)
    uscc, names = frame["uscc"], frame["enterprise_name"]
    frame["subject"] = _subject(uscc, names)  # type: ignore[arg-type]
    frame["repeat_status"] = _repeats(
        frame,
        ["subject", "scheme", "issuer", "tier", "rated_year", "site"],
        ["level_text", "score", "state", "published_date", "valid_until", "veto", "enterprise_name"],
    )
    return frame


def _subject(uscc: pd.Categorical, name: pd.Categorical) -> Any:
    codes, names = np.asarray(uscc, dtype=object), np.asarray(name, dtype=object)
    return pd.Categorical(np.where(codes != "", codes, names))


def _levels(fields: Fields, bureau: Bureau, rated_year: np.ndarray) -> dict[str, object]:
    """Read scheme, level and score together: a level means something only in its scheme."""
    scheme_column, level_column, score_column, veto_column = (
        fields.column(name) for name in ("scheme_text", "level_text", "score", "veto")
    )
    scores = [read_number(text) if text else None for text in score_column.folded]
    size = fields.size
    out: dict[str, list[object]] = {
        name: [] for name in ("scheme", "scheme_status", "level_code", "level_status", "band_status")
    }
    seen: dict[tuple[object, ...], tuple[str, ...]] = {}
    for at in range(size):
        text, level = scheme_column.folded[scheme_column.codes[at]], level_column.folded[level_column.codes[at]]
        score = scores[score_column.codes[at]]
        veto = bool(veto_column.folded[veto_column.codes[at]])
        year = int(rated_year[at]) if rated_year[at] == rated_year[at] else None
        key = (text, level, score, veto, year)
        if key not in seen:
            seen[key] = _level(text, level, score, veto, year, bureau)
        for name, word in zip(out, seen[key], strict=True):
            out[name].append(word)
    frame: dict[str, object] = {name: pd.Categorical(words) for name, words in out.items()}
    frame["scheme_text"], frame["level_text"] = scheme_column.category(), level_column.category()
    frame["score"] = np.array([np.nan if s is None else s for s in scores])[score_column.codes]
    frame["score_text"] = score_column.category()
    frame["score_status"] = categorical(
        ["unreadable" if s is None and t else "" for s, t in zip(scores, score_column.folded, strict=True)],
        score_column.codes,
    )
    return frame


def _level(
    text: str, level: str, score: float | None, veto: bool, year: int | None, bureau: Bureau
) -> tuple[str, str, str, str, str]:
    """Find scheme and level of one rating: scheme, its status, level code, its status, band status."""
    status = ""
    if text:
        scheme = find_scheme(text, year)
        if scheme is None and not bureau.open_issuers:
            return text, "unknown", "", "" if level else "missing", ""
        if scheme is None:
            return text, "", level, "native" if level else "missing", ""
        if not bureau.open_issuers and scheme.division[:2] not in (bureau.division[:2], "00"):
            status = "foreign"
        elif (
            year is not None
            and scheme.first_rated_year
            and not (scheme.first_rated_year <= year <= (scheme.last_rated_year or 9999))
        ):
            status = "not-in-force"
    else:
        scheme = scheme_in_force(bureau.division, year) if year is not None else None
        if scheme is None:
            scheme = scheme_in_force(bureau.division, dt.date(year, 12, 31)) if year and 1 <= year <= 9999 else None
        if scheme is None:
            return "", "unknown" if year is not None else "", "", "" if level else "missing", ""
    if not level:
        return scheme.scheme, status, "", "missing", ""
    found = find_level(scheme.scheme, level)
    if found is None:
        return scheme.scheme, status, "", "unknown", ""
    band = ""
    if score is not None:
        fits = [
            one for one in scheme.levels
            if (one.score_min is None or score >= one.score_min) and (one.score_max is None or score < one.score_max)
            and (one.score_min is not None or one.score_max is not None)
        ]  # fmt: skip
        if fits and fits[0].level_code != found.level_code:
            band = "veto" if veto else "differs"
    return scheme.scheme, status, found.level_code, "", band


def read_fine(text: str) -> float | None:
    """Read a fine in yuan.

    Examples
    --------
    >>> read_fine("1万元"), read_fine("7,200.00元(大写:柒仟贰佰元整)")
    (10000.0, 7200.0)
    """
    match = _FINE.match(re.sub(r"\s", "", fold(text)))
    number = read_number(match["n"]) if match else read_number(fold(text))
    return None if number is None else float(f"{number * _TIMES[match['w'] if match else None]:.15g}")


def _penalties(fields: Fields, bureau: Bureau) -> dict[str, object]:
    frame = _name(fields, "party_name") | _uscc(fields)
    frame["name_pair_status"] = _pair_status(frame["party_name"], frame["uscc"])  # type: ignore[arg-type]
    number = fields.column("decision_number")
    tidy = [re.sub(r"\s+", "", text) for text in number.folded]
    frame["decision_number"] = categorical(tidy, number.codes)
    frame["number_text"] = number.category()
    frame["number_status"] = categorical(["" if t else "missing" for t in tidy], number.codes)
    act, frame["act_status"] = fields.dates("act_date")
    decision, frame["decision_status"] = fields.dates("decision_date")
    frame["act_date"], frame["decision_date"] = act, decision
    frame["act_text"], frame["decision_text"] = fields.text("act_date"), fields.text("decision_date")
    frame["act_to_decision"] = _days(decision, act)
    fine = fields.column("fine_yuan")
    blank = ("", "/", "-", "--", "—", "无")
    read = [None if t in blank else read_fine(t) for t in fine.folded]
    frame["fine_yuan"] = np.array([np.nan if v is None else v for v in read])[fine.codes]
    frame["fine_text"] = fine.category()
    frame["fine_status"] = categorical(
        ["unreadable" if v is None and t not in blank else "" for v, t in zip(read, fine.folded, strict=True)],
        fine.codes,
    )
    for name in (
        "violation",
        "legal_basis",
        "penalty_text",
        "authority",
        "repair_state",
        "remark",
        "decision_kind",
        "site",
    ):
        frame[name] = fields.text(name)
    frame["subject"] = _subject(frame["uscc"], frame["party_name"])  # type: ignore[arg-type]
    frame["repeat_status"] = _repeats(
        frame,
        ["subject", "decision_number"],
        [
            "violation",
            "penalty_text",
            "fine_yuan",
            "act_date",
            "decision_date",
            "authority",
            "repair_state",
            "party_name",
        ],
    )
    return frame


def _experts(fields: Fields, bureau: Bureau) -> dict[str, object]:
    """Read an expert list; personal numbers leave this room only as their masks."""
    name = fields.column("name")
    identity, phone = fields.column("identity_number"), fields.column("phone")
    states = [read_uscc(text).status if text else "none" for text in identity.folded]
    certificate, frame_status = fields.dates("certificate_until")
    return {
        "name_text": name.category(mask_name),
        "name_status": categorical(
            ["missing" if not t else ("too-short" if len(t) < 2 else "") for t in name.folded], name.codes
        ),
        "identity_text": identity.category(mask),
        "identity_status": categorical(
            [_identity_status(t, s) for t, s in zip(identity.folded, states, strict=True)], identity.codes
        ),
        "phone_text": phone.category(mask_phone),
        "phone_status": categorical(
            ["" if not t or re.fullmatch(r"1\d{10}", t) else "unreadable" for t in phone.folded], phone.codes
        ),
        # a cell pushed into the wrong column may hold a number too
        "specialty_text": fields.column("specialty").category(without_numbers),
        "specialty_status": categorical(
            ["" if t else "missing" for t in fields.column("specialty").folded], fields.column("specialty").codes
        ),
        "uscc_status": _uscc(fields, "employer_uscc")["uscc_status"],
        "uscc_text": fields.column("employer_uscc").category(_shown_code),
        "certificate_until": certificate,
        "certificate_status": frame_status,
        "certificate_text": fields.column("certificate_until").category(without_numbers),
    }


def _shown_code(text: str) -> str:
    shown = read_uscc(text).text
    return shown if len(shown) == 18 else without_numbers(shown)


def _identity_status(text: str, status: str) -> str:
    if not text:
        return "missing"
    if status == "resident-id":
        number = text.upper()
        wrong = len(number) == 18 and identity_check(number) != number[17]
        return "failing" if wrong else ""
    return "failing" if re.fullmatch(r"\d{17}[\dXx]", text) else "other"

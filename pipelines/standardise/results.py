"""Text to value: the one number parser of the exchange.

Works on distinct texts. What is written stays: the caller keeps the text beside the number.
References: HJ 91.2-2022 and HJ/T 166-2004 for ``L``, ``ND`` and 未检出; ``reference/censored_values.md``.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.files import fold
from schemas.loaders import find_unit

_PLAIN = r"^[+-]?[0-9]+(\.[0-9]+)?$"
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?"
_POWER = re.compile(
    rf"^(?P<m>{_NUMBER})(?:[eE](?P<e>[+-]?\d{{1,3}})|\s*[×xX*·]\s*10(?:\^?\(?(?P<p>[+-]?\d{{1,3}})\)?|(?P<s>[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)))?$"
)
_SUPERSCRIPT = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_NOT_DETECTED = re.compile(
    r"^(?:ND|N\.D\.?|未检出|未检测出|低于检出限)(?:\((?:<)?(?P<limit>[^()]+)\))?$", re.IGNORECASE
)
_LIMIT_ND = re.compile(r"^(?P<limit>[^()]+?)\((?:ND|L|未检出)\)$", re.IGNORECASE)
_TRAILING_L = re.compile(r"^(?P<limit>[^lL]+?)\s*[lL]$")
_LEADING_L = re.compile(r"^L\s*(?P<limit>[\d.].*)$")  # a small l before digits is as likely a one
_SIGNS = {"<": "<", "≤": "<", "〈": "<", ">": ">", "≥": ">=", "〉": ">"}
_UNROUNDED = "原始值："
"""How reading writes the unrounded number that a publisher gives behind the one it shows."""
_WITH_UNIT = re.compile(
    r"^(?P<result>[<>≤≥]?\s*[+-]?[\d.,]+(?:\s*[×xX*]\s*10\^?[+-]?\d+)?)\s*(?P<unit>[^\d\s.,<>*#+=()~-].*)$"
)
_PUBLISHER_NOTE = re.compile(r"^(?P<shown>[^（]*)（(?P<note>[^）]*)）$")


def read_number(text: str) -> float | None:
    """Read one folded text as a plain number; ``None`` where it is not one.

    Full-width digits must be folded before; ``1_000``, Arabic-Indic digits, ``35O``, ``4. 122``, ``inf`` and ``nan``
    are not numbers.

    Examples
    --------
    >>> [read_number(t) for t in ("35", "1,234.5", "1.2×10^3", "1.2E+03", "35O", "4. 122", "1_000", "12,34")]
    [35.0, 1234.5, 1200.0, 1200.0, None, None, None, None]
    """
    match = _POWER.match(text.replace("−", "-"))
    if match is None or not any(c.isdigit() for c in match["m"]):
        return None
    if not text.isascii() and any(c.isdigit() and not c.isascii() and c not in "⁰¹²³⁴⁵⁶⁷⁸⁹" for c in text):
        return None
    power = match["e"] or match["p"] or (match["s"].translate(_SUPERSCRIPT) if match["s"] else "0")
    try:
        number = Decimal(match["m"].replace(",", "")) * (Decimal(10) ** int(power))
    except (InvalidOperation, ValueError):
        return None
    value = float(number)
    return value if np.isfinite(value) else None


def _read_one(text: str) -> tuple[float, str, float, str, str]:
    """Read one folded text: value, qualifier, detection limit, status, proposal."""
    nan = float("nan")
    shown = _PUBLISHER_NOTE.match(text)
    if shown:
        text = fold(shown["shown"]) if shown["note"].startswith(_UNROUNDED) else fold(text)
    value = read_number(text)
    if value is not None:
        return value, "", nan, "", ""
    match = _NOT_DETECTED.match(text)
    if match:
        if match["limit"] is None:
            return nan, "<", nan, "", ""
        limit = read_number(fold(match["limit"]))
        return (nan, "<", limit, "", "") if limit is not None else (nan, "", nan, "unreadable", "")
    sign = _SIGNS.get(text[:1])
    if sign:
        number = read_number(text[1:].lstrip("=").strip())
        if number is None:
            return nan, "", nan, "unreadable", ""
        return (nan, "<", number, "", "") if sign == "<" else (number, sign, nan, "", "")
    for pattern in (_LIMIT_ND, _TRAILING_L, _LEADING_L):
        match = pattern.match(text)
        if match:
            limit = read_number(match["limit"].strip())
            if limit is not None and limit >= 0:
                return nan, "<", limit, "", ""
    if text[-1:] in "*#":
        value = read_number(text[:-1].strip())
        if value is not None:
            return value, "", nan, "marked", ""
    return nan, "", nan, "unreadable", _proposal(text)


def split_cell_unit(text: str) -> tuple[str, str] | None:
    """Split a folded cell that carries its unit; ``None`` where what follows the number is no unit.

    ``L`` after a number is the mark of a non-detect, not the litre.

    Examples
    --------
    >>> split_cell_unit("0.035 mg/m3"), split_cell_unit("35吨左右"), split_cell_unit("0.05L")
    (('0.035', 'mg/m3'), None, None)
    """
    match = _WITH_UNIT.match(text)
    if match is None or match["unit"].lower() == "l" or find_unit(match["unit"]) is None:
        return None
    return match["result"].strip(), match["unit"]


def _proposal(text: str) -> str:
    """Say what may have been meant, for the message only."""
    for tried in (
        text.replace(" ", ""),
        text.replace("O", "0").replace("o", "0"),
        text.replace(",", ".").replace("，", "."),
        text.replace("..", "."),
        text.replace("l", "1").replace("I", "1"),
    ):
        if tried != text and read_number(tried) is not None:
            return tried
    return ""


def read_results(written: pd.Series, missing: tuple[str, ...] = ("",)) -> pd.DataFrame:
    """Read results as written into value, qualifier and detection limit.

    Parameters
    ----------
    written : Series of str, shape (n,)
        Distinct results as written, e.g. ``"0.52"``, ``"0.025L"``; folded here.
    missing : tuple of str
        Texts that mean "no result" in this layout. A marker that is a number (``-999``) also matches its other
        spellings (``-999.0``).

    Returns
    -------
    DataFrame, shape (n, 7), index of ``written``
        value : float64, in the unit the layout gives; missing if censored (未检出)
        qualifier : str, a code of ``vocabularies/qualifiers.csv``
        detection_limit : float64, same unit; missing unless censored with its limit
        status : str, ``""``, ``missing``, ``marked`` (a foot-note sign follows the number) or ``unreadable``
        proposal : str, what an unreadable text may have meant; for messages only
        unit : str, the unit that stands in the cell itself (``35 μg/m3``); the number is still in that unit
        notation : bool, read from another notation than plain digits (``1,234``, ``1.2×10^3``, full-width)

    Raises
    ------
    TypeError
        ``written`` holds numbers: the digits as written are already lost.

    References
    ----------
    HJ 91.2-2022: below the method detection limit, report the limit and "L".

    Examples
    --------
    >>> out = read_results(pd.Series(["0.52", "0.025L", "见附件", "/"]), ("", "/"))
    >>> out["status"].tolist(), out["qualifier"].tolist(), out["detection_limit"].tolist()[1]
    (['', '', 'unreadable', 'missing'], ['', '<', '', ''], 0.025)
    """
    texts = written.tolist()
    if any(not isinstance(text, str) for text in texts):
        raise TypeError("results must be text: the digits as written are already lost")
    size = len(texts)
    array = pa.array(texts, pa.string())
    plain = pc.match_substring_regex(array, _PLAIN).to_numpy(zero_copy_only=False).astype(bool)
    value = np.full(size, np.nan)
    if plain.any():
        value[plain] = pc.cast(array.filter(pa.array(plain)), pa.float64()).to_numpy(zero_copy_only=False)
    qualifier = np.full(size, "", dtype=object)
    limit = np.full(size, np.nan)
    status = np.full(size, "", dtype=object)
    proposal = np.full(size, "", dtype=object)
    unit = np.full(size, "", dtype=object)
    markers = {fold(marker) for marker in missing}
    numbers = {number for marker in markers if (number := read_number(marker)) is not None}
    if numbers:
        status[np.isin(value, list(numbers))] = "missing"
    for at in np.flatnonzero(~plain):
        text = fold(texts[at])
        shown = _PUBLISHER_NOTE.match(texts[at])
        if text in markers or (shown and fold(shown["shown"]) in markers):
            status[at] = "missing"
            continue
        value[at], qualifier[at], limit[at], status[at], proposal[at] = _read_one(
            fold(texts[at]) if not shown else texts[at]
        )
        if status[at] == "unreadable":
            inside = split_cell_unit(text)
            if inside is not None:
                value[at], qualifier[at], limit[at], status[at], proposal[at] = _read_one(inside[0])
                unit[at] = inside[1] if status[at] == "" else ""
        if value[at] in numbers:
            status[at] = "missing"
    value[status == "missing"] = np.nan
    return pd.DataFrame(
        {
            "value": value,
            "qualifier": qualifier,
            "detection_limit": limit,
            "status": status,
            "proposal": proposal,
            "unit": unit,
            "notation": ~plain & (status == "") & (qualifier == ""),
        },
        index=written.index,
    )


def statistic_value(qualifier: str, value: float, detection_limit: float) -> float:
    """Give the value that enters statistics: half the detection limit of a result below it.

    Half of the limit takes part in statistics (环办监测函〔2020〕82号 item 7; HJ/T 166-2004 11.3); missing where a
    non-detect came without its limit.

    Examples
    --------
    >>> statistic_value("<", float("nan"), 0.004)
    0.002
    """
    return detection_limit / 2 if qualifier == "<" else value


def compare_with_limit(qualifier: str, value: float, detection_limit: float, limit: float, direction: str) -> str:
    """Compare one result with a limit: ``meets``, ``exceeds`` or ``undecidable``.

    A non-detect meets an upper limit only if its detection limit is at or below it; of a lower limit (dissolved
    oxygen) the opposite holds (``reference/censored_values.md``, comparison).

    Examples
    --------
    >>> compare_with_limit("<", float("nan"), 0.06, 0.05, "<=")
    'undecidable'
    """
    if qualifier == "<":
        if not detection_limit == detection_limit:
            return "undecidable"
        if direction == "<=":
            return "meets" if detection_limit <= limit else "undecidable"
        return "exceeds" if detection_limit <= limit else "undecidable"
    if qualifier in (">", ">="):
        if direction == "<=":
            return "exceeds" if value > limit or (qualifier == ">" and value >= limit) else "undecidable"
        return "meets" if value >= limit else "undecidable"
    ok = value <= limit if direction == "<=" else value >= limit
    return "meets" if ok else "exceeds"

"""Codes that name an enterprise, a division or a station: fold, read, refuse.

The unified social credit code is GB 32100-2015: a registering department, a kind, a division (6 digits), an
organisation code (GB 11714, 9 characters) and a check character over an alphabet without I, O, S, V, Z. A code is never
corrected: it is read as far as it goes and its state is said. Resident identity numbers (GB 11643) that stand where a
code should stand are personal; only their mask leaves this module.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

from schemas.files import fold, once
from schemas.places import regions

USCC_STATUSES = (
    "valid",
    "failing",
    "pilot",
    "masked",
    "permit",
    "resident-id",
    "registration",
    "organisation",
    "malformed",
    "none",
)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_BASE36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_LABEL = re.compile(r"^\(?(统一社会信用代码|营业执照注册号|工商注册号|注册号|组织机构代码|排污许可证编号|信用代码)\)?:")
_NOTHING = ("", "-", "--", "---", "/", "无", "—", "——", "NULL", "N/A", "NA")


@dataclass(frozen=True, slots=True)
class Uscc:
    """A code as it was read.

    Attributes
    ----------
    text : str
        Folded text, fit to be kept and shown: a resident identity number only as its mask.
    status : str
        One of ``USCC_STATUSES``.
    code : str
        The 18 characters where there are any that name an enterprise (``valid``, ``pilot``, ``permit`` and, as
        written, ``failing``), else ``""``.
    reason_zh, reason_en : str
        What is wrong or special; ``""`` for ``valid``.
    """

    text: str
    status: str
    code: str
    reason_zh: str
    reason_en: str

    @property
    def usable(self) -> bool:
        """Whether the code may identify an enterprise across the exchange."""
        return self.status in ("valid", "pilot", "permit")


def check_character(code: str) -> str:
    """Compute the GB 32100-2015 check character of the first 17 characters.

    Examples
    --------
    >>> check_character("91350100M000100Y4")
    '3'
    """
    total = sum(USCC_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return USCC_ALPHABET[-total % 31]


def organisation_check(code: str) -> str:
    """Compute the GB 11714 check character of the first 8 characters."""
    total = sum(_BASE36.index(char) * weight for char, weight in zip(code, _ORGANISATION_WEIGHTS, strict=False))
    rest = 11 - total % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def registration_check(code: str) -> str:
    """Compute the ISO 7064 MOD 11,10 check digit of the first 14 digits of a registration number."""
    rest = 10
    for char in code[:14]:
        rest = ((rest + int(char)) % 10 or 10) * 2 % 11
    return str((11 - rest) % 10)


def identity_check(code: str) -> str:
    """Compute the GB 11643 (ISO 7064 MOD 11-2) check character of the first 17 digits."""
    total = sum(int(char) * pow(2, 17 - place, 11) for place, char in enumerate(code[:17]))
    return "10X98765432"[total % 11]


def mask(text: str) -> str:
    """Hide all but the first three and the last four characters.

    Examples
    --------
    >>> mask("510703199001011234")
    '510***********1234'
    """
    return text[:3] + "*" * max(len(text) - 7, 0) + text[-4:] if len(text) > 7 else "*" * len(text)


def is_resident_id(code: str) -> bool:
    """Tell whether a folded text is a resident identity number, or so close to one that it must be masked.

    A valid date of birth with either a right check character or a known province, or a known province and a year where
    a code has no division: a number with one wrong digit is still somebody's.
    """
    if re.fullmatch(r"\d{17}[\dX]", code):
        born, local = _is_birth_date(code[6:14]), code[:2] in _provinces()
        mistyped = local and code[6:8] in ("19", "20") and code[2:4] not in _provinces()
        return mistyped or (born and (local or identity_check(code) == code[17]))
    return bool(re.fullmatch(r"\d{15}", code)) and _is_birth_date("19" + code[6:12]) and code[:2] in _provinces()


def _is_birth_date(text: str) -> bool:
    if not text.startswith(("19", "20")):
        return False
    try:
        dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


@once
def _provinces() -> frozenset[str]:
    return frozenset(region.division[:2] for region in regions() if region.level == "province")


@lru_cache(maxsize=4096)  # one answer reads its code seven times
def read_uscc(text: str) -> Uscc:
    """Read what stands in a column of unified social credit codes.

    Widths, blanks, hyphens, capitals and a label before the code (``组织机构代码:``) do not count.

    Examples
    --------
    >>> read_uscc(" 91110000600037341l").status
    'valid'
    >>> read_uscc("91110000600037341N").reason_en
    'check character is N, GB 32100-2015 gives L'
    >>> read_uscc("91430102**********").status
    'masked'
    >>> read_uscc("510703199001011231").text
    '510***********1231'
    """
    shown = re.sub(r"\s+", "", fold(text)).upper()
    if shown in _NOTHING:
        return Uscc("", "none", "", "没有代码", "no code")
    code = re.sub(r"[-‐‑‒–—−]", "", _LABEL.sub("", shown))
    if "*" in code or re.search(r"X{3}", code):
        return Uscc(code, "masked", "", "代码被遮盖，无法判断", "the code is masked: unknown, not invalid")
    if len(code) == 18:
        return _read_18(code)
    if len(code) == 22 and re.fullmatch(r"[0-9A-Z]{18}\d{3}[A-Z]", code):
        return _read_permit(code)
    if re.fullmatch(r"\d{15}", code):
        return _read_15(code)
    if re.fullmatch(r"[0-9A-Z]{8}[0-9X]", code):
        return _read_9(code)
    # An identity number with something added is still one.
    hidden = re.sub(r"\d{17}[\dX]|\d{15}", lambda found: mask(found[0]) if is_resident_id(found[0]) else found[0], code)
    if hidden != code:
        return Uscc(hidden, "resident-id", "", "内含居民身份证号，已遮盖", "holds a resident identity number, masked")
    return Uscc(
        code, "malformed", "", f"应为 18 位，实为 {len(code)} 位", f"18 characters expected, {len(code)} are there"
    )


def _read_18(code: str) -> Uscc:
    fault = _structure_fault(code)
    passes = fault is None and check_character(code) == code[17]
    if is_resident_id(code) and not (passes and code[2:4] in _provinces()):
        return Uscc(
            mask(code),
            "resident-id",
            "",
            "形如居民身份证号，已遮盖，不保存",
            "looks like a resident identity number: masked",
        )
    if fault is not None:
        return Uscc(code, "malformed", "", *fault)
    if passes:
        return Uscc(code, "valid", code, "", "")
    expected = check_character(code)
    if code[8:10] == "M0":
        return Uscc(
            code,
            "pilot",
            code,
            f"第 9–10 位为 M0 的早期试点代码，校验码不符（应为 {expected}），请核对",
            f"early pilot code (M0 at 9–10): check character is {code[17]}, GB 32100-2015 gives {expected}",
        )
    if code[0].isalpha():
        return Uscc(
            code,
            "malformed",
            "",
            f"第 1 位 {code[0]} 为字母，只在校验码相符（应为 {expected}）时接受",
            f"position 1 is {code[0]}, a letter: taken only with the right check character, {expected}",
        )
    return Uscc(
        code,
        "failing",
        code,
        f"第 18 位校验码为 {code[17]}，按 GB 32100-2015 应为 {expected}",
        f"check character is {code[17]}, GB 32100-2015 gives {expected}",
    )


def _structure_fault(code: str) -> tuple[str, str] | None:
    for place, char in enumerate(code, 1):
        if char not in USCC_ALPHABET:
            return (
                f"第 {place} 位 {char!r} 不在代码字符集内（数字和不含 I、O、S、V、Z 的大写字母）",
                f"position {place} is {char!r}: digits and capitals without I, O, S, V, Z are allowed",
            )
        # The department (position 1) may be A, N or Y; the kind and the division are digits.
        if place <= 8 and not char.isdigit() and not (place == 1 and char in "ANY"):
            return f"第 {place} 位 {char} 应为数字", f"position {place} is {char}, a digit is expected"
    return None


def _read_permit(code: str) -> Uscc:
    inner = _read_18(code[:18])
    if inner.code and inner.status != "failing":
        return Uscc(
            code,
            "permit",
            inner.code,
            "排污许可证编号：前 18 位为信用代码",
            "permit number: the first 18 characters are the code",
        )
    return Uscc(
        inner.text + (code[18:] if inner.status != "resident-id" else ""),
        inner.status,
        inner.code,
        inner.reason_zh,
        inner.reason_en,
    )


def _read_15(code: str) -> Uscc:
    expected = registration_check(code)
    if expected == code[14]:
        return Uscc(
            code, "registration", "", "15 位营业执照注册号，不是信用代码", "15-digit registration number, no USCC"
        )
    if is_resident_id(code):
        return Uscc(
            mask(code),
            "resident-id",
            "",
            "形如居民身份证号，已遮盖，不保存",
            "looks like a resident identity number: masked",
        )
    return Uscc(
        code,
        "malformed",
        "",
        f"15 位注册号校验码为 {code[14]}，应为 {expected}",
        f"registration number: check digit is {code[14]}, ISO 7064 gives {expected}",
    )


def _read_9(code: str) -> Uscc:
    expected = organisation_check(code)
    if expected == code[8]:
        return Uscc(
            code, "organisation", "", "9 位组织机构代码，不是信用代码", "9-character organisation code, no USCC"
        )
    return Uscc(
        code,
        "malformed",
        "",
        f"9 位组织机构代码校验码为 {code[8]}，应为 {expected}",
        f"organisation code: check character is {code[8]}, GB 11714 gives {expected}",
    )


def read_division(text: str) -> str | None:
    """Read a division code (GB/T 2260, 6 digits; 9 or 12 with township and village), ``None`` if it is none.

    Examples
    --------
    >>> read_division("５００１０９"), read_division("北碚")
    ('500109', None)
    """
    code = re.sub(r"\s+", "", fold(text))
    return code if re.fullmatch(r"\d{6}(\d{3}(\d{3})?)?", code) and code[:2] in _provinces() else None


def read_station_code(text: str) -> str:
    """Fold a station, section or point code: widths, blanks and capitals do not count.

    Examples
    --------
    >>> read_station_code(" １４１４ａ")
    '1414A'
    """
    return re.sub(r"\s+", "", fold(text)).upper()

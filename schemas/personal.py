"""Personal texts and what may be shown of them: masks of names and numbers, and numbers found inside other texts."""

from __future__ import annotations

import re

from schemas.files import fold


def mask_name(name: str) -> str:
    """Hide all of a name but its first character.

    Examples
    --------
    >>> mask_name("张三"), mask_name("欧阳样例"), mask_name("")
    ('张*', '欧***', '')
    """
    return name[:1] + "*" * max(len(name) - 1, 0)


def mask_phone(phone: str) -> str:
    """Hide the middle of a phone number, or all of one too short to keep its ends.

    Examples
    --------
    >>> mask_phone("13800005678"), mask_phone("023-68250000"), mask_phone("1234567")
    ('138****5678', '********0000', '*******')
    """
    if len(phone) == 11:
        return f"{phone[:3]}****{phone[-4:]}"
    return "*" * (len(phone) - 4) + phone[-4:] if len(phone) > 7 else "*" * len(phone)


def mask_identity(identity: str) -> str:
    """Hide the birth date and place of an identity number, or most of another document's number.

    Examples
    --------
    >>> mask_identity("510700190001011234"), mask_identity("E12345678"), mask_identity("1234")
    ('5107**********1234', 'E*****678', '****')
    """
    if len(identity) in (15, 18):
        return f"{identity[:4]}{'*' * (len(identity) - 8)}{identity[-4:]}"
    return f"{identity[0]}{'*' * (len(identity) - 4)}{identity[-3:]}" if len(identity) >= 8 else "*" * len(identity)


def mask_bank(account: str) -> str:
    """Hide all of a bank account but its last four digits.

    Examples
    --------
    >>> mask_bank("6200000000000001234")
    '***************1234'
    """
    return "*" * (len(account) - 4) + account[-4:] if len(account) > 8 else "*" * len(account)


_NUMBER = re.compile(r"(?<![\dA-Za-z])\d(?:[\s\-]?\d){9,}(?:[\s\-]?[Xx])?(?![\dA-Za-z])")


def without_numbers(text: str) -> str:
    """Fold a text and mask phone, identity and account numbers in it, also those written in groups.

    Examples
    --------
    >>> without_numbers("周末联系 138 0000 5678，账号6200000000000001234；2026-11-01 起")
    '周末联系 138****5678,账号***************1234;2026-11-01 起'
    """
    return _NUMBER.sub(_hidden, fold(text))


def _hidden(found: re.Match[str]) -> str:
    number = re.sub(r"[\s\-]", "", found[0])
    if len(number) == 11 and number.startswith("1"):
        return mask_phone(number)
    return "*" * (len(number) - 4) + number[-4:] if len(number) >= 15 else found[0]

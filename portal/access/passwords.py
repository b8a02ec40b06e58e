"""Passwords: argon2id, a bounded number at a time, the same time for somebody and for nobody; and which are refused."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from portal.access.errors import DoorBusy, PasswordRefused
from schemas.access_rules import Argon2Rules, PasswordRules, common_passwords
from schemas.files import fold

PLAIN = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits nobody takes for another when a one-time password is read aloud."""


class Passwords:
    """The hasher of a portal; one for all its threads, since it bounds their memory together."""

    def __init__(self, rules: Argon2Rules, most: int) -> None:
        self.rules = rules
        self.most = most
        self._hasher = PasswordHasher(
            time_cost=rules.passes, memory_cost=rules.memory_kib, parallelism=rules.lanes, type=Type.ID
        )
        self._places = threading.BoundedSemaphore(rules.at_once)

    @cached_property
    def nobodys(self) -> str:
        """A hash no password fits: what is checked where there is no account, so that it takes as long."""
        return self._hasher.hash(secrets.token_hex(32))

    def hash(self, password: str) -> str:
        """Hash a password."""
        with self._place():
            return self._hasher.hash(_bytes(password))

    def fits(self, password: str, kept: str | None) -> bool:
        """Say whether a password is the one of a hash; None is nobody's, which never fits.

        Raises
        ------
        DoorBusy
        """
        nobodys = self.nobodys
        known = kept is not None and len(password) <= self.most
        with self._place():
            try:
                self._hasher.verify(kept if known and kept is not None else nobodys, _bytes(password[: self.most]))
            except (VerificationError, InvalidHashError):
                return False
        return known

    def is_old(self, kept: str) -> bool:
        """Say whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self.rules.queue_seconds):
            raise DoorBusy("登录人数过多，请稍后再试", "too many logins at this moment; try again in a moment")
        try:
            yield
        finally:
            self._places.release()


def _bytes(password: str) -> bytes:
    """Write a password as it is hashed; what no keyboard gives must not end in an error either."""
    return password.encode("utf-8", "backslashreplace")


def one_time_password() -> str:
    """Make a one-time password: 79 bits, four groups."""
    return "-".join("".join(secrets.choice(PLAIN) for _ in range(4)) for _ in range(4))


def refuse_weak(password: str, rules: PasswordRules, names: Iterable[str]) -> None:
    """Refuse a new password that is too short, too long, common, or mostly a name.

    Raises
    ------
    PasswordRefused

    Examples
    --------
    >>> from schemas.access_rules import access_rules
    >>> refuse_weak("三江汇流于嘉陵江畔之北碚城", access_rules().password, ["zhang.gong"])
    >>> refuse_weak("Mianyang@2026", access_rules().password, ["zhang.gong"])
    Traceback (most recent call last):
    ...
    portal.access.errors.PasswordRefused: 密码主要由常见词“mianyang”构成，请另选 / the password is mostly the common word 'mianyang'; choose another
    """
    if not rules.least <= len(password) <= rules.most:
        raise PasswordRefused(
            f"密码应为 {rules.least} 至 {rules.most} 个字符，现为 {len(password)} 个",
            f"a password has {rules.least} to {rules.most} characters, this one {len(password)}",
        )
    plain = fold(password).casefold()
    if len(set(plain)) < rules.fewest_kinds:
        raise PasswordRefused(
            f"密码只有 {len(set(plain))} 种字符，至少应有 {rules.fewest_kinds} 种",
            f"the password has {len(set(plain))} different characters; {rules.fewest_kinds} are the least",
        )
    word = _mostly(plain, common_passwords(), rules.own_characters)
    if word:
        raise PasswordRefused(
            f"密码主要由常见词“{word}”构成，请另选", f"the password is mostly the common word {word!r}; choose another"
        )
    if _mostly(plain, {fold(name).casefold() for name in names}, rules.own_characters):
        raise PasswordRefused(
            "密码主要由登录名、姓名或单位名称构成，请另选",
            "the password is mostly the login, the name or the bureau; choose another",
        )


def _mostly(plain: str, words: Iterable[str], own: int) -> str:
    """Give the longest word the password is made of, with less than ``own`` characters beside it; blank where none."""
    found = [word for word in words if len(word) > 1 and word in plain]
    mostly = [word for word in found if len(plain.replace(word, "")) < own]
    return max(mostly, key=lambda word: (len(word), word), default="")

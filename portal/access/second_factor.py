"""The second factor: codes of six digits that change every half minute (TOTP, RFC 6238), and recovery codes.

The secret is sealed, and a step of time is used once: a code seen over a shoulder is worth nothing. A recovery code
has 80 bits and is good once. Whoever enrols gives his password again, so that an unattended session is not enough.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyotp

from expert_registry.errors import NoVaultKey, SealBroken
from portal.access import sessions
from portal.access.checking import check_password
from portal.access.errors import FactorRefused, LoginRefused
from portal.access.gate import Gate
from portal.access.sessions import SignedIn
from portal.access.throttling import open_try
from records import accounts
from records.account_sessions import Session
from records.accounts import Account
from records.login_tries import pass_try

FACTOR = "second-factor"
"""Field of a sealed secret; the owner is the account's number."""
ISSUER = "gongzhi"
STEP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret offered: for the eye, as an address for a QR code, and sealed for :func:`confirm_enrolment`."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    offer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The session goes on under a new token; the recovery codes are shown once."""

    signed_in: SignedIn
    recovery_codes: Sequence[str] = field(repr=False)


def begin_enrolment(gate: Gate, token: str, password: str, at: datetime) -> Enrolment:
    """Offer a new secret to the holder of a session who gives his password again; nothing is kept yet.

    Raises
    ------
    LoginRefused, MustWait, DoorBusy
    """
    session, found = _finished(gate, token, at)
    check_password(gate, found.login, found, password, at)
    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=f"{found.login}@{found.bureau}", issuer_name=ISSUER)
    return Enrolment(secret, uri, gate.vault().seal(session.session_id, FACTOR, secret))


def confirm_enrolment(gate: Gate, token: str, offer: str, code: str, at: datetime) -> Enrolled:
    """Keep the offered secret once a code of it fits; all other sessions end.

    Raises
    ------
    LoginRefused, MustWait
    FactorRefused
        The code is not of this secret, or the offer of another session.
    """
    session, found = _finished(gate, token, at)
    number = open_try(gate, found.login, "code", True, at)
    try:
        secret = gate.vault().open_(session.session_id, FACTOR, offer)
    except SealBroken as error:
        raise FactorRefused("此次启用已失效，请重新开始", "this enrolment is no longer good; begin again") from error
    step = fitting_step(secret, code, at, gate.rules.second_factor.window) if secret else None
    if step is None:
        raise FactorRefused(
            "验证码不正确：请核对手机时间后输入最新的 6 位数字",
            "the code is wrong: check the telephone's clock, give the newest",
        )
    pass_try(gate.records, number)
    codes = new_recovery_codes(gate.rules.second_factor.recovery_codes)
    sealed = gate.vault().seal(found.account_id, FACTOR, secret)
    hashes = [code_hash(found.account_id, one) for one in codes]
    accounts.set_factor(gate.records, found.account_id, sealed, hashes, found.account_id, at)
    accounts.use_factor_step(gate.records, found.account_id, step)
    signed_in = sessions.begin(
        gate, found.account_id, found.bureau, "", at, "enrolment", address=session.address, agent=session.agent,
        factor_at=at, ends_at=session.ends_at,
    )  # fmt: skip
    return Enrolled(signed_in, codes)


def renew_recovery_codes(gate: Gate, token: str, password: str, at: datetime) -> Sequence[str]:
    """Give new recovery codes, shown once; the old ones are dead.

    Raises
    ------
    LoginRefused, MustWait, DoorBusy
    FactorRefused
        The account has no second factor.
    """
    _, found = _finished(gate, token, at)
    if found.factor_at is None:
        raise FactorRefused("尚未启用第二因素", "there is no second factor yet")
    check_password(gate, found.login, found, password, at)
    codes = new_recovery_codes(gate.rules.second_factor.recovery_codes)
    hashes = [code_hash(found.account_id, one) for one in codes]
    accounts.set_recovery_codes(gate.records, found.account_id, hashes, found.account_id, at)
    return codes


def accepts(gate: Gate, found: Account, code: str, at: datetime) -> str:
    """Use a code: ``code`` or ``recovery`` where it is right and was not used before, else blank."""
    if not found.factor_sealed:
        return ""
    plain = re.sub(r"[\s-]", "", code[:100])
    if re.fullmatch(r"[0-9]{6}", plain):
        secret = _secret_of(gate, found)
        step = fitting_step(secret, plain, at, gate.rules.second_factor.window)
        return "code" if step is not None and accounts.use_factor_step(gate.records, found.account_id, step) else ""
    sha256 = code_hash(found.account_id, plain)
    return "recovery" if accounts.use_recovery_code(gate.records, found.account_id, sha256, at) else ""


def _secret_of(gate: Gate, found: Account) -> str:
    try:
        return gate.vault().open_(found.account_id, FACTOR, found.factor_sealed)
    except (SealBroken, NoVaultKey) as error:  # a home restored without its vault
        raise FactorRefused(
            "第二因素的密钥不可用，请使用恢复码，或联系本单位系统管理员重置",
            "the key of the second factor cannot be used; give a recovery code, or ask your administrator for a reset",
        ) from error


def fitting_step(secret: str, code: str, at: datetime, window: int) -> int | None:
    """Give the step of time a code is of, at most ``window`` steps from now; None where it fits none.

    Examples
    --------
    The test vector of RFC 6238, appendix B, cut to six digits:

    >>> from datetime import UTC
    >>> fitting_step("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "287082", datetime.fromtimestamp(59, UTC), 0)
    1
    """
    now, totp = int(at.timestamp()) // STEP_SECONDS, pyotp.TOTP(secret)
    plain = re.sub(r"[\s-]", "", code[:100]).encode("utf-8", "backslashreplace")
    fitting = [
        step for step in range(now - window, now + window + 1)
        if step >= 0 and hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), plain)
    ]  # fmt: skip
    return max(fitting, default=None)


def new_recovery_codes(count: int) -> list[str]:
    """Make recovery codes of 80 bits, in groups of four."""
    texts = (base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(count))
    return ["-".join(text[start : start + 4] for start in range(0, 16, 4)) for text in texts]


def code_hash(account_id: str, code: str) -> str:
    """Give what is kept of a recovery code: blanks, hyphens and capitals do not count."""
    plain = re.sub(r"[\s-]", "", code).lower()
    return hashlib.sha256(f"{account_id}:{plain}".encode("utf-8", "backslashreplace")).hexdigest()


def _finished(gate: Gate, token: str, at: datetime) -> tuple[Session, Account]:
    """Give the session of a token whose login is finished, with its account."""
    found = sessions.live(gate, token, at)
    if found is None or sessions.step_of(found[1].one_time, found[1].factor, found[0].factor_at is not None):
        raise LoginRefused("请先完成登录", "finish the login first")
    return found[0], accounts.account(gate.records, found[0].account_id)

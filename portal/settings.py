"""Settings: the only room that reads the environment.

What a command always needs is read at once (:func:`read_settings`); what only the night needs is read when it is asked
for (:func:`read_night_settings`), so that a slip there does not stop ``gongzhi check``.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipelines.batch import Places
from pipelines.errors import RoadError
from schemas.files import read_toml

if TYPE_CHECKING:
    from pipelines.intake.fetch import Secret

SECRET_KEYS = frozenset({"token", "user", "password"})


class WrongSetting(RoadError):
    """A setting says something that cannot be."""

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__("wrong-setting", message, message_en)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command needs to know of its surroundings."""

    home: Path | None
    database_url: str | None
    tables: str | None
    language: str
    user: str

    def places(self, home: Path | None = None) -> Places | None:
        """Give the places of a home (option before environment), or ``None`` where none is named."""
        chosen = home or self.home
        if chosen is None:
            return None
        chosen = chosen.expanduser().resolve()
        return Places(
            home=chosen,
            database_url=self.database_url or f"sqlite:///{chosen / 'records.db'}",
            tables=self.tables or str(chosen / "tables"),
        )


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment (``docs/settings.md``)."""
    env = os.environ if environment is None else environment
    home = env.get("GONGZHI_HOME")
    language = env.get("GONGZHI_LANG") or env.get("LC_ALL") or env.get("LANG") or ""
    return Settings(
        home=Path(home) if home else None,
        database_url=env.get("GONGZHI_DATABASE_URL"),
        tables=env.get("GONGZHI_TABLES"),
        language="zh" if language.lower().startswith("zh") else "en",
        user=env.get("GONGZHI_USER") or env.get("USER") or env.get("LOGNAME") or "cli",
    )


@dataclass(frozen=True, slots=True)
class CreditSettings:
    """Who asks the credit register, where a command does not say it; blank where the environment does not either."""

    unit: str
    certificate: str
    purpose: str


def read_credit_settings(environment: Mapping[str, str] | None = None) -> CreditSettings:
    """Read ``GONGZHI_UNIT``, ``GONGZHI_CERTIFICATE`` and ``GONGZHI_PURPOSE``."""
    env = os.environ if environment is None else environment
    return CreditSettings(*(env.get(f"GONGZHI_{name}") or "" for name in ("UNIT", "CERTIFICATE", "PURPOSE")))


@dataclass(frozen=True, slots=True)
class ExpertSettings:
    """Who looks at the expert pool where a command does not say it, and this home's part in the draws.

    ``plays`` are the bureaus whose part this home has, empty for all; ``trusted`` the public keys each other bureau
    signs its papers with. Both stand in ``bureaus/expert_desk.toml``, not in the environment: who a home speaks for
    does not change from one command to the next.
    """

    role: str
    unit: str
    purpose: str
    plays: tuple[str, ...]
    trusted: Mapping[str, tuple[str, ...]]


EXPERT_DESK = "expert_desk.toml"


def read_expert_settings(site: Path, environment: Mapping[str, str] | None = None) -> ExpertSettings:
    """Read ``GONGZHI_ROLE``, ``GONGZHI_UNIT``, ``GONGZHI_PURPOSE`` and the home's ``expert_desk.toml``.

    Raises
    ------
    WrongSetting
    """
    env = os.environ if environment is None else environment
    who = (env.get("GONGZHI_ROLE") or "pool_staff", env.get("GONGZHI_UNIT") or "", env.get("GONGZHI_PURPOSE") or "")
    file = site / EXPERT_DESK
    raw = read_toml(file) if file.is_file() else {}
    plays, trusted = raw.get("plays", []), raw.get("trusted", {})
    lists = [plays, *trusted.values()] if isinstance(trusted, dict) else [None]
    good = all(isinstance(one, list) and all(isinstance(text, str) for text in one) for one in lists)
    if set(raw) - {"plays", "trusted"} or not good:
        raise WrongSetting(
            f"{file} 只能写 plays = [单位代码…] 和 [trusted] 单位代码 = [公钥…]",
            f"{file} takes plays = [bureau, …] and [trusted] bureau = [public key, …]",
        )
    return ExpertSettings(*who, tuple(plays), {name: tuple(keys) for name, keys in trusted.items()})


@dataclass(frozen=True, slots=True)
class NightSettings:
    """What the night needs to know; ``at`` is China time, ``bind`` is None where there is no health address."""

    at: dt.time
    hour_minute: int
    backups: Path | None
    bind: tuple[str, int] | None
    metrics_token: str
    secrets: Path


def read_night_settings(home: Path, environment: Mapping[str, str] | None = None) -> NightSettings:
    """Read the settings of the night for a home.

    Raises
    ------
    WrongSetting
    """
    env = os.environ if environment is None else environment
    backups = env.get("GONGZHI_BACKUPS") or str(home / "backups")
    return NightSettings(
        at=_time_of_day("GONGZHI_NIGHT", env.get("GONGZHI_NIGHT") or "02:30"),
        hour_minute=_minute("GONGZHI_HOUR_MINUTE", env.get("GONGZHI_HOUR_MINUTE") or "20"),
        backups=None if backups == "none" else Path(backups).expanduser().resolve(),
        bind=_address("GONGZHI_BIND", env.get("GONGZHI_BIND") or "127.0.0.1:8801"),
        metrics_token=env.get("GONGZHI_METRICS_TOKEN") or "",
        secrets=Path(env.get("GONGZHI_SECRETS") or home / "secrets.toml").expanduser(),
    )


LOOPBACK = ("127.0.0.1", "::1", "localhost")
PORTAL_FILE = "portal.toml"


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Where people may sign in instead of typing a password: an OpenID Connect provider the bureaus trust.

    ``claim`` of the identity token holds the login of an account there is already; ``secret`` is the client's, found
    under the name that ``portal.toml`` gives.
    """

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    claim: str
    scopes: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """What the portal needs to know: where it listens, what it is called from outside, whom it believes.

    ``address`` is what people type, ``https://name``; blank where the portal is only tried out on this machine.
    """

    bind: tuple[str, int]
    address: str
    proxies: tuple[str, ...]
    """Addresses whose word on the caller's address (``X-Forwarded-For``) counts."""
    metrics_token: str = field(default="", repr=False)
    """Opens figures and details of health; without one they are for this machine only."""
    oidc: OidcSettings | None = None
    workers: int = 2
    """Processes that check and publish what was uploaded."""

    @property
    def secure(self) -> bool:
        """Say whether people come over https."""
        return self.address.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """Names under which the portal may be asked, without port."""
        named = urlsplit(self.address).hostname if self.address else None
        return frozenset({named}) if named else frozenset(LOOPBACK)


def read_portal_settings(
    host: str | None = None,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> PortalSettings:
    """Read the settings of ``gongzhi serve``; options win over the environment, ``portal.toml`` of a home adds to it.

    Raises
    ------
    WrongSetting
        A setting is malformed, or passwords would go over a network in the clear.
    """
    env = os.environ if environment is None else environment
    said = _address("GONGZHI_PORTAL_BIND", env.get("GONGZHI_PORTAL_BIND") or "127.0.0.1:8800")
    if said is None:
        raise WrongSetting("GONGZHI_PORTAL_BIND 应为 地址:端口", "GONGZHI_PORTAL_BIND must be address:port")
    bind = (host or said[0], said[1] if port is None else port)
    address = _public_address("GONGZHI_PORTAL_ADDRESS", (env.get("GONGZHI_PORTAL_ADDRESS") or "").rstrip("/"))
    proxies = (env.get("GONGZHI_PORTAL_PROXIES") or "127.0.0.1,::1").split(",")
    if bind[0] not in LOOPBACK and not address:
        raise WrongSetting(
            f"{bind[0]} 不是本机地址：口令会以明文经过网络。请只监听 127.0.0.1，前面放一台 HTTPS 反向代理"
            "（deploy/nginx.conf），并设 GONGZHI_PORTAL_ADDRESS=https://…",
            f"{bind[0]} is not an address of this machine only: passwords would cross the network in the clear. Listen on "
            "127.0.0.1 behind a proxy with https (deploy/nginx.conf) and set GONGZHI_PORTAL_ADDRESS=https://…",
        )
    believed = tuple(one.strip() for one in proxies if one.strip())
    token = env.get("GONGZHI_METRICS_TOKEN") or ""
    workers = _workers("GONGZHI_PORTAL_WORKERS", env.get("GONGZHI_PORTAL_WORKERS") or "2")
    return PortalSettings(bind, address, believed, token, None if home is None else _oidc(home, env), workers)


def _workers(name: str, text: str) -> int:
    if re.fullmatch(r"[0-9]|1[0-6]", text):
        return int(text)
    raise WrongSetting(
        f"{name} 应为 0 至 16 的整数，现为“{text}”", f"{name} must be a whole number, 0 to 16, not {text!r}"
    )


def _oidc(home: Path, env: Mapping[str, str]) -> OidcSettings | None:
    """Read ``[oidc]`` of ``portal.toml``; without the file or the block nobody signs in elsewhere."""
    file = home / PORTAL_FILE
    raw = read_toml(file) if file.is_file() else {}
    block = raw.get("oidc")
    usual = {
        "claim": "preferred_username",
        "scopes": "openid profile",
        "title_zh": "统一身份认证",
        "title_en": "single sign-on",
    }
    needed = {"issuer", "client_id", "secret"}
    texts = isinstance(block, dict) and all(isinstance(text, str) and text for text in block.values())
    if set(raw) - {"oidc"} or (block is not None and not (texts and needed <= set(block) <= needed | set(usual))):
        raise WrongSetting(
            f"{file} 只能写 [oidc]：issuer、client_id、secret（密钥的名称），可选 {'、'.join(usual)}，都是文字",
            f"{file} takes [oidc] with issuer, client_id and secret (the name of the secret), and {', '.join(usual)}, as texts",
        )
    if block is None:
        return None
    _refuse_open_issuer(file, block["issuer"])
    secret = read_secret(block["secret"], Path(env.get("GONGZHI_SECRETS") or home / "secrets.toml").expanduser(), env)
    if secret is None or not secret.token:
        raise WrongSetting(
            f"{file} 所指的密钥 {block['secret']} 不存在，或不是 token；请写入密钥文件（docs/serving.md）",
            f"the secret {block['secret']} that {file} names does not exist or is no token; see docs/serving.md",
        )
    return OidcSettings(**{**usual, **block, "secret": secret.token})


def _refuse_open_issuer(file: Path, issuer: str) -> None:
    """Refuse an issuer over plain http, but for one on this machine."""
    parts = urlsplit(issuer)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return
    raise WrongSetting(
        f"{file} 的 issuer 应为 https:// 地址，现为“{issuer}”", f"the issuer in {file} must be https://, not {issuer!r}"
    )


def read_secret(name: str, file: Path, environment: Mapping[str, str] | None = None) -> Secret | None:
    """Find a secret by name: ``GONGZHI_SECRET_<NAME>`` first, then the secrets file; None where there is none.

    In the environment a value is ``user:password`` where it holds a colon, else (and where it is an address) a token.

    Raises
    ------
    WrongSetting
        The file may be read by others, or says something else than token, user and password.
    """
    from pipelines.intake.fetch import Secret

    env = os.environ if environment is None else environment
    said = env.get("GONGZHI_SECRET_" + name.upper().replace("-", "_"))
    if said:
        user, colon, password = said.partition(":")
        return Secret(user=user, password=password) if colon and "://" not in said else Secret(token=said)
    found = read_secrets(file).get(name)
    return None if found is None else Secret(**found)


def read_secrets(file: Path) -> dict[str, dict[str, str]]:
    """Read the secrets file: ``[name]`` with ``token`` or ``user`` and ``password``; no file is no secrets.

    Raises
    ------
    WrongSetting
    """
    if not file.exists():
        return {}
    if file.stat().st_mode & 0o077:
        raise WrongSetting(
            f"密钥文件 {file} 可被其他用户读取；请运行 chmod 600 {file}",
            f"the secrets file {file} can be read by others; run chmod 600 {file}",
        )
    raw = read_toml(file)
    for name, block in raw.items():
        good = isinstance(block, dict) and all(k in SECRET_KEYS and isinstance(v, str) for k, v in block.items())
        if not good or not block:  # the message must not repeat what stands there
            raise WrongSetting(
                f"密钥文件 {file} 的 [{name}] 只能写 token，或 user 与 password，都是文字",
                f"[{name}] in the secrets file {file} takes token, or user and password, as texts",
            )
    return raw


def _time_of_day(name: str, text: str) -> dt.time:
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        return dt.time.fromisoformat(text)
    raise WrongSetting(
        f"{name} 应为 HH:MM（北京时间），现为“{text}”", f"{name} must be HH:MM, China time, not {text!r}"
    )


def _minute(name: str, text: str) -> int:
    if re.fullmatch(r"[0-5]?\d", text):
        return int(text)
    raise WrongSetting(f"{name} 应为 0 至 59 的整数，现为“{text}”", f"{name} must be a minute, 0 to 59, not {text!r}")


def _public_address(name: str, text: str) -> str:
    """Accept ``https://name`` and ``https://name:port``, nothing behind it."""
    if not text or re.fullmatch(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?", text):
        return text.lower()
    raise WrongSetting(
        f"{name} 应为 https://主机名，后面不带路径，现为“{text}”",
        f"{name} must be https://name without a path, not {text!r}",
    )


def _address(name: str, text: str) -> tuple[str, int] | None:
    if text == "none":
        return None
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", text)
    if found and int(found[2]) < 65536:
        return found[1].strip("[]"), int(found[2])
    raise WrongSetting(
        f"{name} 应为 地址:端口 或 none，现为“{text}”", f"{name} must be address:port or none, not {text!r}"
    )

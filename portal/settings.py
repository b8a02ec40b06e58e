"""Settings: the only room that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.batch import Places


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

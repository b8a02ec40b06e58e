from __future__ import annotations

from datetime import UTC, datetime

from pipelines.backup import back_up
from pipelines.batch import Places
from records.store import Records

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def test_a_backup_holds_the_sealed_lists_and_no_key_of_the_vault(tmp_path):
    home = tmp_path / "home"
    for path in ("vault/v1.key", "vault/index.key", "vault/current", "experts/uploads/ab.sealed"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(f"content of {path}")
    url = f"sqlite:///{home / 'records.db'}"
    with Records.open(url, create=True) as records:
        made = back_up(Places(home, url, str(home / "tables")), records, tmp_path / "backups", NOW)
    kept = {
        path.relative_to(made.folder).as_posix(): path.read_bytes() for path in made.folder.rglob("*") if path.is_file()
    }
    assert "experts/uploads/ab.sealed" in kept
    assert not any("vault" in name or b"content of vault" in data for name, data in kept.items())

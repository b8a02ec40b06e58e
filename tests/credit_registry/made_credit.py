"""Rows of the shared credit tables, published through the road's own last step; what a row does not say is blank."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.publish import publish_table
from schemas.contracts import Table, tables
from schemas.identifiers import check_character, read_uscc

T0 = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRM = "91500227MA5U6NWC04"
OTHER = "91500109MAD84FQW8X"


def made_code(number: int, division: str = "500109") -> str:
    """Make a valid code of a number."""
    head = f"91{division}{number:09d}"
    return head + check_character(head)


def rating(uscc: str = FIRM, year: int = 2025, **more: object) -> dict[str, object]:
    """One rating by Beibei under CQ-2021."""
    return _party(uscc, more.pop("name", "重庆钰普科技有限公司"), "enterprise_name") | {
        "scheme": "CQ-2021", "issuer": "重庆市北碚区生态环境局", "tier": "district", "rated_year": year, "level_code": "B",
        "level_text": "环保良好企业", "state": "final", "published_date": f"{year + 1}-06-30", **more,
    }  # fmt: skip


def penalty(number: str, uscc: str = FIRM, **more: object) -> dict[str, object]:
    """One penalty by Beibei."""
    return _party(uscc, more.pop("name", "重庆钰普科技有限公司"), "party_name") | {
        "decision_number": number, "decision_kind": "行政处罚决定书", "decision_date": "2025-10-31", **more,
    }  # fmt: skip


def name(uscc: str, written: str, since: str | None = None, **more: object) -> dict[str, object]:
    """One name of an enterprise."""
    return {"bureau": "beibei", "uscc": uscc, "enterprise_name": written, "since": since, "source": "register", **more}


def _party(uscc: str, written: object, column: str) -> dict[str, object]:
    code = read_uscc(uscc)
    return {
        "bureau": "beibei", "subject": uscc or written, "uscc": uscc, "uscc_status": code.status, "uscc_text": uscc,
        column: written, "flag": 1,
    }  # fmt: skip


def publish(root: Path, rows: list[dict[str, object]], batch_id: str = "b1", hours: float = 0) -> None:
    """Publish rows of one table, recorded ``hours`` after T0."""
    first = rows[0]
    kind = (
        "credit_rating"
        if "scheme" in first
        else "penalty_decision"
        if "decision_number" in first
        else "enterprise_name"
    )
    table = tables()[kind]
    publish_table(
        _frame(table, rows, batch_id),
        table,
        str(root),
        batch_id=batch_id,
        recorded_at=T0 + hours * HOUR,
        lock_dir=root.parent / "locks",
    )


def _frame(table: Table, rows: list[dict[str, object]], batch_id: str) -> pd.DataFrame:
    columns: dict[str, object] = {}
    for column in table.columns:
        if column.name in ("recorded_from", "recorded_until"):
            continue
        values = [row.get(column.name) for row in rows]
        if column.name == "batch_id":
            values = [batch_id] * len(rows)
        if column.name == "source_row":
            values = list(range(2, len(rows) + 2))
        if column.type == "string":
            words = ["" if value is None else str(value) for value in values]
            columns[column.name] = pd.Categorical(words, categories=pd.Index(sorted(set(words)), dtype="str"))
        elif column.type == "date":
            columns[column.name] = np.array(values, dtype="datetime64[s]")
        elif column.type == "float64":
            columns[column.name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        else:
            columns[column.name] = np.array(values, dtype=column.type)
    return pd.DataFrame(columns)

"""Alembic's entry: the connection, already in a transaction, comes from ``records.database``."""

from __future__ import annotations

from alembic import context

from records.gap_models import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()

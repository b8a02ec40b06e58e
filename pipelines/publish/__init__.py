"""Publish: the shared tables, all or nothing, by versions, and what is out."""

from pipelines.publish.commit import Committed, publish_table

__all__ = ["Committed", "publish_table"]

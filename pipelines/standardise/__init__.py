"""Bring a recognised grid into the exchange's own words: columns, values, units, times, places."""

from pipelines.standardise.columns import to_table

__all__ = ["to_table"]

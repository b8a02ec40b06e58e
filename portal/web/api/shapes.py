"""Words to write JSON Schemas with (draft 2020-12, as OpenAPI 3.1 takes them), and the shapes several answers share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]
TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
NUMBER: Schema = {"type": "number"}
YES: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
DAY: Schema = {"type": "string", "format": "date"}
OPEN: Schema = {"type": "object"}
MAYBE_OPEN: Schema = {"type": ["object", "null"]}
NEXT: Schema = {"type": ["string", "null"], "description": "address of the next page, null on the last"}
CURSOR: Schema = {"type": "string", "description": "place to go on from: follow `next` of the page before"}
ETAG: Mapping[str, Schema] = {
    "ETag": {"type": "string", "description": "send it back as If-None-Match; 304: unchanged"}
}


def thing(**parts: Schema) -> Schema:
    """Describe an object that has all these parts; new ones may come."""
    return {"type": "object", "properties": dict(parts), "required": list(parts)}


def many(item: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": item}


def by_name(item: Schema) -> Schema:
    """Describe an object of any names."""
    return {"type": "object", "additionalProperties": item}


def one_of(codes: Iterable[str], says: str = "") -> Schema:
    """Describe one word of a list."""
    return {"type": "string", "enum": list(codes)} | ({"description": says} if says else {})


def switch(says: str) -> Schema:
    """Describe a parameter that is on or off."""
    return {"type": "boolean", "default": False, "description": says}


def limit(default: int, most: int) -> Schema:
    """Describe how many entries are wanted."""
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def needed(schema: Schema) -> Schema:
    """Mark a parameter that must be there."""
    return dict(schema) | {"required": True}


def words(says: str, schema: Schema = TEXT) -> Schema:
    """Add a description."""
    return dict(schema) | {"description": says}

"""The catalogue of what is shared: Data Package, DCAT record and data dictionary, made from the table contracts.

``datapackage.json`` follows the Data Package specification v1 with Table Schema (https://specs.frictionlessdata.io),
``catalogue.jsonld`` DCAT 3 (https://www.w3.org/TR/vocab-dcat-3/). Both come from the contracts, the facts on bureaus
and the state of the tables; the same state gives the same bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.disk import flush
from pipelines.publish.reading import asking, scan_of
from pipelines.publish.store import newest_version, open_table, tables_status
from schemas.loaders import Bureau, Table, bureaus, regions, tables

_TYPES = {
    "string": ("string", "default"),
    "float64": ("number", "default"),
    "int32": ("integer", "default"),
    "int8": ("integer", "default"),
    "bool": ("boolean", "default"),
    "date": ("date", "default"),
    "timestamp": ("datetime", "default"),
}
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
FILES = ("data-dictionary.md", "catalogue.jsonld", "datapackage.json")
_PARQUET = "https://www.iana.org/assignments/media-types/application/vnd.apache.parquet"


def write_catalogue(
    tables_root: str,
    folder: Path,
    site: Path | None = None,
    storage_options: dict[str, str] | None = None,
) -> list[Path]:
    """Write ``data-dictionary.md``, ``catalogue.jsonld`` and ``datapackage.json``, each whole or not at all.

    Parameters
    ----------
    site : Path, optional
        Facts of this site, for its bureaus.
    """
    status = {entry["table"]: entry for entry in tables_status(tables_root, storage_options)}
    senders = {name: senders_of(name, tables_root, site, storage_options) for name in status}
    folder.mkdir(parents=True, exist_ok=True)
    # the package last: it says of which versions all of them tell
    made = (dictionary_markdown(), _json(dcat(status, senders)), _json(data_package(status, senders)))
    return [_replace(folder / name, text) for name, text in zip(FILES, made, strict=True)]


def is_current(tables_root: str, folder: Path) -> bool:
    """Whether the catalogue tells of the versions that the tables have now; asks only the names of local log files.

    The version of each table is all that is compared: facts on bureaus and contracts come with the next writing.
    """
    try:
        package = json.loads((folder / "datapackage.json").read_text("utf-8"))
        told = {resource["table"]: resource["version"] for resource in package["resources"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    whole = all((folder / name).is_file() for name in FILES)
    return whole and told == {name: newest_version(table, tables_root) for name, table in tables().items()}


def senders_of(
    name: str, tables_root: str, site: Path | None, storage_options: dict[str, str] | None = None
) -> list[tuple[str, Bureau | None]]:
    """Who has rows in a table: by the limits of its files, and by their rows only where a file has several senders."""
    shared = open_table(tables()[name], tables_root, storage_options)
    if shared is None:
        return []
    alone = [f for f in shared.files if f.low.get("bureau") is not None and f.low["bureau"] == f.high.get("bureau")]
    codes = {str(file.low["bureau"]) for file in alone}
    mixed = [file for file in shared.files if file not in alone]
    if mixed:
        with asking() as ask_for:
            found = ask_for(f"SELECT DISTINCT bureau FROM {scan_of(shared, mixed)}").to_arrow_table()
        codes.update(found.column("bureau").to_pylist())
    known = bureaus(site)
    return [(code, known.get(code)) for code in sorted(codes)]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _replace(target: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    flush(target.parent)
    return target


# -- Data Package --------------------------------------------------------------------------------------------------


def data_package(
    status: dict[str, dict[str, Any]], senders: dict[str, list[tuple[str, Bureau | None]]]
) -> dict[str, Any]:
    """Describe every shared table as a resource; one that nobody published to yet has no rows."""
    everyone = {code: bureau for found in senders.values() for code, bureau in found}
    package: dict[str, Any] = {
        "profile": "data-package",
        "name": "gongzhi-shared-tables",
        "title": "共治共享表 / shared tables of the exchange",
        "resources": [_resource(table, status[table.table]) for table in tables().values()],
    }
    if everyone:
        package["contributors"] = [
            {"title": f"{bureau.name_zh} / {bureau.name_en}" if bureau else code, "role": "publisher", "bureau": code}
            for code, bureau in sorted(everyone.items())
        ]
    return package


def _resource(table: Table, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": table.table.replace("_", "-"),
        "title": f"{table.title_zh} / {table.title_en}",
        "path": f"{table.table}/{f'{table.partition}=*/' if table.partition else ''}*.parquet",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "table": table.table,
        "table_format": "delta",
        "reading": "only the files named by _delta_log count; rows with empty recorded_until are current",
        "version": status["version"],
        "rows": status["rows"],
        "rows_history": status["rows_history"],
        "bytes": status["bytes"],
        "last_batch": status["last_batch"],
        "modified": status["recorded_at"],
        "schema": {
            "fields": [_field(table, position) for position in range(len(table.columns))],
            "primaryKey": [*table.key, "recorded_from"],
            "missingValues": [""],
        },
    }


def _field(table: Table, position: int) -> dict[str, Any]:
    column = table.columns[position]
    kind, form = _TYPES[column.type]
    field: dict[str, Any] = {
        "name": column.name,
        "type": kind,
        "format": form,
        "title": f"{column.title_zh} / {column.title_en}",
        "description": f"{column.meaning_zh} / {column.meaning_en}",
        "title_zh": column.title_zh,
        "title_en": column.title_en,
        "constraints": {"required": kind != "string" and not column.nullable},  # a blank text counts as missing
    }
    if column.unit:
        field["unit"] = column.unit
    return field


# -- DCAT ----------------------------------------------------------------------------------------------------------


def dcat(status: dict[str, dict[str, Any]], senders: dict[str, list[tuple[str, Bureau | None]]]) -> dict[str, Any]:
    """Describe the tables that have rows as DCAT datasets."""
    return {
        "@context": _CONTEXT,
        "@id": "urn:gongzhi:catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _both("共治共享表目录", "catalogue of the shared tables"),
        "dct:language": ["zh", "en"],
        "dcat:dataset": [
            _dataset(table, status[table.table], senders[table.table])
            for table in tables().values()
            if status[table.table]["rows_history"]
        ],
    }


def _dataset(table: Table, status: dict[str, Any], senders: list[tuple[str, Bureau | None]]) -> dict[str, Any]:
    names = {region.division: region for region in regions()}
    dataset: dict[str, Any] = {
        "@id": f"urn:gongzhi:table:{table.table}",
        "@type": "dcat:Dataset",
        "dct:identifier": table.table,
        "dct:title": _both(table.title_zh, table.title_en),
        "dct:description": _both(
            "、".join(column.title_zh for column in table.columns),
            ", ".join(column.title_en for column in table.columns),
        ),
        "dct:publisher": [
            {
                "@id": f"urn:gongzhi:bureau:{code}",
                "@type": "foaf:Agent",
                "foaf:name": _both(bureau.name_zh, bureau.name_en) if bureau else code,
            }
            for code, bureau in senders
        ],
        "dcat:version": str(status["version"]),
        "dcat:distribution": [
            {
                "@type": "dcat:Distribution",
                "dct:title": _both("Delta Lake 表（Parquet 文件）", "Delta Lake table (Parquet files)"),
                "dcat:accessURL": {"@id": f"{table.table}/"},
                "dcat:mediaType": {"@id": _PARQUET},
                "dcat:byteSize": {"@value": str(status["bytes"]), "@type": "xsd:nonNegativeInteger"},
                "dct:conformsTo": {"@id": "https://github.com/delta-io/delta/blob/master/PROTOCOL.md"},
            }
        ],
    }
    if status["recorded_at"]:
        dataset["dct:modified"] = {"@value": status["recorded_at"], "@type": "xsd:dateTime"}
    if status["since"] is not None and status["until"] is not None:
        dataset["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _moment(status["since"]),
            "dcat:endDate": _moment(status["until"]),
        }
    places = sorted({bureau.division for _, bureau in senders if bureau and bureau.division})
    if places:
        dataset["dct:spatial"] = [
            {
                "@id": f"urn:gongzhi:division:{code}",
                "@type": "dct:Location",
                "dct:identifier": code,
                **({"skos:prefLabel": _both(names[code].name_zh, names[code].name_en)} if code in names else {}),
            }
            for code in places
        ]
    return dataset


def _both(zh: str, en: str) -> list[dict[str, str]]:
    return [{"@value": zh, "@language": "zh"}, {"@value": en, "@language": "en"}]


def _moment(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):
        return {"@value": value.astimezone(UTC).isoformat(), "@type": "xsd:dateTime"}
    return {"@value": value.isoformat(), "@type": "xsd:date"}


# -- data dictionary -----------------------------------------------------------------------------------------------


def dictionary_markdown() -> str:
    """Write the data dictionary of all shared tables, in both languages."""
    parts = [
        "# 数据字典 / Data dictionary",
        "",
        "<!-- Generated from schemas/tables/ by pipelines.publish.catalogue.dictionary_markdown; do not edit. -->",
        "",
        "每张共享表一节：列名、类型、单位、可否为空、含义。时刻以 UTC 存储；`recorded_until` 为空的行是现行记录。",
        "",
        "One section per shared table: column, type, unit, whether it may be null, meaning. Instants are stored in UTC; "
        "rows with an empty `recorded_until` are current.",
        "",
    ]
    for table in tables().values():
        parts += [
            f"## `{table.table}` {table.title_zh} / {table.title_en}",
            "",
            f"- 键 / key: {', '.join(f'`{name}`' for name in table.key)}",
            f"- 分区 / partition: {f'`{table.partition}`' if table.partition else '—'}",
            f"- 排序 / sorted by: {', '.join(f'`{name}`' for name in table.sort)}",
            f"- 来源 / source: {table.source}",
            "",
            "| 列 column | 类型 type | 单位 unit | 可空 null | 名称 | title | 含义 | meaning |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for column in table.columns:
            cells = [
                f"`{column.name}`",
                column.type,
                column.unit or "",
                "✓" if column.nullable else "",
                column.title_zh,
                column.title_en,
                column.meaning_zh,
                column.meaning_en,
            ]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
    return "\n".join(parts).rstrip("\n") + "\n"

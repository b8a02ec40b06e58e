"""Taking data out of the shared tables: rows for pages and programs, files with their terms, quotas, the SQL console.

No HTTP here: the pages, the API and whoever comes next ask these functions. Heavy work runs in a child process.
"""

from pipelines.publish.rows import Choice, RowFilter
from portal.exports.choosing import choose, etag_of, table_of, table_rows, version_of
from portal.exports.console import Answer, answer, answer_file
from portal.exports.errors import ExportError, ExportFailed, QueryStopped, QuotaReached, TooManyRows, UnknownForm
from portal.exports.handing_out import Desk, Handed, Use, hand_out, take_rows, uses
from portal.exports.shelf import Shelved, package, record, shelf
from portal.exports.writing import MEDIA, ExportNote, write_rows

__all__ = [
    "MEDIA",
    "Answer",
    "Choice",
    "Desk",
    "ExportError",
    "ExportFailed",
    "ExportNote",
    "Handed",
    "QueryStopped",
    "QuotaReached",
    "RowFilter",
    "Shelved",
    "TooManyRows",
    "UnknownForm",
    "Use",
    "answer",
    "answer_file",
    "choose",
    "etag_of",
    "hand_out",
    "package",
    "record",
    "shelf",
    "table_of",
    "table_rows",
    "take_rows",
    "uses",
    "version_of",
    "write_rows",
]

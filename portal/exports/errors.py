"""What may go wrong when data are taken out.

::

    ExportError           (TwoTongued: code, message, message_en)
    ├── QuotaReached      the day's rows of this person are used up
    ├── TooManyRows       a file of this form may not have so many rows
    ├── UnknownForm       there is no such table or form
    ├── QueryStopped      a question took too long or too much memory
    └── ExportFailed      the process that writes the file died
"""

from __future__ import annotations

from records.errors import TwoTongued


class ExportError(TwoTongued):
    """Data could not be taken out."""

    code = "export"
    status = 422
    """What a page or the API answers with."""


class QuotaReached(ExportError):
    """The day's rows of this person are used up."""

    code = "quota-reached"
    status = 429


class TooManyRows(ExportError):
    """A file of this form may not have so many rows."""

    code = "too-many-rows"


class UnknownForm(ExportError):
    """There is no such table, or no such form of a file."""

    code = "unknown-form"
    status = 404


class QueryStopped(ExportError):
    """A question took too long, or too much memory."""

    code = "query-stopped"


class ExportFailed(ExportError):
    """The process that writes the file died."""

    code = "export-failed"
    status = 500

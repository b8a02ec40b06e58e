"""Every error of the records, drawn as one tree.

::

    RecordsError
    ├── NoDatabase        there is no database at the address, or it was never set up
    ├── OldDatabase       the database must be migrated before it can be used
    ├── NewDatabase       the database was written by a newer edition of the program
    ├── UnsafeDatabase    the database is in a mode that can lose data here (WAL on an old SQLite)
    ├── BusyDatabase      another process held the database for too long
    ├── LostDatabase      the connection was cut in the middle of a transaction
    ├── UnknownBatch      no batch has this number
    ├── UnknownFiling     no filing has this number
    ├── UnknownDraw       no draw of the expert pool has this number
    ├── UnknownSeat       this expert has no seat in this draw, or its names were not opened
    ├── UnknownGap        nothing was told under this number about missing results
    ├── QuotaReached      the account has sent all it may send in a day
    ├── KeyUsed           an idempotency key came again with another file
    ├── IllegalState      the batch or filing cannot go from its state to the one asked for
    ├── IncompleteWaiver  a waiver or release lacks its reason, or its times do not fit
    ├── IncompleteMessage a message on a credit record, or an access to one, lacks who, what or why
    ├── UnknownAccount    no account of the portal has this number
    ├── LoginTaken        another account has this login
    ├── NotHandled        no alarm waits for a person, or who handled it does not say who and what came of it
    ├── LeaseLost         another process took the work over; this one must not write any more
    ├── NoChineseFont     no font with Chinese characters is installed, so no page can be set
    └── KeyTrouble        a signing key is missing, damaged or readable by others
"""

from __future__ import annotations


class TwoTongued(Exception):
    """An error with a short code and the words for both languages: the shape of all errors below the road."""

    code = ""

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__(f"{message} / {message_en}")
        self.message = message
        self.message_en = message_en

    def as_json(self) -> dict[str, object]:
        """Give the ``error`` object of the command line's JSON."""
        return {"code": self.code, "message": self.message, "message_en": self.message_en, "row": None, "column": None}


class RecordsError(TwoTongued):
    """An error of the records."""

    code = "records"


class NoDatabase(RecordsError):
    """There is no database at the address, or it was never set up."""

    code = "no-database"


class OldDatabase(RecordsError):
    """The database must be migrated before it can be used."""

    code = "old-database"


class NewDatabase(RecordsError):
    """The database was written by a newer edition of the program."""

    code = "new-database"


class UnsafeDatabase(RecordsError):
    """The database is in a mode that can lose data here."""

    code = "unsafe-database"


class BusyDatabase(RecordsError):
    """Another process held the database for too long."""

    code = "busy-database"


class LostDatabase(RecordsError):
    """The connection was cut in the middle of a transaction."""

    code = "lost-database"


class UnknownBatch(RecordsError):
    """No batch has this number."""

    code = "unknown-batch"


class UnknownFiling(RecordsError):
    """No filing has this number."""

    code = "unknown-filing"


class UnknownGap(RecordsError):
    """Nothing was told under this number about missing results."""

    code = "unknown-gap"


class QuotaReached(RecordsError):
    """The account has sent all it may send in a day."""

    code = "quota-reached"


class KeyUsed(RecordsError):
    """An idempotency key came again with another file."""

    code = "key-used"


class UnknownDraw(RecordsError):
    """No draw of the expert pool has this number."""

    code = "unknown-draw"


class UnknownSeat(RecordsError):
    """The expert has no seat in the draw, or its names were not opened."""

    code = "unknown-seat"


class IllegalState(RecordsError):
    """The batch or filing cannot go from its state to the one asked for."""

    code = "illegal-state"


class KeyTrouble(RecordsError):
    """A signing key is missing, damaged or readable by others."""

    code = "key-trouble"


class IncompleteWaiver(RecordsError):
    """A waiver or release lacks its reason, or its times do not fit."""

    code = "incomplete-waiver"


class IncompleteMessage(RecordsError):
    """A message on a credit record, or an access to one, lacks who, what or why."""

    code = "incomplete-message"


class UnknownAccount(RecordsError):
    """No account of the portal has this number."""

    code = "unknown-account"


class LoginTaken(RecordsError):
    """Another account has this login."""

    code = "login-taken"


class NotHandled(RecordsError):
    """No alarm waits for a person, or who handled it does not say who and what came of it."""

    code = "not-handled"


class LeaseLost(RecordsError):
    """Another process took the work over; this one must not write any more."""

    code = "lease-lost"


class NoChineseFont(RecordsError):
    """No font with Chinese characters is installed."""

    code = "no-chinese-font"

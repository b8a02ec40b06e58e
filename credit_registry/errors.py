"""Every error of the credit register, drawn as one tree.

::

    RegistryError
    ├── NoRegister         no register was built yet in this home
    ├── DamagedRegister    the register file cannot be read, or another edition of the program wrote it
    ├── DamagedTable       a shared table the register is built from cannot be read
    ├── BadCode            the text is no unified social credit code; says why
    ├── UnknownPurpose     the purpose of a look-up is none of the list
    ├── IncompleteRequest  who asks, why or under which plan is missing
    ├── BadList            a list for screening is empty, too long or cannot be read
    ├── SlipInvalid        a query slip or its signature does not fit
    └── BadDraw            the plan of an inspection draw, or a draw to be recomputed, does not fit
"""

from __future__ import annotations


class RegistryError(Exception):
    """An error of the credit register, with a short code and the words for both languages."""

    code = "credit"

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__(f"{message} / {message_en}")
        self.message = message
        self.message_en = message_en

    def as_json(self) -> dict[str, object]:
        """Give the ``error`` object of the command line's JSON."""
        return {"code": self.code, "message": self.message, "message_en": self.message_en, "row": None, "column": None}


class NoRegister(RegistryError):
    """No register was built yet in this home."""

    code = "no-register"


class DamagedRegister(RegistryError):
    """The register file cannot be read, or another edition of the program wrote it."""

    code = "damaged-register"


class DamagedTable(RegistryError):
    """A shared table the register is built from cannot be read."""

    code = "damaged-table"


class BadCode(RegistryError):
    """The text is no unified social credit code."""

    code = "bad-code"


class UnknownPurpose(RegistryError):
    """The purpose of a look-up is none of the list."""

    code = "unknown-purpose"


class IncompleteRequest(RegistryError):
    """Who asks, why or under which plan is missing."""

    code = "incomplete-request"


class BadList(RegistryError):
    """A list for screening is empty, too long or cannot be read."""

    code = "bad-list"


class SlipInvalid(RegistryError):
    """A query slip or its signature does not fit."""

    code = "slip-invalid"


class BadDraw(RegistryError):
    """The plan of an inspection draw, or a draw to be recomputed, does not fit."""

    code = "bad-draw"

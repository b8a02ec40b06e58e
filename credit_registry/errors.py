"""Every error of the credit register, drawn as one tree.

::

    RegistryError
    ├── NoRegister         no register was built yet in this home
    ├── DamagedRegister    the register file cannot be read, or another edition of the program wrote it
    ├── DamagedTable       a shared table the register is built from cannot be read
    ├── IndexFailed        the search index of a new register was not finished; the register in use stays
    ├── BadCode            the text is no unified social credit code; says why
    ├── UnknownPurpose     the purpose of a look-up is none of the list
    ├── IncompleteRequest  who asks, why or under which plan is missing
    ├── BadList            a list for screening is empty, too long or cannot be read
    ├── SlipInvalid        a query slip or its signature does not fit
    └── BadDraw            the plan of an inspection draw, or a draw to be recomputed, does not fit
"""

from __future__ import annotations

from records.errors import TwoTongued


class RegistryError(TwoTongued):
    """An error of the credit register."""

    code = "credit"


class NoRegister(RegistryError):
    """No register was built yet in this home."""

    code = "no-register"


class DamagedRegister(RegistryError):
    """The register file cannot be read, or another edition of the program wrote it."""

    code = "damaged-register"


class DamagedTable(RegistryError):
    """A shared table the register is built from cannot be read."""

    code = "damaged-table"


class IndexFailed(RegistryError):
    """The search index of a new register was not finished."""

    code = "index-failed"


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

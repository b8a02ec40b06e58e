"""Every error of the expert registry, drawn as one tree.

::

    ExpertError
    ├── NoExpert          nobody in the pool has this number
    ├── WrongState        the expert, draw or seat cannot go from its state to the one asked for
    ├── IncompleteExpert  what is told of an expert lacks who, what or why, or its days do not fit
    ├── UnknownWord       a code (role of employment, kind of consent, specialty …) is none of its list
    ├── BadRequest        the request of a draw does not fit the rules
    ├── BadDraw           a paper of a draw, or a draw to be recomputed, does not fit
    ├── NeedsSecondPerson the act needs another person than the one who asked for it
    ├── StatutoryPanel    the panel asked for must be drawn from the statutory pool, not from this one
    ├── NotYet            what is asked for stays sealed until its time
    ├── NoVaultKey        the keys of the sealed fields are missing, damaged or readable by others
    └── SealBroken        a sealed field does not open: altered, moved, or sealed with another key
"""

from __future__ import annotations

from records.errors import TwoTongued


class ExpertError(TwoTongued):
    """An error of the expert registry."""

    code = "experts"


class NoExpert(ExpertError):
    """Nobody in the pool has this number."""

    code = "no-expert"


class WrongState(ExpertError):
    """The expert, draw or seat cannot go from its state to the one asked for."""

    code = "wrong-state"


class IncompleteExpert(ExpertError):
    """What is told of an expert lacks who, what or why, or its days do not fit."""

    code = "incomplete-expert"


class UnknownWord(ExpertError):
    """A code is none of its list."""

    code = "unknown-word"


class BadRequest(ExpertError):
    """The request of a draw does not fit the rules."""

    code = "bad-request"


class BadDraw(ExpertError):
    """A paper of a draw, or a draw to be recomputed, does not fit."""

    code = "bad-draw"


class NeedsSecondPerson(ExpertError):
    """The act needs another person than the one who asked for it."""

    code = "needs-second-person"


class StatutoryPanel(ExpertError):
    """The panel asked for must be drawn from the statutory pool, not from this one."""

    code = "statutory-panel"


class NotYet(ExpertError):
    """What is asked for stays sealed until its time."""

    code = "not-yet"


class NoVaultKey(ExpertError):
    """The keys of the sealed fields are missing, damaged or readable by others."""

    code = "no-vault-key"


class SealBroken(ExpertError):
    """A sealed field does not open: altered, moved to another person, or sealed with another key."""

    code = "seal-broken"

"""Every error of the road, drawn as one tree.

::

    RoadError
    ├── IntakeError                 the bytes cannot become a grid of text
    │   ├── UnreadableFile          wrong type, damaged, empty, hostile; ``code`` says which
    │   ├── UnreadableText          neither a BOM encoding, UTF-8 nor GB18030; row and byte are named
    │   ├── TooLarge                a limit of size, rows, columns, inflation or line length was passed
    │   └── ReaderDied              the reading child aborted, ran out of memory or time
    ├── LayoutError                 the grid is not a format the exchange knows
    │   ├── UnknownLayout           no layout recognises the headers
    │   ├── AmbiguousLayout         two layouts fit equally
    │   ├── OldTemplate             a template edition that is no longer taken
    │   ├── UnknownColumn           a column nobody mapped; the nearest known names are listed
    │   ├── MissingColumn           a mapped column is not there
    │   └── RepeatedColumn          one header stands twice
    ├── WrongSender                 the bureau is unknown, or may not send this layout
    ├── OurFault                    a bug of ours met this file: it is refused, the trace kept beside the batch
    ├── GateRefused                 Great Expectations disagrees with the judge: nothing is published
    ├── PublishError                the shared tables could not be written
    └── FetchError                  a source of the night could not be read; ``transient`` says whether to try again
        ├── AddressRefused          the address, or what it resolves to, is not one this source may reach
        ├── Unreachable             no answer: name, connection, time-out, reset, TLS; ``code`` says which
        ├── NotAllowed              401 or 403: the key is wrong or was withdrawn; never retried
        ├── BadStatus               another answer than the one asked for, 429 and 5xx among them
        ├── BadAnswer               the answer cannot be trusted: length, type, encoding, headers
        ├── TooSlow                 the total deadline of a request, or the budget of a source, is spent
        ├── AnswerTooLarge          more bytes, packed or inflated, than this source may send
        ├── ChangedWhileRead        what was read changed again and again while it was read
        └── PagingTrouble           pages repeat, never end, or do not add up to the declared total

``manifest.BackupError`` (a backup cannot be made, read or brought back) is one more. Beside the tree stands
``Stopped``: the service is stopping and the work was left at a safe point; nothing is wrong.

A bad row or cell is never an exception: it is a :class:`pipelines.batch.Finding`.
"""

from __future__ import annotations


class RoadError(Exception):
    """An error of the road, with its place and the words for both languages.

    Parameters
    ----------
    code : str
        Short, stable, for programs (``"unknown-column"``).
    message : str
        Chinese: what, where, and what to do.
    message_en : str
        The same in English.
    sheet, row, column : optional
        Sheet name, row as Excel numbers it, column letter.
    """

    def __init__(
        self,
        code: str,
        message: str,
        message_en: str,
        *,
        sheet: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(f"{message} / {message_en}")
        self.code = code
        self.message = message
        self.message_en = message_en
        self.sheet = sheet
        self.row = row
        self.column = column

    def as_json(self) -> dict[str, object]:
        """Give the ``error`` object of the command line's JSON."""
        return {
            "code": self.code,
            "message": self.message,
            "message_en": self.message_en,
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
        }


class IntakeError(RoadError):
    """The bytes cannot become a grid of text."""


class UnreadableFile(IntakeError):
    """The file is of a type the exchange does not take, or damaged, empty or hostile."""


class UnreadableText(IntakeError):
    """The text is in no encoding the exchange reads; the row and byte are named."""


class TooLarge(IntakeError):
    """A limit of size, rows, columns, inflation or line length was passed."""


class ReaderDied(IntakeError):
    """The reading child aborted, or ran out of memory or time."""


class LayoutError(RoadError):
    """The grid is not a format the exchange knows."""


class UnknownLayout(LayoutError):
    """No layout recognises the headers."""


class AmbiguousLayout(LayoutError):
    """Two layouts fit equally."""


class OldTemplate(LayoutError):
    """The workbook is an edition of a template that is no longer taken."""


class UnknownColumn(LayoutError):
    """A column stands in the file that nobody mapped."""


class MissingColumn(LayoutError):
    """A mapped column is not in the file."""


class RepeatedColumn(LayoutError):
    """One header stands over two columns."""


class WrongSender(RoadError):
    """The bureau is unknown, or may not send this layout."""


class OurFault(RoadError):
    """A bug of ours met this file."""


class GateRefused(RoadError):
    """Great Expectations disagrees with the judge."""


class PublishError(RoadError):
    """The shared tables could not be written."""


class Stopped(Exception):
    """The service is stopping; what was begun is taken up at the next start. No error of the road: nobody is refused."""


class FetchError(RoadError):
    """A source of the night could not be read.

    Parameters
    ----------
    code : str
        A code of ``schemas/alarms.csv``.
    transient : bool
        The same request may succeed a little later.
    """

    def __init__(self, code: str, message: str, message_en: str, *, transient: bool = False) -> None:
        super().__init__(code, message, message_en)
        self.transient = transient


class AddressRefused(FetchError):
    """The address, or what it resolves to, is not one this source may reach."""


class Unreachable(FetchError):
    """There was no answer."""


class NotAllowed(FetchError):
    """The key is wrong, or was withdrawn."""


class BadStatus(FetchError):
    """The server answered with another status than the one asked for."""


class BadAnswer(FetchError):
    """The answer cannot be trusted."""


class TooSlow(FetchError):
    """The deadline of a request, or the budget of a source, is spent."""


class AnswerTooLarge(FetchError):
    """More bytes came than this source may send."""


class ChangedWhileRead(FetchError):
    """What was read changed while it was read, each time."""


class PagingTrouble(FetchError):
    """Pages repeat, never end, or do not add up to the declared total."""

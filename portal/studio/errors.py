"""What can be wrong with a layout a person makes."""

from __future__ import annotations

from pipelines.errors import LayoutError


class Undecided(LayoutError):
    """Something of the layout is still open, or two answers contradict each other; ``place`` is the field of the form."""

    def __init__(self, place: str, message: str, message_en: str) -> None:
        super().__init__("layout-undecided", message, message_en)
        self.place = place


class NotTried(LayoutError):
    """A layout is saved only as it was tried, and only if it read the file."""

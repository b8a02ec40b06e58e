"""What must not be shown or used today, whatever moment is asked about.

Repair means: stop publishing, stop sharing, stop using (NDRC order 36); a withdrawn record is hidden on both sides
(reference on credit schemes §5, §7). These duties run by today's clock. So an answer *as known* on an earlier day leaves
out what was repaired, withdrawn, annulled or past its publication since then, and counts it as withheld. Only who
reviews a decision (复核) may see what was known when it was made; ``vocabularies/purposes.csv`` says for which purposes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from credit_registry.dossier import Dossier, Penalty, Rating
from credit_registry.penalties import penalty_state
from credit_registry.states import OUT_OF_VIEW, rating_state
from credit_registry.wording import PENALTY_STATES, RATING_STATES

Barred = Mapping[tuple[str, str, str], str]
"""(``rating`` or ``penalty``, bureau, key) of a record → why it is out of view by now."""
NOTHING_BARRED: Barred = {}
GONE = "withdrawn"
"""A record its sender no longer has under its key: it took the row back."""


def name_of(record: Rating | Penalty) -> tuple[str, str, str]:
    """Name a record as :data:`Barred` does."""
    return ("rating" if isinstance(record, Rating) else "penalty", record.bureau, record.key)


def barred(then: Dossier, today: Dossier | None, day: date) -> Barred:
    """Find the records of an earlier dossier that are out of view by now.

    Parameters
    ----------
    then : Dossier
        As known at the moment asked about.
    today : Dossier or None
        The same subject as known now, with all messages; None where nothing is held any more.
    day : date
        The China day of today, or a later one the question is about.
    """
    ratings = {name_of(one): rating_state(one, today, day).state for one in today.ratings} if today else {}
    penalties = {name_of(one): penalty_state(one, today.messages, day) for one in today.penalties} if today else {}
    now = {name: state if state in OUT_OF_VIEW else "" for name, state in ratings.items()}
    now |= {name: "" if state.in_view else state.state for name, state in penalties.items()}
    held: list[Rating | Penalty] = [*then.ratings, *then.penalties]
    found = {name_of(one): now.get(name_of(one), GONE) for one in held}
    return {name: why for name, why in found.items() if why}


def marked(line: dict[str, Any], record: Rating | Penalty, since: Barred) -> dict[str, Any]:
    """Put beside a line what became of the record since, blank for most; then it is for the review only."""
    why = since.get(name_of(record), "")
    words = (RATING_STATES if isinstance(record, Rating) else PENALTY_STATES).get(why, why)
    zh = f"此后{words}：仅供复核，不得公示、共享或使用" if why else ""
    en = f"{why} since: for this review only, not to be published, shared or used" if why else ""
    return line | {"out_of_view": why, "out_of_view_message": zh, "out_of_view_message_en": en}

"""Who stands before the opened register on the command line, and the candidates a name gives.

A name never opens a record: whoever asks by name gets a list, also where one enterprise bears just that name, with what
matched and how well, and asks again by code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portal.cli import Exit, data, now, records_of, stop, words
from portal.credit_options import Who
from portal.credit_uses import CANDIDATES, Counter, search
from portal.credit_uses import kept_by_name as held_by_name
from portal.settings import read_credit_settings, read_settings
from portal.words import say

if TYPE_CHECKING:
    from credit_registry.search import Hit

__all__ = ["CANDIDATES", "Counter", "asks_by_name", "candidates", "counter_of", "kept_by_name", "print_json"]


@contextmanager
def counter_of(home: Path | None, who: Who) -> Iterator[Counter]:
    """Check who asks, open the newest register, and look for bulk use afterwards."""
    from credit_registry.trace import checked
    from portal.credit import asker_of, desk_of, viewer_of, watch

    default = read_credit_settings()
    given = (who.unit or default.unit, who.certificate or default.certificate, who.purpose or default.purpose, who.plan)
    asker = checked(asker_of(read_settings().user, *given))
    with records_of(home) as (places, records):
        viewer = viewer_of(asker.unit, places)
        with desk_of(places, records, now()) as desk:
            if desk.behind is not None:
                words(say(desk.behind.message, desk.behind.message_en))
                words(say("以下为上一次建立的信用库", "what follows comes from the register built before"))
            try:
                yield Counter(desk, asker, viewer, now())
            finally:
                watch(places, records, now())


def print_json(document: Mapping[str, Any]) -> None:
    """Give a document on one line."""
    data(json.dumps(document, ensure_ascii=False))


def asks_by_name(text: str) -> bool:
    """Tell whether a text is a name; ends with words where it is nothing at all."""
    from credit_registry.answers import is_name
    from schemas.files import fold

    if not fold(text):
        stop(Exit.USE, "请写明统一社会信用代码或企业名称", "name a code or an enterprise")
    return is_name(text)


def kept_by_name(counter: Counter, text: str) -> bool:
    """Tell whether there are records under just this name that bear no code."""
    return asks_by_name(text) and held_by_name(counter.desk, text)


def candidates(counter: Counter, text: str, kind: str, as_json: bool, limit: int = 10) -> bool:
    """List candidates with what matched, and keep the trace; give whether there is one."""
    from portal.credit_lines import hit_lines

    hits, document = search(counter, text, kind, limit)
    if as_json:
        print_json(document)
        return bool(hits)
    for line in hit_lines(document):
        data(line)
    if hits:
        words(_go_on(hits))
    return bool(hits)


def _go_on(hits: Sequence[Hit]) -> str:
    """Say how to go on from a list of candidates."""
    code = next((one.uscc for one in hits if one.uscc), "")
    said = [
        say("名称不是身份，只列候选，不打开记录。", "A name is no identity: candidates only, no record was opened.")
    ]
    if code:
        said.append(
            say(
                f"请核对名称和登记地后用代码查询，如：gongzhi credit lookup {code}",
                f"Check name and place, then ask by code, as: gongzhi credit lookup {code}",
            )
        )
    if not all(one.uscc for one in hits):
        said.append(
            say(
                "没有代码的记录：gongzhi credit lookup --no-code '名称全文'",
                "Records without a code: gongzhi credit lookup --no-code 'the whole name'",
            )
        )
    return "\n".join(said)

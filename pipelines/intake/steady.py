"""A file may be replaced while it is read: what was read counts only when it still stands once it has been read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pipelines.errors import BadAnswer, ChangedWhileRead, FetchError
from pipelines.intake.answers import Answer, has_length, settled

READINGS = 3

Ask = Callable[[str, str], Answer]
"""Asks, knowing an ETag and a Last-Modified, ``""`` for none."""


def until_steady(ask: Ask, etag: str, modified: str, host: str, now: datetime) -> Answer:
    """Read, and ask once more whether it still stands; what has changed meanwhile is read again, a few times.

    Raises
    ------
    ChangedWhileRead
        It was another file each time.
    BadAnswer
        ``length-unclear``: no length is declared and no two readings are alike.
    """
    answer = ask(etag, modified)
    for _ in range(READINGS):
        whole = has_length(answer.headers)
        if answer.not_modified or (whole and not answer.etag and not answer.modified):
            return answer
        try:
            # where no length is declared only the same bytes once more tell that nothing was cut
            again = ask(answer.etag * whole, answer.modified * whole)
        except BaseException:
            _forget(answer)
            raise
        if again.not_modified:
            return _dated(answer, now)
        older, answer = answer, again
        _forget(older)
        if older.sha256 == again.sha256:
            return _dated(answer, now)
    _forget(answer)
    raise _unsteady(host, has_length(answer.headers))


def _dated(answer: Answer, now: datetime) -> Answer:
    """Leave out a Last-Modified within whose second the file may change again, where nothing else names it."""
    return answer if answer.etag or settled(answer.headers, now) else replace(answer, modified="")


def _forget(answer: Answer) -> None:
    if answer.path is not None:
        answer.path.unlink()


def _unsteady(host: str, has_length: bool) -> FetchError:
    if has_length:
        return ChangedWhileRead(
            "changed-while-read",
            f"{host} 上的文件在读取过程中反复被改动，本次未采用；请对方先写临时文件、完成后再改名发布",
            f"the file at {host} changed each time it was read; ask the sender to write aside and rename",
            transient=True,
        )
    return BadAnswer(
        "length-unclear",
        f"{host} 未声明内容长度，多次读取结果不一致，无法确认是否完整；请对方启用 Content-Length",
        f"{host} declares no length and each reading differs; ask the sender to declare the length",
    )

"""Work done in a process of its own, that may be killed when it takes too long: the pages go on meanwhile.

A new interpreter and not a fork: the portal has threads and open files. What the work returns, or the words it was
refused with, come back through a pipe.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pipelines.errors import RoadError
from records.errors import TwoTongued

T = TypeVar("T")


class TooLong(Exception):
    """The work was not done in the time it had, and was ended."""


class Refused(Exception):
    """The work was refused with words for the person who asked."""

    def __init__(self, code: str, message: str, message_en: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.message_en = message_en


class Broken(Exception):
    """The work broke, or its process died; the trace is for the log."""


def apart(work: Callable[..., T], *given: Any, seconds: float) -> T:
    """Do some work in a process of its own; ``work`` is a function of a module, what it is given can be pickled.

    Raises
    ------
    Refused, TooLong, Broken
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_do, args=(there, work, given))
    child.start()
    there.close()
    try:
        if not here.poll(seconds):
            raise TooLong(f"{work.__name__} was not done in {seconds} s")
        how, told = here.recv()
    except EOFError:
        raise Broken(f"{work.__name__} died") from None
    finally:
        here.close()
        if child.is_alive():
            child.join(2)
            child.kill()
        child.join()
        child.close()
    if how == "refused":
        raise Refused(*told)
    if how == "broken":
        raise Broken(told)
    result: T = told
    return result


def _do(there: Connection, work: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Run in the child."""
    try:
        told: tuple[str, Any] = ("done", work(*given))
    except (TwoTongued, RoadError) as error:
        told = ("refused", (error.code, error.message, error.message_en))
    except Exception as error:
        told = ("broken", "".join(traceback.format_exception(error)))
    there.send(told)
    there.close()

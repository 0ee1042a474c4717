"""Reading one part of an account: tried again while the broker gives no answer that can be understood."""

from collections.abc import Callable, Collection
from typing import TypeVar

from agents.broker.ports import Reply

READS_MAX = 3

REFUSED_QUOTES = frozenset({400, 404, 422})
"""What a request of quotes is answered with that names a symbol the broker does not know (Alpaca: 400)."""

Found = TypeVar("Found")


class UnreadError(Exception):
    """A part could not be read; `http_status` is that of the last answer, None where it could not be understood."""

    def __init__(self, name: str, http_status: int | None, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.http_status = http_status
        self.problem = problem


def tried(
    name: str,
    ask: Callable[[], Reply],
    reading: Callable[[str], Found],
    pause: Callable[[], None],
    final: Collection[int],
) -> Found:
    """Return what `reading` makes of an answer, which may refuse it by a ValueError.

    Raises UnreadError after all tries, with a `pause` between two, or at the first answer whose status is `final`.
    """
    status: int | None = None
    problem = ""
    for attempt in range(READS_MAX):
        if attempt:
            pause()
        reply = ask()
        status, problem = reply.http_status, reply.problem
        if status == 200:
            try:
                return reading(reply.body)
            except ValueError as error:
                status, problem = None, str(error)
        if status in final:
            break
    raise UnreadError(name, status, problem)

"""Orders whose fate is UNKNOWN are read again and again, until the gateway says that they have ended or are found.

Every such read is published, also one that says the same as the one before: the gateway sends the same order again
after a 404, lets it expire after its session, and sees from the time of a read how long an order has been UNKNOWN.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0

UNKNOWN_FOR = timedelta(days=7)
"""How long after it was first heard of an order is read again that only this process takes for UNKNOWN.

After that until the broker says that it has no such order: it may have been executed while no process was there to hear
of it, however long that was.
One that the gateway calls UNKNOWN is read until the gateway says otherwise: somebody's capital waits for it.
"""


@dataclass
class _Turn:
    due_s: float
    wait_s: float
    is_told: bool


class UnknownOrders:
    """Which orders are read again, and when: after 1 s, 2 s, 4 s and so on up to a minute. Not safe between threads."""

    def __init__(self, seconds: Callable[[], float], earlier: Iterable[str]) -> None:
        """Begin with those that were unanswered when the partition was taken over: they are due at once.

        Whether they are UNKNOWN nobody told this process, so one reading that finds the order is enough for them.
        """
        self._seconds = seconds
        self._turns = {name: _Turn(seconds(), FIRST_WAIT_S, is_told=False) for name in earlier}

    def begin(self, client_order_id: str) -> None:
        """Read an order from now on; one that is being read already keeps its turn."""
        first = _Turn(self._seconds() + FIRST_WAIT_S, FIRST_WAIT_S, is_told=True)
        self._turns.setdefault(client_order_id, first).is_told = True

    def end(self, client_order_id: str) -> None:
        """Read an order no more."""
        self._turns.pop(client_order_id, None)

    def is_told(self, client_order_id: str) -> bool:
        """Say whether the gateway has called an order UNKNOWN."""
        turn = self._turns.get(client_order_id)
        return turn is not None and turn.is_told

    def due(self) -> tuple[str, ...]:
        """Return whose turn it is, sorted."""
        now_s = self._seconds()
        return tuple(sorted(name for name, turn in self._turns.items() if turn.due_s <= now_s))

    def read(self, client_order_id: str, *, is_found: bool) -> None:
        """Note that an order was just read: the next time comes after twice as long."""
        turn = self._turns.get(client_order_id)
        if turn is not None and is_found and not turn.is_told:
            self.end(client_order_id)
        elif turn is not None:
            turn.wait_s = min(turn.wait_s * 2, LONGEST_WAIT_S)
            turn.due_s = self._seconds() + turn.wait_s

    def rest_s(self) -> float | None:
        """Return how long nobody is due, seconds; None when there is nobody."""
        if not self._turns:
            return None
        return max(0.0, min(turn.due_s for turn in self._turns.values()) - self._seconds())

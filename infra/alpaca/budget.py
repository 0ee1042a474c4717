"""How many requests a minute one account may send: counted here, so that the broker has none to refuse.

Alpaca counts requests per key (200 a minute, 1000 for some) and refuses what is above. An order must not be refused
because of a poll, so a part of the minute is kept for orders and cancels.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from agents.broker.ports import RATE_LIMITED
from infra.clock import seconds

MINUTE_S = 60.0

#: A refusal that does not say when the next request is welcome: the first wait, doubled for each refusal in a row.
FIRST_WAIT_S = 1.0


class RequestBudget:
    """The tokens of one account's requests: each request takes one, which comes back a minute later.

    So never more than `per_minute` requests leave within any 60 s, however they are spread, and reads leave
    `kept_for_orders` of them alone. What the broker says about its own count (`X-RateLimit-*`) can only lower that:
    other processes may use the same keys. Safe to use from several threads.
    """

    def __init__(
        self,
        per_minute: int,
        kept_for_orders: int,
        now_s: Callable[[], float] = seconds,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        """`now_s` is a clock that only goes forward; `pause` waits so many seconds and returns whether to give up."""
        self._per_minute = per_minute
        self._kept_share = kept_for_orders / per_minute
        self._now_s = now_s
        self._closed = threading.Event()
        self._pause = pause or self._closed.wait
        self._lock = threading.Lock()
        self._taken: deque[float] = deque()
        self._left = 0
        self._left_until = -MINUTE_S
        self._reset_at = 0
        self._shut_until = -MINUTE_S
        self._refusals = 0

    def take(self, is_order: bool) -> float:
        """Take a token and return 0, or take none and return in how many seconds to ask again."""
        with self._lock:
            now = self._now_s()
            while self._taken and self._taken[0] <= now - MINUTE_S:
                self._taken.popleft()
            wait = max(self._own_wait(now, is_order), self._said_wait(now, is_order))
            if wait > 0:
                return wait
            self._taken.append(now)
            self._left -= 1
            return 0.0

    def wait(self, is_order: bool, patience_s: float) -> float:
        """Wait for a token, not longer than `patience_s`; return 0 with one, else the seconds that are still missing.

        What would come too late is not waited for.
        """
        until = self._now_s() + patience_s
        while (missing := self.take(is_order)) > 0:
            if self._now_s() + missing > until or self._pause(missing):
                return missing
        return 0.0

    def heard(self, http_status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer what the broker counts."""
        limit, left = _whole(headers.get("X-RateLimit-Limit")), _whole(headers.get("X-RateLimit-Remaining"))
        reset_at = _whole(headers.get("X-RateLimit-Reset"))
        reset_s = None if reset_at is None else _reset_s(reset_at, headers.get("Date"))
        with self._lock:
            now = self._now_s()
            if limit:
                self._per_minute = min(self._per_minute, limit)
            if left is not None and reset_at is not None and reset_s is not None:
                self._count(left, reset_at, now + reset_s)
            if http_status != RATE_LIMITED:
                self._refusals = 0
                return
            self._refusals += 1
            unsaid_s = min(FIRST_WAIT_S * 2 ** min(self._refusals - 1, 6), MINUTE_S)
            self._shut_until = max(self._shut_until, now + (reset_s or unsaid_s))

    def _count(self, left: int, reset_at: int, until: float) -> None:
        """Take over the broker's count of one of its minutes; answers may come in another order than was asked."""
        if reset_at > self._reset_at or self._left_until <= self._now_s():
            self._left, self._reset_at, self._left_until = left, reset_at, until
        elif reset_at == self._reset_at:
            self._left = min(left, self._left)

    def close(self) -> None:
        """End all waiting, without a token."""
        self._closed.set()

    def _own_wait(self, now: float, is_order: bool) -> float:
        allowed = self._per_minute - self._kept(is_order)
        over = len(self._taken) - allowed
        return self._taken[over] + MINUTE_S - now if over >= 0 else 0.0

    def _said_wait(self, now: float, is_order: bool) -> float:
        wait = self._shut_until - now
        if self._left <= self._kept(is_order):
            wait = max(wait, self._left_until - now)
        return wait

    def _kept(self, is_order: bool) -> int:
        return 0 if is_order else int(self._per_minute * self._kept_share)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _reset_s(reset_at: int, sent: str | None) -> float | None:
    """Return in how many seconds the broker's minute ends, None when that cannot be told.

    Both times are the broker's own, so a clock here that is wrong does no harm.
    """
    try:
        left_s = reset_at - parsedate_to_datetime(sent or "").timestamp()
    except ValueError:
        return None
    return left_s if 0 <= left_s <= MINUTE_S else None

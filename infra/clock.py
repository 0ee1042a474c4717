"""The one place where a clock is read: the system's, or the broker's where a simulator's days are not ours."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

from infra.errors import TapeError
from infra.settings import Settings

Clock = Callable[[], datetime]

TIMEOUT_S = 10.0


def system_clock() -> datetime:
    """Return the system's time, in UTC."""
    return datetime.now(UTC)


class BrokerClock:
    """The time as the broker states it (`/v2/clock`), asked each time; for simulators, whose days are historical."""

    def __init__(self, brokerage_url: str, key_id: str, secret_key: str) -> None:
        self._url = f"{brokerage_url.rstrip('/')}/v2/clock"
        self._headers = {"APCA-API-KEY-ID": key_id, "APCA-API-SECRET-KEY": secret_key}
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the broker's time, in UTC; raises TapeError when it does not answer."""
        request = urllib.request.Request(self._url, headers=self._headers)
        try:
            with self._lock, self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return datetime.fromisoformat(json.load(answer)["timestamp"]).astimezone(UTC)
        except (OSError, ValueError, KeyError) as error:
            raise TapeError(f"the broker's clock cannot be read: {error}", where=self._url) from error


def clock_of(settings: Settings) -> Clock:
    """Return the clock that TAPE_CLOCK names; raises TapeError when it is the broker's and nobody could be asked."""
    if settings.clock == "system":
        return system_clock
    url, key_id, secret_key = settings.brokerage_url, settings.brokerage_key_id, settings.brokerage_secret_key
    if url is None or key_id is None or secret_key is None:
        raise TapeError(
            "the broker's clock needs a url and a key pair; TAPE_CLOCK=system needs none",
            where="TAPE_CLOCK, TAPE_BROKERAGE_URL, TAPE_BROKERAGE_KEY_ID, TAPE_BROKERAGE_SECRET_KEY",
        )
    return BrokerClock(url, key_id.get_secret_value(), secret_key.get_secret_value())


def seconds() -> float:
    """Return a reading of a clock that only goes forward, for durations."""
    return time.monotonic()

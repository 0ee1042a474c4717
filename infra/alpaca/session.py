"""One HTTP session for alpaca-py that always has a timeout and remembers each answer as the text it was.

alpaca-py passes no timeout, parses numbers into floats, and raises on every status above 399 (and fails once more where
such a body is not JSON). The session sits below all that: whatever the library makes of an answer, the text is kept.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from requests import Response, Session
from requests.adapters import HTTPAdapter

#: The broker agent makes a handful of calls at once; more connections are opened if needed, but not kept.
CONNECTIONS = 8


@dataclass(frozen=True)
class Answer:
    """What one request brought."""

    http_status: int
    body: str
    headers: Mapping[str, str]


class RecordingSession(Session):
    """A requests Session that keeps connections alive and records the last answer of the calling thread."""

    def __init__(self, connect_timeout: float, read_timeout: float) -> None:
        """Allow so many seconds to connect and to wait for a byte."""
        super().__init__()
        # A .netrc or a proxy in the environment must not put itself between the keys and the broker.
        self.trust_env = False
        self.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        self.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS))
        self._timeout = (connect_timeout, read_timeout)
        self._of_thread = threading.local()

    def request(self, method: str, url: str | bytes, *args: Any, **options: Any) -> Response:
        """Send one request, once; raises requests' exceptions when there is no whole answer."""
        self._of_thread.answer = None
        response = super().request(method, url, *args, **{**options, "timeout": self._timeout})
        # JSON is UTF-8; left to itself, requests guesses the encoding of every body by statistics.
        response.encoding = "utf-8"
        self._of_thread.answer = Answer(response.status_code, response.text, response.headers)
        return response

    def last_answer(self) -> Answer | None:
        """Return the answer to the last request of this thread, None when it had none."""
        answer: Answer | None = getattr(self._of_thread, "answer", None)
        return answer

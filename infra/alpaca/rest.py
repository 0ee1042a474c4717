"""Requests through alpaca-py's clients that end in a Reply: in time, in the broker's own words, no order sent twice."""

import json
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from requests.exceptions import JSONDecodeError

from agents.broker.ports import RATE_LIMITED, Reply
from infra.alpaca.budget import RequestBudget
from infra.alpaca.session import RecordingSession
from infra.clock import seconds

Params = Mapping[str, str]


def instant_text(at: datetime) -> str:
    """Write an instant as Alpaca reads it; raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"expected an aware datetime, was {at.isoformat()}")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def silence(reason: str, body: str = "") -> Reply:
    """Return the reply that says that there is none."""
    return Reply(http_status=None, body=body, error=reason)


def reason_of(error: Exception) -> str:
    """Return an error's type and text."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def within(seconds: float, work: Callable[[], Reply]) -> Reply:
    """Run `work` on a thread of its own and wait at most so long for it.

    A socket's timeout counts single reads: looking up a name, or an answer that comes byte by byte, has no end there.
    What is abandoned here ends with its request, and keeps no process alive.
    """
    replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()
    threading.Thread(target=lambda: replies.put(work()), daemon=True, name="alpaca-request").start()
    try:
        return replies.get(timeout=seconds)
    except queue.Empty:
        return silence(f"no answer within {seconds:g} s")


PAGE_TRIES = 4
"""How often one page of a listing is asked for."""
SERVER_ERROR = 500


class RestCalls:
    """One of alpaca-py's clients, on a session of ours, without its retries, and within a budget of requests."""

    def __init__(
        self,
        client: RESTClient,
        session: RecordingSession,
        hide: Callable[[str], str],
        budget: RequestBudget,
        now_s: Callable[[], float] = seconds,
    ) -> None:
        """Take over `client`; `hide` removes secrets from a text, `now_s` is a clock that only goes forward."""
        # alpaca-py repeats a request after 429 and 504, a POST of an order included, and has no setting of 0 for it.
        client._retry = 0  # noqa: SLF001
        client._session = session  # noqa: SLF001
        self._client = client
        self._session = session
        self._hide = hide
        self._budget = budget
        self._now_s = now_s
        self._refused_body = ""

    def get(self, path: str, params: Params, total_s: float) -> Reply:
        """GET a path under /v2; a 429 is asked again once, after the broker's reset, if that comes in time."""
        until = self._now_s() + total_s
        return within(total_s, lambda: self._get(path, params, until))

    def post(self, path: str, body: Mapping[str, object], total_s: float) -> Reply:
        """POST a JSON object to a path under /v2, at most once, and now or not at all.

        Whoever sends an order has just looked whether it may be sent; after a wait that would be long ago.
        """
        return self._act(lambda: self._client.post(path, dict(body)), total_s, patience_s=0.0)

    def patch(self, path: str, body: Mapping[str, object], total_s: float) -> Reply:
        """PATCH a path under /v2 with a JSON object, at most once."""
        return self._act(lambda: self._client.patch(path, dict(body)), total_s, total_s)

    def delete(self, path: str, total_s: float) -> Reply:
        """DELETE a path under /v2, at most once."""
        return self._act(lambda: self._client.delete(path), total_s, total_s)

    def _act(self, send: Callable[[], object], total_s: float, patience_s: float) -> Reply:
        """Wait for a token, then send once, within `total_s`; the waiting takes nothing from the request."""
        missing_s = self._budget.wait(is_order=True, patience_s=patience_s)
        return self._kept_back(missing_s) if missing_s else within(total_s, lambda: self._reply(send))

    def _get(self, path: str, params: Params, until: float) -> Reply:
        first = self._get_once(path, params, until)
        if first.http_status != RATE_LIMITED or first.error is not None:
            return first
        second = self._get_once(path, params, until)
        return first if second.http_status == RATE_LIMITED else second

    def _get_once(self, path: str, params: Params, until: float) -> Reply:
        missing_s = self._budget.wait(is_order=False, patience_s=until - self._now_s())
        return self._kept_back(missing_s) if missing_s else self._reply(lambda: self._client.get(path, dict(params)))

    def _kept_back(self, missing_s: float) -> Reply:
        return Reply(RATE_LIMITED, self._refused_body, f"not sent: no request is free for another {missing_s:.1f} s")

    def _reply(self, send: Callable[[], object]) -> Reply:
        try:
            send()
        except JSONDecodeError:
            return self._unreadable()
        except APIError:
            return self._heard()
        except Exception as error:
            return silence(self._hide(reason_of(error)))
        return self._heard()

    def _heard(self) -> Reply:
        answer = self._session.last_answer()
        if answer is None:
            return silence("the client returned without an answer")
        self._budget.heard(answer.http_status, answer.headers)
        if answer.http_status == RATE_LIMITED:
            self._refused_body = answer.body
        return Reply(answer.http_status, answer.body, None)

    def _unreadable(self) -> Reply:
        answer = self._session.last_answer()
        if answer is None:
            return silence("the client returned without an answer")
        return silence(f"HTTP {answer.http_status} with a body that is not JSON", answer.body)

    def listing(
        self, path: str, params: Params, next_page: Callable[[str], Params], size: int, total_s: float
    ) -> Reply:
        """GET all pages of a listing, joined as text into one JSON array.

        A page that cannot be read is asked for again, or a long listing would never be read whole; one that fails every
        time is the reply.

        `next_page` returns the parameters of the page after the row with an id; a page of fewer than `size` rows is the
        last one.
        """
        until = self._now_s() + total_s
        return within(total_s, lambda: self._all_pages(path, params, next_page, size, until))

    def _all_pages(
        self, path: str, params: Params, next_page: Callable[[str], Params], size: int, until: float
    ) -> Reply:
        pages: list[str] = []
        while self._now_s() < until:
            reply = self._page(path, params, until)
            if reply.http_status != 200:
                return reply
            rows = json.loads(reply.body, parse_float=str)
            if not isinstance(rows, list):
                return silence("HTTP 200 with a body that is not a JSON array", reply.body)
            if rows:
                pages.append(reply.body.strip()[1:-1])
            if len(rows) < size:
                return Reply(200, f"[{','.join(pages)}]", None)
            params = next_page(str(rows[-1]["id"]))
        return silence(f"listing not complete in time: {len(pages)} pages read")

    def _page(self, path: str, params: Params, until: float) -> Reply:
        reply = self._get(path, params, until)
        for _ in range(PAGE_TRIES - 1):
            is_passing = reply.http_status is None or reply.http_status >= SERVER_ERROR
            if not is_passing or self._now_s() >= until:
                break
            reply = self._get(path, params, until)
        return reply

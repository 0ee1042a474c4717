"""What can go wrong on demand: the kinds of trouble, an ordered one, and a standing profile that draws them by seed."""

import hashlib
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What goes wrong. "After accept" means that the request was done and only its answer suffers."""

    TIMEOUT_BEFORE = "timeout_before"  # never done, never answered
    RESET_BEFORE = "reset_before"  # never done; the connection is torn down
    HTTP_404 = "http_404"  # a read of an order says that there is none
    HTTP_429 = "http_429"  # not done; too many requests, welcome again in `seconds`
    HTTP_500 = "http_500"  # not done; the broker has trouble of its own
    HTTP_503 = "http_503"  # not done; a gateway answers in HTML
    HTTP_504 = "http_504"  # not done; a gateway answers in HTML

    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"  # done, but the answer never comes
    RESET_AFTER_ACCEPT = "reset_after_accept"  # done, then the connection is torn down
    HTTP_429_AFTER_ACCEPT = "http_429_after_accept"
    HTTP_500_AFTER_ACCEPT = "http_500_after_accept"
    HTTP_503_AFTER_ACCEPT = "http_503_after_accept"
    HTTP_504_AFTER_ACCEPT = "http_504_after_accept"
    HALF_BODY = "half_body"  # done, then the answer is cut in the middle
    BROKEN_JSON = "broken_json"  # done, then the whole answer arrives and is no JSON
    SLOW_ANSWER = "slow_answer"  # done at once, answered `seconds` later

    DELAY = "delay"  # done `seconds` later, or after `reads` reads of the order that said 404, even if the client left
    INVISIBLE = "invisible"  # an order is taken and answered; reads miss it for `reads` reads, or for `seconds`
    GHOST_ID = "ghost_id"  # no order is taken, yet its id counts as used from now on: POST says 422, reads say 404

    DROP_STREAM = "drop_stream"  # a message is lost together with every connection of its stream
    SILENT_STREAM = "silent_stream"  # a message is lost, and its connections stay open but never say a word again
    LOSE_EVENT = "lose_event"  # a message is lost, the connections stay
    DUPLICATE_EVENT = "duplicate_event"  # a message is sent twice
    REORDER_EVENT = "reorder_event"  # a message is sent after the next one, or after `seconds` when none comes

    STREAM_ERROR = "stream_error"  # a message of the data stream is lost, and the error `code` comes instead


STREAM_FAULTS = frozenset(
    {
        FaultKind.STREAM_ERROR,
        FaultKind.DROP_STREAM,
        FaultKind.SILENT_STREAM,
        FaultKind.LOSE_EVENT,
        FaultKind.DUPLICATE_EVENT,
        FaultKind.REORDER_EVENT,
    }
)
ORDER_FAULTS = frozenset({FaultKind.INVISIBLE, FaultKind.GHOST_ID})
NEW_ORDER = "POST /v2/orders"
STREAM_WORDS = ("EVENT ", "DATA ")

#: What a profile draws from unless it says otherwise: all that heals. A ghost never does.
HEALING = tuple(kind for kind in FaultKind if kind is not FaultKind.GHOST_ID)


class Fault(BaseModel):
    """One ordered trouble."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    match: str = Field(
        default="*",
        description="'METHOD /path', as 'POST /v2/orders'; in a stream 'EVENT fill', 'DATA quotes AAPL'; * is anything",
    )
    times: int = Field(default=1, ge=1, description="How often it strikes.")
    seconds: float = Field(default=0.2, ge=0, le=600, description="Real time; which kinds have one: see `kind`.")
    reads: int = Field(
        default=0, ge=0, description="For delay and invisible: counts instead of `seconds` when above 0."
    )

    code: Literal[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 500] = 500

    def strikes(self, text: str) -> bool:
        """Say whether it can strike a request or a message, such as 'POST /v2/orders' or 'EVENT fill'."""
        return fnmatchcase(text, self.match) and can_strike(self.kind, text)


class FaultProfile(BaseModel):
    """A standing trouble: every request and message it matches draws whether, and how, it suffers.

    The draw is sha256 of `seed`, of what is asked for (of an order, its client order id) and of how often that was
    asked for before: the same run suffers the same, and a repetition draws anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: Decimal = Field(ge=0, le=1, allow_inf_nan=False, description="Share of requests and messages that suffer.")
    seed: str = ""
    match: str = Field(default="*", description="As of an ordered fault.")
    kinds: tuple[FaultKind, ...] = Field(default=HEALING, min_length=1)
    seconds: float = Field(default=0.2, ge=0, le=600)
    reads: int = Field(default=0, ge=0)

    def drawn(self, text: str, identity: str, count: int) -> Fault | None:
        """Return how a request or message suffers, None when it does not; the same arguments give the same answer."""
        kinds = [kind for kind in self.kinds if can_strike(kind, text)]
        if not kinds or not fnmatchcase(text, self.match):
            return None
        digest = hashlib.sha256(f"{self.seed}\n{identity}\n{count}".encode()).digest()
        if int.from_bytes(digest[:8]) >= self.rate * 2**64:
            return None
        kind = kinds[int.from_bytes(digest[8:16]) % len(kinds)]
        return Fault(kind=kind, match=self.match, seconds=self.seconds, reads=self.reads)


def can_strike(kind: FaultKind, text: str) -> bool:
    """Say whether a kind of trouble makes sense for a request or a message."""
    if kind is FaultKind.STREAM_ERROR:
        return text.startswith("DATA ")
    if text.startswith(STREAM_WORDS) or kind in STREAM_FAULTS:
        return text.startswith(STREAM_WORDS) and kind in STREAM_FAULTS
    if kind in ORDER_FAULTS:
        return text == NEW_ORDER
    return kind is not FaultKind.HTTP_404 or text.startswith(("GET /v2/orders/", "GET /v2/orders:"))

"""Troubles that can be ordered: each waits for the next request or event it matches, and spoils it."""

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    """What goes wrong."""

    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"  # done, but the answer never comes
    TIMEOUT_BEFORE = "timeout_before"  # never done, never answered
    RESET = "reset"  # done, then the connection is torn down
    HTTP_504 = "http_504"  # done, then a gateway answers in HTML
    HALF_BODY = "half_body"  # done, then the answer is cut in the middle
    HTTP_404 = "http_404"  # not done; the broker does not know the order yet
    HTTP_429 = "http_429"  # not done; too many requests
    HTTP_500 = "http_500"  # not done; the broker has trouble of its own
    DELAY = "delay"  # done later, by `seconds`
    DROP_STREAM = "drop_stream"  # an event is lost together with every stream connection
    LOSE_EVENT = "lose_event"  # an event is lost, the connections stay
    DUPLICATE_EVENT = "duplicate_event"  # an event is sent twice


STREAM_FAULTS = frozenset({FaultKind.DROP_STREAM, FaultKind.LOSE_EVENT, FaultKind.DUPLICATE_EVENT})


class Fault(BaseModel):
    """One ordered trouble.

    `match` is 'METHOD /path', as in 'POST /v2/orders'; for one of the stream it is 'EVENT name', as in 'EVENT fill';
    * stands for anything. It strikes `times` times; `seconds` is for DELAY only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    match: str = "*"
    times: int = Field(default=1, ge=1)
    seconds: float = Field(default=0.2, ge=0, le=60)

    @property
    def is_of_stream(self) -> bool:
        """Whether it spoils events rather than requests."""
        return self.kind in STREAM_FAULTS


class Faults:
    """The troubles still to come, oldest first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._left: list[tuple[Fault, int]] = []

    def order(self, faults: Sequence[Fault]) -> None:
        """Add troubles."""
        self._left.extend((fault, fault.times) for fault in faults)

    def clear(self) -> None:
        """Forget all troubles."""
        self._left.clear()

    def listed(self) -> list[Fault]:
        """Return the troubles still to come, `times` being what is left of each."""
        return [fault.model_copy(update={"times": left}) for fault, left in self._left]

    def of_request(self, request: str) -> Fault | None:
        """Use up the first trouble that matches a request such as 'POST /v2/orders'."""
        return self._take(request, of_stream=False)

    def of_event(self, event: str) -> Fault | None:
        """Use up the first trouble that matches an event such as 'EVENT partial_fill'."""
        return self._take(event, of_stream=True)

    def _take(self, text: str, of_stream: bool) -> Fault | None:
        for index, (fault, left) in enumerate(self._left):
            if fault.is_of_stream is of_stream and fnmatchcase(text, fault.match):
                if left > 1:
                    self._left[index] = (fault, left - 1)
                else:
                    del self._left[index]
                return fault
        return None

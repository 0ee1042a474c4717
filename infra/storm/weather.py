"""Which troubles strike, how often, and where: the same by seed for tradetape and for the loop it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.client import SimulatorControl
from infra.simulator.faults import Fault, FaultKind, FaultProfile

REQUESTS = ("POST /v2/orders", "GET /v2/orders*", "DELETE /v2/orders*", "GET /v2/account*", "GET /v2/positions")
"""Requests that suffer; the clock does not, because it stands for the system's own."""

ANSWERS = (
    FaultKind.TIMEOUT_BEFORE,
    FaultKind.RESET_BEFORE,
    FaultKind.HTTP_500,
    FaultKind.HTTP_504,
    FaultKind.TIMEOUT_AFTER_ACCEPT,
    FaultKind.RESET_AFTER_ACCEPT,
    FaultKind.HTTP_500_AFTER_ACCEPT,
    FaultKind.HTTP_504_AFTER_ACCEPT,
    FaultKind.HALF_BODY,
    FaultKind.BROKEN_JSON,
    FaultKind.SLOW_ANSWER,
    FaultKind.DELAY,
    FaultKind.INVISIBLE,
)
"""What happens to answers: nothing was done, or all of it was; an order may arrive late, or not be found at first."""

STREAM = (FaultKind.LOSE_EVENT, FaultKind.DUPLICATE_EVENT, FaultKind.REORDER_EVENT)

RATE_LIMITS = Decimal("0.002")
"""Share of requests after which the broker takes none for a second."""

DROPS = Decimal("0.001")
"""Share of messages after which the stream breaks off; nothing is sent until it is back and everything was read."""

SLOW_S = 0.8
"""How late a delayed answer is: beyond the timeout of whoever waits."""


@dataclass(frozen=True)
class Weather:
    """A share of answers, and of stream messages, that suffer; drawn from `seed`."""

    answers: Decimal
    stream: Decimal
    seed: str

    def begin(self, control: SimulatorControl) -> None:
        """Let it begin."""
        requests = (
            FaultProfile(rate=self.answers, seed=self.seed, match=match, kinds=ANSWERS, seconds=SLOW_S, reads=1)
            for match in REQUESTS
        )
        limited = (FaultKind.HTTP_429,)
        limits = (
            FaultProfile(rate=RATE_LIMITS, seed=f"{self.seed} limits", match=match, kinds=limited, seconds=SLOW_S)
            for match in REQUESTS
        )
        drops = FaultProfile(rate=DROPS, seed=f"{self.seed} drops", match="EVENT *", kinds=(FaultKind.DROP_STREAM,))
        events = FaultProfile(rate=self.stream, seed=self.seed, match="EVENT *", kinds=STREAM, seconds=SLOW_S)
        control.stand_faults(*requests, *limits, drops, events)

    def end(self, control: SimulatorControl) -> Mapping[FaultKind, int]:
        """Let it end, and return how often each trouble has struck."""
        struck = control.struck()
        control.clear_faults()
        return struck


def silent_streams(control: SimulatorControl, times: int) -> None:
    """Let the stream fall silent without being closed, now and then: only a heartbeat notices."""
    control.add_faults([Fault(kind=FaultKind.SILENT_STREAM, match="EVENT *", times=times)])

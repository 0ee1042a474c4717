"""What the boundary is compared with: a loop around alpaca-py that sends an order again when it saw no success.

It does what such loops do: a market order without a client order id of its own, sent up to three times. The library's
own retries (429 and 504, POST included) stay as they are, except that they wait a tenth of a second instead of three.
Two things are kinder than in life: a request that hangs is given up, and everything is counted afterwards.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest
from requests import Session

from infra.simulator.client import SimulatorControl
from infra.simulator.settings import KEY_ID, SECRET_KEY

TRIES = 3
TIMEOUT_S = 1.0
LIBRARY_WAIT_S = 0.1
AT_ONCE = 8
QUANTITY = 7


@dataclass(frozen=True)
class LoopResult:
    """What became of the wanted orders; each order is for a quantity of its own symbol, so it can be told apart."""

    wanted: int
    at_broker: int
    doubled: int
    extra_orders: int
    missing: int
    given_up: int


class _InTime(Session):
    def request(self, *args: Any, **options: Any) -> Any:
        return super().request(*args, **{**options, "timeout": TIMEOUT_S})


def run_plain_loop(
    url: str, symbols: list[str], wanted: int, on_done: Callable[[int], None] = lambda _: None
) -> LoopResult:
    """Send `wanted` orders, spread over `symbols` round by round, and count what the broker has afterwards.

    The n-th order of a symbol is for a quantity that no other order of that symbol has.
    """
    orders = [(symbols[number % len(symbols)], QUANTITY + number // len(symbols)) for number in range(wanted)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        given_up = 0
        for number, is_sent in enumerate(pool.map(lambda order: _sent(url, *order), orders), start=1):
            given_up += not is_sent
            on_done(number)
    counts = Counter(dict.fromkeys(orders, 0))
    counts.update(_at_broker(url))
    return LoopResult(
        wanted=wanted,
        at_broker=sum(counts.values()),
        doubled=sum(1 for count in counts.values() if count > 1),
        extra_orders=sum(count - 1 for count in counts.values() if count > 1),
        missing=sum(1 for count in counts.values() if not count),
        given_up=given_up,
    )


def _sent(url: str, symbol: str, quantity: int) -> bool:
    client = TradingClient(KEY_ID, SECRET_KEY, paper=True, url_override=url)
    client._session = _InTime()  # noqa: SLF001 - the library has no other way to a timeout
    client._retry_wait = LIBRARY_WAIT_S  # type: ignore[assignment]  # noqa: SLF001 - nor to a shorter wait
    order = MarketOrderRequest(symbol=symbol, qty=quantity, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    for _ in range(TRIES):
        try:
            client.submit_order(order)
        except Exception:  # noqa: S112 - whatever it was: such a loop tries again
            continue
        return True
    return False


def _at_broker(url: str) -> list[tuple[str, int]]:
    orders = [received.order for received in SimulatorControl(url).orders() if received.order is not None]
    return [(str(order["symbol"]), int(str(order["qty"]))) for order in orders]

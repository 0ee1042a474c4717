"""Steering a running simulator: its market, its clock, its troubles. Numbers travel as strings."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from infra.simulator.events import Hold
from infra.simulator.faults import Fault, FaultKind

TIMEOUT_S = 15.0


class SimulatorRefusedError(Exception):
    """The simulator did not do what it was asked."""


@dataclass(frozen=True)
class SimulatedQuote:
    """Best bid and offer of a symbol; `time` None is the simulator's now."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime | None = None


@dataclass(frozen=True)
class SimulatedOrder:
    """What the simulator has received under one client order id; `order` None when it never took it."""

    client_order_id: str
    posts: int
    order: Mapping[str, object] | None


class SimulatorControl:
    """A client of the endpoints under `/sim/v1`, whose address is `SimulatorUrls.control`."""

    def __init__(self, url: str) -> None:
        """Talk to the control address `url`; proxies of the environment are not asked."""
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def set_quotes(self, *quotes: SimulatedQuote) -> datetime:
        """Set quotes, one after the other; orders they make executable are executed. Returns the clock."""
        rows = [
            {
                "symbol": quote.symbol,
                "bid": str(quote.bid),
                "ask": str(quote.ask),
                **({} if quote.time is None else {"time": quote.time.isoformat()}),
            }
            for quote in quotes
        ]
        return self._clock(self._call("quotes", rows))

    def set_quote(self, symbol: str, bid: Decimal | str, ask: Decimal | str) -> datetime:
        """Set one quote at the simulator's now."""
        return self.set_quotes(SimulatedQuote(symbol, Decimal(bid), Decimal(ask)))

    def set_clock(self, now: datetime) -> datetime:
        """Set the clock; day orders whose session has ended expire. Returns the clock."""
        return self._clock(self._call("clock", {"now": now.isoformat()}))

    def hold(self, symbol: str, hold: Hold = Hold.ALL) -> datetime:
        """Change what the market does with a symbol's orders; see `Hold`."""
        return self._clock(self._call("holds", {"symbol": symbol, "hold": hold.value}))

    def list_asset(
        self, symbol: str, status: str | None = "active", *, tradable: bool = True, fractionable: bool = True
    ) -> datetime:
        """Change what a symbol is: 'active', 'inactive', or None when it is gone."""
        body = {"symbol": symbol, "status": status, "tradable": tradable, "fractionable": fractionable}
        return self._clock(self._call("assets", body))

    def fill(self, client_order_id: str, qty: Decimal | str) -> datetime:
        """Execute a part of an open order now, at its quote, whatever `hold` says."""
        return self._clock(self._call("fills", {"client_order_id": client_order_id, "qty": str(qty)}))

    def place_order(
        self, side: str, symbol: str, qty: Decimal | str, client_order_id: str | None = None
    ) -> Mapping[str, object]:
        """Place a market order by hand, as 'buy' or 'sell'; return it as it was taken."""
        body = {"side": side, "symbol": symbol, "qty": str(qty), "client_order_id": client_order_id}
        return _mapping(self._call("orders", body))

    def move_cash(self, activity_type: str, net_amount: Decimal, **more: object) -> str:
        """Book an activity without a trade, as DIV or FEE; returns its id."""
        body = {"activity_type": activity_type, "net_amount": str(net_amount)}
        body |= {name: str(value) for name, value in more.items()}
        return str(_mapping(self._call("activities", body))["id"])

    def reset(self, **terms: object) -> datetime:
        """Forget the account and its troubles and open a new one; `terms` are fields of settings.Terms."""
        return self._clock(self._call("reset", {name: _text(value) for name, value in terms.items()}))

    def orders(self) -> list[SimulatedOrder]:
        """Return every client order id received, with how often it was posted, refused duplicates included."""
        rows = _mapping(self._call("orders"))["orders"]
        if not isinstance(rows, list):
            raise SimulatorRefusedError(f"{self._url}/orders: expected a list, was {rows!r}")
        return [SimulatedOrder(row["client_order_id"], row["posts"], row["order"]) for row in rows]

    def add_fault(self, kind: FaultKind | str, match: str = "*", times: int = 1, seconds: float = 0.2) -> None:
        """Order one trouble; `match` is like 'POST /v2/orders', or 'EVENT fill' for troubles of the stream."""
        self.add_faults([Fault(kind=FaultKind(kind), match=match, times=times, seconds=seconds)])

    def add_faults(self, faults: Sequence[Fault]) -> None:
        """Order troubles."""
        self._call("faults", [fault.model_dump(mode="json") for fault in faults])

    def faults(self) -> list[Fault]:
        """Return the troubles still to come."""
        rows = _mapping(self._call("faults"))["faults"]
        return [Fault.model_validate(row) for row in rows] if isinstance(rows, list) else []

    def _clock(self, answer: object) -> datetime:
        return datetime.fromisoformat(str(_mapping(answer)["now"]))

    def _call(self, path: str, body: object | None = None) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/{path}", data=data, headers={"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                found: object = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read().decode(errors="replace")
            raise SimulatorRefusedError(f"{self._url}/{path}: HTTP {error.code}: {detail}") from error


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _mapping(answer: object) -> Mapping[str, object]:
    if not isinstance(answer, dict):
        raise SimulatorRefusedError(f"expected a JSON object, was {answer!r}")
    return answer

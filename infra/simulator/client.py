"""Steering a running simulator: its market, its clock, its troubles. Numbers travel as strings."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from infra.simulator.events import Hold
from infra.simulator.faults import HEALING, Fault, FaultKind, FaultProfile

TIMEOUT_S = 15.0
CLOCK_TIMEOUT_S = 600.0
"""A clock that moves over a recording lets every quote on its way happen."""


class SimulatorRefusedError(Exception):
    """The simulator did not do what it was asked."""


@dataclass(frozen=True)
class SimulatedQuote:
    """Best bid and offer of a symbol; `time` None is the simulator's now, a size of None takes any quantity."""

    symbol: str
    bid: Decimal
    ask: Decimal
    time: datetime | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None


@dataclass(frozen=True)
class SimulatedOrder:
    """What the simulator has received under one client order id; `order` None when it never took it."""

    client_order_id: str
    posts: int
    order: Mapping[str, object] | None


class SimulatorControl:
    """A client of the endpoints under `/admin` of the simulator at `SimulatorUrls.url`."""

    def __init__(self, url: str) -> None:
        """Talk to the simulator at `url`; proxies of the environment are not asked."""
        self._url = f"{url.rstrip('/')}/admin"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def set_quotes(self, *quotes: SimulatedQuote) -> datetime:
        """Set quotes, one after the other; orders they make executable are executed. Returns the clock."""
        rows = [_texts(**vars(quote)) for quote in quotes]
        return self._clock(self._call("quotes", rows))

    def set_quote(self, symbol: str, bid: Decimal | str, ask: Decimal | str) -> datetime:
        """Set one quote at the simulator's now."""
        return self.set_quotes(SimulatedQuote(symbol, Decimal(bid), Decimal(ask)))

    def trade(self, symbol: str, price: Decimal | str, size: Decimal | str, **more: object) -> datetime:
        """Print a trade of others; `more` are time, exchange, conditions, tape. Returns the clock."""
        return self._clock(self._call("trades", [_texts(symbol=symbol, price=price, size=size, **more)]))

    def halt(self, symbol: str, reason: str = "") -> datetime:
        """Stop trading in a symbol. Returns the clock."""
        return self._clock(self._call("halts", {"symbol": symbol, "reason": reason}))

    def resume(self, symbol: str) -> datetime:
        """Let trading in a symbol go on. Returns the clock."""
        return self._clock(self._call("halts", {"symbol": symbol, "is_halted": False}))

    def pay_dividend(self, symbol: str, per_share: Decimal | str) -> list[str]:
        """Pay cash for every share held; returns the ids of what was booked."""
        return self._ids("corporate-actions", _texts(kind="dividend", symbol=symbol, per_share=per_share))

    def split(
        self,
        symbol: str,
        new_rate: Decimal | str,
        old_rate: Decimal | str = "1",
        cash_in_lieu_price: Decimal | None = None,
    ) -> list[str]:
        """Make `new_rate` shares of `old_rate` shares; returns the ids of what was booked."""
        rates = {"new_rate": new_rate, "old_rate": old_rate, "cash_in_lieu_price": cash_in_lieu_price}
        return self._ids("corporate-actions", _texts(kind="split", symbol=symbol, **rates))

    def rename(self, symbol: str, new_symbol: str) -> list[str]:
        """Let a symbol go by another name; returns the ids of what was booked."""
        return self._ids("corporate-actions", {"kind": "rename", "symbol": symbol, "new_symbol": new_symbol})

    def charge_fees(
        self, day: date, reg_per_million: Decimal | str, taf_per_share: Decimal | str, taf_cap: Decimal | str
    ) -> list[str]:
        """Charge what the sells of a day cost; returns the ids of what was booked."""
        rates = {"reg_per_million": reg_per_million, "taf_per_share": taf_per_share, "taf_cap": taf_cap}
        return self._ids("fees", _texts(day=day.isoformat(), **rates))

    def set_clock(self, now: datetime) -> datetime:
        """Set the clock; day orders whose session has ended expire. Returns the clock."""
        return self._clock(self._call("clock", {"now": now.isoformat()}, timeout_s=CLOCK_TIMEOUT_S))

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
        rows = _rows(self._call("orders"), "orders")
        return [SimulatedOrder(row["client_order_id"], row["posts"], row["order"]) for row in rows]

    def counts(self) -> tuple[int, int]:
        """Return how many orders were posted, refused duplicates included, and how many there are."""
        found = _mapping(self._call("counts"))
        return int(str(found["posts"])), int(str(found["orders"]))

    def add_fault(self, kind: FaultKind | str, match: str = "*", times: int = 1, **more: float) -> None:
        """Order one trouble; `match` is like 'POST /v2/orders', or 'EVENT fill'; `more` are seconds, reads and code."""
        self.add_faults([Fault.model_validate({"kind": kind, "match": match, "times": times, **more})])

    def add_faults(self, faults: Sequence[Fault]) -> None:
        """Order troubles."""
        self._call("faults", [fault.model_dump(mode="json") for fault in faults])

    def stand_faults(self, *profiles: FaultProfile) -> None:
        """Let requests and messages draw troubles from now on, as these profiles say; none ends it."""
        self._call("fault-profiles", [profile.model_dump(mode="json") for profile in profiles], "PUT")

    def storm(
        self, rate: Decimal | str, seed: str = "", match: str = "*", kinds: Sequence[FaultKind] = HEALING
    ) -> None:
        """Let this share of what `match` matches suffer from now on, drawn by `seed`."""
        self.stand_faults(FaultProfile(rate=Decimal(rate), seed=seed, match=match, kinds=tuple(kinds)))

    def faults(self) -> list[Fault]:
        """Return the ordered troubles still to come, `times` being what is left of each."""
        rows = _rows(self._call("faults"), "ordered")
        left = [(Fault.model_validate(row["fault"]), int(row["struck"])) for row in rows]
        return [fault.model_copy(update={"times": fault.times - n}) for fault, n in left if fault.times > n]

    def struck(self) -> dict[FaultKind, int]:
        """Return how often each kind of trouble has struck since the last reset, ordered or drawn."""
        counts = _mapping(_mapping(self._call("faults"))["struck"])
        return {FaultKind(kind): int(str(count)) for kind, count in counts.items()}

    def clear_faults(self) -> None:
        """Forget all troubles, and that any has struck."""
        self._call("faults", method="DELETE")

    def _ids(self, path: str, body: object) -> list[str]:
        return [str(each) for each in _rows(self._call(path, body), "ids")]

    def _clock(self, answer: object) -> datetime:
        return datetime.fromisoformat(str(_mapping(answer)["now"]))

    def _call(
        self, path: str, body: object | None = None, method: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> object:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._url}/{path}", data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                found: object = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read().decode(errors="replace")
            raise SimulatorRefusedError(f"{self._url}/{path}: HTTP {error.code}: {detail}") from error


def _text(value: object) -> object:
    """Return a value as the simulator reads it: numbers as text, a list as it is."""
    if isinstance(value, list | tuple):
        return list(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _texts(**values: object) -> dict[str, object]:
    """Return a body without what is None."""
    return {name: _text(value) for name, value in values.items() if value is not None}


def _mapping(answer: object) -> Mapping[str, object]:
    if not isinstance(answer, dict):
        raise SimulatorRefusedError(f"expected a JSON object, was {answer!r}")
    return answer


def _rows(answer: object, name: str) -> list[Any]:
    rows = _mapping(answer)[name]
    if not isinstance(rows, list):
        raise SimulatorRefusedError(f"{name}: expected a list, was {rows!r}")
    return rows

"""A broker of a few lines, whose truth is known: what the gate let pass may at worst become of it is looked at.

Prices stand still, so that only orders can exceed a limit. Whatever was let pass may arrive at any later moment, or
never; what happened is told at any later moment, in any order, or never.
"""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from agents.decider import Message
from agents.gateway import decider as gateway
from schemas.gate import GateLimits, OrderLimits
from schemas.identity import derived
from schemas.order import (
    TERMINAL,
    BrokerReport,
    ExecType,
    OrderEvent,
    OrderIntent,
    OrderTerms,
    PreTradeCheck,
    ReportKind,
    ReportRequest,
    Side,
)
from tests.agents.gateway.words import ACCOUNT, AS_OF, checked, report

ZERO = Decimal(0)
BID, ASK = Decimal("99.9"), Decimal("100.1")


@dataclass
class AtBroker:
    """An order as the broker keeps it; `cum_qty` is executed, whatever was told of it."""

    terms: OrderTerms
    cum_qty: Decimal = ZERO
    end: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)


class Model:
    """The gateway, a broker, and the words between them that were not said yet."""

    def __init__(self, limits: GateLimits, positions: dict[str, int]) -> None:
        record = OrderLimits(account_id=ACCOUNT, request_id="limits", requested_by="model", limits=limits)
        self.state = gateway.evolve(gateway.initial_state(), record)
        self.now = AS_OF
        self.held = {symbol: Decimal(quantity) for symbol, quantity in positions.items()}
        self.readings = [(self.now, dict(self.held))]
        self.checking: list[str] = []
        self.under_way: dict[str, OrderTerms] = {}
        self.there: dict[str, AtBroker] = {}
        self.pool: list[BrokerReport] = []
        self.events: list[OrderEvent] = []
        self.passed: list[tuple[OrderTerms, PreTradeCheck]] = []

    # --- what happens

    def ask(self, intent: OrderIntent) -> None:
        self._decide(intent)

    def check(self, name: str, reading: int) -> None:
        """Answer a CHECK, with a reading that others may have been given, too."""
        self.readings.append((self.tick(), dict(self.held)))
        at, held = self.readings[-1 - min(reading, len(self.readings) - 1)]
        rows = [{"symbol": symbol, "qty": str(held[symbol]), "current_price": "100"} for symbol in held]
        quote = {"bp": str(BID), "ap": str(ASK), "t": at.isoformat()}
        self.hear(checked(rows, at=at, name=name, quote=quote, **self.account()))

    def account(self) -> dict[str, Any]:
        return {}

    def arrive(self, name: str) -> None:
        """Let an order that was let pass come to the broker."""
        self.there[name] = AtBroker(self.under_way.pop(name))
        self.tick()

    def answer(self, name: str, status: int | None) -> None:
        """Answer a submission, whether the order has arrived or not."""
        attempt = self.attempt(name)
        if status is None:
            self.tell(report(ReportKind.SILENCE, ReportRequest.SUBMIT, error="timeout", attempt=attempt, name=name))
            return
        words = json.dumps(self.shown(name) if status == 200 else {"code": 42910000, "message": "no"})
        kind, request = ReportKind.ANSWER, ReportRequest.SUBMIT
        self.tell(report(kind, request, words, http_status=status, attempt=attempt, name=name))

    def execute(self, name: str, quantity: int) -> None:
        """Execute some of an order; the stream tells it, when it does."""
        order = self.there[name]
        qty = min(Decimal(quantity), order.terms.order_qty - order.cum_qty)
        at = self.tick().isoformat()
        order.cum_qty += qty
        sign = 1 if order.terms.side is Side.BUY else -1
        self.held[order.terms.symbol] = self.held.get(order.terms.symbol, ZERO) + sign * qty
        price = str(ASK if sign > 0 else BID)
        row = {"order_id": f"id-{name}", "cum_qty": str(order.cum_qty), "qty": str(qty), "price": price}
        order.rows.append({**row, "transaction_time": at})
        if order.cum_qty == order.terms.order_qty:
            order.end = "filled"
        self.stream(name, "fill" if order.end else "partial_fill", at, qty=str(qty), price=price)

    def finish(self, name: str) -> None:
        """End an order with what was executed of it."""
        self.there[name].end = "canceled"
        self.stream(name, "canceled", self.tick().isoformat())

    def read(self, name: str) -> None:
        """Read executions and order, or that there is none."""
        if name not in self.there:
            words = json.dumps({"message": "order not found"})
            self.tell(report(ReportKind.READ, ReportRequest.ORDER, words, http_status=404, name=name))
            return
        for request, said in (
            (ReportRequest.FILLS, self.there[name].rows),
            (ReportRequest.ORDER, self.shown(name)),
        ):
            self.tell(report(ReportKind.READ, request, json.dumps(said), http_status=200, name=name))

    def stream(self, name: str, event: str, at: str, **more: str) -> None:
        data = {"event": event, "timestamp": at, "order": self.shown(name), **more}
        words = json.dumps({"stream": "trade_updates", "data": data})
        self.tell(report(ReportKind.STREAM, ReportRequest.NOTHING, words, attempt=0, name=name))

    def tell(self, said: BrokerReport) -> None:
        self.pool.append(said)

    def hear(self, said: BrokerReport) -> None:
        self._decide(said.model_copy(update={"received_at": self.tick()}))

    # --- what is so

    def attempt(self, name: str) -> int:
        return max([each.attempt for each in self.events if each.client_order_id == name] or [1])

    def shown(self, name: str) -> dict[str, str]:
        order = self.there[name]
        status = order.end or ("partially_filled" if order.cum_qty else "new")
        return {
            "id": f"id-{name}",
            "client_order_id": name,
            "symbol": order.terms.symbol,
            "side": order.terms.side.value.lower(),
            "qty": str(order.terms.order_qty),
            "filled_qty": str(order.cum_qty),
            "status": status,
            f"{status}_at": self.now.isoformat(),
            "updated_at": self.now.isoformat(),
        }

    def tick(self) -> Any:
        self.now += timedelta(milliseconds=50)
        return self.now

    def may_become(self) -> dict[str, list[tuple[OrderTerms, Decimal]]]:
        """Return by symbol what may still be executed: on the way, and open at the broker."""
        left = [(terms, terms.order_qty) for terms in self.under_way.values()]
        left += [(each.terms, each.terms.order_qty - each.cum_qty) for each in self.there.values() if not each.end]
        found: dict[str, list[tuple[OrderTerms, Decimal]]] = {symbol: [] for symbol in self.held}
        for terms, quantity in left:
            found.setdefault(terms.symbol, []).append((terms, quantity))
        return found

    def worst_of(self, symbol: str) -> Decimal:
        """Return the most shares the account may hold, long or short."""
        held, left = self.held.get(symbol, ZERO), self.may_become().get(symbol, [])
        buys = sum((quantity for terms, quantity in left if terms.side is Side.BUY), ZERO)
        sells = sum((quantity for terms, quantity in left if terms.side is Side.SELL), ZERO)
        return max(abs(held + buys), abs(held - sells))

    def _decide(self, record: OrderIntent | BrokerReport) -> None:
        message = Message(record, derived("message"), derived("run"), self.now)
        for each in gateway.decide(self.state, message):
            self.state = gateway.evolve(self.state, each)
            if not isinstance(each, OrderEvent):
                continue
            self.events.append(each)
            name = each.client_order_id
            if each.exec_type is ExecType.CHECKING:
                self.checking.append(name)
            elif name in self.checking:
                self.checking.remove(name)
            if each.exec_type is ExecType.SUBMITTING and each.attempt == 1 and each.check is not None:
                self.under_way[name] = each.order
                self.passed.append((each.order, each.check))
            if each.ord_status in TERMINAL and name in self.under_way:
                assert each.exec_type is ExecType.REJECTED, "only a refusal ends an order that was not there"
                del self.under_way[name]

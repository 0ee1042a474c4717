"""I3, I4, I11, I14: one broker order per intent, never more than was planned, none while trading is halted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from agents.broker.unknown import LONGEST_WAIT_S
from infra.replay.seen import Seen
from infra.verify.claim import Claim, is_settled
from schemas.gate import HaltCause, HaltScope, HaltStatus, OrderLimits, TradingHalt
from schemas.identity import derived
from schemas.order import (
    TERMINAL,
    ExecType,
    IntentAction,
    OrderEvent,
    OrderIntent,
    OrdStatus,
    Side,
    Venue,
)
from schemas.plan import Plan
from schemas.record import Record
from topics.wire import Partition

ZERO = Decimal(0)


class OneOrderPerIntent(Claim):
    """Every order that was sent was asked for, and no intent has two names at the broker."""

    name = "I3 one order per intent"
    says = "every order sent was asked for by exactly one intent, and has one name"
    of = (OrderIntent, OrderEvent)

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[tuple[str, UUID], str] = {}
        self._asked: set[tuple[str, str]] = set()
        self._sent: dict[tuple[str, str], Seen] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Note who asked for an order, and which were sent."""
        if isinstance(record, OrderIntent) and record.action is not IntentAction.CANCEL:
            self.checked += 1
            name = self._names.setdefault((record.account_id, record.order.intent_id), record.client_order_id)
            if name != record.client_order_id:
                what = f"intent {record.order.intent_id} is called {name} and {record.client_order_id}"
                self.broken(what, seen.record.place)
            self._asked.add((record.account_id, record.client_order_id))
        elif isinstance(record, OrderEvent) and record.exec_type is ExecType.SUBMITTING:
            self._sent.setdefault((record.account_id, record.client_order_id), seen)

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - an intent is older than its order
        """Name the orders nobody asked for."""
        for key, seen in self._sent.items():
            if key not in self._asked:
                self.broken(f"order {key[1]} was sent, no intent asked for it", seen.record.place)


@dataclass
class _Line:
    planned: Decimal = ZERO
    executed: dict[str, Decimal] = field(default_factory=dict)
    last: Seen | None = None


class NotMoreThanPlanned(Claim):
    """The orders of a plan line together execute at most what the line orders."""

    name = "I4 not more than planned"
    says = "the orders of a plan line execute no more together than the line orders"
    of = (Plan, OrderEvent)

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[tuple[UUID, str, str], _Line] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Note what a line orders, and what was executed for it."""
        if isinstance(record, Plan):
            for each in record.lines:
                self._of(record.plan_id, each.book, each.symbol).planned = each.quantity
        elif isinstance(record, OrderEvent) and record.order.venue is Venue.BROKER:
            line = self._of(record.order.plan_id, record.order.book, record.order.symbol)
            line.executed[record.client_order_id] = record.cum_qty
            line.last = seen

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - a plan is older than its orders
        """Compare the sums."""
        for (plan_id, book, symbol), line in self._lines.items():
            self.checked += 1
            executed = sum(line.executed.values(), ZERO)
            if executed > line.planned and line.last is not None:
                what = f"line {symbol} of {book} in plan {plan_id} orders {line.planned:f}, executed {executed:f}"
                self.broken(what, line.last.record.place)

    def _of(self, plan_id: UUID, book: str, symbol: str) -> _Line:
        return self._lines.setdefault((plan_id, book, symbol), _Line())


class QuantitiesAddUp(Claim):
    """Of every order event: leaves is order minus executed, 0 at the end; executed never shrinks."""

    name = "I4 quantities add up"
    says = "leaves_qty = order_qty - cum_qty (0 after the end), cum_qty and gross_trade_amt follow from the trades"
    of = (OrderEvent,)

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Check one event beside the one before it."""
        if not isinstance(record, OrderEvent):
            return
        self.checked += 1
        key = (record.account_id, record.client_order_id)
        cum, amount = self._before.get(key, (ZERO, ZERO))
        traded = record.last_qty or ZERO
        expected = (cum + traded, amount + traded * (record.last_px or ZERO))
        if (record.cum_qty, record.gross_trade_amt) != expected:
            said = f"cum_qty {record.cum_qty:f}, gross_trade_amt {record.gross_trade_amt:f}"
            self.broken(f"order {key[1]}: expected {expected[0]:f} and {expected[1]:f}, was {said}", seen.record.place)
        leaves = ZERO if record.ord_status in TERMINAL else record.order.order_qty - record.cum_qty
        if record.leaves_qty != leaves or record.cum_qty > record.order.order_qty:
            what = f"order {key[1]}: expected leaves_qty {leaves:f}, was {record.leaves_qty:f}"
            self.broken(what, seen.record.place)
        self._before[key] = (record.cum_qty, record.gross_trade_amt)


class NothingSentWhileHalted(Claim):
    """The gateway lets no order pass while a halt in its scope is in force."""

    name = "I11 a halt is a halt"
    says = "no order was sent while a halt in its scope was in force"
    of = (TradingHalt, OrderEvent)

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[int, list[tuple[int, Record, Seen]]] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Keep halts and sendings: they lie in two topics, and their order is that of the gateway's decisions."""
        is_sending = isinstance(record, OrderEvent) and record.exec_type is ExecType.SUBMITTING
        if isinstance(record, TradingHalt) or is_sending:
            number = int(seen.text("seq") or 0) * 1_000_000 + int(seen.text("ordinal") or 0)
            self._said.setdefault(seen.record.partition, []).append((number, record, seen))

    def finish(self, settled: Mapping[Partition, int]) -> None:  # noqa: ARG002 - a halt is older than what it stops
        """Go through the gateway's decisions in order."""
        for said in self._said.values():
            self._go_through(sorted(said, key=lambda each: each[0]))

    def _go_through(self, said: list[tuple[int, Record, Seen]]) -> None:
        halts: dict[UUID, TradingHalt] = {}
        for _, record, seen in said:
            match record:
                case TradingHalt(status=HaltStatus.IN_FORCE):
                    halts[record.halt_id] = record
                case TradingHalt(status=HaltStatus.ENDED):
                    halts.pop(record.halt_id, None)
                case OrderEvent():
                    self.checked += 1
                    for halt in halts.values():
                        if _stops(halt, record):
                            what = f"order {record.client_order_id} was sent during halt {halt.halt_id}"
                            self.broken(what, seen.record.place)
                case _:
                    pass


def _stops(halt: TradingHalt, sent: OrderEvent) -> bool:
    """Say whether a halt covers an order that was sent; one that has run out by then does not.

    An order that is sent again does not say when: whether a halt with an end was over by then is left open. It goes
    under no halt that was not, whatever else that lets pass.
    """
    if halt.account_id != sent.account_id:
        return False
    at = None if sent.check is None or sent.attempt > 1 else sent.check.read_at
    if halt.until is not None and (at is None or at >= halt.until):
        return False
    if halt.is_reducing_allowed and sent.attempt <= 1 and _is_reducing(sent):
        return False
    match halt.scope:
        case HaltScope.ACCOUNT:
            return True
        case HaltScope.SYMBOL:
            return sent.order.symbol == halt.name
        case HaltScope.STRATEGY:
            return halt.name in {each.strategy_id for each in sent.order.contributions}


def _is_reducing(sent: OrderEvent) -> bool:
    """Say whether an order alone brings the position that the gate saw nearer to zero and not past it."""
    if sent.check is None:
        return False
    position, quantity = sent.check.position, sent.order.order_qty
    return position + quantity <= 0 if sent.order.side is Side.BUY else position - quantity >= 0


class NoUnknownLeft(Claim):
    """No order stays UNKNOWN beyond the account's bound without its symbol being halted for its sake.

    Its age begins with its check, as at the gate, which sees it whenever the order is read: once a minute at least.
    """

    name = "I14 no UNKNOWN left"
    says = "no order has been UNKNOWN for longer than the account's bound without a halt of its symbol"
    of = (OrderLimits, OrderEvent, TradingHalt)

    def __init__(self) -> None:
        super().__init__()
        self._bounds: dict[str, int] = {}
        self._unknown: dict[tuple[str, str], tuple[OrderEvent, Seen]] = {}
        self._let_pass: dict[tuple[str, str], datetime] = {}
        self._halts: set[UUID] = set()
        self._now: datetime | None = None

    def add(self, record: Record, seen: Seen) -> None:
        """Follow orders, halts, and the time as the log tells it."""
        at = seen.event.envelope.occurred_at
        self._now = at if self._now is None else max(self._now, at)
        match record:
            case OrderLimits():
                self._bounds[record.account_id] = record.limits.unknown_age_max_s
            case TradingHalt(status=HaltStatus.IN_FORCE):
                self._halts.add(record.halt_id)
            case OrderEvent():
                self._follow(record, seen)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Name the orders that nobody has settled."""
        for (account_id, name), (event, seen) in self._unknown.items():
            bound = self._bounds.get(account_id)
            since = self._let_pass.get((account_id, name), seen.event.envelope.occurred_at)
            age = (self._now - since).total_seconds() if self._now else 0
            is_old = is_settled(seen, settled) and bound is not None and age > bound + LONGEST_WAIT_S
            if is_old and not self._is_halted_for(account_id, event.client_order_id):
                self.broken(f"order {name} has been UNKNOWN for {age:.0f} s, the bound is {bound} s", seen.record.place)

    def _is_halted_for(self, account_id: str, name: str) -> bool:
        causes = (HaltCause.UNKNOWN_TOO_OLD, HaltCause.CONTRADICTION)
        return any(derived("halt", account_id, cause, name) in self._halts for cause in causes)

    def _follow(self, event: OrderEvent, seen: Seen) -> None:
        key = (event.account_id, event.client_order_id)
        if event.check is not None and event.attempt == 1:
            self._let_pass[key] = event.check.read_at
        if event.ord_status is OrdStatus.UNKNOWN:
            self.checked += key not in self._unknown
            self._unknown.setdefault(key, (event, seen))
        else:
            self._unknown.pop(key, None)
        if event.ord_status in TERMINAL:
            self._let_pass.pop(key, None)


CLAIMS = (OneOrderPerIntent, NotMoreThanPlanned, QuantitiesAddUp, NothingSentWhileHalted, NoUnknownLeft)

"""What must hold of the gate: whatever came to the broker was let pass, within every limit, and under no halt."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from schemas.gate import (
    GateLimits,
    HaltScope,
    HaltStatus,
    OrderLimits,
    OrderLimitsRequest,
    TradingHalt,
    TradingHaltRequest,
)
from schemas.order import TERMINAL, BrokerReport, ExecType, OrderEvent, OrderTerms, PreTradeCheck, Side, Venue
from schemas.resolution import OrderResolution, OrderResolutionRequest, ResolutionStatus
from tests.simulation.desk import Desk
from topics.codec import Event

ZERO = Decimal(0)


def every_refusal_says_why(desk: Desk) -> Iterator[str]:
    for each in desk.said(OrderEvent):
        name = f"{each.client_order_id} {each.exec_type}"
        if each.exec_type is ExecType.REFUSED and (each.refusal is None or not each.reason):
            yield f"{name} says {each.refusal} {each.reason!r}"
        if each.refusal is not None and each.exec_type not in (ExecType.REFUSED, ExecType.CANCELED):
            yield f"{name} was refused by {each.refusal}"
        if (each.check is not None) is not (each.exec_type is ExecType.SUBMITTING):
            yield f"{name} says what the gate saw: {each.check}"


def every_request_is_answered_once(desk: Desk) -> Iterator[str]:
    limits = [each.request_id for each in desk.said(OrderLimits)]
    halts = [each.request_id for each in desk.said(TradingHalt) if each.request_id]
    if sorted(limits) != sorted({each.request_id for each in desk.said(OrderLimitsRequest)}):
        yield f"limits were set by {limits}"
    if sorted(halts) != sorted({each.request_id for each in desk.said(TradingHaltRequest)}):
        yield f"halts were answered to {halts}"


def no_order_that_nobody_contradicts_is_ended_by_a_word(desk: Desk) -> Iterator[str]:
    """The exchange here contradicts nothing, and only orders that have ended are doubted."""
    answered = [each.request_id for each in desk.said(OrderResolution)]
    if sorted(answered) != sorted({each.request_id for each in desk.said(OrderResolutionRequest)}):
        yield f"doubts were answered to {answered}"
    for each in desk.said(OrderResolution):
        if each.status is not ResolutionStatus.REFUSED:
            yield f"{each.client_order_id} was resolved as {each.resolved_as}"


def nothing_was_sent_unchecked(desk: Desk) -> Iterator[str]:
    """An order at the broker was let pass before it arrived."""
    passed: dict[str, int] = {}
    for number, event in enumerate(desk.log):
        if isinstance(event.record, OrderEvent) and event.record.exec_type is ExecType.SUBMITTING:
            passed.setdefault(event.record.client_order_id, number)
    for name, order in desk.exchange.orders_by_name.items():
        if not order.is_by_hand and (name not in passed or passed[name] >= order.accepted_at):
            yield f"the broker has {name}, the gate had not let it pass"


def nothing_is_sent_under_a_halt(desk: Desk) -> Iterator[str]:
    """First attempts and later ones; a first one may reduce what the broker holds, where a halt lets it."""
    halts: dict[UUID, TradingHalt] = {}
    heard: dict[UUID, BrokerReport] = {}
    for event in desk.log:
        record = event.record
        if isinstance(record, BrokerReport):
            heard[event.envelope.event_id] = record
        elif isinstance(record, TradingHalt) and record.status is not HaltStatus.REFUSED:
            halts[record.halt_id] = record
        elif isinstance(record, OrderEvent) and record.exec_type is ExecType.SUBMITTING:
            for halt in halts.values():
                if _stops(halt, record, _sent_at(event, heard)):
                    yield f"{record.client_order_id} attempt {record.attempt} was sent under halt {halt.halt_id}"


def _sent_at(event: Event, heard: dict[UUID, BrokerReport]) -> datetime:
    record = event.record
    assert isinstance(record, OrderEvent)
    if record.attempt == 1 and record.check is not None:
        return record.check.read_at
    return heard[event.envelope.causation_id].received_at


def _stops(halt: TradingHalt, sent: OrderEvent, at: datetime) -> bool:
    order = sent.order
    owners = {order.book, *(each.strategy_id for each in order.contributions)}
    in_scope = {
        HaltScope.ACCOUNT: True,
        HaltScope.SYMBOL: order.symbol == halt.name,
        HaltScope.STRATEGY: halt.name in owners,
    }
    is_over = halt.status is not HaltStatus.IN_FORCE or (halt.until is not None and at >= halt.until)
    if is_over or not in_scope[halt.scope]:
        return False
    sign = 1 if order.side is Side.BUY else -1
    held = ZERO if sent.check is None else sent.check.position
    is_reducing = sent.attempt == 1 and held * sign < 0 and order.order_qty <= abs(held)
    return not (halt.is_reducing_allowed and is_reducing)


def orders_are_within_their_limits(desk: Desk) -> Iterator[str]:
    """Counted anew along the log, with the limits in force when the order was let pass."""
    limits: GateLimits | None = None
    under_way: dict[str, OrderTerms] = {}
    times: list[datetime] = []
    for record in (event.record for event in desk.log):
        if isinstance(record, OrderLimits):
            limits = record.limits
        if not isinstance(record, OrderEvent) or record.order.venue is Venue.INTERNAL:
            continue
        if record.ord_status in TERMINAL:
            under_way.pop(record.client_order_id, None)
            continue
        under_way[record.client_order_id] = record.order
        if record.exec_type is not ExecType.SUBMITTING or record.attempt > 1:
            continue
        if limits is None or record.check is None:
            yield f"{record.client_order_id} was sent without limits or check"
            continue
        times.append(max([record.check.read_at, *times]))
        found = (*_beyond(record.order, record.check, limits), *_too_many(times, len(under_way), limits))
        yield from (f"{record.client_order_id}: {what}" for what in found)


def _beyond(order: OrderTerms, check: PreTradeCheck, limits: GateLimits) -> Iterator[str]:
    touch = check.ask if order.side is Side.BUY else check.bid
    values = (
        ("order_qty", order.order_qty, limits.order_qty_max),
        ("notional", order.order_qty * check.worst_price, limits.order_notional_max),
    )
    yield from (f"{name} {value} beyond {most}" for name, value, most in values if most is not None and value > most)
    if check.worst_price < touch and order.limit_price is None:
        yield f"counted at {check.worst_price}, the far touch is {touch}"
    distance = abs(touch - order.reference_price)
    if limits.price_collar is not None and distance > limits.price_collar * order.reference_price:
        yield f"the far touch is {touch}, planned at {order.reference_price}"
    if not 0 < check.bid <= check.ask or abs(check.read_at - check.quoted_at) > timedelta(
        seconds=limits.quote_age_max_s
    ):
        yield f"quoted {check.bid} {check.ask} at {check.quoted_at}, read at {check.read_at}"
    if limits.symbols_allowed is not None and order.symbol not in limits.symbols_allowed:
        yield f"{order.symbol} is not allowed"
    for denied in limits.symbols_denied:
        if denied.symbol == order.symbol and (denied.until is None or check.read_at < denied.until):
            yield f"{order.symbol} is denied"


def _too_many(times: list[datetime], open_orders: int, limits: GateLimits) -> Iterator[str]:
    last = times[-1]
    counts = (
        ("in a second", [each for each in times if each > last - timedelta(seconds=1)], limits.orders_per_second_max),
        ("in a minute", [each for each in times if each > last - timedelta(minutes=1)], limits.orders_per_minute_max),
        ("on a day", [each for each in times if _day(each) == _day(last)], limits.orders_per_day_max),
    )
    yield from (f"{len(found)} orders {when}" for when, found, most in counts if most is not None and len(found) > most)
    if limits.open_orders_max is not None and open_orders > limits.open_orders_max:
        yield f"{open_orders} orders are open"


def _day(at: datetime) -> object:
    return at.astimezone(UTC).date()


def positions_are_within_their_limits(desk: Desk) -> Iterator[str]:
    """At the broker itself: what is held once this order and all open ones of its side are executed, as it arrives.

    An order whose symbol somebody traded by hand after its check is left out: nobody could know.
    """
    passed = {each.client_order_id: each for each in desk.said(OrderEvent) if each.check and each.attempt == 1}
    limits = _limits_of(desk)
    for arrival in desk.exchange.arrivals:
        event = passed.get(arrival.client_order_id)
        if event is None or event.check is None or arrival.traded_by_hand_at >= event.check.read_at:
            continue
        most, sign = limits[event.client_order_id].position_value_max, 1 if event.order.side is Side.BUY else -1
        end = arrival.held + sign * arrival.left
        if most is not None and end * sign > 0 and abs(end) * event.check.worst_price > most:
            yield f"{event.client_order_id} brings {event.order.symbol} to {end} at {event.check.worst_price}: {most}"


def _limits_of(desk: Desk) -> dict[str, GateLimits]:
    """Return the limits in force when each order was let pass."""
    found: dict[str, GateLimits] = {}
    limits: GateLimits | None = None
    for record in (event.record for event in desk.log):
        if isinstance(record, OrderLimits):
            limits = record.limits
        if isinstance(record, OrderEvent) and record.exec_type is ExecType.SUBMITTING and limits is not None:
            found.setdefault(record.client_order_id, limits)
    return found


CLAIMS = (
    every_refusal_says_why,
    every_request_is_answered_once,
    no_order_that_nobody_contradicts_is_ended_by_a_word,
    nothing_was_sent_unchecked,
    nothing_is_sent_under_a_halt,
    orders_are_within_their_limits,
    positions_are_within_their_limits,
)

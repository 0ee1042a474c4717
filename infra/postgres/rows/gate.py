"""The gate before the broker: its limits, its halts, and what it saw of the market when it let an order pass."""

from infra.postgres.table import Facts, Parts, Rows, Said, table
from schemas.gate import OrderLimits, TradingHalt
from schemas.order import OrderEvent

ORDER_LIMITS = Facts(
    "order_limits",
    "account_id request_id requested_by limits.order_qty_max limits.order_notional_max limits.price_collar"
    " limits.quote_age_max_s limits.position_value_max limits.gross_value_max limits.orders_per_second_max"
    " limits.orders_per_minute_max limits.orders_per_day_max limits.open_orders_max limits.duplicate_window_s"
    " limits.symbols_allowed limits.session limits.daily_loss_max limits.unknown_age_max_s",
)
ORDER_LIMITS_STRATEGIES = Parts(
    "order_limits_strategies",
    whole=ORDER_LIMITS,
    identity="event_id",
    key="event_id account_id",
    fields="strategy_id position_value_max gross_value_max",
)
ORDER_LIMITS_DENIED = Parts(
    "order_limits_denied",
    whole=ORDER_LIMITS,
    identity="event_id",
    key="event_id account_id",
    fields="symbol until reason",
)

TRADING_HALTS = Facts(
    "trading_halts",
    "account_id halt_id status cause scope name is_reducing_allowed until request_id requested_by reason",
)
TRADING_HALT_ORDERS = Parts(
    "trading_halt_orders",
    whole=TRADING_HALTS,
    identity="event_id",
    key="event_id halt_id",
    fields="client_order_id cum_qty gross_trade_amt",
)

PRE_TRADE_CHECKS = table(
    "pre_trade_checks",
    "account_id client_order_id attempt read_at bid ask quoted_at position worst_price"
    " partition offset event_id occurred_at",
)


def order_limits(said: Said[OrderLimits]) -> Rows:
    """The limits of an account, those of its strategies, and the symbols it does not trade."""
    whole, limits = ORDER_LIMITS.row(said), said.record.limits
    return [
        whole,
        *ORDER_LIMITS_STRATEGIES.rows(whole.values, limits.strategies),
        *ORDER_LIMITS_DENIED.rows(whole.values, limits.symbols_denied),
    ]


def trading_halt(said: Said[TradingHalt]) -> Rows:
    """A halt that begins or ends, and the orders it finds under way."""
    whole = TRADING_HALTS.row(said)
    return [whole, *TRADING_HALT_ORDERS.rows(whole.values, said.record.open_orders)]


def pre_trade_check(said: Said[OrderEvent]) -> Rows:
    """What the gate saw; nothing for an event without it."""
    event, check = said.record, said.record.check
    if check is None:
        return []
    where, envelope = said.incoming, said.envelope
    saw = (check.read_at, check.bid, check.ask, check.quoted_at, check.position, check.worst_price)
    place = (where.partition, where.offset, envelope.event_id, envelope.occurred_at)
    return [PRE_TRADE_CHECKS.row(event.account_id, event.client_order_id, event.attempt, *saw, *place)]

"""Orders: intents, what became of them, where they stand now, what the broker said, and the fills."""

from infra.postgres.rows.gate import pre_trade_check
from infra.postgres.table import Facts, Latest, Parts, Rows, Said
from schemas.order import BrokerReport, Fill, OrderEvent, OrderIntent

_TERMS = (
    " order.intent_id order.plan_id order.run_id order.book order.symbol order.side order.order_qty order.line_qty"
    " order.ord_type order.limit_price order.is_extended_hours order.time_in_force order.venue order.leg order.step"
    " order.phase order.valid_until order.reference_price"
)

ORDER_INTENTS = Facts("order_intents", "account_id client_order_id action" + _TERMS)
ORDER_CONTRIBUTIONS = Parts(
    "order_contributions",
    whole=ORDER_INTENTS,
    identity="event_id",
    key="event_id client_order_id",
    fields="strategy_id side quantity position gross_value",
)

_PROGRESS = (
    "account_id client_order_id broker_order_id exec_type ord_status cum_qty leaves_qty last_qty last_px"
    " gross_trade_amt attempt refusal reason transact_time"
)
ORDER_EVENTS = Facts("order_events", _PROGRESS)
ORDERS = Latest("orders", identity="client_order_id", fields=_PROGRESS + _TERMS)

BROKER_REPORTS = Facts(
    "broker_reports",
    "account_id report_id client_order_id kind request attempt http_status body error received_at",
)

FILLS = Facts(
    "fills",
    "account_id fill_id exec_id client_order_id broker_order_id last_qty last_px cum_qty leaves_qty transact_time"
    " order.plan_id order.run_id order.book order.symbol order.side order.order_qty order.venue",
)


def order_intent(said: Said[OrderIntent]) -> Rows:
    """What the executor asked for, and for which strategies."""
    whole = ORDER_INTENTS.row(said)
    return [whole, *ORDER_CONTRIBUTIONS.rows(whole.values, said.record.order.contributions)]


def order_event(said: Said[OrderEvent]) -> Rows:
    """What became of an order, with it where the order stands now, and what the gate saw if it let the order pass."""
    return [ORDER_EVENTS.row(said), ORDERS.row(said), *pre_trade_check(said)]


def broker_report(said: Said[BrokerReport]) -> Rows:
    """What the broker said, raw."""
    return [BROKER_REPORTS.row(said)]


def fill(said: Said[Fill]) -> Rows:
    """One execution."""
    return [FILLS.row(said)]

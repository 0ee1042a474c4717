"""An example record of every topic, made from its schema: one small story of buying 100 IBM, the same for ever.

A field takes the value its name has in the story (`Record.field` before `field`), else the plainest of its type: null
where it may be null, a list of one item, an enum's first symbol. So a new field has an example before anybody thinks
of one, and records of different topics speak of the same run, plan and order.
"""

# Avro's own schemas have no types that strict mode could follow.
# pyright: standard

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.client_order_id import client_order_id
from schemas.identity import decided_run_id, derived, event_id, fill_id, intent_id, plan_id, run_id
from topics.describe import newest_schema
from topics.registry import Topic

ACCOUNT = "DEMO-1"
SYMBOL = "IBM"
STRATEGY = "trend"
AS_OF = datetime(2013, 2, 28, 20, 55, tzinfo=UTC)
RUN = run_id(ACCOUNT, AS_OF, "close-2013-02-28")
PLAN = plan_id(RUN)
INTENT = intent_id(PLAN, "net", SYMBOL, 2, 1)
ORDER = client_order_id(STRATEGY, SYMBOL, AS_OF, INTENT)
BROKER_ORDER = "61e69015-8549-4bfd-b9c3-01e75843f47d"
FILL = fill_id(BROKER_ORDER, "100.000000000")
SIGNAL = derived("signal", RUN, STRATEGY)

WIDTH = 112

_EMPTY: tuple[Any, ...] = ()
_MADE = object()
"""Stands for: not null, but made from the schema."""

_STORY: Mapping[str, Any] = {
    # who and what
    "account_id": ACCOUNT,
    "symbol": SYMBOL,
    "symbols": (SYMBOL,),
    "strategy_id": STRATEGY,
    "book": "net",
    "scope": "net",
    "source": "iex",
    "quote_source": "iex",
    "mode": "NETTED",
    "side": "BUY",
    "phase": "INCREASING",
    "requested_by": "schedule",
    "request_id": "close-2013-02-28",
    "decided_by": "ann",
    "detail": "",
    "reason": "",
    "error": "",
    # ids
    "run_id": RUN,
    "correlation_id": RUN,
    "plan_id": PLAN,
    "signal_id": SIGNAL,
    "signal_ids": (SIGNAL,),
    "intent_id": INTENT,
    "client_order_id": ORDER,
    "client_order_ids": (ORDER,),
    "broker_order_id": BROKER_ORDER,
    "exec_id": "2f63ea93-423d-4169-b3f6-3fdafc10c418",
    "fill_id": FILL,
    "entry_id": derived("entry", FILL),
    # time
    "session_date": AS_OF.date(),
    "deadline_at": AS_OF + timedelta(minutes=2),
    "due_at": AS_OF + timedelta(minutes=2),
    "valid_until": AS_OF + timedelta(minutes=5),
    "transact_time": AS_OF + timedelta(seconds=3),
    "received_at": AS_OF + timedelta(seconds=3),
    "quoted_at": AS_OF - timedelta(seconds=1),
    # prices, dollars
    "price": Decimal(200),
    "bid": Decimal("199.95"),
    "ask": Decimal("200.05"),
    "last_px": Decimal("200.05"),
    "open": Decimal("198.60"),
    "high": Decimal("200.90"),
    "low": Decimal("198.10"),
    # shares
    "quantity_step": Decimal(1),
    "last_qty": Decimal(100),
    "cum_qty": Decimal(100),
    "leaves_qty": Decimal(0),
    "current_quantity": Decimal(0),
    "account_quantity": Decimal(0),
    "reducing_quantity": Decimal(0),
    "reducing_qty": Decimal(0),
    "cross_quantity": Decimal(0),
    "cross_deferred_quantity": Decimal(0),
    "cross_qty": Decimal(0),
    "crossed": Decimal(0),
    "volume": 4_100_000,
    # money and fractions
    "equity": Decimal(100_000),
    "cash": Decimal(100_000),
    "cash_available": Decimal(100_000),
    "buying_power": Decimal(100_000),
    "initial_margin": Decimal(0),
    "maintenance_margin": Decimal(0),
    "sells_expected": Decimal(0),
    "traded_value": Decimal(0),
    "notional": Decimal(20_005),
    "buys_planned": Decimal(20_005),
    "trade_value": Decimal(20_005),
    "trade_value_min": Decimal(50),
    "allocation": Decimal(1),
    "cash_reserve": Decimal(0),
    "initial_margin_rate": Decimal("0.5"),
    "maintenance_margin_rate": Decimal("0.25"),
    "drift_threshold": Decimal("0.1"),
    "limit_offset": Decimal(0),
    "price_collar": Decimal("0.05"),
    "gross_trade_amt": Decimal(20_005),
    "gross_value": Decimal(0),
    "position": Decimal(0),
    "Limits.weight_total_max": Decimal(1),
    # counts
    "partition": 0,
    "next_offset": 1256,
    "bars_count": 21,
    "quote_age_max_s": 60,
    "leg": 2,
    "http_status": 200,
    # lists of what went otherwise, empty as on most days
    "conflicts": _EMPTY,
    "kept": _EMPTY,
    "skipped": _EMPTY,
    "silent_strategies": _EMPTY,
    "failed": _EMPTY,
    "missing": _EMPTY,
    "warnings": _EMPTY,
    "differences": _EMPTY,
    "instruments": _EMPTY,
    "activities": _EMPTY,
    "book_targets": _EMPTY,
    "ended_orders": _EMPTY,
    "positions": _EMPTY,
    "holdings": _EMPTY,
    # what is particular to one record
    "StrategyTerms.kind": "momentum",
    "StrategyTerms.parameters": ({"name": "n", "value": "5"}, {"name": "window", "value": "20"}),
    "Signal.decision_path": (
        "1. IBM: 190.000000 on 2013-01-30 to 200.000000 on 2013-02-28, return 0.052631578947, weight 0.200000000000",
    ),
    "Signal.bars_sha256": hashlib.sha256(b"IBM").hexdigest(),
    "PortfolioContent.scope": None,
    "Conflict.decided_by": None,
    "ConflictDecision.reason": "the other signal is of yesterday",
    "ConflictOutcome.status": "ACCEPTED",
    "ConflictOutcome.follow_up_run_id": decided_run_id(RUN, SYMBOL),
    "Execution.status": "ACCEPTED",
    "Execution.plan": _MADE,
    "Execution.detail": "1 line to do",
    "BooksContent.strategies": (
        {"strategy_id": "system", "mode": None, "cash": Decimal(100_000)},
        {"strategy_id": STRATEGY, "cash": Decimal(0)},
    ),
    "Books.status": "READY",
    "ConstraintResult.rule": "WEIGHT_TOTAL_MAX",
    "ConstraintResult.symbol": None,
    "ConstraintResult.limit": Decimal(100_000),
    "OrderEvent.exec_type": "TRADE",
    "OrderEvent.ord_status": "FILLED",
    "BrokerReport.body": json.dumps({"id": BROKER_ORDER, "client_order_id": ORDER, "status": "accepted"}),
    "LedgerEntry.activity_id": None,
    "LedgerEntry.postings": (
        {"owner": "street", "mode": None, "commodity": SYMBOL, "amount": Decimal(-100)},
        {"owner": STRATEGY, "commodity": SYMBOL, "amount": Decimal(100)},
        {"owner": "street", "mode": None, "commodity": "USD", "amount": Decimal(20_005)},
        {"owner": STRATEGY, "commodity": "USD", "amount": Decimal(-20_005)},
    ),
    "AccountActivity.activity_type": "DIV",
    "AccountActivity.activity_id": "20130228000000000::1b0fc2a0",
    "AccountActivity.client_order_id": None,
    "AccountActivity.body": json.dumps({"activity_type": "DIV", "symbol": SYMBOL, "net_amount": "85"}),
    "TradingHaltRequest.request_id": "ann-2013-02-28-1",
    "TradingHaltRequest.requested_by": "ann",
    "TradingHaltRequest.halt_id": None,
    "TradingHaltRequest.scope": "SYMBOL",
    "TradingHaltRequest.name": SYMBOL,
    "TradingHaltRequest.until": None,
    "TradingHaltRequest.reason": "the newspaper says it is bankrupt",
    "TradingHalt.request_id": "ann-2013-02-28-1",
    "TradingHalt.requested_by": "ann",
    "TradingHalt.scope": "SYMBOL",
    "TradingHalt.name": SYMBOL,
    "TradingHalt.until": None,
    "TradingHalt.open_orders": _EMPTY,
    "TradingHalt.reason": "the newspaper says it is bankrupt",
    "OrderLimitsRequest.request_id": "limits-1",
    "OrderLimits.request_id": "limits-1",
    "GateLimits.symbols_denied": _EMPTY,
    "OrderResolutionRequest.request_id": "ann-2013-02-28-2",
    "OrderResolutionRequest.requested_by": "ann",
    "OrderResolutionRequest.resolved_as": "FILLED",
    "OrderResolutionRequest.avg_px": Decimal("200.05"),
    "OrderResolutionRequest.manual_trades": _EMPTY,
    "OrderResolutionRequest.reason": "the broker's desk says so on the phone",
    "OrderResolution.request_id": "ann-2013-02-28-2",
    "OrderResolution.requested_by": "ann",
    "OrderResolution.resolved_as": "FILLED",
    "OrderResolution.manual_trades": _EMPTY,
    "OrderResolution.executed_qty": Decimal(100),
    "OrderResolution.reason": "the broker's desk says so on the phone",
    "AgentSnapshot.agent": "executor",
    "AgentSnapshot.partition_number": 0,
    "AgentSnapshot.slot": 0,
    "AgentSnapshot.chunk": 0,
    "TopicPosition.topic": "portfolios.v1",
    "DeadLetter.origin_topic": "fills.v1",
    "DeadLetter.origin_partition": 0,
    "DeadLetter.origin_offset": 42,
    "DeadLetter.agent": "ledger",
    "DeadLetter.unreadable": "BAD_FRAME",
    "DeadLetter.error": "expected 00 and a schema id, was 6e6f742041",
    "DeadLetter.raw_key": SYMBOL.encode(),
    "DeadLetter.raw_value": b"not Avro",
    "DeadLetter.raw_headers": b"",
}

_DECIMALS: Mapping[int, Decimal] = {6: Decimal(200), 9: Decimal(100), 12: Decimal("0.2"), 15: Decimal(20_000)}
"""A price, shares, a fraction and dollars, by the decimals they have in the schema."""

_PLAIN: Mapping[str, Any] = {"int": 1, "long": 1, "float": 1, "double": 1, "boolean": False, "bytes": b"", "null": None}


def example(topic: Topic) -> dict[str, Any]:
    """Return the fields of the topic's example, envelope first, as the codec takes them; the same every time."""
    schema = json.loads(newest_schema(topic).text)
    fields: dict[str, Any] = _Maker(topic).value(schema, "")
    return fields


def example_key(topic: Topic) -> str:
    """Return the example's key as text."""
    fields = example(topic)
    return "+".join(str(fields[name]) for name in topic.key)


def readable(value: Any) -> Any:
    """Return a value as JSON has it: numbers as exact text without trailing zeros, bytes as hexadecimal text."""
    match value:
        case dict():
            return {name: readable(each) for name, each in value.items()}
        case list() | tuple():
            return [readable(each) for each in value]
        case Decimal():
            return f"{value.normalize():f}"
        case bytes():
            return value.hex()
        case UUID() | date():
            return str(value).replace(" ", "T").replace("+00:00", "Z")
        case _:
            return value


def pretty(value: Any, indent: int = 0, used: int = 0) -> str:
    """Return JSON with a line for each field, and inside of those as many on a line as fit.

    `used` are the characters that stand before it on its line.
    """
    flat = json.dumps(value, ensure_ascii=False)
    if indent + used + len(flat) <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    if isinstance(value, list):
        return _block("[]", [pretty(each, indent + 2) for each in value], indent)
    named = [(json.dumps(name), each) for name, each in value.items()]
    members = [f"{name}: {pretty(each, indent + 2, len(name) + 3)}" for name, each in named]
    return _block("{}", _filled(members, WIDTH - indent - 3) if indent else members, indent)


def _filled(members: Sequence[str], width: int) -> list[str]:
    """Join neighbours that fit into a line; what has several lines keeps them."""
    lines: list[str] = []
    for member in members:
        joined = f"{lines[-1]}, {member}" if lines else member
        if lines and "\n" not in joined and len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(member)
    return lines


def _block(brackets: str, lines: Sequence[str], indent: int) -> str:
    margin = " " * indent
    inside = ",\n".join(f"{margin}  {line}" for line in lines)
    return f"{brackets[0]}\n{inside}\n{margin}{brackets[1]}"


class _Maker:
    """Makes values of one topic's schema, which writes every named type out at its first use only."""

    def __init__(self, topic: Topic) -> None:
        self._named: dict[str, Any] = {}
        identity = derived("example", topic.name)
        self._ids = {"event_id": event_id(identity, topic.producer, 0), "causation_id": identity}

    def value(self, schema: Any, name: str) -> Any:
        """Return the plainest value of a type; `name` is that of the field."""
        match schema:
            case list():
                made = [self.value(branch, name) for branch in schema]  # types written out here are named further on
                return None if "null" in schema else made[0]
            case str():
                return self.value(self._named[schema], name) if schema in self._named else _PLAIN.get(schema, name)
            case {"type": "record" | "enum"}:
                return self._type(schema)
            case {"type": "array"}:
                return [self.value(schema["items"], name)]
            case {"type": "map"}:
                return {name: self.value(schema["values"], name)}
            case _:
                return self._logical(schema, name)

    def _type(self, schema: Any) -> Any:
        self._named[f"{schema['namespace']}.{schema['name']}"] = schema
        return schema["symbols"][0] if schema["type"] == "enum" else self._record(schema, {})

    def _logical(self, schema: Any, name: str) -> Any:
        match schema:
            case {"logicalType": "decimal"}:
                return _DECIMALS.get(schema.get("scale", 0), Decimal(1))
            case {"logicalType": "uuid"}:
                return self._ids.get(name, derived("example", name))
            case {"logicalType": "date"}:
                return AS_OF.date()
            case {"logicalType": "timestamp-micros" | "timestamp-millis"}:
                return AS_OF
            case _:
                return self.value(schema["type"], name)

    def _record(self, schema: Any, told: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for field in schema["fields"]:
            name, kind = field["name"], field["type"]
            # also where the story knows better: types written out in it are spoken of by name further on
            plain = self.value(kind, name)
            made[name] = self._told(schema["name"], name, kind, plain) if name not in told else told[name]
        return made

    def _told(self, record: str, name: str, kind: Any, plain: Any) -> Any:
        told = _STORY.get(f"{record}.{name}", _STORY.get(name, plain))
        if told is _MADE:
            return self.value(next(branch for branch in kind if branch != "null"), name)
        if not isinstance(told, tuple):
            return told
        return [self._record(self._item(kind), each) if isinstance(each, dict) else each for each in told]

    def _item(self, kind: Any) -> Any:
        items = kind["items"]
        return self._named[items] if isinstance(items, str) else items

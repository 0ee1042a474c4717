"""Which rows a record becomes, by its class. Every record has its row in `log_index` too."""

from infra.postgres.rows import gate, ledger, log, order, plan, portfolio, run
from infra.postgres.table import Projected, Row, Rows, Said
from schemas.account import AccountActivity, AccountSnapshot
from schemas.dead_letter import DeadLetter
from schemas.execution import Execution, LineOutcome
from schemas.gate import OrderLimits, OrderLimitsRequest, TradingHalt, TradingHaltRequest
from schemas.ledger import Books, LedgerEntry
from schemas.market import Bar
from schemas.order import BrokerReport, Fill, OrderEvent, OrderIntent
from schemas.plan import Plan
from schemas.portfolio import ConflictDecision, ConflictOutcome, Portfolio
from schemas.record import Record
from schemas.resolution import OrderResolution, OrderResolutionRequest
from schemas.run import ClockReading, DeadlinePassed, Run, RunRequest
from schemas.signal import Signal, SignalReceipt


def index_only(_: Said[Record]) -> Rows:
    """A record that has no more to say in SQL than its row in `log_index`."""
    return ()


PROJECTIONS: dict[type[Record], Projected] = {
    Bar: index_only,  # many, and the log is the place to read them: no decision's rows point at one
    RunRequest: run.run_request,
    ClockReading: index_only,  # one instant, and `runs` has the deadline it waits for
    Run: run.run,
    DeadlinePassed: index_only,  # `runs` has the deadline
    Signal: run.signal,
    SignalReceipt: run.signal_receipt,
    Portfolio: portfolio.portfolio,
    ConflictDecision: portfolio.conflict_decision,
    ConflictOutcome: portfolio.conflict_outcome,
    Execution: plan.execution,
    AccountSnapshot: ledger.account_snapshot,
    AccountActivity: ledger.account_activity,
    Books: ledger.books,
    Plan: plan.plan,
    OrderIntent: order.order_intent,
    OrderLimitsRequest: index_only,  # `order_limits` has them once they count
    OrderLimits: gate.order_limits,
    TradingHaltRequest: index_only,  # `trading_halts` has the answer, with the request's own name
    TradingHalt: gate.trading_halt,
    OrderResolutionRequest: index_only,  # `order_events` has its outcome: RESTATED, by whom and why
    OrderResolution: index_only,  # the same; one that was refused changed nothing
    OrderEvent: order.order_event,
    BrokerReport: order.broker_report,
    Fill: order.fill,
    LineOutcome: plan.line_outcome,
    LedgerEntry: ledger.ledger_entry,
    DeadLetter: log.dead_letter,
}


def rows_of(said: Said[Record]) -> list[Row]:
    """Return every row of a record, parents before their parts."""
    return [log.index_row(said), *PROJECTIONS[type(said.record)](said)]

"""Runs, plans and order events as these stories need them: small, explicit, one account."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from schemas.account import SnapshotContent
from schemas.execution import Execution
from schemas.identity import plan_id, run_id
from schemas.ledger import BooksContent
from schemas.order import TERMINAL, ExecType, OrderEvent, OrderIntent, OrdStatus
from schemas.plan import Action, LineContribution, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.portfolio import Portfolio, PortfolioContent, PortfolioTarget
from schemas.run import ConflictRule, Limits, Mode, RunTerms, StrategyTerms

ACCOUNT = "DEMO-1"
AS_OF = datetime(2012, 6, 1, 15, 55, tzinfo=UTC)
VALID_UNTIL = datetime(2012, 6, 1, 19, 55, tzinfo=UTC)
ZERO = Decimal(0)


def run(name: str) -> UUID:
    """Return the id of a run by a name for it."""
    return run_id(ACCOUNT, AS_OF, name)


def terms(name: str = "first", valid_until: datetime = VALID_UNTIL) -> RunTerms:
    """Return the configuration of a run."""
    return RunTerms(
        run_id=run(name),
        as_of=AS_OF,
        strategies=tuple(
            StrategyTerms(
                strategy_id=each,
                kind="fixed-weights",
                mode=Mode.NETTED,
                allocation=Decimal("0.5"),
                priority=1,
                symbols=("AAPL", "IBM"),
                parameters=(),
            )
            for each in ("core", "trend")
        ),
        limits=Limits(
            trade_value_min=Decimal(50),
            quantity_step=Decimal(1),
            weight_total_max=Decimal(1),
            cash_reserve=Decimal(0),
            quote_age_max_s=60,
        ),
        conflict_rule=ConflictRule.SUM,
        valid_until=valid_until,
        deadline_at=None,
        bars_until=(),
    )


def content(
    name: str = "first", valid_until: datetime = VALID_UNTIL, symbols: tuple[str, ...] = ()
) -> PortfolioContent:
    """Return what a run wants; the weights say nothing, plans here are made by hand."""
    targets = tuple(PortfolioTarget(symbol=each, weight=Decimal("0.1"), contributions=()) for each in sorted(symbols))
    return PortfolioContent(terms=terms(name, valid_until), targets=targets, silent_strategies=(), kept=())


def portfolio(name: str = "first", valid_until: datetime = VALID_UNTIL, symbols: tuple[str, ...] = ()) -> Portfolio:
    """Return the portfolio of a run."""
    return Portfolio(
        account_id=ACCOUNT,
        run_id=run(name),
        is_partial=False,
        failed=(),
        missing=(),
        signal_ids=(),
        content=content(name, valid_until, symbols),
    )


def line(
    symbol: str,
    ordered: Mapping[str, int] | None = None,
    crossed: Mapping[str, int] | None = None,
    *,
    price: str | None = "10",
    status: LineStatus = LineStatus.PLANNED,
    rule: Rule | None = None,
    priority: int = 1,
) -> PlanLine:
    """Return a plan line: signed shares per strategy, to order and to cross."""
    ordered, crossed = ordered or {}, crossed or {}
    net = Decimal(sum(ordered.values()))
    cross = Decimal(sum(each for each in crossed.values() if each > 0))
    quoted = None if price is None else Decimal(price)
    intended = abs(net) if net else Decimal(3)
    return PlanLine(
        symbol=symbol,
        target_weight=ZERO,
        target_value=ZERO,
        current_quantity=ZERO,
        target_quantity=ZERO,
        price=quoted,
        bid=quoted,
        ask=quoted,
        quoted_at=None if quoted is None else AS_OF,
        quote_source=None if quoted is None else "test",
        delta_quantity=net,
        action=Action.BUY if net > 0 else Action.SELL if net < 0 else Action.HOLD,
        quantity=abs(net) if status is LineStatus.PLANNED else ZERO,
        notional=ZERO,
        cross_quantity=cross,
        priority=priority,
        status=status,
        rule=rule,
        threshold=None if rule is None else Decimal(50),
        intended_quantity=intended,
        intended_value=intended * (quoted or ZERO),
        contributions=tuple(
            LineContribution(
                strategy_id=each,
                weight=ZERO,
                current_quantity=ZERO,
                target_quantity=ZERO,
                wanted=ZERO,
                crossed=Decimal(crossed.get(each, 0)),
                ordered=Decimal(ordered.get(each, 0)),
                value=ZERO,
            )
            for each in sorted({*ordered, *crossed})
        ),
    )


def plan(*lines: PlanLine, name: str = "first", valid_until: datetime = VALID_UNTIL, rule: Rule | None = None) -> Plan:
    """Return the plan of a run; a rule blocks it whole."""
    snapshot = SnapshotContent(
        taken_at=AS_OF,
        cash=ZERO,
        equity=ZERO,
        positions=(),
        quotes=(),
        ended_orders=(),
        portfolio=content(name, valid_until),
    )
    return Plan(
        account_id=ACCOUNT,
        plan_id=plan_id(run(name)),
        run_id=run(name),
        as_of=AS_OF,
        status=PlanStatus.READY if rule is None else PlanStatus.BLOCKED,
        rule=rule,
        detail="",
        equity=ZERO,
        cash_available=ZERO,
        sells_expected=ZERO,
        buys_planned=ZERO,
        lines=tuple(sorted(lines, key=lambda each: each.symbol)),
        books=BooksContent(snapshot=snapshot, strategies=()),
    )


def event(intent: OrderIntent, status: OrdStatus, cum: int | None = None, reason: str = "") -> OrderEvent:
    """Return what the gateway says of an order: all of it filled, unless told otherwise."""
    order_qty = intent.order.order_qty
    executed = Decimal(cum) if cum is not None else order_qty if status is OrdStatus.FILLED else ZERO
    kinds = {OrdStatus.CANCELED: ExecType.CANCELED, OrdStatus.REJECTED: ExecType.REJECTED}
    return OrderEvent(
        account_id=intent.account_id,
        client_order_id=intent.client_order_id,
        broker_order_id=None,
        exec_type=kinds.get(status, ExecType.TRADE if executed else ExecType.ACCEPTED),
        ord_status=status,
        cum_qty=executed,
        leaves_qty=ZERO if status in TERMINAL else order_qty - executed,
        last_qty=None,
        last_px=None,
        attempt=1,
        reason=reason,
        transact_time=None,
        order=intent.order,
    )


def statuses(said: tuple[object, ...]) -> list[str]:
    """Return the stages of the runs among some records, in order."""
    return [each.status.value for each in said if isinstance(each, Execution)]

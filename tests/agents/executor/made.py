"""Runs, plans and order events as these stories need them: small, explicit, one account."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.execution import Execution, LineOutcome, Outcome
from schemas.identity import plan_id, run_id
from schemas.ledger import BooksContent
from schemas.order import NET, TERMINAL, ExecType, OrderEvent, OrderIntent, OrdStatus, Phase, Refusal
from schemas.plan import Action, LineContribution, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.portfolio import Portfolio, PortfolioContent, PortfolioStatus, PortfolioTarget
from schemas.run import ExecutionRules
from tests.made import ACCOUNT, AS_OF, execution, limits, portfolio_content, run_terms, snapshot_content

BLOCKED_DETAIL = "AAPL: books 3, broker 4"
VALID_UNTIL = AS_OF + timedelta(hours=4)
ZERO = Decimal(0)
Number = int | str | Decimal


def run(name: str) -> UUID:
    """Return the id of a run by a name for it."""
    return run_id(ACCOUNT, AS_OF, name)


def content(
    name: str = "first", valid_until: datetime = VALID_UNTIL, symbols: tuple[str, ...] = (), **terms: Any
) -> PortfolioContent:
    """Return what a run wants; the weights say nothing, plans here are made by hand. `terms` changes its terms."""
    targets = tuple(PortfolioTarget(symbol=each, weight=Decimal("0.1"), contributions=()) for each in sorted(symbols))
    return portfolio_content(run_terms(name, valid_until=valid_until, **terms), targets=targets)


def portfolio(
    name: str = "first",
    valid_until: datetime = VALID_UNTIL,
    symbols: tuple[str, ...] = (),
    status: PortfolioStatus = PortfolioStatus.FORMED,
    scope: tuple[str, ...] | None = None,
) -> Portfolio:
    """Return the portfolio of a run; with a scope only these symbols are judged."""
    return Portfolio(
        account_id=ACCOUNT,
        run_id=run(name),
        status=status,
        is_partial=False,
        failed=(),
        missing=(),
        signal_ids=(),
        content=content(name, valid_until, symbols).model_copy(update={"scope": scope}),
    )


def line(
    symbol: str,
    ordered: Mapping[str, int] | None = None,
    crossed: Mapping[str, int] | None = None,
    *,
    book: str = NET,
    reducing: int | None = None,
    price: str | None = "10",
    spread: str = "0",
    status: LineStatus = LineStatus.PLANNED,
    rule: Rule | None = None,
    priority: int = 1,
) -> PlanLine:
    """Return a plan line: signed shares per strategy, to order and to cross.

    `reducing` shares of its order reduce the account's position; unless it is told, all of a sell and none of a buy.
    `price` is the midpoint of a quote with a `spread`.
    """
    ordered, crossed = ordered or {}, crossed or {}
    net = Decimal(sum(ordered.values()))
    cross = Decimal(sum(each for each in crossed.values() if each > 0))
    quoted = None if price is None else Decimal(price)
    half = Decimal(spread) / 2
    bid, ask = (None, None) if quoted is None else (quoted - half, quoted + half)
    touch = (ask if net > 0 else bid) or ZERO
    intended = abs(net) if net else Decimal(3)
    quantity = abs(net) if status is LineStatus.PLANNED else ZERO
    reduces = min(quantity, -min(net, ZERO) if reducing is None else Decimal(reducing))
    return PlanLine(
        book=book,
        symbol=symbol,
        target_weight=ZERO,
        target_value=ZERO,
        current_quantity=ZERO,
        target_quantity=ZERO,
        account_quantity=reduces.copy_sign(-net) if reduces else ZERO,
        price=quoted,
        bid=bid,
        ask=ask,
        quoted_at=None if quoted is None else AS_OF,
        quote_source=None if quoted is None else "test",
        delta_quantity=net,
        action=Action.BUY if net > 0 else Action.SELL if net < 0 else Action.HOLD,
        quantity=quantity,
        reducing_quantity=reduces,
        phase=Phase.REDUCING if reduces else Phase.INCREASING if quantity else None,
        notional=quantity * touch,
        cross_quantity=cross,
        cross_deferred_quantity=ZERO,
        cross_rule=None,
        priority=priority,
        status=status,
        rule=rule,
        threshold=None if rule is None else Decimal(50),
        intended_quantity=intended,
        intended_value=intended * (quoted or ZERO),
        contributions=tuple(
            _contribution(each, ordered.get(each, 0) if quantity else 0, crossed.get(each, 0))
            for each in sorted({*ordered, *crossed})
        ),
    )


def _contribution(strategy_id: str, ordered: int, crossed: int) -> LineContribution:
    return LineContribution(
        strategy_id=strategy_id,
        weight=ZERO,
        current_quantity=ZERO,
        target_quantity=ZERO,
        wanted=Decimal(ordered + crossed),
        allowed=Decimal(ordered + crossed),
        crossed=Decimal(crossed),
        ordered=Decimal(ordered),
        value=ZERO,
        rule=None,
        threshold=None,
    )


def plan(
    *lines: PlanLine,
    name: str = "first",
    valid_until: datetime = VALID_UNTIL,
    rule: Rule | None = None,
    rules: ExecutionRules | None = None,
    cash: int = 0,
    is_leverage_allowed: bool = False,
) -> Plan:
    """Return the plan of a run; a rule blocks it whole, and every line of it, as the planner does."""
    if rule is not None:
        lines = tuple(_blocked(each, rule) for each in lines)
    held = limits(is_leverage_allowed=is_leverage_allowed)
    wanted = content(name, valid_until, execution=rules or execution(), limits=held)
    nothing = snapshot_content(wanted, cash=ZERO, equity=ZERO)
    return Plan(
        account_id=ACCOUNT,
        plan_id=plan_id(run(name)),
        run_id=run(name),
        as_of=AS_OF,
        status=PlanStatus.READY if rule is None else PlanStatus.BLOCKED,
        rule=rule,
        detail="" if rule is None else BLOCKED_DETAIL,
        equity=ZERO,
        cash_available=Decimal(cash),
        sells_expected=ZERO,
        buys_planned=ZERO,
        trade_value=sum((each.notional for each in lines), ZERO),
        line_count=len(lines),
        constraints=(),
        lines=tuple(sorted(lines, key=lambda each: (each.symbol, each.book))),
        books=BooksContent(snapshot=nothing, strategies=()),
    )


def _blocked(line: PlanLine, rule: Rule) -> PlanLine:
    nothing = {"crossed": ZERO, "ordered": ZERO}
    return line.model_copy(
        update={
            "quantity": ZERO,
            "reducing_quantity": ZERO,
            "phase": None,
            "notional": ZERO,
            "cross_quantity": ZERO,
            "cross_deferred_quantity": line.cross_quantity,
            "cross_rule": rule if line.cross_quantity else None,
            "status": LineStatus.BLOCKED,
            "rule": rule,
            "threshold": None,
            "contributions": tuple(each.model_copy(update=nothing) for each in line.contributions),
        }
    )


def event(
    intent: OrderIntent,
    status: OrdStatus,
    cum: Number | None = None,
    reason: str = "",
    *,
    price: Number | None = None,
    refusal: Refusal | None = None,
) -> OrderEvent:
    """Return what the gateway says of an order: all of it filled, at the midpoint, unless told otherwise."""
    order_qty = intent.order.order_qty
    executed = Decimal(cum) if cum is not None else order_qty if status is OrdStatus.FILLED else ZERO
    kinds = {OrdStatus.CANCELED: ExecType.CANCELED, OrdStatus.REJECTED: ExecType.REJECTED}
    if refusal is not None:
        kinds = {OrdStatus.REJECTED: ExecType.REFUSED}
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
        gross_trade_amt=executed * (intent.order.reference_price if price is None else Decimal(price)),
        attempt=1,
        refusal=refusal,
        reason=reason,
        check=None,
        transact_time=None,
        order=intent.order,
    )


def statuses(said: Iterable[object]) -> list[str]:
    """Return the stages of the runs among some records, in order."""
    return [each.status.value for each in said if isinstance(each, Execution)]


def outcomes(said: Iterable[object]) -> dict[tuple[str, str], Outcome]:
    """Return how lines ended among some records, by book and symbol; none ends twice."""
    found = [each for each in said if isinstance(each, LineOutcome)]
    by_line = {(each.book, each.symbol): each.outcome for each in found}
    if len(by_line) != len(found):
        raise AssertionError(f"expected one outcome a line, was {found}")
    return by_line

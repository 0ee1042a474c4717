"""One run with everything in it: a cross, a partial fill, a suppressed, a held and a reduced line, a book of its own.

core and trend are netted, mean keeps a book of its own, macro is not heard. The earlier run bought what is held.
"""

from decimal import Decimal
from typing import Any

from schemas.account import AccountSnapshot
from schemas.execution import Execution, ExecutionStatus, LineOutcome, Outcome
from schemas.identity import decided_run_id, derived, plan_id
from schemas.ledger import SYSTEM, Books, BooksContent, BooksStatus, EntryKind, LedgerEntry
from schemas.market import Quote
from schemas.order import (
    NET,
    ExecType,
    Fill,
    OrderEvent,
    OrderTerms,
    OrdStatus,
    Phase,
    Side,
    Venue,
)
from schemas.plan import (
    Action,
    ConstraintEffect,
    ConstraintResult,
    LineContribution,
    LineStatus,
    Plan,
    PlanLine,
    PlanStatus,
    Rule,
)
from schemas.portfolio import (
    BookTargets,
    Conflict,
    ConflictChoice,
    ConflictOutcome,
    ConflictStatus,
    Contribution,
    Portfolio,
    PortfolioTarget,
)
from schemas.record import Record
from schemas.run import ConflictRule, Mode, Run, RunRefusal, RunStatus, RunTerms
from schemas.signal import ReceiptStatus, Signal, SignalFailure, SignalReceipt, SignalStatus, TargetWeight
from tests.infra.postgres.stories import blank, booked, moved
from tests.made import ACCOUNT, AS_OF, limits, portfolio_content, rules, run_terms, snapshot_content, strategy

STRATEGIES = (
    strategy("core", allocation=Decimal("0.5")),
    strategy("macro", allocation=Decimal("0.1")),
    strategy("mean", allocation=Decimal("0.2"), mode=Mode.BOOK),
    strategy("trend", allocation=Decimal("0.2"), position_weight_max=Decimal("0.075")),
)
TERMS = run_terms(
    "afternoon", strategies=STRATEGIES, limits=limits(), rules=rules(conflict_rule=ConflictRule.FLAG), valid_until=AS_OF
)
RUN, MORNING = TERMS.run_id, run_terms("morning").run_id
PLAN, EARLIER = plan_id(RUN), plan_id(MORNING)
FOLLOW_UP = decided_run_id(RUN, "MSFT")
MODES: dict[str, Mode | None] = {
    "core": Mode.NETTED,
    "trend": Mode.NETTED,
    "mean": Mode.BOOK,
}
WEIGHTS = {
    "core": {"AAPL": "0.12", "IBM": "0.00063", "MSFT": "0.1", "SPY": "0.28"},
    "trend": {"KO": "0.09375", "MSFT": "-0.1"},
    "mean": {"GE": "0.05"},
}
MIDS = {
    "AAPL": "100.05",
    "GE": "20",
    "IBM": "31.5",
    "KO": "37.5",
    "MSFT": "29",
    "SPY": "140",
    "TSLA": "28",
    "XOM": "85",
}


def part(owner: str, holds: str, wants: str, price: str, **said: Any) -> LineContribution:
    """Return one strategy's part in a line: what it holds and wants to hold."""
    wanted = Decimal(wants) - Decimal(holds)
    usual = {
        "current_quantity": Decimal(holds),
        "target_quantity": Decimal(wants),
        "wanted": wanted,
        "allowed": wanted,
        "value": wanted * Decimal(price),
    }
    return blank(LineContribution, strategy_id=owner, **{**usual, **said})


def line(symbol: str, *parts: LineContribution, book: str = NET, order: str = "0", **said: Any) -> PlanLine:
    """Return a line of these parts; `order` is what goes to the broker, signed."""
    delta = sum((each.wanted for each in parts), Decimal(0))
    price, signed = Decimal(MIDS[symbol]), Decimal(order)
    usual = {
        "current_quantity": sum((each.current_quantity for each in parts), Decimal(0)),
        "target_quantity": sum((each.target_quantity for each in parts), Decimal(0)),
        "delta_quantity": delta,
        "action": Action.BUY if delta > 0 else Action.SELL if delta < 0 else Action.HOLD,
        "price": price,
        "bid": price,
        "ask": price,
        "quoted_at": AS_OF,
        "quote_source": "iex",
        "quantity": abs(signed),
        "notional": abs(signed) * price,
        "intended_quantity": abs(delta),
        "intended_value": abs(delta) * price,
        "status": LineStatus.PLANNED,
        "contributions": parts,
    }
    return blank(PlanLine, symbol=symbol, book=book, **{**usual, **said})


LINES = (
    line(
        "AAPL",
        part("core", "0", "60", "100.05", weight=Decimal("0.06"), crossed=Decimal(40), ordered=Decimal(20)),
        part("trend", "40", "0", "100.05", crossed=Decimal(-40)),
        order="20",
        cross_quantity=Decimal(40),
        target_weight=Decimal("0.06"),
        intended_quantity=Decimal(20),
        intended_value=Decimal(2001),
        phase=Phase.INCREASING,
    ),
    line(
        "GE",
        part("mean", "0", "50", "20", weight=Decimal("0.05")),
        book="mean",
        target_weight=Decimal("0.05"),
        status=LineStatus.BLOCKED,
        rule=Rule.TRADE_VALUE_MAX,
        threshold=Decimal(850),
    ),
    line(
        "IBM",
        part("core", "0", "1", "31.5", weight=Decimal("0.000315")),
        target_weight=Decimal("0.000315"),
        status=LineStatus.SUPPRESSED,
        rule=Rule.MIN_TRADE_VALUE,
        threshold=Decimal(50),
    ),
    line(
        "KO",
        part(
            "trend",
            "0",
            "50",
            "37.5",
            weight=Decimal("0.01875"),
            allowed=Decimal(40),
            ordered=Decimal(40),
            rule=Rule.POSITION_WEIGHT_MAX,
            threshold=Decimal(1500),
        ),
        order="40",
        target_weight=Decimal("0.01875"),
        delta_quantity=Decimal(40),
        intended_quantity=Decimal(40),
        intended_value=Decimal(1500),
        phase=Phase.INCREASING,
    ),
    line(
        "MSFT",
        part("core", "10", "10", "29"),
        status=LineStatus.HELD,
        rule=Rule.CONFLICT_FLAGGED,
    ),
    line(
        "SPY",
        part("core", "0", "100", "140", weight=Decimal("0.14"), ordered=Decimal(30)),
        order="30",
        target_weight=Decimal("0.14"),
        rule=Rule.CAPITAL,
        threshold=Decimal("4201.5"),
        phase=Phase.INCREASING,
    ),
    line(
        "TSLA",
        part("core", "0", "5", "28", weight=Decimal("0.0014")),
        part("trend", "5", "0", "28"),
        cross_deferred_quantity=Decimal(5),
        cross_rule=Rule.QUOTE_LOCKED,
        status=LineStatus.BLOCKED,
        rule=Rule.QUOTE_LOCKED,
    ),
    line("XOM", part("mean", "10", "0", "85", ordered=Decimal(-10)), book="mean", order="-10", phase=Phase.REDUCING),
)

CONSTRAINTS = (
    ConstraintResult(
        rule=Rule.POSITION_WEIGHT_MAX,
        scope="trend",
        symbol="KO",
        limit=Decimal(1500),
        wanted=Decimal(1875),
        used=Decimal(1500),
        effect=ConstraintEffect.SCALED,
    ),
    ConstraintResult(
        rule=Rule.TRADE_VALUE_MAX,
        scope="mean",
        symbol=None,
        limit=Decimal(850),
        wanted=Decimal(1850),
        used=Decimal(850),
        effect=ConstraintEffect.BLOCKED,
    ),
    ConstraintResult(
        rule=Rule.CAPITAL,
        scope=NET,
        symbol=None,
        limit=Decimal("7703.5"),
        wanted=Decimal(17501),
        used=Decimal(7701),
        effect=ConstraintEffect.SCALED,
    ),
    ConstraintResult(
        rule=Rule.WEIGHT_TOTAL_MAX,
        scope=NET,
        symbol=None,
        limit=Decimal(100_000),
        wanted=Decimal(22_000),
        used=Decimal(12_000),
        effect=ConstraintEffect.WITHIN,
    ),
)


def before() -> list[LedgerEntry]:
    """Return what was booked before the run: a deposit, capital for mean's book, and the shares that are held."""
    street: tuple[str, Mode | None] = ("street", None)
    system: tuple[str, Mode | None] = (SYSTEM, None)
    said: dict[str, Any] = {"account": ACCOUNT, "modes": MODES, "plan_id": EARLIER, "run_id": MORNING, "book": NET}
    return [
        moved(EntryKind.DEPOSIT, street, system, {"USD": "100000"}, account=ACCOUNT),
        moved(EntryKind.TRANSFER, system, ("mean", Mode.BOOK), {"USD": "20000"}, account=ACCOUNT),
        booked(EntryKind.FILL, "AAPL", "95", {"trend": "40"}, 1, **said),
        booked(EntryKind.FILL, "MSFT", "30", {"core": "10"}, 2, **said),
        booked(EntryKind.FILL, "TSLA", "30", {"trend": "5"}, 3, **said),
        booked(EntryKind.FILL, "XOM", "80", {"mean": "10"}, 4, **{**said, "book": "mean"}),
        moved(EntryKind.OTHER_ACTIVITY, system, street, {"USD": "0.02"}, account=ACCOUNT),
    ]


def asked() -> list[Record]:
    """Return the run, and what each strategy said."""
    said: list[Record] = [blank(Run, account_id=ACCOUNT, run_id=RUN, status=RunStatus.REQUESTED, terms=TERMS)]
    for owner, weights in sorted(WEIGHTS.items()):
        targets = tuple(TargetWeight(symbol=symbol, weight=Decimal(each)) for symbol, each in sorted(weights.items()))
        said += _spoken(owner, status=SignalStatus.READY, targets=targets)
    said += _spoken("macro", status=SignalStatus.FAILED, failure=SignalFailure.NO_BARS, detail="needs 20 bars, found 3")
    return said


def _spoken(owner: str, **said: Any) -> list[Record]:
    signal = blank(Signal, account_id=ACCOUNT, strategy_id=owner, terms=TERMS, **said)
    receipt = blank(
        SignalReceipt,
        account_id=ACCOUNT,
        run_id=RUN,
        strategy_id=owner,
        status=ReceiptStatus.ACCEPTED,
        signal_status=signal.status,
        terms=TERMS,
    )
    return [signal, receipt]


def wanted() -> list[Record]:
    """Return the portfolio: core's and trend's wishes for MSFT are in conflict, and a person has to decide."""
    content = portfolio_content(
        TERMS,
        targets=tuple(
            PortfolioTarget(
                symbol=symbol, weight=weight, contributions=(Contribution(strategy_id=owner, weight=weight),)
            )
            for owner, symbol, weight in (
                ("core", "AAPL", Decimal("0.06")),
                ("core", "IBM", Decimal("0.000315")),
                ("trend", "KO", Decimal("0.01875")),
                ("core", "SPY", Decimal("0.14")),
            )
        ),
        book_targets=(BookTargets(strategy_id="mean", targets=(TargetWeight(symbol="GE", weight=Decimal("0.05")),)),),
        silent_strategies=("macro",),
        conflicts=(
            Conflict(
                symbol="MSFT",
                rule=ConflictRule.FLAG,
                wishes=(
                    Contribution(strategy_id="core", weight=Decimal("0.05")),
                    Contribution(strategy_id="trend", weight=Decimal("-0.02")),
                ),
                decided_by=None,
                is_open=True,
            ),
        ),
    )
    return [blank(Portfolio, account_id=ACCOUNT, run_id=RUN, is_partial=True, failed=("macro",), content=content)]


def planned(**said: Any) -> list[Record]:
    """Return the account, the books and the plan."""
    quotes = tuple(
        Quote(symbol=symbol, bid=Decimal(mid), ask=Decimal(mid), quoted_at=AS_OF, source="iex")
        for symbol, mid in MIDS.items()
    )
    content = BooksContent(snapshot=snapshot_content(portfolio_content(TERMS), quotes=quotes), strategies=())
    usual = {
        "status": PlanStatus.READY,
        "equity": Decimal(100_000),
        "cash_available": Decimal("6853.5"),
        "sells_expected": Decimal(850),
        "buys_planned": Decimal(7701),
        "trade_value": Decimal(8551),
        "line_count": len(LINES),
        "constraints": CONSTRAINTS,
        "lines": LINES,
        "books": content,
        "as_of": AS_OF,
    }
    return [
        blank(AccountSnapshot, account_id=ACCOUNT, run_id=RUN, content=content.snapshot),
        blank(Books, account_id=ACCOUNT, run_id=RUN, status=BooksStatus.READY, content=content),
        blank(Plan, account_id=ACCOUNT, **{"plan_id": PLAN, "run_id": RUN, **usual, **said}),
    ]


def _executed(number: int, symbol: str, price: str, parts: dict[str, str], asked_for: str, book: str) -> list[Record]:
    total = sum((Decimal(each) for each in parts.values()), Decimal(0))
    quantity = Decimal(asked_for)
    order = blank(
        OrderTerms,
        plan_id=PLAN,
        run_id=RUN,
        book=book,
        symbol=symbol,
        side=Side.BUY if quantity > 0 else Side.SELL,
        order_qty=abs(quantity),
        venue=Venue.BROKER,
        leg=2 if quantity > 0 else 1,
        step=1,
        phase=Phase.INCREASING if quantity > 0 else Phase.REDUCING,
    )
    identity = f"{book}-{symbol}-20120601T155500-0000000{number}"
    fill = blank(
        Fill,
        account_id=ACCOUNT,
        fill_id=derived("fill", number),
        client_order_id=identity,
        last_qty=abs(total),
        last_px=Decimal(price),
        order=order,
    )
    ended = OrdStatus.FILLED if total == quantity else OrdStatus.CANCELED
    event = blank(
        OrderEvent,
        account_id=ACCOUNT,
        client_order_id=identity,
        exec_type=ExecType.TRADE,
        ord_status=ended,
        cum_qty=abs(total),
        attempt=1,
        reason="" if total == quantity else "canceled at the close",
        order=order,
    )
    entry = booked(
        EntryKind.FILL, symbol, price, parts, number, account=ACCOUNT, modes=MODES, plan_id=PLAN, run_id=RUN, book=book
    )
    return [fill, event, entry]


def traded() -> list[Record]:
    """Return what happened at the broker and inside the account, and how every line ended."""
    cross = booked(
        EntryKind.CROSS,
        "AAPL",
        "100.05",
        {"core": "40", "trend": "-40"},
        10,
        account=ACCOUNT,
        modes=MODES,
        plan_id=PLAN,
        run_id=RUN,
        book=NET,
    )
    return [
        cross,
        *_executed(11, "XOM", "85", {"mean": "-10"}, "-10", "mean"),
        *_executed(12, "AAPL", "100.1", {"core": "12"}, "20", NET),
        *_executed(13, "KO", "37.52", {"trend": "40"}, "40", NET),
        *_executed(14, "SPY", "140.05", {"core": "30"}, "30", NET),
        *(_outcome(each) for each in LINES),
        blank(
            Execution,
            account_id=ACCOUNT,
            run_id=RUN,
            plan_id=PLAN,
            status=ExecutionStatus.FINISHED,
            detail="8 lines ended",
        ),
    ]


def _outcome(each: PlanLine) -> LineOutcome:
    if each.symbol == "AAPL":
        return ended(
            each,
            outcome=Outcome.PARTLY_FILLED,
            cum_qty=Decimal(12),
            cross_quantity=Decimal(40),
            reason="canceled at the close",
        )
    return ended(each)


def ended(each: PlanLine, **said: Any) -> LineOutcome:
    """Return how a line ended: as the plan says, all that was ordered filled, unless `said` otherwise."""
    planned = each.status is LineStatus.PLANNED
    usual = {
        "outcome": Outcome.FILLED if planned else Outcome(each.status),
        "rule": each.rule,
        "threshold": each.threshold,
        "intended_value": each.intended_value,
        "order_qty": each.quantity,
        "cum_qty": each.quantity,
    }
    place = {"account_id": ACCOUNT, "plan_id": PLAN, "run_id": RUN, "book": each.book, "symbol": each.symbol}
    return blank(LineOutcome, **{**place, **usual, **said})


def decided() -> list[Record]:
    """Return a person's decision about MSFT and the portfolio that trades it; its run has no record of its own."""
    content = portfolio_content(
        TERMS.model_copy(update={"run_id": FOLLOW_UP}),
        targets=(
            PortfolioTarget(
                symbol="MSFT",
                weight=Decimal("0.05"),
                contributions=(Contribution(strategy_id="core", weight=Decimal("0.05")),),
            ),
        ),
        scope=("MSFT",),
    )
    return [
        blank(
            ConflictOutcome,
            account_id=ACCOUNT,
            run_id=RUN,
            symbol="MSFT",
            status=ConflictStatus.ACCEPTED,
            choice=ConflictChoice.TAKE,
            strategy_id="core",
            decided_by="Ada",
            follow_up_run_id=FOLLOW_UP,
        ),
        blank(Portfolio, account_id=ACCOUNT, run_id=FOLLOW_UP, content=content),
    ]


def refused(terms: RunTerms = TERMS) -> list[Record]:
    """Return a request that was refused under a run id that is not its own."""
    return [
        blank(
            Run,
            account_id=ACCOUNT,
            run_id=terms.run_id,
            status=RunStatus.REFUSED,
            refusal=RunRefusal.RUN_ID_MISMATCH,
            detail="expected another id",
            terms=terms,
        )
    ]


def whole() -> list[Record]:
    """Return the whole story in its order."""
    return [*before(), *asked(), *wanted(), *planned(), *traded()]

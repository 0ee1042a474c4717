"""Runs, signals and portfolios in a few words, for stories of the collector."""

from collections.abc import Collection, Mapping
from decimal import Decimal

from agents.testing import Story
from schemas.identity import derived
from schemas.portfolio import Conflict, Contribution, Portfolio, PortfolioTarget
from schemas.run import ConflictRule, DeadlinePassed, Mode, Run, RunRules, RunStatus, RunTerms
from schemas.signal import (
    ReceiptStatus,
    Signal,
    SignalFailure,
    SignalReceipt,
    SignalStatus,
    SkippedSymbol,
    TargetWeight,
)
from tests import made

ACCOUNT = made.ACCOUNT
DEADLINE = made.AS_OF.replace(minute=59)


def terms(
    *books: str, priorities: Mapping[str, int] | None = None, rules: RunRules | None = None, **allocations: str
) -> RunTerms:
    """Return a run of strategies with these allocations; those named in `books` keep a book of their own."""
    return terms_of(allocations, books, priorities, rules)


def terms_of(
    allocations: Mapping[str, str],
    books: Collection[str] = (),
    priorities: Mapping[str, int] | None = None,
    rules: RunRules | None = None,
) -> RunTerms:
    """Return the same for names that are drawn."""
    ranks = priorities or {}
    return made.run_terms(
        strategies=tuple(
            made.strategy(
                name,
                allocation=Decimal(allocation),
                priority=ranks.get(name, 1),
                mode=Mode.BOOK if name in books else Mode.NETTED,
            )
            for name, allocation in sorted(allocations.items())
        ),
        rules=rules or made.rules(),
        deadline_at=DEADLINE,
    )


def ruled(rule: ConflictRule, run: RunTerms) -> RunTerms:
    """Return the same run with another conflict rule."""
    return run.model_copy(update={"rules": run.rules.model_copy(update={"conflict_rule": rule})})


def signal(
    name: str,
    run: RunTerms,
    failure: SignalFailure | None = None,
    skipped: tuple[str, ...] = (),
    twice: tuple[tuple[str, str], ...] = (),
    **weights: str,
) -> Signal:
    """Return what a strategy says; `twice` adds wishes for symbols that it names already."""
    wanted = sorted((*weights.items(), *twice))
    return Signal(
        account_id=ACCOUNT,
        signal_id=derived("signal", run.run_id, name),
        strategy_id=name,
        status=SignalStatus.FAILED if failure else SignalStatus.READY,
        failure=failure,
        detail="no bars" if failure else "",
        targets=tuple(TargetWeight(symbol=symbol, weight=Decimal(weight)) for symbol, weight in wanted),
        skipped=tuple(
            SkippedSymbol(symbol=symbol, reason=SignalFailure.NO_BARS, detail="21 needed, 0 found")
            for symbol in skipped
        ),
        decision_path=(),
        bars_until=(),
        bars_count=0,
        bars_sha256="",
        terms=run,
    )


def broken(name: str, run: RunTerms) -> Signal:
    """Return the signal of a strategy that could not decide."""
    return signal(name, run, SignalFailure.NO_BARS)


def receipt(of: Signal, status: ReceiptStatus) -> SignalReceipt:
    """Return the collector's receipt of a signal."""
    return SignalReceipt(
        account_id=ACCOUNT,
        run_id=of.terms.run_id,
        signal_id=of.signal_id,
        strategy_id=of.strategy_id,
        status=status,
        signal_status=of.status,
        targets=of.targets,
        skipped=tuple(each.symbol for each in of.skipped),
        terms=of.terms,
    )


def passed(run: RunTerms) -> DeadlinePassed:
    """Return that the run's deadline has passed."""
    return DeadlinePassed(account_id=ACCOUNT, run_id=run.run_id, deadline_at=run.deadline_at or DEADLINE, terms=run)


def requested(run: RunTerms) -> Run:
    """Return the run as the scheduler publishes it."""
    return Run(
        account_id=ACCOUNT,
        run_id=run.run_id,
        status=RunStatus.REQUESTED,
        refusal=None,
        detail="",
        warnings=(),
        terms=run,
    )


def wishes(**parts: str) -> tuple[Contribution, ...]:
    """Return contributions by strategy."""
    return tuple(Contribution(strategy_id=name, weight=Decimal(part)) for name, part in sorted(parts.items()))


def target(symbol: str, **parts: str) -> PortfolioTarget:
    """Return the target that contributions sum to."""
    contributions = wishes(**parts)
    weight = sum((each.weight for each in contributions), Decimal(0))
    return PortfolioTarget(symbol=symbol, weight=weight, contributions=contributions)


def conflict(symbol: str, rule: ConflictRule, by: str | None = None, open_: bool = False, **parts: str) -> Conflict:
    """Return a conflict over wishes."""
    return Conflict(symbol=symbol, rule=rule, wishes=wishes(**parts), decided_by=by, is_open=open_)


def portfolio(story: Story) -> Portfolio:
    """Return the portfolio that was published last."""
    last = story.said[-1]
    assert isinstance(last, Portfolio), f"expected a Portfolio, was {last!r}"
    return last

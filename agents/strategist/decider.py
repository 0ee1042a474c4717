"""Ask every strategy of a run what it wants: one signal each, all in one decision, in the order of the run's terms.

A run is signalled once; refused runs are none. A strategy sees the bars before the run's bound and of sessions up to
the New York date of `as_of`: neither a bar recorded later nor one of a later session can reach it. What it cannot
decide is a signal too, FAILED with its reason.
"""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from immutables import Map

from agents.decider import Message
from agents.strategist.bars import BarsSlice, sha256
from agents.strategist.parameters import BadParameterError
from agents.strategist.strategies import KINDS
from agents.strategist.verdict import Verdict, failed
from schemas.identity import derived
from schemas.record import Record
from schemas.run import Run, RunStatus, StrategyTerms
from schemas.signal import Signal, SignalFailure, SignalStatus

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True)
class State:
    """The runs that were signalled."""

    signalled: Map[UUID, bool]


def initial_state() -> State:
    """Return the state before the first run."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the signals of a run's strategies; raises TypeError when the bars are not in the message."""
    match message.record:
        case Run(status=RunStatus.REFUSED):
            return []
        case Run(run_id=run_id) if run_id in state.signalled:
            return []
        case Run() as run:
            if not isinstance(message.view, BarsSlice):
                raise TypeError(f"expected the bars of run {run.run_id} as a view, was {message.view!r}")
            bars = message.view.up_to(run.terms.as_of.astimezone(NEW_YORK).date())
            return [_signal(run, each, bars) for each in run.terms.strategies]
        case other:
            raise TypeError(f"the strategist reads Run, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the strategist's own records."""
    match record:
        case Signal(terms=terms):
            return State(state.signalled.set(terms.run_id, True))
        case other:
            raise TypeError(f"the strategist publishes Signal, was {type(other).__name__}")


def _signal(run: Run, strategy: StrategyTerms, bars: BarsSlice) -> Signal:
    verdict = _checked(_verdict(strategy, bars))
    return Signal(
        account_id=run.account_id,
        signal_id=derived("signal", run.run_id, strategy.strategy_id),
        strategy_id=strategy.strategy_id,
        status=SignalStatus.READY if verdict.failure is None else SignalStatus.FAILED,
        failure=verdict.failure,
        detail=verdict.detail,
        targets=tuple(sorted(verdict.targets, key=lambda each: each.symbol)),
        skipped=tuple(sorted(verdict.skipped, key=lambda each: each.symbol)),
        decision_path=verdict.path,
        bars_until=run.terms.bars_until,
        bars_count=sum(len(closes) for closes in verdict.looked_at),
        bars_sha256=sha256(verdict.looked_at),
        terms=run.terms,
    )


def _verdict(strategy: StrategyTerms, bars: BarsSlice) -> Verdict:
    wants = KINDS.get(strategy.kind)
    if wants is None:
        return failed(SignalFailure.UNKNOWN_STRATEGY, f"expected one of {', '.join(KINDS)}, was {strategy.kind!r}")
    try:
        return wants(strategy, bars)
    except BadParameterError as error:
        return failed(SignalFailure.BAD_PARAMETER, str(error))


def _checked(verdict: Verdict) -> Verdict:
    """Refuse weights that are more than the whole; a short weight counts as much as a long one."""
    total = sum((abs(each.weight) for each in verdict.targets), Decimal(0))
    if total <= 1:
        return verdict
    detail = f"expected weights of at most 1 together, was {total:f}"
    return failed(SignalFailure.WEIGHTS_ABOVE_ONE, detail, verdict)

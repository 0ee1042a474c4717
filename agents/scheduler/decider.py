"""Judge requests for a run, and turn the clock's readings into deadlines that have passed.

A request is judged once; asking again under the same run id is asking once. A request whose run id is not the one
derived from it speaks for no run: it is refused every time it comes, and changes nothing for the run that the id
belongs to. The terms of a run are sorted here, so the order in which the asker listed strategies, symbols or parameters
changes nothing downstream.

Why a request is refused is in `refusals.py`. A deadline carries the run's terms by value, so that whoever waits for it
need not have heard of the run.
"""

from dataclasses import dataclass
from uuid import UUID

from immutables import Map

from agents.decider import Message
from agents.scheduler.refusals import named_by_several, own_id, refusal_of
from schemas.record import Record
from schemas.run import (
    ClockReading,
    DeadlinePassed,
    OverlapPolicy,
    Run,
    RunRefusal,
    RunRequest,
    RunStatus,
    RunTerms,
    StrategyTerms,
)


@dataclass(frozen=True)
class Judged:
    """A run that was judged: its terms, and whether it still waits for its deadline."""

    terms: RunTerms
    is_waiting: bool


@dataclass(frozen=True)
class State:
    """Every run judged so far."""

    runs: Map[UUID, Judged]


def initial_state() -> State:
    """Return the state before the first request."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the run or the passed deadline that follows from a request or a clock reading."""
    match message.record:
        case RunRequest(run_id=run_id) as request if run_id in state.runs and run_id == own_id(request):
            return _asked_again(state.runs[run_id].terms, request)
        case RunRequest() as request:
            terms = _terms(request)
            return [_run(request, terms, refusal_of(request, terms))]
        case ClockReading(account_id=account, run_id=run_id, read_at=read_at):
            judged = state.runs.get(run_id)
            if judged is None or not judged.is_waiting:
                return []
            terms = judged.terms
            if terms.deadline_at is None or read_at < terms.deadline_at:
                return []
            return [DeadlinePassed(account_id=account, run_id=run_id, deadline_at=terms.deadline_at, terms=terms)]
        case other:
            raise TypeError(f"the scheduler reads RunRequest and ClockReading, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the scheduler's own records."""
    match record:
        case Run(refusal=RunRefusal.RUN_ID_MISMATCH | RunRefusal.DIFFERENT_REQUEST):
            return state
        case Run(run_id=run_id, status=status, terms=terms):
            is_waiting = status is RunStatus.REQUESTED and terms.deadline_at is not None
            return State(state.runs.set(run_id, Judged(terms, is_waiting)))
        case DeadlinePassed(run_id=run_id, terms=terms):
            return State(state.runs.set(run_id, Judged(terms, is_waiting=False)))
        case other:
            raise TypeError(f"the scheduler publishes Run and DeadlinePassed, was {type(other).__name__}")


def _asked_again(terms: RunTerms, request: RunRequest) -> list[Record]:
    """Asking again for the same is asking once; asking for something else under the same name is refused."""
    asked = _terms(request)
    different = [name for name in RunTerms.model_fields if getattr(terms, name) != getattr(asked, name)]
    if not different:
        return []
    detail = f"expected what {request.request_id!r} asked for before at this instant, was other {', '.join(different)}"
    return [_run(request, asked, (RunRefusal.DIFFERENT_REQUEST, detail))]


def _run(request: RunRequest, terms: RunTerms, why_not: tuple[RunRefusal, str] | None) -> Run:
    refusal, detail = why_not or (None, "")
    return Run(
        account_id=request.account_id,
        run_id=request.run_id,
        status=RunStatus.REQUESTED if refusal is None else RunStatus.REFUSED,
        refusal=refusal,
        detail=detail,
        warnings=_warnings(terms) if refusal is None else (),
        terms=terms,
    )


def _warnings(terms: RunTerms) -> tuple[str, ...]:
    """Return what a run is let pass with: symbols that several strategies name, where that is to be warned of."""
    if terms.rules.overlap_policy is not OverlapPolicy.WARN:
        return ()
    return tuple(f"{symbol} is named by {', '.join(names)}" for symbol, names in named_by_several(terms))


def _terms(request: RunRequest) -> RunTerms:
    strategies = (_sorted_within(each) for each in request.strategies)
    return RunTerms(
        run_id=request.run_id,
        as_of=request.as_of,
        # the whole text breaks the tie between two strategies of one name, which are refused but still recorded
        strategies=tuple(sorted(strategies, key=lambda each: (each.strategy_id, each.model_dump_json()))),
        limits=request.limits,
        rules=request.rules,
        execution=request.execution,
        valid_until=request.valid_until,
        deadline_at=request.deadline_at,
        bars_until=tuple(sorted(request.bars_until, key=lambda each: (each.partition, each.next_offset))),
    )


def _sorted_within(strategy: StrategyTerms) -> StrategyTerms:
    symbols = tuple(sorted(dict.fromkeys(strategy.symbols)))
    parameters = tuple(sorted(strategy.parameters, key=lambda each: (each.name, each.value)))
    return strategy.model_copy(update={"symbols": symbols, "parameters": parameters})

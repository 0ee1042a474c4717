"""Judge requests for a run, and turn the clock's readings into deadlines that have passed.

A request is judged once; asking again under the same run id is asking once. The checks are made in the order of
`RunRefusal` and the first that fails is the reason. A request whose run id is not the one derived from it speaks for no
run: it is refused every time it comes, and changes nothing for the run that the id belongs to. The terms of
a run are sorted here, so the order in which the asker listed strategies, symbols or parameters changes nothing
downstream.

Where the contract leaves room, the stricter reading holds: a strategy may not bear the name of an owner the ledger
keeps for itself (refused as DUPLICATE_STRATEGY: the name is taken), a day outside the calendar counts as no session,
and a deadline at `as_of` itself is allowed, one before it is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from immutables import Map

from agents.decider import Message
from agents.scheduler.sessions import FIRST, LAST, is_session, session_date
from schemas.identity import run_id as derived_run_id
from schemas.ledger import STREET, SYSTEM
from schemas.record import Record
from schemas.run import (
    ClockReading,
    DeadlinePassed,
    Mode,
    Run,
    RunRefusal,
    RunRequest,
    RunStatus,
    RunTerms,
    StrategyTerms,
)

RESERVED = (STREET, SYSTEM)
OFFERED = (Mode.NETTED,)


@dataclass(frozen=True)
class State:
    """Every run judged so far, with the deadline it still waits for; None when it waits for none."""

    waiting: Map[UUID, datetime | None]


def initial_state() -> State:
    """Return the state before the first request."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the run or the passed deadline that follows from a request or a clock reading."""
    match message.record:
        case RunRequest(run_id=run_id) as request if run_id in state.waiting and run_id == _own_id(request):
            return []
        case RunRequest() as request:
            return [_judged(request)]
        case ClockReading(account_id=account, run_id=run_id, read_at=read_at):
            deadline = state.waiting.get(run_id)
            if deadline is None or read_at < deadline:
                return []
            return [DeadlinePassed(account_id=account, run_id=run_id, deadline_at=deadline)]
        case other:
            raise TypeError(f"the scheduler reads RunRequest and ClockReading, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the scheduler's own records."""
    match record:
        case Run(run_id=run_id, status=RunStatus.REQUESTED, terms=terms):
            return State(state.waiting.set(run_id, terms.deadline_at))
        case Run(refusal=RunRefusal.RUN_ID_MISMATCH):
            return state
        case Run(run_id=run_id) | DeadlinePassed(run_id=run_id):
            return State(state.waiting.set(run_id, None))
        case other:
            raise TypeError(f"the scheduler publishes Run and DeadlinePassed, was {type(other).__name__}")


def _judged(request: RunRequest) -> Run:
    terms = _terms(request)
    refusal, detail = _refusal(request, terms) or (None, "")
    return Run(
        account_id=request.account_id,
        run_id=request.run_id,
        status=RunStatus.REQUESTED if refusal is None else RunStatus.REFUSED,
        refusal=refusal,
        detail=detail,
        terms=terms,
    )


def _own_id(request: RunRequest) -> UUID:
    return derived_run_id(request.account_id, request.as_of, request.request_id)


def _terms(request: RunRequest) -> RunTerms:
    strategies = (_sorted_within(each) for each in request.strategies)
    return RunTerms(
        run_id=request.run_id,
        as_of=request.as_of,
        # the whole text breaks the tie between two strategies of one name, which are refused but still recorded
        strategies=tuple(sorted(strategies, key=lambda each: (each.strategy_id, each.model_dump_json()))),
        limits=request.limits,
        conflict_rule=request.conflict_rule,
        valid_until=request.valid_until,
        deadline_at=request.deadline_at,
        bars_until=tuple(sorted(request.bars_until, key=lambda each: (each.partition, each.next_offset))),
    )


def _sorted_within(strategy: StrategyTerms) -> StrategyTerms:
    symbols = tuple(sorted(dict.fromkeys(strategy.symbols)))
    parameters = tuple(sorted(strategy.parameters, key=lambda each: (each.name, each.value)))
    return strategy.model_copy(update={"symbols": symbols, "parameters": parameters})


def _refusal(request: RunRequest, terms: RunTerms) -> tuple[RunRefusal, str] | None:
    if terms.run_id != _own_id(request):
        detail = f"expected run_id {_own_id(request)} of account, as_of and request_id, was {terms.run_id}"
        return RunRefusal.RUN_ID_MISMATCH, detail
    return _refusal_of_terms(terms)


def _refusal_of_terms(terms: RunTerms) -> tuple[RunRefusal, str] | None:
    names = [each.strategy_id for each in terms.strategies]
    allocated = sum(each.allocation for each in terms.strategies)
    day = session_date(terms.as_of)
    if not names:
        return RunRefusal.NO_STRATEGIES, "expected at least 1 strategy, was 0"
    if taken := _taken(names):
        return RunRefusal.DUPLICATE_STRATEGY, taken
    if allocated > 1:
        return RunRefusal.ALLOCATION_EXCEEDS_ONE, f"expected allocations of at most 1 together, was {allocated}"
    if not is_session(day):
        return RunRefusal.NOT_A_SESSION, f"expected a New York session between {FIRST} and {LAST}, was {day:%A} {day}"
    if terms.deadline_at is not None and terms.deadline_at < terms.as_of:
        instants = f"as_of {terms.as_of.isoformat()}, was {terms.deadline_at.isoformat()}"
        return RunRefusal.DEADLINE_BEFORE_AS_OF, f"expected a deadline not before {instants}"
    return _refusal_of_mode(terms)


def _refusal_of_mode(terms: RunTerms) -> tuple[RunRefusal, str] | None:
    """Refuse what would be traded in another way than was asked for: only OFFERED modes are carried out."""
    for each in terms.strategies:
        if each.mode not in OFFERED:
            offered = ", ".join(OFFERED)
            return RunRefusal.MODE_NOT_OFFERED, f"expected mode {offered}, was {each.mode} of {each.strategy_id!r}"
    return None


def _taken(names: Sequence[str]) -> str:
    """Return what is wrong with sorted names, or nothing."""
    for before, after in pairwise(names):
        if before == after:
            return f"expected every strategy once, was {after!r} twice"
    for name in names:
        if name in RESERVED:
            return f"expected a name of the strategy's own, was {name!r}, which the ledger keeps for itself"
    return ""

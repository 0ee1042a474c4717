"""Plan a run on its books: once, when they are ready or blocked; pending books are waited for.

Everything the plan is made of comes in the Books record: snapshot, quotes, books per strategy, terms and wishes. The
way from wishes to a plan is `planning`.

Where the contract leaves room:

- an owner that does not speak in this run (a silent strategy, one that is not in the terms, `system`, `manual`) keeps
  what it holds, and so does everybody in a symbol without a price; a strategy with a book of its own speaks only when
  the portfolio carries its targets;
- a book whose capital is not positive, or not known because a holding has no price, may leave symbols and nothing else;
- a symbol that a person has to decide about shows what its strategies want, and trades nothing;
- opposite wishes that cannot be crossed leave the smaller side, and as much of the larger, without a trade; the net
  goes to the broker as usual;
- a cross moves nothing in the account, so it stands when the order of its line is suppressed, blocked or reduced;
  without a fresh price, in a halt, or in a blocked plan, there is none;
- SHORT_NOT_ALLOWED and FRACTIONAL_SHORT block a line whole, also the part that would reduce the account's position;
- positions count by their size against the limits of the sum and of the margins: a short makes no room for a long, and
  what has no price counts nothing;
- what a strategy reduces makes room for its increases only as far as it is really crossed or ordered;
- only sales that reduce bring cash: the proceeds of a short are collateral, also of one that is held already, and what
  covers it is paid from them; with leverage a short uses buying power;
- beside a short without a price nothing is bought: what it needs as collateral is not known;
- books that say READY but do not add up to the broker's positions block the plan all the same;
- a plan that is blocked before its limits are looked at lists no constraints.
"""

from dataclasses import dataclass
from uuid import UUID

from immutables import Map

from agents.decider import Message
from agents.planner.planning import plan_of
from schemas.ledger import Books, BooksStatus
from schemas.plan import Plan
from schemas.record import Record


@dataclass(frozen=True)
class State:
    """The runs that have a plan."""

    planned: Map[UUID, bool]


def initial_state() -> State:
    """Return the state before the first plan."""
    return State(Map())


def decide(state: State, message: Message) -> list[Record]:
    """Return the plan of a run whose books have arrived."""
    match message.record:
        case Books(status=BooksStatus.PENDING):
            return []
        case Books(run_id=run_id) if run_id in state.planned:
            return []
        case Books() as books:
            return [plan_of(books)]
        case other:
            raise TypeError(f"the planner reads Books, was {type(other).__name__}")


def evolve(state: State, record: Record) -> State:
    """Return the state after one of the planner's own records."""
    match record:
        case Plan(run_id=run_id):
            return State(state.planned.set(run_id, True))
        case other:
            raise TypeError(f"the planner publishes Plan, was {type(other).__name__}")

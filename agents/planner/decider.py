"""Plan a run on its books: once, when they are ready or blocked; pending books are waited for.

Everything the plan is made of comes in the Books record: snapshot, quotes, books per strategy, terms and wishes. The
way from wishes to lines is `planning`; sizes come from `sizing`, crosses from `crossing`, rules from `constraints`.

Where the contract leaves room:

- an owner that does not speak in this run (a silent strategy, one that is not in the terms, `system`) keeps what it
  holds, and so does everybody in a symbol without a price;
- opposite wishes that cannot be crossed (locked or crossed quote) leave the smaller side, and as much of the larger,
  without a trade; the net goes to the broker as usual;
- a cross moves nothing in the account, so it stands when the order of its line is suppressed or blocked by
  SHORT_NOT_ALLOWED, MIN_TRADE_VALUE or CAPITAL; without a fresh price, or in a blocked plan, there is none;
- weights count by their size against WEIGHT_TOTAL_MAX: a short does not make room for a long;
- an order never meets a better price in the plan than the worse side of the quote, also when bid and ask are crossed;
- books that say READY but do not add up to the broker's positions block the plan all the same.
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

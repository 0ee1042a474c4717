"""How an agent is declared: its name, its decider or performer, and what it reads beside its state.

Topics are not repeated here: the registry (`topics.registry`) says who reads and writes what.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.decider import Decider, Message, State
from schemas.record import Envelope, Record
from schemas.run import PartitionPosition


@dataclass(frozen=True)
class View:
    """A topic read beside the inputs, whole, up to a bound that the message itself names."""

    topic: str
    bound: Callable[[Record], Sequence[PartitionPosition]]
    empty: Callable[[], "ViewState"]


class ViewState(Protocol):
    """What a view has read; grows with every record, and can be asked how it looked at a bound."""

    def add(self, partition: int, offset: int, record: Record) -> None:
        """Take in the next record of a partition."""
        ...

    def until(self, bound: Sequence[PartitionPosition]) -> Any:
        """Return what was seen before the bound, and nothing after it."""
        ...


@dataclass(frozen=True)
class Fact:
    """Something the outside said: a record with an identity of its own."""

    record: Record
    envelope: Envelope


class Memory(Protocol[State]):
    """What a performer needs to know of what it has published: a fold of its own facts, as a decider's state is one.

    Pure, and made of frozen values. It raises nothing: a fact that is in the log is folded at every recovery.
    """

    def initial_state(self) -> State:
        """Return the memory before the first fact."""
        ...

    def evolve(self, state: State, fact: Fact) -> State:
        """Return the memory after one of the agent's own facts."""
        ...


class Performer(Protocol):
    """The I/O half of an agent that talks outside: it acts on a message and reports what happened; it decides nothing.

    Its methods may block; they run in a thread, one message of a partition at a time.
    """

    def perform(self, message: Message) -> Sequence[Fact]:
        """Act on the message and return what the outside said. Doing it twice must be harmless (identity)."""
        ...

    def take_over(self, partition: int, memory: Any, publish: Callable[[Fact], None]) -> None:
        """Start serving a partition.

        `memory` is the agent's, of all its earlier facts in the partition; `publish` takes what comes unasked.
        """
        ...

    def release(self, partition: int) -> None:
        """Stop serving a partition; nothing may be published for it after this returns."""
        ...


@dataclass(frozen=True)
class Agent:
    """One agent: a name (also Faust app id, consumer group and transactional id prefix) and what it does.

    Exactly one of `decider` and `performs` is set; one that performs without a `memory` remembers nothing.
    """

    name: str
    decider: Decider[Any] | None = None
    view: View | None = None
    performs: bool = False
    memory: Memory[Any] | None = None

"""A whole world in one process: a log, every real decider on it, the real broker agent, and an outside from one seed.

Records are delivered per reader and topic in the order of the log; between two topics there is no order. An agent may
die before what it decided is published (the decision never happened), after that, or while it waits: its heir folds the
agent's own records and reads its inputs from where the last of them stands, as `infra.runtime.recovery` does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from agents.broker import memory
from agents.collector import decider as collector
from agents.decider import Decider, Message
from agents.decision import Draft, drafts, evolved
from agents.declaration import Agent, Fact
from agents.executor import decider as executor
from agents.gateway import decider as gateway
from agents.ledger import decider as ledger
from agents.planner import decider as planner
from agents.scheduler import decider as scheduler
from agents.testing import remembered
from schemas.account import AccountSnapshot, InstrumentState, InstrumentStatus
from schemas.identity import derived
from schemas.record import Envelope, Record
from tests.simulation.broker import Clock
from tests.simulation.chance import Chance
from tests.simulation.desk import Desk
from tests.simulation.hands import Hands
from topics.codec import Event, decode_value
from topics.registry import BY_RECORD, read_by

DECIDERS: Mapping[str, Decider[Any]] = {
    "scheduler": scheduler,
    "collector": collector,
    "executor": executor,
    "ledger": ledger,
    "planner": planner,
    "gateway": gateway,
}
OPENING = datetime(2012, 6, 1, 14, 0, tzinfo=UTC)
FRIDAY = 4
ACCOUNTS = ("DEMO-1", "DEMO-2")
SEEDS_MAX = 1_000_000_000
STEPS_MAX = 20_000
POLLS = 0.02


@dataclass(frozen=True)
class Decision:
    """One decision as it lies in the log; `cause` is a topic and a position in it, None for what came unasked."""

    cause: tuple[str, int] | None
    inputs: Mapping[str, int]
    records: tuple[int, ...]


@dataclass
class Node:
    """One agent: where it stands in each of its topics, and its decisions."""

    name: str
    topics: tuple[str, ...]
    positions: dict[str, int]
    decisions: list[Decision] = field(default_factory=list)

    def rewind(self) -> None:
        """Stand where the last decision says."""
        self.positions = dict(self.decisions[-1].inputs) if self.decisions else dict.fromkeys(self.topics, 0)


class World:
    """Everything that a seed makes.

    Agents die by chance; with `dies_at`, exactly one does: at that one of the moments around what is delivered.
    """

    def __init__(self, seed: int, deciders: Mapping[str, Decider[Any]] = DECIDERS, dies_at: int | None = None) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.deciders = deciders
        self.clock = Clock(OPENING)
        self.log: list[Event] = []
        self.by_topic: dict[str, list[int]] = {topic.name: [] for topic in BY_RECORD.values()}
        others = [Chance(SEEDS_MAX + seed)] if self.chance.happens(0.15) else []
        self.desks = {
            name: Desk(name, each, self.clock, self.tell)
            for name, each in zip(ACCOUNTS, [self.chance, *others], strict=False)
        }
        self.states = {name: each.initial_state() for name, each in deciders.items()}
        self.nodes = {name: _node(name) for name in (*deciders, "broker")}
        self.hands = self._new_hands()
        self.counts: Counter[str] = Counter()
        self.is_calm = False
        self.dies_at = dies_at
        self.moments = 0
        self.slow = "ledger"

    # --- the story

    def live(self) -> None:
        """Let one to four runs of each account go their way, make everything calm, and put books beside accounts."""
        for desk in self.desks.values():
            if desk.chance.profile.opening:
                desk.exchange.book_cash("CSD", desk.chance.profile.opening)
            desk.begin()
        self.settle()
        runs = self.chance.random.randint(1, 4)
        for number in range(runs):
            self._run(number)
        self.become_calm()
        for desk in self.desks.values():
            desk.ask(desk.chance.closing(desk.account_id, runs, self.clock.tick(1)))
        self.settle()

    def _run(self, number: int) -> None:
        profile = self.chance.profile
        for desk in self.desks.values():
            desk.exchange.prices_move()
            desk.ask(desk.chance.request(desk.account_id, number, self.clock.tick(1)))
        if self.chance.happens(profile.hurry):
            self._go(self.chance.random.randint(5, 150))
        else:
            self.settle()
            if self.chance.happens(0.1):
                self.next_session()
        for desk in self.desks.values():
            if self.chance.happens(profile.outside):
                desk.exchange.post()

    def become_calm(self) -> None:
        """End what is open, go to the next day, and let everything that was lost be read."""
        self.settle()
        self.is_calm = True
        for desk in self.desks.values():
            desk.exchange.calm()
        self.settle()
        self.next_session()

    def settle(self) -> None:
        """Go on until nothing is left to happen, polls included."""
        while True:
            self._go(STEPS_MAX)
            length = len(self.log)
            self.clock.tick(1)
            self.hands.poll()
            if len(self.log) == length:
                return

    def next_session(self) -> None:
        """Let the day's orders expire and the clock go to the next session's opening, past a weekend."""
        for desk in self.desks.values():
            for order in desk.exchange.open_orders:
                desk.exchange.end(order, "expired")
        days = (self.clock.now - OPENING).days + (3 if self.clock.now.weekday() == FRIDAY else 1)
        self.clock.now = OPENING + timedelta(days=days)
        self.settle()

    def _go(self, steps: int) -> None:
        for _ in range(steps):
            if not self._step():
                return
        if steps == STEPS_MAX:
            raise AssertionError(f"seed {self.seed}: no rest after {STEPS_MAX} steps")

    def _step(self) -> bool:
        waiting = [
            (node, topic)
            for node in self.nodes.values()
            for topic in node.topics
            if node.positions[topic] < len(self.by_topic[topic])
        ]
        happenings = self._happenings()
        if not waiting and not happenings:
            return False
        self.clock.tick(0.02)
        if self.chance.happens(POLLS):
            self.hands.poll()
            self.hands.read_unknown()
        if not waiting or (happenings and self.chance.happens(0.25)):
            self.chance.pick(happenings)()
        else:
            self._deliver(*self._next(waiting))
        return True

    def _next(self, waiting: Sequence[tuple[Node, str]]) -> tuple[Node, str]:
        """Return who reads next, and of which topic; for a while one reader is far behind the others."""
        if self.chance.happens(0.01):
            self.slow = self.chance.pick(sorted(self.nodes))
        quick = [each for each in waiting if each[0].name != self.slow]
        return self.chance.pick(quick if quick and self.chance.happens(self.chance.profile.slow) else waiting)

    def _happenings(self) -> list[Callable[[], None]]:
        found = []
        for desk in self.desks.values():
            if desk.outside.pool:
                found.append(desk.outside.speak)
            if desk.exchange.stream:
                found += [partial(self._hear, desk)] * 2
            if desk.exchange.open_orders:
                found.append(desk.exchange.move)
        return found

    def _hear(self, desk: Desk) -> None:
        for body in desk.next_message():
            self.hands.hear(desk.account_id, body)

    # --- the log

    def tell(self, record: Record, correlation: UUID) -> None:
        """Publish a record of somebody outside."""
        identity = derived("outside", len(self.log))
        envelope = Envelope(
            event_id=identity,
            correlation_id=correlation,
            causation_id=identity,
            occurred_at=self.clock.now,
        )
        self._publish(Draft(BY_RECORD[type(record)], envelope, record))

    def _publish(self, draft: Draft) -> int:
        record = draft.record
        if self.chance.profile.is_wired:
            event = decode_value(draft.topic, draft.value())
        else:
            event = Event(draft.topic.name, draft.envelope, record)
        number = len(self.log)
        self.log.append(event)
        self.by_topic[draft.topic.name].append(number)
        self.desks[record.account_id].take_in(event)  # type: ignore[attr-defined]  # all records here are of an account
        return number

    @property
    def totals(self) -> Counter[str]:
        """How often each thing has happened, in all accounts together."""
        return sum((desk.counts + desk.exchange.counts for desk in self.desks.values()), self.counts)

    # --- agents

    def _deliver(self, node: Node, topic: str) -> None:
        position = node.positions[topic]
        event = self.log[self.by_topic[topic][position]]
        said = self._performed(event) if node.name == "broker" else self._decided(node.name, event)
        if self._dies():
            self._recover(node)
            return
        node.positions[topic] = position + 1
        if said:
            self._take_in(node, (topic, position), said)
        if self._dies():
            self._recover(node)

    def _decided(self, name: str, event: Event) -> tuple[Draft, ...]:
        try:
            return drafts(Agent(name), self.deciders[name], self.states[name], event)
        except Exception as error:
            text = f"seed {self.seed}: {name} dies of {type(event.record).__name__}: {error!r}"
            raise AssertionError(text) from error

    def _performed(self, event: Event) -> tuple[Draft, ...]:
        envelope = event.envelope
        message = Message(event.record, envelope.event_id, envelope.correlation_id, envelope.occurred_at)
        facts = self.hands.perform(message)
        return tuple(Draft(BY_RECORD[type(each.record)], each.envelope, self._halted(each.record)) for each in facts)

    def _halted(self, record: Record) -> Record:
        """Sometimes let a snapshot say that a symbol is halted, which no brokerage says yet."""
        if not isinstance(record, AccountSnapshot) or self.is_calm or not self.chance.happens(0.05):
            return record
        symbol = self.chance.pick(self.desks[record.account_id].chance.symbols)
        halted = InstrumentState(symbol=symbol, status=InstrumentStatus.HALTED, detail="LULD pause")
        others = (each for each in record.content.instruments if each.symbol != symbol)
        instruments = tuple(sorted((halted, *others), key=lambda each: each.symbol))
        return record.model_copy(update={"content": record.content.model_copy(update={"instruments": instruments})})

    def _take_in(self, node: Node, cause: tuple[str, int] | None, said: Iterable[Draft]) -> None:
        numbers = tuple([self._publish(draft) for draft in said])
        node.decisions.append(Decision(cause, dict(node.positions), numbers))
        if node.name in self.states:
            records = [self.log[number].record for number in numbers]
            self.states[node.name] = evolved(self.deciders[node.name], self.states[node.name], records)

    def _unasked(self, fact: Fact) -> None:
        draft = Draft(BY_RECORD[type(fact.record)], fact.envelope, fact.record)
        self._take_in(self.nodes["broker"], None, (draft,))

    def _dies(self) -> bool:
        self.moments += 1
        if self.dies_at is not None:
            return self.moments == self.dies_at
        return not self.is_calm and self.chance.happens(self.chance.profile.crash)

    def _recover(self, node: Node) -> None:
        """Start again from the agent's own records; an heir that remembers something else has forgotten something."""
        self.counts["crashes"] += 1
        node.rewind()
        if node.name == "broker":
            self.hands = self._new_hands()
            return
        state = self.folded(node)
        if state != self.states[node.name]:
            raise AssertionError(f"seed {self.seed}: {node.name} does not remember what it has published")
        self.states[node.name] = state

    def folded(self, node: Node) -> Any:
        """Return the state that the agent's own records make."""
        decider = self.deciders[node.name]
        records = [self.log[number].record for each in node.decisions for number in each.records]
        return evolved(decider, decider.initial_state(), records)

    def _new_hands(self) -> Hands:
        hands = Hands({name: desk.exchange for name, desk in self.desks.items()}, lambda: self.clock.now)
        hands.take_over(0, self._remembered_outside(), self._unasked)
        return hands

    def _remembered_outside(self) -> Any:
        """Return what the broker agent's own facts make."""
        published = [self.log[number] for each in self.nodes["broker"].decisions for number in each.records]
        return remembered(memory, [Fact(each.record, each.envelope) for each in published])


def _node(name: str) -> Node:
    topics = tuple(topic.name for topic in read_by(name))
    return Node(name, topics, dict.fromkeys(topics, 0))

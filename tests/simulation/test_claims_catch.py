"""A claim that cannot fail claims nothing: each fault planted here is found by the claim that is there for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from agents.decider import Decider, Message
from agents.decision import Draft, evolved
from agents.executor import executions
from agents.executor.following import following
from agents.executor.progress import Progress
from agents.gateway.gate import FIRST_HALF, SECOND_HALF
from schemas.execution import ExecutionStatus, LineOutcome, LineUnderWay
from schemas.gate import TradingHalt
from schemas.ledger import CASH, SYSTEM, EntryKind, LedgerEntry, Posting
from schemas.order import ExecType, OrderEvent, OrderIntent, Refusal
from schemas.plan import Action, Plan, PlanLine
from schemas.record import Record
from schemas.signal import SignalReceipt
from tests.simulation.claims import broken
from tests.simulation.world import DECIDERS, Node, World
from topics.codec import Event

SEEDS = range(300)

Spoil = Callable[[Sequence[Record]], Sequence[Record]]


@dataclass(frozen=True)
class Spoiled:
    """A decider whose decisions are spoiled before anybody reads them."""

    decider: Decider[Any]
    spoil: Spoil

    def initial_state(self) -> Any:
        return self.decider.initial_state()

    def decide(self, state: Any, message: Message) -> Sequence[Record]:
        return self.spoil(self.decider.decide(state, message))

    def evolve(self, state: Any, record: Record) -> Any:
        return self.decider.evolve(state, record)


def caught(claim: str, deciders: Mapping[str, Decider[Any]] = DECIDERS, make: type[World] = World) -> bool:
    """Say whether a claim finds what is wrong in one of the first worlds."""
    for seed in SEEDS:
        world = make(seed, deciders)
        try:
            world.live()
        except AssertionError:  # the fault may well stop an agent; another seed shows it to the claim
            continue
        if claim in broken(world):
            return True
    return False


def spoiled(agent: str, spoil: Spoil) -> Mapping[str, Decider[Any]]:
    return {**DECIDERS, agent: Spoiled(DECIDERS[agent], spoil)}


def test_largest_remainder_per_fill_instead_of_cumulative_deficits_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def per_fill(wishes: Mapping[str, Decimal], _: Mapping[str, Decimal], executed: Decimal) -> dict[str, Decimal]:
        whole = sum(wishes.values(), Decimal(0))
        unit = Decimal(1) if executed == executed.to_integral_value() else Decimal("0.000000001")
        parts = {each: (executed * wishes[each] / whole).quantize(unit, ROUND_DOWN) for each in sorted(wishes)}
        largest = max(sorted(wishes), key=lambda each: wishes[each])
        parts[largest] += executed - sum(parts.values())
        return parts

    monkeypatch.setattr("agents.ledger.entries.split", per_fill)
    assert caught("splits_follow_the_wishes")


def test_a_crash_that_forgets_a_receipt_is_caught() -> None:
    class Forgetful(World):
        """The collector's heir has lost the receipt that was published last."""

        def _recover(self, node: Node) -> None:
            super()._recover(node)
            records = [self.log[number].record for each in node.decisions for number in each.records]
            if node.name == "collector" and records and isinstance(records[-1], SignalReceipt):
                decider = self.deciders[node.name]
                self.states[node.name] = evolved(decider, decider.initial_state(), records[:-1])

    assert caught("every_decision_is_made_again", make=Forgetful)


def test_contributions_in_another_order_are_caught() -> None:
    def turned(record: Record) -> Record:
        if not isinstance(record, OrderIntent) or len(record.order.contributions) < 2:
            return record
        order = record.order.model_copy(update={"contributions": record.order.contributions[::-1]})
        return record.model_copy(update={"order": order})

    assert caught("orders_are_what_the_plan_says", spoiled("executor", lambda said: [turned(each) for each in said]))


def test_a_cross_at_another_price_for_one_side_is_caught() -> None:
    def dearer(record: Record) -> Record:
        """Whoever buys pays a cent more for each cross; the system keeps it, and everything balances."""
        if not isinstance(record, LedgerEntry) or record.kind is not EntryKind.CROSS:
            return record
        postings = list(record.postings)
        buyer = next(number for number, each in enumerate(postings) if each.commodity == CASH and each.amount < 0)
        postings[buyer] = postings[buyer].model_copy(update={"amount": postings[buyer].amount - Decimal("0.01")})
        kept = Posting(owner=SYSTEM, mode=None, commodity=CASH, amount=Decimal("0.01"))
        return record.model_copy(update={"postings": (*postings, kept)})

    deciders = spoiled("ledger", lambda said: [dearer(each) for each in said])
    assert caught("a_cross_has_one_price_for_both_sides", deciders)


def test_selling_the_shares_of_another_book_is_caught() -> None:
    def greedy(line: PlanLine) -> PlanLine:
        """A book that sells takes one more share out of the account, of somebody else's."""
        if line.action is not Action.SELL or line.book == "net" or line.quantity == 0:
            return line
        only = line.contributions[0]
        if line.account_quantity <= line.current_quantity or only.target_quantity != 0:
            return line
        part = only.model_copy(update={"ordered": only.ordered - 1})
        return line.model_copy(
            update={
                "quantity": line.quantity + 1,
                "reducing_quantity": line.reducing_quantity + 1,
                "contributions": (part,),
            }
        )

    def taking(record: Record) -> Record:
        if not isinstance(record, Plan):
            return record
        return record.model_copy(update={"lines": tuple(greedy(line) for line in record.lines)})

    assert caught("exits_sell_own_shares_only", spoiled("planner", lambda said: [taking(each) for each in said]))


def test_shares_booked_to_somebody_else_are_caught() -> None:
    def stolen(record: Record) -> Record:
        if not isinstance(record, LedgerEntry) or record.kind is not EntryKind.FILL:
            return record
        owner = next(each.owner for each in record.postings if each.owner != "street")
        postings = (
            each.model_copy(update={"owner": SYSTEM, "mode": None}) if each.owner == owner else each
            for each in record.postings
        )
        return record.model_copy(update={"postings": tuple(postings)})

    assert caught("fills_go_to_those_who_asked", spoiled("ledger", lambda said: [stolen(each) for each in said]))


def test_a_cent_that_nobody_books_is_caught() -> None:
    def careless(said: Sequence[Record]) -> Sequence[Record]:
        return [each for each in said if not (isinstance(each, LedgerEntry) and each.kind is EntryKind.ROUNDING)]

    assert caught("ready_books_are_the_fold_of_the_entries", spoiled("ledger", careless))


def test_an_order_of_a_line_that_was_never_planned_is_caught() -> None:
    def strayed(record: Record) -> Record:
        if not isinstance(record, OrderIntent):
            return record
        return record.model_copy(update={"order": record.order.model_copy(update={"plan_id": record.order.run_id})})

    deciders = spoiled("executor", lambda said: [strayed(each) for each in said])
    assert caught("every_order_has_an_earlier_plan", deciders)


def test_opposite_orders_that_meet_at_the_broker_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_at_once(progress: Progress, leg: int) -> tuple[LineUnderWay, ...]:
        return progress.unsent_lines(leg)

    def hasty(account_id: str, progress: Progress) -> list[Record]:
        said = following(account_id, progress)
        is_waiting = progress.stage is ExecutionStatus.ACCEPTED and progress.successor is None and not said
        if not is_waiting or progress.run_id is None or progress.plan_id is None:
            return said
        return [executions.reduced((account_id, progress.plan_id, progress.run_id), "")]

    unaware = tuple(each for each in FIRST_HALF if each[0] is not Refusal.SELF_CROSS)
    monkeypatch.setattr("agents.executor.following.free_lines", all_at_once)
    monkeypatch.setattr("agents.executor.decider.following", hasty)
    monkeypatch.setattr("agents.gateway.gate.FIRST_HALF", unaware)
    assert caught("nothing_forbidden_was_sent")


def test_a_line_without_an_outcome_is_caught() -> None:
    def silent(said: Sequence[Record]) -> Sequence[Record]:
        first = next((each for each in said if isinstance(each, LineOutcome)), None)
        return [each for each in said if each is not first]

    assert caught("every_line_has_one_outcome", spoiled("executor", silent))


def test_a_decision_that_depends_on_when_it_is_made_is_caught() -> None:
    calls = iter(range(10**9))

    def moody(record: Record) -> Record:
        return record.model_copy(update={"detail": str(next(calls))}) if isinstance(record, Plan) else record

    assert caught("every_decision_is_made_again", spoiled("planner", lambda said: [moody(each) for each in said]))


def test_a_gate_that_looks_at_no_halt_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.gateway.gate.stopping", lambda *_: ())
    assert caught("nothing_is_sent_under_a_halt")


def test_a_gate_without_its_second_half_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.gateway.gate.SECOND_HALF", ())
    assert caught("orders_are_within_their_limits")


def test_a_gate_that_lets_any_position_grow_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    without = tuple(each for each in SECOND_HALF if each[0] is not Refusal.POSITION_VALUE_MAX)
    monkeypatch.setattr("agents.gateway.gate.SECOND_HALF", without)
    assert caught("positions_are_within_their_limits")


def test_a_refusal_without_its_values_is_caught() -> None:
    def unsaid(said: Sequence[Record]) -> Sequence[Record]:
        return [each.model_copy(update={"reason": ""}) if isinstance(each, OrderEvent) else each for each in said]

    assert caught("every_refusal_says_why", spoiled("gateway", unsaid))


def test_a_gate_that_takes_anybodys_word_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.gateway.resolving._unresolvable", lambda *_: "")
    assert caught("no_order_that_nobody_contradicts_is_ended_by_a_word")


def test_a_halt_that_is_answered_twice_is_caught() -> None:
    def doubled(said: Sequence[Record]) -> Sequence[Record]:
        return [each for record in said for each in [record] * (1 + isinstance(record, TradingHalt))]

    assert caught("every_request_is_answered_once", spoiled("gateway", doubled))


def test_an_order_that_comes_to_the_broker_by_itself_is_caught() -> None:
    class Hasty(World):
        """The broker agent sends what is still being checked."""

        def _performed(self, event: Event) -> tuple[Draft, ...]:
            record = event.record
            if isinstance(record, OrderEvent) and record.exec_type is ExecType.CHECKING:
                sent = record.model_copy(update={"exec_type": ExecType.SUBMITTING, "attempt": 1})
                super()._performed(Event(event.topic, event.envelope, sent))
            return super()._performed(event)

    assert caught("nothing_was_sent_unchecked", make=Hasty)

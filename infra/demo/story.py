"""A small scenario told run by run: who wanted what, what was crossed and sent, how each fill was split, who owns what.

Everything is read from the log; nothing is computed that the log does not say, sums aside.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from rich.console import Console
from rich.table import Table

from infra.demo.reckoning import Reckoning
from infra.demo.scenarios import SHARED, Scenario
from schemas.execution import LineOutcome
from schemas.ledger import CASH, STREET, LedgerEntry
from schemas.order import Fill, IntentAction, OrderIntent, Venue
from schemas.plan import LineContribution, Plan, PlanLine
from schemas.quantities import plain
from schemas.record import Record

R = TypeVar("R", bound=Record)
ZERO = Decimal(0)


@dataclass(frozen=True)
class RunTold:
    """All that one run says about the shared symbol."""

    plan: Plan
    lines: tuple[PlanLine, ...]
    intents: tuple[OrderIntent, ...]
    fills: tuple[Fill, ...]
    outcomes: tuple[LineOutcome, ...]

    @property
    def contributions(self) -> Iterator[tuple[PlanLine, LineContribution]]:
        """Every strategy's part, line by line."""
        return ((line, part) for line in self.lines for part in line.contributions)


def tell(console: Console, scenario: Scenario, runs: Sequence[UUID], reckoning: Reckoning) -> None:
    """Print the scenario, one run after the other."""
    entries = {entry.fill_id: entry for entry in reckoning.entries if entry.fill_id is not None}
    owned: dict[str, Decimal] = {}
    for number, (run, step) in enumerate(zip(runs, scenario.steps, strict=True), start=1):
        told = _told(reckoning, run)
        console.print(
            f"\n[bold]Run {number}, {told.plan.as_of:%Y-%m-%d}: {step.says}[/bold]  (plan {told.plan.plan_id})"
        )
        console.print(_wishes(told))
        for intent in told.intents:
            _order(console, intent, told, entries)
        for outcome in told.outcomes:
            _outcome(console, outcome)
        _own(owned, (entries[fill.fill_id] for fill in told.fills if fill.fill_id in entries))
        held = ", ".join(f"{owner} {plain(quantity)}" for owner, quantity in sorted(owned.items()))
        console.print(f"  {SHARED} afterwards: {held}; together {plain(sum(owned.values(), ZERO))}")


def _told(reckoning: Reckoning, run: UUID) -> RunTold:
    (plan,) = (each for each in reckoning.records(Plan) if each.run_id == run)
    return RunTold(
        plan,
        tuple(line for line in plan.lines if line.symbol == SHARED),
        tuple(_of_run(reckoning.records(OrderIntent), run)),
        tuple(_of_run(reckoning.records(Fill), run)),
        tuple(each for each in reckoning.records(LineOutcome) if each.run_id == run and each.symbol == SHARED),
    )


def _of_run(records: Iterable[R], run: UUID) -> Iterator[R]:
    for record in records:
        order = getattr(record, "order", None)
        if order is not None and order.run_id == run and order.symbol == SHARED:
            yield record


def _wishes(told: RunTold) -> Table:
    table = Table("  ", "book", box=None, pad_edge=False)
    for name in ("owns", "wants", "difference", "crossed", "to the broker"):
        table.add_column(name, justify="right")
    for line, part in told.contributions:
        amounts = (plain(part.current_quantity), plain(part.target_quantity))
        changes = (_signed(part.wanted), _signed(part.crossed), _signed(part.ordered))
        table.add_row(f"  {part.strategy_id}", line.book, *amounts, *changes)
    return table


def _order(console: Console, intent: OrderIntent, told: RunTold, entries: Mapping[UUID, LedgerEntry]) -> None:
    order = intent.order
    if intent.action is IntentAction.CANCEL:
        console.print(f"  {intent.client_order_id}: what is left of it is taken back")
        return
    if order.venue is Venue.INTERNAL:
        quote = told.lines[0]
        console.print(
            f"  crossed inside the account: {plain(order.order_qty)} at {plain(order.reference_price)},"
            f" the midpoint of {_or_none(quote.bid)} and {_or_none(quote.ask)}"
        )
    else:
        console.print(f"  {order.phase.lower()} order {order.side} {plain(order.order_qty)}: {intent.client_order_id}")
    for fill in told.fills:
        if fill.client_order_id == intent.client_order_id:
            shares = ", ".join(_shares(entries[fill.fill_id])) if fill.fill_id in entries else "not booked"
            console.print(
                f"    {plain(fill.last_qty)} at {plain(fill.last_px)} ({plain(fill.cum_qty)} of"
                f" {plain(order.order_qty)}): {shares}"
            )


def _outcome(console: Console, outcome: LineOutcome) -> None:
    why = f" ({outcome.reason})" if outcome.reason else f" ({outcome.rule})" if outcome.rule else ""
    console.print(f"  line {outcome.book} {outcome.symbol} ended as {outcome.outcome}{why}")


def _own(owned: dict[str, Decimal], entries: Iterable[LedgerEntry]) -> None:
    for entry in entries:
        for posting in entry.postings:
            if posting.commodity != CASH and posting.owner != STREET:
                owned[posting.owner] = owned.get(posting.owner, ZERO) + posting.amount


def _shares(entry: LedgerEntry) -> Iterator[str]:
    for posting in entry.postings:
        if posting.commodity != CASH and posting.owner != STREET:
            yield f"{posting.owner} {_signed(posting.amount)}"


def _or_none(price: Decimal | None) -> str:
    return "none" if price is None else plain(price)


def _signed(number: Decimal) -> str:
    return f"{'+' if number > 0 else ''}{plain(number)}"

"""Where a decision becomes a fact: events are folded, written, and only then shown and published."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid5

from infra.simulator.book import TICK, Book
from infra.simulator.events import AnyEvent, Booked, Opened
from infra.simulator.journal import Journal
from infra.simulator.settings import Terms
from infra.simulator.updates import trade_update

NAMESPACE = UUID("0a6f7a4e-6f0b-5c54-9d0b-6a1f7c1f3f52")


def simulated_id(*parts: str) -> str:
    """Return the uuid5 of what the id stands for, so that the same run gives the same ids."""
    return str(uuid5(NAMESPACE, "/".join(parts)))


def _ignore(_: AnyEvent) -> None:
    pass


class Recorder:
    """The book of one account and its journal, which never disagree outside a step."""

    def __init__(
        self,
        journal: Journal,
        terms: Terms,
        publish: Callable[[str], None],
        observe: Callable[[AnyEvent], None] | None = None,
    ) -> None:
        """Go on where the journal ends, or open an account under `terms` in an empty one.

        `publish` gets every trade update as JSON text; `observe` gets every event, those of the journal included.
        """
        self._journal = journal
        self._publish = publish
        self._observe = observe or _ignore
        self._fresh: list[tuple[AnyEvent, str | None]] = []
        self._depth = 0
        events = iter(journal)
        first = next(events, None)
        if first is None:
            self.reset(terms)
            return
        if not isinstance(first, Opened):
            raise ValueError(f"{journal.path}: begins with {first.kind}, expected opened; delete it to start over")
        self.book = Book.opened(first)
        self._observe(first)
        for event in events:
            self.book.apply(event)
            self._observe(event)

    def reset(self, terms: Terms) -> None:
        """Forget the account and open one under `terms`."""
        opened = Opened(at=terms.now.astimezone(UTC), terms=terms)
        deposit = Booked(
            at=opened.at + TICK,
            activity_id=simulated_id("deposit", terms.account_number),
            activity_type="CSD",
            net_amount=terms.cash,
        )
        self._journal.restart([opened, deposit])
        self.book = Book.opened(opened)
        self.book.apply(deposit)
        self._observe(opened)
        self._observe(deposit)

    @contextmanager
    def step(self) -> Iterator[None]:
        """Write what happens inside at its end, all or nothing, then show and publish it; steps inside join it."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._flush()

    def _flush(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._journal.append([event for event, _ in fresh])
        for event, update in fresh:
            self._observe(event)
            if update is not None:
                self._publish(update)

    def happen(self, event: AnyEvent) -> None:
        """Fold an event; only inside a step."""
        self.book.apply(event)
        self._fresh.append((event, trade_update(self.book, event, simulated_id)))

    def next(self) -> datetime:
        """Return the time of the next event: a microsecond after the last one."""
        return self.book.now + TICK

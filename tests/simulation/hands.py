"""The real broker agent without its threads: it hears its stream and polls when the story says so."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from agents.broker.memory import AccountMemory
from agents.broker.performer import BrokerPerformer
from agents.broker.said import AccountSaid
from agents.broker.watch import AccountWatch
from agents.decider import Message
from agents.declaration import Fact
from schemas.execution import Execution
from tests.simulation.broker import Exchange


class AwakeWatch(AccountWatch):
    """Polls in the thread that asks whether an order may be sent, as long as the first poll was not done."""

    def missing(self) -> str:
        if not self._sync.is_in_sync:
            self.poll()
        return super().missing()


class Hands(BrokerPerformer):
    """The real broker agent; its stream and its polls happen when the story says so, not in threads."""

    def __init__(self, exchanges: Mapping[str, Exchange], now: Callable[[], datetime]) -> None:
        super().__init__(
            exchanges,
            now=now,
            partition_of_account=lambda _: 0,
            retry_wait_s=0.0,
            seconds=lambda: now().timestamp(),
            sync_patience_s=0.0,
        )
        self._exchanges = exchanges

    def take_over(self, partition: int, memory: Mapping[str, AccountSaid], publish: Callable[[Fact], None]) -> None:
        for name, exchange in self._exchanges.items():
            known = self._memories[name] = AccountMemory(name, memory.get(name) or AccountSaid())
            watch = AwakeWatch(exchange, known, publish, self._now, 60.0, self._seconds, self._sync_patience_s)
            self._watches[name] = watch
            watch._sync.listening()

    def release(self, partition: int) -> None:
        """Nothing was started."""

    def _snapshot(self, cleared: Execution, message: Message) -> Sequence[Fact]:
        """Take the snapshot that a plan is made on: only what happens afterwards is unknown to the plan."""
        exchange = self._exchanges[cleared.account_id]
        exchange.is_planned_on = True
        said = super()._snapshot(cleared, message)
        exchange.is_planned_on = False
        return said

    def hear(self, account_id: str, body: str) -> None:
        self._watches[account_id]._on_message(body)

    def poll(self) -> None:
        for name in self._exchanges:
            self._watches[name].poll()

    def read_unknown(self) -> None:
        """Read the orders again that are UNKNOWN, as the broker agent does on and on."""
        for name in self._exchanges:
            self._watches[name].read_unknown()

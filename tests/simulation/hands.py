"""The real broker agent without its threads: it hears its stream and polls when the story says so."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from agents.broker.memory import AccountMemory
from agents.broker.performer import BrokerPerformer
from agents.broker.watch import AccountWatch
from agents.declaration import Fact
from schemas.record import Envelope, Record
from tests.simulation.broker import Exchange


class Hands(BrokerPerformer):
    """The real broker agent; its stream and its polls happen when the story says so, not in threads."""

    def __init__(self, exchanges: Mapping[str, Exchange], now: Callable[[], datetime]) -> None:
        super().__init__(exchanges, now=now, partition_of_account=lambda _: 0, retry_wait_s=0.0)
        self._exchanges = exchanges

    def take_over(
        self, partition: int, published: Sequence[tuple[Envelope, Record]], publish: Callable[[Fact], None]
    ) -> None:
        for name, exchange in self._exchanges.items():
            memory = AccountMemory(name)
            for envelope, record in published:
                if getattr(record, "account_id", None) == name:
                    memory.note(envelope, record)
            self._memories[name] = memory
            self._watches[name] = AccountWatch(exchange, memory, publish, self._now, 60.0)

    def release(self, partition: int) -> None:
        """Nothing was started."""

    def hear(self, account_id: str, body: str) -> None:
        self._watches[account_id]._on_message(body)

    def poll(self) -> None:
        for name in self._exchanges:
            self._watches[name].poll()

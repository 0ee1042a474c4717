"""Runs the toy agent as a worker process, with mishaps on request.

Environment: TOY_GROUP, TOY_INSTANCE, TOY_SESSION_MS, TOY_DELIVERY_MS, and TOY_AT = `place:n:signal`: at the n-th
transaction, send the signal before `begin`, after everything is `produced`, or after it is `committed`, or at the n-th
`chunk` of snapshots, as soon as the broker has it; to the process TOY_TARGET, or to oneself. TOY_FAUST_DELAY_S lets
Faust take its time after a rebalance, TOY_LOSE = offset makes it lose that record of every topic. TOY_SNAPSHOT_EVERY is
how many decisions go between two snapshots, TOY_KEPT_EVERY between two that stay, TOY_CHUNK_BYTES how large their parts
are; TOY_RECOVERY=from-zero reads none. With TOY_PERFORMS a performer stands in the toy's place.
"""

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import Producer

from infra.runtime import recall, snapshots, snapshotting, transactions, transport
from infra.runtime.app import TapeApp, run
from infra.runtime.exits import SUPERVISOR_PID
from infra.runtime.keeper import DecisionKeeper, input_topics
from infra.runtime.polling import GroupSettings
from infra.runtime.recall import SnapshotSettings
from infra.runtime.transactions import TransactionSettings
from schemas.snapshot import AgentSnapshot
from tests.infra.runtime.toy import AGENT, PERFORMS, Outside


class MishapProducer(Producer):
    """A producer whose process is struck at a chosen place of a chosen transaction."""

    def begin_transaction(self):
        self.transaction = getattr(self, "transaction", 0) + 1
        self._strike("begin")
        super().begin_transaction()

    def commit_transaction(self):
        self.flush()
        self._strike("produced")
        super().commit_transaction()
        self._strike("committed")

    def produce(self, topic, *args, **settings):
        super().produce(topic, *args, **settings)
        if topic == AgentSnapshot.topic:
            self.chunks = getattr(self, "chunks", 0) + 1
            self.flush()
            self._strike("chunk", self.chunks)

    def _strike(self, place, count=None):
        where, number, name = os.environ["TOY_AT"].split(":")
        if (where, int(number)) == (place, count or self.transaction):
            os.kill(int(os.environ.get("TOY_TARGET", os.getpid())), signal.Signals[name])


def main(bootstrap: str, log: Path, environment: Mapping[str, str]) -> None:
    """Become a worker: in a process forked for it, so that a test need not wait for imports."""
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ |= {SUPERVISOR_PID: str(os.getppid()), **environment}
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    serve(bootstrap)


def serve(bootstrap: str) -> None:
    """Run until a signal or an error."""
    transport.COMMIT_INTERVAL_S = 0.05  # a test waits for these positions
    snapshots.CHUNK_BYTES = int(os.environ.get("TOY_CHUNK_BYTES", snapshots.CHUNK_BYTES))
    recall.KEPT_EVERY = snapshotting.KEPT_EVERY = int(os.environ.get("TOY_KEPT_EVERY", recall.KEPT_EVERY))
    if "TOY_AT" in os.environ:
        transactions.Producer = MishapProducer
    settings = TransactionSettings(bootstrap, delivery_timeout_ms=int(os.environ.get("TOY_DELIVERY_MS", "10000")))
    group = GroupSettings(
        bootstrap,
        os.environ.get("TOY_GROUP", AGENT.name),
        session_timeout_ms=int(os.environ.get("TOY_SESSION_MS", "6000")),
        heartbeat_interval_ms=300,
        instance_id=os.environ.get("TOY_INSTANCE"),
    )
    every, is_from_zero = int(os.environ.get("TOY_SNAPSHOT_EVERY", "2000")), "TOY_RECOVERY" in os.environ
    written = SnapshotSettings(every, from_zero=is_from_zero)
    agent, outside = (PERFORMS, Outside()) if "TOY_PERFORMS" in os.environ else (AGENT, None)
    app = TapeApp(group, input_topics(AGENT), lambda loop: DecisionKeeper(agent, settings, loop, outside, written))
    app.conf.stream_recovery_delay = float(os.environ.get("TOY_FAUST_DELAY_S", "0"))
    if "TOY_LOSE" in os.environ:
        app.topics.on_message = losing(app.topics.on_message, int(os.environ["TOY_LOSE"]))
    run(app)


def losing(hand_over, offset):
    """Return Faust's way in with a hole in it."""

    async def on_message(message):
        if message.offset != offset:
            await hand_over(message)

    return on_message


if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    serve(sys.argv[1])

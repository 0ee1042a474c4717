"""An agent as a Faust app: one `@app.agent` over all its input topics, run by `faust.Worker` until a signal."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import faust
import mode

from infra.runtime.exits import CRASHED, ORPHANED, STUCK, SUPERVISOR_PID, die
from infra.runtime.keeper import Keeper
from infra.runtime.polling import GroupSettings
from infra.runtime.transport import SCHEME, NoTables, TapeConsumer, check_version

log = logging.getLogger("tape.app")

NewKeeper = Callable[[asyncio.AbstractEventLoop], Keeper]


class UndecodedSchema(faust.Schema[Any, Any]):
    """Hands the record over as it was read: decoding is the agent's own first step, and never raises."""

    def compile(self, app: Any, **_: Any) -> Any:
        """Return Faust's decode function."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001 - Faust's signature
            return create_event(message.key, message.value, None, message)

        return decode


class TapeApp(faust.App):
    """One agent's Faust app; everything that could weaken what the log says is not configurable."""

    def __init__(self, group: GroupSettings, topics: tuple[str, ...], new_keeper: NewKeeper) -> None:
        check_version()
        self.group = group
        self.new_keeper = new_keeper
        self.failed = False
        super().__init__(
            group.group_id,
            broker=f"{SCHEME}://{group.bootstrap_servers}",
            agent_supervisor=mode.CrashingSupervisor,
            topic_allow_declare=False,
            topic_disable_leader=True,
            table_standby_replicas=0,
            web_enabled=False,
            store="memory://",
            TableManager=NoTables,
            worker_redirect_stdouts=False,
            stream_buffer_maxsize=1 << 30,  # never full: the polling thread's backlog is the bound
        )
        channel = self.topic(*topics, schema=UndecodedSchema(), internal=False, acks=True)
        self.agent(channel, name=group.group_id, concurrency=1)(self._judge_stream)

    def _create_directories(self) -> None:
        """Faust's folders hold its tables, which are never used here; they would litter the current folder."""

    @property
    def tape_consumer(self) -> TapeConsumer | None:
        """The consumer, once Faust has made it."""
        return self._consumer if isinstance(self._consumer, TapeConsumer) else None

    async def _judge_stream(self, stream: Any) -> None:
        consumer = self.tape_consumer
        if consumer is None:
            raise RuntimeError("the agent was started before its consumer")
        async for event in stream.noack().events():
            message = event.message
            try:
                if consumer.is_current(message):
                    consumer.check_order(message)
                    await consumer.keeper.handle(message.value)
            except Exception as error:
                self.failed = True
                die(CRASHED, str(message.value.place), error)
            consumer.finished(message)
            event.ack()

    async def on_stop(self) -> None:
        """Leave the group in order, then end: mode would wait a second for futures nobody needs."""
        if (consumer := self.tape_consumer) is not None:
            await consumer.leave()
        await super().on_stop()
        logging.shutdown()
        os._exit(CRASHED if self.failed or self.crashed else 0)


def run(app: TapeApp) -> None:
    """Run the worker until SIGTERM, SIGINT or an error; does not return."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    threading.Thread(target=_watch, args=(app, loop), name="watchdog", daemon=True).start()
    try:
        # logging is the process's own: Faust's adds a spinner with control codes that hears every debug record
        worker = faust.Worker(app, quiet=True, loop=loop, override_logging=False)
        worker.spinner = None
        worker.execute_from_commandline()
    except SystemExit as end:
        if end.code:
            die(CRASHED, f"worker ended with {end.code}")
    except BaseException as error:
        die(CRASHED, "worker ended", error)
    os._exit(0)


def _watch(app: TapeApp, loop: asyncio.AbstractEventLoop) -> None:
    """End the process when the event loop is blocked, work does not advance, or the supervisor is gone. A thread."""
    heard = [time.monotonic()]
    finished, since = -1, time.monotonic()
    supervisor = os.environ.get(SUPERVISOR_PID)
    while True:
        if supervisor is not None and str(os.getppid()) != supervisor:
            die(ORPHANED, f"the supervisor (pid {supervisor}) is gone")
        time.sleep(0.5)
        now = time.monotonic()
        with contextlib.suppress(RuntimeError):  # the loop is not running yet, or no longer
            loop.call_soon_threadsafe(heard.__setitem__, 0, now)
        consumer = app.tape_consumer
        if consumer is None or not consumer.has_keeper:
            heard[0] = now
            continue
        if consumer.finished_count != finished or not consumer.backlog():
            finished, since = consumer.finished_count, now
        stuck = max(now - heard[0], now - since, consumer.keeper.stuck_for())
        if stuck > consumer.keeper.patience_s:
            die(STUCK, f"no progress for {stuck:.0f} s with {consumer.backlog()} records open")

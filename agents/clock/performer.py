"""The clock agent's hands: reads the clock for runs that wait for a deadline, and reports it; decides nothing.

Of each run it says twice what the clock shows: at once, before the deadline (the log then knows that it is waited for,
and a clock that starts again waits for it again), and once more at or after the deadline. Where the deadline has passed
already, the first reading says so and is the only one.

Saying a reading twice is harmless: the scheduler says a deadline once. The ids derive from run and deadline.

The clock may be a simulator's, whose days are set by hand. So the wait for a deadline is never trusted to be as long as
the difference of two readings: while something is due, the clock is read again every second.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from agents.clock.memory import Waiting, due_id, waiting_id
from agents.clock.ports import Now, Wait
from agents.decider import Message
from agents.declaration import Fact
from schemas.record import Envelope
from schemas.run import ClockReading, Run, RunStatus

log = logging.getLogger(__name__)

#: How long a jump of the clock may go unnoticed.
READ_AGAIN_S = 1.0

#: A clock that cannot be read is tried this often, a second apart, before a run's first reading ends the process; each
#: try takes 10 s at most, and the runtime gives an agent that talks outside 180 s.
ATTEMPTS = 10

#: A reading under way is not waited for longer when a partition leaves: what it brings is dropped.
STOP_TIMEOUT_S = 1.0


class ClockPerformer:
    """Reads one clock for the runs of all partitions of a process, with one thread each."""

    def __init__(self, now: Now, partition_of_account: Callable[[str], int], wait: Wait = threading.Event.wait) -> None:
        """Prepare; nothing runs before `take_over`."""
        self._now = now
        self._partition_of_account = partition_of_account
        self._wait = wait
        self._alarms: dict[int, _Alarm] = {}

    def take_over(self, partition: int, memory: Waiting, publish: Callable[[Fact], None]) -> None:
        """Wait again for every deadline that was said to be waited for and not yet said to be due."""
        self.release(partition)
        self._alarms[partition] = _Alarm(self._now, self._wait, publish, memory.readings, f"clock-{partition}")
        self._alarms[partition].start()

    def release(self, partition: int) -> None:
        """Stop waiting; nothing is published for the partition after this returns."""
        alarm = self._alarms.pop(partition, None)
        if alarm is not None:
            alarm.stop()

    def perform(self, message: Message) -> Sequence[Fact]:
        """Return the first reading for a run with a deadline; nothing for any other record.

        Raises what the clock raises when it cannot be read, after `ATTEMPTS`.
        """
        match message.record:
            case Run(status=RunStatus.REQUESTED) as run if run.terms.deadline_at is not None:
                due_at = run.terms.deadline_at
                alarm = self._alarms.get(self._partition_of_account(run.account_id))
                read_at = None if alarm is None else self._read(alarm)
                if alarm is None or read_at is None:
                    return ()  # moved away meanwhile: the next owner performs this run again
                reading = ClockReading(account_id=run.account_id, run_id=run.run_id, due_at=due_at, read_at=read_at)
                if read_at < due_at:
                    alarm.set(reading)
                return (_fact(reading, message.event_id),)
            case _:
                return ()

    def _read(self, alarm: "_Alarm") -> datetime | None:
        """Return a reading, None when the partition was released while the clock could not be read."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._now()
            except Exception:  # whatever a clock behind a network may raise; the last attempt lets it through
                log.warning("the clock cannot be read, trying again", exc_info=True)
            self._wait(alarm.stopped, READ_AGAIN_S)
            if alarm.stopped.is_set():
                return None
        return self._now()


class _Alarm:
    """Waits for the deadlines of one partition, and publishes a reading when one is due."""

    def __init__(
        self, now: Now, wait: Wait, publish: Callable[[Fact], None], waiting: Mapping[UUID, ClockReading], name: str
    ) -> None:
        self.stopped = threading.Event()
        self._now = now
        self._wait = wait
        self._publish = publish
        self._waiting = dict(waiting)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def set(self, reading: ClockReading) -> None:
        """Wait for the deadline of a run, given the reading that was said before it."""
        with self._lock:
            self._waiting[reading.run_id] = reading
        self._wake.set()

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; nothing is published after this returns."""
        with self._lock:
            self.stopped.set()
        self._wake.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self.stopped.is_set():
            pause = self._ring()
            self._wait(self._wake, pause)
            self._wake.clear()

    def _ring(self) -> float | None:
        """Publish a reading for every run that is due; return how long to wait then, None = until something is set."""
        try:
            with self._lock:
                if not self._waiting:
                    return None
            return self._said(self._now())
        except Exception:  # the next reading may succeed, and a thread that ends never rings again
            log.warning("the clock cannot be read, a deadline may be said late", exc_info=True)
            return READ_AGAIN_S

    def _said(self, read_at: datetime) -> float | None:
        with self._lock:
            for run_id, before in sorted(self._waiting.items()):
                if before.due_at <= read_at and not self.stopped.is_set():
                    self._publish(_fact(before.model_copy(update={"read_at": read_at})))
                    del self._waiting[run_id]
            left = [(each.due_at - read_at).total_seconds() for each in self._waiting.values()]
        return min(READ_AGAIN_S, *left) if left else None


def _fact(reading: ClockReading, cause: UUID | None = None) -> Fact:
    """Return a reading with its identity; without a cause of its own it follows from the one before the deadline."""
    envelope = Envelope(
        event_id=due_id(reading) if reading.read_at >= reading.due_at else waiting_id(reading),
        correlation_id=reading.run_id,
        causation_id=cause or waiting_id(reading),
        occurred_at=reading.read_at,
    )
    return Fact(reading, envelope)

"""I2: every signal is answered, and every plan line ends exactly once."""

from collections.abc import Mapping
from uuid import UUID

from infra.replay.seen import Seen
from infra.verify.claim import Claim, is_settled
from schemas.execution import Execution, ExecutionStatus, LineOutcome
from schemas.order import OrderEvent
from schemas.plan import Plan
from schemas.record import Record
from schemas.signal import Signal, SignalReceipt
from topics.wire import Partition

ENDED = frozenset({ExecutionStatus.FINISHED, ExecutionStatus.SUPERSEDED, ExecutionStatus.ABANDONED})


class EverySignalAnswered(Claim):
    """Every signal has a receipt: accepted, duplicate, late or conflicting."""

    name = "I2 every signal answered"
    says = "every signal has a receipt that says what became of it"
    of = (Signal, SignalReceipt)

    def __init__(self) -> None:
        super().__init__()
        self._signals: dict[UUID, Seen] = {}
        self._receipts: set[UUID] = set()

    def add(self, record: Record, seen: Seen) -> None:
        """Note a signal or a receipt."""
        match record:
            case Signal():
                self.checked += 1
                self._signals.setdefault(record.signal_id, seen)
            case SignalReceipt():
                self._receipts.add(record.signal_id)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Name the signals nobody has answered."""
        for signal_id, seen in self._signals.items():
            if signal_id not in self._receipts and is_settled(seen, settled):
                self.broken(f"signal {signal_id} has no receipt", seen.record.place)


Line = tuple[UUID, str, str]


class EveryLineEndsOnce(Claim):
    """A line of a plan whose run has ended has one outcome, and no line has two."""

    name = "I2 every line ends once"
    says = "every line of a plan whose run has ended has exactly one outcome"
    of = (Plan, Execution, LineOutcome)

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[Line, Seen] = {}
        self._ended: set[UUID] = set()
        self._outcomes: dict[Line, str] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Note a plan's lines, the end of its run, or the end of a line."""
        match record:
            case Plan():
                self._lines.update({(record.plan_id, each.book, each.symbol): seen for each in record.lines})
            case Execution() if record.status in ENDED and record.plan_id is not None:
                self._ended.add(record.plan_id)
            case LineOutcome():
                self._end((record.plan_id, record.book, record.symbol), record, seen)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Name the lines without an end."""
        for line, seen in self._lines.items():
            self.checked += 1
            if line not in self._outcomes and line[0] in self._ended and is_settled(seen, settled):
                self.broken(f"line {line[2]} of {line[1]} in plan {line[0]} has no outcome", seen.record.place)

    def _end(self, line: Line, outcome: LineOutcome, seen: Seen) -> None:
        before = self._outcomes.get(line)
        if before is not None:
            what = f"line {line[2]} of {line[1]} in plan {line[0]} ended {before} and again {outcome.outcome}"
            self.broken(what, seen.record.place)
        self._outcomes[line] = outcome.outcome
        if line not in self._lines:
            self.broken(f"line {line[2]} of {line[1]} ended, plan {line[0]} has no such line", seen.record.place)


class EveryRefusalSaysWhy(Claim):
    """An order that the gate refused names the check and the values."""

    name = "I2 every refusal says why"
    says = "every order that was refused names the check and the values that disagree"
    of = (OrderEvent,)

    def add(self, record: Record, seen: Seen) -> None:
        """Look at one event."""
        if isinstance(record, OrderEvent) and record.exec_type == "REFUSED":
            self.checked += 1
            if record.refusal is None or not record.reason:
                self.broken(f"order {record.client_order_id} was refused without a reason", seen.record.place)


CLAIMS = (EverySignalAnswered, EveryLineEndsOnce, EveryRefusalSaysWhy)

"""Every topic in one table: what it says, its key and partitioning, how long it is kept, who writes and reads it."""

from dataclasses import dataclass
from enum import StrEnum

from schemas.account import AccountActivity, AccountSnapshot
from schemas.dead_letter import DeadLetter
from schemas.execution import Execution, LineOutcome
from schemas.gate import OrderLimits, OrderLimitsRequest, TradingHalt, TradingHaltRequest
from schemas.ledger import Books, LedgerEntry
from schemas.market import Bar
from schemas.order import BrokerReport, Fill, OrderEvent, OrderIntent
from schemas.plan import Plan
from schemas.portfolio import ConflictDecision, ConflictOutcome, Portfolio
from schemas.record import Record
from schemas.resolution import OrderResolution, OrderResolutionRequest
from schemas.run import ClockReading, DeadlinePassed, Run, RunRequest
from schemas.signal import Signal, SignalReceipt
from schemas.snapshot import AgentSnapshot


class Policy(StrEnum):
    """How long records are kept."""

    KEEP = "keep"
    COMPACT = "compact"


#: Largest record a topic takes; Kafka's 1 MiB is near a plan of a thousand lines, which carries its books by value.
RECORD_BYTES_MAX = 8 * 1024 * 1024

#: Largest dead letter: a whole record with its key and headers, and what is said about it.
DEAD_LETTER_BYTES_MAX = 9 * 1024 * 1024


@dataclass(frozen=True)
class Topic:
    """One topic: `key` and `partitioned_by` are fields of its record, `key` parts are joined by '+'.

    A cache follows from the other topics and may be thrown away: its keys are written again and again, no decision
    reads it, and no replay compares it.
    """

    record: type[Record]
    key: tuple[str, ...]
    partitioned_by: str
    producer: str
    consumers: tuple[str, ...]
    policy: Policy = Policy.KEEP
    is_cache: bool = False

    @property
    def name(self) -> str:
        """The topic's full name, with its major version."""
        return self.record.topic

    def key_of(self, record: Record) -> str:
        """Return the record's key as text; on the wire it is this text in UTF-8, never Avro."""
        return "+".join(str(getattr(record, field)) for field in self.key)


def _account(
    record: type[Record],
    key: str,
    producer: str,
    consumers: str = "",
    policy: Policy = Policy.KEEP,
) -> Topic:
    readers = (*consumers.split(), "projector")
    return Topic(record, tuple(key.split("+")), "account_id", producer, readers, policy)


TOPICS: tuple[Topic, ...] = (
    Topic(Bar, ("symbol",), "symbol", "market data", ("strategist", "projector")),
    _account(RunRequest, "run_id", "cli", "scheduler"),
    _account(ClockReading, "run_id", "clock", "scheduler"),
    _account(Run, "run_id", "scheduler", "strategist collector clock"),
    _account(DeadlinePassed, "run_id", "scheduler", "collector"),
    _account(Signal, "strategy_id", "strategist", "collector"),
    _account(SignalReceipt, "signal_id", "collector"),
    _account(Portfolio, "run_id", "collector", "executor"),
    _account(ConflictDecision, "run_id+symbol", "cli", "collector"),
    _account(ConflictOutcome, "run_id+symbol", "collector"),
    _account(Execution, "run_id", "executor", "broker"),
    _account(AccountSnapshot, "run_id", "broker", "ledger"),
    _account(AccountActivity, "activity_id", "broker", "ledger"),
    _account(Books, "run_id", "ledger", "planner"),
    _account(Plan, "plan_id", "planner", "executor", Policy.COMPACT),
    _account(OrderIntent, "client_order_id", "executor", "gateway"),
    _account(OrderLimitsRequest, "request_id", "cli", "gateway"),
    _account(OrderLimits, "request_id", "gateway"),
    _account(TradingHaltRequest, "request_id", "cli", "gateway"),
    _account(TradingHalt, "halt_id", "gateway"),
    _account(OrderResolutionRequest, "request_id", "cli", "gateway"),
    _account(OrderResolution, "client_order_id", "gateway"),
    _account(OrderEvent, "client_order_id", "gateway", "broker executor"),
    _account(BrokerReport, "client_order_id", "broker", "gateway"),
    _account(Fill, "fill_id", "gateway", "ledger"),
    _account(LineOutcome, "plan_id+book+symbol", "executor"),
    _account(LedgerEntry, "entry_id", "ledger"),
    Topic(
        AgentSnapshot,
        ("agent", "partition_number", "slot", "chunk"),
        "partition_number",
        "any agent",
        ("any agent",),
        Policy.COMPACT,
        is_cache=True,
    ),
    Topic(DeadLetter, ("origin_topic",), "origin_partition", "any agent", ("projector",)),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
BY_RECORD: dict[type[Record], Topic] = {topic.record: topic for topic in TOPICS}


def read_by(agent: str) -> tuple[Topic, ...]:
    """Return the topics an agent reads, in the table's order."""
    return tuple(topic for topic in TOPICS if agent in topic.consumers)


def written_by(agent: str) -> tuple[Topic, ...]:
    """Return the topics an agent's decisions go to, dead letters included, in the table's order."""
    return tuple(topic for topic in TOPICS if topic.producer in (agent, "any agent") and not topic.is_cache)

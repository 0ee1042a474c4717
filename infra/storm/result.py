"""What became of a storm: counted from the log and from what the broker has received."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.kafka.log import read_all
from infra.replay.verdict import Verdict
from infra.simulator.client import SimulatedOrder
from infra.simulator.faults import FaultKind
from infra.verify.service import Found
from schemas.order import IntentAction, OrderIntent
from topics.codec import decode


@dataclass(frozen=True)
class Sent:
    """Intents of broker orders beside the orders that the broker has, one intent per leg and step of a plan line.

    `doubled` are those with several orders at the broker, `missing` those without one: refused, expired or rejected,
    each with its reason on the log.
    """

    wanted: int
    orders: int
    posts: int
    doubled: int
    missing: int

    @classmethod
    def of(cls, bootstrap_servers: str, received: Sequence[SimulatedOrder]) -> "Sent":
        """Count what is on the log beside what the broker has received."""
        taken = [each.client_order_id for each in received if each.order is not None]
        intents = _intents(bootstrap_servers)
        orders = Counter(intents.get(name, name) for name in taken)
        return cls(
            wanted=len(set(intents.values())),
            orders=len(taken),
            posts=sum(each.posts for each in received),
            doubled=sum(1 for count in orders.values() if count > 1),
            missing=len(set(intents.values()) - set(orders)),
        )


def _intents(bootstrap_servers: str) -> dict[str, tuple[object, ...]]:
    """Return what each broker order was asked for, by its name: plan, book, symbol, leg and step."""
    found: dict[str, tuple[object, ...]] = {}
    for incoming in read_all(bootstrap_servers, [OrderIntent.topic]):
        record = decode(incoming).record
        if isinstance(record, OrderIntent) and record.action is IntentAction.SUBMIT:
            terms = record.order
            found[record.client_order_id] = (terms.plan_id, terms.book, terms.symbol, terms.leg, terms.step)
    return found


@dataclass(frozen=True)
class StormResult:
    """What was done to it, and whether everything held."""

    sent: Sent
    runs: Mapping[str, int]
    kills: int
    struck: Mapping[FaultKind, int]
    claims: tuple[Found, ...]
    verdict: Verdict
    seconds: Mapping[str, float]

    @property
    def holds(self) -> bool:
        """Whether every claim holds and every decision is identical."""
        return not any(each.findings for each in self.claims) and self.verdict.exit_code == 0 and not self.sent.doubled

    def as_json(self) -> dict[str, Any]:
        """Return it for a script."""
        return {
            "holds": self.holds,
            **vars(self.sent),
            "runs": dict(self.runs),
            "kills": self.kills,
            "faults": {kind.value: count for kind, count in sorted(self.struck.items())},
            "faults_total": sum(self.struck.values()),
            "claims": [asdict(each) for each in self.claims],
            "replay": self.verdict.as_json(),
            "seconds": {name: round(value, 1) for name, value in self.seconds.items()},
        }

"""Going over the whole log once, a topic at a time, with every claim."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.broker.ports import Brokerage, Reply
from agents.broker.reading import positions_of
from infra.errors import TapeError
from infra.kafka.log import partitions_of, read
from infra.replay.seen import Seen
from infra.replay.slices import moment
from infra.verify import books, broker, identity, orders, resolutions, wishes
from infra.verify.broker import AtBroker
from infra.verify.claim import Claim
from topics.codec import UndecodableError
from topics.registry import TOPICS, Topic
from topics.wire import Incoming, Partition

OnProgress = Callable[[int, int], None]
"""Told how many offsets were passed, of how many."""


def claims(beside: Iterable[AtBroker] = ()) -> list[Claim]:
    """Return every claim about the log, and for each account that the broker told of those beside the broker."""
    about_log = (*wishes.CLAIMS, *orders.CLAIMS, *resolutions.CLAIMS, *books.CLAIMS, *identity.CLAIMS)
    about_broker = (claim(account) for account in beside for claim in broker.CLAIMS)
    return [*(claim() for claim in about_log), *about_broker]


def verified(
    bootstrap_servers: str, checked: Sequence[Claim], on_progress: OnProgress = lambda _done, _total: None
) -> int:
    """Show every readable record to the claims that look at its kind, and let them finish; return how many there were.

    The log may be growing: what follows from the last records may not be written yet, and is not missed. Records that
    cannot be read are the business of `tape replay --all`.
    """
    topics = [topic for topic in TOPICS if any(topic.record in claim.of for claim in checked)]
    partitions = partitions_of(bootstrap_servers, [topic.name for topic in topics])
    now = moment(bootstrap_servers, partitions)
    done, total = 0, sum(now.ends.values())
    count = 0
    for topic in topics:
        own = {each: end for each, end in now.ends.items() if each[0] == topic.name}
        count += _shown(read(bootstrap_servers, dict.fromkeys(own, 0), own), topic, checked)
        done += sum(own.values())
        on_progress(done, total)
    finish(checked, now.settled)
    return count


def finish(checked: Sequence[Claim], settled: Mapping[Partition, int]) -> None:
    """Let every claim compare what could not be compared before."""
    for claim in checked:
        claim.finish(settled)


def show(checked: Iterable[Claim], incoming: Incoming) -> None:
    """Show one record to the claims that look at its kind, if it can be read."""
    seen = Seen(incoming)
    try:
        record = seen.event.record
    except UndecodableError:
        return
    for claim in checked:
        if isinstance(record, claim.of):
            claim.add(record, seen)


def _shown(records: Iterable[Incoming], topic: Topic, checked: Sequence[Claim]) -> int:
    looking = [claim for claim in checked if topic.record in claim.of]
    count = 0
    for incoming in records:
        count += 1
        show(looking, incoming)
    return count


def at_broker(account_id: str, brokerage: Brokerage) -> AtBroker:
    """Ask the broker for everything about one account; raises TapeError naming what cannot be read."""
    account = _read(brokerage.account(), "account")
    return AtBroker(
        account_id=account_id,
        orders=_read(brokerage.orders("all", None), "orders"),
        fills=_read(brokerage.fill_activities(None), "executions"),
        positions={each.symbol: each.quantity for each in positions_of(_said(brokerage.positions(), "positions"))},
        cash=Decimal(account["cash"]),
    )


def _read(reply: Reply, what: str) -> Any:
    return json.loads(_said(reply, what), parse_float=Decimal)


def _said(reply: Reply, what: str) -> str:
    if reply.http_status != 200:
        what = f"the broker's {what} cannot be read: {reply.problem}"
        raise TapeError(what, next_command="tape verify --log-only")
    return reply.body


@dataclass(frozen=True)
class Found:
    """What a verification found of one claim."""

    claim: str
    says: str
    checked: int
    findings: tuple[str, ...]


def found(checked: Iterable[Claim]) -> list[Found]:
    """Return what each claim has found."""
    return [Found(each.name, each.says, each.checked, tuple(map(str, each.findings))) for each in checked]

"""What an agent-partition knows when it is taken over: its newest snapshot and the decisions since, else all of them.

A snapshot says nothing that the log does not: the decision it covers must lie in the log with the very hash that the
snapshot names, and the decisions after it must follow from that. If anything is amiss the snapshot is passed over with
a warning and the whole log is folded, which has the last word.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agents.declaration import Agent
from infra.kafka.log import high_watermarks, read
from infra.runtime.folding import form_of_memory
from infra.runtime.recovery import Decision, LogDamagedError, Recovered, decisions, number_of, own, recovered
from infra.runtime.snapshots import TOPIC, Snapshot, whole
from infra.runtime.state_form import StateForm
from infra.runtime.state_parts import StateFormError
from topics.registry import written_by
from topics.wire import Incoming, Partition, header_or_none

log = logging.getLogger("tape.recall")

#: Snapshots tried before the whole log is folded: the newest can be half written or hang in the air, not all of them.
TRIES = 3

#: Offsets of the snapshot topic read at first, from its end; twice as many each time nothing is found.
WINDOW = 64

#: Decisions from one snapshot that stays to the next: folding as many takes seconds, and a replay begins at one.
KEPT_EVERY = 20_000


@dataclass(frozen=True)
class SnapshotSettings:
    """How an agent's state is written down: after `every` decisions (0: never), or `bytes_max` of them.

    `from_zero`: what is there is not read; the whole log is folded.
    """

    every: int = 2_000
    bytes_max: int = 64 * 1024 * 1024
    from_zero: bool = False


@dataclass(frozen=True)
class Recalled:
    """Where an agent-partition stands, and after which decision the fold began."""

    now: Recovered
    folded_from: int


Note = Callable[[Recovered], None]
"""Writes a standing down while the log is folded, so that a fold that is broken off need not begin again."""


class HangsInTheAirError(Exception):
    """The decision that a snapshot covers is not in the log as the snapshot says."""


def recall(
    bootstrap_servers: str,
    agent: Agent,
    partition: int,
    settings: SnapshotSettings,
    note: Note = lambda _: None,
) -> Recalled:
    """Return where an agent-partition stands. Raises LogDamagedError when the log itself has a gap or a fork.

    The caller must have fenced the former owner. `note` is given what is worth a snapshot, as the fold comes by.
    """
    folding = _Folding(bootstrap_servers, agent, partition, settings, note)
    if not settings.from_zero:
        for snapshot, form in _candidates(bootstrap_servers, agent, partition):
            try:
                return folding.behind(snapshot, form)
            except (HangsInTheAirError, StateFormError, LogDamagedError) as error:
                where = f"{agent.name}-{partition}, seq {snapshot.seq}"
                log.warning("the snapshot of %s is passed over: %s", where, error)
    return folding.from_zero()


class _Folding:
    """The fold of one agent-partition's own events."""

    def __init__(
        self, bootstrap_servers: str, agent: Agent, partition: int, settings: SnapshotSettings, note: Note
    ) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._agent = agent
        self._outputs = [(topic.name, partition) for topic in written_by(agent.name)]
        self._every = settings.every
        self._note = note

    def from_zero(self) -> Recalled:
        """Fold everything."""
        found = decisions(own(read(self._bootstrap_servers, dict.fromkeys(self._outputs, 0)), self._agent.name))
        return self._folded(found)

    def behind(self, snapshot: Snapshot, form: StateForm) -> Recalled:
        """Fold what lies behind a snapshot; raises where that does not hang on the log."""
        covered = {each: snapshot.covered.get(each, 0) for each in self._outputs}
        mine = own(read(self._bootstrap_servers, covered), self._agent.name)
        found = decisions((each for each in mine if number_of(each, "seq") >= snapshot.seq), first=snapshot.seq)
        _check(snapshot, next(found, None))
        return self._folded(found, snapshot.after(form.from_text(snapshot.text)))

    def _folded(self, found: Iterator[Decision], after: Recovered | None = None) -> Recalled:
        begun = after.seq if after else 0
        now = recovered(self._agent, found, after, self._noted_in_passing)
        if 0 < self._every <= now.seq - begun and now.seq % KEPT_EVERY:
            self._note(now)
        return Recalled(now, begun)

    def _noted_in_passing(self, standing: Recovered) -> None:
        if self._every and standing.seq % KEPT_EVERY == 0:
            self._note(standing)


def _candidates(bootstrap_servers: str, agent: Agent, partition: int) -> Iterator[tuple[Snapshot, StateForm]]:
    try:
        form = form_of_memory(agent)
    except StateFormError as error:
        log.warning("%s: no snapshots: %s", agent.name, error)
        return
    tried: set[int] = set()
    for records in _backwards(bootstrap_servers, (TOPIC.name, partition), agent.name):
        for snapshot in whole(records, agent.name, partition):
            if len(tried) < TRIES and snapshot.seq not in tried:
                tried.add(snapshot.seq)
                yield snapshot, form
        if len(tried) >= TRIES:
            return


def _backwards(bootstrap_servers: str, where: Partition, agent: str) -> Iterator[list[Incoming]]:
    """Yield the agent's records in the last part of a partition, then in a larger part, and so on to the whole."""
    end = high_watermarks(bootstrap_servers, [where])[where]
    found: list[Incoming] = []
    window = WINDOW
    while end > 0:
        start = max(0, end - window)
        read_now = read(bootstrap_servers, {where: start}, {where: end})
        part = [each for each in read_now if header_or_none(each.headers, "agent") == agent]
        found = part + found
        yield found
        end, window = start, window * 2


def _check(snapshot: Snapshot, decision: Decision | None) -> None:
    """Refuse a snapshot of a decision that the log has not, or has otherwise."""
    said = (snapshot.prev, dict(snapshot.inputs))
    found = None if decision is None else (decision.hash, decision.inputs)
    if found != said:
        raise HangsInTheAirError(f"expected in the log a decision of hash and inputs {said}, was {found}")

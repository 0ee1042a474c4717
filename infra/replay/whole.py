"""The whole log judged again in one pass, slice by slice, by one process or by several side by side."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from agents.declaration import Agent
from infra.kafka.log import partitions_of
from infra.replay.audit import Audit
from infra.replay.history import decision_path
from infra.replay.judging import Changed, Terms, unchanged
from infra.replay.rejudge import Judges
from infra.replay.scope import Scope
from infra.replay.seen import Seen
from infra.replay.service import judged_until
from infra.replay.sharing import ALONE_MAX, OnDone, Share, helpers, shares
from infra.replay.slices import Ends, Moment, moment, read_slice, slices
from infra.replay.verdict import Verdict
from topics.wire import Partition

#: New objects before the youngest are looked through, and how many such rounds before the older ones are.
_COLLECTIONS = (20_000, 50, 100)

OnProgress = Callable[[int, int], None]
"""Told how many offsets were passed, of how many; some hold no record."""


def replay_log(
    bootstrap_servers: str,
    agents: Sequence[Agent],
    scope: Scope,
    on_progress: OnProgress = lambda _done, _total: None,
    changed: Changed = unchanged,
    jobs: int = 1,
) -> Verdict:
    """Judge the log again in one pass, in memory that does not grow with it; what it reads are the agents' topics.

    The log may be growing: what was decided up to now is judged, and what was written meanwhile is left for the next
    time. Memory holds one slice of the log, the agents' states and views, and what was damaged. With `jobs` above 1 and
    a log that is worth it, agents are judged in so many processes; call it then before this process has any thread.
    """
    known = {agent.name: agent for agent in agents}

    def work(share: Share, known_by_then: object, on_done: OnDone) -> Verdict:
        if not isinstance(known_by_then, _Known):
            raise TypeError(f"expected what the parent knows, was {type(known_by_then).__name__}")
        ours, terms = [known[name] for name in share.agents], Terms(scope, Verdict(), changed)
        with rare_collections():
            return _judged_share(bootstrap_servers, ours, terms, share, known_by_then, on_done)

    verdict = Verdict()
    with helpers(jobs if jobs > 1 else 0, work) as ready:
        now = _known(bootstrap_servers, agents)
        divided = shares(agents, now.moment.ends, jobs if sum(now.moment.ends.values()) > ALONE_MAX else 1)
        done, total = 0, sum(now.offsets(known[name] for name in share.agents) for share in divided)

        def on_done(count: int) -> None:
            nonlocal done
            done += count
            on_progress(done, total)

        if len(divided) == 1:
            return work(divided[0], now, on_done)
        for found in ready.done([(share, now) for share in divided], on_done):
            verdict.add(found)
    return verdict


@dataclass(frozen=True)
class _Known:
    """What every share is told: where the log ends, and how far each agent has judged its inputs."""

    moment: Moment
    judged: Mapping[str, Mapping[Partition, int]]

    def offsets(self, agents: Iterable[Agent]) -> int:
        """Return how many offsets judging the agents passes."""
        judges = Judges(agents, Terms(Scope(), Verdict()))
        ends = self.moment.ends.items()
        return sum(end * ((topic in judges.judged_topics) + (topic in judges.view_topics)) for (topic, _), end in ends)


def _known(bootstrap_servers: str, agents: Sequence[Agent]) -> _Known:
    names = [agent.name for agent in agents]
    with ThreadPoolExecutor(max(1, len(names))) as pool:  # each waits a tenth of a second for its group's coordinator
        found = pool.map(lambda agent: judged_until(bootstrap_servers, agent), agents)
        judged = dict(zip(names, found, strict=True))
    judges = Judges(agents, Terms(Scope(), Verdict()))
    topics = judges.judged_topics | judges.view_topics
    partitions = partitions_of(bootstrap_servers, [each for each in decision_path() if each in topics])
    return _Known(moment(bootstrap_servers, partitions), judged)


def _judged_share(
    bootstrap_servers: str, agents: Sequence[Agent], terms: Terms, share: Share, known: _Known, on_done: OnDone
) -> Verdict:
    judges = Judges(agents, terms, known.judged)
    audit = Audit(terms.scope, terms.verdict, share.audited)
    ends = known.moment.ends
    views = {each: end for each, end in ends.items() if each[0] in judges.view_topics}
    again = {each: end for each, end in ends.items() if each[0] in judges.judged_topics}
    for read_now, _ in _in_slices(bootstrap_servers, views, on_done):
        for seen in read_now:
            judges.look(seen)
            if seen.where not in again:
                audit.check(seen)
    for read_now, end in _in_slices(bootstrap_servers, again, on_done):
        for seen in read_now:
            judges.add(seen)
        judges.advance(end)
        for seen in read_now:
            audit.check(seen)
    judges.finish(known.moment.settled)
    audit.finish()
    return terms.verdict


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for cycles rarely: a slice of records is much to look through, and holds none.

    It saves a sixth of the time; what few cycles there are wait a little longer.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _in_slices(bootstrap_servers: str, ends: Ends, on_done: OnDone) -> Iterator[tuple[list[Seen], Ends]]:
    """Yield the records of each slice, and how far each partition was read."""
    start: Ends = dict.fromkeys(ends, 0)
    for end in slices(bootstrap_servers, start, ends):
        yield [Seen(record) for record in read_slice(bootstrap_servers, start, end)], end
        on_done(sum(end.values()) - sum(start.values()))
        start = end

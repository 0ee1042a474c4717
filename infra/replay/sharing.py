"""Agents judged side by side in processes of their own: each reads what its agents need, and nothing is shared.

The processes are forked before this one has a Kafka client, whose threads a fork would lose; what they are to do is
told them afterwards.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from agents.declaration import Agent
from infra.errors import TapeError
from infra.replay.verdict import Verdict
from infra.runtime.keeper import input_topics
from topics.registry import written_by
from topics.wire import Partition

#: Below this many offsets one process is done before others have met the broker.
ALONE_MAX = 10_000

OnDone = Callable[[int], None]
"""Told how many offsets were passed since it was last told."""


@dataclass(frozen=True)
class Share:
    """What one process does: the agents it judges, by name, and the topics whose every record it checks."""

    agents: tuple[str, ...]
    audited: frozenset[str]


Work = Callable[[Share, OnDone], Verdict]


def shares(agents: Sequence[Agent], ends: Mapping[Partition, int], jobs: int) -> list[Share]:
    """Divide the agents into at most `jobs` shares of about as many records; each topic is checked by one of them."""
    sizes = {topic: 0 for topic, _ in ends}
    for (topic, _), end in ends.items():
        sizes[topic] += end
    topics = {agent.name: _topics(agent) for agent in agents}
    groups: list[list[str]] = [[] for _ in range(min(jobs, len(agents)))]
    loads = [0] * len(groups)
    for name in sorted(topics, key=lambda each: -sum(sizes.get(topic, 0) for topic in topics[each])):
        lightest = loads.index(min(loads))
        groups[lightest].append(name)
        loads[lightest] += sum(sizes.get(topic, 0) for topic in topics[name])
    found, taken = [], frozenset[str]()
    for group in groups:
        audited = frozenset[str]().union(*(topics[name] for name in group)) - taken
        taken |= audited
        found.append(Share(tuple(group), audited))
    return found


class Helpers:
    """Processes that wait for their share."""

    def __init__(self, processes: Sequence[BaseProcess], ends: Sequence[Connection]) -> None:
        self._processes = processes
        self._ends = ends

    def done(self, given: Sequence[tuple[Share, object]], on_done: OnDone) -> Iterator[Verdict]:
        """Give each process its share with what it needs to know, and yield each verdict as it comes.

        Raises the TapeError of a process, and TapeError for one that ended without a word.
        """
        busy = {end: process for end, process, _ in zip(self._ends, self._processes, given, strict=False)}
        for end, task in zip(busy, given, strict=True):
            end.send(task)
        while busy:
            # a later fork holds the other end of an earlier pipe open, so its end is not seen there
            heard = wait([*busy, *(process.sentinel for process in busy.values())])
            for end, process in list(busy.items()):
                if not end.poll():
                    if process.sentinel in heard:
                        raise TapeError(f"a process that judges agents ended without a word, code {process.exitcode}")
                    continue
                said = end.recv()
                if isinstance(said, TapeError):
                    raise said
                if isinstance(said, Verdict):
                    del busy[end]
                    yield said
                else:
                    on_done(said)


@contextmanager
def helpers(count: int, work: Callable[[Share, object, OnDone], Verdict]) -> Iterator[Helpers]:
    """Lend `count` processes that do the work they will be given; they end with the block, whatever happens in it."""
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_serve, args=(theirs, work), daemon=True) for _, theirs in pipes]
    for process in processes:
        process.start()
    for _, theirs in pipes:
        theirs.close()
    try:
        yield Helpers(processes, [ours for ours, _ in pipes])
    finally:
        for ours, _ in pipes:
            ours.close()
        for process in processes:
            process.terminate()
            process.join()


def cores() -> int:
    """Return how many processes may run at once here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _serve(end: Connection, work: Callable[[Share, object, OnDone], Verdict]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that was asked
    try:
        share, known = end.recv()
        end.send(work(share, known, end.send))
    except EOFError:
        return  # nothing to do after all
    except TapeError as error:
        end.send(error)


def _topics(agent: Agent) -> frozenset[str]:
    view = frozenset() if agent.view is None else frozenset((agent.view.topic,))
    return view.union((topic.name for topic in written_by(agent.name)), input_topics(agent))

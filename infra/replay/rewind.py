"""Setting back the positions of an agent that is stopped.

An agent that decides or performs goes on where its own last decision says (`inputs`); its group's offsets only tell
tools how far it is. So a rewind of its group moves what is shown, and at its next start everything up to `inputs` is
skipped: it was decided, and stays decided once. The projector goes on where PostgreSQL says; its position is moved
there, it reads again, and every row it finds written is left as it is. Nothing is ever moved forward: inputs that
were never judged would count as judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.declaration import Agent
from infra.kafka.groups import Groups
from infra.kafka.log import high_watermarks, partitions_of, read
from infra.postgres import tracking
from infra.postgres.connection import connect
from infra.postgres.rows.log import PROJECTOR
from infra.runtime.keeper import input_topics
from infra.runtime.recovery import own
from topics.registry import written_by
from topics.wire import Partition, header, parse_positions

#: How far back an agent's last own record of a partition is looked for at first; ten times as far each time after.
_TAIL = 100


@dataclass(frozen=True)
class Move:
    """One input partition: the position shown, the one to show, and where the agent goes on when it is started."""

    partition: Partition
    shown: int
    to: int
    goes_on_at: int

    @property
    def is_back(self) -> bool:
        """Whether anything moves; a rewind never goes forward."""
        return self.to < self.shown

    @property
    def skipped(self) -> int:
        """Offsets between the two that were judged already, and will not be judged again."""
        return max(0, self.goes_on_at - self.to) if self.is_back else 0


def planned(bootstrap_servers: str, database_url: str, agent: Agent, targets: Mapping[Partition, int]) -> list[Move]:
    """Return what a rewind to the targets would move; input partitions that are no target stay."""
    inputs = [each for each in partitions_of(bootstrap_servers, input_topics(agent)) if each in targets]
    if agent.name == PROJECTOR:
        with connect(database_url) as connection:
            written = tracking.tracked(connection, PROJECTOR)
        shown = {each: written.get(each, 0) for each in inputs}
        goes_on_at = {each: min(shown[each], targets[each]) for each in inputs}
    else:
        shown = Groups(bootstrap_servers).positions(agent.name, inputs)
        goes_on_at = _last_inputs(bootstrap_servers, agent, {number for _, number in inputs})
    return [Move(each, shown[each], targets[each], goes_on_at.get(each, 0)) for each in inputs]


def rewind(bootstrap_servers: str, database_url: str, agent: Agent, moves: Sequence[Move]) -> int:
    """Move the positions back and return how many moved. Raises TapeError while a member of the group is active."""
    groups = Groups(bootstrap_servers)
    groups.check_stopped(agent.name)
    back = [move for move in moves if move.is_back]
    if not back:
        return 0
    if agent.name == PROJECTOR:
        with connect(database_url) as connection, connection.transaction():
            tracking.locked(connection, PROJECTOR, [move.partition for move in back])
            tracking.move(connection, PROJECTOR, {move.partition: move.to for move in back})
    groups.set_positions(agent.name, {move.partition: move.to for move in back})
    return len(back)


def _last_inputs(bootstrap_servers: str, agent: Agent, numbers: set[int]) -> dict[Partition, int]:
    """Return where the inputs stood after the agent's last decision in each partition, read from the ends backward."""
    topics = [topic.name for topic in written_by(agent.name)]
    found: dict[Partition, int] = {}
    for number in sorted(numbers):
        ends = high_watermarks(bootstrap_servers, [(topic, number) for topic in topics])
        newest = max((_last_own(bootstrap_servers, agent.name, *each) for each in ends.items()), default=(0, ""))
        found |= parse_positions(newest[1])
    return found


def _last_own(bootstrap_servers: str, agent: str, partition: Partition, end: int) -> tuple[int, str]:
    """Return seq and `inputs` of the last own record of a partition; (0, "") where there is none."""
    tail = _TAIL
    while True:
        start = max(0, end - tail)
        mine = own(read(bootstrap_servers, {partition: start}, {partition: end}), agent) if start < end else ()
        newest = max(((int(header(r.headers, "seq")), header(r.headers, "inputs")) for r in mine), default=None)
        if newest is not None or start == 0:
            return newest or (0, "")
        tail *= 10

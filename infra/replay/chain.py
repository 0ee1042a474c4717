"""An agent-partition's own decisions as their records come in, in order of seq, with every link of the chain checked.

The rules are those of recovery (`infra.runtime.recovery.decisions`), which has all records at hand; here a decision is
given out as soon as its records are there, so that a log of any length is gone through once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.replay.seen import Seen
from infra.runtime.recovery import OUTSIDE, LogDamagedError, Recovered
from topics.wire import Partition, Place, chain_hash, parse_positions


@dataclass(frozen=True, slots=True)
class Decided:
    """One recorded decision: its records in order of ordinal, where its inputs stood after it, and its cause's place.

    `cause` is None for a fact nobody asked for.
    """

    seq: int
    records: tuple[Seen, ...]
    inputs: dict[Partition, int]
    cause: Place | None

    @property
    def first(self) -> Seen:
        """The record with ordinal 0."""
        return self.records[0]

    def is_behind(self, settled: Mapping[Partition, int]) -> bool:
        """Say whether all of it lies at or behind `settled`: it was still being written then."""
        return _is_behind(self.records, settled)


class Chain:
    """Takes own records in any order and gives decisions out in theirs; raises LogDamagedError at the first flaw."""

    def __init__(self, after: Recovered | None = None) -> None:
        """Begin behind where an agent-partition stood, or at its first decision."""
        start = after or Recovered(None)
        self._open: dict[int, list[Seen]] = {}
        self._next = start.seq + 1
        self._prev = start.prev
        self._judged: dict[Partition, int] = dict(start.positions)
        self._is_damaged = False
        self._behind_damage: set[int] = set()

    def add(self, seen: Seen) -> None:
        """Take in an own record; behind a damage it is only counted."""
        if self._is_damaged:
            self._behind_damage.add(_number_or_zero(seen))
            return
        seq = self._number(seen, "seq")
        if seq < self._next:
            raise self._damaged(seen, "seq", f"{self._next} or more", str(seq), "a record is missing or doubled")
        self._open.setdefault(seq, []).append(seen)

    def take(self) -> Decided | None:
        """Return the next decision, or None while records of it are missing."""
        group = self._open.get(self._next)
        if group is None or (count := self._number(group[0], "count")) > len(group):
            return None
        if count > 1 or len(group) > 1:
            group.sort(key=lambda seen: self._number(seen, "ordinal"))
        ordinals = [self._number(seen, "ordinal") for seen in group]
        if ordinals != list(range(count)):
            raise self._incomplete(group, count, ordinals)
        decided = self._linked(group)
        del self._open[self._next]
        self._next += 1
        return decided

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Refuse what is missing before `settled`; decisions wholly at or behind it were still being written."""
        for seq in sorted(self._open):
            group = self._open[seq]
            if _is_behind(group, settled):
                continue
            if seq != self._next:
                raise self._damaged(group[0], "seq", str(self._next), str(seq), "a decision is missing")
            ordinals = sorted(self._number(seen, "ordinal") for seen in group)
            raise self._incomplete(group, self._number(group[0], "count"), ordinals)

    def break_off(self) -> None:
        """Give up: what is still to come can only be counted."""
        self._is_damaged = True
        self._behind_damage |= set(self._open)
        self._open.clear()

    @property
    def behind_damage(self) -> int:
        """How many decisions lie behind the damage."""
        return len(self._behind_damage)

    def _linked(self, group: list[Seen]) -> Decided:
        first = group[0]
        prev, cause, inputs = (self._said(first, name) for name in ("prev", "cause", "inputs"))
        if prev != self._prev:
            raise self._damaged(first, "prev", self._prev, prev, "the chain is broken")
        try:
            place = None if cause.startswith(OUTSIDE) else Place.parse(cause)
            decided = Decided(self._next, tuple(group), parse_positions(inputs), place)
        except ValueError as error:
            raise _lost(first, str(error)) from error
        self._check_forward(decided)
        for seen in group:
            seen.check_seal()
        self._prev = chain_hash(self._said(seen, "sha256") for seen in group)
        self._judged |= decided.inputs
        return decided

    def _check_forward(self, decided: Decided) -> None:
        """Refuse an input decided twice; such a log would replay without a difference."""
        cause = decided.cause
        caused_at = () if cause is None else (((cause.topic, cause.partition), cause.offset),)
        for where, offset in (*decided.inputs.items(), *caused_at):
            if offset < self._judged.get(where, 0):
                what, expected = f"position of {where[0]}/{where[1]}", f"{self._judged[where]} or more"
                raise self._damaged(decided.first, what, expected, str(offset), "an input was judged twice")

    def _incomplete(self, group: list[Seen], count: int, ordinals: list[int]) -> LogDamagedError:
        expected = str(list(range(count)))
        return self._damaged(group[0], "ordinals", expected, str(ordinals), "a record is missing or doubled")

    def _damaged(self, seen: Seen, what: str, expected: str, found: str, why: str) -> LogDamagedError:
        return LogDamagedError(
            what=f"{why}: {what} expected {expected}, was {found}",
            where=f"{seen.record.place} (agent {seen.text('agent')}, seq {seen.text('seq')})",
            next_command="tape replay --all",
        )

    def _number(self, seen: Seen, name: str) -> int:
        try:
            return int(seen.headers[name])
        except (KeyError, ValueError) as error:
            raise _lost(seen, f"header {name}: {error}") from error

    def _said(self, seen: Seen, name: str) -> str:
        said = seen.text(name)
        if said is None:
            raise _lost(seen, f"header {name} is missing")
        return said


def _is_behind(records: Iterable[Seen], settled: Mapping[Partition, int]) -> bool:
    return all(seen.record.offset >= settled.get(seen.where, seen.record.offset + 1) for seen in records)


def _number_or_zero(seen: Seen) -> int:
    text = seen.text("seq") or ""
    return int(text) if text.isdecimal() else 0


def _lost(seen: Seen, why: str) -> LogDamagedError:
    return LogDamagedError(
        f"an own event does not say where it stands: {why}",
        where=str(seen.record.place),
        next_command="tape replay --all",
    )

"""Checks of every record, whoever wrote it: is it what its seal says, and does it come from who may write there?

What an agent could not judge and has set aside is no damage, as long as it is unchanged: the dead letter holds its
bytes. Letters come later than what they speak of, so damage is kept back until the end.
"""

from collections.abc import Collection

from infra.replay.scope import Scope
from infra.replay.seen import SealBrokenError, Seen
from infra.replay.verdict import Damage, Verdict
from schemas.dead_letter import DeadLetter
from topics.codec import UndecodableError
from topics.registry import BY_NAME
from topics.wire import Incoming, Place, header_block

#: Producers in the topic table that are no agents: their records carry no standing, and whoever speaks for them may.
_OUTSIDERS = frozenset({"market data", "cli", "clock", "any agent"})


class Audit:
    """Goes over every record once; `finish` writes into the verdict what nobody has explained."""

    def __init__(self, scope: Scope, verdict: Verdict, topics: Collection[str] | None = None) -> None:
        """Check the records of `topics` only (None = all); dead letters are read whatever they speak of."""
        self._scope = scope
        self._topics = topics
        self._verdict = verdict
        self._suspects: dict[Place, tuple[Incoming, list[tuple[Damage, bool]]]] = {}
        self._letters: dict[Place, list[DeadLetter]] = {}

    def check(self, seen: Seen) -> None:
        """Look at one record; cheapest after those who decode it have done so, for then its seal was checked."""
        if seen.record.topic == DeadLetter.topic:
            self._note_letter(seen)
        if not self._is_ours(seen.record.topic) or not self._scope.wants(seen):
            return
        self._verdict.records += 1
        found = [*self._writer(seen), *self._seal(seen)]
        if found:
            self._suspects[seen.record.place] = (seen.record, found)

    def finish(self) -> None:
        """Report every damage that no dead letter explains; count the records that were set aside and are unchanged."""
        for place, letters in self._letters.items():
            if not self._is_ours(place.topic):
                continue
            suspect = self._suspects.get(place)
            if suspect is None:
                self._verdict.dead_letters += any(self._is_wanted(letter) for letter in letters)
            elif any(_is_of(letter, suspect[0]) for letter in letters):
                self._verdict.dead_letters += 1
                del self._suspects[place]
        for _, found in self._suspects.values():
            for damage, is_of_hash in found:
                self._verdict.add_damage(damage, is_of_hash=is_of_hash)

    def _is_ours(self, topic: str) -> bool:
        return self._topics is None or topic in self._topics

    def _note_letter(self, seen: Seen) -> None:
        """Keep a dead letter by the place it names; only one that an agent has decided, in its own name."""
        if seen.text("seq") is None:
            return
        try:
            letter = seen.event.record
        except UndecodableError:
            return  # is damage itself, and excuses nothing
        if isinstance(letter, DeadLetter) and letter.agent == seen.text("agent"):
            place = Place(letter.origin_topic, letter.origin_partition, letter.origin_offset)
            self._letters.setdefault(place, []).append(letter)

    def _is_wanted(self, letter: DeadLetter) -> bool:
        run = self._scope.correlation_id
        return run is None or run.encode() in letter.raw_headers

    def _writer(self, seen: Seen) -> list[tuple[Damage, bool]]:
        """An agent's own topic holds its decisions and nothing else; its chain does not see what others put there."""
        record, producer = seen.record, BY_NAME[seen.record.topic].producer
        agent, seq = seen.text("agent"), seen.text("seq")
        if producer in _OUTSIDERS or (agent == producer and seq is not None):
            return []
        said = f"agent {agent or 'nothing'} and {'no seq' if seq is None else f'seq {seq}'}"
        what = f"a foreign record: expected headers agent {producer} and a seq, was {said}"
        return [(Damage(producer, record.partition, what, str(record.place)), False)]

    def _seal(self, seen: Seen) -> list[tuple[Damage, bool]]:
        try:
            seen.check_seal()
        except SealBrokenError as error:
            writer = seen.text("agent") if seen.text("seq") is not None else None
            return [(Damage(writer or "outside", seen.record.partition, error.what, error.where), True)]
        return []


def _is_of(letter: DeadLetter, record: Incoming) -> bool:
    """Say whether a letter holds the bytes of the record: one that was altered since is not excused by it."""
    kept = (letter.raw_key, letter.raw_value, letter.raw_headers)
    return kept == (record.key, record.value, header_block(record.headers))

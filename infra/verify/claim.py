"""What a claim is: it is shown every record of the log once, and then says what it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from infra.replay.seen import Seen
from schemas.record import Record
from topics.wire import Partition


@dataclass(frozen=True)
class Finding:
    """Something that must not be: what it is, with the values that disagree, and the record that shows it."""

    claim: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.what} ({self.where})"


class Claim:
    """One invariant, under the number it has in the list of guarantees.

    `of` are the records it looks at; `checked` counts what it has compared.
    """

    name: ClassVar[str]
    says: ClassVar[str]
    of: ClassVar[tuple[type[Record], ...]]

    def __init__(self) -> None:
        self.checked = 0
        self._found: list[Finding] = []

    def add(self, record: Record, seen: Seen) -> None:
        """Take in a record; those of one partition come in order, topics one after the other."""
        raise NotImplementedError

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Compare what could not be compared before; what lies behind `settled` may still be under way."""

    @property
    def findings(self) -> Iterator[Finding]:
        """What was found, in the order of the log."""
        return iter(self._found)

    def broken(self, what: str, where: object) -> None:
        """Note something that must not be."""
        self._found.append(Finding(self.name, what, str(where)))


def is_settled(seen: Seen, settled: Mapping[Partition, int]) -> bool:
    """Say whether all that follows from a record had been written when the log was looked at."""
    return seen.record.offset < settled.get(seen.where, 0)

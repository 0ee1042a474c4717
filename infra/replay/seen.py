"""One record of the log as a replay handles it: decoded at most once, for all who read it."""

from infra.runtime.recovery import LogDamagedError
from topics.codec import Event, UndecodableError, decode
from topics.wire import Incoming, Partition, Place, record_hash


class SealBrokenError(LogDamagedError):
    """A record is not what its own header says it was."""


class Seen:
    """A record, where it lies, its headers by name (the first of a name counts), and its event once asked for."""

    __slots__ = ("_event", "_hash", "_is_sealed", "headers", "record", "where")

    def __init__(self, record: Incoming) -> None:
        self.record = record
        self.where: Partition = (record.topic, record.partition)
        self.headers: dict[str, bytes] = dict(reversed(record.headers))
        self._event: Event | UndecodableError | None = None
        self._hash: str | None = None
        self._is_sealed = False

    def is_at(self, place: Place) -> bool:
        """Say whether it lies there."""
        record = self.record
        return (record.offset, record.topic, record.partition) == (place.offset, place.topic, place.partition)

    def text(self, name: str) -> str | None:
        """Return a header as text, or None when it is absent; bytes that are no UTF-8 become U+FFFD."""
        value = self.headers.get(name)
        return None if value is None else value.decode(errors="replace")

    @property
    def event(self) -> Event:
        """The decoded record; raises UndecodableError each time it is asked of a record that cannot be read."""
        if self._event is None:
            try:
                self._event = decode(self.record, is_sealed=self._is_sealed)
            except UndecodableError as error:
                self._event = error
        if isinstance(self._event, UndecodableError):
            raise self._event.with_traceback(None)
        return self._event

    def know(self, event: Event) -> None:
        """Take over an event whose bytes, under a seal that holds, are this record's: nobody need decode them again."""
        if self._event is None:
            self._event = event

    def check_seal(self) -> None:
        """Raise SealBrokenError, naming both, where the hash is not the one in the record's own header."""
        if self._is_sealed or isinstance(self._event, Event):
            return  # decoding has checked it too
        said = self.text("sha256")
        if self._hash is None:
            self._hash = record_hash(self.record.key, self.record.value, self.record.headers)
        if said != self._hash:
            how = "unsealed" if said is None else "altered"
            raise SealBrokenError(
                f"an {how} record: header sha256 says {said or 'nothing'}, the record has {self._hash}",
                where=str(self.record.place),
            )
        self._is_sealed = True

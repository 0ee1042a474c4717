"""What the stories of the projection are told with: a log in memory, and an example of every record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from inspect import isclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime

from infra.postgres.projection import Read
from schemas.identity import derived
from schemas.ledger import CASH, STREET, SYSTEM, EntryKind, LedgerEntry, Posting
from schemas.quantities import Scale
from schemas.record import Envelope, Record, Value
from schemas.run import Mode
from topics.codec import UndecodableError, decode, encode
from topics.partitioning import partition_of
from topics.registry import BY_RECORD
from topics.wire import Headers, Incoming, Standing, identity_headers, sealed, standing_headers

NOON = datetime(2012, 6, 1, 16, 0, tzinfo=UTC)
RUN = derived("run")
ACCOUNT = "paper-1"
ValueT = TypeVar("ValueT", bound=Value)


@dataclass
class Log:
    """A log in memory: what is said in it can be read from it, framed and sealed as on Kafka."""

    partitions: int = 1
    read: list[Read] = field(default_factory=list)
    _next: dict[tuple[str, int], int] = field(default_factory=dict)
    _seq: int = 0

    def say(self, record: Record, *, event_id: UUID | None = None, at: datetime = NOON) -> Read:
        """Append a record as an agent publishes it, and return it as read."""
        topic = BY_RECORD[type(record)]
        self._seq += 1
        identity = event_id or derived("said", topic.name, self._seq)
        envelope = Envelope(event_id=identity, correlation_id=RUN, causation_id=identity, occurred_at=at)
        account = str(getattr(record, "account_id", ""))
        headers = (
            *identity_headers((identity, RUN, identity), type(record).__name__, account, topic.producer),
            *standing_headers(Standing(topic.producer, "v1", self._seq, "0" * 64, "", {}), 0, 1),
        )
        partition = partition_of(account, self.partitions)
        outgoing = sealed(
            topic.name, partition, topic.key_of(record).encode(), encode(topic, envelope, record), headers
        )
        return self.append(outgoing.topic, partition, outgoing.key, outgoing.value, outgoing.headers)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Read:
        """Append bytes, readable or not, and return them as read."""
        offset = self._next.get((topic, partition), 0)
        self._next[topic, partition] = offset + 1
        incoming = Incoming(topic, partition, offset, 1_338_566_400_000, key, value, headers)
        self.read.append(decoded(incoming))
        return self.read[-1]

    def skip_offset(self, topic: str, partition: int = 0) -> None:
        """Let an offset be taken by no record, as a transaction marker does."""
        self._next[topic, partition] = self._next.get((topic, partition), 0) + 1

    @property
    def ends(self) -> dict[tuple[str, int], int]:
        """The next offset of every partition in which something was said."""
        return dict(self._next)

    def incoming(self) -> list[Incoming]:
        """Return every record, undecoded, as a reader of the log gets them."""
        return [incoming for incoming, _ in self.read]


def decoded(incoming: Incoming) -> Read:
    """Return a record as the runtime hands it to the projection."""
    try:
        return incoming, decode(incoming)
    except UndecodableError:
        return incoming, None


def example(model: type[ValueT], *, text: str = "AAPL", **said: object) -> ValueT:
    """Return a record of a type: `said` are its fields that matter, all other texts are `text`."""
    fields = {
        name: said.get(name, _value(info.annotation, tuple(info.metadata), text))
        for name, info in model.model_fields.items()
        if info.annotation is not None
    }
    return model(**fields)


def _value(annotation: Any, metadata: tuple[Any, ...], text: str) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0], (*metadata, *annotation.__metadata__), text)
    if origin in (Union, UnionType):
        return _value(next(each for each in arguments if each is not NoneType), metadata, text)
    if origin is tuple:
        return (_value(arguments[0], (), text),)
    if isclass(annotation) and issubclass(annotation, Value):
        return example(annotation, text=text)
    if isclass(annotation) and issubclass(annotation, StrEnum):
        return next(iter(annotation))
    return _number(metadata) if annotation is Decimal else _PLAIN[annotation](text)


def _number(metadata: tuple[Any, ...]) -> Decimal:
    """Return a number that loses its last digit in a column whose scale is too small."""
    [scale] = [each.digits for each in metadata if isinstance(each, Scale)]
    return Decimal("0.5") + Decimal(1).scaleb(-scale)


_PLAIN: dict[Any, Callable[[str], Any]] = {
    str: lambda text: text,
    int: lambda _: 7,
    bool: lambda _: True,
    bytes: lambda _: b"\x00\xff",
    UUID: lambda text: derived("example", text),
    date: lambda _: NOON.date(),
    AwareDatetime: lambda _: NOON,
}


def blank(model: type[ValueT], **said: object) -> ValueT:
    """Return a record of a type that says nothing but `said`: zeros, empty lists, the first word of every choice."""
    fields = {
        name: said[name] if name in said else _nothing(info.annotation)
        for name, info in model.model_fields.items()
        if info.annotation is not None
    }
    return model(**fields)


def _nothing(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _nothing(arguments[0])
    if origin in (Union, UnionType):
        return None
    if origin is tuple:
        return ()
    if isclass(annotation) and issubclass(annotation, Value):
        return blank(annotation)
    if isclass(annotation) and issubclass(annotation, StrEnum):
        return next(iter(annotation))
    return _NOTHING[annotation]


_NOTHING: dict[Any, Any] = {
    str: "",
    int: 0,
    bool: False,
    Decimal: Decimal(0),
    UUID: derived("nothing"),
    AwareDatetime: NOON,
}


def trade(owner: str, symbol: str, quantity: str, price: str, number: int = 0, account: str = ACCOUNT) -> LedgerEntry:
    """Return the entry of a fill: `owner` gets signed shares and pays for them, the street is the other side."""
    shares, dollars = Decimal(quantity), Decimal(quantity) * Decimal(price)
    changes = ((owner, symbol, shares), (STREET, symbol, -shares), (owner, CASH, -dollars), (STREET, CASH, dollars))
    return entry(EntryKind.FILL, changes, derived("entry", account, number), account, symbol)


def booked(
    kind: EntryKind,
    symbol: str,
    price: str,
    parts: Mapping[str, str],
    number: int = 0,
    *,
    account: str = ACCOUNT,
    modes: Mapping[str, Mode | None] | None = None,
    **said: object,
) -> LedgerEntry:
    """Return the entry of an execution that gives each owner signed shares of a symbol at one price."""
    postings = [
        Posting(owner=owner, mode=(modes or {}).get(owner), commodity=commodity, amount=amount)
        for name, shares in parts.items()
        for owner, sign in ((name, 1), (STREET, -1))
        for commodity, amount in (
            (symbol, sign * Decimal(shares)),
            (CASH, -sign * Decimal(shares) * Decimal(price)),
        )
    ]
    identity = derived("booked", account, number)
    return blank(
        LedgerEntry, account_id=account, entry_id=identity, kind=kind, symbol=symbol, postings=tuple(postings), **said
    )


def moved(
    kind: EntryKind,
    giver: tuple[str, Mode | None],
    receiver: tuple[str, Mode | None],
    amounts: Mapping[str, str],
    number: int = 0,
    *,
    account: str = ACCOUNT,
) -> LedgerEntry:
    """Return the entry of what moves inside the account without a trade: a transfer, or a switch of mode."""
    postings = [
        Posting(owner=owner, mode=mode, commodity=commodity, amount=sign * Decimal(amount))
        for commodity, amount in amounts.items()
        for (owner, mode), sign in ((giver, -1), (receiver, 1))
    ]
    postings.sort(key=lambda each: (each.commodity, each.owner, each.mode or ""))
    identity = derived("moved", kind, account, number)
    return blank(LedgerEntry, account_id=account, entry_id=identity, kind=kind, postings=tuple(postings))


def deposit(amount: str, account: str = ACCOUNT) -> LedgerEntry:
    """Return the entry of a deposit: it belongs to no strategy."""
    changes = ((SYSTEM, CASH, Decimal(amount)), (STREET, CASH, -Decimal(amount)))
    return entry(EntryKind.DEPOSIT, changes, derived("deposit", account, amount), account)


def entry(
    kind: EntryKind,
    changes: tuple[tuple[str, str, Decimal], ...],
    entry_id: UUID,
    account: str = ACCOUNT,
    symbol: str | None = None,
) -> LedgerEntry:
    """Return a ledger entry with these postings: owner, commodity, amount."""
    return example(
        LedgerEntry,
        account_id=account,
        entry_id=entry_id,
        kind=kind,
        symbol=symbol,
        postings=tuple(
            Posting(owner=owner, mode=None, commodity=what, amount=amount) for owner, what, amount in changes
        ),
    )

"""I5, I6: every fill is booked once, and every entry balances."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from infra.replay.seen import Seen
from infra.verify.claim import Claim, is_settled
from schemas.ledger import CASH, STREET, LedgerEntry
from schemas.order import Fill, Side, Venue
from schemas.record import Record
from topics.wire import Partition

ZERO = Decimal(0)


class EveryFillBookedOnce(Claim):
    """Fills of the gateway and entries of the ledger are the same set, with the same shares and dollars."""

    name = "I5 every fill booked once"
    says = "the fills and the ledger's fills are the same set, share by share and dollar by dollar"
    of = (Fill, LedgerEntry)

    def __init__(self) -> None:
        super().__init__()
        self._fills: dict[UUID, tuple[Fill, Seen]] = {}
        self._entries: dict[UUID, tuple[LedgerEntry, Seen]] = {}

    def add(self, record: Record, seen: Seen) -> None:
        """Note a fill or what was booked of one."""
        match record:
            case Fill():
                self.checked += 1
                if record.fill_id in self._fills:
                    self.broken(f"fill {record.fill_id} was said twice", seen.record.place)
                self._fills[record.fill_id] = (record, seen)
            case LedgerEntry(fill_id=UUID() as fill_id):
                if fill_id in self._entries:
                    self.broken(f"fill {fill_id} was booked twice", seen.record.place)
                self._entries[fill_id] = (record, seen)
            case _:
                pass

    def finish(self, settled: Mapping[Partition, int]) -> None:
        """Compare the two sets and what they say."""
        for fill_id, (fill, seen) in self._fills.items():
            booked = self._entries.get(fill_id)
            if booked is None:
                if is_settled(seen, settled):
                    self.broken(f"fill {fill_id} of order {fill.client_order_id} is not booked", seen.record.place)
            elif (said := _moved(fill)) != (found := _booked(booked[0], fill.order.symbol)):
                says, has = (f"{each[0]:f} shares and {each[1]:f} dollars" for each in (said, found))
                self.broken(f"fill {fill_id}: {says}, booked are {has}", booked[1].record.place)
        for fill_id, (_, seen) in self._entries.items():
            if fill_id not in self._fills:
                self.broken(f"the ledger books fill {fill_id}, which nobody has said", seen.record.place)


def _moved(fill: Fill) -> tuple[Decimal, Decimal]:
    """Return shares and dollars that came into the account, both signed; nothing does by a cross."""
    if fill.order.venue is not Venue.BROKER:
        return ZERO, ZERO
    shares = fill.last_qty if fill.order.side is Side.BUY else -fill.last_qty
    return shares, -shares * fill.last_px


def _booked(entry: LedgerEntry, symbol: str) -> tuple[Decimal, Decimal]:
    sums: dict[str, Decimal] = {CASH: ZERO, symbol: ZERO}
    for posting in entry.postings:
        if posting.owner != STREET:
            sums[posting.commodity] = sums.get(posting.commodity, ZERO) + posting.amount
    return sums[symbol], sums[CASH]


class EveryEntryBalances(Claim):
    """The postings of an entry sum to zero in every commodity."""

    name = "I6 every entry balances"
    says = "the postings of every ledger entry sum to zero per commodity"
    of = (LedgerEntry,)

    def add(self, record: Record, seen: Seen) -> None:
        """Sum one entry."""
        if not isinstance(record, LedgerEntry):
            return
        self.checked += 1
        sums: dict[str, Decimal] = {}
        for posting in record.postings:
            sums[posting.commodity] = sums.get(posting.commodity, ZERO) + posting.amount
        for commodity, rest in sums.items():
            if rest:
                self.broken(f"entry {record.entry_id} leaves {rest:f} of {commodity}", seen.record.place)


CLAIMS = (EveryFillBookedOnce, EveryEntryBalances)

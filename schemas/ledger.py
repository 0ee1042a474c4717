"""The books: balanced postings, what each strategy owns, and the books put beside the broker's account."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from schemas.account import SnapshotContent
from schemas.quantities import Money, Quantity
from schemas.record import AccountRecord, Instant, Value
from schemas.run import Mode

SYSTEM = "system"
"""Owner of what belongs to no strategy: deposits, rounding, what the broker rounds."""

MANUAL = "manual"
"""Owner of what was traded by hand at the broker."""

STREET = "street"
"""The other side of every entry: the market, the broker, the bank."""

CASH = "USD"
"""The commodity of cash; every other commodity is a symbol."""


class EntryKind(StrEnum):
    """What a ledger entry books."""

    FILL = "FILL"
    CROSS = "CROSS"
    DEPOSIT = "DEPOSIT"
    OTHER_ACTIVITY = "OTHER_ACTIVITY"
    MANUAL_FILL = "MANUAL_FILL"
    TRANSFER = "TRANSFER"
    MODE_SWITCH = "MODE_SWITCH"
    ROUNDING = "ROUNDING"


class Posting(Value):
    """One change of what one owner has; the postings of an entry sum to zero per commodity."""

    owner: str = Field(description="Strategy id, system, manual, or street.")
    mode: Mode | None = Field(description="How the owner's books are kept; null for system, manual and street.")
    commodity: str = Field(description="USD or a symbol.")
    amount: Money = Field(description="Signed dollars or shares.")


class LedgerEntry(AccountRecord):
    """One fact booked: balanced postings."""

    topic: ClassVar[str] = "ledger-entries.v1"

    entry_id: UUID = Field(description="Derived from the fact it books; booking twice is booking once.")
    kind: EntryKind = Field(description="What is booked.")
    run_id: UUID | None = Field(description="The run of a fill; null for what happens outside runs.")
    plan_id: UUID | None = Field(description="The plan of a fill; null for what happens outside plans.")
    book: str | None = Field(description="The plan line's book: net or a strategy id; null outside plans.")
    symbol: str | None = Field(description="The symbol traded; null for cash only.")
    fill_id: UUID | None = Field(description="The fill that is booked; null for other kinds.")
    client_order_id: str | None = Field(description="The order of the fill; null for other kinds.")
    cum_qty: Quantity | None = Field(
        description="Executed quantity of the order after this fill; null for other kinds."
    )
    transact_time: Instant | None = Field(description="The broker's time of the execution; null for other kinds.")
    activity_id: str | None = Field(description="The broker's activity that is booked; null for fills.")
    detail: str = Field(description="For a person: from which value to which, or why; may be empty.")
    postings: tuple[Posting, ...] = Field(description="What changes, sorted by commodity, owner and mode.")


class Holding(Value):
    """What one strategy owns of one symbol."""

    symbol: str = Field(description="Ticker, upper case.")
    quantity: Quantity = Field(description="Signed shares.")


class StrategyBook(Value):
    """What one strategy owns."""

    strategy_id: str = Field(description="Strategy id, system, or manual.")
    mode: Mode | None = Field(description="How its books are kept; null for system and manual.")
    capital: Money | None = Field(
        description="What a strategy with its own book steers, dollars: cash and holdings at the midpoint, after"
        " transfers; null for others, and while a holding has no price."
    )
    traded_value: Money = Field(
        description="Dollars it has traded at the broker on the day (UTC) of the snapshot, both sides."
    )
    cash: Money = Field(
        description="Sum of its cash postings, dollars; negative while its shares are financed by the account."
    )
    holdings: tuple[Holding, ...] = Field(description="What it holds, sorted by symbol; zero holdings are left out.")


class BooksStatus(StrEnum):
    """Whether a run may be planned on these books."""

    PENDING = "PENDING"
    READY = "READY"
    BLOCKED = "BLOCKED"


class BookDifference(Value):
    """Where the books and the broker disagree."""

    item: str = Field(description="USD or a symbol.")
    ledger: Money = Field(description="What the books say.")
    broker: Money = Field(description="What the broker says.")


class BooksContent(Value):
    """Books and snapshot side by side, carried by value: all that the planner needs."""

    snapshot: SnapshotContent = Field(description="The account as the broker sees it, with what the run wants.")
    strategies: tuple[StrategyBook, ...] = Field(description="The books, sorted by strategy_id.")


class Books(AccountRecord):
    """Own books put beside the broker's account for one run."""

    topic: ClassVar[str] = "books.v1"

    run_id: UUID = Field(description="The run.")
    status: BooksStatus = Field(description="PENDING while fills of ended orders are missing, READY, or BLOCKED.")
    detail: str = Field(description="Why it is pending or blocked, or why no capital was given; else empty.")
    differences: tuple[BookDifference, ...] = Field(description="Where books and broker disagree, sorted by item.")
    content: BooksContent = Field(description="Books and snapshot.")

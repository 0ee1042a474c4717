"""The books: entries with their postings, the account as the broker sees it, and both put beside each other."""

from infra.postgres.table import Facts, Parts, Rows, Said
from schemas.account import AccountActivity, AccountSnapshot
from schemas.ledger import Books, LedgerEntry

LEDGER_ENTRIES = Facts(
    "ledger_entries",
    "account_id entry_id kind run_id plan_id symbol fill_id client_order_id cum_qty activity_id",
)
LEDGER_POSTINGS = Parts(
    "ledger_postings",
    whole=LEDGER_ENTRIES,
    identity="entry_id",
    key="entry_id account_id kind",
    fields="owner commodity amount",
)

ACCOUNT_SNAPSHOTS = Facts(
    "account_snapshots",
    "account_id run_id status detail content.taken_at content.cash content.equity",
)
SNAPSHOT_POSITIONS = Parts(
    "snapshot_positions",
    whole=ACCOUNT_SNAPSHOTS,
    identity="event_id",
    key="event_id account_id run_id",
    fields="symbol quantity",
)
QUOTES = Parts(
    "quotes",
    whole=ACCOUNT_SNAPSHOTS,
    identity="event_id",
    key="event_id account_id run_id taken_at",
    fields="symbol bid ask quoted_at source",
)

ACCOUNT_ACTIVITIES = Facts("account_activities", "account_id activity_id activity_type body")

BOOKS = Facts("books", "account_id run_id status detail")
BOOK_DIFFERENCES = Parts(
    "book_differences",
    whole=BOOKS,
    identity="event_id",
    key="event_id run_id",
    fields="item ledger broker",
)


def ledger_entry(said: Said[LedgerEntry]) -> Rows:
    """One fact booked, and what it changes for whom."""
    whole = LEDGER_ENTRIES.row(said)
    return [whole, *LEDGER_POSTINGS.rows(whole.values, said.record.postings)]


def account_snapshot(said: Said[AccountSnapshot]) -> Rows:
    """The account at one instant, its positions, and the quotes holdings are marked at."""
    whole, content = ACCOUNT_SNAPSHOTS.row(said), said.record.content
    return [
        whole,
        *SNAPSHOT_POSITIONS.rows(whole.values, content.positions),
        *QUOTES.rows(whole.values, content.quotes),
    ]


def account_activity(said: Said[AccountActivity]) -> Rows:
    """What happened in the account outside our orders, raw."""
    return [ACCOUNT_ACTIVITIES.row(said)]


def books(said: Said[Books]) -> Rows:
    """Whether the books equal the broker's account, and where they do not."""
    whole = BOOKS.row(said)
    return [whole, *BOOK_DIFFERENCES.rows(whole.values, said.record.differences)]

"""The books: entries with their postings, the account as the broker sees it, and both put beside each other."""

from infra.postgres.table import Facts, Parts, Row, Rows, Said, inside
from schemas.account import AccountActivity, AccountSnapshot
from schemas.ledger import Books, LedgerEntry

LEDGER_ENTRIES = Facts(
    "ledger_entries",
    "account_id entry_id kind run_id plan_id book symbol fill_id client_order_id cum_qty transact_time activity_id"
    " detail",
)
LEDGER_POSTINGS = Parts(
    "ledger_postings",
    whole=LEDGER_ENTRIES,
    identity="entry_id",
    key="entry_id account_id kind",
    fields="owner mode commodity amount",
)

ACCOUNT_SNAPSHOTS = Facts(
    "account_snapshots",
    "account_id run_id status detail content.taken_at content.cash content.equity content.buying_power"
    " content.initial_margin content.maintenance_margin",
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
SNAPSHOT_INSTRUMENTS = Parts(
    "snapshot_instruments",
    whole=ACCOUNT_SNAPSHOTS,
    identity="event_id",
    key="event_id account_id run_id",
    fields="symbol status detail",
)
SNAPSHOT_ACTIVITIES = Parts(
    "snapshot_activities",
    whole=ACCOUNT_SNAPSHOTS,
    identity="event_id",
    key="event_id account_id run_id",
    fields="activity_id activity_type client_order_id body",
)

ACCOUNT_ACTIVITIES = Facts("account_activities", "account_id activity_id activity_type client_order_id body")

BOOKS = Facts("books", "account_id run_id status detail")
BOOK_DIFFERENCES = Parts(
    "book_differences",
    whole=BOOKS,
    identity="event_id",
    key="event_id run_id",
    fields="item ledger broker",
)
STRATEGY_BOOKS = Parts(
    "strategy_books",
    whole=BOOKS,
    identity="event_id",
    key="event_id account_id run_id",
    fields="strategy_id mode capital traded_value cash",
)
STRATEGY_HOLDINGS = Parts(
    "strategy_holdings",
    whole=BOOKS,
    identity="event_id",
    key="event_id account_id run_id book_ordinal strategy_id",
    fields="symbol quantity",
)


def ledger_entry(said: Said[LedgerEntry]) -> Rows:
    """One fact booked, and what it changes for whom."""
    whole = LEDGER_ENTRIES.row(said)
    return [whole, *LEDGER_POSTINGS.rows(whole.values, said.record.postings)]


def account_snapshot(said: Said[AccountSnapshot]) -> Rows:
    """The account at one instant: its positions, quotes, symbols that cannot be traded, recent activities."""
    whole, content = ACCOUNT_SNAPSHOTS.row(said), said.record.content
    return [
        whole,
        *SNAPSHOT_POSITIONS.rows(whole.values, content.positions),
        *QUOTES.rows(whole.values, content.quotes),
        *SNAPSHOT_INSTRUMENTS.rows(whole.values, content.instruments),
        *SNAPSHOT_ACTIVITIES.rows(whole.values, content.activities),
    ]


def account_activity(said: Said[AccountActivity]) -> Rows:
    """What happened in the account outside our orders, raw."""
    return [ACCOUNT_ACTIVITIES.row(said)]


def books(said: Said[Books]) -> Rows:
    """Whether the books equal the broker's account, where they do not, and what each strategy owns."""
    whole, owned = BOOKS.row(said), said.record.content.strategies
    rows: list[Row] = [whole, *BOOK_DIFFERENCES.rows(whole.values, said.record.differences)]
    for row, book in zip(STRATEGY_BOOKS.rows(whole.values, owned), owned, strict=True):
        rows += [row, *STRATEGY_HOLDINGS.rows(inside(row, "book_ordinal"), book.holdings)]
    return rows

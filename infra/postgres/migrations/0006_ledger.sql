-- The books, and the account as the broker sees it.

CREATE TABLE ledger_entries (
    account_id text NOT NULL,
    entry_id uuid NOT NULL,
    kind text NOT NULL,
    run_id uuid,
    plan_id uuid,
    book text,
    symbol text,
    fill_id uuid,
    client_order_id text,
    cum_qty numeric(38, 9),
    transact_time timestamptz,
    activity_id text,
    detail text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (entry_id)
);
CREATE INDEX ON ledger_entries (run_id);
CREATE INDEX ON ledger_entries (plan_id);
CREATE INDEX ON ledger_entries (client_order_id);
COMMENT ON TABLE ledger_entries IS 'One fact booked; its postings are in ledger_postings.';
COMMENT ON COLUMN ledger_entries.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN ledger_entries.entry_id IS 'Derived from the fact it books; booking twice is booking once.';
COMMENT ON COLUMN ledger_entries.kind IS 'What is booked.';
COMMENT ON COLUMN ledger_entries.run_id IS 'The run of a fill; null for what happens outside runs.';
COMMENT ON COLUMN ledger_entries.plan_id IS 'The plan of a fill; null for what happens outside plans.';
COMMENT ON COLUMN ledger_entries.book IS 'The plan line''s book: net or a strategy id; null outside plans.';
COMMENT ON COLUMN ledger_entries.symbol IS 'The symbol traded; null for cash only.';
COMMENT ON COLUMN ledger_entries.fill_id IS 'The fill that is booked; null for other kinds.';
COMMENT ON COLUMN ledger_entries.client_order_id IS 'The order of the fill; null for other kinds.';
COMMENT ON COLUMN ledger_entries.cum_qty IS 'Executed quantity of the order after this fill; null for other kinds.';
COMMENT ON COLUMN ledger_entries.transact_time IS 'The broker''s time of the execution; null for other kinds.';
COMMENT ON COLUMN ledger_entries.activity_id IS 'The broker''s activity that is booked; null for fills.';
COMMENT ON COLUMN ledger_entries.detail IS 'For a person: from which value to which, or why; may be empty.';
COMMENT ON COLUMN ledger_entries.partition IS 'Partition of ledger-entries.v1 the row comes from.';
COMMENT ON COLUMN ledger_entries."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN ledger_entries.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN ledger_entries.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE ledger_postings (
    entry_id uuid NOT NULL,
    account_id text NOT NULL,
    kind text NOT NULL,
    ordinal bigint NOT NULL,
    owner text NOT NULL,
    mode text,
    commodity text NOT NULL,
    amount numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (entry_id, ordinal)
);
CREATE INDEX ON ledger_postings (account_id, owner, commodity);
COMMENT ON TABLE ledger_postings IS
    'One change of what one owner has; the postings of an entry sum to zero per commodity.';
COMMENT ON COLUMN ledger_postings.entry_id IS 'Derived from the fact it books; booking twice is booking once.';
COMMENT ON COLUMN ledger_postings.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN ledger_postings.kind IS 'What is booked.';
COMMENT ON COLUMN ledger_postings.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN ledger_postings.owner IS 'Strategy id, system, manual, or street.';
COMMENT ON COLUMN ledger_postings.mode IS 'How the owner''s books are kept; null for system, manual and street.';
COMMENT ON COLUMN ledger_postings.commodity IS 'USD or a symbol.';
COMMENT ON COLUMN ledger_postings.amount IS 'Signed dollars or shares.';
COMMENT ON COLUMN ledger_postings.partition IS 'Partition of ledger-entries.v1 the row comes from.';
COMMENT ON COLUMN ledger_postings."offset" IS 'Offset of the record in that partition.';

CREATE TABLE account_snapshots (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    detail text NOT NULL,
    taken_at timestamptz NOT NULL,
    cash numeric(38, 15) NOT NULL,
    equity numeric(38, 15) NOT NULL,
    buying_power numeric(38, 15) NOT NULL,
    initial_margin numeric(38, 15) NOT NULL,
    maintenance_margin numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON account_snapshots (run_id);
COMMENT ON TABLE account_snapshots IS 'The account, read once for one run, after everything older was cleared.';
COMMENT ON COLUMN account_snapshots.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN account_snapshots.run_id IS 'The run.';
COMMENT ON COLUMN account_snapshots.status IS 'READ or FAILED.';
COMMENT ON COLUMN account_snapshots.detail IS 'What the broker said when it failed; else empty.';
COMMENT ON COLUMN account_snapshots.taken_at IS 'The broker agent''s clock when the reads were complete.';
COMMENT ON COLUMN account_snapshots.cash IS 'Cash as the broker states it, dollars.';
COMMENT ON COLUMN account_snapshots.equity IS 'Equity as the broker states it, dollars.';
COMMENT ON COLUMN account_snapshots.buying_power IS 'Buying power as the broker states it, dollars.';
COMMENT ON COLUMN account_snapshots.initial_margin IS 'Initial margin as the broker states it, dollars.';
COMMENT ON COLUMN account_snapshots.maintenance_margin IS 'Maintenance margin as the broker states it, dollars.';
COMMENT ON COLUMN account_snapshots.partition IS 'Partition of account-snapshots.v1 the row comes from.';
COMMENT ON COLUMN account_snapshots."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN account_snapshots.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN account_snapshots.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE snapshot_positions (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    quantity numeric(38, 9) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
COMMENT ON TABLE snapshot_positions IS 'What the broker held of one symbol when the account was read.';
COMMENT ON COLUMN snapshot_positions.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN snapshot_positions.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN snapshot_positions.run_id IS 'The run.';
COMMENT ON COLUMN snapshot_positions.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN snapshot_positions.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN snapshot_positions.quantity IS 'Signed shares.';
COMMENT ON COLUMN snapshot_positions.partition IS 'Partition of account-snapshots.v1 the row comes from.';
COMMENT ON COLUMN snapshot_positions."offset" IS 'Offset of the record in that partition.';

CREATE TABLE quotes (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    bid numeric(38, 6) NOT NULL,
    ask numeric(38, 6) NOT NULL,
    quoted_at timestamptz NOT NULL,
    source text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON quotes (account_id, symbol, "offset");
COMMENT ON TABLE quotes IS
    'The best bid and offer of one symbol when the account was read; holdings are marked at them.';
COMMENT ON COLUMN quotes.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN quotes.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN quotes.run_id IS 'The run.';
COMMENT ON COLUMN quotes.taken_at IS 'The broker agent''s clock when the reads were complete.';
COMMENT ON COLUMN quotes.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN quotes.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN quotes.bid IS 'Best bid, dollars; 0 = none.';
COMMENT ON COLUMN quotes.ask IS 'Best offer, dollars; 0 = none.';
COMMENT ON COLUMN quotes.quoted_at IS 'The venue''s time of the quote.';
COMMENT ON COLUMN quotes.source IS 'Feed the quote came from.';
COMMENT ON COLUMN quotes.partition IS 'Partition of account-snapshots.v1 the row comes from.';
COMMENT ON COLUMN quotes."offset" IS 'Offset of the record in that partition.';

CREATE TABLE snapshot_instruments (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    status text NOT NULL,
    detail text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON snapshot_instruments (run_id, symbol);
COMMENT ON TABLE snapshot_instruments IS 'A symbol that could not be traded when the account was read, and why.';
COMMENT ON COLUMN snapshot_instruments.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN snapshot_instruments.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN snapshot_instruments.run_id IS 'The run.';
COMMENT ON COLUMN snapshot_instruments.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN snapshot_instruments.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN snapshot_instruments.status IS 'HALTED, or NOT_TRADABLE: inactive, delisted or unknown.';
COMMENT ON COLUMN snapshot_instruments.detail IS 'What was said of it, for a person.';
COMMENT ON COLUMN snapshot_instruments.partition IS 'Partition of account-snapshots.v1 the row comes from.';
COMMENT ON COLUMN snapshot_instruments."offset" IS 'Offset of the record in that partition.';

CREATE TABLE snapshot_activities (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    activity_id text NOT NULL,
    activity_type text NOT NULL,
    client_order_id text,
    body text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON snapshot_activities (account_id, activity_id);
COMMENT ON TABLE snapshot_activities IS
    'A recent activity of the account when it was read, executions of our own orders aside; raw.';
COMMENT ON COLUMN snapshot_activities.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN snapshot_activities.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN snapshot_activities.run_id IS 'The run.';
COMMENT ON COLUMN snapshot_activities.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN snapshot_activities.activity_id IS 'The broker''s own id of the activity.';
COMMENT ON COLUMN snapshot_activities.activity_type IS 'The broker''s own word: CSD, FEE, DIV, FILL, ...';
COMMENT ON COLUMN snapshot_activities.client_order_id IS
    'Of an execution that is not of our orders: the order''s client order id; null for all others.';
COMMENT ON COLUMN snapshot_activities.body IS 'The activity as the broker sent it, JSON.';
COMMENT ON COLUMN snapshot_activities.partition IS 'Partition of account-snapshots.v1 the row comes from.';
COMMENT ON COLUMN snapshot_activities."offset" IS 'Offset of the record in that partition.';

CREATE TABLE account_activities (
    account_id text NOT NULL,
    activity_id text NOT NULL,
    activity_type text NOT NULL,
    client_order_id text,
    body text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, activity_id)
);
COMMENT ON TABLE account_activities IS 'Something that happened in the account outside our orders, raw.';
COMMENT ON COLUMN account_activities.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN account_activities.activity_id IS 'The broker''s own id of the activity.';
COMMENT ON COLUMN account_activities.activity_type IS 'The broker''s own word: CSD, FEE, DIV, ...';
COMMENT ON COLUMN account_activities.client_order_id IS
    'Of an execution that is not of our orders: the order''s client order id; null for all others.';
COMMENT ON COLUMN account_activities.body IS 'The activity as the broker sent it, JSON.';
COMMENT ON COLUMN account_activities.partition IS 'Partition of account-activities.v1 the row comes from.';
COMMENT ON COLUMN account_activities."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN account_activities.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN account_activities.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE books (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    detail text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON books (run_id);
COMMENT ON TABLE books IS 'Own books put beside the broker''s account for one run.';
COMMENT ON COLUMN books.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN books.run_id IS 'The run.';
COMMENT ON COLUMN books.status IS 'PENDING while fills of ended orders are missing, READY, or BLOCKED.';
COMMENT ON COLUMN books.detail IS 'Why it is pending or blocked; else empty.';
COMMENT ON COLUMN books.partition IS 'Partition of books.v1 the row comes from.';
COMMENT ON COLUMN books."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN books.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN books.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE book_differences (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    item text NOT NULL,
    ledger numeric(38, 15) NOT NULL,
    broker numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
COMMENT ON TABLE book_differences IS 'Where the books and the broker disagree.';
COMMENT ON COLUMN book_differences.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN book_differences.run_id IS 'The run.';
COMMENT ON COLUMN book_differences.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN book_differences.item IS 'USD or a symbol.';
COMMENT ON COLUMN book_differences.ledger IS 'What the books say.';
COMMENT ON COLUMN book_differences.broker IS 'What the broker says.';
COMMENT ON COLUMN book_differences.partition IS 'Partition of books.v1 the row comes from.';
COMMENT ON COLUMN book_differences."offset" IS 'Offset of the record in that partition.';

CREATE TABLE strategy_books (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    mode text,
    capital numeric(38, 15),
    traded_value numeric(38, 15) NOT NULL,
    cash numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON strategy_books (run_id);
COMMENT ON TABLE strategy_books IS 'What one strategy owned when the books were put beside the account.';
COMMENT ON COLUMN strategy_books.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN strategy_books.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN strategy_books.run_id IS 'The run.';
COMMENT ON COLUMN strategy_books.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN strategy_books.strategy_id IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN strategy_books.mode IS 'How its books are kept; null for system and manual.';
COMMENT ON COLUMN strategy_books.capital IS
    'What a strategy with its own book steers, dollars; null for others, and where a price is missing.';
COMMENT ON COLUMN strategy_books.traded_value IS
    'Dollars it has traded at the broker on the day (UTC) of the snapshot, both sides.';
COMMENT ON COLUMN strategy_books.cash IS
    'Sum of its cash postings, dollars; negative while its shares are financed by the account.';
COMMENT ON COLUMN strategy_books.partition IS 'Partition of books.v1 the row comes from.';
COMMENT ON COLUMN strategy_books."offset" IS 'Offset of the record in that partition.';

CREATE TABLE strategy_holdings (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    book_ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    quantity numeric(38, 9) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, book_ordinal, ordinal)
);
CREATE INDEX ON strategy_holdings (run_id);
COMMENT ON TABLE strategy_holdings IS 'What one strategy held of one symbol then.';
COMMENT ON COLUMN strategy_holdings.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN strategy_holdings.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN strategy_holdings.run_id IS 'The run.';
COMMENT ON COLUMN strategy_holdings.book_ordinal IS 'The book''s ordinal in strategy_books.';
COMMENT ON COLUMN strategy_holdings.strategy_id IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN strategy_holdings.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN strategy_holdings.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN strategy_holdings.quantity IS 'Signed shares.';
COMMENT ON COLUMN strategy_holdings.partition IS 'Partition of books.v1 the row comes from.';
COMMENT ON COLUMN strategy_holdings."offset" IS 'Offset of the record in that partition.';

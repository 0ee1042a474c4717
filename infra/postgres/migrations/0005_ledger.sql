-- The books, and the account as the broker sees it.

CREATE TABLE ledger_entries (
    account_id text NOT NULL,
    entry_id uuid NOT NULL,
    kind text NOT NULL,
    run_id uuid,
    plan_id uuid,
    symbol text,
    fill_id uuid,
    client_order_id text,
    cum_qty numeric(38, 9),
    activity_id text,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (entry_id)
);
CREATE INDEX ON ledger_entries (run_id);
CREATE INDEX ON ledger_entries (client_order_id);
COMMENT ON TABLE ledger_entries IS 'One fact booked; its postings are in ledger_postings.';
COMMENT ON COLUMN ledger_entries.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN ledger_entries.entry_id IS 'Derived from the fact it books; booking twice is booking once.';
COMMENT ON COLUMN ledger_entries.kind IS 'What is booked.';
COMMENT ON COLUMN ledger_entries.run_id IS 'The run of a fill; null for what happens outside runs.';
COMMENT ON COLUMN ledger_entries.plan_id IS 'The plan of a fill; null for what happens outside plans.';
COMMENT ON COLUMN ledger_entries.symbol IS 'The symbol traded; null for cash only.';
COMMENT ON COLUMN ledger_entries.fill_id IS 'The fill that is booked; null for other kinds.';
COMMENT ON COLUMN ledger_entries.client_order_id IS 'The order of the fill; null for other kinds.';
COMMENT ON COLUMN ledger_entries.cum_qty IS 'Executed quantity of the order after this fill; null for other kinds.';
COMMENT ON COLUMN ledger_entries.activity_id IS 'The broker''s activity that is booked; null for fills.';
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
COMMENT ON COLUMN ledger_postings.owner IS 'Strategy id, system, or street.';
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

CREATE TABLE account_activities (
    account_id text NOT NULL,
    activity_id text NOT NULL,
    activity_type text NOT NULL,
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

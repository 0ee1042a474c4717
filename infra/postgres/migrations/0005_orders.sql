-- Orders, what the broker said, and fills.

CREATE TABLE order_intents (
    account_id text NOT NULL,
    client_order_id text NOT NULL,
    action text NOT NULL,
    intent_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    run_id uuid NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    order_qty numeric(38, 9) NOT NULL,
    ord_type text NOT NULL,
    time_in_force text NOT NULL,
    venue text NOT NULL,
    leg bigint NOT NULL,
    step bigint NOT NULL,
    phase text NOT NULL,
    valid_until timestamptz NOT NULL,
    reference_price numeric(38, 6) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON order_intents (client_order_id);
CREATE INDEX ON order_intents (plan_id);
COMMENT ON TABLE order_intents IS 'Before the gate: submit, cancel or cross.';
COMMENT ON COLUMN order_intents.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN order_intents.client_order_id IS 'Derived from the intent: a retry is the same order.';
COMMENT ON COLUMN order_intents.action IS 'SUBMIT, CANCEL or CROSS.';
COMMENT ON COLUMN order_intents.intent_id IS 'Derived from plan, book, symbol, leg and step.';
COMMENT ON COLUMN order_intents.plan_id IS 'The plan.';
COMMENT ON COLUMN order_intents.run_id IS 'The run.';
COMMENT ON COLUMN order_intents.book IS 'The plan line''s book: net or a strategy id.';
COMMENT ON COLUMN order_intents.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN order_intents.side IS 'BUY or SELL; BUY for a cross.';
COMMENT ON COLUMN order_intents.order_qty IS 'Shares, unsigned.';
COMMENT ON COLUMN order_intents.ord_type IS 'MARKET.';
COMMENT ON COLUMN order_intents.time_in_force IS 'DAY.';
COMMENT ON COLUMN order_intents.venue IS 'BROKER or INTERNAL.';
COMMENT ON COLUMN order_intents.leg IS '0 the cross, 1 the reducing order of the plan line, 2 the increasing one.';
COMMENT ON COLUMN order_intents.step IS 'Which try of the leg after a cancel, from 1.';
COMMENT ON COLUMN order_intents.phase IS 'CROSSES, REDUCING or INCREASING.';
COMMENT ON COLUMN order_intents.valid_until IS 'Not sent after this instant.';
COMMENT ON COLUMN order_intents.reference_price IS 'Midpoint of the recorded quote; the price of a cross.';
COMMENT ON COLUMN order_intents.partition IS 'Partition of order-intents.v1 the row comes from.';
COMMENT ON COLUMN order_intents."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN order_intents.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_intents.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE order_contributions (
    event_id uuid NOT NULL,
    client_order_id text NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    side text NOT NULL,
    quantity numeric(38, 9) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON order_contributions (client_order_id);
COMMENT ON TABLE order_contributions IS 'One strategy''s part in an order.';
COMMENT ON COLUMN order_contributions.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_contributions.client_order_id IS 'Derived from the intent: a retry is the same order.';
COMMENT ON COLUMN order_contributions.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN order_contributions.strategy_id IS 'The strategy.';
COMMENT ON COLUMN order_contributions.side IS 'Its side; differs from the order''s only in a cross.';
COMMENT ON COLUMN order_contributions.quantity IS 'Shares, unsigned.';
COMMENT ON COLUMN order_contributions.partition IS 'Partition of order-intents.v1 the row comes from.';
COMMENT ON COLUMN order_contributions."offset" IS 'Offset of the record in that partition.';

CREATE TABLE order_events (
    account_id text NOT NULL,
    client_order_id text NOT NULL,
    broker_order_id text,
    exec_type text NOT NULL,
    ord_status text NOT NULL,
    cum_qty numeric(38, 9) NOT NULL,
    leaves_qty numeric(38, 9) NOT NULL,
    last_qty numeric(38, 9),
    last_px numeric(38, 6),
    attempt bigint NOT NULL,
    reason text NOT NULL,
    transact_time timestamptz,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON order_events (client_order_id);
COMMENT ON TABLE order_events IS 'What became of an order, step by step.';
COMMENT ON COLUMN order_events.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN order_events.client_order_id IS 'The order.';
COMMENT ON COLUMN order_events.broker_order_id IS 'The broker''s own id; null before it is known.';
COMMENT ON COLUMN order_events.exec_type IS 'What happened.';
COMMENT ON COLUMN order_events.ord_status IS 'Where the order stands after it.';
COMMENT ON COLUMN order_events.cum_qty IS 'Executed quantity so far, shares.';
COMMENT ON COLUMN order_events.leaves_qty IS 'order_qty minus cum_qty, 0 once the order has ended.';
COMMENT ON COLUMN order_events.last_qty IS 'Executed by this event; null unless TRADE.';
COMMENT ON COLUMN order_events.last_px IS 'Price of this execution; null unless TRADE.';
COMMENT ON COLUMN order_events.attempt IS 'How often this order was handed to the broker, from 1; 0 = never.';
COMMENT ON COLUMN order_events.reason IS 'Why: a refusal''s check, the broker''s message; else empty.';
COMMENT ON COLUMN order_events.transact_time IS 'The broker''s time of the event; null when it has none.';
COMMENT ON COLUMN order_events.partition IS 'Partition of order-events.v1 the row comes from.';
COMMENT ON COLUMN order_events."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN order_events.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_events.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE orders (
    account_id text NOT NULL,
    client_order_id text NOT NULL,
    broker_order_id text,
    exec_type text NOT NULL,
    ord_status text NOT NULL,
    cum_qty numeric(38, 9) NOT NULL,
    leaves_qty numeric(38, 9) NOT NULL,
    last_qty numeric(38, 9),
    last_px numeric(38, 6),
    attempt bigint NOT NULL,
    reason text NOT NULL,
    transact_time timestamptz,
    intent_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    run_id uuid NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    order_qty numeric(38, 9) NOT NULL,
    ord_type text NOT NULL,
    time_in_force text NOT NULL,
    venue text NOT NULL,
    leg bigint NOT NULL,
    step bigint NOT NULL,
    phase text NOT NULL,
    valid_until timestamptz NOT NULL,
    reference_price numeric(38, 6) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (client_order_id)
);
CREATE INDEX ON orders (plan_id);
CREATE INDEX ON orders (symbol);
COMMENT ON TABLE orders IS 'Where every order stands now: its last order event.';
COMMENT ON COLUMN orders.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN orders.client_order_id IS 'The order.';
COMMENT ON COLUMN orders.broker_order_id IS 'The broker''s own id; null before it is known.';
COMMENT ON COLUMN orders.exec_type IS 'What happened.';
COMMENT ON COLUMN orders.ord_status IS 'Where the order stands after it.';
COMMENT ON COLUMN orders.cum_qty IS 'Executed quantity so far, shares.';
COMMENT ON COLUMN orders.leaves_qty IS 'order_qty minus cum_qty, 0 once the order has ended.';
COMMENT ON COLUMN orders.last_qty IS 'Executed by this event; null unless TRADE.';
COMMENT ON COLUMN orders.last_px IS 'Price of this execution; null unless TRADE.';
COMMENT ON COLUMN orders.attempt IS 'How often this order was handed to the broker, from 1; 0 = never.';
COMMENT ON COLUMN orders.reason IS 'Why: a refusal''s check, the broker''s message; else empty.';
COMMENT ON COLUMN orders.transact_time IS 'The broker''s time of the event; null when it has none.';
COMMENT ON COLUMN orders.intent_id IS 'Derived from plan, book, symbol, leg and step.';
COMMENT ON COLUMN orders.plan_id IS 'The plan.';
COMMENT ON COLUMN orders.run_id IS 'The run.';
COMMENT ON COLUMN orders.book IS 'The plan line''s book: net or a strategy id.';
COMMENT ON COLUMN orders.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN orders.side IS 'BUY or SELL; BUY for a cross.';
COMMENT ON COLUMN orders.order_qty IS 'Shares, unsigned.';
COMMENT ON COLUMN orders.ord_type IS 'MARKET.';
COMMENT ON COLUMN orders.time_in_force IS 'DAY.';
COMMENT ON COLUMN orders.venue IS 'BROKER or INTERNAL.';
COMMENT ON COLUMN orders.leg IS '0 the cross, 1 the reducing order of the plan line, 2 the increasing one.';
COMMENT ON COLUMN orders.step IS 'Which try of the leg after a cancel, from 1.';
COMMENT ON COLUMN orders.phase IS 'CROSSES, REDUCING or INCREASING.';
COMMENT ON COLUMN orders.valid_until IS 'Not sent after this instant.';
COMMENT ON COLUMN orders.reference_price IS 'Midpoint of the recorded quote; the price of a cross.';
COMMENT ON COLUMN orders.partition IS 'Partition of order-events.v1 the row comes from.';
COMMENT ON COLUMN orders."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN orders.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN orders.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE broker_reports (
    account_id text NOT NULL,
    report_id uuid NOT NULL,
    client_order_id text NOT NULL,
    kind text NOT NULL,
    request text NOT NULL,
    attempt bigint NOT NULL,
    http_status bigint,
    body text NOT NULL,
    error text NOT NULL,
    received_at timestamptz NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (report_id)
);
CREATE INDEX ON broker_reports (client_order_id);
COMMENT ON TABLE broker_reports IS 'What the broker said about an order, raw.';
COMMENT ON COLUMN broker_reports.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN broker_reports.report_id IS 'Derived from the outside''s own id of what it says.';
COMMENT ON COLUMN broker_reports.client_order_id IS 'The order; empty when the broker names none.';
COMMENT ON COLUMN broker_reports.kind IS 'ANSWER, STREAM, READ or SILENCE.';
COMMENT ON COLUMN broker_reports.request IS 'What had been asked.';
COMMENT ON COLUMN broker_reports.attempt IS 'Attempt number of the request; 0 for the stream.';
COMMENT ON COLUMN broker_reports.http_status IS 'HTTP status of an answer; null for the stream and for silence.';
COMMENT ON COLUMN broker_reports.body IS 'The broker''s words, as received.';
COMMENT ON COLUMN broker_reports.error IS 'Why there was no answer; else empty.';
COMMENT ON COLUMN broker_reports.received_at IS 'The broker agent''s clock.';
COMMENT ON COLUMN broker_reports.partition IS 'Partition of broker-reports.v1 the row comes from.';
COMMENT ON COLUMN broker_reports."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN broker_reports.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN broker_reports.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE fills (
    account_id text NOT NULL,
    fill_id uuid NOT NULL,
    exec_id text,
    client_order_id text NOT NULL,
    broker_order_id text,
    last_qty numeric(38, 9) NOT NULL,
    last_px numeric(38, 6) NOT NULL,
    cum_qty numeric(38, 9) NOT NULL,
    leaves_qty numeric(38, 9) NOT NULL,
    transact_time timestamptz NOT NULL,
    plan_id uuid NOT NULL,
    run_id uuid NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL,
    order_qty numeric(38, 9) NOT NULL,
    venue text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (fill_id)
);
CREATE INDEX ON fills (client_order_id);
CREATE INDEX ON fills (plan_id);
CREATE INDEX ON fills (symbol);
COMMENT ON TABLE fills IS 'One execution, crosses included.';
COMMENT ON COLUMN fills.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN fills.fill_id IS 'Derived from the broker''s order id and the cumulative quantity after it.';
COMMENT ON COLUMN fills.exec_id IS 'The broker''s own execution id, recorded beside; null for crosses and reads.';
COMMENT ON COLUMN fills.client_order_id IS 'The order.';
COMMENT ON COLUMN fills.broker_order_id IS 'The broker''s own order id; null for crosses.';
COMMENT ON COLUMN fills.last_qty IS 'Executed shares.';
COMMENT ON COLUMN fills.last_px IS 'Price, dollars per share.';
COMMENT ON COLUMN fills.cum_qty IS 'Executed quantity of the order after this fill.';
COMMENT ON COLUMN fills.leaves_qty IS 'What is left of the order after this fill.';
COMMENT ON COLUMN fills.transact_time IS 'The broker''s time of the execution; the run''s as_of for a cross.';
COMMENT ON COLUMN fills.plan_id IS 'The plan.';
COMMENT ON COLUMN fills.run_id IS 'The run.';
COMMENT ON COLUMN fills.book IS 'The plan line''s book: net or a strategy id.';
COMMENT ON COLUMN fills.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN fills.side IS 'BUY or SELL; BUY for a cross.';
COMMENT ON COLUMN fills.order_qty IS 'Shares, unsigned.';
COMMENT ON COLUMN fills.venue IS 'BROKER or INTERNAL.';
COMMENT ON COLUMN fills.partition IS 'Partition of fills.v1 the row comes from.';
COMMENT ON COLUMN fills."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN fills.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN fills.occurred_at IS 'Time of the record''s cause.';

-- The gate before the broker: limits, halts, refusals with their check, and what the gate saw of the market.

ALTER TABLE run_requests
    ADD COLUMN order_style text NOT NULL DEFAULT 'MARKET',
    ADD COLUMN limit_offset numeric(38, 12) NOT NULL DEFAULT 0,
    ADD COLUMN is_extended_hours boolean NOT NULL DEFAULT false,
    ADD COLUMN steps_max bigint NOT NULL DEFAULT 1,
    ADD COLUMN failed_reducing_max numeric(38, 12);
ALTER TABLE run_requests
    ALTER COLUMN order_style DROP DEFAULT,
    ALTER COLUMN limit_offset DROP DEFAULT,
    ALTER COLUMN is_extended_hours DROP DEFAULT,
    ALTER COLUMN steps_max DROP DEFAULT;
COMMENT ON COLUMN run_requests.order_style IS
    'MARKET; LIMIT at the midpoint; MARKETABLE_LIMIT beyond the far touch by limit_offset.';
COMMENT ON COLUMN run_requests.limit_offset IS
    'Fraction of the price: LIMIT is placed so much worse for the account than the midpoint, MARKETABLE_LIMIT so '
    'much worse than the far touch; 0 with MARKET.';
COMMENT ON COLUMN run_requests.is_extended_hours IS
    'Whether orders may be executed outside the regular session: with a limit and in whole shares only.';
COMMENT ON COLUMN run_requests.steps_max IS
    'How many orders one leg of a line may have: what a cancel from outside left is sent again.';
COMMENT ON COLUMN run_requests.failed_reducing_max IS
    'REDUCING_FAILED: greatest fraction of the value of reducing orders that may fail before increasing ones are '
    'blocked; null = no limit.';

ALTER TABLE runs
    ADD COLUMN order_style text NOT NULL DEFAULT 'MARKET',
    ADD COLUMN limit_offset numeric(38, 12) NOT NULL DEFAULT 0,
    ADD COLUMN is_extended_hours boolean NOT NULL DEFAULT false,
    ADD COLUMN steps_max bigint NOT NULL DEFAULT 1,
    ADD COLUMN failed_reducing_max numeric(38, 12);
ALTER TABLE runs
    ALTER COLUMN order_style DROP DEFAULT,
    ALTER COLUMN limit_offset DROP DEFAULT,
    ALTER COLUMN is_extended_hours DROP DEFAULT,
    ALTER COLUMN steps_max DROP DEFAULT;
COMMENT ON COLUMN runs.order_style IS
    'MARKET; LIMIT at the midpoint; MARKETABLE_LIMIT beyond the far touch by limit_offset.';
COMMENT ON COLUMN runs.limit_offset IS
    'Fraction of the price: LIMIT is placed so much worse for the account than the midpoint, MARKETABLE_LIMIT so '
    'much worse than the far touch; 0 with MARKET.';
COMMENT ON COLUMN runs.is_extended_hours IS
    'Whether orders may be executed outside the regular session: with a limit and in whole shares only.';
COMMENT ON COLUMN runs.steps_max IS
    'How many orders one leg of a line may have: what a cancel from outside left is sent again.';
COMMENT ON COLUMN runs.failed_reducing_max IS
    'REDUCING_FAILED: greatest fraction of the value of reducing orders that may fail before increasing ones are '
    'blocked; null = no limit.';

ALTER TABLE order_intents
    ADD COLUMN line_qty numeric(38, 9) NOT NULL DEFAULT 0,
    ADD COLUMN limit_price numeric(38, 6),
    ADD COLUMN is_extended_hours boolean NOT NULL DEFAULT false;
ALTER TABLE order_intents
    ALTER COLUMN line_qty DROP DEFAULT,
    ALTER COLUMN is_extended_hours DROP DEFAULT;
COMMENT ON COLUMN order_intents.line_qty IS
    'Shares that all broker orders of the plan line may execute together, unsigned.';
COMMENT ON COLUMN order_intents.limit_price IS 'Worst price of a LIMIT order, dollars per share; else null.';
COMMENT ON COLUMN order_intents.is_extended_hours IS 'Whether it may be executed outside the regular session.';
COMMENT ON COLUMN order_intents.ord_type IS 'MARKET or LIMIT.';

ALTER TABLE orders
    ADD COLUMN line_qty numeric(38, 9) NOT NULL DEFAULT 0,
    ADD COLUMN limit_price numeric(38, 6),
    ADD COLUMN is_extended_hours boolean NOT NULL DEFAULT false;
ALTER TABLE orders
    ALTER COLUMN line_qty DROP DEFAULT,
    ALTER COLUMN is_extended_hours DROP DEFAULT;
COMMENT ON COLUMN orders.line_qty IS 'Shares that all broker orders of the plan line may execute together, unsigned.';
COMMENT ON COLUMN orders.limit_price IS 'Worst price of a LIMIT order, dollars per share; else null.';
COMMENT ON COLUMN orders.is_extended_hours IS 'Whether it may be executed outside the regular session.';
COMMENT ON COLUMN orders.ord_type IS 'MARKET or LIMIT.';

ALTER TABLE order_contributions
    ADD COLUMN position numeric(38, 9) NOT NULL DEFAULT 0,
    ADD COLUMN gross_value numeric(38, 15) NOT NULL DEFAULT 0;
ALTER TABLE order_contributions
    ALTER COLUMN position DROP DEFAULT,
    ALTER COLUMN gross_value DROP DEFAULT;
COMMENT ON COLUMN order_contributions.position IS 'What it owned of the symbol before the plan, signed shares.';
COMMENT ON COLUMN order_contributions.gross_value IS
    'What it owned of all symbols before the plan, longs and shorts added up, dollars.';

ALTER TABLE order_events
    ADD COLUMN gross_trade_amt numeric(38, 15) NOT NULL DEFAULT 0,
    ADD COLUMN refusal text;
ALTER TABLE order_events
    ALTER COLUMN gross_trade_amt DROP DEFAULT;
COMMENT ON COLUMN order_events.gross_trade_amt IS
    'Sum of executed quantity times price so far, dollars, unsigned (FIX GrossTradeAmt 381).';
COMMENT ON COLUMN order_events.refusal IS 'The check that refused it; null unless REFUSED.';

ALTER TABLE orders
    ADD COLUMN gross_trade_amt numeric(38, 15) NOT NULL DEFAULT 0,
    ADD COLUMN refusal text;
ALTER TABLE orders
    ALTER COLUMN gross_trade_amt DROP DEFAULT;
COMMENT ON COLUMN orders.gross_trade_amt IS
    'Sum of executed quantity times price so far, dollars, unsigned (FIX GrossTradeAmt 381).';
COMMENT ON COLUMN orders.refusal IS 'The check that refused it; null unless REFUSED.';

CREATE INDEX ON order_events (refusal) WHERE refusal IS NOT NULL;

ALTER TABLE line_outcomes
    ADD COLUMN gross_trade_amt numeric(38, 15) NOT NULL DEFAULT 0;
ALTER TABLE line_outcomes
    ALTER COLUMN gross_trade_amt DROP DEFAULT;
COMMENT ON COLUMN line_outcomes.gross_trade_amt IS
    'Sum of executed quantity times price at the broker, dollars, unsigned (FIX GrossTradeAmt 381).';

CREATE TABLE pre_trade_checks (
    account_id text NOT NULL,
    client_order_id text NOT NULL,
    attempt bigint NOT NULL,
    read_at timestamptz NOT NULL,
    bid numeric(38, 6) NOT NULL,
    ask numeric(38, 6) NOT NULL,
    quoted_at timestamptz NOT NULL,
    position numeric(38, 9) NOT NULL,
    worst_price numeric(38, 6) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON pre_trade_checks (client_order_id);
COMMENT ON TABLE pre_trade_checks IS 'What the gate saw of the market and the account when it let an order pass.';
COMMENT ON COLUMN pre_trade_checks.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN pre_trade_checks.client_order_id IS 'The order.';
COMMENT ON COLUMN pre_trade_checks.attempt IS 'How often this order was handed to the broker, from 1; 0 = never.';
COMMENT ON COLUMN pre_trade_checks.read_at IS 'The broker agent''s clock before the reads.';
COMMENT ON COLUMN pre_trade_checks.bid IS 'Best bid, dollars per share.';
COMMENT ON COLUMN pre_trade_checks.ask IS 'Best offer, dollars per share.';
COMMENT ON COLUMN pre_trade_checks.quoted_at IS 'Time of the quote.';
COMMENT ON COLUMN pre_trade_checks.position IS 'The account''s position in the symbol at the broker, signed shares.';
COMMENT ON COLUMN pre_trade_checks.worst_price IS
    'Dollars per share the order is counted at until it has ended: its limit, or the far touch and the collar on '
    'top.';
COMMENT ON COLUMN pre_trade_checks.partition IS 'Partition of order-events.v1 the row comes from.';
COMMENT ON COLUMN pre_trade_checks."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN pre_trade_checks.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN pre_trade_checks.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE order_limits (
    account_id text NOT NULL,
    request_id text NOT NULL,
    requested_by text NOT NULL,
    order_qty_max numeric(38, 9),
    order_notional_max numeric(38, 15),
    price_collar numeric(38, 12),
    quote_age_max_s bigint NOT NULL,
    position_value_max numeric(38, 15),
    gross_value_max numeric(38, 15),
    orders_per_second_max bigint,
    orders_per_minute_max bigint,
    orders_per_day_max bigint,
    open_orders_max bigint,
    duplicate_window_s bigint,
    symbols_allowed text[],
    session text NOT NULL,
    daily_loss_max numeric(38, 15),
    unknown_age_max_s bigint NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON order_limits (account_id);
COMMENT ON TABLE order_limits IS 'The limits of an account at the gate, from this record on.';
COMMENT ON COLUMN order_limits.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN order_limits.request_id IS 'The request.';
COMMENT ON COLUMN order_limits.requested_by IS 'Who asked.';
COMMENT ON COLUMN order_limits.order_qty_max IS 'Greatest quantity of one order, shares; null = no limit.';
COMMENT ON COLUMN order_limits.order_notional_max IS
    'Greatest value of one order at its worst price, dollars; null = no limit.';
COMMENT ON COLUMN order_limits.price_collar IS
    'PRICE_COLLAR: greatest distance of the fresh quote, and of a limit price, from the price the plan was made '
    'at, as a fraction of that price; null = no limit.';
COMMENT ON COLUMN order_limits.quote_age_max_s IS 'QUOTE_STALE: oldest fresh quote, seconds.';
COMMENT ON COLUMN order_limits.position_value_max IS
    'Greatest value of the account''s position in one symbol, dollars; null = no limit.';
COMMENT ON COLUMN order_limits.gross_value_max IS
    'Greatest value of all positions of the account, longs and shorts added up, dollars; null = no limit.';
COMMENT ON COLUMN order_limits.orders_per_second_max IS 'Orders sent in any second; null = no limit.';
COMMENT ON COLUMN order_limits.orders_per_minute_max IS 'Orders sent in any minute; null = no limit.';
COMMENT ON COLUMN order_limits.orders_per_day_max IS 'Orders sent in a UTC day; null = no limit.';
COMMENT ON COLUMN order_limits.open_orders_max IS 'Orders open or UNKNOWN at once; null = no limit.';
COMMENT ON COLUMN order_limits.duplicate_window_s IS
    'DUPLICATE_ORDER: no second order of the same book, symbol, side and quantity within so many seconds; null = '
    'no limit.';
COMMENT ON COLUMN order_limits.symbols_allowed IS 'The only symbols traded, sorted; null = all.';
COMMENT ON COLUMN order_limits.session IS 'REGULAR: orders are sent while the market is open; or ANY.';
COMMENT ON COLUMN order_limits.daily_loss_max IS
    'Greatest loss of equity since the last close, dollars; beyond it only reducing orders pass; null = no limit.';
COMMENT ON COLUMN order_limits.unknown_age_max_s IS 'An order that stays UNKNOWN for longer halts its symbol, seconds.';
COMMENT ON COLUMN order_limits.partition IS 'Partition of order-limits.v1 the row comes from.';
COMMENT ON COLUMN order_limits."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN order_limits.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_limits.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE order_limits_strategies (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    position_value_max numeric(38, 15),
    gross_value_max numeric(38, 15),
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
COMMENT ON TABLE order_limits_strategies IS 'The limits of one strategy at the gate.';
COMMENT ON COLUMN order_limits_strategies.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_limits_strategies.account_id IS
    'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN order_limits_strategies.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN order_limits_strategies.strategy_id IS 'The strategy.';
COMMENT ON COLUMN order_limits_strategies.position_value_max IS
    'STRATEGY_POSITION_VALUE_MAX: greatest value of one symbol, dollars; null = no limit.';
COMMENT ON COLUMN order_limits_strategies.gross_value_max IS
    'STRATEGY_GROSS_VALUE_MAX: greatest value of all symbols, longs and shorts added up, dollars; null = no '
    'limit.';
COMMENT ON COLUMN order_limits_strategies.partition IS 'Partition of order-limits.v1 the row comes from.';
COMMENT ON COLUMN order_limits_strategies."offset" IS 'Offset of the record in that partition.';

CREATE TABLE order_limits_denied (
    event_id uuid NOT NULL,
    account_id text NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    until timestamptz,
    reason text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
COMMENT ON TABLE order_limits_denied IS 'A symbol that is not traded, for good or for a while.';
COMMENT ON COLUMN order_limits_denied.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN order_limits_denied.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN order_limits_denied.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN order_limits_denied.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN order_limits_denied.until IS 'Denied until this instant; null = for good.';
COMMENT ON COLUMN order_limits_denied.reason IS 'Why, for a person.';
COMMENT ON COLUMN order_limits_denied.partition IS 'Partition of order-limits.v1 the row comes from.';
COMMENT ON COLUMN order_limits_denied."offset" IS 'Offset of the record in that partition.';

CREATE TABLE trading_halts (
    account_id text NOT NULL,
    halt_id uuid NOT NULL,
    status text NOT NULL,
    cause text NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    is_reducing_allowed boolean NOT NULL,
    until timestamptz,
    request_id text NOT NULL,
    requested_by text NOT NULL,
    reason text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON trading_halts (halt_id);
COMMENT ON TABLE trading_halts IS 'Trading is stopped, or goes on: one row each time.';
COMMENT ON COLUMN trading_halts.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN trading_halts.halt_id IS 'Derived from the request, or from the order that led to it.';
COMMENT ON COLUMN trading_halts.status IS 'IN_FORCE, ENDED, or REFUSED: a RESUME that names no halt in force.';
COMMENT ON COLUMN trading_halts.cause IS 'An operator, or what the gateway saw.';
COMMENT ON COLUMN trading_halts.scope IS 'ACCOUNT, STRATEGY or SYMBOL.';
COMMENT ON COLUMN trading_halts.name IS 'The strategy or the symbol; empty for the account.';
COMMENT ON COLUMN trading_halts.is_reducing_allowed IS 'Whether orders that reduce a position still pass.';
COMMENT ON COLUMN trading_halts.until IS 'It ends by itself at this instant; null = it does not.';
COMMENT ON COLUMN trading_halts.request_id IS 'The request that led to this; empty when none did.';
COMMENT ON COLUMN trading_halts.requested_by IS 'Who asked; gateway when nobody did.';
COMMENT ON COLUMN trading_halts.reason IS 'Why, for a person.';
COMMENT ON COLUMN trading_halts.partition IS 'Partition of trading-halts.v1 the row comes from.';
COMMENT ON COLUMN trading_halts."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN trading_halts.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN trading_halts.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE trading_halt_orders (
    event_id uuid NOT NULL,
    halt_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    client_order_id text NOT NULL,
    cum_qty numeric(38, 9) NOT NULL,
    gross_trade_amt numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON trading_halt_orders (client_order_id);
COMMENT ON TABLE trading_halt_orders IS 'An order in a halt''s scope that was open or UNKNOWN when it began or ended.';
COMMENT ON COLUMN trading_halt_orders.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN trading_halt_orders.halt_id IS 'Derived from the request, or from the order that led to it.';
COMMENT ON COLUMN trading_halt_orders.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN trading_halt_orders.client_order_id IS 'The order.';
COMMENT ON COLUMN trading_halt_orders.cum_qty IS 'Executed quantity, shares.';
COMMENT ON COLUMN trading_halt_orders.gross_trade_amt IS
    'Sum of executed quantity times price, dollars, unsigned (FIX GrossTradeAmt 381).';
COMMENT ON COLUMN trading_halt_orders.partition IS 'Partition of trading-halts.v1 the row comes from.';
COMMENT ON COLUMN trading_halt_orders."offset" IS 'Offset of the record in that partition.';

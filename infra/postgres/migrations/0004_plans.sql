-- Plans, line by line, and how every line ended.

CREATE TABLE plans (
    account_id text NOT NULL,
    plan_id uuid NOT NULL,
    run_id uuid NOT NULL,
    as_of timestamptz NOT NULL,
    status text NOT NULL,
    rule text,
    detail text NOT NULL,
    equity numeric(38, 15) NOT NULL,
    cash_available numeric(38, 15) NOT NULL,
    sells_expected numeric(38, 15) NOT NULL,
    buys_planned numeric(38, 15) NOT NULL,
    trade_value numeric(38, 15) NOT NULL,
    line_count bigint NOT NULL,
    taken_at timestamptz NOT NULL,
    cash numeric(38, 15) NOT NULL,
    scope text[],
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (plan_id)
);
CREATE INDEX ON plans (run_id);
COMMENT ON TABLE plans IS 'What will be sent and what will not, for one run; written once.';
COMMENT ON COLUMN plans.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN plans.plan_id IS 'Derived from the run.';
COMMENT ON COLUMN plans.run_id IS 'The run.';
COMMENT ON COLUMN plans.as_of IS 'The run''s valuation instant.';
COMMENT ON COLUMN plans.status IS 'READY, or BLOCKED: nothing of it may be sent.';
COMMENT ON COLUMN plans.rule IS 'The rule that blocked the whole plan; null when none did.';
COMMENT ON COLUMN plans.detail IS 'The values behind a block, for a person; else empty.';
COMMENT ON COLUMN plans.equity IS 'Equity the weights were applied to, dollars.';
COMMENT ON COLUMN plans.cash_available IS 'Cash, or buying power with leverage, minus the reserve, dollars.';
COMMENT ON COLUMN plans.sells_expected IS 'Notional of all planned sells, dollars.';
COMMENT ON COLUMN plans.buys_planned IS 'Notional of all planned buys, dollars.';
COMMENT ON COLUMN plans.trade_value IS 'Notional of all planned orders, dollars.';
COMMENT ON COLUMN plans.line_count IS 'How many lines there are.';
COMMENT ON COLUMN plans.taken_at IS 'The broker agent''s clock when the reads were complete.';
COMMENT ON COLUMN plans.cash IS 'Cash as the broker states it, dollars.';
COMMENT ON COLUMN plans.scope IS 'Only these symbols are judged, everything else is kept; null = all symbols.';
COMMENT ON COLUMN plans.partition IS 'Partition of plans.v1 the row comes from.';
COMMENT ON COLUMN plans."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN plans.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN plans.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE plan_constraints (
    plan_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    rule text NOT NULL,
    scope text NOT NULL,
    symbol text,
    "limit" numeric(38, 15) NOT NULL,
    wanted numeric(38, 15) NOT NULL,
    used numeric(38, 15) NOT NULL,
    effect text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (plan_id, ordinal)
);
COMMENT ON TABLE plan_constraints IS
    'One limit of a plan: what it is, what was wanted of it, what the plan uses, and what it did.';
COMMENT ON COLUMN plan_constraints.plan_id IS 'Derived from the run.';
COMMENT ON COLUMN plan_constraints.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN plan_constraints.rule IS 'The rule.';
COMMENT ON COLUMN plan_constraints.scope IS 'net for the account, else the strategy whose own limit it is.';
COMMENT ON COLUMN plan_constraints.symbol IS 'The symbol it looks at; null when it looks at all.';
COMMENT ON COLUMN plan_constraints."limit" IS 'The limit, dollars.';
COMMENT ON COLUMN plan_constraints.wanted IS 'What would be used of it without the rule, dollars.';
COMMENT ON COLUMN plan_constraints.used IS 'What is used of it, dollars.';
COMMENT ON COLUMN plan_constraints.effect IS 'WITHIN, SCALED or BLOCKED.';
COMMENT ON COLUMN plan_constraints.partition IS 'Partition of plans.v1 the row comes from.';
COMMENT ON COLUMN plan_constraints."offset" IS 'Offset of the record in that partition.';

CREATE TABLE plan_lines (
    plan_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    target_weight numeric(38, 12) NOT NULL,
    target_value numeric(38, 15) NOT NULL,
    current_quantity numeric(38, 9) NOT NULL,
    target_quantity numeric(38, 9) NOT NULL,
    account_quantity numeric(38, 9) NOT NULL,
    price numeric(38, 6),
    bid numeric(38, 6),
    ask numeric(38, 6),
    quoted_at timestamptz,
    quote_source text,
    delta_quantity numeric(38, 9) NOT NULL,
    action text NOT NULL,
    quantity numeric(38, 9) NOT NULL,
    reducing_quantity numeric(38, 9) NOT NULL,
    phase text,
    notional numeric(38, 15) NOT NULL,
    cross_quantity numeric(38, 9) NOT NULL,
    cross_deferred_quantity numeric(38, 9) NOT NULL,
    cross_rule text,
    priority bigint NOT NULL,
    status text NOT NULL,
    rule text,
    threshold numeric(38, 15),
    intended_quantity numeric(38, 9) NOT NULL,
    intended_value numeric(38, 15) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (plan_id, ordinal)
);
CREATE INDEX ON plan_lines (symbol);
COMMENT ON TABLE plan_lines IS 'One symbol of one book of a plan: what is wanted, what will be done, and why not more.';
COMMENT ON COLUMN plan_lines.plan_id IS 'Derived from the run.';
COMMENT ON COLUMN plan_lines.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN plan_lines.book IS 'net for all netted strategies together, else the strategy whose own book it is.';
COMMENT ON COLUMN plan_lines.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN plan_lines.target_weight IS 'Wanted fraction of equity, or of the book''s own capital.';
COMMENT ON COLUMN plan_lines.target_value IS 'target_weight times equity or capital, dollars.';
COMMENT ON COLUMN plan_lines.current_quantity IS 'Shares the book holds, all its owners together.';
COMMENT ON COLUMN plan_lines.target_quantity IS 'Shares its owners want to hold together.';
COMMENT ON COLUMN plan_lines.account_quantity IS 'Shares the account holds, all books together.';
COMMENT ON COLUMN plan_lines.price IS 'Midpoint used for valuing; null when there was none.';
COMMENT ON COLUMN plan_lines.bid IS 'Bid of the quote used.';
COMMENT ON COLUMN plan_lines.ask IS 'Offer of the quote used.';
COMMENT ON COLUMN plan_lines.quoted_at IS 'Time of the quote used.';
COMMENT ON COLUMN plan_lines.quote_source IS 'Feed of the quote used.';
COMMENT ON COLUMN plan_lines.delta_quantity IS 'Sum of what the strategies want, signed shares: the net.';
COMMENT ON COLUMN plan_lines.action IS 'BUY, SELL or HOLD, of the net.';
COMMENT ON COLUMN plan_lines.quantity IS 'Shares to order at the broker, unsigned; 0 when nothing is ordered.';
COMMENT ON COLUMN plan_lines.reducing_quantity IS
    'Part of it that brings the account''s position nearer to zero, unsigned; it is ordered first.';
COMMENT ON COLUMN plan_lines.phase IS 'When its first order is sent; null when nothing is ordered.';
COMMENT ON COLUMN plan_lines.notional IS 'quantity times the price an order would meet (ask or bid), dollars.';
COMMENT ON COLUMN plan_lines.cross_quantity IS 'Shares crossed between strategies inside the account, unsigned.';
COMMENT ON COLUMN plan_lines.cross_deferred_quantity IS
    'Shares of opposite wishes that were not crossed and do not trade, unsigned.';
COMMENT ON COLUMN plan_lines.cross_rule IS 'Why they were not crossed; null when nothing was deferred.';
COMMENT ON COLUMN plan_lines.priority IS 'Lowest priority number among the strategies that want it; ties by symbol.';
COMMENT ON COLUMN plan_lines.status IS 'PLANNED, SUPPRESSED, BLOCKED or HELD.';
COMMENT ON COLUMN plan_lines.rule IS 'The rule that held, stopped or reduced the line; null when none did.';
COMMENT ON COLUMN plan_lines.threshold IS 'The rule''s threshold; null when the rule has none.';
COMMENT ON COLUMN plan_lines.intended_quantity IS 'Shares the line would have ordered without the rule, unsigned.';
COMMENT ON COLUMN plan_lines.intended_value IS 'intended_quantity times price, dollars.';
COMMENT ON COLUMN plan_lines.partition IS 'Partition of plans.v1 the row comes from.';
COMMENT ON COLUMN plan_lines."offset" IS 'Offset of the record in that partition.';

CREATE TABLE plan_line_contributions (
    plan_id uuid NOT NULL,
    line_ordinal bigint NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    current_quantity numeric(38, 9) NOT NULL,
    target_quantity numeric(38, 9) NOT NULL,
    wanted numeric(38, 9) NOT NULL,
    allowed numeric(38, 9) NOT NULL,
    crossed numeric(38, 9) NOT NULL,
    ordered numeric(38, 9) NOT NULL,
    value numeric(38, 15) NOT NULL,
    rule text,
    threshold numeric(38, 15),
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (plan_id, line_ordinal, ordinal)
);
CREATE INDEX ON plan_line_contributions (plan_id, symbol);
COMMENT ON TABLE plan_line_contributions IS 'What one strategy wants of one line, and what of it goes where.';
COMMENT ON COLUMN plan_line_contributions.plan_id IS 'Derived from the run.';
COMMENT ON COLUMN plan_line_contributions.line_ordinal IS 'The line''s ordinal in plan_lines.';
COMMENT ON COLUMN plan_line_contributions.book IS 'The line''s book.';
COMMENT ON COLUMN plan_line_contributions.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN plan_line_contributions.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN plan_line_contributions.strategy_id IS 'The strategy.';
COMMENT ON COLUMN plan_line_contributions.weight IS
    'Its wanted fraction of the account''s equity, or of its own book''s capital.';
COMMENT ON COLUMN plan_line_contributions.current_quantity IS 'What it owns, signed shares.';
COMMENT ON COLUMN plan_line_contributions.target_quantity IS 'What it wants to own, signed shares.';
COMMENT ON COLUMN plan_line_contributions.wanted IS 'target minus current, signed shares.';
COMMENT ON COLUMN plan_line_contributions.allowed IS 'Part of it that its own limits allow, signed shares.';
COMMENT ON COLUMN plan_line_contributions.crossed IS 'Part of it crossed inside the account, signed shares.';
COMMENT ON COLUMN plan_line_contributions.ordered IS
    'Part of it that goes to the broker in this line''s order, signed shares.';
COMMENT ON COLUMN plan_line_contributions.value IS 'wanted times price, signed dollars.';
COMMENT ON COLUMN plan_line_contributions.rule IS 'The limit of its own that allows no more; null when none binds.';
COMMENT ON COLUMN plan_line_contributions.threshold IS 'That limit, dollars; null when none binds.';
COMMENT ON COLUMN plan_line_contributions.partition IS 'Partition of plans.v1 the row comes from.';
COMMENT ON COLUMN plan_line_contributions."offset" IS 'Offset of the record in that partition.';

CREATE TABLE executions (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    plan_id uuid,
    status text NOT NULL,
    detail text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON executions (run_id);
COMMENT ON TABLE executions IS 'A step of a run on its way to the broker.';
COMMENT ON COLUMN executions.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN executions.run_id IS 'The run.';
COMMENT ON COLUMN executions.plan_id IS 'Its plan; null before there is one.';
COMMENT ON COLUMN executions.status IS 'How far the run has come.';
COMMENT ON COLUMN executions.detail IS 'For a person: counts, or what it waits for; may be empty.';
COMMENT ON COLUMN executions.partition IS 'Partition of executions.v1 the row comes from.';
COMMENT ON COLUMN executions."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN executions.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN executions.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE line_outcomes (
    account_id text NOT NULL,
    plan_id uuid NOT NULL,
    run_id uuid NOT NULL,
    book text NOT NULL,
    symbol text NOT NULL,
    outcome text NOT NULL,
    rule text,
    threshold numeric(38, 15),
    intended_value numeric(38, 15) NOT NULL,
    client_order_ids text[] NOT NULL,
    order_qty numeric(38, 9) NOT NULL,
    cum_qty numeric(38, 9) NOT NULL,
    cross_quantity numeric(38, 9) NOT NULL,
    reason text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (plan_id, book, symbol)
);
CREATE INDEX ON line_outcomes (run_id);
CREATE INDEX ON line_outcomes (symbol);
COMMENT ON TABLE line_outcomes IS 'The one terminal outcome of a plan line.';
COMMENT ON COLUMN line_outcomes.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN line_outcomes.plan_id IS 'The plan.';
COMMENT ON COLUMN line_outcomes.run_id IS 'The run.';
COMMENT ON COLUMN line_outcomes.book IS 'The line''s book: net or a strategy id.';
COMMENT ON COLUMN line_outcomes.symbol IS 'The line''s symbol.';
COMMENT ON COLUMN line_outcomes.outcome IS 'How it ended.';
COMMENT ON COLUMN line_outcomes.rule IS 'The rule that acted on the line; null when none did.';
COMMENT ON COLUMN line_outcomes.threshold IS 'The rule''s threshold; null when it has none.';
COMMENT ON COLUMN line_outcomes.intended_value IS 'What the line would have traded, dollars.';
COMMENT ON COLUMN line_outcomes.client_order_ids IS 'Its orders at the broker, in the order they ended.';
COMMENT ON COLUMN line_outcomes.order_qty IS 'Shares ordered at the broker.';
COMMENT ON COLUMN line_outcomes.cum_qty IS 'Shares executed at the broker.';
COMMENT ON COLUMN line_outcomes.cross_quantity IS 'Shares crossed inside the account.';
COMMENT ON COLUMN line_outcomes.reason IS 'For a person: the broker''s message, or what superseded it; may be empty.';
COMMENT ON COLUMN line_outcomes.partition IS 'Partition of line-outcomes.v1 the row comes from.';
COMMENT ON COLUMN line_outcomes."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN line_outcomes.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN line_outcomes.occurred_at IS 'Time of the record''s cause.';

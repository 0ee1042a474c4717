-- Runs, and what each strategy says.

CREATE TABLE run_requests (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    request_id text NOT NULL,
    requested_by text NOT NULL,
    as_of timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    deadline_at timestamptz,
    sync_rule text NOT NULL,
    quorum bigint,
    conflict_rule text NOT NULL,
    overlap_policy text NOT NULL,
    cash_policy text NOT NULL,
    drift_rule text NOT NULL,
    drift_threshold numeric(38, 12) NOT NULL,
    is_full_allocation_required boolean NOT NULL,
    trade_value_min numeric(38, 15) NOT NULL,
    trade_value_max numeric(38, 15),
    quantity_step numeric(38, 9) NOT NULL,
    weight_total_max numeric(38, 12) NOT NULL,
    position_weight_max numeric(38, 12),
    cash_reserve numeric(38, 12) NOT NULL,
    is_leverage_allowed boolean NOT NULL,
    initial_margin_rate numeric(38, 12) NOT NULL,
    maintenance_margin_rate numeric(38, 12) NOT NULL,
    margin_utilisation_max numeric(38, 12),
    maintenance_buffer numeric(38, 12),
    is_short_allowed boolean NOT NULL,
    quote_age_max_s bigint NOT NULL,
    binding text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON run_requests (run_id);
COMMENT ON TABLE run_requests IS 'Somebody, or the clock, asks for a rebalance; recorded raw, judged by the scheduler.';
COMMENT ON COLUMN run_requests.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN run_requests.run_id IS 'Derived from account, as_of and request_id; also the correlation id.';
COMMENT ON COLUMN run_requests.request_id IS 'The asker''s own name for this request; asking twice is asking once.';
COMMENT ON COLUMN run_requests.requested_by IS 'Who asks: an operator, a schedule, the demo.';
COMMENT ON COLUMN run_requests.as_of IS 'The valuation instant: prices and bars up to here.';
COMMENT ON COLUMN run_requests.valid_until IS 'Orders of this run are not sent after this instant.';
COMMENT ON COLUMN run_requests.deadline_at IS 'Latest time to wait for signals; null = without end.';
COMMENT ON COLUMN run_requests.sync_rule IS 'Whose signals the run waits for.';
COMMENT ON COLUMN run_requests.quorum IS 'With QUORUM: how many READY signals are enough; otherwise null.';
COMMENT ON COLUMN run_requests.conflict_rule IS 'How strategies are combined.';
COMMENT ON COLUMN run_requests.overlap_policy IS 'Whether strategies may name the same symbol.';
COMMENT ON COLUMN run_requests.cash_policy IS 'What one strategy may spend.';
COMMENT ON COLUMN run_requests.drift_rule IS 'When a book is brought back to its allocation.';
COMMENT ON COLUMN run_requests.drift_threshold IS
    'With THRESHOLD: greatest drift of a book''s value, as a fraction of its allocation.';
COMMENT ON COLUMN run_requests.is_full_allocation_required IS 'Whether allocations must sum to 1, give or take 0.01.';
COMMENT ON COLUMN run_requests.trade_value_min IS
    'MIN_TRADE_VALUE: lines worth less than this are suppressed, dollars.';
COMMENT ON COLUMN run_requests.trade_value_max IS
    'TRADE_VALUE_MAX: dollars the account may trade in a day, both sides; null = no limit.';
COMMENT ON COLUMN run_requests.quantity_step IS 'Smallest tradable quantity; 1 = whole shares.';
COMMENT ON COLUMN run_requests.weight_total_max IS 'WEIGHT_TOTAL_MAX: greatest sum of target weights.';
COMMENT ON COLUMN run_requests.position_weight_max IS
    'POSITION_WEIGHT_MAX: greatest fraction of equity in one symbol; null = no limit.';
COMMENT ON COLUMN run_requests.cash_reserve IS 'Fraction of equity that buys may not touch.';
COMMENT ON COLUMN run_requests.is_leverage_allowed IS
    'True: buys are held to the broker''s buying power instead of cash.';
COMMENT ON COLUMN run_requests.initial_margin_rate IS 'Initial margin of a position, fraction of its value.';
COMMENT ON COLUMN run_requests.maintenance_margin_rate IS 'Maintenance margin of a position, fraction of its value.';
COMMENT ON COLUMN run_requests.margin_utilisation_max IS
    'MARGIN_UTILISATION: greatest fraction of equity bound as initial margin; null = no limit.';
COMMENT ON COLUMN run_requests.maintenance_buffer IS
    'MAINTENANCE_BUFFER: least fraction of equity above maintenance margin; null = no limit.';
COMMENT ON COLUMN run_requests.is_short_allowed IS 'Whether the account may be short of a symbol, in whole shares.';
COMMENT ON COLUMN run_requests.quote_age_max_s IS 'QUOTE_STALE: oldest quote a line may be planned on, seconds.';
COMMENT ON COLUMN run_requests.binding IS 'What a limit that binds does: SCALE or BLOCK.';
COMMENT ON COLUMN run_requests.partition IS 'Partition of run-requests.v1 the row comes from.';
COMMENT ON COLUMN run_requests."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN run_requests.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN run_requests.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE runs (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    refusal text,
    detail text NOT NULL,
    warnings text[] NOT NULL,
    as_of timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    deadline_at timestamptz,
    sync_rule text NOT NULL,
    quorum bigint,
    conflict_rule text NOT NULL,
    overlap_policy text NOT NULL,
    cash_policy text NOT NULL,
    drift_rule text NOT NULL,
    drift_threshold numeric(38, 12) NOT NULL,
    is_full_allocation_required boolean NOT NULL,
    trade_value_min numeric(38, 15) NOT NULL,
    trade_value_max numeric(38, 15),
    quantity_step numeric(38, 9) NOT NULL,
    weight_total_max numeric(38, 12) NOT NULL,
    position_weight_max numeric(38, 12),
    cash_reserve numeric(38, 12) NOT NULL,
    is_leverage_allowed boolean NOT NULL,
    initial_margin_rate numeric(38, 12) NOT NULL,
    maintenance_margin_rate numeric(38, 12) NOT NULL,
    margin_utilisation_max numeric(38, 12),
    maintenance_buffer numeric(38, 12),
    is_short_allowed boolean NOT NULL,
    quote_age_max_s bigint NOT NULL,
    binding text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON runs (run_id);
COMMENT ON TABLE runs IS
    'A rebalance is under way, or its request was refused for a stated reason: two records may share a run_id.';
COMMENT ON COLUMN runs.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN runs.run_id IS 'The run; also its correlation id.';
COMMENT ON COLUMN runs.status IS 'REQUESTED or REFUSED.';
COMMENT ON COLUMN runs.refusal IS 'Why it was refused; null when it was not.';
COMMENT ON COLUMN runs.detail IS 'The values that disagree, for a person; empty when nothing does.';
COMMENT ON COLUMN runs.warnings IS 'What was let pass, for a person: symbols that overlap; sorted.';
COMMENT ON COLUMN runs.as_of IS 'The valuation instant.';
COMMENT ON COLUMN runs.valid_until IS 'Orders of this run are not sent after this instant.';
COMMENT ON COLUMN runs.deadline_at IS 'Latest time to wait for signals; null = without end.';
COMMENT ON COLUMN runs.sync_rule IS 'Whose signals the run waits for.';
COMMENT ON COLUMN runs.quorum IS 'With QUORUM: how many READY signals are enough; otherwise null.';
COMMENT ON COLUMN runs.conflict_rule IS 'How strategies are combined.';
COMMENT ON COLUMN runs.overlap_policy IS 'Whether strategies may name the same symbol.';
COMMENT ON COLUMN runs.cash_policy IS 'What one strategy may spend.';
COMMENT ON COLUMN runs.drift_rule IS 'When a book is brought back to its allocation.';
COMMENT ON COLUMN runs.drift_threshold IS
    'With THRESHOLD: greatest drift of a book''s value, as a fraction of its allocation.';
COMMENT ON COLUMN runs.is_full_allocation_required IS 'Whether allocations must sum to 1, give or take 0.01.';
COMMENT ON COLUMN runs.trade_value_min IS 'MIN_TRADE_VALUE: lines worth less than this are suppressed, dollars.';
COMMENT ON COLUMN runs.trade_value_max IS
    'TRADE_VALUE_MAX: dollars the account may trade in a day, both sides; null = no limit.';
COMMENT ON COLUMN runs.quantity_step IS 'Smallest tradable quantity; 1 = whole shares.';
COMMENT ON COLUMN runs.weight_total_max IS 'WEIGHT_TOTAL_MAX: greatest sum of target weights.';
COMMENT ON COLUMN runs.position_weight_max IS
    'POSITION_WEIGHT_MAX: greatest fraction of equity in one symbol; null = no limit.';
COMMENT ON COLUMN runs.cash_reserve IS 'Fraction of equity that buys may not touch.';
COMMENT ON COLUMN runs.is_leverage_allowed IS 'True: buys are held to the broker''s buying power instead of cash.';
COMMENT ON COLUMN runs.initial_margin_rate IS 'Initial margin of a position, fraction of its value.';
COMMENT ON COLUMN runs.maintenance_margin_rate IS 'Maintenance margin of a position, fraction of its value.';
COMMENT ON COLUMN runs.margin_utilisation_max IS
    'MARGIN_UTILISATION: greatest fraction of equity bound as initial margin; null = no limit.';
COMMENT ON COLUMN runs.maintenance_buffer IS
    'MAINTENANCE_BUFFER: least fraction of equity above maintenance margin; null = no limit.';
COMMENT ON COLUMN runs.is_short_allowed IS 'Whether the account may be short of a symbol, in whole shares.';
COMMENT ON COLUMN runs.quote_age_max_s IS 'QUOTE_STALE: oldest quote a line may be planned on, seconds.';
COMMENT ON COLUMN runs.binding IS 'What a limit that binds does: SCALE or BLOCK.';
COMMENT ON COLUMN runs.partition IS 'Partition of runs.v1 the row comes from.';
COMMENT ON COLUMN runs."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN runs.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN runs.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE run_strategies (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    kind text NOT NULL,
    mode text NOT NULL,
    allocation numeric(38, 12) NOT NULL,
    priority bigint NOT NULL,
    weight_total_max numeric(38, 12),
    position_weight_max numeric(38, 12),
    trade_value_max numeric(38, 15),
    symbols text[] NOT NULL,
    parameters jsonb NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON run_strategies (run_id);
COMMENT ON TABLE run_strategies IS 'What one strategy brings into a run.';
COMMENT ON COLUMN run_strategies.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN run_strategies.run_id IS 'The run; also its correlation id.';
COMMENT ON COLUMN run_strategies.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN run_strategies.strategy_id IS 'Owner of the lots this strategy will hold.';
COMMENT ON COLUMN run_strategies.kind IS 'Name of the strategy''s code, such as momentum, rsi or fixed-weights.';
COMMENT ON COLUMN run_strategies.mode IS 'NETTED or BOOK.';
COMMENT ON COLUMN run_strategies.allocation IS 'Fraction of the account''s equity this strategy steers.';
COMMENT ON COLUMN run_strategies.priority IS 'Lower goes first when capital is short.';
COMMENT ON COLUMN run_strategies.weight_total_max IS
    'Greatest sum of its target weights, of its own capital; null = weight_total_max of the run.';
COMMENT ON COLUMN run_strategies.position_weight_max IS
    'Greatest weight of one symbol, of its own capital; null = no limit of its own.';
COMMENT ON COLUMN run_strategies.trade_value_max IS
    'Dollars it may trade in a day, both sides; null = no limit of its own.';
COMMENT ON COLUMN run_strategies.symbols IS 'The symbols it may want, sorted.';
COMMENT ON COLUMN run_strategies.parameters IS 'Its settings, sorted by name.';
COMMENT ON COLUMN run_strategies.partition IS 'Partition of runs.v1 the row comes from.';
COMMENT ON COLUMN run_strategies."offset" IS 'Offset of the record in that partition.';

CREATE TABLE signals (
    account_id text NOT NULL,
    signal_id uuid NOT NULL,
    strategy_id text NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    failure text,
    detail text NOT NULL,
    decision_path text[] NOT NULL,
    bars_count bigint NOT NULL,
    bars_sha256 text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON signals (run_id);
CREATE INDEX ON signals (signal_id);
COMMENT ON TABLE signals IS
    'Target weights of one strategy for one run, or why it has none; its receipts say whether it counts.';
COMMENT ON COLUMN signals.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN signals.signal_id IS 'Derived from run and strategy.';
COMMENT ON COLUMN signals.strategy_id IS 'The strategy that speaks.';
COMMENT ON COLUMN signals.run_id IS 'The run; also the correlation id of all it causes.';
COMMENT ON COLUMN signals.status IS 'READY or FAILED.';
COMMENT ON COLUMN signals.failure IS 'Why it failed; null when it did not.';
COMMENT ON COLUMN signals.detail IS 'The values behind a failure, for a person; else empty.';
COMMENT ON COLUMN signals.decision_path IS 'The steps of the decision with their numbers, in order.';
COMMENT ON COLUMN signals.bars_count IS 'How many bars the decision looked at.';
COMMENT ON COLUMN signals.bars_sha256 IS 'Hash over the bars the decision looked at, in hex.';
COMMENT ON COLUMN signals.partition IS 'Partition of signals.v1 the row comes from.';
COMMENT ON COLUMN signals."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN signals.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN signals.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE signal_targets (
    event_id uuid NOT NULL,
    signal_id uuid NOT NULL,
    run_id uuid NOT NULL,
    strategy_id text NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON signal_targets (run_id, symbol);
COMMENT ON TABLE signal_targets IS 'One target weight of a signal.';
COMMENT ON COLUMN signal_targets.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN signal_targets.signal_id IS 'Derived from run and strategy.';
COMMENT ON COLUMN signal_targets.run_id IS 'The run; also the correlation id of all it causes.';
COMMENT ON COLUMN signal_targets.strategy_id IS 'The strategy that speaks.';
COMMENT ON COLUMN signal_targets.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN signal_targets.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN signal_targets.weight IS 'Fraction of the strategy''s own capital; the allocation is applied later.';
COMMENT ON COLUMN signal_targets.partition IS 'Partition of signals.v1 the row comes from.';
COMMENT ON COLUMN signal_targets."offset" IS 'Offset of the record in that partition.';

CREATE TABLE signal_skips (
    event_id uuid NOT NULL,
    signal_id uuid NOT NULL,
    run_id uuid NOT NULL,
    strategy_id text NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON signal_skips (run_id, symbol);
COMMENT ON TABLE signal_skips IS 'A symbol a signal left out, and why.';
COMMENT ON COLUMN signal_skips.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN signal_skips.signal_id IS 'Derived from run and strategy.';
COMMENT ON COLUMN signal_skips.run_id IS 'The run; also the correlation id of all it causes.';
COMMENT ON COLUMN signal_skips.strategy_id IS 'The strategy that speaks.';
COMMENT ON COLUMN signal_skips.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN signal_skips.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN signal_skips.reason IS 'NO_BARS or NOT_ENOUGH_BARS.';
COMMENT ON COLUMN signal_skips.detail IS 'Bars needed and bars found.';
COMMENT ON COLUMN signal_skips.partition IS 'Partition of signals.v1 the row comes from.';
COMMENT ON COLUMN signal_skips."offset" IS 'Offset of the record in that partition.';

CREATE TABLE signal_receipts (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    signal_id uuid NOT NULL,
    strategy_id text NOT NULL,
    status text NOT NULL,
    signal_status text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON signal_receipts (run_id);
CREATE INDEX ON signal_receipts (signal_id);
COMMENT ON TABLE signal_receipts IS 'What became of a signal at the collector.';
COMMENT ON COLUMN signal_receipts.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN signal_receipts.run_id IS 'The run.';
COMMENT ON COLUMN signal_receipts.signal_id IS 'The signal this is the receipt of.';
COMMENT ON COLUMN signal_receipts.strategy_id IS 'The strategy that spoke.';
COMMENT ON COLUMN signal_receipts.status IS 'What became of the signal.';
COMMENT ON COLUMN signal_receipts.signal_status IS 'READY or FAILED, as the strategy said.';
COMMENT ON COLUMN signal_receipts.partition IS 'Partition of signal-receipts.v1 the row comes from.';
COMMENT ON COLUMN signal_receipts."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN signal_receipts.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN signal_receipts.occurred_at IS 'Time of the record''s cause.';

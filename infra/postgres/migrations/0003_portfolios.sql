-- What the strategies of a run want together, where they disagree, and what a person decides about it.

CREATE TABLE portfolios (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    is_partial boolean NOT NULL,
    failed text[] NOT NULL,
    missing text[] NOT NULL,
    signal_ids uuid[] NOT NULL,
    silent_strategies text[] NOT NULL,
    scope text[],
    as_of timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON portfolios (run_id);
COMMENT ON TABLE portfolios IS 'The consolidated wish of a run.';
COMMENT ON COLUMN portfolios.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN portfolios.run_id IS 'The run.';
COMMENT ON COLUMN portfolios.status IS 'FORMED, or QUORUM_MISSED: nothing is traded.';
COMMENT ON COLUMN portfolios.is_partial IS 'True when a strategy failed or is missing.';
COMMENT ON COLUMN portfolios.failed IS 'Strategies that said they could not decide, sorted.';
COMMENT ON COLUMN portfolios.missing IS 'Strategies that did not answer by the deadline, sorted.';
COMMENT ON COLUMN portfolios.signal_ids IS 'The signals it was made of, in order of strategy_id.';
COMMENT ON COLUMN portfolios.silent_strategies IS 'Strategies that failed or did not answer: they keep what they hold.';
COMMENT ON COLUMN portfolios.scope IS 'Only these symbols are judged, everything else is kept; null = all symbols.';
COMMENT ON COLUMN portfolios.as_of IS 'The valuation instant.';
COMMENT ON COLUMN portfolios.valid_until IS 'Orders of this run are not sent after this instant.';
COMMENT ON COLUMN portfolios.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN portfolios."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN portfolios.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN portfolios.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE portfolio_targets (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON portfolio_targets (run_id, symbol);
COMMENT ON TABLE portfolio_targets IS 'One consolidated weight of a portfolio.';
COMMENT ON COLUMN portfolio_targets.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN portfolio_targets.run_id IS 'The run.';
COMMENT ON COLUMN portfolio_targets.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN portfolio_targets.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN portfolio_targets.weight IS 'Fraction of the account''s equity.';
COMMENT ON COLUMN portfolio_targets.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN portfolio_targets."offset" IS 'Offset of the record in that partition.';

CREATE TABLE portfolio_contributions (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    target_ordinal bigint NOT NULL,
    symbol text NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, target_ordinal, ordinal)
);
CREATE INDEX ON portfolio_contributions (run_id, symbol);
COMMENT ON TABLE portfolio_contributions IS 'One strategy''s part in a consolidated weight; the parts sum to it.';
COMMENT ON COLUMN portfolio_contributions.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN portfolio_contributions.run_id IS 'The run.';
COMMENT ON COLUMN portfolio_contributions.target_ordinal IS 'The target''s ordinal in portfolio_targets.';
COMMENT ON COLUMN portfolio_contributions.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN portfolio_contributions.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN portfolio_contributions.strategy_id IS 'The strategy.';
COMMENT ON COLUMN portfolio_contributions.weight IS
    'Fraction of the account''s equity: its target times its allocation.';
COMMENT ON COLUMN portfolio_contributions.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN portfolio_contributions."offset" IS 'Offset of the record in that partition.';

CREATE TABLE book_targets (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    book_ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, book_ordinal, ordinal)
);
CREATE INDEX ON book_targets (run_id, symbol);
COMMENT ON TABLE book_targets IS
    'What one strategy with a book of its own wants; a symbol that is absent is wanted at 0.';
COMMENT ON COLUMN book_targets.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN book_targets.run_id IS 'The run.';
COMMENT ON COLUMN book_targets.book_ordinal IS 'Place of the strategy in the record''s list, from 0.';
COMMENT ON COLUMN book_targets.strategy_id IS 'The strategy.';
COMMENT ON COLUMN book_targets.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN book_targets.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN book_targets.weight IS 'Fraction of the strategy''s own capital; the allocation is applied later.';
COMMENT ON COLUMN book_targets.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN book_targets."offset" IS 'Offset of the record in that partition.';

CREATE TABLE kept_symbols (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    symbol text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON kept_symbols (run_id, symbol);
COMMENT ON TABLE kept_symbols IS 'A symbol that one strategy could not judge: it keeps what it holds of it.';
COMMENT ON COLUMN kept_symbols.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN kept_symbols.run_id IS 'The run.';
COMMENT ON COLUMN kept_symbols.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN kept_symbols.strategy_id IS 'The strategy.';
COMMENT ON COLUMN kept_symbols.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN kept_symbols.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN kept_symbols."offset" IS 'Offset of the record in that partition.';

CREATE TABLE conflicts (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL,
    symbol text NOT NULL,
    rule text NOT NULL,
    decided_by text,
    is_open boolean NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, ordinal)
);
CREATE INDEX ON conflicts (run_id, symbol);
COMMENT ON TABLE conflicts IS
    'A symbol that one netted strategy wants long and another one short, and what was made of it.';
COMMENT ON COLUMN conflicts.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN conflicts.run_id IS 'The run.';
COMMENT ON COLUMN conflicts.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN conflicts.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN conflicts.rule IS 'The rule that was applied.';
COMMENT ON COLUMN conflicts.decided_by IS
    'Whose word counts: a strategy with LAST, a person with FLAG; null where nobody''s alone does.';
COMMENT ON COLUMN conflicts.is_open IS 'True while a person has to decide: the symbol is held as it is.';
COMMENT ON COLUMN conflicts.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN conflicts."offset" IS 'Offset of the record in that partition.';

CREATE TABLE conflict_wishes (
    event_id uuid NOT NULL,
    run_id uuid NOT NULL,
    conflict_ordinal bigint NOT NULL,
    symbol text NOT NULL,
    ordinal bigint NOT NULL,
    strategy_id text NOT NULL,
    weight numeric(38, 12) NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (event_id, conflict_ordinal, ordinal)
);
CREATE INDEX ON conflict_wishes (run_id, symbol);
COMMENT ON TABLE conflict_wishes IS 'What one strategy wanted of a symbol in conflict, before the rule.';
COMMENT ON COLUMN conflict_wishes.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN conflict_wishes.run_id IS 'The run.';
COMMENT ON COLUMN conflict_wishes.conflict_ordinal IS 'The conflict''s ordinal in conflicts.';
COMMENT ON COLUMN conflict_wishes.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN conflict_wishes.ordinal IS 'Place in the record''s list, from 0.';
COMMENT ON COLUMN conflict_wishes.strategy_id IS 'The strategy.';
COMMENT ON COLUMN conflict_wishes.weight IS 'Fraction of the account''s equity: its target times its allocation.';
COMMENT ON COLUMN conflict_wishes.partition IS 'Partition of portfolios.v1 the row comes from.';
COMMENT ON COLUMN conflict_wishes."offset" IS 'Offset of the record in that partition.';

CREATE TABLE conflict_decisions (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    symbol text NOT NULL,
    choice text NOT NULL,
    strategy_id text,
    decided_by text NOT NULL,
    reason text NOT NULL,
    valid_until timestamptz NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON conflict_decisions (run_id, symbol);
COMMENT ON TABLE conflict_decisions IS
    'A person decides a conflict that a run has flagged; recorded raw, judged by the collector.';
COMMENT ON COLUMN conflict_decisions.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN conflict_decisions.run_id IS 'The run whose conflict is decided.';
COMMENT ON COLUMN conflict_decisions.symbol IS 'The symbol in conflict.';
COMMENT ON COLUMN conflict_decisions.choice IS 'TAKE one strategy''s wish, SUM all wishes, or HOLD what is held.';
COMMENT ON COLUMN conflict_decisions.strategy_id IS 'With TAKE: whose wish counts; otherwise null.';
COMMENT ON COLUMN conflict_decisions.decided_by IS 'Who decides.';
COMMENT ON COLUMN conflict_decisions.reason IS 'Why, in the person''s words; may be empty.';
COMMENT ON COLUMN conflict_decisions.valid_until IS 'Orders that follow from it are not sent after this instant.';
COMMENT ON COLUMN conflict_decisions.partition IS 'Partition of conflict-decisions.v1 the row comes from.';
COMMENT ON COLUMN conflict_decisions."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN conflict_decisions.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN conflict_decisions.occurred_at IS 'Time of the record''s cause.';

CREATE TABLE conflict_outcomes (
    account_id text NOT NULL,
    run_id uuid NOT NULL,
    symbol text NOT NULL,
    status text NOT NULL,
    choice text NOT NULL,
    strategy_id text,
    decided_by text NOT NULL,
    follow_up_run_id uuid,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (event_id)
);
CREATE INDEX ON conflict_outcomes (run_id, symbol);
CREATE INDEX ON conflict_outcomes (follow_up_run_id);
COMMENT ON TABLE conflict_outcomes IS
    'What became of a person''s decision; an accepted one is followed by a run of that symbol alone.';
COMMENT ON COLUMN conflict_outcomes.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN conflict_outcomes.run_id IS 'The run whose conflict was decided.';
COMMENT ON COLUMN conflict_outcomes.symbol IS 'The symbol in conflict.';
COMMENT ON COLUMN conflict_outcomes.status IS 'ACCEPTED, or why it was not.';
COMMENT ON COLUMN conflict_outcomes.choice IS 'What was decided.';
COMMENT ON COLUMN conflict_outcomes.strategy_id IS 'With TAKE: whose wish counts; otherwise null.';
COMMENT ON COLUMN conflict_outcomes.decided_by IS 'Who decided.';
COMMENT ON COLUMN conflict_outcomes.follow_up_run_id IS
    'The run that trades the decision; null when nothing is traded.';
COMMENT ON COLUMN conflict_outcomes.partition IS 'Partition of conflict-outcomes.v1 the row comes from.';
COMMENT ON COLUMN conflict_outcomes."offset" IS 'Offset of the record in that partition.';
COMMENT ON COLUMN conflict_outcomes.event_id IS 'Identity of that record; log_index says what it follows from.';
COMMENT ON COLUMN conflict_outcomes.occurred_at IS 'Time of the record''s cause.';

CREATE VIEW runs_started AS
WITH asked AS (
    SELECT DISTINCT ON (run_id) * FROM runs WHERE status = 'REQUESTED' ORDER BY run_id, partition, "offset"
), decided AS (
    SELECT DISTINCT ON (follow_up_run_id) follow_up_run_id, run_id, symbol, decided_by
    FROM conflict_outcomes WHERE follow_up_run_id IS NOT NULL ORDER BY follow_up_run_id, partition, "offset"
), formed AS (
    SELECT DISTINCT ON (run_id) run_id, valid_until FROM portfolios ORDER BY run_id, partition, "offset"
)
SELECT account_id, run_id, run_id AS asked_run_id, NULL AS symbol, NULL AS decided_by, as_of, valid_until, deadline_at,
    sync_rule, quorum, conflict_rule, overlap_policy, cash_policy, drift_rule, drift_threshold,
    is_full_allocation_required, trade_value_min, trade_value_max, quantity_step, weight_total_max,
    position_weight_max, cash_reserve, is_leverage_allowed, initial_margin_rate, maintenance_margin_rate,
    margin_utilisation_max, maintenance_buffer, is_short_allowed, quote_age_max_s, binding
FROM asked
UNION ALL
SELECT asked.account_id, decided.follow_up_run_id, decided.run_id, decided.symbol, decided.decided_by, asked.as_of,
    coalesce(formed.valid_until, asked.valid_until), NULL,
    asked.sync_rule, asked.quorum, asked.conflict_rule, asked.overlap_policy, asked.cash_policy,
    asked.drift_rule, asked.drift_threshold, asked.is_full_allocation_required, asked.trade_value_min,
    asked.trade_value_max, asked.quantity_step, asked.weight_total_max, asked.position_weight_max,
    asked.cash_reserve, asked.is_leverage_allowed, asked.initial_margin_rate, asked.maintenance_margin_rate,
    asked.margin_utilisation_max, asked.maintenance_buffer, asked.is_short_allowed, asked.quote_age_max_s,
    asked.binding
FROM decided JOIN asked USING (run_id) LEFT JOIN formed ON formed.run_id = decided.follow_up_run_id;
COMMENT ON VIEW runs_started IS
    'Every run that was not refused, and every run that trades what a person decided; one row per run.';
COMMENT ON COLUMN runs_started.account_id IS 'The brokerage account; the record''s partition follows from it.';
COMMENT ON COLUMN runs_started.run_id IS 'The run; also its correlation id.';
COMMENT ON COLUMN runs_started.asked_run_id IS
    'The run that was asked for: itself, or the one whose conflict a person decided.';
COMMENT ON COLUMN runs_started.symbol IS 'The only symbol it judges, where it trades a person''s decision; else null.';
COMMENT ON COLUMN runs_started.decided_by IS 'Who decided; null for a run that was asked for.';
COMMENT ON COLUMN runs_started.as_of IS 'The valuation instant.';
COMMENT ON COLUMN runs_started.valid_until IS 'Orders of this run are not sent after this instant.';
COMMENT ON COLUMN runs_started.deadline_at IS 'Latest time to wait for signals; null = without end.';
COMMENT ON COLUMN runs_started.sync_rule IS 'Whose signals the run waits for.';
COMMENT ON COLUMN runs_started.quorum IS 'With QUORUM: how many READY signals are enough; otherwise null.';
COMMENT ON COLUMN runs_started.conflict_rule IS 'How strategies are combined.';
COMMENT ON COLUMN runs_started.overlap_policy IS 'Whether strategies may name the same symbol.';
COMMENT ON COLUMN runs_started.cash_policy IS 'What one strategy may spend.';
COMMENT ON COLUMN runs_started.drift_rule IS 'When a book is brought back to its allocation.';
COMMENT ON COLUMN runs_started.drift_threshold IS
    'With THRESHOLD: greatest drift of a book''s value, as a fraction of its allocation.';
COMMENT ON COLUMN runs_started.is_full_allocation_required IS 'Whether allocations must sum to 1, give or take 0.01.';
COMMENT ON COLUMN runs_started.trade_value_min IS
    'MIN_TRADE_VALUE: lines worth less than this are suppressed, dollars.';
COMMENT ON COLUMN runs_started.trade_value_max IS
    'TRADE_VALUE_MAX: dollars the account may trade in a day, both sides; null = no limit.';
COMMENT ON COLUMN runs_started.quantity_step IS 'Smallest tradable quantity; 1 = whole shares.';
COMMENT ON COLUMN runs_started.weight_total_max IS 'WEIGHT_TOTAL_MAX: greatest sum of target weights.';
COMMENT ON COLUMN runs_started.position_weight_max IS
    'POSITION_WEIGHT_MAX: greatest fraction of equity in one symbol; null = no limit.';
COMMENT ON COLUMN runs_started.cash_reserve IS 'Fraction of equity that buys may not touch.';
COMMENT ON COLUMN runs_started.is_leverage_allowed IS
    'True: buys are held to the broker''s buying power instead of cash.';
COMMENT ON COLUMN runs_started.initial_margin_rate IS 'Initial margin of a position, fraction of its value.';
COMMENT ON COLUMN runs_started.maintenance_margin_rate IS 'Maintenance margin of a position, fraction of its value.';
COMMENT ON COLUMN runs_started.margin_utilisation_max IS
    'MARGIN_UTILISATION: greatest fraction of equity bound as initial margin; null = no limit.';
COMMENT ON COLUMN runs_started.maintenance_buffer IS
    'MAINTENANCE_BUFFER: least fraction of equity above maintenance margin; null = no limit.';
COMMENT ON COLUMN runs_started.is_short_allowed IS 'Whether the account may be short of a symbol, in whole shares.';
COMMENT ON COLUMN runs_started.quote_age_max_s IS 'QUOTE_STALE: oldest quote a line may be planned on, seconds.';
COMMENT ON COLUMN runs_started.binding IS 'What a limit that binds does: SCALE or BLOCK.';

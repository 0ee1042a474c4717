-- Why something was not traded: every wish that did not become a trade in full, and the rule that stood in its way.

CREATE VIEW why_not AS
SELECT plans.account_id, plans.run_id, plan_id, plans.as_of, 'LINE' AS level, line.book, line.symbol,
    NULL AS strategy_id, line.action, line.status, ended.outcome,
    coalesce(ended.rule, line.rule, plans.rule) AS rule,
    trim_scale(coalesce(ended.threshold, line.threshold)) AS threshold,
    trim_scale(line.intended_quantity) AS intended_quantity,
    trim_scale(line.intended_value) AS intended_value,
    trim_scale(line.quantity) AS allowed_quantity,
    trim_scale(ended.cum_qty) AS traded_quantity,
    coalesce(nullif(ended.reason, ''), plans.detail) AS reason
FROM plans
JOIN plan_lines AS line USING (plan_id)
LEFT JOIN line_outcomes AS ended USING (plan_id, book, symbol)
WHERE coalesce(ended.rule, line.rule, plans.rule) IS NOT NULL OR line.status <> 'PLANNED' OR plans.status <> 'READY'
    OR ended.outcome NOT IN ('FILLED', 'CROSSED')
UNION ALL
SELECT plans.account_id, plans.run_id, plan_id, plans.as_of, 'CROSS', line.book, line.symbol,
    NULL, line.action, line.status, NULL,
    line.cross_rule, NULL, trim_scale(line.cross_quantity + line.cross_deferred_quantity),
    trim_scale((line.cross_quantity + line.cross_deferred_quantity) * line.price),
    trim_scale(line.cross_quantity), NULL, plans.detail
FROM plans
JOIN plan_lines AS line USING (plan_id)
WHERE line.cross_deferred_quantity <> 0
UNION ALL
SELECT plans.account_id, plans.run_id, plan_id, plans.as_of, 'STRATEGY', part.book, part.symbol,
    part.strategy_id, CASE WHEN part.wanted > 0 THEN 'BUY' WHEN part.wanted < 0 THEN 'SELL' ELSE 'HOLD' END,
    line.status, NULL,
    part.rule, trim_scale(part.threshold), trim_scale(abs(part.wanted)), trim_scale(abs(part.value)),
    trim_scale(abs(part.allowed)), NULL, plans.detail
FROM plans
JOIN plan_lines AS line USING (plan_id)
JOIN plan_line_contributions AS part USING (plan_id)
WHERE part.rule IS NOT NULL AND part.line_ordinal = line.ordinal
UNION ALL
SELECT account_id, run_id, plan_id, as_of, 'PLAN', NULL, NULL, NULL, NULL, status, NULL, rule, NULL, NULL, NULL, 0, 0,
    detail
FROM plans
WHERE status <> 'READY';
COMMENT ON VIEW why_not IS
    'What was not traded, or not in full, and why. Lines under way are in it only where a rule has acted already.';
COMMENT ON COLUMN why_not.account_id IS 'The brokerage account.';
COMMENT ON COLUMN why_not.run_id IS 'The run.';
COMMENT ON COLUMN why_not.plan_id IS 'The plan.';
COMMENT ON COLUMN why_not.as_of IS 'The run''s valuation instant.';
COMMENT ON COLUMN why_not.level IS
    'LINE; CROSS: opposite wishes that did not meet; STRATEGY: a limit of its own cut its wish; PLAN: all of it.';
COMMENT ON COLUMN why_not.book IS 'The line''s book: net or a strategy id; null for PLAN.';
COMMENT ON COLUMN why_not.symbol IS 'Ticker, upper case; null for PLAN.';
COMMENT ON COLUMN why_not.strategy_id IS 'Whose wish was cut, for STRATEGY; null for the others.';
COMMENT ON COLUMN why_not.action IS 'BUY, SELL or HOLD, of the line''s net; of the strategy''s own wish for STRATEGY.';
COMMENT ON COLUMN why_not.status IS 'PLANNED, SUPPRESSED, BLOCKED or HELD, by the planner.';
COMMENT ON COLUMN why_not.outcome IS 'How the line ended; null while its plan is under way.';
COMMENT ON COLUMN why_not.rule IS 'The rule that acted; null when none did.';
COMMENT ON COLUMN why_not.threshold IS 'The rule''s threshold; null when it has none.';
COMMENT ON COLUMN why_not.intended_quantity IS 'Shares without the rule, unsigned.';
COMMENT ON COLUMN why_not.intended_value IS 'What they would have been worth, dollars.';
COMMENT ON COLUMN why_not.allowed_quantity IS
    'Shares the rule let pass, unsigned: ordered, crossed, or allowed to want.';
COMMENT ON COLUMN why_not.traded_quantity IS 'Shares executed at the broker; null while the line is under way.';
COMMENT ON COLUMN why_not.reason IS
    'For a person: the broker''s message, what superseded it, or why the plan is blocked.';

-- What people ask: who owns what, what it is worth, and why something was not traded.

CREATE VIEW positions AS
SELECT account_id, owner, commodity AS symbol, trim_scale(sum(amount)) AS quantity
FROM ledger_postings
WHERE owner <> 'street' AND commodity <> 'USD'
GROUP BY account_id, owner, commodity
HAVING sum(amount) <> 0;
COMMENT ON VIEW positions IS 'Which strategy owns which shares: the sum of its postings; zero positions are left out.';
COMMENT ON COLUMN positions.account_id IS 'The brokerage account.';
COMMENT ON COLUMN positions.owner IS 'Strategy id, or system.';
COMMENT ON COLUMN positions.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN positions.quantity IS 'Signed shares.';

CREATE VIEW cash AS
SELECT account_id, owner, trim_scale(sum(amount)) AS amount
FROM ledger_postings
WHERE owner <> 'street' AND commodity = 'USD'
GROUP BY account_id, owner;
COMMENT ON VIEW cash IS 'The cash of each owner; all of an account together equal the broker''s cash.';
COMMENT ON COLUMN cash.account_id IS 'The brokerage account.';
COMMENT ON COLUMN cash.owner IS 'Strategy id, or system, which holds the deposits.';
COMMENT ON COLUMN cash.amount IS 'Dollars; negative while shares are financed by the account.';

CREATE VIEW marks AS
SELECT DISTINCT ON (account_id, symbol)
    account_id, symbol, trim_scale((bid + ask) * 0.5) AS mid, quoted_at, source
FROM quotes
WHERE bid > 0 AND ask > 0
ORDER BY account_id, symbol, "offset" DESC;
COMMENT ON VIEW marks IS 'The last known midpoint of each symbol: of the last snapshot that had a bid and an offer.';
COMMENT ON COLUMN marks.account_id IS 'The brokerage account whose snapshot it is from.';
COMMENT ON COLUMN marks.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN marks.mid IS 'Midpoint of bid and offer, dollars per share.';
COMMENT ON COLUMN marks.quoted_at IS 'The venue''s time of the quote.';
COMMENT ON COLUMN marks.source IS 'Feed the quote came from.';

CREATE VIEW strategy_pnl AS
WITH flows AS (
    SELECT account_id, owner, sum(amount) FILTER (WHERE commodity = 'USD' AND kind <> 'DEPOSIT') AS amount
    FROM ledger_postings
    WHERE owner <> 'street'
    GROUP BY account_id, owner
), holdings AS (
    SELECT account_id, owner,
        sum(quantity * mid) AS value,
        array_agg(symbol ORDER BY symbol) FILTER (WHERE mid IS NULL) AS unmarked,
        min(quoted_at) AS marked_at
    FROM positions LEFT JOIN marks USING (account_id, symbol)
    GROUP BY account_id, owner
), sums AS (
    SELECT account_id, owner, coalesce(flows.amount, 0) AS cash_flow,
        CASE WHEN unmarked IS NULL THEN coalesce(holdings.value, 0) END AS holdings_value,
        marked_at, coalesce(unmarked, '{}') AS unmarked_symbols
    FROM flows LEFT JOIN holdings USING (account_id, owner)
)
SELECT account_id, owner, trim_scale(cash_flow) AS cash_flow, trim_scale(holdings_value) AS holdings_value,
    trim_scale(cash_flow + holdings_value) AS pnl, marked_at, unmarked_symbols
FROM sums;
COMMENT ON VIEW strategy_pnl IS
    'What each owner won or lost: cash flows, and holdings at the last known mid; deposits are no profit.';
COMMENT ON COLUMN strategy_pnl.account_id IS 'The brokerage account.';
COMMENT ON COLUMN strategy_pnl.owner IS 'Strategy id, or system.';
COMMENT ON COLUMN strategy_pnl.cash_flow IS 'Sum of its cash postings without deposits, dollars.';
COMMENT ON COLUMN strategy_pnl.holdings_value IS 'Its holdings at the last known mid, dollars; null when one has none.';
COMMENT ON COLUMN strategy_pnl.pnl IS 'cash_flow and holdings_value together, dollars; null when a holding has no mid.';
COMMENT ON COLUMN strategy_pnl.marked_at IS 'Time of the oldest quote used; null when nothing is held.';
COMMENT ON COLUMN strategy_pnl.unmarked_symbols IS 'Holdings without a mid, which make the P&L unknown.';

CREATE VIEW why_not AS
SELECT plans.account_id, plans.run_id, plan_id, plans.as_of, symbol, line.action, line.status, ended.outcome,
    coalesce(ended.rule, line.rule, plans.rule) AS rule,
    trim_scale(coalesce(ended.threshold, line.threshold)) AS threshold,
    trim_scale(line.intended_quantity) AS intended_quantity,
    trim_scale(line.intended_value) AS intended_value,
    coalesce(nullif(ended.reason, ''), plans.detail) AS reason
FROM plans
JOIN plan_lines AS line USING (plan_id)
LEFT JOIN line_outcomes AS ended USING (plan_id, symbol)
WHERE CASE
    WHEN ended.outcome IS NOT NULL THEN ended.cum_qty = 0 AND ended.cross_quantity = 0
    ELSE line.status <> 'PLANNED' OR plans.status <> 'READY'
END;
COMMENT ON VIEW why_not IS 'Plan lines of which nothing was traded, and why; lines still under way are not in it.';
COMMENT ON COLUMN why_not.account_id IS 'The brokerage account.';
COMMENT ON COLUMN why_not.run_id IS 'The run.';
COMMENT ON COLUMN why_not.plan_id IS 'The plan.';
COMMENT ON COLUMN why_not.as_of IS 'The run''s valuation instant.';
COMMENT ON COLUMN why_not.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN why_not.action IS 'BUY, SELL or HOLD, of the net of what the strategies want.';
COMMENT ON COLUMN why_not.status IS 'PLANNED, SUPPRESSED or BLOCKED, by the planner.';
COMMENT ON COLUMN why_not.outcome IS 'How the line ended; null while its plan is under way.';
COMMENT ON COLUMN why_not.rule IS 'The rule that acted on the line or on the whole plan; null when none did.';
COMMENT ON COLUMN why_not.threshold IS 'The rule''s threshold; null when it has none.';
COMMENT ON COLUMN why_not.intended_quantity IS 'Shares the line would have ordered, unsigned.';
COMMENT ON COLUMN why_not.intended_value IS 'What they would have been worth, dollars.';
COMMENT ON COLUMN why_not.reason IS
    'For a person: the broker''s message, what superseded it, or why the plan is blocked.';

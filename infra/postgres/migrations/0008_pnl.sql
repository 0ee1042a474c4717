-- What was won and lost: by strategy, by symbol, by run and by plan; every sum is exactly the account's.

-- Capital that comes, goes or moves between owners is no profit.
CREATE VIEW strategy_pnl AS
WITH flows AS (
    SELECT account_id, owner,
        sum(amount) FILTER (WHERE commodity = 'USD' AND kind NOT IN ('DEPOSIT', 'TRANSFER')) AS amount
    FROM ledger_postings
    WHERE owner <> 'street'
    GROUP BY account_id, owner
), costs AS (
    SELECT account_id, owner, sum(quantity * price) AS amount FROM lots GROUP BY account_id, owner
), holdings AS (
    SELECT account_id, owner,
        sum(quantity * mid) AS value,
        array_agg(symbol ORDER BY symbol) FILTER (WHERE mid IS NULL) AS unmarked,
        min(quoted_at) AS marked_at
    FROM positions LEFT JOIN marks USING (account_id, symbol)
    GROUP BY account_id, owner
), sums AS (
    SELECT account_id, owner, coalesce(flows.amount, 0) AS cash_flow, coalesce(costs.amount, 0) AS cost,
        CASE WHEN unmarked IS NULL THEN coalesce(holdings.value, 0) END AS holdings_value,
        marked_at, coalesce(unmarked, '{}') AS unmarked_symbols
    FROM flows LEFT JOIN costs USING (account_id, owner) LEFT JOIN holdings USING (account_id, owner)
)
SELECT account_id, owner, trim_scale(cash_flow) AS cash_flow, trim_scale(holdings_value) AS holdings_value,
    trim_scale(cash_flow + cost) AS realised, trim_scale(holdings_value - cost) AS unrealised,
    trim_scale(cash_flow + holdings_value) AS pnl, marked_at, unmarked_symbols
FROM sums;
COMMENT ON VIEW strategy_pnl IS
    'What each owner won or lost, holdings at the last known mid; deposits and transfers are no profit.';
COMMENT ON COLUMN strategy_pnl.account_id IS 'The brokerage account.';
COMMENT ON COLUMN strategy_pnl.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN strategy_pnl.cash_flow IS 'Sum of its cash postings without deposits and transfers, dollars.';
COMMENT ON COLUMN strategy_pnl.holdings_value IS 'Its holdings at the last known mid, dollars; null when one has none.';
COMMENT ON COLUMN strategy_pnl.realised IS
    'Part of pnl that no price can change any more: closed lots, fees, rounding.';
COMMENT ON COLUMN strategy_pnl.unrealised IS 'Part of pnl in open lots, at the last known mid; null when one has none.';
COMMENT ON COLUMN strategy_pnl.pnl IS 'cash_flow and holdings_value together, dollars; null when a holding has no mid.';
COMMENT ON COLUMN strategy_pnl.marked_at IS 'Time of the oldest quote used; null when nothing is held.';
COMMENT ON COLUMN strategy_pnl.unmarked_symbols IS 'Holdings without a mid, which make the P&L unknown.';

-- A gain belongs to who closed the lot; while it is open, to who opened it. Cash without shares is a gain by itself.
CREATE VIEW pnl_parts AS
SELECT account_id, owner, symbol, run_id, plan_id, realised, 0 AS unrealised
FROM lot_closes
UNION ALL
SELECT account_id, owner, symbol, run_id, plan_id, 0, quantity * (mid - price)
FROM lots LEFT JOIN marks USING (account_id, symbol)
UNION ALL
SELECT entry.account_id, posting.owner, entry.symbol, entry.run_id, entry.plan_id, posting.amount, 0
FROM ledger_postings AS posting JOIN ledger_entries AS entry USING (entry_id)
WHERE posting.owner <> 'street' AND posting.commodity = 'USD'
    AND posting.kind NOT IN ('DEPOSIT', 'TRANSFER', 'MODE_SWITCH')
    AND NOT EXISTS (SELECT FROM ledger_postings AS shares
        WHERE (shares.entry_id, shares.owner) = (posting.entry_id, posting.owner) AND shares.commodity <> 'USD');
COMMENT ON VIEW pnl_parts IS 'Every single gain and loss; all of an account together are its P&L.';
COMMENT ON COLUMN pnl_parts.account_id IS 'The brokerage account.';
COMMENT ON COLUMN pnl_parts.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN pnl_parts.symbol IS 'Ticker, upper case; null for fees, rounding and the like.';
COMMENT ON COLUMN pnl_parts.run_id IS 'The run whose it is; null outside runs.';
COMMENT ON COLUMN pnl_parts.plan_id IS 'The plan whose it is; null outside plans.';
COMMENT ON COLUMN pnl_parts.realised IS 'Dollars that no price can change any more.';
COMMENT ON COLUMN pnl_parts.unrealised IS 'Dollars in an open lot, at the last known mid; null when it has none.';

CREATE VIEW symbol_pnl AS
SELECT account_id, owner, symbol, trim_scale(sum(realised)) AS realised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN trim_scale(sum(unrealised)) END AS unrealised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN trim_scale(sum(realised + unrealised)) END AS pnl
FROM pnl_parts
GROUP BY account_id, owner, symbol;
COMMENT ON VIEW symbol_pnl IS 'What each owner won or lost in each symbol.';
COMMENT ON COLUMN symbol_pnl.account_id IS 'The brokerage account.';
COMMENT ON COLUMN symbol_pnl.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN symbol_pnl.symbol IS 'Ticker, upper case; null for fees, rounding and the like.';
COMMENT ON COLUMN symbol_pnl.realised IS 'Dollars that no price can change any more.';
COMMENT ON COLUMN symbol_pnl.unrealised IS 'Dollars in open lots, at the last known mid; null when there is none.';
COMMENT ON COLUMN symbol_pnl.pnl IS 'Both together; null when there is no mid.';

CREATE VIEW plan_pnl AS
SELECT account_id, run_id, plan_id, owner, symbol, trim_scale(sum(realised)) AS realised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN trim_scale(sum(unrealised)) END AS unrealised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN trim_scale(sum(realised + unrealised)) END AS pnl
FROM pnl_parts
GROUP BY account_id, run_id, plan_id, owner, symbol;
COMMENT ON VIEW plan_pnl IS
    'What each run and plan won or lost, by owner and symbol: lots it closed, and lots it opened that are open still.';
COMMENT ON COLUMN plan_pnl.account_id IS 'The brokerage account.';
COMMENT ON COLUMN plan_pnl.run_id IS 'The run; null for what happened outside runs.';
COMMENT ON COLUMN plan_pnl.plan_id IS 'The plan; null for what happened outside plans.';
COMMENT ON COLUMN plan_pnl.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN plan_pnl.symbol IS 'Ticker, upper case; null for fees, rounding and the like.';
COMMENT ON COLUMN plan_pnl.realised IS 'Dollars that no price can change any more.';
COMMENT ON COLUMN plan_pnl.unrealised IS 'Dollars in open lots, at the last known mid; null when there is none.';
COMMENT ON COLUMN plan_pnl.pnl IS 'Both together; null when there is no mid.';

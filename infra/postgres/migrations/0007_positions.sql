-- Who owns what: positions, cash, and the trades and lots behind them.

CREATE VIEW positions AS
SELECT account_id, owner, commodity AS symbol, trim_scale(sum(amount)) AS quantity
FROM ledger_postings
WHERE owner <> 'street' AND commodity <> 'USD'
GROUP BY account_id, owner, commodity
HAVING sum(amount) <> 0;
COMMENT ON VIEW positions IS 'Which strategy owns which shares: the sum of its postings; zero positions are left out.';
COMMENT ON COLUMN positions.account_id IS 'The brokerage account.';
COMMENT ON COLUMN positions.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN positions.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN positions.quantity IS 'Signed shares.';

CREATE VIEW positions_by_mode AS
SELECT account_id, owner, mode, commodity AS symbol, trim_scale(sum(amount)) AS quantity
FROM ledger_postings
WHERE owner <> 'street' AND commodity <> 'USD'
GROUP BY account_id, owner, mode, commodity
HAVING sum(amount) <> 0;
COMMENT ON VIEW positions_by_mode IS 'Positions, and in which way their books are kept.';
COMMENT ON COLUMN positions_by_mode.account_id IS 'The brokerage account.';
COMMENT ON COLUMN positions_by_mode.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN positions_by_mode.mode IS 'NETTED or BOOK; null for system and manual.';
COMMENT ON COLUMN positions_by_mode.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN positions_by_mode.quantity IS 'Signed shares.';

CREATE VIEW cash AS
SELECT account_id, owner, trim_scale(sum(amount)) AS amount
FROM ledger_postings
WHERE owner <> 'street' AND commodity = 'USD'
GROUP BY account_id, owner;
COMMENT ON VIEW cash IS 'The cash of each owner; all of an account together equal the broker''s cash.';
COMMENT ON COLUMN cash.account_id IS 'The brokerage account.';
COMMENT ON COLUMN cash.owner IS 'Strategy id, manual, or system, which holds the deposits.';
COMMENT ON COLUMN cash.amount IS 'Dollars; negative while shares are financed by the account.';

CREATE VIEW marks AS
SELECT DISTINCT ON (account_id, symbol)
    -- half-even to six decimals, as the agents round it; PostgreSQL rounds a half away from zero
    account_id, symbol, trim_scale((steps - (steps % 1 = 0.5 AND trunc(steps) % 2 = 0)::integer * 0.5)::numeric(38, 0)
        / 1000000) AS mid, quoted_at, source
FROM quotes, LATERAL (SELECT (bid + ask) * 500000 AS steps) AS micros
WHERE bid > 0 AND ask > 0
ORDER BY account_id, symbol, "offset" DESC;
COMMENT ON VIEW marks IS 'The last known midpoint of each symbol: of the last snapshot that had a bid and an offer.';
COMMENT ON COLUMN marks.account_id IS 'The brokerage account whose snapshot it is from.';
COMMENT ON COLUMN marks.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN marks.mid IS 'Midpoint of bid and offer, dollars per share.';
COMMENT ON COLUMN marks.quoted_at IS 'The venue''s time of the quote.';
COMMENT ON COLUMN marks.source IS 'Feed the quote came from.';

-- A switch of mode moves shares between two books of one owner: its postings sum to zero, so it is no trade.
CREATE VIEW trades AS
WITH shares AS (
    SELECT entry_id, owner, commodity AS symbol, min(mode) AS mode, sum(amount) AS quantity
    FROM ledger_postings
    WHERE owner <> 'street' AND commodity <> 'USD'
    GROUP BY entry_id, owner, commodity
    HAVING sum(amount) <> 0
), dollars AS (
    SELECT entry_id, owner, sum(amount) AS amount
    FROM ledger_postings
    WHERE owner <> 'street' AND commodity = 'USD'
    GROUP BY entry_id, owner
)
SELECT entry.account_id, owner, shares.symbol, mode, entry_id, entry.kind, entry.run_id, entry.plan_id, entry.book,
    coalesce(transact_time, entry.occurred_at) AS traded_at, quantity,
    round(-coalesce(dollars.amount, 0) / quantity, 15) AS price, coalesce(dollars.amount, 0) AS cash,
    sum(abs(quantity)) OVER earlier - abs(quantity) AS side_from, sum(abs(quantity)) OVER earlier AS side_until,
    entry.partition, entry."offset"
FROM shares
JOIN ledger_entries AS entry USING (entry_id)
LEFT JOIN dollars USING (entry_id, owner)
WINDOW earlier AS (
    PARTITION BY entry.account_id, owner, shares.symbol, sign(quantity) ORDER BY entry.partition, entry."offset"
);
COMMENT ON VIEW trades IS
    'What changed an owner''s shares of a symbol, in the order of the books: fills, crosses, trades by hand.';
COMMENT ON COLUMN trades.account_id IS 'The brokerage account.';
COMMENT ON COLUMN trades.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN trades.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN trades.mode IS 'How the owner''s books were kept then; null for system and manual.';
COMMENT ON COLUMN trades.entry_id IS 'The ledger entry.';
COMMENT ON COLUMN trades.kind IS 'What was booked: FILL, CROSS, MANUAL_FILL, ...';
COMMENT ON COLUMN trades.run_id IS 'The run; null outside runs.';
COMMENT ON COLUMN trades.plan_id IS 'The plan; null outside plans.';
COMMENT ON COLUMN trades.book IS 'The plan line''s book; null outside plans.';
COMMENT ON COLUMN trades.traded_at IS 'Time of the execution; of the entry''s cause where there is none.';
COMMENT ON COLUMN trades.quantity IS 'Signed shares.';
COMMENT ON COLUMN trades.price IS 'Dollars per share; 0 for shares that came without cash.';
COMMENT ON COLUMN trades.cash IS 'Signed dollars.';
COMMENT ON COLUMN trades.side_from IS 'Shares this owner had bought (or sold) of the symbol before it.';
COMMENT ON COLUMN trades.side_until IS 'The same after it.';
COMMENT ON COLUMN trades.partition IS 'Partition of ledger-entries.v1 the entry comes from.';
COMMENT ON COLUMN trades."offset" IS 'Offset of the entry in that partition.';

-- First in, first out: the n-th share an owner bought meets the n-th share it sold, whichever came first. So what was
-- closed is where the ranges of buys and sells overlap, and what is open is what lies beyond the other side's end.
CREATE VIEW lots AS
WITH sides AS (
    SELECT account_id, owner, symbol, sign(quantity) AS side, max(side_until) AS total
    FROM trades
    GROUP BY account_id, owner, symbol, sign(quantity)
)
SELECT trade.account_id, trade.owner, coalesce(moved.mode, trade.mode) AS mode, trade.symbol,
    trade.traded_at AS opened_at,
    trim_scale(sign(quantity) * (side_until - greatest(side_from, coalesce(closed.total, 0)))) AS quantity,
    trim_scale(trade.price) AS price, trade.run_id, trade.plan_id, trade.entry_id, trade.partition, trade."offset"
FROM trades AS trade
LEFT JOIN sides AS closed ON (closed.account_id, closed.owner, closed.symbol, closed.side)
    = (trade.account_id, trade.owner, trade.symbol, -sign(quantity))
LEFT JOIN LATERAL (
    SELECT switched.mode FROM ledger_postings AS switched
    WHERE switched.kind = 'MODE_SWITCH' AND (switched.account_id, switched.owner, switched.commodity)
        = (trade.account_id, trade.owner, trade.symbol)
        AND sign(switched.amount) = sign(quantity)
        AND (switched.partition, switched."offset") > (trade.partition, trade."offset")
    ORDER BY switched.partition DESC, switched."offset" DESC LIMIT 1
) AS moved ON true
WHERE side_until > coalesce(closed.total, 0);
COMMENT ON VIEW lots IS
    'What is held, lot by lot, first in first out; a switch of mode moves lots, with the time they were opened.';
COMMENT ON COLUMN lots.account_id IS 'The brokerage account.';
COMMENT ON COLUMN lots.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN lots.mode IS 'How the owner''s books are kept now; null for system and manual.';
COMMENT ON COLUMN lots.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN lots.opened_at IS 'Time of the execution that opened it.';
COMMENT ON COLUMN lots.quantity IS 'Signed shares that are left of it.';
COMMENT ON COLUMN lots.price IS 'Dollars per share it was opened at.';
COMMENT ON COLUMN lots.run_id IS 'The run that opened it; null outside runs.';
COMMENT ON COLUMN lots.plan_id IS 'The plan that opened it; null outside plans.';
COMMENT ON COLUMN lots.entry_id IS 'The ledger entry that opened it.';
COMMENT ON COLUMN lots.partition IS 'Partition of ledger-entries.v1 that entry comes from.';
COMMENT ON COLUMN lots."offset" IS 'Offset of that entry in its partition.';

CREATE VIEW lot_closes AS
SELECT buy.account_id, buy.owner, buy.symbol,
    CASE WHEN is_long THEN buy.traded_at ELSE sell.traded_at END AS opened_at,
    CASE WHEN is_long THEN sell.traded_at ELSE buy.traded_at END AS closed_at,
    trim_scale(CASE WHEN is_long THEN shares ELSE -shares END) AS quantity,
    trim_scale(CASE WHEN is_long THEN buy.price ELSE sell.price END) AS open_price,
    trim_scale(CASE WHEN is_long THEN sell.price ELSE buy.price END) AS close_price,
    trim_scale(shares * (sell.price - buy.price)) AS realised,
    CASE WHEN is_long THEN buy.plan_id ELSE sell.plan_id END AS opening_plan_id,
    CASE WHEN is_long THEN sell.run_id ELSE buy.run_id END AS run_id,
    CASE WHEN is_long THEN sell.plan_id ELSE buy.plan_id END AS plan_id
FROM trades AS buy
JOIN trades AS sell ON (buy.account_id, buy.owner, buy.symbol) = (sell.account_id, sell.owner, sell.symbol)
    AND buy.side_from < sell.side_until AND sell.side_from < buy.side_until
CROSS JOIN LATERAL (
    SELECT (buy.partition, buy."offset") < (sell.partition, sell."offset") AS is_long,
        least(buy.side_until, sell.side_until) - greatest(buy.side_from, sell.side_from) AS shares
) AS meeting
WHERE buy.quantity > 0 AND sell.quantity < 0;
COMMENT ON VIEW lot_closes IS 'What was closed of which lot, first in first out, and what was won or lost by it.';
COMMENT ON COLUMN lot_closes.account_id IS 'The brokerage account.';
COMMENT ON COLUMN lot_closes.owner IS 'Strategy id, system, or manual.';
COMMENT ON COLUMN lot_closes.symbol IS 'Ticker, upper case.';
COMMENT ON COLUMN lot_closes.opened_at IS 'Time of the execution that opened the lot.';
COMMENT ON COLUMN lot_closes.closed_at IS 'Time of the execution that closed this much of it.';
COMMENT ON COLUMN lot_closes.quantity IS 'Shares closed, signed as the lot.';
COMMENT ON COLUMN lot_closes.open_price IS 'Dollars per share it was opened at.';
COMMENT ON COLUMN lot_closes.close_price IS 'Dollars per share it was closed at.';
COMMENT ON COLUMN lot_closes.realised IS 'Dollars won; negative when lost.';
COMMENT ON COLUMN lot_closes.opening_plan_id IS 'The plan that opened the lot; null outside plans.';
COMMENT ON COLUMN lot_closes.run_id IS 'The run that closed it; null outside runs.';
COMMENT ON COLUMN lot_closes.plan_id IS 'The plan that closed it; null outside plans.';

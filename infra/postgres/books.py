"""What PostgreSQL knows of the books: who owns what, lot by lot, and what was won or lost.

Read only. Rows are dicts of plain values: numbers are Decimal, unrounded.
"""

from infra.postgres.connection import Connection
from infra.postgres.plans import Found, rows
from infra.postgres.text import storable_text

_POSITIONS = """
SELECT account_id, owner, mode, symbol, quantity FROM positions_by_mode
WHERE owner = coalesce(%(owner)s, owner) AND account_id = coalesce(%(account)s, account_id)
ORDER BY account_id, owner, symbol, mode
"""

_LOTS = """
SELECT account_id, owner, mode, symbol, opened_at, quantity, price, mid AS last_mid,
    quantity * (mid - price) AS unrealised, run_id, plan_id
FROM lots LEFT JOIN marks USING (account_id, symbol)
WHERE owner = coalesce(%(owner)s, owner) AND symbol = coalesce(%(symbol)s, symbol)
    AND account_id = coalesce(%(account)s, account_id)
ORDER BY account_id, owner, symbol, partition, "offset"
"""

_BY_STRATEGY = """
SELECT account_id, owner, cash_flow, holdings_value, realised, unrealised, pnl, marked_at, unmarked_symbols,
    false AS is_total
FROM strategy_pnl WHERE owner = coalesce(%(owner)s, owner) AND account_id = coalesce(%(account)s, account_id)
UNION ALL
SELECT account_id, NULL, sum(cash_flow),
    CASE WHEN bool_and(pnl IS NOT NULL) THEN sum(holdings_value) END, sum(realised),
    CASE WHEN bool_and(pnl IS NOT NULL) THEN sum(unrealised) END,
    CASE WHEN bool_and(pnl IS NOT NULL) THEN sum(pnl) END, min(marked_at), '{}', true
FROM strategy_pnl WHERE owner = coalesce(%(owner)s, owner) AND account_id = coalesce(%(account)s, account_id)
GROUP BY account_id
ORDER BY account_id, is_total, owner
"""

_BY_OTHER = """
SELECT account_id, key, CASE WHEN grouping(key) = 0 THEN min(as_of) END AS as_of, sum(realised) AS realised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN sum(unrealised) END AS unrealised,
    CASE WHEN bool_and(unrealised IS NOT NULL) THEN sum(realised + unrealised) END AS pnl,
    grouping(key) = 1 AS is_total
FROM (
    SELECT parts.account_id, run.as_of, realised, unrealised,
        CASE %(by)s WHEN 'symbol' THEN parts.symbol WHEN 'run' THEN run_id::text ELSE plan_id::text END AS key
    FROM pnl_parts AS parts LEFT JOIN runs_started AS run USING (run_id)
    WHERE owner = coalesce(%(owner)s, owner) AND parts.account_id = coalesce(%(account)s, parts.account_id)
) AS keyed
GROUP BY account_id, ROLLUP (key)
ORDER BY account_id, is_total, CASE WHEN %(by)s <> 'symbol' THEN min(as_of) END NULLS LAST, key NULLS LAST
"""

_CASH = """
SELECT account_id, owner,
    trim_scale(coalesce(sum(amount) FILTER (WHERE kind = 'DEPOSIT'), 0)) AS deposits,
    trim_scale(coalesce(sum(amount) FILTER (WHERE kind = 'TRANSFER'), 0)) AS transfers,
    trim_scale(coalesce(sum(amount) FILTER (WHERE kind IN ('FILL', 'CROSS', 'MANUAL_FILL')), 0)) AS trades,
    trim_scale(coalesce(sum(amount) FILTER (
        WHERE kind NOT IN ('DEPOSIT', 'TRANSFER', 'FILL', 'CROSS', 'MANUAL_FILL')), 0)) AS other,
    trim_scale(sum(amount)) AS cash, grouping(owner) = 1 AS is_total
FROM ledger_postings
WHERE owner <> 'street' AND commodity = 'USD' AND owner = coalesce(%(owner)s, owner)
    AND account_id = coalesce(%(account)s, account_id)
GROUP BY account_id, ROLLUP (owner)
ORDER BY account_id, is_total, owner
"""

_IS_OWNER = """
SELECT EXISTS (SELECT FROM ledger_postings WHERE owner = %(owner)s AND owner <> 'street')
    OR EXISTS (SELECT FROM run_strategies WHERE strategy_id = %(owner)s) AS found
"""

_IS_ACCOUNT = """
SELECT EXISTS (SELECT FROM ledger_entries WHERE account_id = %(account)s)
    OR EXISTS (SELECT FROM runs WHERE account_id = %(account)s) AS found
"""

_KEYS = {"symbol": "symbol", "run": "run_id", "plan": "plan_id"}


def positions(connection: Connection, strategy: str | None = None, account: str | None = None) -> list[Found]:
    """Return who owns how many shares of what, and how the books of them are kept."""
    return rows(connection, _POSITIONS, owner=_stored(strategy), account=_stored(account))


def lots(
    connection: Connection, strategy: str | None = None, symbol: str | None = None, account: str | None = None
) -> list[Found]:
    """Return what is held, lot by lot, in the order they were opened."""
    values = {"owner": _stored(strategy), "symbol": _stored(symbol), "account": _stored(account)}
    return rows(connection, _LOTS, **values)


def cash(connection: Connection, strategy: str | None = None, account: str | None = None) -> list[Found]:
    """Return the cash of each owner and what it came from; the last row of an account, `is_total`, is the sum.

    Of all owners together that is the account's cash.
    """
    return rows(connection, _CASH, owner=_stored(strategy), account=_stored(account))


def pnl(connection: Connection, by: str, strategy: str | None = None, account: str | None = None) -> list[Found]:
    """Return what was won or lost by strategy, symbol, run or plan; the last row of an account, `is_total`, is the sum.

    `by` is strategy, symbol, run or plan. Its column is None in the sum, and for what belongs to none: fees, rounding,
    what was traded by hand.
    """
    values = {"owner": _stored(strategy), "account": _stored(account)}
    if by not in _KEYS:
        return rows(connection, _BY_STRATEGY, **values)
    found = rows(connection, _BY_OTHER, **values, by=by)
    dropped = {"key", "account_id"} | ({"as_of"} if by == "symbol" else set())
    return [
        {
            "account_id": row["account_id"],
            _KEYS[by]: row["key"],
            **{name: value for name, value in row.items() if name not in dropped},
        }
        for row in found
    ]


def is_owner(connection: Connection, name: str) -> bool:
    """Say whether anybody of that name has owned something, or was in a run."""
    return bool(rows(connection, _IS_OWNER, owner=_stored(name))[0]["found"])


def is_account(connection: Connection, name: str) -> bool:
    """Say whether anything was booked or asked for in an account of that name."""
    return bool(rows(connection, _IS_ACCOUNT, account=_stored(name))[0]["found"])


def _stored(text: str | None) -> str | None:
    return None if text is None else storable_text(text)

"""What PostgreSQL knows of a plan: its limits and lines, who wanted what, what was traded, and what it won or lost.

Read only. Documents are dicts of plain values: numbers are Decimal, unrounded.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from infra.postgres.connection import Connection
from schemas.quantities import CONTEXT

Found = dict[str, Any]

_RUNS = """
SELECT run_id FROM (
    SELECT run_id FROM runs UNION SELECT run_id FROM portfolios UNION SELECT run_id FROM plans
    UNION SELECT follow_up_run_id FROM conflict_outcomes
) AS known WHERE run_id::text LIKE %(prefix)s ORDER BY run_id
"""

_PLANS = (
    "SELECT plan_id FROM plans WHERE plan_id::text LIKE %(prefix)s OR run_id::text LIKE %(prefix)s ORDER BY plan_id"
)

_PLAN = """
SELECT plan.plan_id, plan.run_id, plan.account_id, plan.as_of, plan.taken_at, started.valid_until, plan.status,
    plan.rule, plan.detail, progress.status AS execution, progress.detail AS execution_detail, plan.equity, plan.cash,
    plan.cash_available, plan.sells_expected, plan.buys_planned, plan.trade_value, plan.line_count, plan.scope,
    started.asked_run_id, started.decided_by, started.sync_rule, started.conflict_rule, started.cash_policy,
    started.drift_rule, started.binding
FROM plans AS plan
LEFT JOIN runs_started AS started USING (run_id)
LEFT JOIN LATERAL (
    SELECT status, detail FROM executions WHERE executions.run_id = plan.run_id
    ORDER BY partition DESC, "offset" DESC LIMIT 1
) AS progress ON true
WHERE plan.plan_id = %(plan_id)s
"""

_CONSTRAINTS = """
SELECT rule, scope, symbol, "limit", wanted, used, effect FROM plan_constraints
WHERE plan_id = %(plan_id)s ORDER BY ordinal
"""

_LINES = """
SELECT line.book, line.symbol, line.action, line.status, line.rule, line.threshold, line.target_weight,
    line.target_value, line.current_quantity, line.target_quantity, line.delta_quantity, line.account_quantity,
    line.price, line.bid, line.ask, line.quoted_at, line.quote_source, line.quantity, line.reducing_quantity,
    line.phase, line.notional, line.cross_quantity, line.cross_deferred_quantity, line.cross_rule, line.priority,
    line.intended_quantity, line.intended_value, own.allowed AS allowed_quantity,
    trim_scale(abs(own.allowed) * line.price) AS allowed_value, started.binding, traded.value AS traded_before,
    instrument.detail AS instrument_detail, ended.outcome, ended.rule AS outcome_rule,
    ended.threshold AS outcome_threshold, ended.order_qty, ended.cum_qty, ended.cross_quantity AS crossed_quantity,
    ended.reason, ended.client_order_ids
FROM plan_lines AS line
JOIN plans USING (plan_id)
LEFT JOIN line_outcomes AS ended USING (plan_id, book, symbol)
LEFT JOIN runs_started AS started ON started.run_id = plans.run_id
CROSS JOIN LATERAL (
    -- orders are whole steps: what is left of one, as of holdings in fractions, is not ordered
    SELECT trim_scale(coalesce(div(sum(allowed), started.quantity_step) * started.quantity_step, sum(allowed), 0))
        AS allowed
    FROM plan_line_contributions AS part WHERE part.plan_id = line.plan_id AND part.line_ordinal = line.ordinal
) AS own
LEFT JOIN LATERAL (
    SELECT detail FROM snapshot_instruments AS stopped
    WHERE stopped.run_id = plans.run_id AND stopped.symbol = line.symbol
    ORDER BY partition DESC, "offset" DESC LIMIT 1
) AS instrument ON true
CROSS JOIN (SELECT sum(traded_value) AS value FROM strategy_books WHERE event_id = (
    SELECT books.event_id FROM books JOIN plans AS made USING (run_id) WHERE made.plan_id = %(plan_id)s
    ORDER BY books.partition DESC, books."offset" DESC LIMIT 1
)) AS traded
WHERE plan_id = %(plan_id)s AND line.symbol = coalesce(%(symbol)s, line.symbol)
ORDER BY line.ordinal
"""

_PARTS = """
WITH got AS (
    SELECT posting.owner AS strategy_id, entry.book, entry.symbol,
        sum(amount) FILTER (WHERE entry.kind = 'FILL') AS filled,
        sum(amount) FILTER (WHERE entry.kind = 'CROSS') AS crossed
    FROM ledger_entries AS entry JOIN ledger_postings AS posting USING (entry_id)
    WHERE entry.plan_id = %(plan_id)s AND posting.owner <> 'street' AND posting.commodity = entry.symbol
    GROUP BY posting.owner, entry.book, entry.symbol
), plan AS (
    SELECT plan_id, plans.run_id, asked_run_id FROM plans LEFT JOIN runs_started USING (run_id)
    WHERE plan_id = %(plan_id)s
), formed AS (
    SELECT portfolios.* FROM portfolios JOIN plan USING (run_id) ORDER BY partition, "offset" LIMIT 1
), traded AS (
    SELECT strategy_id, traded_value FROM strategy_books WHERE event_id = (
        SELECT event_id FROM books JOIN plan USING (run_id) ORDER BY books.partition DESC, books."offset" DESC LIMIT 1
    )
)
SELECT part.book, part.symbol, part.strategy_id, part.weight, part.current_quantity, part.target_quantity, part.wanted,
    part.value, part.allowed, part.rule, part.threshold, part.crossed, part.ordered,
    coalesce(got.crossed, 0) AS got_crossed, coalesce(got.filled, 0) AS got_filled,
    traded.traded_value AS traded_before,
    CASE
        WHEN part.strategy_id = ANY (formed.failed) THEN 'FAILED'
        WHEN part.strategy_id = ANY (formed.missing) THEN 'MISSING'
        WHEN part.strategy_id = ANY (formed.silent_strategies) THEN 'SILENT'
        WHEN EXISTS (SELECT FROM kept_symbols AS kept WHERE kept.event_id = formed.event_id
            AND kept.symbol = part.symbol AND kept.strategy_id = part.strategy_id) THEN 'NOT_JUDGED'
        WHEN asked_run_id IS NOT NULL AND NOT EXISTS (SELECT FROM run_strategies AS terms
            WHERE terms.run_id = asked_run_id AND terms.strategy_id = part.strategy_id) THEN 'NOT_IN_RUN'
    END AS keeps
FROM plan
JOIN plan_line_contributions AS part USING (plan_id)
LEFT JOIN formed ON true
LEFT JOIN got USING (strategy_id, book, symbol)
LEFT JOIN traded USING (strategy_id)
WHERE part.symbol = coalesce(%(symbol)s, part.symbol)
ORDER BY part.line_ordinal, part.ordinal
"""

_ORDERS = """
SELECT book, symbol, client_order_id, venue, phase, side, order_qty, orders.cum_qty, gross_trade_amt, ord_status,
    refusal, reason,
    (SELECT sum(last_qty * last_px) FROM fills WHERE fills.client_order_id = orders.client_order_id) AS value
FROM orders
WHERE plan_id = %(plan_id)s AND symbol = coalesce(%(symbol)s, symbol)
ORDER BY symbol, book, leg, step
"""

_WARNINGS = """
SELECT warnings FROM runs JOIN runs_started AS started ON started.asked_run_id = runs.run_id
WHERE started.run_id = %(run_id)s AND status = 'REQUESTED' ORDER BY partition, "offset" LIMIT 1
"""

_SILENT = """
WITH formed AS (
    SELECT * FROM portfolios WHERE run_id = %(run_id)s ORDER BY partition, "offset" LIMIT 1
), said AS (
    SELECT DISTINCT ON (strategy_id) strategy_id, failure, detail FROM signals
    WHERE run_id = (SELECT asked_run_id FROM runs_started WHERE run_id = %(run_id)s)
    ORDER BY strategy_id, partition, "offset"
)
SELECT strategy_id, strategy_id = ANY (formed.failed) AS is_failed, said.failure, said.detail
FROM formed, unnest(formed.silent_strategies || formed.failed || formed.missing) AS strategy_id
LEFT JOIN said USING (strategy_id)
GROUP BY strategy_id, formed.failed, said.failure, said.detail ORDER BY strategy_id
"""

_KEPT = """
SELECT DISTINCT strategy_id, symbol FROM kept_symbols WHERE run_id = %(run_id)s ORDER BY strategy_id, symbol
"""

_CONFLICTS = """
SELECT DISTINCT ON (symbol) conflict.symbol, conflict.rule, conflict.decided_by, conflict.is_open, conflict.event_id,
    conflict.ordinal, EXISTS (
        SELECT FROM portfolios AS newer
        WHERE newer.account_id = formed.account_id AND newer.scope IS NULL
            AND (newer.partition, newer."offset") > (formed.partition, formed."offset")
    ) AS is_superseded
FROM conflicts AS conflict JOIN portfolios AS formed USING (event_id)
WHERE conflict.run_id = %(run_id)s AND conflict.symbol = coalesce(%(symbol)s, conflict.symbol)
ORDER BY symbol, conflict.partition, conflict."offset", ordinal
"""

_CONFLICT_WISHES = """
SELECT strategy_id, weight FROM conflict_wishes
WHERE event_id = %(event_id)s AND conflict_ordinal = %(ordinal)s ORDER BY ordinal
"""

_DECISIONS = """
SELECT status, choice, strategy_id, decided_by, follow_up_run_id FROM conflict_outcomes
WHERE run_id = %(run_id)s AND symbol = %(symbol)s ORDER BY partition, "offset"
"""

_PENDING = """
SELECT choice, strategy_id, decided_by FROM conflict_decisions AS decision
WHERE run_id = %(run_id)s AND symbol = %(symbol)s AND NOT EXISTS (
    SELECT FROM conflict_outcomes AS outcome
    WHERE (outcome.run_id, outcome.symbol, outcome.choice, outcome.decided_by)
        = (decision.run_id, decision.symbol, decision.choice, decision.decided_by)
        AND outcome.strategy_id IS NOT DISTINCT FROM decision.strategy_id
) ORDER BY partition, "offset"
"""

_PNL = """
WITH traded AS (
    SELECT posting.owner, entry.symbol, sum(amount) FILTER (WHERE commodity <> 'USD') AS quantity,
        sum(amount) FILTER (WHERE commodity = 'USD') AS cash
    FROM ledger_entries AS entry JOIN ledger_postings AS posting USING (entry_id)
    WHERE entry.plan_id = %(plan_id)s AND posting.owner <> 'street'
    GROUP BY posting.owner, entry.symbol
), won AS (SELECT owner, symbol, realised, unrealised, pnl FROM plan_pnl WHERE plan_id = %(plan_id)s)
SELECT owner, symbol, coalesce(quantity, 0) AS quantity, coalesce(cash, 0) AS cash,
    CASE WHEN won.owner IS NULL THEN 0 ELSE realised END AS realised,
    CASE WHEN won.owner IS NULL THEN 0 ELSE unrealised END AS unrealised,
    CASE WHEN won.owner IS NULL THEN 0 ELSE pnl END AS pnl, mid, quoted_at AS marked_at
FROM traded
FULL JOIN won USING (owner, symbol)
LEFT JOIN (SELECT * FROM marks WHERE account_id = %(account_id)s) AS mark USING (symbol)
ORDER BY owner, symbol
"""

_PASSED_ON = """
SELECT owner, symbol, sum(quantity) AS quantity, sum(realised) AS realised FROM lot_closes
WHERE opening_plan_id = %(plan_id)s AND plan_id IS DISTINCT FROM opening_plan_id
GROUP BY owner, symbol ORDER BY owner, symbol
"""


def rows(connection: Connection, query: str, **values: object) -> list[Found]:
    """Return the rows of a query, each by the names of its columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


def plan_ids(connection: Connection, text: str) -> list[UUID]:
    """Return the plans whose own id or whose run's id begins with the text."""
    return [row["plan_id"] for row in rows(connection, _PLANS, prefix=_prefix(text))]


def run_ids(connection: Connection, text: str) -> list[UUID]:
    """Return the runs, refused ones and those that trade a decision included, that the text names or begins to name."""
    return [row["run_id"] for row in rows(connection, _RUNS, prefix=_prefix(text))]


def plan_document(connection: Connection, plan_id: UUID) -> Found:
    """Return one page that explains a plan.

    `plan`, `warnings` of its run, `silent` strategies, `kept` symbols, `conflicts`, `constraints`, and `lines` with
    their `contributions` and `orders`.
    """
    [plan] = rows(connection, _PLAN, plan_id=plan_id)
    run_id = plan["run_id"]
    return {
        "plan": plan,
        "warnings": [each for row in rows(connection, _WARNINGS, run_id=run_id) for each in row["warnings"]],
        "silent": rows(connection, _SILENT, run_id=run_id),
        "kept": rows(connection, _KEPT, run_id=run_id),
        "conflicts": run_conflicts(connection, run_id),
        "constraints": rows(connection, _CONSTRAINTS, plan_id=plan_id),
        "lines": plan_lines(connection, plan_id),
    }


def run_conflicts(connection: Connection, run_id: UUID, symbol: str | None = None) -> list[Found]:
    """Return where strategies of a run disagree, or only in one symbol.

    Each with its `wishes`, the `decisions` of persons that were judged, and those that are `pending`.
    """
    return [
        {
            **{name: row[name] for name in ("symbol", "rule", "decided_by", "is_open", "is_superseded")},
            "wishes": rows(connection, _CONFLICT_WISHES, **row),
            "decisions": rows(connection, _DECISIONS, run_id=run_id, symbol=row["symbol"]),
            "pending": rows(connection, _PENDING, run_id=run_id, symbol=row["symbol"]),
        }
        for row in rows(connection, _CONFLICTS, run_id=run_id, symbol=symbol)
    ]


def plan_lines(connection: Connection, plan_id: UUID, symbol: str | None = None) -> list[Found]:
    """Return the lines of a plan, or those of one symbol, with who wants what and the orders that were sent."""
    parts, orders = (rows(connection, query, plan_id=plan_id, symbol=symbol) for query in (_PARTS, _ORDERS))
    return [
        {**line, "contributions": _of(line, parts), "orders": _of(line, orders)}
        for line in rows(connection, _LINES, plan_id=plan_id, symbol=symbol)
    ]


def plan_pnl(connection: Connection, plan_id: UUID) -> Found:
    """Return what a plan won or lost: `rows` by owner and symbol, `strategies`, `total`.

    A gain belongs to the plan that closed the lot, or opened it if it is open still; `passed_on` are lots this plan
    opened and others closed.
    """
    [plan] = rows(connection, _PLAN, plan_id=plan_id)
    found = rows(connection, _PNL, plan_id=plan_id, account_id=plan["account_id"])
    return {
        **{name: plan[name] for name in ("plan_id", "run_id", "account_id", "as_of")},
        "rows": found,
        "strategies": [
            {"owner": owner, **_summed([row for row in found if row["owner"] == owner])}
            for owner in sorted({row["owner"] for row in found})
        ],
        "total": _summed(found),
        "passed_on": rows(connection, _PASSED_ON, plan_id=plan_id),
    }


def _of(line: Found, items: Sequence[Found]) -> list[Found]:
    """Return the items of a line, without what the line says already."""
    place = (line["book"], line["symbol"])
    return [
        {name: value for name, value in item.items() if name not in ("book", "symbol")}
        for item in items
        if (item["book"], item["symbol"]) == place
    ]


def _summed(found: Sequence[Found]) -> Found:
    return {name: _sum([row[name] for row in found]) for name in ("cash", "realised", "unrealised", "pnl")}


def _sum(values: Sequence[Any]) -> Any:
    """Return the exact sum; unknown when one of the values is."""
    if any(value is None for value in values):
        return None
    with localcontext(CONTEXT):
        return sum(values, Decimal(0))


def _prefix(text: str) -> str:
    """Return a pattern that ids beginning with the text match; what LIKE would read as a wildcard is taken as it is."""
    return "".join(f"\\{each}" if each in "\\%_" else each for each in text.lower()) + "%"

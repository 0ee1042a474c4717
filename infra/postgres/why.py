"""Why a symbol was or was not traded: what each strategy of a run wanted, what was made of it, how far it came.

Read only. Documents are dicts of plain values: numbers are Decimal, unrounded.
"""

from datetime import date
from uuid import UUID

from infra.postgres.connection import Connection
from infra.postgres.plans import Found, plan_lines, rows

_RUNS = """
WITH asked AS (
    SELECT account_id, run_id, run_id AS asked_run_id, as_of, status, refusal, detail, NULL AS decided_by,
        NULL AS symbol, sync_rule, quorum, conflict_rule, event_id, partition, "offset"
    FROM runs
), started AS (
    SELECT DISTINCT ON (account_id) account_id, as_of FROM asked
    WHERE status = 'REQUESTED' ORDER BY account_id, as_of DESC, partition, "offset" DESC
), decided AS (
    SELECT asked.account_id, follow_up_run_id, outcome.run_id, asked.as_of, asked.status, asked.refusal, asked.detail,
        outcome.decided_by, outcome.symbol, sync_rule, quorum, conflict_rule, asked.event_id, outcome.partition,
        outcome."offset"
    FROM conflict_outcomes AS outcome JOIN asked USING (run_id)
    WHERE follow_up_run_id IS NOT NULL AND asked.status = 'REQUESTED' AND outcome.symbol = %(symbol)s
), known AS (SELECT * FROM asked UNION ALL SELECT * FROM decided)
SELECT DISTINCT ON (known.account_id, known.as_of, known.run_id, known.status) known.*
FROM known LEFT JOIN started USING (account_id)
WHERE CASE
    WHEN %(run_ids)s::uuid[] IS NOT NULL THEN known.run_id = ANY (%(run_ids)s) OR asked_run_id = ANY (%(run_ids)s)
    WHEN %(on)s::date IS NOT NULL THEN (known.as_of AT TIME ZONE 'UTC')::date = %(on)s
    ELSE known.as_of >= coalesce(started.as_of, known.as_of)
END
ORDER BY known.account_id, known.as_of, known.run_id, known.status, known.partition, known."offset"
"""

_WISHES = """
WITH said AS (
    SELECT DISTINCT ON (strategy_id) * FROM signals
    WHERE run_id = %(asked_run_id)s ORDER BY strategy_id, partition, "offset"
), counted AS (
    SELECT strategy_id, sum(weight) AS weight FROM portfolio_contributions
    WHERE run_id = %(run_id)s AND symbol = %(symbol)s GROUP BY strategy_id
    UNION ALL
    SELECT strategy_id, sum(weight) FROM book_targets
    WHERE run_id = %(run_id)s AND symbol = %(symbol)s GROUP BY strategy_id
)
SELECT terms.strategy_id, terms.mode, terms.allocation, terms.priority, said.status AS signal, said.failure,
    said.detail,
    (SELECT sum(weight) FROM signal_targets AS target
        WHERE target.event_id = said.event_id AND target.symbol = %(symbol)s) AS target_weight,
    (SELECT min(reason || coalesce(nullif(': ' || skip.detail, ': '), '')) FROM signal_skips AS skip
        WHERE skip.event_id = said.event_id AND skip.symbol = %(symbol)s) AS skipped,
    (SELECT array_agg(status ORDER BY receipt."offset") FROM signal_receipts AS receipt
        WHERE receipt.run_id = terms.run_id AND receipt.strategy_id = terms.strategy_id) AS receipts,
    (SELECT weight FROM counted WHERE counted.strategy_id = terms.strategy_id) AS counted_weight,
    EXISTS (SELECT FROM portfolios
        WHERE run_id = %(run_id)s AND terms.strategy_id = ANY (silent_strategies)) AS is_silent,
    EXISTS (SELECT FROM kept_symbols AS kept WHERE kept.run_id = %(run_id)s AND kept.symbol = %(symbol)s
        AND kept.strategy_id = terms.strategy_id) AS is_kept
FROM run_strategies AS terms
LEFT JOIN said ON said.strategy_id = terms.strategy_id
WHERE terms.event_id = %(event_id)s AND terms.strategy_id = coalesce(%(strategy)s, terms.strategy_id)
ORDER BY terms.ordinal
"""

_CONFLICTS = """
SELECT rule, decided_by, is_open, event_id, ordinal FROM conflicts WHERE run_id = %(run_id)s AND symbol = %(symbol)s
ORDER BY partition, "offset", ordinal
"""

_CONFLICT_WISHES = """
SELECT strategy_id, weight FROM conflict_wishes
WHERE event_id = %(event_id)s AND conflict_ordinal = %(ordinal)s ORDER BY ordinal
"""

_DECISIONS = """
SELECT status, choice, strategy_id, decided_by, follow_up_run_id FROM conflict_outcomes
WHERE run_id = %(run_id)s AND symbol = %(symbol)s ORDER BY partition, "offset"
"""

_PORTFOLIO = """
SELECT status, is_partial, failed, missing, scope FROM portfolios WHERE run_id = %(run_id)s
ORDER BY partition, "offset" LIMIT 1
"""

_BOOKS = """
SELECT status, detail FROM books WHERE run_id = %(run_id)s ORDER BY partition DESC, "offset" DESC LIMIT 1
"""

_SNAPSHOT = """
SELECT status, detail FROM account_snapshots WHERE run_id = %(run_id)s
ORDER BY partition DESC, "offset" DESC LIMIT 1
"""

_EXECUTION = """
SELECT status, detail FROM executions WHERE run_id = %(run_id)s ORDER BY partition DESC, "offset" DESC LIMIT 1
"""

_PLAN = "SELECT plan_id, status, rule, detail, scope FROM plans WHERE run_id = %(run_id)s"

_INSTRUMENT = """
SELECT status, detail FROM snapshot_instruments WHERE run_id = %(run_id)s AND symbol = %(symbol)s
ORDER BY partition DESC, "offset" DESC LIMIT 1
"""

_HELD = "SELECT owner, quantity FROM positions WHERE account_id = %(account_id)s AND symbol = %(symbol)s ORDER BY owner"


def why(
    connection: Connection,
    symbol: str,
    *,
    run_ids: list[UUID] | None = None,
    on: date | None = None,
    strategy: str | None = None,
) -> list[Found]:
    """Return what is known of a symbol in runs: of the given ones, of a day (UTC), or of each account's last one.

    Runs that trade what a person decided about the symbol come after the run that was decided. A run that was refused
    after the last one that was not is there too. With `strategy`, only wishes and lines that it has a part in.
    """
    found = rows(connection, _RUNS, symbol=symbol, run_ids=run_ids, on=on)
    found.sort(key=lambda run: (run["account_id"], run["as_of"], run["run_id"] != run["asked_run_id"]))
    return [_of_run(connection, run, symbol, strategy) for run in found]


def _of_run(connection: Connection, run: Found, symbol: str, strategy: str | None) -> Found:
    values = {**run, "symbol": symbol, "strategy": strategy}

    def first(query: str) -> Found | None:
        return next(iter(rows(connection, query, **values)), None)

    plan = first(_PLAN)
    lines = [] if plan is None else plan_lines(connection, plan["plan_id"], symbol)
    named = ("account_id", "run_id", "asked_run_id", "as_of", "status", "refusal", "detail", "decided_by")
    return {
        **{name: run[name] for name in (*named, "sync_rule", "quorum", "conflict_rule")},
        "symbol": symbol,
        "wishes": rows(connection, _WISHES, **values),
        "conflict": _conflict(connection, first(_CONFLICTS)),
        "decisions": rows(connection, _DECISIONS, **values),
        "portfolio": first(_PORTFOLIO),
        "snapshot": first(_SNAPSHOT),
        "instrument": first(_INSTRUMENT),
        "books": first(_BOOKS),
        "plan": plan,
        "lines": [line for line in lines if strategy is None or _concerns(line, strategy)],
        "execution": first(_EXECUTION),
        "held": rows(connection, _HELD, **values),
    }


def _conflict(connection: Connection, conflict: Found | None) -> Found | None:
    if conflict is None:
        return None
    told = {name: conflict[name] for name in ("rule", "decided_by", "is_open")}
    return {**told, "wishes": rows(connection, _CONFLICT_WISHES, **conflict)}


def _concerns(line: Found, strategy: str) -> bool:
    return line["book"] == strategy or any(part["strategy_id"] == strategy for part in line["contributions"])

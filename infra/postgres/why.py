"""Why a symbol was or was not traded: what each strategy of a run wanted, what was made of it, how far it came.

Read only. Documents are dicts of plain values: numbers are Decimal, unrounded.
"""

from datetime import date
from uuid import UUID

from infra.postgres.connection import Connection
from infra.postgres.plans import Found, plan_lines, rows, run_conflicts

_RUNS = """
WITH asked AS (
    SELECT run.account_id, run_id, run_id AS asked_run_id, as_of, status, refusal, detail, NULL AS decided_by,
        NULL AS symbol, sync_rule, quorum, conflict_rule, run.event_id, run.partition, run."offset",
        run."offset" AS asked_offset, recorded_at
    FROM runs AS run
    LEFT JOIN log_index AS record ON (record.topic, record.partition, record."offset")
        = ('runs.v1', run.partition, run."offset")
    WHERE run.account_id = coalesce(%(account)s, run.account_id)
), meant AS (
    SELECT account_id FROM asked
    WHERE (as_of AT TIME ZONE 'UTC')::date = coalesce(%(on)s::date, (as_of AT TIME ZONE 'UTC')::date)
    ORDER BY recorded_at DESC NULLS LAST, "offset" DESC LIMIT 1
), since AS (
    SELECT account_id, coalesce(max("offset") FILTER (WHERE status = 'REQUESTED'), max("offset")) AS "offset"
    FROM asked GROUP BY account_id
), decided AS (
    SELECT asked.account_id, follow_up_run_id, outcome.run_id, asked.as_of, asked.status, asked.refusal, asked.detail,
        outcome.decided_by, outcome.symbol, sync_rule, quorum, conflict_rule, asked.event_id, outcome.partition,
        outcome."offset", asked_offset, recorded_at
    FROM conflict_outcomes AS outcome JOIN asked USING (run_id)
    WHERE follow_up_run_id IS NOT NULL AND asked.status = 'REQUESTED'
        AND outcome.symbol = coalesce(%(symbol)s, outcome.symbol)
), known AS (SELECT * FROM asked UNION ALL SELECT * FROM decided)
SELECT DISTINCT ON (known.account_id, known.run_id, known.status) known.*
FROM known JOIN since USING (account_id)
WHERE CASE
    WHEN %(run_ids)s::uuid[] IS NOT NULL THEN known.run_id = ANY (%(run_ids)s) OR asked_run_id = ANY (%(run_ids)s)
    WHEN account_id <> (SELECT account_id FROM meant) THEN false
    WHEN %(on)s::date IS NOT NULL THEN (known.as_of AT TIME ZONE 'UTC')::date = %(on)s
    ELSE asked_offset >= since."offset"
END
ORDER BY known.account_id, known.run_id, known.status, known.partition, known."offset"
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
    account: str | None = None,
) -> list[Found]:
    """Return what is known of a symbol in runs: of the given ones, of a day (UTC), or in the last one on the log.

    Without `account` those of a day and the last one are of the account that asked last. Runs that trade what a person
    decided about the symbol come after the run that was decided. A run that was refused after the last one that was not
    is there too. With `strategy`, only wishes and lines that it has a part in.
    """
    found = rows(connection, _RUNS, symbol=symbol, run_ids=run_ids, on=on, account=account)
    found.sort(key=_place)
    return [_of_run(connection, run, symbol, strategy) for run in found]


def how_far(connection: Connection, run_id: UUID) -> list[Found]:
    """Return what is known of a run, whatever the symbol: the record of it, and of a refusal under the same id."""
    found = rows(connection, _RUNS, symbol=None, run_ids=[run_id], on=None, account=None)
    found.sort(key=_place)
    return [_of_run(connection, run, None, None) for run in found if run["run_id"] == run_id]


def _place(run: Found) -> tuple[str, int, bool]:
    return run["account_id"], run["asked_offset"], run["run_id"] != run["asked_run_id"]


def _of_run(connection: Connection, run: Found, symbol: str | None, strategy: str | None) -> Found:
    values = {**run, "symbol": symbol, "strategy": strategy}

    def first(query: str) -> Found | None:
        return next(iter(rows(connection, query, **values)), None)

    plan = first(_PLAN)
    lines = [] if plan is None else plan_lines(connection, plan["plan_id"], symbol)
    named = ("account_id", "run_id", "asked_run_id", "as_of", "status", "refusal", "detail", "decided_by")
    return {
        **{name: run[name] for name in (*named, "sync_rule", "quorum", "conflict_rule")},
        "symbol": symbol,
        "strategy": strategy,
        "wishes": rows(connection, _WISHES, **values),
        "conflict": next(iter(run_conflicts(connection, run["run_id"], symbol)), None),
        "portfolio": first(_PORTFOLIO),
        "snapshot": first(_SNAPSHOT),
        "instrument": first(_INSTRUMENT),
        "books": first(_BOOKS),
        "plan": plan,
        "lines": [line for line in lines if strategy is None or _concerns(line, strategy)],
        "execution": first(_EXECUTION),
        "held": rows(connection, _HELD, **values),
    }


def _concerns(line: Found, strategy: str) -> bool:
    return line["book"] == strategy or any(part["strategy_id"] == strategy for part in line["contributions"])

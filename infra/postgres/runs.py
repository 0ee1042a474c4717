"""Where every run stands: when it began, when its reducing orders were done, how it ended, when it last came further.

Read only. Times are those of the records in Kafka: the clock of this installation, whatever clock the broker has.
"""

from datetime import datetime, timedelta

from infra.postgres.connection import Connection
from infra.postgres.plans import Found, rows

ENDED = ("FINISHED", "SUPERSEDED", "ABANDONED", "QUORUM_MISSED")
"""Stages after which nothing more happens in a run: after the first three of an execution, and without any."""

# A run comes further when an agent decides something; that the broker is asked again and again is no progress.
_RUNS = """
WITH step AS (
    SELECT DISTINCT ON (run_id) run_id, status, detail FROM executions ORDER BY run_id, partition DESC, "offset" DESC
), formed AS (
    SELECT DISTINCT ON (run_id) run_id, status FROM portfolios ORDER BY run_id, partition, "offset"
), standing AS (
    SELECT started.account_id, run_id, started.as_of, decided_by,
        coalesce(step.status, formed.status, 'REQUESTED') AS stage, coalesce(step.detail, '') AS detail
    FROM runs_started AS started LEFT JOIN step USING (run_id) LEFT JOIN formed USING (run_id)
    WHERE started.account_id = coalesce(%(account)s, started.account_id)
), shown AS (
    SELECT * FROM standing WHERE stage <> ALL (%(ended)s)
    UNION
    (SELECT * FROM standing ORDER BY as_of DESC, run_id LIMIT %(last)s)
)
SELECT account_id, run_id, as_of, decided_by, stage, detail, started_at, reduced_at,
    CASE WHEN stage = ANY (%(ended)s) THEN progress_at END AS ended_at, progress_at
FROM shown
CROSS JOIN LATERAL (
    SELECT min(recorded_at) AS started_at, max(recorded_at) FILTER (WHERE topic <> 'broker-reports.v1') AS progress_at
    FROM log_index WHERE correlation_id = shown.run_id
) AS times
CROSS JOIN LATERAL (
    SELECT min(recorded_at) AS reduced_at FROM executions JOIN log_index USING (event_id)
    WHERE executions.run_id = shown.run_id AND status = 'REDUCED'
) AS reducing
ORDER BY account_id, as_of, started_at, run_id
"""

_UNDER_WAY = """
SELECT client_order_id, ord_status FROM orders
WHERE run_id = %(run_id)s AND ord_status NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED')
ORDER BY client_order_id
"""


def run_standings(
    connection: Connection, now: datetime, stuck_after: timedelta, account: str | None = None, last: int = 20
) -> list[Found]:
    """Return the runs that have not ended, and the `last` of all by valuation instant, in its order.

    `is_stuck`: not ended, and no agent has decided anything in it for longer than `stuck_after`. `orders` are those of
    a stuck run that have not ended.
    """
    found = rows(connection, _RUNS, account=account, ended=list(ENDED), last=last)
    for run in found:
        progress_at = run["progress_at"]
        is_silent = progress_at is None or now - progress_at > stuck_after
        run["is_stuck"] = run["stage"] not in ENDED and is_silent
        run["orders"] = rows(connection, _UNDER_WAY, run_id=run["run_id"]) if run["is_stuck"] else []
    return found

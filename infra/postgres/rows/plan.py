"""Plans, line by line, and how every line ended."""

from infra.postgres.table import Facts, Parts, Rows, Said
from schemas.execution import Execution, LineOutcome
from schemas.plan import Plan

PLANS = Facts(
    "plans",
    "account_id plan_id run_id as_of status rule detail equity cash_available sells_expected buys_planned",
)
PLAN_LINES = Parts(
    "plan_lines",
    whole=PLANS,
    identity="plan_id",
    key="plan_id",
    fields="symbol target_weight target_value current_quantity target_quantity price bid ask quoted_at quote_source"
    " delta_quantity action quantity notional cross_quantity priority status rule threshold intended_quantity"
    " intended_value",
)
PLAN_LINE_CONTRIBUTIONS = Parts(
    "plan_line_contributions",
    whole=PLANS,
    identity="plan_id",
    key="plan_id line_ordinal symbol",
    fields="strategy_id weight current_quantity target_quantity wanted crossed ordered value",
)

EXECUTIONS = Facts("executions", "account_id run_id plan_id status detail")

LINE_OUTCOMES = Facts(
    "line_outcomes",
    "account_id plan_id run_id symbol outcome rule threshold intended_value client_order_id order_qty cum_qty"
    " cross_quantity reason",
)


def plan(said: Said[Plan]) -> Rows:
    """A plan, its lines, and each strategy's part in each line."""
    whole, lines = PLANS.row(said), said.record.lines
    line_rows = PLAN_LINES.rows(whole.values, lines)
    rows = [whole, *line_rows]
    for line, row in zip(lines, line_rows, strict=True):
        key = {**row.values, "line_ordinal": row.values["ordinal"]}
        rows += PLAN_LINE_CONTRIBUTIONS.rows(key, line.contributions)
    return rows


def execution(said: Said[Execution]) -> Rows:
    """A step of a run on its way to the broker."""
    return [EXECUTIONS.row(said)]


def line_outcome(said: Said[LineOutcome]) -> Rows:
    """How a plan line ended."""
    return [LINE_OUTCOMES.row(said)]

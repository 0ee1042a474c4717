"""Plans, line by line, and how every line ended."""

from infra.postgres.table import Facts, Parts, Row, Rows, Said, inside
from schemas.execution import Execution, LineOutcome
from schemas.plan import Plan

PLANS = Facts(
    "plans",
    "account_id plan_id run_id as_of status rule detail equity cash_available sells_expected buys_planned trade_value"
    " line_count books.snapshot.taken_at books.snapshot.cash books.snapshot.portfolio.scope",
)
PLAN_CONSTRAINTS = Parts(
    "plan_constraints",
    whole=PLANS,
    identity="plan_id",
    key="plan_id",
    fields="rule scope symbol limit wanted used effect",
)
PLAN_LINES = Parts(
    "plan_lines",
    whole=PLANS,
    identity="plan_id",
    key="plan_id",
    fields="book symbol target_weight target_value current_quantity target_quantity account_quantity price bid ask"
    " quoted_at quote_source delta_quantity action quantity reducing_quantity phase notional cross_quantity"
    " cross_deferred_quantity cross_rule priority status rule threshold intended_quantity intended_value",
)
PLAN_LINE_CONTRIBUTIONS = Parts(
    "plan_line_contributions",
    whole=PLANS,
    identity="plan_id",
    key="plan_id line_ordinal book symbol",
    fields="strategy_id weight current_quantity target_quantity wanted allowed crossed ordered value rule threshold",
)

EXECUTIONS = Facts("executions", "account_id run_id plan_id status detail")

LINE_OUTCOMES = Facts(
    "line_outcomes",
    "account_id plan_id run_id book symbol outcome rule threshold intended_value client_order_ids order_qty cum_qty"
    " gross_trade_amt cross_quantity reason",
)


def plan(said: Said[Plan]) -> Rows:
    """A plan, its limits and lines, and each strategy's part in each line."""
    whole, record = PLANS.row(said), said.record
    rows: list[Row] = [whole, *PLAN_CONSTRAINTS.rows(whole.values, record.constraints)]
    for row, line in zip(PLAN_LINES.rows(whole.values, record.lines), record.lines, strict=True):
        rows += [row, *PLAN_LINE_CONTRIBUTIONS.rows(inside(row, "line_ordinal"), line.contributions)]
    return rows


def execution(said: Said[Execution]) -> Rows:
    """A step of a run on its way to the broker."""
    return [EXECUTIONS.row(said)]


def line_outcome(said: Said[LineOutcome]) -> Rows:
    """How a plan line ended."""
    return [LINE_OUTCOMES.row(said)]

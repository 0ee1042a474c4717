"""Runs and what strategies want: from the request to the consolidated portfolio."""

from infra.postgres.table import Facts, Parts, Rows, Said
from schemas.portfolio import Portfolio
from schemas.run import Run, RunRequest
from schemas.signal import Signal, SignalReceipt

RUN_REQUESTS = Facts(
    "run_requests",
    "account_id run_id request_id requested_by as_of conflict_rule valid_until deadline_at",
)

RUNS = Facts(
    "runs",
    "account_id run_id status refusal detail terms.as_of terms.conflict_rule terms.valid_until terms.deadline_at"
    " terms.limits.trade_value_min terms.limits.quantity_step terms.limits.weight_total_max"
    " terms.limits.cash_reserve terms.limits.quote_age_max_s",
)
RUN_STRATEGIES = Parts(
    "run_strategies",
    whole=RUNS,
    identity="run_id",
    key="run_id",
    fields="strategy_id kind mode allocation priority symbols parameters",
)

SIGNALS = Facts(
    "signals",
    "account_id signal_id strategy_id terms.run_id status failure detail decision_path bars_count bars_sha256",
)
SIGNAL_TARGETS = Parts(
    "signal_targets",
    whole=SIGNALS,
    identity="signal_id",
    key="signal_id run_id strategy_id",
    fields="symbol weight",
)
SIGNAL_SKIPS = Parts(
    "signal_skips",
    whole=SIGNALS,
    identity="signal_id",
    key="signal_id run_id strategy_id",
    fields="symbol reason detail",
)

SIGNAL_RECEIPTS = Facts("signal_receipts", "account_id run_id signal_id strategy_id status signal_status")

PORTFOLIOS = Facts(
    "portfolios",
    "account_id run_id is_partial failed missing signal_ids content.silent_strategies",
)
PORTFOLIO_TARGETS = Parts(
    "portfolio_targets",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id",
    fields="symbol weight",
)


def run_request(said: Said[RunRequest]) -> Rows:
    """Somebody asked for a run."""
    return [RUN_REQUESTS.row(said)]


def run(said: Said[Run]) -> Rows:
    """A run with its limits, and the terms of each strategy."""
    whole = RUNS.row(said)
    return [whole, *RUN_STRATEGIES.rows(whole.values, said.record.terms.strategies)]


def signal(said: Said[Signal]) -> Rows:
    """A signal, its target weights and the symbols it left out."""
    whole, record = SIGNALS.row(said), said.record
    return [
        whole,
        *SIGNAL_TARGETS.rows(whole.values, record.targets),
        *SIGNAL_SKIPS.rows(whole.values, record.skipped),
    ]


def signal_receipt(said: Said[SignalReceipt]) -> Rows:
    """What became of a signal at the collector."""
    return [SIGNAL_RECEIPTS.row(said)]


def portfolio(said: Said[Portfolio]) -> Rows:
    """What the strategies of a run want together."""
    whole = PORTFOLIOS.row(said)
    return [whole, *PORTFOLIO_TARGETS.rows(whole.values, said.record.content.targets)]

"""Runs and what each strategy says: from the request to the signals and their receipts."""

from infra.postgres.table import Facts, Parts, Rows, Said
from schemas.run import Run, RunRequest
from schemas.signal import Signal, SignalReceipt

_RULES = (
    " {0}rules.sync_rule {0}rules.quorum {0}rules.conflict_rule {0}rules.overlap_policy {0}rules.cash_policy"
    " {0}rules.drift_rule {0}rules.drift_threshold {0}rules.is_full_allocation_required"
)
_LIMITS = (
    " {0}limits.trade_value_min {0}limits.trade_value_max {0}limits.quantity_step {0}limits.weight_total_max"
    " {0}limits.position_weight_max {0}limits.cash_reserve {0}limits.is_leverage_allowed {0}limits.initial_margin_rate"
    " {0}limits.maintenance_margin_rate {0}limits.margin_utilisation_max {0}limits.maintenance_buffer"
    " {0}limits.is_short_allowed {0}limits.quote_age_max_s {0}limits.binding"
)
_EXECUTION = (
    " {0}execution.order_style {0}execution.limit_offset {0}execution.is_extended_hours {0}execution.steps_max"
    " {0}execution.failed_reducing_max"
)
_CONFIGURATION = _RULES + _LIMITS + _EXECUTION

RUN_REQUESTS = Facts(
    "run_requests",
    "account_id run_id request_id requested_by as_of valid_until deadline_at" + _CONFIGURATION.format(""),
)

RUNS = Facts(
    "runs",
    "account_id run_id status refusal detail warnings terms.as_of terms.valid_until terms.deadline_at"
    + _CONFIGURATION.format("terms."),
)
RUN_STRATEGIES = Parts(
    "run_strategies",
    whole=RUNS,
    identity="event_id",
    key="event_id run_id",
    fields="strategy_id kind mode allocation priority weight_total_max position_weight_max trade_value_max symbols"
    " parameters",
)

SIGNALS = Facts(
    "signals",
    "account_id signal_id strategy_id terms.run_id status failure detail decision_path bars_count bars_sha256",
)
SIGNAL_TARGETS = Parts(
    "signal_targets",
    whole=SIGNALS,
    identity="event_id",
    key="event_id signal_id run_id strategy_id",
    fields="symbol weight",
)
SIGNAL_SKIPS = Parts(
    "signal_skips",
    whole=SIGNALS,
    identity="event_id",
    key="event_id signal_id run_id strategy_id",
    fields="symbol reason detail",
)

SIGNAL_RECEIPTS = Facts("signal_receipts", "account_id run_id signal_id strategy_id status signal_status")


def run_request(said: Said[RunRequest]) -> Rows:
    """Somebody asked for a run."""
    return [RUN_REQUESTS.row(said)]


def run(said: Said[Run]) -> Rows:
    """A run with its rules and limits, and the terms of each strategy."""
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

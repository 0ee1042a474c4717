"""What the strategies of a run want together, where they disagree, and what a person decides about it."""

from infra.postgres.table import Facts, Parts, Row, Rows, Said, inside
from schemas.portfolio import ConflictDecision, ConflictOutcome, Portfolio

PORTFOLIOS = Facts(
    "portfolios",
    "account_id run_id status is_partial failed missing signal_ids content.silent_strategies content.scope"
    " content.terms.as_of content.terms.valid_until",
)
PORTFOLIO_TARGETS = Parts(
    "portfolio_targets",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id",
    fields="symbol weight",
)
PORTFOLIO_CONTRIBUTIONS = Parts(
    "portfolio_contributions",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id target_ordinal symbol",
    fields="strategy_id weight",
)
BOOK_TARGETS = Parts(
    "book_targets",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id book_ordinal strategy_id",
    fields="symbol weight",
)
KEPT_SYMBOLS = Parts(
    "kept_symbols",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id",
    fields="strategy_id symbol",
)
CONFLICTS = Parts(
    "conflicts",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id",
    fields="symbol rule decided_by is_open",
)
CONFLICT_WISHES = Parts(
    "conflict_wishes",
    whole=PORTFOLIOS,
    identity="event_id",
    key="event_id run_id conflict_ordinal symbol",
    fields="strategy_id weight",
)

CONFLICT_DECISIONS = Facts(
    "conflict_decisions", "account_id run_id symbol choice strategy_id decided_by reason valid_until"
)
CONFLICT_OUTCOMES = Facts(
    "conflict_outcomes", "account_id run_id symbol status choice strategy_id decided_by follow_up_run_id"
)


def portfolio(said: Said[Portfolio]) -> Rows:
    """What the strategies of a run want together, who wants how much of it, and where they disagree."""
    whole, content = PORTFOLIOS.row(said), said.record.content
    rows: list[Row] = [whole, *KEPT_SYMBOLS.rows(whole.values, content.kept)]
    for row, target in zip(PORTFOLIO_TARGETS.rows(whole.values, content.targets), content.targets, strict=True):
        rows += [row, *PORTFOLIO_CONTRIBUTIONS.rows(inside(row, "target_ordinal"), target.contributions)]
    for number, book in enumerate(content.book_targets):
        key = {**whole.values, "book_ordinal": number, "strategy_id": book.strategy_id}
        rows += BOOK_TARGETS.rows(key, book.targets)
    for row, conflict in zip(CONFLICTS.rows(whole.values, content.conflicts), content.conflicts, strict=True):
        rows += [row, *CONFLICT_WISHES.rows(inside(row, "conflict_ordinal"), conflict.wishes)]
    return rows


def conflict_decision(said: Said[ConflictDecision]) -> Rows:
    """A person's word about a conflict."""
    return [CONFLICT_DECISIONS.row(said)]


def conflict_outcome(said: Said[ConflictOutcome]) -> Rows:
    """What became of a person's word, and the run that trades it."""
    return [CONFLICT_OUTCOMES.row(said)]

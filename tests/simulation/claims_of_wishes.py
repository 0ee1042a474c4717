"""What must hold of portfolios: contributions add up, and every rule gives what a second reading of it gives."""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from uuid import UUID

from schemas.identity import decided_run_id
from schemas.portfolio import (
    ConflictChoice,
    ConflictDecision,
    ConflictOutcome,
    ConflictStatus,
    Portfolio,
    PortfolioStatus,
)
from schemas.run import ConflictRule, Mode, Run, RunStatus, StrategyTerms
from schemas.signal import ReceiptStatus, Signal, SignalReceipt, SignalStatus
from tests.simulation.desk import Desk

ZERO = Decimal(0)
UNIT = Decimal(1).scaleb(-12)

Weights = dict[str, dict[str, Decimal]]
"""By symbol and strategy."""


def contributions_add_up(desk: Desk) -> Iterator[str]:
    for portfolio in desk.said(Portfolio):
        for target in portfolio.content.targets:
            found = sum((each.weight for each in target.contributions), ZERO)
            if found != target.weight:
                yield f"run {portfolio.run_id}: {target.symbol} is {target.weight}, contributions sum to {found}"


def every_signal_has_one_receipt(desk: Desk) -> Iterator[str]:
    if len(desk.said(Signal)) != len(desk.said(SignalReceipt)):
        yield f"{len(desk.said(Signal))} signals, {len(desk.said(SignalReceipt))} receipts"


def every_decision_has_one_outcome(desk: Desk) -> Iterator[str]:
    if len(desk.said(ConflictDecision)) != len(desk.said(ConflictOutcome)):
        yield f"{len(desk.said(ConflictDecision))} decisions, {len(desk.said(ConflictOutcome))} outcomes"


def one_portfolio_per_run(desk: Desk) -> Iterator[str]:
    """A run that was asked for has one portfolio at most, a decided conflict one follow-up, and nobody else any."""
    runs = {each.run_id for each in desk.said(Run) if each.status is RunStatus.REQUESTED}
    decided = {
        decided_run_id(each.run_id, each.symbol)
        for each in desk.said(ConflictOutcome)
        if each.status is ConflictStatus.ACCEPTED and each.choice is not ConflictChoice.HOLD
    }
    formed = [each.run_id for each in desk.said(Portfolio)]
    if len(set(formed)) != len(formed):
        yield "a run has two portfolios"
    if not decided <= set(formed) <= runs | decided:
        yield f"{len(decided)} decided, {len(set(formed) - runs)} follow-ups"


def portfolios_follow_their_rules(desk: Desk) -> Iterator[str]:
    accepted: dict[UUID, list[SignalReceipt]] = {}
    for event in desk.log:
        record = event.record
        if isinstance(record, SignalReceipt) and record.status is ReceiptStatus.ACCEPTED:
            accepted.setdefault(record.run_id, []).append(record)
        if isinstance(record, Portfolio) and record.content.scope is None:
            yield from _unlike(record, accepted.get(record.run_id, []))


def follow_ups_trade_what_was_decided(desk: Desk) -> Iterator[str]:
    """One symbol alone: with TAKE one strategy's wish, with SUM all of them, as they were before the rule."""
    wished = {
        (portfolio.run_id, each.symbol): {part.strategy_id: part.weight for part in each.wishes}
        for portfolio in desk.said(Portfolio)
        for each in portfolio.content.conflicts
        if each.is_open
    }
    decided = {
        decided_run_id(each.run_id, each.symbol): each
        for each in desk.said(ConflictOutcome)
        if each.status is ConflictStatus.ACCEPTED
    }
    for portfolio in desk.said(Portfolio):
        content, outcome = portfolio.content, decided.get(portfolio.run_id)
        if content.scope is None or outcome is None:
            continue
        parts = wished[outcome.run_id, outcome.symbol]
        if outcome.choice is ConflictChoice.TAKE:
            parts = {name: weight for name, weight in parts.items() if name == outcome.strategy_id}
        found = {
            target.symbol: {each.strategy_id: each.weight for each in target.contributions if each.weight}
            for target in content.targets
        }
        if content.scope != (outcome.symbol,) or found != {outcome.symbol: parts}:
            yield f"{outcome.choice} {outcome.strategy_id} of {outcome.symbol}: {found} in {content.scope}, not {parts}"


def _unlike(portfolio: Portfolio, receipts: list[SignalReceipt]) -> Iterator[str]:
    content, name = portfolio.content, f"portfolio of run {portfolio.run_id}"
    ready = [each for each in receipts if each.signal_status is SignalStatus.READY]
    everybody = {each.strategy_id: each for each in content.terms.strategies}
    if portfolio.status is PortfolioStatus.QUORUM_MISSED:
        if content.targets or content.book_targets or set(content.silent_strategies) != everybody.keys():
            yield f"{name}: the quorum was missed and something is wanted"
        return
    expected = _consolidated(content.terms.rules.conflict_rule, everybody, ready)
    found = {
        target.symbol: {each.strategy_id: each.weight for each in target.contributions if each.weight}
        for target in content.targets
    }
    if {symbol: parts for symbol, parts in found.items() if parts} != expected:
        yield f"{name}: targets {found}, expected {expected}"
    books = {each.strategy_id: _weights(each.targets) for each in content.book_targets}
    own = {each.strategy_id: _weights(each.targets) for each in ready if everybody[each.strategy_id].mode is Mode.BOOK}
    if books != own:
        yield f"{name}: books want {books}, expected {own}"
    silent = everybody.keys() - {each.strategy_id for each in ready}
    if set(content.silent_strategies) != silent or portfolio.is_partial != bool(silent):
        yield f"{name}: silent are {content.silent_strategies}, expected {sorted(silent)}"


def _consolidated(rule: ConflictRule, everybody: dict[str, StrategyTerms], ready: list[SignalReceipt]) -> Weights:
    wanted: Weights = {}
    for receipt in ready:
        terms = everybody[receipt.strategy_id]
        for symbol, weight in _weights(receipt.targets).items() if terms.mode is Mode.NETTED else ():
            part = (weight * terms.allocation).quantize(UNIT, ROUND_DOWN)
            if part:
                wanted.setdefault(symbol, {})[receipt.strategy_id] = part
    order = [each.strategy_id for each in ready]
    resolved = {symbol: _resolved(rule, everybody, order, parts) for symbol, parts in wanted.items()}
    return {symbol: parts for symbol, parts in resolved.items() if parts}


def _resolved(
    rule: ConflictRule, everybody: dict[str, StrategyTerms], order: list[str], parts: dict[str, Decimal]
) -> dict[str, Decimal]:
    if not min(parts.values()) < 0 < max(parts.values()):
        return parts
    match rule:
        case ConflictRule.FLAG:
            return {}
        case ConflictRule.LAST:
            last = max(parts, key=order.index)
            return {last: parts[last]}
        case ConflictRule.PRIORITY:
            ranks = sorted({everybody[name].priority for name in parts})
            counted = {
                name: (part / (ranks.index(everybody[name].priority) + 1)).quantize(UNIT, ROUND_DOWN)
                for name, part in parts.items()
            }
            return {name: part for name, part in counted.items() if part}
        case _:
            return parts


def _weights(targets: object) -> dict[str, Decimal]:
    weights: dict[str, Decimal] = {}
    for each in targets:  # type: ignore[attr-defined]
        weights[each.symbol] = weights.get(each.symbol, ZERO) + each.weight
    return {symbol: weight for symbol, weight in sorted(weights.items()) if weight}


CLAIMS = (
    contributions_add_up,
    every_signal_has_one_receipt,
    every_decision_has_one_outcome,
    one_portfolio_per_run,
    portfolios_follow_their_rules,
    follow_ups_trade_what_was_decided,
)

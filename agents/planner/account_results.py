"""What the account's limits came to: the limit, what was wanted of it, and what the plan uses, in the same unit.

Each is stated so that what is used stays within the limit: MAINTENANCE_BUFFER as the greatest maintenance margin, which
is equity less the buffer; CAPITAL as the money there is plus what reducing sales bring, against what takes from it:
increasing buys, with leverage covers and new shorts as well.
POSITION_WEIGHT_MAX names every symbol it binds, else the symbol that comes nearest to it.
"""

from collections.abc import Iterator, Mapping, Sequence

from agents.planner.account import Account
from agents.planner.account_limits import Walk
from agents.planner.lines import Line
from agents.planner.units import WHOLE, as_money
from schemas.order import NET
from schemas.plan import ConstraintEffect, ConstraintResult, Rule

NOT_LIMITS = (Rule.SHORT_NOT_ALLOWED, Rule.FRACTIONAL_SHORT, Rule.MIN_TRADE_VALUE)


def account_results(account: Account, walk: Walk, lines: Sequence[Line]) -> list[ConstraintResult]:
    """Return the account's own limits after a walk, also those that did not bind."""
    judged = [line for line in lines if line.net and line.rule not in NOT_LIMITS]
    wanted = dict(account.positions)
    for line in judged:
        symbol = line.sized.symbol
        wanted[symbol] = wanted.get(symbol, 0) + (line.net if line.is_buy else -line.net)
    return [
        *_positions(account, walk, wanted),
        *_exposure(account, walk, account.exposure_of(wanted)),
        *_trade_value(account, walk, judged),
        _capital(account, walk, judged),
    ]


def _positions(account: Account, walk: Walk, wanted: dict[str, int]) -> Iterator[ConstraintResult]:
    if account.position_max is None:
        return
    bound = [symbol for rule, symbol in walk.bound if rule is Rule.POSITION_WEIGHT_MAX and symbol is not None]
    nearest = sorted(wanted, key=lambda symbol: (-_value(account, walk.positions, symbol), symbol))[:1]
    for symbol in bound or nearest:
        values = _value(account, wanted, symbol), _value(account, walk.positions, symbol)
        yield _result(walk, Rule.POSITION_WEIGHT_MAX, account.position_max, *values, symbol)


def _value(account: Account, positions: Mapping[str, int], symbol: str) -> int:
    return abs(positions.get(symbol, 0)) * account.mids.get(symbol, 0)


def _exposure(account: Account, walk: Walk, wanted: int) -> Iterator[ConstraintResult]:
    for each in account.ceilings:
        yield _result(walk, each.rule, each.limit, wanted * each.rate // WHOLE, walk.exposure * each.rate // WHOLE)


def _trade_value(account: Account, walk: Walk, judged: Sequence[Line]) -> Iterator[ConstraintResult]:
    if account.trade_max is not None:
        wanted = account.traded + sum(line.net * line.meets for line in judged)
        used = account.traded + sum(line.notional for line in judged)
        yield _result(walk, Rule.TRADE_VALUE_MAX, account.trade_max, wanted, used)


def _capital(account: Account, walk: Walk, judged: Sequence[Line]) -> ConstraintResult:
    limit, wanted, used = account.available, 0, 0
    for line in judged:
        if not line.is_buy:
            limit += line.reducing * line.meets
        if line.is_buy or account.is_leveraged:
            reducing = 0 if line.is_buy and account.is_leveraged else line.reducing
            wanted += (line.net - reducing) * line.meets
            used += (line.quantity - reducing) * line.meets
    return _result(walk, Rule.CAPITAL, limit, wanted, used)


def _result(walk: Walk, rule: Rule, limit: int, wanted: int, used: int, symbol: str | None = None) -> ConstraintResult:
    is_kept = walk.bound.get((rule, symbol))
    effect = ConstraintEffect.SCALED if is_kept else ConstraintEffect.BLOCKED
    return ConstraintResult(
        rule=rule,
        scope=NET,
        symbol=symbol,
        limit=as_money(limit),
        wanted=as_money(wanted),
        used=as_money(used),
        effect=ConstraintEffect.WITHIN if is_kept is None else effect,
    )

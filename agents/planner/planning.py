"""From books to a plan: size every symbol, cross opposite wishes, apply the rules, write the lines.

Amounts: quantities have nine decimals and prices six, so quantity times price is exact in dollars of fifteen; a weight
times equity is rounded half-even to fifteen. The cash reserve is rounded up, so buys stay below what it leaves.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from agents.planner.constraints import Ruled, blocked, plan_block, ruled, within_capital
from agents.planner.crossing import apportioned
from agents.planner.sizing import ZERO, Wish, sized
from schemas.identity import plan_id
from schemas.ledger import Books
from schemas.plan import Action, LineContribution, Plan, PlanLine, PlanStatus

MONEY_UNIT = Decimal(1).scaleb(-15)


def plan_of(books: Books) -> Plan:
    """Return the plan of a run on its books; pure, so the same books give the same plan."""
    snapshot = books.content.snapshot
    terms = snapshot.portfolio.terms
    available = snapshot.cash - _reserve(snapshot.equity, terms.limits.cash_reserve)
    sizes = sized(books.content)
    block = plan_block(books, sizes)
    if block is None:
        lines = within_capital((ruled(each, terms.limits) for each in sizes), available, terms.limits)
    else:
        lines = {each.symbol: blocked(each, block, terms.limits) for each in sizes}
    sells = sum((line.notional for line in lines.values() if not line.is_buy), ZERO)
    buys = sum((line.notional for line in lines.values() if line.is_buy), ZERO)
    if buys > max(available + sells, ZERO):
        raise ValueError(f"expected buys of run {books.run_id} of at most {available} + {sells} dollars, was {buys}")
    return Plan(
        account_id=books.account_id,
        plan_id=plan_id(books.run_id),
        run_id=books.run_id,
        as_of=terms.as_of,
        status=PlanStatus.READY if block is None else PlanStatus.BLOCKED,
        rule=None if block is None else block.rule,
        detail="" if block is None else block.detail,
        equity=snapshot.equity,
        cash_available=available,
        sells_expected=sells,
        buys_planned=buys,
        lines=tuple(_plan_line(lines[symbol], snapshot.equity, terms.limits.quantity_step) for symbol in sorted(lines)),
        books=books.content,
    )


def _reserve(equity: Decimal, share: Decimal) -> Decimal:
    return (max(equity, ZERO) * share).quantize(MONEY_UNIT, rounding=ROUND_CEILING)


def _plan_line(line: Ruled, equity: Decimal, step: Decimal) -> PlanLine:
    size, quote = line.sized, line.sized.quote
    price = size.priced.price if size.priced else None
    return PlanLine(
        symbol=size.symbol,
        target_weight=size.weight,
        target_value=(size.weight * equity).quantize(MONEY_UNIT),
        current_quantity=size.held,
        target_quantity=sum((wish.target for wish in size.wishes), ZERO),
        price=price,
        bid=quote.bid if quote else None,
        ask=quote.ask if quote else None,
        quoted_at=quote.quoted_at if quote else None,
        quote_source=quote.source if quote else None,
        delta_quantity=size.delta,
        action=_action(line),
        quantity=line.quantity,
        notional=line.notional,
        cross_quantity=line.netting.quantity,
        priority=size.priority,
        status=line.status,
        rule=line.rule,
        threshold=line.threshold,
        intended_quantity=line.intended,
        intended_value=line.intended * (price or ZERO),
        contributions=_contributions(line, price or ZERO, step),
    )


def _action(line: Ruled) -> Action:
    """Return what the line does, or would have done without its rule."""
    if line.intended == 0:
        return Action.HOLD
    return Action.BUY if line.is_buy else Action.SELL


def _contributions(line: Ruled, price: Decimal, step: Decimal) -> tuple[LineContribution, ...]:
    ordered = _ordered(line, step)
    return tuple(_contribution(wish, line, ordered.get(wish.strategy_id, ZERO), price) for wish in line.sized.wishes)


def _contribution(wish: Wish, line: Ruled, ordered: Decimal, price: Decimal) -> LineContribution:
    # Not validated: a plan of 500 symbols and 20 strategies has 10,000 of these, and validating takes 50 of its 170 ms.
    # All values are sums of quantities, or a quantity times a price: they fit their scales, and the encoder checks.
    return LineContribution.model_construct(
        strategy_id=wish.strategy_id,
        weight=wish.weight,
        current_quantity=wish.current,
        target_quantity=wish.target,
        wanted=wish.wanted,
        crossed=line.netting.crossed.get(wish.strategy_id, ZERO),
        ordered=ordered,
        value=wish.wanted * price,
    )


def _ordered(line: Ruled, step: Decimal) -> Mapping[str, Decimal]:
    """Return each strategy's part in the line's order, signed; their sum is the order."""
    if line.quantity == 0:
        return {}
    if line.quantity == abs(line.sized.delta):
        return line.netting.residual
    parts = {name: abs(quantity) for name, quantity in line.netting.residual.items()}
    shares = apportioned(line.quantity, parts, step)
    return shares if line.is_buy else {name: -share for name, share in shares.items()}

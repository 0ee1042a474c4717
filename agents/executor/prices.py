"""What the orders of a line may cost, and whether the broker takes them at all: judged once, when its plan is accepted.

Alpaca takes limit prices in cents at or above a dollar and in hundredths of a cent below it (422: sub-penny increment
does not fulfill minimum pricing criteria). A limit is never rounded to a price worse than the run allows.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from schemas.plan import Action, PlanLine
from schemas.run import ExecutionRules, OrderStyle

DOLLAR = Decimal(1)
TICK, TICK_BELOW_DOLLAR = Decimal("0.01"), Decimal("0.0001")


def limit_price(line: PlanLine, rules: ExecutionRules) -> Decimal | None:
    """Return the worst price of a line's orders, dollars per share; None at the market.

    LIMIT starts from the midpoint, MARKETABLE_LIMIT from the far touch, which in a crossed quote is the worse side.
    """
    if rules.order_style is OrderStyle.MARKET:
        return None
    if line.price is None or line.bid is None or line.ask is None:
        raise ValueError(f"line {line.symbol} of {line.book}: expected a quote for its limit, was none")
    is_buy = line.action is Action.BUY
    touch = max(line.bid, line.ask) if is_buy else min(line.bid, line.ask)
    start = line.price if rules.order_style is OrderStyle.LIMIT else touch
    worst = start * (1 + rules.limit_offset if is_buy else 1 - rules.limit_offset)
    tick = TICK if worst >= DOLLAR else TICK_BELOW_DOLLAR
    return worst.quantize(tick, ROUND_FLOOR if is_buy else ROUND_CEILING)


def why_not_sent(line: PlanLine, rules: ExecutionRules) -> str:
    """Return why the broker would take no order of a line; nothing when it would.

    Which assets trade in parts of a share outside the regular session is not known, so none is taken to.
    """
    if limit_price(line, rules) == 0:
        return f"expected a limit price of at least {TICK_BELOW_DOLLAR}, was less at a midpoint of {line.price}"
    orders = (line.reducing_quantity, line.quantity - line.reducing_quantity)
    if rules.is_extended_hours and any(each % 1 for each in orders):
        return f"expected whole shares outside the regular session, was {line.quantity.normalize():f}"
    return ""

"""What must hold of every plan: its sums, its limits, whose shares it sells, and what it may cross."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from schemas.ledger import StrategyBook
from schemas.order import NET
from schemas.plan import Action, LineContribution, LineStatus, Plan, PlanLine, PlanStatus, Rule
from schemas.run import CashPolicy, Limits, Mode, StrategyTerms
from tests.simulation.desk import Desk

ZERO = Decimal(0)
ONE = Decimal(1)
NEARLY = Decimal("0.000001")


def lines_add_up(desk: Desk) -> Iterator[str]:
    for plan in desk.said(Plan):
        if plan.rule in (Rule.ACCOUNT_UNREADABLE, Rule.BOOKS_DIFFER):
            continue
        for line in plan.lines:
            for what in _sums_of(line):
                yield f"plan {plan.plan_id}, line {line.book} {line.symbol}: {what}"


def opposite_wishes_are_crossed_or_deferred(desk: Desk) -> Iterator[str]:
    """What netted strategies want against each other is crossed as a whole, or deferred as a whole with a rule."""
    for plan in desk.said(Plan):
        for line in plan.lines if plan.status is PlanStatus.READY else ():
            bought, sold = (
                sum((max(sign * each.allowed, ZERO) for each in line.contributions), ZERO) for sign in (1, -1)
            )
            found = (line.cross_quantity, line.cross_deferred_quantity)
            is_whole = sum(found) == min(bought, sold) and not all(found)
            if not is_whole or (line.cross_deferred_quantity > 0) != (line.cross_rule is not None):
                yield f"plan {plan.plan_id}, line {line.symbol}: {bought} against {sold}, crossed and deferred {found}"


def _sums_of(line: PlanLine) -> Iterator[str]:
    parts = line.contributions
    sign = {Action.BUY: 1, Action.SELL: -1}.get(line.action, 0)
    equal = (
        ("weights", sum((each.weight for each in parts), ZERO), line.target_weight),
        ("current", sum((each.current_quantity for each in parts), ZERO), line.current_quantity),
        ("targets", sum((each.target_quantity for each in parts), ZERO), line.target_quantity),
        ("wanted", sum((each.wanted for each in parts), ZERO), line.delta_quantity),
        ("crossed", sum((each.crossed for each in parts), ZERO), ZERO),
        ("bought inside", sum((max(each.crossed, ZERO) for each in parts), ZERO), line.cross_quantity),
        ("ordered", sum((each.ordered for each in parts), ZERO), sign * line.quantity),
    )
    yield from (f"{name} sum to {found}, not {expected}" for name, found, expected in equal if found != expected)
    for each in parts:
        if each.wanted != each.target_quantity - each.current_quantity:
            yield f"{each.strategy_id} wants {each.wanted}"
        if not _is_part(each.allowed, each.wanted) or not _is_part(each.crossed + each.ordered, each.allowed):
            yield f"{each.strategy_id}: {each.crossed} + {each.ordered} of {each.allowed} of {each.wanted}"
        if each.crossed * each.ordered < 0:
            yield f"{each.strategy_id} crosses {each.crossed} and orders {each.ordered}"
    if not ZERO <= line.reducing_quantity <= line.quantity:
        yield f"{line.reducing_quantity} of {line.quantity} reduce"
    if line.status is not LineStatus.PLANNED and line.quantity:
        yield f"{line.status} orders {line.quantity}"
    if line.status is LineStatus.HELD and line.cross_quantity:
        yield f"HELD crosses {line.cross_quantity}"


def lines_know_who_owns_what(desk: Desk) -> Iterator[str]:
    """Current quantities are the books'; a line of a book of its own has that strategy alone."""
    for plan in desk.said(Plan):
        if plan.rule in (Rule.ACCOUNT_UNREADABLE, Rule.BOOKS_DIFFER):
            continue
        books = {each.strategy_id: each for each in plan.books.strategies}
        held = {each.symbol: each.quantity for each in plan.books.snapshot.positions}
        keeping = _keeping_books(plan)
        for line in plan.lines:
            name = f"plan {plan.plan_id}, line {line.book} {line.symbol}"
            owners = {each.strategy_id for each in line.contributions}
            if line.book != NET and owners - {line.book}:
                yield f"{name}: contributions of {sorted(owners)}"
            if line.book == NET and owners & keeping:
                yield f"{name}: {sorted(owners & keeping)} keep books of their own"
            if line.account_quantity != held.get(line.symbol, ZERO):
                yield f"{name}: the account holds {held.get(line.symbol, ZERO)}, not {line.account_quantity}"
            for each in line.contributions:
                owned = _owned(books.get(each.strategy_id), line.symbol)
                if each.current_quantity != owned:
                    yield f"{name}: {each.strategy_id} owns {owned}, not {each.current_quantity}"


def exits_sell_own_shares_only(desk: Desk) -> Iterator[str]:
    """Nobody sells more than it owns unless it wants to be short."""
    for plan in desk.said(Plan):
        for line in plan.lines:
            for each in line.contributions:
                after = each.current_quantity + each.crossed + each.ordered
                lowest, highest = sorted((each.current_quantity, each.target_quantity))
                if not lowest <= after <= highest:
                    yield (
                        f"plan {plan.plan_id}, line {line.book} {line.symbol}: {each.strategy_id} goes from"
                        f" {each.current_quantity} to {after}, it wants {each.target_quantity}"
                    )


def crosses_have_an_open_fresh_quote(desk: Desk) -> Iterator[str]:
    for plan in desk.said(Plan):
        snapshot = plan.books.snapshot
        age = timedelta(seconds=snapshot.portfolio.terms.limits.quote_age_max_s)
        stopped = {each.symbol for each in snapshot.instruments}
        for line in plan.lines:
            if not line.cross_quantity:
                continue
            is_open = line.bid is not None and line.ask is not None and ZERO < line.bid < line.ask
            is_fresh = line.quoted_at is not None and snapshot.taken_at - line.quoted_at <= age
            if line.book != NET or not is_open or not is_fresh or line.symbol in stopped:
                yield f"plan {plan.plan_id} crosses {line.symbol} at {line.bid}/{line.ask} of {line.quoted_at}"
            elif line.price != ((line.bid + line.ask) / 2).quantize(NEARLY):  # type: ignore[operator]
                yield f"plan {plan.plan_id} crosses {line.symbol} at {line.price} of {line.bid}/{line.ask}"


def plans_stay_within_the_account(desk: Desk) -> Iterator[str]:
    """Totals are sums of the lines, buys can be paid or cover shorts, no limit is exceeded further than before."""
    for plan in desk.said(Plan):
        lines = plan.lines
        buys = sum((each.notional for each in lines if each.action is Action.BUY), ZERO)
        sells = sum((each.notional for each in lines if each.action is Action.SELL), ZERO)
        totals = (
            ("buys", buys, plan.buys_planned),
            ("sells", sells, plan.sells_expected),
            ("trade value", buys + sells, plan.trade_value),
            ("lines", Decimal(len(lines)), Decimal(plan.line_count)),
        )
        for name, found, said in totals:
            if found != said:
                yield f"plan {plan.plan_id}: {name} {found}, said are {said}"
        if plan.status is PlanStatus.BLOCKED and any(each.quantity or each.cross_quantity for each in lines):
            yield f"plan {plan.plan_id} is BLOCKED and trades"
        if plan.rule is Rule.PLAN_INVALID:
            yield f"plan {plan.plan_id} is invalid: {plan.detail}"
        if plan.status is PlanStatus.READY:
            yield from _beyond_limits(plan, buys, sells)


def _beyond_limits(plan: Plan, buys: Decimal, sells: Decimal) -> Iterator[str]:
    terms = plan.books.snapshot.portfolio.terms.limits
    before, after = _exposures(plan)
    covers = sum((each.reducing_quantity * _met(each, ONE) for each in plan.lines if each.action is Action.BUY), ZERO)
    collateral = ZERO if terms.is_leverage_allowed else covers  # covers are paid from it
    if buys > max(plan.cash_available + sells + collateral, covers):
        yield f"plan {plan.plan_id}: buys of {buys}, there are {plan.cash_available} and sells of {sells}"
    if terms.trade_value_max is not None and buys + sells > terms.trade_value_max:
        yield f"plan {plan.plan_id} trades {buys + sells} of at most {terms.trade_value_max}"
    for symbol, exposure in after.items():
        most = _most(terms.position_weight_max, plan.equity)
        if most is not None and exposure > max(most, before[symbol]) + NEARLY:
            yield f"plan {plan.plan_id}: {symbol} at {exposure}, at most {most}, was {before[symbol]}"
    for name, most in _exposure_limits(terms, plan.equity):
        had, has = sum(before.values()), sum(after.values())
        if has > max(most, had) + NEARLY:
            yield f"plan {plan.plan_id}: exposure {has}, {name} allows {most}, was {had}"


def _exposure_limits(terms: Limits, equity: Decimal) -> Iterator[tuple[str, Decimal]]:
    yield "WEIGHT_TOTAL_MAX", terms.weight_total_max * equity
    if terms.margin_utilisation_max is not None and terms.initial_margin_rate:
        yield "MARGIN_UTILISATION", terms.margin_utilisation_max * equity / terms.initial_margin_rate
    if terms.maintenance_buffer is not None and terms.maintenance_margin_rate:
        yield "MAINTENANCE_BUFFER", (1 - terms.maintenance_buffer) * equity / terms.maintenance_margin_rate


def _exposures(plan: Plan) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Return what the account has in every symbol with a price, before and after the plan, dollars."""
    before: dict[str, Decimal] = {}
    change: dict[str, Decimal] = {}
    price: dict[str, Decimal] = {}
    for line in plan.lines:
        sign = 1 if line.action is Action.BUY else -1
        before[line.symbol] = line.account_quantity
        change[line.symbol] = change.get(line.symbol, ZERO) + sign * line.quantity
        price[line.symbol] = line.price or ZERO
    after = {symbol: abs(before[symbol] + change[symbol]) * price[symbol] for symbol in before}
    return {symbol: abs(before[symbol]) * price[symbol] for symbol in before}, after


def strategies_stay_within_their_own_limits(desk: Desk) -> Iterator[str]:
    for plan in desk.said(Plan):
        if plan.status is not PlanStatus.READY:
            continue
        books = {each.strategy_id: each for each in plan.books.strategies}
        for terms in plan.books.snapshot.portfolio.terms.strategies:
            book = books.get(terms.strategy_id)
            capital = plan.equity * terms.allocation
            if terms.mode is Mode.BOOK:
                capital = ZERO if book is None or book.capital is None else book.capital
            run_limits = plan.books.snapshot.portfolio.terms.limits
            total = run_limits.weight_total_max if terms.weight_total_max is None else terms.weight_total_max
            parts = [
                (line, each)
                for line in plan.lines
                for each in line.contributions
                if each.strategy_id == terms.strategy_id and line.price and not _is_stopped(line)
            ]
            name = f"plan {plan.plan_id}, {terms.strategy_id}"
            yield from _beyond_own(name, parts, _most(terms.position_weight_max, capital), total * capital)
            traded = sum((abs(each.allowed) * _met(line, each.allowed) for line, each in parts), ZERO)
            done = ZERO if book is None else book.traded_value
            if terms.trade_value_max is not None and traded > max(terms.trade_value_max - done, ZERO) + NEARLY:
                yield f"{name} trades {traded} after {done} of {terms.trade_value_max}"


def _beyond_own(
    name: str, parts: list[tuple[PlanLine, LineContribution]], each_max: Decimal | None, total: Decimal
) -> Iterator[str]:
    before = after = ZERO
    for line, part in parts:
        had = abs(part.current_quantity) * (line.price or ZERO)
        has = abs(part.current_quantity + part.allowed) * (line.price or ZERO)
        before, after = before + had, after + has
        if each_max is not None and has > max(each_max, had) + NEARLY:
            yield f"{name}: {line.symbol} from {had} to {has}, at most {each_max}"
    if after > max(total, before) + NEARLY:
        yield f"{name}: exposure from {before} to {after}, at most {total}"


def strategies_spend_what_the_cash_policy_leaves(desk: Desk) -> Iterator[str]:
    """Buys that increase a position are held to a strategy's money, what it sells of its own added."""
    for plan in desk.said(Plan):
        portfolio = plan.books.snapshot.portfolio
        is_judged = plan.status is PlanStatus.READY and portfolio.scope is None
        for terms in portfolio.terms.strategies if is_judged else ():
            parts = [
                (line, each)
                for line in plan.lines
                for each in line.contributions
                if each.strategy_id == terms.strategy_id
            ]
            money = _money(plan, terms, parts)
            spent = ZERO
            for line, each in parts if money is not None else ():
                reduction = ZERO if _is_stopped(line) else min(abs(each.allowed), _opposite(each))
                increase = ZERO if _is_stopped(line) else abs(each.allowed) - reduction
                sign = 1 if each.allowed > 0 else -1
                money = (money or ZERO) - sign * reduction * _met(line, each.allowed)
                spent += increase * _met(line, each.allowed) if sign > 0 else ZERO
            if money is not None and spent > max(money, ZERO) + NEARLY:
                policy = portfolio.terms.rules.cash_policy
                yield f"plan {plan.plan_id}, {terms.strategy_id} spends {spent} of {money}, {policy}"


def _opposite(part: LineContribution) -> Decimal:
    """Return how much of what is held a trade would reduce."""
    return max(-part.current_quantity if part.allowed > 0 else part.current_quantity, ZERO)


def _money(plan: Plan, terms: StrategyTerms, parts: list[tuple[PlanLine, LineContribution]]) -> Decimal | None:
    """Return what a strategy may spend before it sells anything; None = no limit."""
    run = plan.books.snapshot.portfolio.terms
    match run.rules.cash_policy:
        case CashPolicy.PROPORTIONAL:
            everybody = sum((each.allocation for each in run.strategies), ZERO)
            return plan.cash_available * terms.allocation / everybody if everybody else ZERO
        case CashPolicy.RESERVE:
            book = next((each for each in plan.books.strategies if each.strategy_id == terms.strategy_id), None)
            capital = plan.equity * terms.allocation
            if terms.mode is Mode.BOOK:
                capital = ZERO if book is None or book.capital is None else book.capital
            held = [(each.current_quantity, line.price) for line, each in parts if each.current_quantity]
            value = sum((quantity * price for quantity, price in held if price), ZERO)
            unspent = capital - max(capital, ZERO) * run.limits.cash_reserve - value
            return unspent if all(price for _, price in held) else min(unspent, ZERO)
        case _:
            return None


def _is_stopped(line: PlanLine) -> bool:
    """Say whether a line was stopped whatever was wanted of it: its wishes were held to nothing."""
    return line.rule is not None and list(Rule).index(line.rule) < list(Rule).index(Rule.NO_DIFFERENCE)


def _met(line: PlanLine, quantity: Decimal) -> Decimal:
    """Return the price that an order of a quantity would meet."""
    sides = (line.bid or ZERO, line.ask or ZERO)
    return max(sides) if quantity > 0 else min(sides)


def _keeping_books(plan: Plan) -> set[str]:
    modes = {each.strategy_id: each.mode for each in plan.books.strategies}
    return {name for name, mode in modes.items() if mode is Mode.BOOK}


def _owned(book: StrategyBook | None, symbol: str) -> Decimal:
    holdings = () if book is None else book.holdings
    return next((each.quantity for each in holdings if each.symbol == symbol), ZERO)


def _most(weight: Decimal | None, of: Decimal) -> Decimal | None:
    return None if weight is None else weight * of


def _is_part(part: Decimal, whole: Decimal) -> bool:
    """Say whether a signed quantity is some of another one: of its sign, and not more."""
    return ZERO <= part <= whole or whole <= part <= ZERO


CLAIMS = (
    lines_add_up,
    opposite_wishes_are_crossed_or_deferred,
    lines_know_who_owns_what,
    exits_sell_own_shares_only,
    crosses_have_an_open_fresh_quote,
    plans_stay_within_the_account,
    strategies_stay_within_their_own_limits,
    strategies_spend_what_the_cash_policy_leaves,
)

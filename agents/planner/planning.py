"""From books to a plan: size every line, apply the limits of each strategy, cross, judge, walk, check, write.

1. `sizing`: what every owner of a line has, wants to have, and at which price.
2. `strategy_limits`: what each strategy's own limits leave of its wishes.
3. `lines` and `crossing`: opposite wishes of a book meet inside the account; rules that look at a line alone.
4. `account_limits`: the account's limits, in the order of execution.
5. `strategy_trades`: each strategy's limits against what it really trades; whoever is beyond goes back to step 2.
6. `validation`: the finished plan once more, by its sums; what does not hold blocks it.
7. `writing`: the records.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from agents.planner.account import Account, account_of
from agents.planner.account_limits import walked
from agents.planner.account_results import account_results
from agents.planner.lines import NO_CUTS, Line, blocked, judged
from agents.planner.pricing import Markets
from agents.planner.sizing import Sized, sized
from agents.planner.strategies import Counted, OwnLimits, own_limits
from agents.planner.strategy_limits import within_own_limits
from agents.planner.strategy_trades import beyond_own_limits, recounted
from agents.planner.units import ZERO, as_money, as_quantity, quantity_units
from agents.planner.validation import fault
from agents.planner.writing import plan_lines
from schemas.identity import plan_id
from schemas.ledger import Books, BooksStatus
from schemas.plan import ConstraintResult, LineStatus, Plan, PlanStatus, Rule

REASONS_MAX = 6
"""Spelled out in a plan's detail: the ledger's words and five differences, or six differences."""


class Block(NamedTuple):
    """Why no line of a plan may be sent."""

    rule: Rule
    threshold: Decimal | None
    detail: str


class Draft(NamedTuple):
    """The lines of a plan, the limits it met, and what blocks it whole."""

    lines: Sequence[Line]
    constraints: Sequence[ConstraintResult]
    block: Block | None


def plan_of(books: Books) -> Plan:
    """Return the plan of a run on its books; pure, so the same books give the same plan."""
    content = books.content
    snapshot = content.snapshot
    limits = snapshot.portfolio.terms.limits
    markets = Markets(snapshot, limits.quote_age_max_s)
    sizes = sized(content, markets)
    account = account_of(content, markets)
    block = _block(books, sizes)
    draft = _drafted(sizes, books, account) if block is None else _blocked(sizes, block, account.step, ())
    lines = [line for line in draft.lines if line.sized.is_listed]
    buys = sum(line.notional for line in lines if line.is_buy)
    sells = sum(line.notional for line in lines if not line.is_buy)
    return Plan(
        account_id=books.account_id,
        plan_id=plan_id(books.run_id),
        run_id=books.run_id,
        as_of=snapshot.portfolio.terms.as_of,
        status=PlanStatus.READY if draft.block is None else PlanStatus.BLOCKED,
        rule=None if draft.block is None else draft.block.rule,
        detail="" if draft.block is None else draft.block.detail,
        equity=snapshot.equity,
        cash_available=as_money(account.available),
        sells_expected=as_money(sells),
        buys_planned=as_money(buys),
        trade_value=as_money(buys + sells),
        line_count=len(lines),
        constraints=tuple(sorted(draft.constraints, key=lambda each: (each.rule, each.scope, each.symbol or ""))),
        lines=plan_lines(lines, account.step),
        books=content,
    )


def _drafted(sizes: Sequence[Sized], books: Books, account: Account) -> Draft:
    """Return the lines after every rule and limit; a plan that breaks one all the same is blocked, and says how.

    Lines that leave a strategy beyond a limit of its own are made anew, with less of its reductions counted.
    """
    limits = own_limits(sizes, books.content, account.available)
    counted: Counted = {}
    while True:
        draft = _made(sizes, books, account, limits, counted)
        beyond = beyond_own_limits(draft.lines, limits)
        less = recounted(counted, beyond)
        if less == counted:
            break
        counted = less
    found = fault(draft.lines, account, beyond)
    if found is None:
        return draft
    return _blocked(sizes, Block(Rule.PLAN_INVALID, None, found), account.step, draft.constraints)


def _made(
    sizes: Sequence[Sized], books: Books, account: Account, limits: Sequence[OwnLimits], counted: Counted
) -> Draft:
    """Return the lines after every rule and limit, when so much of the strategies' reductions counts as made."""
    cuts, own = within_own_limits(sizes, limits, books.content.snapshot.portfolio.terms.limits, counted)
    lines = [judged(each, cuts.get(number, NO_CUTS), account.step) for number, each in enumerate(sizes)]
    walk = walked(lines, account)
    for line in lines:
        line.split(account.step)
    return Draft(lines, (*own, *account_results(account, walk, lines)), None)


def _blocked(sizes: Sequence[Sized], block: Block, step: int, constraints: Sequence[ConstraintResult]) -> Draft:
    lines = [blocked(each, step, LineStatus.BLOCKED, block.rule, block.threshold) for each in sizes]
    return Draft(lines, constraints, block)


def _block(books: Books, sizes: Sequence[Sized]) -> Block | None:
    """Return what blocks the whole plan before it is made: no account, books that differ, equity that is not positive.

    Books that are blocked and name no difference could not be compared, because the account could not be read.
    """
    equity = books.content.snapshot.equity
    if books.status is BooksStatus.BLOCKED and not books.differences:
        return Block(Rule.ACCOUNT_UNREADABLE, None, books.detail)
    differences = _told(books) if books.status is BooksStatus.BLOCKED else _differences(books, sizes)
    if differences:
        return Block(Rule.BOOKS_DIFFER, None, "; ".join(differences[:REASONS_MAX]))
    if equity <= 0:
        return Block(Rule.EQUITY_NOT_POSITIVE, ZERO, f"expected equity above 0, was {equity:f}")
    return None


def _differences(books: Books, sizes: Sequence[Sized]) -> list[str]:
    """Return the symbols of which the books do not add up to the account, although they say that they are ready."""
    owned: dict[str, int] = {}
    for line in sizes:
        owned[line.symbol] = owned.get(line.symbol, 0) + sum(line.current)
    held = {each.symbol: quantity_units(each.quantity) for each in books.content.snapshot.positions}
    return [
        f"{symbol}: books {as_quantity(own):f}, broker {as_quantity(held.get(symbol, 0)):f}"
        for symbol, own in sorted(owned.items())
        if own != held.get(symbol, 0)
    ]


def _told(books: Books) -> list[str]:
    items = (f"{each.item}: books {each.ledger}, broker {each.broker}" for each in books.differences)
    return [books.detail or "the books are blocked", *items]

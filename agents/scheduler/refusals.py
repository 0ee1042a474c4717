"""Why a request becomes no run: the checks, in the order of `RunRefusal`; the first that fails is the reason.

Where the contract leaves room, the stricter reading holds: a day outside the calendar counts as no session, a deadline
at `as_of` itself is allowed and one before it is not, a quorum without the rule that asks for it is refused, and so is
a `system` with a book of its own: what is the account's own belongs to no book but the net.
"""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from agents.scheduler.sessions import FIRST, LAST, is_session, session_date
from schemas.client_order_id import OLDER_OWNER, OWNER_LENGTH_MAX, SYMBOL_LENGTH_MAX, escaped
from schemas.identity import run_id
from schemas.ledger import MANUAL, STREET, SYSTEM
from schemas.order import NET
from schemas.run import Mode, OrderStyle, OverlapPolicy, RunRefusal, RunRequest, RunTerms, SyncRule

Check = Callable[[RunTerms], str]
"""A check returns what is wrong, with the two values that disagree; nothing when all is well."""

RESERVED = {
    STREET: "the other side of every entry",
    MANUAL: "who owns what is traded by hand",
    NET: "the book of all netted strategies",
    OLDER_OWNER: "the mark of older client order ids",
}

NOT_FULL_BY_MAX = Decimal("0.01")
"""How far allocations may be from 1 where all of the account is to be allocated; weights like 0.333 need some room."""


def refusal_of(request: RunRequest, terms: RunTerms) -> tuple[RunRefusal, str] | None:
    """Return why a request is refused, with the values that disagree; None when it is not."""
    if request.run_id != own_id(request):
        detail = f"expected run_id {own_id(request)} of account, as_of and request_id, was {request.run_id}"
        return RunRefusal.RUN_ID_MISMATCH, detail
    for refusal, check in CHECKS:
        if detail := check(terms):
            return refusal, detail
    return None


def own_id(request: RunRequest) -> UUID:
    """Return the run id that a request speaks for."""
    return run_id(request.account_id, request.as_of, request.request_id)


def named_by_several(terms: RunTerms) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each symbol that more than one strategy names, with their names; sorted."""
    names: dict[str, list[str]] = {}
    for strategy in terms.strategies:
        for symbol in strategy.symbols:
            names.setdefault(symbol, []).append(strategy.strategy_id)
    return tuple((symbol, tuple(each)) for symbol, each in sorted(names.items()) if len(each) > 1)


def _named_twice(terms: RunTerms) -> str:
    for before, after in pairwise(terms.strategies):
        if before.strategy_id == after.strategy_id:
            return f"expected every strategy once, was {after.strategy_id!r} twice"
    return ""


def _reserved(terms: RunTerms) -> str:
    for each in terms.strategies:
        if each.strategy_id in RESERVED:
            return f"expected a name of the strategy's own, was {each.strategy_id!r}: {RESERVED[each.strategy_id]}"
        if each.strategy_id == SYSTEM and each.mode is not Mode.NETTED:
            return f"expected mode {Mode.NETTED} of {SYSTEM!r}, which has no book of its own, was {each.mode}"
    return ""


def _too_long(terms: RunTerms) -> str:
    """Names go into client order ids, escaped and whole: what would not fit is refused before there is an order."""
    for strategy in terms.strategies:
        named = [(strategy.strategy_id, OWNER_LENGTH_MAX), *((each, SYMBOL_LENGTH_MAX) for each in strategy.symbols)]
        for name, most in named:
            if not 1 <= len(escaped(name)) <= most:
                return f"expected 1 to {most} characters in a client order id, was {len(escaped(name))}: {name!r}"
    return ""


def _allocated(terms: RunTerms) -> Decimal:
    return sum((each.allocation for each in terms.strategies), Decimal(0))


def _allocated_too_much(terms: RunTerms) -> str:
    allocated = _allocated(terms)
    return "" if allocated <= 1 else f"expected allocations of at most 1 together, was {allocated:f}"


def _allocated_too_little(terms: RunTerms) -> str:
    allocated = _allocated(terms)
    if not terms.rules.is_full_allocation_required or abs(allocated - 1) <= NOT_FULL_BY_MAX:
        return ""
    return f"expected allocations of 1 together, give or take {NOT_FULL_BY_MAX}, was {allocated:f}"


def _no_quorum(terms: RunTerms) -> str:
    quorum, rule, count = terms.rules.quorum, terms.rules.sync_rule, len(terms.strategies)
    if rule is not SyncRule.QUORUM:
        return "" if quorum is None else f"expected no quorum with sync rule {rule}, was {quorum}"
    if quorum is None or not 1 <= quorum <= count:
        return f"expected a quorum from 1 to the number of strategies, which is {count}, was {quorum}"
    return ""


def _overlapping(terms: RunTerms) -> str:
    if terms.rules.overlap_policy is not OverlapPolicy.FORBID:
        return ""
    shared = (f"{symbol} of {', '.join(names)}" for symbol, names in named_by_several(terms))
    found = "; ".join(shared)
    return found and f"expected every symbol of one strategy only, was {found}"


def _no_session(terms: RunTerms) -> str:
    day = session_date(terms.as_of)
    return "" if is_session(day) else f"expected a New York session between {FIRST} and {LAST}, was {day:%A} {day}"


def _no_deadline(terms: RunTerms) -> str:
    rule = terms.rules.sync_rule
    if rule is SyncRule.ALL or terms.deadline_at is not None:
        return ""
    return f"expected a deadline with sync rule {rule}, was none"


def _deadline_too_early(terms: RunTerms) -> str:
    if terms.deadline_at is None or terms.deadline_at >= terms.as_of:
        return ""
    return f"expected a deadline not before as_of {terms.as_of.isoformat()}, was {terms.deadline_at.isoformat()}"


def _not_sendable(terms: RunTerms) -> str:
    """The broker takes nothing but limits outside the regular session, and parts of a share of some assets only."""
    rules, step = terms.execution, terms.limits.quantity_step
    style, offset = rules.order_style, rules.limit_offset
    if style is OrderStyle.MARKET and offset:
        return f"expected a limit_offset of 0 with order style {style}, was {offset.normalize():f}"
    if style is OrderStyle.MARKET and rules.is_extended_hours:
        return f"expected a limit style outside the regular session, was {style}"
    if rules.is_extended_hours and step % 1:
        return f"expected a quantity_step of whole shares outside the regular session, was {step.normalize():f}"
    return ""


CHECKS: tuple[tuple[RunRefusal, Check], ...] = (
    (RunRefusal.DUPLICATE_STRATEGY, _named_twice),
    (RunRefusal.RESERVED_NAME, _reserved),
    (RunRefusal.NAME_TOO_LONG, _too_long),
    (RunRefusal.ALLOCATION_EXCEEDS_ONE, _allocated_too_much),
    (RunRefusal.ALLOCATION_NOT_FULL, _allocated_too_little),
    (RunRefusal.QUORUM_NOT_POSSIBLE, _no_quorum),
    (RunRefusal.OVERLAP_FORBIDDEN, _overlapping),
    (RunRefusal.NOT_A_SESSION, _no_session),
    (RunRefusal.DEADLINE_MISSING, _no_deadline),
    (RunRefusal.DEADLINE_BEFORE_AS_OF, _deadline_too_early),
    (RunRefusal.EXECUTION_NOT_POSSIBLE, _not_sendable),
)
"""The checks of the terms, in the order of RunRefusal (a test holds them to it)."""

"""What counts where netted strategies disagree: one wants a symbol long, another one short. One function per rule.

A rule is given everybody's wish for one symbol, as fractions of the account's equity, none of them zero: zero is no
opinion. It returns the wishes that count. Their sum is the consolidated weight, whatever the rule.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from schemas.portfolio import Conflict, Contribution, PortfolioTarget
from schemas.run import ConflictRule, RunTerms

WEIGHT_UNIT = Decimal(1).scaleb(-12)


class Voices(NamedTuple):
    """Who may speak: each strategy's priority, and the strategies in the order in which they were accepted."""

    priorities: dict[str, int]
    order: tuple[str, ...]


class Resolved(NamedTuple):
    """One symbol after the rule: its target, if there is one, and the conflict, if there was one."""

    target: PortfolioTarget | None
    conflict: Conflict | None


Wishes = tuple[Contribution, ...]
Rule = Callable[[Wishes, Voices], Wishes]


def voices_of(terms: RunTerms, order: tuple[str, ...]) -> Voices:
    """Return who may speak in a run; `order` names the strategies as they were accepted."""
    return Voices({each.strategy_id: each.priority for each in terms.strategies}, order)


def resolved(symbol: str, wishes: Wishes, rule: ConflictRule, voices: Voices) -> Resolved:
    """Return what is wanted of a symbol; `wishes` are sorted by strategy_id, one of each at most."""
    if not is_conflict(wishes):
        return Resolved(target_of(symbol, wishes), None)
    if rule is ConflictRule.FLAG:
        return Resolved(None, Conflict(symbol=symbol, rule=rule, wishes=wishes, decided_by=None, is_open=True))
    counting = RULES[rule](wishes, voices)
    alone = counting[0].strategy_id if rule is ConflictRule.LAST else None
    conflict = Conflict(symbol=symbol, rule=rule, wishes=wishes, decided_by=alone, is_open=False)
    return Resolved(target_of(symbol, counting), conflict)


def is_conflict(wishes: Sequence[Contribution]) -> bool:
    """Say whether one wants the symbol long and another one short."""
    return any(each.weight > 0 for each in wishes) and any(each.weight < 0 for each in wishes)


def target_of(symbol: str, counting: Wishes) -> PortfolioTarget | None:
    """Return the target that wishes sum to; None when none is left, because an absent symbol means zero."""
    if not counting:
        return None
    weight = sum((each.weight for each in counting), Decimal(0))
    return PortfolioTarget(symbol=symbol, weight=weight, contributions=counting)


def rounded_down(weight: Decimal) -> Decimal:
    """Return a weight in whole units, rounded towards zero: parts of a whole never add up to more."""
    return weight.quantize(WEIGHT_UNIT, rounding=ROUND_DOWN)


def _everybody(wishes: Wishes, _voices: Voices) -> Wishes:
    return wishes


def _by_rank(wishes: Wishes, voices: Voices) -> Wishes:
    """First in full, second half, third a third; who shares a priority shares a rank."""
    ranked = sorted({voices.priorities[each.strategy_id] for each in wishes})
    parts = (
        Contribution(
            strategy_id=each.strategy_id,
            weight=rounded_down(each.weight / (1 + ranked.index(voices.priorities[each.strategy_id]))),
        )
        for each in wishes
    )
    return tuple(each for each in parts if each.weight)


def _last(wishes: Wishes, voices: Voices) -> Wishes:
    return (max(wishes, key=lambda each: voices.order.index(each.strategy_id)),)


RULES: dict[ConflictRule, Rule] = {
    ConflictRule.SUM: _everybody,
    ConflictRule.PRIORITY: _by_rank,
    ConflictRule.LAST: _last,
}
"""Which wishes count, by rule; with FLAG none does until a person decides."""

"""The plan as a record: integer units become the numbers of the schema, and every line says what was done and why.

The models of lines and contributions are built without being validated: a plan of 500 symbols and 20 strategies has
10,000 contributions, and validating takes 110 ms of them, pydantic's own `model_construct` 50, `_builder` 4. All values
are sums of quantities, or a quantity times a price, so they fit their scales; tests validate them, and the encoder
checks again.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeVar

from pydantic import BaseModel

from agents.planner.lines import Line
from agents.planner.units import SHARE, ZERO, Quantities, as_money, as_quantities, as_quantity, dollars_of
from schemas.order import Phase
from schemas.plan import LineContribution, PlanLine
from schemas.quantities import CONTEXT
from schemas.record import Value

SLOTS = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
Model = TypeVar("Model", bound=Value)
QUOTED = attrgetter("bid", "ask", "quoted_at", "source")
NOT_QUOTED = (None, None, None, None)
Numbers = Callable[[Iterable[int]], list[Decimal]]


def _builder(model: type[Model]) -> Callable[[Sequence[dict[str, Any]]], tuple[Model, ...]]:
    """Return what makes models of all their fields, each as `model_construct` does, in a tenth of the time."""
    fields, new = set(model.model_fields), model.__new__
    set_values, set_fields, set_extra, set_private = (BaseModel.__dict__[slot].__set__ for slot in SLOTS)

    def built(rows: Sequence[dict[str, Any]]) -> tuple[Model, ...]:
        models = []
        for values in rows:
            made = new(model)
            set_values(made, values)
            set_fields(made, fields)
            set_extra(made, None)
            set_private(made, None)
            models.append(made)
        return tuple(models)

    return built


_multiply = CONTEXT.multiply
_built_lines = _builder(PlanLine)
_built_contributions = _builder(LineContribution)
_blank_contribution: Callable[[], dict[str, Any]] = dict.fromkeys(LineContribution.model_fields).copy
"""What a contribution starts from, with no limit that binds: filling a copy is faster than a new dictionary."""


def plan_lines(lines: Iterable[Line], step: int) -> tuple[PlanLine, ...]:
    """Return the lines as the plan says them; `step` is the quantity step.

    Whole shares repeat, and finding one costs a quarter of making it; where hardly any repeat, looking costs more.
    """
    numbers = Quantities().of if step % SHARE == 0 else as_quantities
    return _built_lines([_values(line, numbers) for line in lines])


def _values(line: Line, numbers: Numbers) -> dict[str, Any]:
    sized, market, netting = line.sized, line.sized.market, line.netting
    bid, ask, quoted_at, source = QUOTED(market.quote) if market.quote else NOT_QUOTED
    wishes = numbers(sized.wanted)
    targets = wishes if sized.target is sized.wanted else numbers(sized.target)
    matched, is_crossed = as_quantity(netting.matched), bool(netting.crossed)
    quantity = as_quantity(line.quantity)
    intended = quantity if line.intended == line.quantity else as_quantity(line.intended)
    return {
        "book": sized.book,
        "symbol": sized.symbol,
        "target_weight": sized.weight,
        "target_value": dollars_of(sized.capital or 0, sized.weight),
        "current_quantity": _together(sized.holdings, sized.current),
        "target_quantity": _together(targets, sized.target),
        "account_quantity": sized.account,
        "price": market.price,
        "bid": bid,
        "ask": ask,
        "quoted_at": quoted_at,
        "quote_source": source,
        "delta_quantity": _together(wishes, sized.wanted),
        "action": line.action,
        "quantity": quantity,
        "reducing_quantity": quantity if line.reducing == line.quantity else as_quantity(line.reducing),
        "phase": _phase(line),
        "notional": as_money(line.notional),
        "cross_quantity": matched if is_crossed else ZERO,
        "cross_deferred_quantity": ZERO if is_crossed else matched,
        "cross_rule": line.cross_rule if netting.matched else None,
        "priority": sized.priority,
        "status": line.status,
        "rule": line.rule,
        "threshold": line.threshold,
        "intended_quantity": intended,
        "intended_value": _multiply(intended, market.price or ZERO),
        "contributions": _contributions(line, wishes, targets, numbers),
    }


def _together(quantities: Sequence[Decimal], units: Sequence[int]) -> Decimal:
    """Return the sum of quantities: the number itself where there is only one."""
    return quantities[0] if len(quantities) == 1 else as_quantity(sum(units))


def _phase(line: Line) -> Phase | None:
    if line.quantity == 0:
        return None
    return Phase.REDUCING if line.reducing else Phase.INCREASING


def _contributions(
    line: Line, wishes: Sequence[Decimal], targets: Sequence[Decimal], numbers: Numbers
) -> tuple[LineContribution, ...]:
    sized, rows = line.sized, []
    columns = zip(
        sized.owners,
        sized.weights,
        sized.holdings,
        targets,
        wishes,
        wishes if line.allowed is sized.wanted else numbers(line.allowed),
        numbers(line.netting.crossed) if line.netting.crossed else repeat(ZERO),
        _ordered(line, wishes, numbers),
        map(_multiply, wishes, repeat(sized.market.price or ZERO)),
        strict=False,  # what is the same for everybody has no end
    )
    for name, weight, holding, target, wish, allowed, crossed, ordered, value in columns:
        values = _blank_contribution()
        values["strategy_id"] = name
        values["weight"] = weight
        values["current_quantity"] = holding
        values["target_quantity"] = target
        values["wanted"] = wish
        values["allowed"] = allowed
        values["crossed"] = crossed
        values["ordered"] = ordered
        values["value"] = value
        rows.append(values)
    for place, cut in line.cuts.items():
        rows[place]["rule"], rows[place]["threshold"] = cut.rule, as_money(cut.limit)
    return _built_contributions(rows)


def _ordered(line: Line, wishes: Iterable[Decimal], numbers: Numbers) -> Iterable[Decimal]:
    """Return who orders how much: often the very wishes, or nothing for all."""
    if not line.ordered:
        return repeat(ZERO)
    return wishes if line.ordered is line.sized.wanted else numbers(line.ordered)

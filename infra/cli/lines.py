"""Tables of a plan for a person: its limits, who wanted what and what went where, and its orders."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infra.cli.sentences import ZERO, is_of_a_strategy, named_rule, rule_of, threshold_of
from infra.cli.tables import money, percent, plain, print_table, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS = ("book", "symbol", "action", "weight", "holds", "wants", "crossed", "ordered", "filled", "price", "outcome")
NUMBERS = ("weight", "holds", "wants", "crossed", "ordered", "filled", "price")


def print_lines(lines: Iterable[dict[str, Any]]) -> None:
    """Print lines with a row per strategy below each; shares are signed where they have a direction."""
    found = list(lines)
    print_table(COLUMNS, [row for line in found for row in _rows(line)], NUMBERS)
    books = ", ".join(dict.fromkeys(line["book"] for line in found if line["book"] != "net"))
    own = f"; in the book of {books}: of that book's own capital" if books else ""
    print(f"weight: of the account's equity{own}")


def print_orders(lines: Iterable[dict[str, Any]]) -> None:
    """Print what was sent to the broker, and crossed, for the lines."""
    columns = ("order", "venue", "phase", "side", "quantity", "filled", "average", "status", "reason")
    rows = [
        [
            order["client_order_id"],
            order["venue"],
            order["phase"],
            order["side"],
            plain(order["order_qty"]),
            plain(order["cum_qty"]),
            _average(order),
            order["ord_status"],
            ": ".join(each for each in (order["refusal"], order["reason"]) if each),
        ]
        for line in lines
        for order in line["orders"]
    ]
    if rows:
        print_table(columns, rows, ("quantity", "filled", "average"))


def print_constraints(constraints: Iterable[dict[str, Any]]) -> None:
    """Print every limit once: what was wanted of it, what is used of it, and what it did."""
    columns = ("limit", "scope", "symbol", "at_most", "wanted", "used", "effect")
    rows = [
        [
            each["rule"],
            each["scope"],
            each["symbol"] or "all",
            *(money(each[name]) for name in ("limit", "wanted", "used")),
            "; ".join((each["effect"], *([_above(each["rule"])] if is_above(each) else []))),
        ]
        for each in constraints
    ]
    print_table(columns, rows, ("at_most", "wanted", "used"))


def is_above(constraint: dict[str, Any]) -> bool:
    """Say whether more of a limit is used than it allows, as where the account was above it before the plan."""
    return bool(constraint["used"] > constraint["limit"])


def _above(rule: str) -> str:
    stops = {"TRADE_VALUE_MAX": "nothing more is traded", "CAPITAL": "only what costs money is stopped"}
    return f"above it already: {stops.get(rule, 'only increases are stopped')}"


def _rows(line: dict[str, Any]) -> Iterator[list[str]]:
    yield [
        line["book"],
        line["symbol"],
        line["action"],
        percent(line["target_weight"]),
        plain(line["current_quantity"]),
        _change(line["delta_quantity"]),
        _unless_zero(line["cross_quantity"] if line["outcome"] is None else line["crossed_quantity"]),
        _ordered(line),
        _change(_sign(line) * (line["cum_qty"] or ZERO)),
        _price(line),
        _outcome(line),
    ]
    for part in line["contributions"]:
        limited = (
            f"{named_rule(part['rule'], part['threshold'])} allows {signed(part['allowed'])}" if part["rule"] else ""
        )
        yield [
            f"  {part['strategy_id']}",
            "",
            "",
            percent(part["weight"]),
            plain(part["current_quantity"]),
            _change(part["wanted"]),
            _change(part["crossed"]),
            "" if _is_unsent(line) else _change(part["ordered"]),
            _change(part["got_filled"]),
            "",
            limited,
        ]


def _outcome(line: dict[str, Any]) -> str:
    said = [line["outcome"] or ("under way" if line["status"] == "PLANNED" else line["status"])]
    if line["crossed_quantity"] and line["outcome"] != "CROSSED":
        said[0] = f"crossed {plain(line['crossed_quantity'])}, the rest {said[0]}"
    if rule := rule_of(line):
        said[0] += f": {named_rule(rule, threshold_of(line))}"
        said += _sizes(line)
    if line["cross_deferred_quantity"]:
        said.append(f"cross of {plain(line['cross_deferred_quantity'])} deferred: {line['cross_rule']}")
    if line["instrument_detail"]:
        said.append(line["instrument_detail"])
    if line["reason"]:
        said.append(line["reason"])
    return "; ".join(said)


def _sizes(line: dict[str, Any]) -> Iterator[str]:
    """Yield what the line would have traded without its rule; what was left of that where limits had cut it before."""
    left, intended = abs(line["allowed_quantity"]), line["intended_quantity"]
    if intended == line["quantity"]:
        return
    yield f"intended {plain(intended)} for {money(line['intended_value'])}"
    if left != intended and not is_of_a_strategy(line) and any(part["rule"] for part in line["contributions"]):
        yield f"own limits left {plain(left)} for {money(line['allowed_value'])}"


def _ordered(line: dict[str, Any]) -> str:
    """Return what goes to the broker; once the line has ended, what was really sent."""
    if line["outcome"] is None:
        return _change(_sign(line) * line["quantity"])
    return "not sent" if _is_unsent(line) else _change(_sign(line) * (line["order_qty"] or ZERO))


def _is_unsent(line: dict[str, Any]) -> bool:
    return line["outcome"] is not None and bool(line["quantity"]) and not line["order_qty"]


def _average(order: dict[str, Any]) -> str:
    """Return the average price, rounded for the eye only: six decimals, as prices have."""
    if not order["value"] or not order["cum_qty"]:
        return "-"
    return plain((order["value"] / order["cum_qty"]).quantize(Decimal("0.000001")))


def _price(line: dict[str, Any]) -> str:
    return "-" if line["price"] is None else plain(line["price"])


def _sign(line: dict[str, Any]) -> int:
    return -1 if line["action"] == "SELL" else 1


def _change(value: Decimal) -> str:
    return signed(value) if value else ""


def _unless_zero(value: Decimal) -> str:
    return plain(value) if value else ""

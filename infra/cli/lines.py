"""Plan lines for a person: a table of who wanted what and what went where, and every rule in a sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infra.cli.tables import money, percent, plain, print_table, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ZERO = Decimal(0)
COLUMNS = ("book", "symbol", "action", "weight", "holds", "wants", "crossed", "ordered", "filled", "price", "outcome")
NUMBERS = ("weight", "holds", "wants", "crossed", "ordered", "filled", "price")

RULES: dict[str, str] = {
    "BOOKS_DIFFER": "the books do not equal the broker's account",
    "EQUITY_NOT_POSITIVE": "the account has no equity above zero",
    "CONFLICT_FLAGGED": "strategies disagree, and a person has to decide",
    "NOT_TRADABLE": "the broker does not trade it",
    "HALTED": "it is halted",
    "NO_PRICE": "there was no quote with a bid and an offer",
    "QUOTE_STALE": "its quote was too old",
    "QUOTE_LOCKED": "its bid and its offer were equal",
    "QUOTE_CROSSED": "its bid was above its offer",
    "CAPITAL_NOT_POSITIVE": "the book has no capital above zero",
    "NO_DIFFERENCE": "what is held is what is wanted, up to the smallest tradable quantity",
    "SHORT_NOT_ALLOWED": "the account may not be short",
    "FRACTIONAL_SHORT": "the broker takes no fractional short",
    "MIN_TRADE_VALUE": "it is worth less than the smallest trade",
    "POSITION_WEIGHT_MAX": "one symbol may not be more of the whole",
    "WEIGHT_TOTAL_MAX": "all positions together may not be more of the whole",
    "MARGIN_UTILISATION": "no more equity may be bound as initial margin",
    "MAINTENANCE_BUFFER": "maintenance margin may be at most this",
    "TRADE_VALUE_MAX": "no more may be traded in a day",
    "CAPITAL": "there is no more money for it",
    "PLAN_INVALID": "the finished plan broke a rule of its own",
}
"""What each rule says, for a person who does not know its name."""

IN_SECONDS = frozenset({"QUOTE_STALE"})
IN_SHARES = frozenset({"NO_DIFFERENCE", "SHORT_NOT_ALLOWED", "FRACTIONAL_SHORT"})


def print_lines(lines: Iterable[dict[str, Any]]) -> None:
    """Print lines with a row per strategy below each; shares are signed where they have a direction."""
    print_table(COLUMNS, [row for line in lines for row in _rows(line)], NUMBERS)


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
            order["reason"],
        ]
        for line in lines
        for order in line["orders"]
    ]
    if rows:
        print_table(columns, rows, ("quantity", "filled", "average"))


def print_constraints(constraints: Iterable[dict[str, Any]]) -> None:
    """Print limits: what was wanted of each, what is used of it, and what it did."""
    columns = ("limit", "scope", "symbol", "at_most", "wanted", "used", "effect")
    rows = [
        [
            each["rule"],
            each["scope"],
            each["symbol"] or "all",
            *(money(each[name]) for name in ("limit", "wanted", "used")),
            each["effect"],
        ]
        for each in constraints
    ]
    print_table(columns, rows, ("at_most", "wanted", "used"))


def sentences(line: dict[str, Any]) -> Iterator[str]:
    """Yield what became of a line and why not more, with the numbers."""
    yield f"{line['book']}: {_wish(line)}; {_end(line)}."
    if line["cross_quantity"]:
        yield f"{plain(line['cross_quantity'])} are crossed inside the account at {_price(line)}."
    if rule := rule_of(line):
        asked = f"; {_asked(line)}" if line["intended_quantity"] else ""
        yield f"{explained(rule, threshold_of(line))}{asked}."
    if line["cross_deferred_quantity"]:
        what = f"Opposite wishes of {plain(line['cross_deferred_quantity'])} were not crossed"
        yield f"{what}. {explained(line['cross_rule'], None)}."
    for part in line["contributions"]:
        if part["rule"]:
            wanted = f"{part['strategy_id']} wanted {signed(part['wanted'])}"
            allowed = f"its own limit lets {signed(part['allowed'])} pass"
            yield f"{wanted}, {allowed}. {explained(part['rule'], part['threshold'])}."


def explained(rule: str, threshold: Decimal | None) -> str:
    """Return a rule with its threshold and what it means."""
    return f"{_named(rule, threshold)}: {RULES.get(rule, 'a rule of the plan')}"


def rule_of(line: dict[str, Any]) -> str | None:
    """Return the rule that acted on a line, in the plan or afterwards."""
    rule: str | None = line["outcome_rule"] or line["rule"]
    return rule


def threshold_of(line: dict[str, Any]) -> Decimal | None:
    """Return the threshold of that rule."""
    found: Decimal | None = line["outcome_threshold"] if line["outcome_rule"] else line["threshold"]
    return found


def _rows(line: dict[str, Any]) -> Iterator[list[str]]:
    sign = _sign(line)
    yield [
        line["book"],
        line["symbol"],
        line["action"],
        percent(line["target_weight"]),
        plain(line["current_quantity"]),
        _change(line["delta_quantity"]),
        _unless_zero(line["cross_quantity"]),
        _change(sign * line["quantity"]),
        _change(sign * (line["cum_qty"] or ZERO)),
        _price(line),
        _outcome(line),
    ]
    for part in line["contributions"]:
        limited = f"{_named(part['rule'], part['threshold'])} allows {signed(part['allowed'])}" if part["rule"] else ""
        yield [
            f"  {part['strategy_id']}",
            "",
            "",
            percent(part["weight"]),
            plain(part["current_quantity"]),
            _change(part["wanted"]),
            _change(part["crossed"]),
            _change(part["ordered"]),
            _change(part["got_filled"]),
            "",
            limited,
        ]


def _outcome(line: dict[str, Any]) -> str:
    said = [line["outcome"] or ("under way" if line["status"] == "PLANNED" else line["status"])]
    if rule := rule_of(line):
        said[0] += f": {_named(rule, threshold_of(line))}"
        if line["intended_quantity"] != line["quantity"]:
            said.append(f"intended {plain(line['intended_quantity'])} for {money(line['intended_value'])}")
    if line["cross_deferred_quantity"]:
        said.append(f"cross of {plain(line['cross_deferred_quantity'])} deferred: {line['cross_rule']}")
    if line["reason"]:
        said.append(line["reason"])
    return "; ".join(said)


def _wish(line: dict[str, Any]) -> str:
    delta = line["delta_quantity"]
    holds = f"holds {plain(line['current_quantity'])} and wants {plain(line['target_quantity'])}"
    if not delta:
        return f"{holds}, nothing is to be bought or sold"
    return f"{holds}, so it is to {'buy' if delta > 0 else 'sell'} {plain(abs(delta))}"


def _end(line: dict[str, Any]) -> str:
    done, asked = line["cum_qty"], line["quantity"]
    how = line["outcome"] or line["status"]
    if line["outcome"] is None and line["status"] == "PLANNED":
        return f"{plain(asked)} are ordered, still under way" if asked else "still under way"
    reason = f" ({line['reason']})" if line["reason"] else ""
    if asked:
        return f"it ended {how} with {plain(done or ZERO)} of {plain(asked)} ordered{reason}"
    return f"it ended {how} without an order{reason}"


def _asked(line: dict[str, Any]) -> str:
    intended = f"{plain(line['intended_quantity'])} shares for {money(line['intended_value'])} dollars"
    return f"of {intended} it lets {plain(line['quantity'])} pass"


def _named(rule: str, threshold: Decimal | None) -> str:
    """Return a rule with its threshold, in the rule's own unit: dollars unless it says otherwise."""
    if threshold is None:
        return rule
    if rule in IN_SECONDS:
        return f"{rule} {plain(threshold)} s"
    return f"{rule} {plain(threshold) if rule in IN_SHARES else money(threshold)}"


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

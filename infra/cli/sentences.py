"""What became of a plan line, of a conflict, of a run, in sentences with their numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from infra.cli.tables import money, percent, plain, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ZERO = Decimal(0)

RULES: dict[str, str] = {
    "ACCOUNT_UNREADABLE": "the account could not be read, so nothing is known of what it holds",
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
    "KEPT": "its owners keep what they hold: they failed, are missing, or are not in this run",
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
    "ORDER_FORM": "the broker takes no order of this form",
    "REDUCING_FAILED": "too much of what was to be reduced first was not",
    "CASH_NOT_FREED": "what was to be sold first did not bring the money for it",
}
"""What each rule says, for a person who does not know its name."""

KEEPS: dict[str, str] = {
    "FAILED": "it failed",
    "MISSING": "it did not answer in time",
    "SILENT": "it was not heard",
    "NOT_JUDGED": "it could not judge the symbol",
    "NOT_IN_RUN": "it is not in this run",
}
"""Why an owner keeps what it holds."""

IN_SECONDS = frozenset({"QUOTE_STALE"})
IN_PERCENT = frozenset({"REDUCING_FAILED"})
IN_SHARES = frozenset({"NO_DIFFERENCE", "SHORT_NOT_ALLOWED", "FRACTIONAL_SHORT"})
OF_THE_MARKET = frozenset({"NOT_TRADABLE", "HALTED", "NO_PRICE"})
LIMITS = frozenset(
    {
        "POSITION_WEIGHT_MAX",
        "WEIGHT_TOTAL_MAX",
        "MARGIN_UTILISATION",
        "MAINTENANCE_BUFFER",
        "TRADE_VALUE_MAX",
        "CAPITAL",
    }
)


def sentences(line: dict[str, Any]) -> Iterator[str]:
    """Yield what became of a line and why not more, with the numbers."""
    yield f"{line['book']}: {_wish(line)}; {_end(line)}."
    if line["cross_quantity"]:
        yield f"{_cross(line)}."
    if (rule := rule_of(line)) and not is_of_a_strategy(line):
        yield f"{_acted(rule, line)}."
    if line["cross_deferred_quantity"]:
        what = f"Opposite wishes of {plain(line['cross_deferred_quantity'])} were not crossed"
        yield f"{what}. {explained(line['cross_rule'], None)}."
    for part in line["contributions"]:
        if part["rule"]:
            wanted = f"{part['strategy_id']} wanted {signed(part['wanted'])}"
            allowed = f"its own limit lets {signed(part['allowed'])} pass"
            yield f"{wanted}, {allowed}. {_with_traded(part['rule'], part['threshold'], part['traded_before'])}."
        if part["keeps"] and part["current_quantity"]:
            keeps = f"{part['strategy_id']} keeps its {plain(part['current_quantity'])}"
            yield f"{keeps}: {KEEPS[part['keeps']]}."


def explained(rule: str, threshold: Decimal | None) -> str:
    """Return a rule with its threshold and what it means."""
    return f"{named_rule(rule, threshold)}: {RULES.get(rule, 'a rule of the plan')}"


def named_rule(rule: str, threshold: Decimal | None) -> str:
    """Return a rule with its threshold, in the rule's own unit: dollars unless it says otherwise."""
    if threshold is None:
        return rule
    if rule in IN_SECONDS:
        return f"{rule} {plain(threshold)} s"
    if rule in IN_PERCENT:
        return f"{rule} {percent(threshold)}"
    return f"{rule} {plain(threshold) if rule in IN_SHARES else money(threshold)}"


def rule_of(line: dict[str, Any]) -> str | None:
    """Return the rule that acted on a line, in the plan or afterwards."""
    rule: str | None = line["outcome_rule"] or line["rule"]
    return rule


def threshold_of(line: dict[str, Any]) -> Decimal | None:
    """Return the threshold of that rule."""
    found: Decimal | None = line["outcome_threshold"] if line["outcome_rule"] else line["threshold"]
    return found


def is_of_a_strategy(line: dict[str, Any]) -> bool:
    """Say whether the rule that acted on a line is a limit of one of its strategies; the strategy's part tells more."""
    acted = (rule_of(line), threshold_of(line))
    return any(part["rule"] and (part["rule"], part["threshold"]) == acted for part in line["contributions"])


def conflict_sentences(run_id: object, conflict: dict[str, Any]) -> Iterator[str]:
    """Yield what became of a conflict that a person has to decide: nothing where a rule has decided it."""
    judged = [each for each in conflict["decisions"] if each["status"] == "ACCEPTED"]
    for each in conflict["decisions"]:
        if each["status"] == "ACCEPTED":
            follow = each["follow_up_run_id"]
            traded = ", nothing is traded" if follow is None else f", traded by run {follow}"
            yield f"{each['decided_by']} decided the conflict: {_choice(each)}{traded}."
        else:
            yield f"{each['decided_by']}'s {_choice(each)} was not accepted: {each['status']}."
    for each in conflict["pending"]:
        yield f"{each['decided_by']} decided {_choice(each)}; the collector has not judged it yet."
    if not conflict["is_open"] or judged or conflict["pending"]:
        return
    if conflict["is_superseded"]:
        yield "Nobody decided the conflict, and a newer run was formed since: what is wanted now is in that one."
    else:
        command = f"tape decide {run_id} {conflict['symbol']} --by NAME --take STRATEGY"
        yield f"The conflict is open: {command} (or --sum, or --hold)."


def stopped(run: dict[str, Any]) -> str:
    """Return how far a run without a plan has come, and whether there ever will be one."""
    ended = _never(run)
    return _not_yet(run) if ended is None else f"{ended.rstrip('. ')}. So it never gets a plan."


def _never(run: dict[str, Any]) -> str | None:
    """Return why a run never gets a plan; None where it still may."""
    portfolio, execution = run["portfolio"], run["execution"]
    if run["status"] == "REFUSED":
        return f"The run was refused: {run['refusal']}. {run['detail']}"
    if portfolio is not None and portfolio["status"] == "QUORUM_MISSED":
        missed = f"failed: {_names(portfolio['failed'])}; missing: {_names(portfolio['missing'])}"
        return f"Nothing was traded: the quorum of {run['quorum']} was missed ({missed})"
    if execution is not None and execution["status"] in ("ABANDONED", "SUPERSEDED"):
        return f"The run ended {execution['status']} before it had a plan: {execution['detail']}"
    return None


def _not_yet(run: dict[str, Any]) -> str:
    books, snapshot, execution = (run[name] for name in ("books", "snapshot", "execution"))
    if run["portfolio"] is None:
        waiting = ", ".join(wish["strategy_id"] for wish in run["wishes"] if wish["signal"] is None)
        return f"There is no plan yet: the run waits ({run['sync_rule']}) for the signals of {waiting or 'nobody'}."
    if snapshot is not None and snapshot["status"] == "FAILED":
        return f"There is no plan yet: the account could not be read. {snapshot['detail']}".strip()
    if books is not None:
        return f"There is no plan yet: the books are {books['status']}. {books['detail']}".strip()
    how_far = "not taken up by the executor" if execution is None else f"{execution['status']} {execution['detail']}"
    return f"There is no plan yet: the run is {how_far}".strip() + "."


def _choice(decision: dict[str, Any]) -> str:
    return f"{decision['choice']} {decision['strategy_id'] or ''}".strip()


def _names(strategies: Iterable[str]) -> str:
    return ", ".join(strategies) or "nobody"


def _wish(line: dict[str, Any]) -> str:
    """Return what is held and wanted, and what the strategies' own limits leave of it."""
    holds, delta, left = f"holds {plain(line['current_quantity'])}", line["delta_quantity"], line["allowed_quantity"]
    if missing := _missing(line):
        return f"{holds}; {_weights(line)} could not be sized without {missing}"
    wants = f"{holds} and wants {plain(line['target_quantity'])}"
    so = f"so it is to {_verb(delta)} {plain(abs(delta))}" if delta else "nothing is to be bought or sold"
    if not any(part["rule"] for part in line["contributions"]):
        return f"{wants}, {so}"
    cut = f"it is to {_verb(left)} {plain(abs(left))}" if left else "nothing is left to buy or sell at the broker"
    return f"{wants}, {so}, but a strategy's own limit cut the wish: {cut}"


def _missing(line: dict[str, Any]) -> str:
    """Return without what no wish can be turned into shares; empty when nothing is missing."""
    if all(part["keeps"] for part in line["contributions"]):
        return ""
    if line["price"] is None:
        return "a price"
    unsized = {"CAPITAL_NOT_POSITIVE": "capital above zero", "EQUITY_NOT_POSITIVE": "equity above zero"}
    return unsized.get(line["rule"] or "", "")


def _weights(line: dict[str, Any]) -> str:
    """Return who wants how much of a line that has no price."""
    whole = "equity" if line["book"] == "net" else "its own capital"
    found = [
        f"{part['strategy_id']} wants {percent(part['weight'])} of {whole}"
        for part in line["contributions"]
        if not part["keeps"] and (part["weight"] or part["current_quantity"])
    ]
    return f"{', '.join(found)}, which" if found else "what is wanted of it"


def _verb(quantity: Decimal) -> str:
    return "buy" if quantity > 0 else "sell"


def _end(line: dict[str, Any]) -> str:
    """Return how a line ended, with its own action and what was sent of it."""
    planned, outcome, crossed = line["quantity"], line["outcome"], line["crossed_quantity"]
    order = f"{line['action']} {plain(planned)}"
    if outcome is None:
        is_planned = f"{order} is planned, still under way" if planned else "still under way"
        return is_planned if line["status"] == "PLANNED" else f"it is {line['status']}, no order is sent"
    reason = f" ({line['reason']})" if line["reason"] else ""
    if line["order_qty"]:
        return f"it ended {outcome}: {_sent(line)}{reason}"
    if planned:
        return f"it ended {outcome}: {order} was not sent{reason}"
    if outcome == "CROSSED":
        return f"it ended CROSSED: nothing was left to order{reason}"
    return f"{'it was crossed in part, the rest' if crossed else 'it'} ended {outcome} without an order{reason}"


def _sent(line: dict[str, Any]) -> str:
    sent, verb = line["order_qty"], "sold" if line["action"] == "SELL" else "bought"
    rest = f", {plain(line['quantity'] - sent)} more were not sent" if sent < line["quantity"] else ""
    return f"{verb} {plain(line['cum_qty'])} of {plain(sent)} ordered{rest}"


def _cross(line: dict[str, Any]) -> str:
    planned, price = plain(line["cross_quantity"]), "-" if line["price"] is None else plain(line["price"])
    if line["outcome"] is None:
        return f"{planned} are to be crossed inside the account at {price}"
    if not line["crossed_quantity"]:
        return f"{planned} were to be crossed inside the account, and were not"
    return f"{plain(line['crossed_quantity'])} were crossed inside the account at {price}"


def _acted(rule: str, line: dict[str, Any]) -> str:
    """Return the rule that acted on a line as a whole, and what of it is stopped."""
    said = _with_traded(rule, threshold_of(line), line["traded_before"])
    if rule in OF_THE_MARKET and line["instrument_detail"]:
        said += f" ({line['instrument_detail']})"
    left, before = abs(line["allowed_quantity"]), line["intended_quantity"]
    is_cut = any(part["rule"] for part in line["contributions"]) and before != left
    aside = f" ({plain(before)} for {money(line['intended_value'])} before its strategies' own limits)"
    what = f"{_shares(left)} for {money(line['allowed_value'])} dollars" + (aside if is_cut else "")
    if rule == "MIN_TRADE_VALUE":
        return f"{said}: {what}"
    if not before or line["allowed_value"] is None:
        return said
    if rule not in LIMITS:
        return f"{said}; {what} {'is' if left == 1 else 'are'} not traded"
    if line["quantity"]:
        return f"{said}; of {what} it lets {plain(line['quantity'])} pass"
    fits = "not all of it fits, and limits that bind block" if line["binding"] == "BLOCK" else "nothing tradable fits"
    return f"{said}; of {what} it lets nothing pass: {fits}"


def _with_traded(rule: str, threshold: Decimal | None, traded: Decimal | None) -> str:
    """Return a rule explained; of the trade value of a day, with what was traded before the plan."""
    said = explained(rule, threshold)
    if rule != "TRADE_VALUE_MAX" or traded is None:
        return said
    return f"{said}, and {money(traded)} dollars had been traded before this plan"


def _shares(quantity: Decimal) -> str:
    return f"{plain(quantity)} {'share' if quantity == 1 else 'shares'}"

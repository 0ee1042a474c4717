"""What must hold of the books: balanced, equal to the broker, split as wished, and nothing booked twice."""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from schemas.ledger import CASH, MANUAL, STREET, SYSTEM, Books, BooksStatus, EntryKind, LedgerEntry, Posting
from schemas.order import Fill, Side, Venue
from schemas.plan import Plan
from tests.simulation.desk import Desk

ZERO = Decimal(0)
HALF_CENT = Decimal("0.005")
CAPITAL_FLOWS = (EntryKind.TRANSFER, EntryKind.DEPOSIT)

Balances = dict[tuple[str, str], Decimal]


def every_posting_is_balanced(desk: Desk) -> Iterator[str]:
    for entry in desk.said(LedgerEntry):
        for commodity, amount in _sums(entry.postings).items():
            if amount:
                yield f"{entry.kind} entry {entry.entry_id}: {commodity} sums to {amount}"


def every_fact_is_booked_once(desk: Desk) -> Iterator[str]:
    entries = desk.said(LedgerEntry)
    if len({each.entry_id for each in entries}) != len(entries):
        yield "an entry id was written twice"
    booked = [each.fill_id for each in entries if each.fill_id is not None]
    filled = {each.fill_id for each in desk.said(Fill)}
    if sorted(booked, key=str) != sorted(filled, key=str):
        yield f"{len(filled)} fills, {len(booked)} booked, {len(set(booked) ^ filled)} of them differ"
    activities = [each.activity_id for each in entries if each.activity_id is not None]
    if len(set(activities)) != len(activities):
        yield "an activity was booked twice"


def quantities_equal_the_broker(desk: Desk) -> Iterator[str]:
    sums = totals(balances(desk.said(LedgerEntry)))
    held = desk.exchange.held
    for symbol in sorted({*sums, *held} - {CASH}):
        if sums.get(symbol, ZERO) != held.get(symbol, ZERO):
            yield f"{symbol}: strategies {sums.get(symbol, ZERO)}, broker {held.get(symbol, ZERO)}"


def cash_equals_the_broker(desk: Desk) -> Iterator[str]:
    own = totals(balances(desk.said(LedgerEntry))).get(CASH, ZERO)
    if own != desk.exchange.cash:
        yield f"cash: strategies {own}, broker {desk.exchange.cash}"


def profit_equals_the_account(desk: Desk) -> Iterator[str]:
    """Strategies' profit, each by itself and without transfers, against the account's: worth less what was paid in."""
    exchange = desk.exchange
    worth = sum((quantity * exchange.mark(symbol) for symbol, quantity in exchange.held.items()), exchange.cash)
    traded = balances(each for each in desk.said(LedgerEntry) if each.kind not in CAPITAL_FLOWS)
    own = sum((amount * (1 if of == CASH else exchange.mark(of)) for (_, of), amount in traded.items()), ZERO)
    if own != worth - exchange.deposits:
        yield f"profit: strategies {own}, account {worth - exchange.deposits}"


def the_last_run_is_ready(desk: Desk) -> Iterator[str]:
    last = desk.said(Books)[-1:]
    if not last or last[0].status is not BooksStatus.READY:
        yield f"the last books are {last[0].status if last else 'missing'}: {last[0].detail if last else ''}"


def ready_books_are_the_fold_of_the_entries(desk: Desk) -> Iterator[str]:
    """Books say what the entries before them say, and equal their snapshot.

    Activities that the snapshot does not list may have come after it, the last ones first: its cash tells which did.
    """
    entries: list[LedgerEntry] = []
    for event in desk.log:
        if isinstance(event.record, LedgerEntry):
            entries.append(event.record)
        if isinstance(event.record, Books) and event.record.status is BooksStatus.READY:
            compared = [list(_compare(event.record, balances(each))) for each in _without_later(event.record, entries)]
            yield from min(compared, key=len)


def _without_later(books: Books, entries: list[LedgerEntry]) -> Iterator[list[LedgerEntry]]:
    """Yield the entries, then without the last activity that the snapshot does not list, the last two, ..."""
    known = {None, *(each.activity_id for each in books.content.snapshot.activities)}
    left = list(entries)
    yield left
    for entry in [each for each in reversed(entries) if each.activity_id not in known]:
        left = [each for each in left if each is not entry]
        yield left


def _compare(books: Books, seen: Balances) -> Iterator[str]:
    said: Balances = {}
    for each in books.content.strategies:
        said[each.strategy_id, CASH] = each.cash
        said |= {(each.strategy_id, holding.symbol): holding.quantity for holding in each.holdings}
    for key in sorted({*said, *seen}):
        if said.get(key, ZERO) != seen.get(key, ZERO):
            yield f"books of run {books.run_id}: {key} is {said.get(key, ZERO)}, entries say {seen.get(key, ZERO)}"
    snapshot, sums = books.content.snapshot, totals(said)
    shown = {CASH: snapshot.cash} | {each.symbol: each.quantity for each in snapshot.positions}
    for item in sorted({*shown, *sums}):
        if shown.get(item, ZERO) != sums.get(item, ZERO):
            yield f"READY books of run {books.run_id}: {item} {sums.get(item, ZERO)} of {shown.get(item, ZERO)}"


def rounding_is_small_and_the_systems(desk: Desk) -> Iterator[str]:
    """All of it together is at most half a cent per execution; where the broker rounds nothing it comes to nothing."""
    fills, rounded = 0, ZERO
    for entry in desk.said(LedgerEntry):
        fills += entry.kind in (EntryKind.FILL, EntryKind.MANUAL_FILL)
        if entry.kind is EntryKind.ROUNDING:
            rounded += balances([entry]).get((SYSTEM, CASH), ZERO)
            if {each.owner for each in entry.postings} != {SYSTEM, STREET} or abs(rounded) > HALF_CENT * fills:
                yield f"ROUNDING of {rounded} after {fills} executions, of {[each.owner for each in entry.postings]}"
    if rounded and desk.chance.profile.rounding is None:
        yield f"ROUNDING of {rounded} although the broker rounds nothing"


def a_cross_has_one_price_for_both_sides(desk: Desk) -> Iterator[str]:
    lines = {(plan.plan_id, line.book, line.symbol): line for plan in desk.said(Plan) for line in plan.lines}
    fills = {each.fill_id: each for each in desk.said(Fill)}
    for entry in desk.said(LedgerEntry):
        if entry.kind is not EntryKind.CROSS or entry.plan_id is None or entry.fill_id is None:
            continue
        line, fill = lines.get((entry.plan_id, str(entry.book), str(entry.symbol))), fills[entry.fill_id]
        if line is None:
            yield f"cross of {entry.symbol} in book {entry.book} was never planned"
            continue
        if line.price != fill.last_px or line.cross_quantity != fill.last_qty:
            yield f"cross of {fill.last_qty} at {fill.last_px}, planned {line.cross_quantity} at {line.price}"
        moved = balances([entry])
        for part in line.contributions:
            shares, cash = (moved.get((part.strategy_id, of), ZERO) for of in (line.symbol, CASH))
            if shares != part.crossed or cash != -part.crossed * fill.last_px:
                yield f"cross of {line.symbol} at {line.price}: {part.strategy_id} {shares} for {cash}"


def fills_go_to_those_who_asked(desk: Desk) -> Iterator[str]:
    """Nobody gets a share of an order it has no part in, or of the other side, or at another price."""
    fills = {each.fill_id: each for each in desk.said(Fill)}
    for entry in desk.said(LedgerEntry):
        if entry.kind is not EntryKind.FILL or entry.fill_id is None:
            continue
        fill, moved = fills[entry.fill_id], balances([entry])
        sign = 1 if fill.order.side is Side.BUY else -1
        asked = {each.strategy_id for each in fill.order.contributions}
        if totals(moved).get(fill.order.symbol, ZERO) != sign * fill.last_qty:
            yield f"fill {fill.fill_id} of {fill.last_qty}: the parts sum to {totals(moved)}"
        for (owner, commodity), amount in sorted(moved.items()):
            if owner not in asked:
                yield f"fill {fill.fill_id} of {sorted(asked)}: {owner} gets {amount} {commodity}"
            shares = moved.get((owner, fill.order.symbol), ZERO)
            if shares * sign < 0 or moved.get((owner, CASH), ZERO) != -shares * fill.last_px:
                yield f"fill {fill.fill_id}: {owner} gets {shares} for {moved.get((owner, CASH), ZERO)}"


def splits_follow_the_wishes(desk: Desk) -> Iterator[str]:
    """Each part is never more than a unit from its due, and is the wish when all is executed."""
    wishes = {
        (plan.plan_id, line.book, line.symbol): {each.strategy_id: abs(each.ordered) for each in line.contributions}
        for plan in desk.said(Plan)
        for line in plan.lines
    }
    given: dict[object, dict[str, Decimal]] = {}
    units: dict[object, Decimal] = {}
    for entry in desk.said(LedgerEntry):
        if entry.kind is not EntryKind.FILL or entry.plan_id is None:
            continue
        key = (entry.plan_id, str(entry.book), str(entry.symbol))
        wished, has = wishes.get(key, {}), given.setdefault(key, {})
        for (owner, commodity), amount in balances([entry]).items():
            if commodity == entry.symbol:
                has[owner] = has.get(owner, ZERO) + abs(amount)
                units[key] = max(units.get(key, ZERO), _unit((*wished.values(), *has.values())))
        yield from _off_due(f"line {key[1]} {key[2]} of plan {key[0]}", wished, has, units.get(key, ZERO))


def _off_due(name: str, wished: dict[str, Decimal], has: dict[str, Decimal], unit: Decimal) -> Iterator[str]:
    executed, whole = sum(has.values(), ZERO), sum(wished.values(), ZERO)
    for owner in sorted({*wished, *has}):
        wish, part = wished.get(owner, ZERO), has.get(owner, ZERO)
        due = Fraction(executed) * Fraction(wish) / Fraction(whole) if whole else Fraction(0)
        is_off = abs(Fraction(part) - due) > unit or part > wish or (executed == whole and part != wish)
        if is_off:
            yield f"{name}: {owner} has {part} of {executed} executed, its wish is {wish} of {whole}"


def trades_by_hand_are_booked_as_such(desk: Desk) -> Iterator[str]:
    exchange = desk.exchange
    by_hand = {each.id for each in exchange.orders_by_name.values() if each.is_by_hand}
    expected: dict[str, Decimal] = {}
    for row in exchange.activity:
        if row.get("order_id") in by_hand:
            sign = 1 if row["side"] == "buy" else -1
            expected[row["symbol"]] = expected.get(row["symbol"], ZERO) + sign * Decimal(row["qty"])
    entries = [each for each in desk.said(LedgerEntry) if each.kind is EntryKind.MANUAL_FILL]
    moved = balances(entries)
    if any(owner != MANUAL for owner, _ in moved):
        yield f"trades by hand are booked to {sorted({owner for owner, _ in moved})}"
    for symbol, quantity in sorted(expected.items()):
        if moved.get((MANUAL, symbol), ZERO) != quantity:
            yield f"by hand {quantity} {symbol}, booked {moved.get((MANUAL, symbol), ZERO)}"


def executions_equal_the_fills(desk: Desk) -> Iterator[str]:
    by_id = {each.id: each for each in desk.exchange.orders_by_name.values() if not each.is_by_hand}
    executed = {
        (row["order_id"], Decimal(row["cum_qty"]), Decimal(row["qty"]), Decimal(row["price"]))
        for row in desk.exchange.activity
        if row.get("order_id") in by_id
    }
    fills = [each for each in desk.said(Fill) if each.order.venue is Venue.BROKER]
    booked = {(each.broker_order_id, each.cum_qty, each.last_qty, each.last_px) for each in fills}
    if executed != booked or len(booked) != len(fills):
        yield f"{len(executed)} executions at the broker, {len(fills)} fills, {len(executed ^ booked)} differ"


def balances(entries: Iterator[LedgerEntry] | list[LedgerEntry]) -> Balances:
    """Return what each owner in the account has, by commodity."""
    found: Balances = {}
    for entry in entries:
        _add(found, entry.postings)
    return found


def _add(found: Balances, postings: tuple[Posting, ...]) -> None:
    for each in postings:
        if each.owner != STREET:
            key = (each.owner, each.commodity)
            found[key] = found.get(key, ZERO) + each.amount


def _sums(postings: tuple[Posting, ...]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for each in postings:
        sums[each.commodity] = sums.get(each.commodity, ZERO) + each.amount
    return sums


def totals(found: Balances) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for (_, commodity), amount in found.items():
        sums[commodity] = sums.get(commodity, ZERO) + amount
    return sums


def _unit(quantities: tuple[Decimal, ...]) -> Decimal:
    exponents = (each.normalize().as_tuple().exponent for each in quantities if each)
    return Decimal(1).scaleb(min([0, *(each for each in exponents if isinstance(each, int))]))


CLAIMS = (
    every_posting_is_balanced,
    every_fact_is_booked_once,
    quantities_equal_the_broker,
    cash_equals_the_broker,
    profit_equals_the_account,
    the_last_run_is_ready,
    ready_books_are_the_fold_of_the_entries,
    rounding_is_small_and_the_systems,
    a_cross_has_one_price_for_both_sides,
    fills_go_to_those_who_asked,
    splits_follow_the_wishes,
    trades_by_hand_are_booked_as_such,
    executions_equal_the_fills,
)

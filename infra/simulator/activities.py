"""The account's activities: how a row reads, and which rows a request asks for."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from infra.simulator.book import Activity, Execution
from infra.simulator.events import Booked
from infra.simulator.exact import plain, stamp
from infra.simulator.paging import between, count
from infra.simulator.render import MakeId
from infra.simulator.rules import malformed
from infra.simulator.sessions import NEW_YORK, new_york_day

PAGE_MAX = 100
CATEGORIES = {"trade_activity": True, "non_trade_activity": False}
TRANSFERS = frozenset({"CSD", "CSW"})


def activity_id(item: Activity, make_id: MakeId) -> str:
    """Return the paging id of an activity: its New York time to the millisecond, then an id of its own."""
    if isinstance(item, Booked):
        return f"{_day_and_time(item.at)}::{item.activity_id}"
    own = make_id("activity", item.order.terms.client_order_id, plain(item.fill.cum_qty))
    return f"{_day_and_time(item.fill.at)}::{own}"


def activity_time(item: Activity) -> datetime:
    """Return when an activity happened."""
    return item.at if isinstance(item, Booked) else item.fill.at


def activity_type(item: Activity) -> str:
    """Return the activity's type, FILL for executions."""
    return item.activity_type if isinstance(item, Booked) else "FILL"


def activity(item: Activity, make_id: MakeId) -> dict[str, object]:
    """Return a row of the account's activities."""
    return _booked(item, make_id) if isinstance(item, Booked) else _execution(item, make_id)


def asked_for(
    items: Sequence[Activity], query: Mapping[str, str], only_type: str | None, make_id: MakeId
) -> Sequence[Activity]:
    """Return the page of activities that a query asks for; raises RefusalError for one that cannot be answered."""
    found = _of_category(_of_types(items, only_type or query.get("activity_types")), query)
    if query.get("order_id"):
        found = [each for each in found if isinstance(each, Execution) and each.fill.order_id == query["order_id"]]
    if query.get("date"):
        found = [each for each in found if activity_time(each).astimezone(UTC).date() == _date(query["date"])]
    found = between(found, activity_time, query.get("after"), query.get("until"))
    if query.get("direction", "desc") == "desc":
        found = found[::-1]
    token = query.get("page_token")
    if token:
        found = found[_place(token, found, make_id) + 1 :]
    size = count(query.get("page_size"), PAGE_MAX, "page_size")
    if size > PAGE_MAX:
        raise malformed(f"page_size must be no more than {PAGE_MAX}")
    return found[:size]


def _place(token: str, items: Sequence[Activity], make_id: MakeId) -> int:
    """Return where the activity with an id is; only those of its millisecond have theirs made: ids are dear."""
    time = token.partition("::")[0]
    for number, item in enumerate(items):
        if _day_and_time(activity_time(item)) == time and activity_id(item, make_id) == token:
            return number
    raise malformed(f"invalid page_token: {token}")


def _of_types(items: Sequence[Activity], asked: str | None) -> Sequence[Activity]:
    if not asked:
        return items
    types = {each.strip() for each in asked.split(",")}
    if "TRANS" in types:
        types |= TRANSFERS
    return [item for item in items if activity_type(item) in types]


def _of_category(items: Sequence[Activity], query: Mapping[str, str]) -> Sequence[Activity]:
    category = query.get("category")
    if not category:
        return items
    if query.get("activity_types"):
        raise malformed("only one of category or activity_types is accepted")
    if category not in CATEGORIES:
        raise malformed(f"invalid category: {category}")
    return [item for item in items if isinstance(item, Execution) is CATEGORIES[category]]


def _date(text: str) -> date:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError as error:
        raise malformed(f"invalid date: {text}") from error


def _day_and_time(at: datetime) -> str:
    return at.astimezone(NEW_YORK).strftime("%Y%m%d%H%M%S%f")[:17]


def _execution(item: Execution, make_id: MakeId) -> dict[str, object]:
    terms, fill = item.order.terms, item.fill
    return {
        "id": activity_id(item, make_id),
        "activity_type": "FILL",
        "transaction_time": stamp(fill.at),
        "type": "fill" if item.order.status == "filled" else "partial_fill",
        "price": plain(fill.price),
        "qty": plain(fill.qty),
        "side": terms.side,
        "symbol": terms.symbol,
        "leaves_qty": plain(fill.leaves_qty),
        "order_id": terms.order_id,
        "cum_qty": plain(fill.cum_qty),
        "order_status": item.order.status,
    }


def _booked(item: Booked, make_id: MakeId) -> dict[str, object]:
    row: dict[str, object] = {
        "id": activity_id(item, make_id),
        "activity_type": item.activity_type,
        "date": (item.day or new_york_day(item.at)).isoformat(),
        "created_at": stamp(item.at),
        "net_amount": plain(item.net_amount),
        "currency": "USD",
        "status": "executed",
        "description": item.description,
    }
    optional = {
        "activity_sub_type": item.activity_sub_type,
        "symbol": item.symbol,
        "qty": None if item.qty is None else plain(item.qty),
        "per_share_amount": None if item.per_share_amount is None else plain(item.per_share_amount),
        "group_id": item.group_id,
    }
    return row | {name: value for name, value in optional.items() if value is not None}

"""What reads are told of orders while the broker's own parts disagree: hidden orders, and late ones."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from infra.simulator.routes import json_answer
from infra.simulator.rules import MALFORMED, NOT_FOUND

ORDERS = "/v2/orders"


@dataclass
class Hidden:
    """An order that reads miss: for a count of reads, or else until a moment."""

    reads: int
    until: float


@dataclass
class Late:
    """A request that waits for so many reads of its order to say 404."""

    reads: int
    arrived: asyncio.Event


class Consistency:
    """The orders of one account whose reads are not the truth."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """Begin with none; `seconds` reads a clock that only goes forward."""
        self._seconds = seconds
        self.clear()

    def clear(self) -> None:
        """Tell the truth from now on."""
        self._hidden: dict[str, Hidden] = {}
        self._late: dict[str, list[Late]] = {}

    def hide(self, client_order_id: str, reads: int, seconds: float) -> None:
        """Let `reads` reads miss an order, or all reads of the next `seconds` where `reads` is 0."""
        self._hidden[client_order_id] = Hidden(reads, 0 if reads else self._seconds() + seconds)

    async def missed(self, client_order_id: str, reads: int) -> None:
        """Wait until so many reads by client order id have said 404."""
        late = Late(reads, asyncio.Event())
        self._late.setdefault(client_order_id, []).append(late)
        await late.arrived.wait()

    def told(self, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        """Return what the reader of orders gets instead of the truth, and count the read."""
        if request.method != "GET" or not request.path.startswith(ORDERS) or not isinstance(answer, web.Response):
            return answer
        if answer.status == 404:
            self._count_miss(request.query.get("client_order_id", ""))
        if answer.status != 200 or not self._hidden:
            return answer
        found = json.loads(answer.text or "null")
        if isinstance(found, list):
            return json_answer([order for order in found if not self._misses(order["client_order_id"])])
        if self._misses(found["client_order_id"]):
            self._count_miss(request.query.get("client_order_id", ""))
            return not_found(request)
        return answer

    def _misses(self, client_order_id: str) -> bool:
        hidden = self._hidden.get(client_order_id)
        if hidden is None:
            return False
        if hidden.reads:
            hidden.reads -= 1
            if not hidden.reads:
                del self._hidden[client_order_id]
            return True
        if self._seconds() < hidden.until:
            return True
        del self._hidden[client_order_id]
        return False

    def _count_miss(self, client_order_id: str) -> None:
        for late in self._late.get(client_order_id, []):
            late.reads -= 1
            if late.reads <= 0:
                late.arrived.set()


def duplicate() -> web.Response:
    """Return the answer to an id that is used."""
    return json_answer({"code": MALFORMED, "message": "client_order_id must be unique"}, 422)


def not_found(request: web.Request) -> web.Response:
    """Return the answer to a read of an order that the broker does not know."""
    name = request.query.get("client_order_id") or request.path.rpartition("/")[2]
    return json_answer({"code": NOT_FOUND, "message": f"order not found for {name}"}, 404)

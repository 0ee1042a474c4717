"""How a trouble befalls a request: what the client sees, and whether the account did it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any

from aiohttp import web

from infra.simulator.consistency import Consistency, duplicate, not_found
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.faults import NEW_ORDER, Fault, FaultKind
from infra.simulator.routes import json_answer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Silence = Callable[[], Awaitable[web.StreamResponse]]

RATE_LIMITED: dict[str, object] = {"code": 42910000, "message": "rate limit exceeded"}
INTERNAL_ERROR: dict[str, object] = {"code": 50010000, "message": "internal server error occurred"}
GATEWAY_TEXTS = {503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}

STATUSES_BEFORE = {
    FaultKind.HTTP_429: 429,
    FaultKind.HTTP_500: 500,
    FaultKind.HTTP_503: 503,
    FaultKind.HTTP_504: 504,
}
STATUSES_AFTER = {
    FaultKind.HTTP_429_AFTER_ACCEPT: 429,
    FaultKind.HTTP_500_AFTER_ACCEPT: 500,
    FaultKind.HTTP_503_AFTER_ACCEPT: 503,
    FaultKind.HTTP_504_AFTER_ACCEPT: 504,
}


def status_answer(status: int) -> web.Response:
    """Return how a broker in trouble, or the gateway before it, words a status."""
    if status in GATEWAY_TEXTS:
        text = GATEWAY_TEXTS[status]
        page = f"<html><head><title>{text}</title></head><body>{text}</body></html>"
        return web.Response(status=status, text=page, content_type="text/html")
    return json_answer(RATE_LIMITED if status == 429 else INTERNAL_ERROR, status)


class Spoiler:
    """Lets troubles befall requests."""

    def __init__(
        self, faults: FaultLedger, consistency: Consistency, silence: Silence, clock: Callable[[], datetime]
    ) -> None:
        """Take troubles from `faults`; `silence` keeps a client waiting until it leaves or the process ends."""
        self._clock = clock
        self._faults = faults
        self._consistency = consistency
        self._silence = silence
        self._late: dict[asyncio.Task[web.StreamResponse], asyncio.Event] = {}

    def clear(self) -> None:
        """Forget the requests that are still to arrive."""
        for task in self._late:
            task.cancel()

    async def arrive(self) -> None:
        """Let what is late arrive now. Before the clock is moved: no request is under way from one day to the next."""
        late = dict(self._late)
        for arrival in late.values():
            arrival.set()
        await asyncio.gather(*late, return_exceptions=True)

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, as well as its trouble allows."""
        text = f"{request.method} {request.path}"
        identity = _client_order_id(await request.read()) if text == NEW_ORDER else request.query_string
        fault = self._faults.next(text, identity)
        if text == NEW_ORDER and fault is not None and fault.kind is FaultKind.GHOST_ID:
            self._faults.haunt(identity)
        if text == NEW_ORDER and self._faults.is_haunted(identity):
            return duplicate()
        answer = await (handler(request) if fault is None else self._before(fault, request, handler, identity))
        return self._consistency.told(request, answer)

    async def _before(self, fault: Fault, request: web.Request, handler: Handler, identity: str) -> web.StreamResponse:
        match fault.kind:
            case FaultKind.HTTP_404:
                return not_found(request)
            case kind if kind in STATUSES_BEFORE:
                return self._status(STATUSES_BEFORE[kind], fault)
            case FaultKind.TIMEOUT_BEFORE:
                return await self._silence()
            case FaultKind.RESET_BEFORE:
                return await self._torn(request)
            case FaultKind.DELAY:
                return await self._delayed(fault, request, handler, identity)
            case _:
                return await self._after(fault, request, await handler(request))

    async def _after(self, fault: Fault, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        match fault.kind:
            case kind if kind in STATUSES_AFTER:
                return self._status(STATUSES_AFTER[kind], fault)
            case FaultKind.TIMEOUT_AFTER_ACCEPT:
                return await self._silence()
            case FaultKind.RESET_AFTER_ACCEPT:
                return await self._torn(request)
            case FaultKind.HALF_BODY:
                return await _half(request, answer)
            case FaultKind.BROKEN_JSON:
                return web.Response(body=_body(answer)[:-1] + b",", content_type="application/json")
            case FaultKind.SLOW_ANSWER:
                await asyncio.sleep(fault.seconds)
            case FaultKind.INVISIBLE if answer.status == 200:
                self._consistency.hide(_client_order_id(_body(answer)), fault.reads, fault.seconds)
            case _:
                pass
        return answer

    async def _delayed(self, fault: Fault, request: web.Request, handler: Handler, identity: str) -> web.StreamResponse:
        """Do it later whether or not the client is still there."""
        arrival = asyncio.Event()

        async def later() -> web.StreamResponse:
            wait = self._consistency.missed(identity, fault.reads) if fault.reads else asyncio.sleep(fault.seconds)
            await _first_of(wait, arrival.wait())
            return await handler(request)

        task = asyncio.create_task(later())
        self._late[task] = arrival
        task.add_done_callback(self._late.pop)
        return await asyncio.shield(task)

    def _status(self, status: int, fault: Fault) -> web.Response:
        answer = status_answer(status)
        if status == 429:
            answer.headers["X-RateLimit-Reset"] = str(int(self._clock().timestamp() + fault.seconds))
        return answer

    async def _torn(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.abort()
        return await self._silence()


async def _half(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    whole = _body(answer)
    half = web.StreamResponse(headers={"Content-Length": str(len(whole)), "Content-Type": "application/json"})
    await half.prepare(request)
    await half.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def _body(answer: web.StreamResponse) -> bytes:
    body = answer.body if isinstance(answer, web.Response) else b""
    return body if isinstance(body, bytes) and body else b"{}"


def _client_order_id(body: bytes) -> str:
    """Return the client order id of a request or an order, '' where it has none."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("client_order_id") or "") if isinstance(found, dict) else ""


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until one of several things has come about; the others are given up."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()

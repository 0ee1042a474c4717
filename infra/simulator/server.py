"""The simulator as a web server: keys, troubles and refusals around the handlers, and the life of the process."""

import asyncio
import json
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from aiohttp import web

from infra.simulator import sessions
from infra.simulator.control import Control
from infra.simulator.engine import Engine
from infra.simulator.faults import Fault, FaultKind, Faults
from infra.simulator.journal import Journal, JournalInUseError
from infra.simulator.render import to_json
from infra.simulator.rest import AlpacaRest
from infra.simulator.rules import RefusalError
from infra.simulator.settings import SimulatorSettings
from infra.simulator.stream import Stream, is_key_pair

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EXIT_JOURNAL = 70
EXIT_USAGE = 2
GATEWAY_TIMEOUT = "<html><head><title>504 Gateway Time-out</title></head><body>504 Gateway Time-out</body></html>"

REFUSED_BEFORE: dict[FaultKind, tuple[int, dict[str, object]]] = {
    FaultKind.HTTP_404: (404, {"code": 40410000, "message": "order not found"}),
    FaultKind.HTTP_429: (429, {"code": 42910000, "message": "rate limit exceeded"}),
    FaultKind.HTTP_500: (500, {"code": 50010000, "message": "internal server error occurred"}),
}


@dataclass(frozen=True)
class SimulatorUrls:
    """Where a running simulator is found; `trading` and `data` are what alpaca-py calls url_override."""

    trading: str
    data: str
    stream: str
    control: str

    @staticmethod
    def at(host: str, port: int) -> "SimulatorUrls":
        """Return the addresses of a simulator on one host and port."""
        return SimulatorUrls(
            trading=f"http://{host}:{port}",
            data=f"http://{host}:{port}",
            stream=f"ws://{host}:{port}/stream",
            control=f"http://{host}:{port}/sim/v1",
        )


class Server:
    """One simulator: engine, stream, troubles and handlers, with no socket yet."""

    def __init__(self, settings: SimulatorSettings, journal: Journal) -> None:
        """Go on with the account in `journal`."""
        self.stopped = asyncio.Event()
        self.exit_code = 0
        self._faults = Faults()
        self._stream = Stream(self._faults)
        engine = Engine(journal, settings.terms, self._stream.publish, sessions.session_close)
        self.app = web.Application(middlewares=[self._spoil, self._word_refusals, self._check_keys])
        self.app.add_routes(AlpacaRest(engine).routes())
        self.app.add_routes(Control(engine, self._faults, settings.terms).routes())
        self.app.router.add_get("/stream", self._stream.handle)

    def stop(self) -> None:
        """End the process soon: hanging requests and streams are let go."""
        self.stopped.set()
        self._stream.drop_all()

    @web.middleware
    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        fault = None
        if not request.path.startswith("/sim/") and request.path != "/stream":
            fault = self._faults.of_request(f"{request.method} {request.path}")
        return await handler(request) if fault is None else await self._spoiled(fault, request, handler)

    async def _spoiled(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if fault.kind in REFUSED_BEFORE:
            status, body = REFUSED_BEFORE[fault.kind]
            return web.json_response(body, status=status)
        if fault.kind is FaultKind.TIMEOUT_BEFORE:
            return await self._silence()
        if fault.kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
        answer = await handler(request)
        if fault.kind is FaultKind.TIMEOUT_AFTER_ACCEPT:
            answer = await self._silence()
        elif fault.kind is FaultKind.HTTP_504:
            answer = web.Response(status=504, text=GATEWAY_TIMEOUT, content_type="text/html")
        elif fault.kind is FaultKind.HALF_BODY:
            answer = await _half(request, answer)
        elif fault.kind is FaultKind.RESET and request.transport is not None:
            request.transport.abort()
        return answer

    async def _silence(self) -> web.StreamResponse:
        """Keep the client waiting until it goes away or the process ends."""
        await self.stopped.wait()
        return web.Response(status=503)

    @web.middleware
    async def _word_refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusalError as refusal:
            return web.Response(status=refusal.status, text=to_json(refusal.body), content_type="application/json")
        except web.HTTPException as error:
            body = to_json({"message": error.reason})
            return web.Response(status=error.status, text=body, content_type="application/json")
        except sqlite3.Error:
            # Memory is now ahead of the disk; only a restart from the journal is honest.
            log.exception("the journal cannot be written; stopping")
            self.exit_code = EXIT_JOURNAL
            self.stop()
            raise

    @web.middleware
    async def _check_keys(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if request.path.startswith("/v2/") and not is_key_pair(
            headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")
        ):
            raise RefusalError(401, None, "unauthorized.")
        return await handler(request)


async def _half(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    body = answer.body if isinstance(answer, web.Response) else b""
    whole = body if isinstance(body, bytes) else b""
    half = web.StreamResponse(headers={"Content-Length": str(len(whole)), "Content-Type": "application/json"})
    await half.prepare(request)
    await half.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


async def _serve(settings: SimulatorSettings, journal: Journal) -> int:
    server = Server(settings, journal)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    runner = web.AppRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, reuse_address=True)
    try:
        await site.start()
        urls = SimulatorUrls.at(settings.host, runner.addresses[0][1])
        print(json.dumps({"event": "ready", "pid": os.getpid(), **asdict(urls)}), flush=True)
        if settings.ends_with_stdin:
            loop.add_reader(sys.stdin.fileno(), _follow, sys.stdin.fileno(), server.stop)
        await server.stopped.wait()
    finally:
        await runner.cleanup()
    return server.exit_code


def _follow(descriptor: int, stop: Callable[[], None]) -> None:
    if not os.read(descriptor, 4096):
        asyncio.get_running_loop().remove_reader(descriptor)
        stop()


def serve(settings: SimulatorSettings) -> int:
    """Run a simulator until SIGTERM or SIGINT; print one JSON line with its addresses when it is ready.

    Returns the exit code: 0 stopped, 2 when the port or the journal is taken, 70 when the journal could not be written.
    """
    try:
        journal = Journal(settings.data)
    except JournalInUseError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    try:
        return asyncio.run(_serve(settings, journal))
    except OSError as error:
        print(f"{settings.host}:{settings.port}: {error}; choose another --port", file=sys.stderr)
        return EXIT_USAGE
    finally:
        journal.close()

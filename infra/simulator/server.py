"""The simulator as a web server: keys, troubles and refusals around the handlers, and the life of the process."""

import asyncio
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable

from aiohttp import web

from infra.clock import seconds, system_clock
from infra.simulator import sessions
from infra.simulator.admin import Admin
from infra.simulator.admin_web import openapi, web_routes
from infra.simulator.connection import is_key_pair
from infra.simulator.consistency import Consistency
from infra.simulator.engine import Engine
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.fault_store import FaultStore
from infra.simulator.journal import Journal, JournalError
from infra.simulator.lean_files import RecordingError
from infra.simulator.market import Market
from infra.simulator.market_rest import MarketRest
from infra.simulator.rate_limit import Allowance, RateLimit
from infra.simulator.recordings import NOTHING, Recording
from infra.simulator.render import to_json
from infra.simulator.rest import AlpacaRest
from infra.simulator.routes import json_answer
from infra.simulator.rules import RefusalError
from infra.simulator.settings import SimulatorSettings, SimulatorUrls
from infra.simulator.spoiling import Spoiler, status_answer
from infra.simulator.stream import Stream

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Announce = Callable[[SimulatorUrls], None]

EXIT_JOURNAL = 70
EXIT_USAGE = 2
ALLOWANCE = web.RequestKey("allowance", Allowance)
STREAM_PATHS = ("/v2/iex", "/v2/sip")


class Server:
    """One simulator: engine, stream, troubles and handlers, with no socket yet."""

    def __init__(self, settings: SimulatorSettings, journal: Journal, recording: Recording = NOTHING) -> None:
        """Go on with the account in `journal`, in the market of a recording if there is one."""
        self.stopped = asyncio.Event()
        self.exit_code = 0
        self._faults = FaultLedger(FaultStore(settings.state))
        self._consistency = Consistency(seconds)
        self._spoiler = Spoiler(self._faults, self._consistency, self._silence, system_clock)
        self._rate_limit = RateLimit(system_clock)
        self._stream = Stream(self._faults)
        self._market = Market(self._faults, recording)
        self._engine = Engine(journal, settings.terms, self._stream.publish, sessions.session_of, self._market.observe)
        self._market.open(self._engine)
        admin = Admin(
            self._engine, self._market, self._faults, self._forget_troubles, self._spoiler.arrive, settings.terms
        )
        self.app = web.Application(middlewares=[self._spoil, self._word_refusals, self._check_keys])
        self.app.on_response_prepare.append(_say_allowance)
        self.app.add_routes(AlpacaRest(self._engine).routes())
        self.admin_document = to_json(openapi(admin.routes()))
        self.app.add_routes(web_routes(admin.routes(), self.admin_document))
        self.app.add_routes(MarketRest(self._market.data, lambda: self._engine.book.now).routes())
        self.app.router.add_get("/stream", self._stream.handle)
        for path in STREAM_PATHS:
            self.app.router.add_get(path, self._market.stream.handle)

    def stop(self) -> None:
        """End the process soon: hanging requests and streams are let go."""
        self.stopped.set()
        self._spoiler.clear()
        self._stream.drop_all()
        self._market.stream.drop_all()

    def _forget_troubles(self) -> None:
        self._faults.clear()
        self._consistency.clear()
        self._spoiler.clear()

    async def _silence(self) -> web.StreamResponse:
        """Keep the client waiting until it goes away or the process ends."""
        await self.stopped.wait()
        return web.Response(status=503)

    @web.middleware
    async def _spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/v2/") or request.path in STREAM_PATHS:
            return await handler(request)
        allowance = request[ALLOWANCE] = self._rate_limit.count(self._engine.book.terms.requests_per_minute)
        return status_answer(429) if allowance.is_exceeded else await self._spoiler.answer(request, handler)

    @web.middleware
    async def _word_refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusalError as refusal:
            return json_answer(refusal.body, refusal.status)
        except web.HTTPException as error:
            return json_answer({"message": error.reason}, error.status)
        except RecordingError as error:
            return json_answer({"message": str(error)}, 500)
        except sqlite3.Error:
            # Memory is now ahead of the disk; only a restart from the journal is honest.
            log.exception("the journal cannot be written; stopping")
            self.exit_code = EXIT_JOURNAL
            self.stop()
            raise

    @web.middleware
    async def _check_keys(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        if (
            request.path.startswith("/v2/")
            and request.path not in STREAM_PATHS
            and not is_key_pair(headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY"))
        ):
            raise RefusalError(401, None, "unauthorized.")
        return await handler(request)


async def _say_allowance(request: web.Request, answer: web.StreamResponse) -> None:
    allowance = request.get(ALLOWANCE)
    for name, value in allowance.headers(answer.status).items() if allowance else ():
        answer.headers.setdefault(name, value)


async def _serve(settings: SimulatorSettings, journal: Journal, recording: Recording, announce: Announce) -> int:
    server = Server(settings, journal, recording)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    runner = web.AppRunner(server.app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, reuse_address=True)
    try:
        await site.start()
        announce(SimulatorUrls.at(settings.host, runner.addresses[0][1]))
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


def serve(settings: SimulatorSettings, announce: Announce) -> int:
    """Run a simulator until SIGTERM or SIGINT; `announce` is called once, with its addresses, when it is ready.

    Returns the exit code: 0 stopped, 2 when port, journal or recording cannot be used, 70 when the journal could not
    be written.
    """
    try:
        recording = Recording.of(settings.recording) if settings.recording else NOTHING
        journal = Journal(settings.state)
    except (RecordingError, JournalError) as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    try:
        return asyncio.run(_serve(settings, journal, recording, announce))
    except OSError as error:
        print(f"{settings.host}:{settings.port}: {error}; choose another --port", file=sys.stderr)
        return EXIT_USAGE
    finally:
        journal.close()

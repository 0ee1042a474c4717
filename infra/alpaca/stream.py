"""Trade updates over alpaca-py's TradingStream, as the text received, with every gap announced.

alpaca-py knows how to connect, authenticate and ask for trade updates. What it does with the answers is replaced here:
it parses numbers into floats, loses the message a handler fails on, waits without end for an answer to authentication,
needs three minutes to notice a connection that died silently and five seconds to stop, and tells nobody of a gap.
"""

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Callable

from alpaca.trading.stream import TradingStream

from agents.broker.ports import LISTENING, LOST
from infra.alpaca.rest import reason_of
from infra.alpaca.settings import AlpacaSettings

log = logging.getLogger(__name__)

TRADE_UPDATES = "trade_updates"
CLOSE_TIMEOUT_S = 5.0

#: A dead connection answers no goodbye; websockets waits several times so long before it gives up on one.
GOODBYE_S = 0.2

#: websockets logs every frame at DEBUG, the one with the keys included; this logger never does.
_frames = logging.getLogger(f"{__name__}.frames")
_frames.setLevel(logging.INFO)


class StreamLostError(Exception):
    """What the stream says cannot be relied on; it has to be opened again."""


async def _unused(_: object) -> None:
    """Stand in for a handler: alpaca-py asks for trade updates only when it has one."""


class RawTradingStream(TradingStream):
    """alpaca-py's stream, read as text."""

    def __init__(
        self, settings: AlpacaSettings, on_message: Callable[[str], None], on_gap: Callable[[str], None]
    ) -> None:
        """Describe the stream; nothing is connected."""
        super().__init__(
            api_key=settings.key_id.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            paper=settings.paper,
            raw_data=True,
            url_override=settings.stream_url or "",
            websocket_params={
                "ping_interval": settings.ping_interval,
                "ping_timeout": settings.ping_timeout,
                "open_timeout": settings.handshake_timeout,
                "close_timeout": GOODBYE_S,
                "max_queue": 1024,
                "logger": _frames,
            },
        )
        self._reconnect_min_backoff = settings.backoff_min
        self._reconnect_max_backoff = settings.backoff_max
        self._handshake_timeout = settings.handshake_timeout
        self._on_message = on_message
        self._on_gap = on_gap
        self.subscribe_trade_updates(_unused)

    async def listen_forever(self) -> None:
        """Connect, read, and connect again after every loss, later each time it fails; ends by cancellation only."""
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            began = clock()
            reason = await self._listen()
            # A broker that accepts and hangs up at once is no success; one long connection makes up for all failures.
            failures = 1 if clock() - began > self._reconnect_max_backoff else failures + 1
            log.warning("trade updates lost, attempt %d to reconnect follows: %s", failures, reason)
            try:
                self._on_gap(f"{LOST}: {reason}")
            except Exception:
                log.exception("the receiver of trade updates failed on being told of a loss")
            await asyncio.sleep(self._reconnect_delay(failures))

    async def _listen(self) -> str:
        """Read one connection until it is lost, and return why."""
        try:
            await self._open()
            self._on_gap(LISTENING)
            while True:
                self._take(await self._receive())
        except Exception as error:
            return reason_of(error)
        finally:
            with contextlib.suppress(Exception):
                await self.close()

    async def _open(self) -> None:
        """Connect, authenticate, ask for trade updates, and wait until that is confirmed."""
        await asyncio.wait_for(self._start_ws(), self._handshake_timeout)  # type: ignore[no-untyped-call]
        async with asyncio.timeout(self._handshake_timeout):
            while not self._is_confirmation(text := await self._receive()):
                self._take(text)

    async def _receive(self) -> str:
        if self._ws is None:
            raise StreamLostError("the stream is not open")
        frame = await self._ws.recv()
        return frame.decode("utf-8") if isinstance(frame, bytes) else str(frame)

    def _take(self, text: str) -> None:
        """Pass a trade update on; raises StreamLostError for what may have been one."""
        message = _parsed(text)
        stream = message.get("stream")
        if stream == TRADE_UPDATES:
            self._on_message(text)
        elif stream == "listening" and TRADE_UPDATES not in _streams(message):
            raise StreamLostError("the broker stopped sending trade updates")
        elif stream not in ("listening", "authorization"):
            log.warning("message of an unknown stream, not a trade update: %s", stream or message.get("action"))

    def _is_confirmation(self, text: str) -> bool:
        message = _parsed(text)
        return message.get("stream") == "listening" and TRADE_UPDATES in _streams(message)


def _parsed(text: str) -> dict[str, object]:
    try:
        message = json.loads(text, parse_float=str)
    except ValueError as error:
        raise StreamLostError(f"a frame of {len(text)} characters is not JSON") from error
    if not isinstance(message, dict):
        raise StreamLostError(f"a frame of {len(text)} characters is not a JSON object")
    return message


def _streams(message: dict[str, object]) -> list[object]:
    data = message.get("data")
    streams = data.get("streams") if isinstance(data, dict) else None
    return streams if isinstance(streams, list) else []


class StreamThread:
    """A stream that runs on a thread of its own until it is closed."""

    def __init__(self, stream: RawTradingStream) -> None:
        """Start at once."""
        self._stream = stream
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="alpaca-trade-updates")
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._stream.listen_forever())
        self._started.set()
        await self._task

    def close(self) -> None:
        """Stop the stream; returns when no callback runs any more, except when a callback itself calls it."""
        self._started.wait(CLOSE_TIMEOUT_S)
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._task.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_TIMEOUT_S)

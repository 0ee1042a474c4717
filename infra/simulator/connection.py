"""One client of a stream: what is still to be sent to it, and how its connection may fail."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping

import msgpack
from aiohttp import WSMsgType, web

from infra.simulator.settings import KEY_ID, SECRET_KEY

Act = Callable[[], None]

CLOSES = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class Connection:
    """A websocket with a queue, so that a slow client keeps nobody waiting."""

    def __init__(self, request: web.Request) -> None:
        """Describe the connection a request asks for; `serve` opens it."""
        self.speaks_msgpack = request.content_type == "application/msgpack"
        self._request = request
        # Pings and goodbyes are answered by hand: a half-open connection answers neither.
        self._socket = web.WebSocketResponse(autoping=False, autoclose=False)
        self._outbox: asyncio.Queue[str | bytes | Act] = asyncio.Queue()
        self._is_mute = asyncio.Event()

    async def open(self) -> web.WebSocketResponse:
        """Accept the client."""
        await self._socket.prepare(self._request)
        return self._socket

    async def messages(self) -> AsyncIterator[str | bytes]:
        """Yield what the client says until it leaves; send what is queued meanwhile."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                message = await self._socket.receive()
                if self._is_mute.is_set():
                    await asyncio.Event().wait()  # until aiohttp notices that the client is gone, and cancels
                if message.type in CLOSES:
                    return
                if message.type is WSMsgType.PING:
                    await self._socket.pong(message.data)
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    yield message.data
        finally:
            writer.cancel()
            if not self._is_mute.is_set():
                with contextlib.suppress(ConnectionError):
                    await self._socket.close()

    def send(self, frame: str | bytes) -> None:
        """Queue a frame: a text one, or a binary one for bytes."""
        self._outbox.put_nowait(frame)

    async def close(self) -> None:
        """Say what is queued, then goodbye."""
        while not self._outbox.empty():
            await self._say(self._outbox.get_nowait())
        await self._socket.close()

    def drop(self) -> None:
        """Tear the connection down at once, without a goodbye."""
        if isinstance(self._request.transport, asyncio.Transport):
            self._request.transport.abort()

    def drop_soon(self) -> None:
        """Say what is queued, then tear the connection down."""
        self._outbox.put_nowait(self.drop)

    def mute_soon(self) -> None:
        """Say what is queued, then leave the connection open and never say a word again, not even a pong."""
        self._outbox.put_nowait(self._is_mute.set)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while not self._is_mute.is_set():
                await self._say(await self._outbox.get())

    async def _say(self, queued: str | bytes | Act) -> None:
        match queued:
            case str():
                await self._socket.send_str(queued)
            case bytes():
                await self._socket.send_bytes(queued)
            case act:
                act()


def understood(data: str | bytes) -> Mapping[str, object] | None:
    """Return what a client said, in JSON or msgpack, None when it is no message."""
    try:
        message = json.loads(data)
    except ValueError:
        try:
            message = msgpack.unpackb(data) if isinstance(data, bytes) else None
        except Exception:  # msgpack raises errors of several families for bytes that are none of its
            message = None
    return message if isinstance(message, dict) else None


def is_key_pair(key_id: object, secret_key: object) -> bool:
    """Say whether these are the simulator's keys."""
    if not isinstance(key_id, str) or not isinstance(secret_key, str):
        return False
    return secrets.compare_digest(f"{key_id}/{secret_key}".encode(), f"{KEY_ID}/{SECRET_KEY}".encode())

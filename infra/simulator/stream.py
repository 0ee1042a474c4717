"""The stream of trade updates: authenticate, listen, then binary JSON frames. No replay: who is away misses them."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping

from aiohttp import WSMsgType, web

from infra.simulator.faults import FaultKind, Faults
from infra.simulator.render import to_json
from infra.simulator.settings import KEY_ID, SECRET_KEY

TRADE_UPDATES = "trade_updates"


class Connection:
    """One client of the stream, with what is still to be sent to it."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None) -> None:
        """Wrap an accepted websocket; it has neither authenticated nor asked for anything."""
        self.is_authorized = False
        self.is_listening = False
        self._socket = socket
        self._transport = transport
        self._outbox: asyncio.Queue[str] = asyncio.Queue()

    def send(self, text: str) -> None:
        """Queue a message, so that a slow client keeps nobody waiting."""
        self._outbox.put_nowait(text)

    async def write(self) -> None:
        """Send what is queued, in order, until the connection ends."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self._socket.send_bytes((await self._outbox.get()).encode())

    def drop(self) -> None:
        """Tear the connection down without a goodbye."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def answer(self, message: Mapping[str, object]) -> None:
        """React to what the client says."""
        data = message.get("data")
        data = data if isinstance(data, Mapping) else {}
        match message.get("action"):
            case "authenticate":
                self.is_authorized = is_key_pair(data.get("key_id"), data.get("secret_key"))
                status = "authorized" if self.is_authorized else "unauthorized"
                self.send(to_json({"stream": "authorization", "data": {"status": status, "action": "authenticate"}}))
            case "listen" if self.is_authorized:
                asked = data.get("streams")
                streams = [TRADE_UPDATES] if isinstance(asked, list) and TRADE_UPDATES in asked else []
                self.is_listening = bool(streams)
                self.send(to_json({"stream": "listening", "data": {"streams": streams}}))
            case "listen":
                self.send(to_json({"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}))
            case action:
                error = f"unknown action {action}"
                self.send(to_json({"action": "error", "data": {"error_message": error}}))


class Stream:
    """All connections of the stream."""

    def __init__(self, faults: Faults) -> None:
        """Begin without clients; `faults` may spoil events."""
        self._faults = faults
        self._connections: set[Connection] = set()

    def publish(self, update: str) -> None:
        """Send a trade update to everyone who listens, unless a fault has it otherwise."""
        fault = self._faults.of_event(f"EVENT {json.loads(update)['data']['event']}")
        kind = fault.kind if fault else None
        listeners = [connection for connection in self._connections if connection.is_listening]
        if kind is FaultKind.DROP_STREAM:
            for connection in list(self._connections):
                connection.drop()
        elif kind is not FaultKind.LOSE_EVENT:
            for connection in listeners:
                for _ in range(2 if kind is FaultKind.DUPLICATE_EVENT else 1):
                    connection.send(update)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        connection = Connection(socket, request.transport)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    connection.answer(_read(message.data))
        finally:
            self._connections.discard(connection)
            writer.cancel()
        return socket

    def drop_all(self) -> None:
        """Tear down every connection, as at the end of the process."""
        for connection in list(self._connections):
            connection.drop()


def is_key_pair(key_id: object, secret_key: object) -> bool:
    """Say whether these are the simulator's keys."""
    if not isinstance(key_id, str) or not isinstance(secret_key, str):
        return False
    return secrets.compare_digest(f"{key_id}/{secret_key}".encode(), f"{KEY_ID}/{SECRET_KEY}".encode())


def _read(data: str | bytes) -> Mapping[str, object]:
    try:
        message = json.loads(data)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}

"""The stream of trade updates: authenticate, listen, then binary frames. No replay: who is away misses them.

Frames are JSON, or msgpack for a client that asks with that Content-Type.
"""

import json
from collections.abc import Mapping

import msgpack
from aiohttp import web

from infra.simulator.connection import Connection, is_key_pair, understood
from infra.simulator.delivery import Delivery
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.render import to_json

TRADE_UPDATES = "trade_updates"


class Listener:
    """A client of the stream and what it has said so far."""

    def __init__(self, connection: Connection) -> None:
        """Begin with one that has neither authenticated nor asked for anything."""
        self.is_listening = False
        self._is_authorized = False
        self._connection = connection

    def say(self, text: str) -> None:
        """Send a message, given as JSON text."""
        self._connection.send(msgpack.packb(json.loads(text)) if self._connection.speaks_msgpack else text.encode())

    def answer(self, message: Mapping[str, object]) -> None:
        """React to what the client says."""
        data = message.get("data")
        data = data if isinstance(data, Mapping) else {}
        match message.get("action"):
            case "authenticate":
                self._is_authorized = is_key_pair(data.get("key_id"), data.get("secret_key"))
                status = "authorized" if self._is_authorized else "unauthorized"
                self.say(to_json({"stream": "authorization", "data": {"status": status, "action": "authenticate"}}))
            case "listen" if self._is_authorized:
                asked = data.get("streams")
                streams = [TRADE_UPDATES] if isinstance(asked, list) and TRADE_UPDATES in asked else []
                self.is_listening = bool(streams)
                self.say(to_json({"stream": "listening", "data": {"streams": streams}}))
            case "listen":
                self.say(to_json({"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}))
            case action:
                error = f"unknown action {action}"
                self.say(to_json({"action": "error", "data": {"error_message": error}}))


class Stream:
    """All clients of the stream."""

    def __init__(self, faults: FaultLedger) -> None:
        """Begin without clients; `faults` may spoil events."""
        self._listeners: dict[Connection, Listener] = {}
        self._delivery = Delivery(faults, self._listeners.keys())

    def publish(self, update: str) -> None:
        """Send a trade update to everyone who listens, unless a fault has it otherwise."""
        data = json.loads(update)["data"]

        def send() -> None:
            for listener in list(self._listeners.values()):
                if listener.is_listening:
                    listener.say(update)

        self._delivery.deliver(f"EVENT {data['event']}", data["execution_id"], send)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        connection = Connection(request)
        socket = await connection.open()
        listener = self._listeners[connection] = Listener(connection)
        try:
            async for data in connection.messages():
                listener.answer(understood(data) or {})
        finally:
            del self._listeners[connection]
        return socket

    def drop_all(self) -> None:
        """Tear down every connection, as at the end of the process."""
        self._delivery.drop_all()

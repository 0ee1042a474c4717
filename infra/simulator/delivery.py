"""How messages of a stream go out, unless a trouble has it otherwise."""

import asyncio
from collections.abc import Callable, Collection

from infra.simulator.connection import Connection
from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.faults import FaultKind

Send = Callable[[], None]


class Delivery:
    """Sends the messages of one stream, one after the other."""

    def __init__(self, faults: FaultLedger, connections: Collection[Connection]) -> None:
        """Take troubles from `faults`; they befall all `connections`, a collection that changes."""
        self._faults = faults
        self._connections = connections
        self._held: list[Send] = []

    def deliver(self, text: str, identity: str, send: Send, refuse: Callable[[int], None] | None = None) -> None:
        """Send a message by calling `send`: once, twice, later, or not at all; `text` is as in 'EVENT fill'.

        `refuse` tells those who would have heard it an error instead.
        """
        fault = self._faults.next(text, identity)
        match fault.kind if fault else None:
            case FaultKind.DROP_STREAM:
                for connection in self._connections:
                    connection.drop_soon()
            case FaultKind.SILENT_STREAM:
                for connection in self._connections:
                    connection.mute_soon()
            case FaultKind.LOSE_EVENT:
                pass
            case FaultKind.STREAM_ERROR if fault is not None and refuse is not None:
                refuse(fault.code)
            case FaultKind.REORDER_EVENT if fault is not None:
                self._held.append(send)
                asyncio.get_running_loop().call_later(fault.seconds, self._release, send)
                return
            case FaultKind.DUPLICATE_EVENT:
                send()
                send()
            case _:
                send()
        for held in list(self._held):
            self._release(held)

    def drop_all(self) -> None:
        """Tear down every connection."""
        for connection in list(self._connections):
            connection.drop()

    def _release(self, send: Send) -> None:
        if send in self._held:
            self._held.remove(send)
            send()

"""The troubles ordered and standing, and how often each has struck."""

from collections.abc import Sequence

from infra.simulator.fault_store import FaultStore
from infra.simulator.faults import Fault, FaultKind, FaultProfile


class FaultLedger:
    """Ordered troubles, oldest first, then standing profiles, in the order given."""

    def __init__(self, store: FaultStore | None = None) -> None:
        """Go on with the troubles in `store`."""
        self._store = store or FaultStore()
        self._read()

    def _read(self) -> None:
        self._ordered = self._store.ordered()
        self.profiles = self._store.profiles()

    def clear(self) -> None:
        """Forget all troubles, and that any has struck."""
        self._store.clear()
        self._read()

    def order(self, faults: Sequence[Fault]) -> None:
        """Add troubles."""
        self._store.order(faults)
        self._read()

    def stand(self, profiles: Sequence[FaultProfile]) -> None:
        """Replace the standing profiles; none ends them. What has struck stays counted."""
        self._store.stand(profiles)
        self._read()

    def ordered(self) -> list[tuple[Fault, int]]:
        """Return every ordered trouble with how often it has struck."""
        return list(self._ordered)

    def totals(self) -> dict[FaultKind, int]:
        """Return how often each kind has struck, ordered or drawn."""
        return self._store.totals()

    def next(self, text: str, identity: str) -> Fault | None:
        """Return what befalls a request or message such as 'POST /v2/orders', and count it.

        `identity` says which one it is among those that read alike: its client order id, its query, its execution id.
        """
        fault = self._take(text) or self._draw(text, f"{text} {identity}".strip())
        if fault is not None:
            self._store.add_total(fault.kind)
        return fault

    def haunt(self, client_order_id: str) -> None:
        """Count an id as used from now on, without an order."""
        self._store.haunt(client_order_id)

    def is_haunted(self, client_order_id: str) -> bool:
        """Say whether an id counts as used although no order has it."""
        return self._store.is_haunted(client_order_id)

    def _take(self, text: str) -> Fault | None:
        for index, (fault, struck) in enumerate(self._ordered):
            if struck < fault.times and fault.strikes(text):
                self._ordered[index] = (fault, struck + 1)
                self._store.strike(fault)
                return fault
        return None

    def _draw(self, text: str, identity: str) -> Fault | None:
        """Let the profiles draw; only then is it counted how often a request came: most simulators have no profile."""
        if not self.profiles:
            return None
        count = self._store.see(identity)
        drawn = (profile.drawn(text, identity, count) for profile in self.profiles)
        return next((fault for fault in drawn if fault is not None), None)

"""The brokerage of an account that none is configured for: it is silent, so nothing is sent and the log says why."""

from collections.abc import Callable, Sequence
from datetime import datetime

from agents.broker.ports import NewOrder, OrderStatusFilter, Reply, Subscription


class NoBrokerage:
    """Answers every request with silence and the reason for it."""

    def __init__(self, account_id: str) -> None:
        self._silence = Reply(None, "", f"account {account_id} has no brokerage here; set TAPE_ACCOUNT_IDS")

    def submit(self, order: NewOrder) -> Reply:  # noqa: ARG002 - the port's signature, here and below
        """Send nothing."""
        return self._silence

    def cancel(self, broker_order_id: str) -> Reply:  # noqa: ARG002
        """Cancel nothing."""
        return self._silence

    def order_by_client_id(self, client_order_id: str) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def order_by_broker_id(self, broker_order_id: str) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def orders(self, status: OrderStatusFilter, after: datetime | None) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def fill_activities(self, after: datetime | None) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def activities(self, after: datetime | None) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def transfers(self, after: datetime | None) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def account(self) -> Reply:
        """Read nothing."""
        return self._silence

    def positions(self) -> Reply:
        """Read nothing."""
        return self._silence

    def quotes(self, symbols: Sequence[str]) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def asset(self, symbol: str) -> Reply:  # noqa: ARG002
        """Read nothing."""
        return self._silence

    def clock(self) -> Reply:
        """Read nothing."""
        return self._silence

    def suspend_trade(self, suspended: bool) -> Reply:  # noqa: ARG002
        """Change nothing."""
        return self._silence

    def cancel_all(self) -> Reply:
        """Cancel nothing."""
        return self._silence

    def listen(self, on_message: Callable[[str], None], on_gap: Callable[[str], None]) -> Subscription:  # noqa: ARG002
        """Say at once that nothing is heard."""
        on_gap(f"lost: {self._silence.error}")
        return self

    def close(self) -> None:
        """End nothing."""

"""Whoever sets the limits of an account, halts it, and lets it go on: what they do is drawn from the seed, apart.

Its chance is its own, so that a world in which it sets wide limits and halts nothing is the world it was without it.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from uuid import UUID

from schemas.gate import (
    DeniedSymbol,
    GateLimits,
    HaltAction,
    HaltScope,
    HaltStatus,
    OrderLimitsRequest,
    StrategyGateLimits,
    TradingHalt,
    TradingHaltRequest,
)
from schemas.identity import derived
from schemas.order import TERMINAL, OrderEvent
from schemas.record import Record
from schemas.resolution import OrderResolutionRequest, ResolvedAs
from tests.made import gate_limits
from tests.simulation.broker import Clock
from tests.simulation.chance import Chance
from tests.simulation.outside import Tell

QUIET = 0.5
"""How many worlds have an operator who sets wide limits and halts nothing."""


class Operator:
    """One account's; what waits to be done is put into `pool`, where other happenings wait, too."""

    def __init__(
        self, account_id: str, chance: Chance, clock: Clock, tell: Tell, pool: list[Callable[[], None]]
    ) -> None:
        self.account_id = account_id
        self.chance = Random(f"operator {chance.seed}")
        self.symbols, self.names = chance.symbols, sorted(chance.members)
        self.clock = clock
        self.tell = tell
        self.pool = pool
        self.is_quiet = self.chance.random() < QUIET
        self.asked = 0

    def begin(self) -> None:
        """Set the limits before anything is traded; sometimes say it twice."""
        limits = gate_limits() if self.is_quiet else self._limits()
        for _ in range(1 if self.is_quiet else self.chance.choice((1, 1, 2))):
            self._set("first", limits)

    def run_begins(self) -> None:
        """Perhaps halt something while a run is under way, or set other limits."""
        if not self.is_quiet and self.chance.random() < 0.25:
            self.pool.append(self._halt)
        if not self.is_quiet and self.chance.random() < 0.15:
            self.asked += 1
            self.pool.append(partial(self._set, f"more-{self.asked}", self._limits()))

    def react(self, record: Record) -> None:
        """Mostly end a halt again, sometimes after naming another one; now and then doubt an order that has ended."""
        if isinstance(record, TradingHalt) and record.status is HaltStatus.IN_FORCE and self.chance.random() < 0.8:
            if self.chance.random() < 0.2:
                self.pool.append(partial(self._resume, derived("no halt", self.asked)))
            self.pool.append(partial(self._resume, record.halt_id))
        if isinstance(record, OrderEvent) and self._is_doubted(record):
            self.pool.append(partial(self._doubt, record.client_order_id))

    def _is_doubted(self, event: OrderEvent) -> bool:
        return event.ord_status in TERMINAL and not self.is_quiet and self.chance.random() < 0.1

    def _doubt(self, client_order_id: str) -> None:
        """Say of an order that has ended, and that the broker does not contradict, that it was none of ours."""
        self.asked += 1
        request = OrderResolutionRequest(
            account_id=self.account_id,
            request_id=f"doubt-{self.asked}",
            requested_by="operator",
            requested_at=self.clock.now,
            client_order_id=client_order_id,
            resolved_as=ResolvedAs.NOT_OURS,
            cum_qty=None,
            avg_px=None,
            manual_trades=(),
            reason="chance",
        )
        for _ in range(self.chance.choice((1, 1, 2))):
            self.tell(request, derived("doubt", self.account_id, self.asked))

    def _set(self, request_id: str, limits: GateLimits) -> None:
        request = OrderLimitsRequest(
            account_id=self.account_id,
            request_id=request_id,
            requested_by="operator",
            requested_at=self.clock.now,
            limits=limits,
        )
        self.tell(request, derived("limits", self.account_id, request_id))

    def _halt(self) -> None:
        scope = self.chance.choice(list(HaltScope))
        names = {HaltScope.ACCOUNT: [""], HaltScope.SYMBOL: self.symbols, HaltScope.STRATEGY: self.names}
        self._ask(
            action=HaltAction.HALT,
            halt_id=None,
            scope=scope,
            name=self.chance.choice(names[scope]),
            is_reducing_allowed=self.chance.random() < 0.4,
            is_canceling=self.chance.random() < 0.4,
            until=self.clock.now + timedelta(seconds=2) if self.chance.random() < 0.3 else None,
        )

    def _resume(self, halt_id: UUID) -> None:
        self._ask(
            action=HaltAction.RESUME,
            halt_id=halt_id,
            scope=HaltScope.ACCOUNT,
            name="",
            is_reducing_allowed=False,
            is_canceling=False,
            until=None,
        )

    def _ask(self, **asked: object) -> None:
        self.asked += 1
        request = TradingHaltRequest(
            account_id=self.account_id,
            request_id=f"halt-{self.asked}",
            requested_by="operator",
            requested_at=self.clock.now,
            reason="chance",
            **asked,  # type: ignore[arg-type]
        )
        for _ in range(self.chance.choice((1, 1, 1, 2))):
            self.tell(request, derived("halt request", self.account_id, self.asked))

    def _limits(self) -> GateLimits:
        """Return limits of which a few bind: an account is worth 100,000 dollars."""
        strategies = tuple(
            StrategyGateLimits(
                strategy_id=each,
                position_value_max=self._maybe("10000", "60000"),
                gross_value_max=self._maybe("20000", "90000"),
            )
            for each in self.names
            if self.chance.random() < 0.3
        )
        denied = DeniedSymbol(
            symbol=self.chance.choice(self.symbols),
            until=self.chance.choice((None, self.clock.now + timedelta(seconds=20))),
            reason="chance",
        )
        return gate_limits(
            order_qty_max=self._maybe("300", "5000") or (None if self.chance.random() < 0.05 else Decimal(1_000_000)),
            order_notional_max=self._maybe("5000", "50000"),
            price_collar=self._maybe("0.005", "0.2"),
            quote_age_max_s=60,
            position_value_max=self._maybe("10000", "60000"),
            gross_value_max=self._maybe("30000", "150000"),
            strategies=strategies,
            orders_per_second_max=self._maybe_count(5),
            orders_per_minute_max=self._maybe_count(20),
            orders_per_day_max=self._maybe_count(30),
            open_orders_max=self._maybe_count(5),
            duplicate_window_s=self._maybe_count(60),
            symbols_allowed=self.symbols if self.chance.random() < 0.1 else None,
            symbols_denied=(denied,) if self.chance.random() < 0.1 else (),
            daily_loss_max=self._maybe("0", "500"),
            unknown_age_max_s=self.chance.choice((1, 5, 300)),
        )

    def _maybe(self, *of: str) -> Decimal | None:
        return Decimal(self.chance.choice(of)) if self.chance.random() < 0.15 else None

    def _maybe_count(self, most: int) -> int | None:
        return self.chance.randint(1, most) if self.chance.random() < 0.1 else None

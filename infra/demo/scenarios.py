"""What a demo plays: many sessions of three strategies, or four that show how two of them share one account.

`netting` and `books` are the same wishes in the same symbol, with netted strategies and with a book for each.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from infra.demo.configuration import STRATEGIES, strategy
from infra.errors import TapeError
from schemas.run import Mode, StrategyTerms

SHARED = "IBM"
"""The symbol both strategies of a small scenario want."""


class ScenarioName(StrEnum):
    """The scenarios by name."""

    DEFAULT = "default"
    NETTING = "netting"
    BOOKS = "books"


@dataclass(frozen=True)
class Step:
    """One run: who trades, what it shows, and the symbol of which the market fills only a part.

    What is left of that order stays open until the next step's run takes it back. A step that `is_later` happens in the
    session of the step before; any other one begins a session.
    """

    strategies: tuple[StrategyTerms, ...]
    says: str = ""
    rests: str | None = None
    is_later: bool = False


@dataclass(frozen=True)
class Scenario:
    """Steps in order; `partial_rate` is the share of orders the market fills in chunks."""

    name: ScenarioName
    steps: tuple[Step, ...]
    partial_rate: Decimal

    @property
    def sessions(self) -> int:
        """How many sessions the steps take."""
        return sum(1 for step in self.steps if not step.is_later)


def scenario(name: ScenarioName, sessions: int | None) -> Scenario:
    """Return a scenario; `sessions` is how many the default one has. TapeError when another one is given a number."""
    if name is ScenarioName.DEFAULT:
        return Scenario(name, (Step(STRATEGIES),) * (20 if sessions is None else sessions), Decimal("0.25"))
    if sessions is not None:
        raise TapeError(
            f"expected no --sessions with scenario {name}, which has its own, was {sessions}",
            next_command=f"tape demo --scenario {name}",
        )
    return Scenario(name, _shared(Mode.NETTED if name is ScenarioName.NETTING else Mode.BOOK), Decimal(1))


def _shared(mode: Mode) -> tuple[Step, ...]:
    return (
        Step(_pair(mode, "0.40", "0.60"), f"both want {SHARED}, 40 to 60"),
        Step(_pair(mode, "0.80", "0.40"), "core wants more, swing wants less; the market stops half-way", rests=SHARED),
        Step(_pair(mode, "0.80", "0.40"), "the same wishes, minutes later: what is open is taken back", is_later=True),
        Step(_pair(mode, "0", "0.40"), "core leaves, swing stays"),
    )


def _pair(mode: Mode, core: str, swing: str) -> tuple[StrategyTerms, ...]:
    return (
        strategy("core", "fixed-weights", "0.5", 1, mode, **{SHARED: core}),
        strategy("swing", "fixed-weights", "0.5", 2, mode, **{SHARED: swing}),
    )

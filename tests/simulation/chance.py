"""What a seed draws: the market, the strategies, what each run asks for, and how badly the outside behaves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from random import Random
from typing import TypeVar

from schemas.identity import derived, run_id
from schemas.run import (
    BindingRule,
    CashPolicy,
    ConflictRule,
    DriftRule,
    Limits,
    Mode,
    OverlapPolicy,
    Run,
    RunRequest,
    RunRules,
    StrategyTerms,
    SyncRule,
)
from schemas.signal import Signal, SignalFailure, SignalStatus, SkippedSymbol, TargetWeight
from tests.made import execution, limits, rules, strategy

SYMBOLS = {"AAPL": "188.37", "BRK.B": "79.06", "IBM": "33.5", "MSFT": "28.45", "ZOM": "0.4321"}
NAMES = ("core", "mean-rev", "pairs", "trend", "value", "zeta")
STEPS = ("1", "1", "1", "0.001", "0.000000001")

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Profile:
    """How one world behaves: chances per occasion, and what holds for all its runs.

    `rounding` is how the broker brings the cash of an execution to the cent, None where it does not. `is_wired` lets
    every record go through Avro; the others fold the objects that were decided, which is faster.
    """

    step: Decimal
    rounding: str | None
    is_short: bool
    is_wired: bool
    crash: float
    lost: float
    twice: float
    silence: float
    reject: float
    chunks: int
    hurry: float
    slow: float
    outside: float
    opening: Decimal


@dataclass(frozen=True)
class Member:
    """A strategy of the world, between runs: its terms, and whether it wants long, short or both."""

    terms: StrategyTerms
    style: str
    targets: tuple[TargetWeight, ...] = ()


class Chance:
    """All that is random in a world, from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.profile = self._profile()
        self.symbols = tuple(sorted(self.random.sample(sorted(SYMBOLS), self.random.randint(1, len(SYMBOLS)))))
        self.members = {name: self._member(name) for name in self._names()}

    # --- small words

    def happens(self, probability: float) -> bool:
        return self.random.random() < probability

    def one(self, *of: Drawn) -> Drawn:
        return of[int(self.random.random() * len(of))]

    def pick(self, of: Sequence[Drawn]) -> Drawn:
        return of[int(self.random.random() * len(of))]

    def maybe(self, probability: float, *of: str) -> Decimal | None:
        return Decimal(self.one(*of)) if self.happens(probability) else None

    def _most(self, of: int) -> int:
        return max(self.random.randint(1, of), self.random.randint(1, of))

    def part_of(self, quantity: Decimal, step: Decimal) -> Decimal:
        """Return some of a quantity, at least one step, not more than all of it."""
        units = int(quantity / step)
        if units <= 1:
            return quantity
        whole = self.random.randint(1, units) * step
        return min(whole, quantity)

    # --- the world

    def _profile(self) -> Profile:
        is_bad = self.happens(0.7)
        return Profile(
            step=Decimal(self.one(*STEPS)),
            rounding=self.one(None, None, None, ROUND_HALF_EVEN, ROUND_HALF_UP),
            is_short=self.happens(0.65),
            is_wired=self.happens(0.2),
            crash=self.one(0.0, 0.02, 0.1) if is_bad else 0.0,
            lost=self.one(0.0, 0.1, 0.4) if is_bad else 0.0,
            twice=self.one(0.0, 0.2) if is_bad else 0.0,
            silence=self.one(0.0, 0.05, 0.2) if is_bad else 0.0,
            reject=self.one(0.0, 0.05, 0.3) if is_bad else 0.0,
            chunks=self.one(1, 3, 6),
            hurry=self.one(0.0, 0.3, 0.7),
            slow=self.one(0.0, 0.8, 0.97),
            outside=self.one(0.0, 0.1, 0.4),
            opening=Decimal(self.one("2500.55", "2500.55", "0", "-1000") if self.happens(0.07) else "100000"),
        )

    def _names(self) -> list[str]:
        names = self.random.sample(NAMES, self.one(1, 2, 3, 3, 4, 5, 6))
        return sorted([*names[1:], "system"] if self.happens(0.04) else names)

    def _member(self, name: str) -> Member:
        style = self.one("long", "short", "both", "both")
        terms = strategy(
            name,
            mode=self.one(Mode.NETTED, Mode.NETTED, Mode.BOOK),
            allocation=Decimal(0),
            priority=self.random.randint(1, 3),
            symbols=tuple(sorted(self.random.sample(self.symbols, self._most(len(self.symbols))))),
            weight_total_max=self.maybe(0.1, "0.3", "1", "1.5"),
            position_weight_max=self.maybe(0.1, "0.05", "0.4"),
            trade_value_max=self.maybe(0.1, "900", "20000"),
        )
        return Member(terms, style)

    # --- one run

    def request(self, account_id: str, number: int, now: datetime) -> RunRequest:
        """Return what a run asks for; a few are refused."""
        self._change_members()
        drawn = [each.terms for _, each in sorted(self.members.items()) if self.happens(0.9)]
        shares = self._shares(len(drawn))
        strategies = tuple(
            each.model_copy(update={"allocation": share}) for each, share in zip(drawn, shares, strict=True)
        )
        name, drawn_rules = f"run-{number}", self._rules(len(drawn))
        needs_deadline = drawn_rules.sync_rule is not SyncRule.ALL
        has_deadline = self.happens(0.97) if needs_deadline else self.happens(0.5)
        return RunRequest(
            account_id=account_id,
            run_id=run_id(account_id, now, name),
            request_id=name,
            requested_by="chance",
            as_of=now,
            strategies=strategies,
            limits=self._limits(),
            rules=drawn_rules,
            execution=execution(),
            valid_until=now + timedelta(seconds=self.one(14_400, 14_400, 14_400, 120)),
            deadline_at=now + timedelta(seconds=self.one(5, 30)) if has_deadline else None,
            bars_until=(),
        )

    def closing(self, account_id: str, number: int, now: datetime) -> RunRequest:
        """Return a run without strategies: it trades nothing and puts the books beside the account."""
        name = f"closing-{number}"
        return RunRequest(
            account_id=account_id,
            run_id=run_id(account_id, now, name),
            request_id=name,
            requested_by="chance",
            as_of=now,
            strategies=(),
            limits=limits(quantity_step=self.profile.step),
            rules=rules(),
            execution=execution(),
            valid_until=now + timedelta(hours=4),
            deadline_at=None,
            bars_until=(),
        )

    def _change_members(self) -> None:
        for name, member in sorted(self.members.items()):
            terms = member.terms
            if self.happens(0.15):
                terms = terms.model_copy(update={"mode": Mode.BOOK if terms.mode is Mode.NETTED else Mode.NETTED})
            self.members[name] = replace(member, terms=terms)

    def _shares(self, count: int) -> list[Decimal]:
        parts = [self.random.randint(0, 100) for _ in range(count)]
        whole = max(sum(parts), 1)
        over = Decimal("1.5") if self.happens(0.02) else self.one(Decimal(1), Decimal(1), Decimal("0.7"))
        shares = (Decimal(each * 100 // whole) / 100 * over for each in parts)
        return [min(each, Decimal(1)) for each in shares]

    def _rules(self, strategies: int) -> RunRules:
        sync_rule = self.one(*SyncRule)
        quorum = self.random.randint(1, max(strategies, 1)) if sync_rule is SyncRule.QUORUM else None
        return rules(
            sync_rule=sync_rule,
            quorum=quorum,
            conflict_rule=self.one(*ConflictRule, ConflictRule.SUM),
            overlap_policy=OverlapPolicy.FORBID
            if self.happens(0.03)
            else self.one(OverlapPolicy.ALLOW, OverlapPolicy.WARN),
            cash_policy=self.one(*CashPolicy),
            drift_rule=self.one(*DriftRule),
            drift_threshold=Decimal(self.one("0.1", "0.01")),
            is_full_allocation_required=self.happens(0.03),
        )

    def _limits(self) -> Limits:
        initial = Decimal(self.one("0.5", "1"))
        return limits(
            trade_value_min=Decimal(self.one("0", "0", "50", "700")),
            trade_value_max=self.maybe(0.12, "0", "5000", "40000", "40000"),
            quantity_step=self.profile.step,
            weight_total_max=Decimal(self.one("1", "1", "1", "2", "0.6")),
            position_weight_max=self.maybe(0.15, "0.1", "0.3"),
            cash_reserve=Decimal(self.one("0", "0", "0.05", "0.3")),
            is_leverage_allowed=self.happens(0.25),
            initial_margin_rate=initial,
            maintenance_margin_rate=initial * Decimal("0.6"),
            margin_utilisation_max=self.maybe(0.15, "0.2", "0.8"),
            maintenance_buffer=self.maybe(0.15, "0.5", "0.8"),
            is_short_allowed=self.profile.is_short,
            binding=self.one(*BindingRule),
        )

    # --- what strategies say

    def signals(self, run: Run, terms: StrategyTerms) -> list[Signal]:
        """Return what a strategy says in a run, in order: nothing, once, twice, or something else the second time."""
        if self.happens(0.06):
            return []
        if self.happens(0.06):
            return [self.signal(run, terms, (), SignalFailure.NO_BARS)]
        said = self.signal(run, terms, self._targets(terms.strategy_id))
        if self.happens(0.05):
            return [said, said]
        if self.happens(0.04):
            return [said, self.signal(run, terms, self._targets(terms.strategy_id))]
        return [said]

    def signal(
        self, run: Run, terms: StrategyTerms, targets: tuple[TargetWeight, ...], failure: SignalFailure | None = None
    ) -> Signal:
        left_out = self.pick(terms.symbols)
        skipped = (
            (SkippedSymbol(symbol=left_out, reason=SignalFailure.NOT_ENOUGH_BARS, detail="1 of 20"),)
            if failure is None and self.happens(0.1)
            else ()
        )
        return Signal(
            account_id=run.account_id,
            signal_id=derived("signal", run.run_id, terms.strategy_id),
            strategy_id=terms.strategy_id,
            status=SignalStatus.READY if failure is None else SignalStatus.FAILED,
            failure=failure,
            detail="",
            targets=tuple(each for each in targets if not skipped or each.symbol != left_out),
            skipped=skipped,
            decision_path=(),
            bars_until=(),
            bars_count=0,
            bars_sha256="",
            terms=run.terms,
        )

    def _targets(self, name: str) -> tuple[TargetWeight, ...]:
        """Return what a strategy wants: often the same as before, sometimes one symbol named twice, sometimes zero."""
        member = self.members[name]
        if member.targets and self.happens(0.25):
            return member.targets
        wanted = [each for each in member.terms.symbols if self.happens(0.75)]
        if wanted and self.happens(0.08):
            wanted.append(self.pick(wanted))
        parts = [self.random.randint(1, 100) for _ in wanted]
        whole = Decimal(sum(parts)) * Decimal(self.one("1", "1.3", "2.5"))
        targets = tuple(
            TargetWeight(symbol=symbol, weight=self._signed(member.style) * part / whole)
            for symbol, part in sorted(zip(wanted, parts, strict=True))
        )
        self.members[name] = replace(member, targets=targets)
        return targets

    def _signed(self, style: str) -> int:
        if self.happens(0.05):
            return 0
        return {"long": 1, "short": -1}.get(style) or self.one(1, -1)

"""What a replay found: how many decisions are identical, what differs, and where the log itself is damaged."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from pydantic import BaseModel


class DifferenceKind(StrEnum):
    """How a decision made again differs from the recorded one."""

    FIELD = "FIELD"
    SPOKE_WHERE_SILENT = "SPOKE_WHERE_SILENT"
    SILENT_WHERE_SPOKE = "SILENT_WHERE_SPOKE"
    OTHER_RECORDS = "OTHER_RECORDS"
    RAISED = "RAISED"


@dataclass(frozen=True)
class Difference:
    """One difference: where, which field, and the two values."""

    kind: DifferenceKind
    agent: str
    partition: int
    seq: int | None
    place: str
    field: str
    recorded: str
    decided_again: str
    recorded_version: str
    version: str
    correlation_id: str

    def __str__(self) -> str:
        where = f"{self.agent} seq {self.seq}" if self.seq is not None else f"{self.agent} (silent)"
        versions = (
            f" [recorded by version {self.recorded_version}, decided again by {self.version}]"
            if self.recorded_version != self.version
            else ""
        )
        return f"{where} at {self.place}: {self.field}: recorded {self.recorded}, now {self.decided_again}{versions}"


@dataclass(frozen=True)
class Damage:
    """Where the log cannot be trusted: a gap, a fork, an altered record, a missing cause."""

    agent: str
    partition: int
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.agent} partition {self.partition}: {self.what} ({self.where})"


@dataclass
class AgentVerdict:
    """What was found of one agent."""

    decisions: int = 0
    identical: int = 0
    silent: int = 0
    facts: int = 0
    not_judged: int = 0


@dataclass
class Verdict:
    """What a replay found; `decisions` counts those decided again, `facts` what the outside said (not re-decided).

    `dead_letters` counts records that an agent could not judge and set aside: no damage, as long as they are unchanged.
    """

    agents: dict[str, AgentVerdict] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    records: int = 0
    gaps: int = 0
    hash_mismatches: int = 0
    dead_letters: int = 0
    _known: set[tuple[str, str]] = field(default_factory=set, repr=False, compare=False)

    @property
    def decisions(self) -> int:
        """Decisions made again."""
        return sum(each.decisions for each in self.agents.values())

    @property
    def identical(self) -> int:
        """Decisions that came out byte for byte as recorded."""
        return sum(each.identical for each in self.agents.values())

    @property
    def silent(self) -> int:
        """Inputs judged again that had to stay silent."""
        return sum(each.silent for each in self.agents.values())

    @property
    def exit_code(self) -> int:
        """0 identical, 1 different, 2 nothing found, 3 the log is damaged."""
        if self.damages:
            return 3
        if self.differences:
            return 1
        return 0 if self.decisions else 2

    def of(self, agent: str) -> AgentVerdict:
        """Return the agent's own counts, made at first use."""
        return self.agents.setdefault(agent, AgentVerdict())

    def add_damage(self, damage: Damage, *, is_of_hash: bool) -> None:
        """Note a damage once, by what and where: an agent's chain and the check of all records may both see it."""
        if (damage.what, damage.where) in self._known:
            return
        self._known.add((damage.what, damage.where))
        self.damages.append(damage)
        self.hash_mismatches += is_of_hash

    def add(self, other: "Verdict") -> None:
        """Take in what another replay found of other agents or other records."""
        for name, theirs in other.agents.items():
            ours = self.of(name)
            for counted in fields(AgentVerdict):
                setattr(ours, counted.name, getattr(ours, counted.name) + getattr(theirs, counted.name))
        self.differences += other.differences
        for damage in other.damages:
            self.add_damage(damage, is_of_hash=False)
        self.records += other.records
        self.gaps += other.gaps
        self.hash_mismatches += other.hash_mismatches
        self.dead_letters += other.dead_letters

    def as_json(self) -> dict[str, Any]:
        """Return it for --json, with stable keys."""
        return {
            "decisions": {"total": self.decisions, "identical": self.identical},
            "silent_inputs": self.silent,
            "agents": {name: asdict(each) for name, each in sorted(self.agents.items())},
            "log": {
                "records": self.records,
                "gaps": self.gaps,
                "hash_mismatches": self.hash_mismatches,
                "dead_letters": self.dead_letters,
            },
            "differences": [asdict(each) for each in self.differences],
            "damages": [asdict(each) for each in self.damages],
            "exit_code": self.exit_code,
        }


def field_differences(recorded: BaseModel, decided: BaseModel) -> Iterator[tuple[str, str, str]]:
    """Yield (path, recorded, decided again) for every leaf that differs."""
    yield from _compared("", recorded.model_dump(mode="json"), decided.model_dump(mode="json"))


def _compared(path: str, recorded: Any, decided: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(recorded, Mapping) and isinstance(decided, Mapping):
        for name in sorted({*recorded, *decided}):
            yield from _compared(f"{path}.{name}" if path else name, recorded.get(name), decided.get(name))
    elif isinstance(recorded, list) and isinstance(decided, list):
        for index in range(max(len(recorded), len(decided))):
            was, now = _at(recorded, index), _at(decided, index)
            yield from _compared(f"{path}[{index}{_called(was or now)}]", was, now)
    elif recorded != decided:
        yield path, _shown(recorded), _shown(decided)


def _called(element: Any) -> str:
    """Return what an element of a list is about, for a reader of the path."""
    if not isinstance(element, Mapping):
        return ""
    return "".join(f" {element[name]}" for name in ("strategy_id", "book", "symbol") if element.get(name))


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"

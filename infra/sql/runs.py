"""`run('1a2b')` in SQL: the id of the run that begins with these digits, looked up before DuckDB is asked."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlglot import exp

from infra.errors import TapeError
from infra.sql.index import CorrelationIndex
from infra.sql.positions import Positions
from infra.sql.reader import RegionReader
from infra.sql.regions import Region
from infra.sql.types import text
from schemas.run import Run

FUNCTION = "run"
DIGITS_MIN = 4
"""Fewer digits name nothing."""

_DIGITS = 32

Resolve = Callable[[str], UUID]


def digits_in(node: exp.Expr) -> str | None:
    """Return the digits of a call of `run` with a text; None for anything else."""
    if not isinstance(node, exp.Anonymous) or node.name.lower() != FUNCTION or len(node.expressions) != 1:
        return None
    [argument] = node.expressions
    return argument.name if isinstance(argument, exp.Literal) and argument.is_string else None


def resolved(statements: list[exp.Expr], resolve: Resolve) -> dict[str, UUID]:
    """Return the run of each call of `run` in some statements, by its digits as they are written."""
    calls = (digits_in(call) for statement in statements for call in statement.find_all(exp.Anonymous))
    return {digits: resolve(digits) for digits in calls if digits is not None}


def macro(runs: Mapping[str, UUID]) -> str:
    """Return the statement that makes DuckDB know these runs by their digits."""
    cases = " ".join(f"WHEN {text(digits)} THEN CAST({text(str(run))} AS UUID)" for digits, run in runs.items())
    return f"CREATE OR REPLACE MACRO {FUNCTION}(digits) AS CASE digits {cases} END"


@dataclass(frozen=True)
class Runs:
    """Finds runs by the first digits of their ids: by the index, and in the records it has not come to yet."""

    positions: Positions
    index: CorrelationIndex

    def begun(self, digits: str) -> UUID:
        """Return the run; raises TapeError where none begins so, or several do."""
        least, most = _between(digits)
        if least == most:
            return least
        found = {run for run in self._found(least, most) if least <= run <= most}
        if len(found) == 1:
            return found.pop()
        if found:
            ids = ", ".join(map(str, sorted(found)[:5]))
            raise TapeError(f"{digits} begins the ids of {len(found)} runs: {ids}")
        raise TapeError(f"no run has an id that begins with {digits}", next_command="tape runs")

    def _found(self, least: UUID, most: UUID) -> Iterator[UUID]:
        extent = self.positions.extent(Run.topic)
        indexed = self.index.begun(Run.topic, least, most)
        region = extent.whole
        if not isinstance(indexed, str):
            known, covered = indexed
            yield from known
            behind = {number: [(covered.get(number, 0), high)] for number, (_, high) in extent.ends.items()}
            region = extent.whole & Region.of(behind)
        reader = RegionReader(self.positions.bootstrap_servers)
        try:
            keys = [record.key for record in reader.read(Run.topic, region)]
        finally:
            reader.close()
        yield from (run for run in map(_uuid, keys) if run is not None)


def _between(digits: str) -> tuple[UUID, UUID]:
    """Return the first and the last id that begin with these digits."""
    plain = digits.lower().replace("-", "")
    if not DIGITS_MIN <= len(plain) <= _DIGITS or set(plain) - set("0123456789abcdef"):
        raise TapeError(f"{FUNCTION}({text(digits)}): expected {DIGITS_MIN} or more of the first digits of a run's id")
    return UUID(plain.ljust(_DIGITS, "0")), UUID(plain.ljust(_DIGITS, "f"))


def _uuid(key: bytes | None) -> UUID | None:
    try:
        return UUID((key or b"").decode())
    except ValueError:
        return None

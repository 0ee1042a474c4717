"""What a script asks of the log: which topics, and between which bounds. DuckDB judges the whole WHERE again.

A bound is taken only from a conjunct that must be true for a row of that very table to count: of a plain SELECT's
WHERE, on a column that can be no other table's, compared with a constant. Whatever is not understood bounds nothing, so
the worst that can happen is that more is read than needed.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from infra.errors import TapeError
from infra.sql.bounds import (
    ANYWHERE,
    Bound,
    Correlated,
    InOffsets,
    InPartitions,
    InTime,
    all_of,
    any_of,
    from_below,
)
from infra.sql.catalog import PSEUDO_COLUMNS, Table, find, is_latest, named
from infra.sql.runs import Resolve, digits_in, resolved

# It warns of what it does not know on stderr; what it does not know bounds nothing here, and DuckDB says the rest.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

DIALECT = "duckdb"
LEDGER = "ledger"
_EXPLAIN = re.compile(r"^\s*explain\s+(analyze\s+)?(?=\w|\()", re.IGNORECASE)
_WORD = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_][\w]*)')
_SYSTEM = ("duckdb_", "pragma_", "sqlite_", "pg_", "information_schema")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_BOUNDING = ("_partition", "_offset", "_timestamp", "correlation_id")
_PLAIN_JOINS = ("", "INNER", "CROSS", "OUTER")
_PLAIN_SIDES = ("", "LEFT", "RIGHT", "FULL")
_NOW = (exp.CurrentTimestamp, exp.CurrentDate)
_NOW_NAMES = ("now", "today", "get_current_timestamp", "transaction_timestamp")
_CONSTANT = (
    *(exp.Literal, exp.Neg, exp.Paren, exp.Add, exp.Sub, exp.Interval, exp.Var),
    *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.TimestampTrunc, exp.DateTrunc, *_NOW),
)
_KINDS = exp.DataType.Type
_CASTS = (_KINDS.TIMESTAMPTZ, _KINDS.TIMESTAMP, _KINDS.TIMESTAMPNTZ, _KINDS.DATE)
_MIRRORED = {exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ}

Evaluate = Callable[[str], int | None]
"""Evaluates an SQL expression without columns to a whole number in DuckDB; None when it is none."""


@dataclass(frozen=True)
class Reading:
    """What is asked of one topic."""

    table: Table
    bound: Bound


@dataclass(frozen=True)
class Question:
    """What a script asks for: readings by topic, pseudo-columns and runs it names, relations of the attached ledger."""

    readings: tuple[Reading, ...]
    pseudo_columns: frozenset[str]
    ledger: frozenset[str]
    runs: Mapping[str, UUID]


def analysed(sql: str, evaluate: Evaluate, resolve: Resolve) -> Question:
    """Return what a script asks of the log; raises TapeError when it names a table or a run that does not exist."""
    words = _words(sql)
    found = _parsed(sql)
    runs = resolved(found or [], resolve)
    is_understood = found is not None and not any(map(_reads_by_name, found))
    bounds = _of_statements(found, evaluate, runs) if found and is_understood else _of_words(words)
    readings = tuple(Reading(named(topic), bound) for topic, bound in sorted(bounds.items()))
    pseudo_columns = frozenset(words & PSEUDO_COLUMNS.keys())
    return Question(readings, pseudo_columns, frozenset(_ledger_names(sql)), runs)


def is_simple(sql: str) -> bool:
    """Say whether a query filters and projects one topic row by row, so that it can follow the topic."""
    found = _parsed(sql)
    if found is None or len(found) != 1 or not isinstance(found[0], exp.Select):
        return False
    select = found[0]
    allowed = {"expressions", "from_", "where"}
    if any(value for key, value in select.args.items() if key not in allowed):
        return False
    forbidden = (exp.AggFunc, exp.Window, exp.Subquery, exp.Unnest, exp.Explode)
    own = [each for each in select.walk() if isinstance(each, (*forbidden, exp.Select)) and each is not select]
    sources = [each for each in select.find_all(exp.Table) if _is_plain(each)]
    return not own and len(sources) == 1 and find(sources[0].name) is not None and not is_latest(sources[0].name)


def _parsed(sql: str) -> list[exp.Expr] | None:
    """Return the statements, EXPLAIN taken off; None when the parser does not understand every one of them."""
    try:
        found = [each for each in sqlglot.parse(_EXPLAIN.sub("", sql), read=DIALECT) if each is not None]
    except (SqlglotError, RecursionError):
        return None
    return None if any(isinstance(each, exp.Command) for each in found) else found


def _words(sql: str) -> set[str]:
    return {(match[1] or match[2]).replace('""', '"').lower() for match in _WORD.finditer(sql)}


def _of_words(words: Collection[str]) -> dict[str, Bound]:
    """Every topic whose name occurs, in whole: what is left when the parser gives up."""
    return {table.topic: ANYWHERE for table in map(find, words) if table is not None}


def _ledger_names(sql: str) -> Iterator[str]:
    pattern = rf'\b"?{LEDGER}"?\s*\.\s*(?:"((?:[^"]|"")+)"|([A-Za-z_]\w*))'
    for match in re.finditer(pattern, sql, re.IGNORECASE):
        yield (match[1] or match[2]).lower()


def _of_statements(statements: Collection[exp.Expr], evaluate: Evaluate, runs: Mapping[str, UUID]) -> dict[str, Bound]:
    bounds: dict[str, list[Bound]] = {}
    for statement in statements:
        known = _bounds_of_tables(statement, evaluate, runs)
        for node in statement.find_all(exp.Table):
            table = _topic_of(node, statement)
            if table is not None:
                bounds.setdefault(table.topic, []).append(known.get(id(node), ANYWHERE))
    return {topic: any_of(*each) for topic, each in bounds.items()}


def _reads_by_name(statement: exp.Expr) -> bool:
    """DuckDB can take the name of a table, or a whole query, from a text."""
    return any(each.name.lower() in ("query", "query_table") for each in statement.find_all(exp.Anonymous))


def _topic_of(node: exp.Table, statement: exp.Expr) -> Table | None:
    """Return the topic that a table in a query stands for; None for what is no topic, or in a schema of its own."""
    name = node.name
    if node.db:
        if find(f"{node.db}.{name}") is not None:
            raise TapeError(f"{node.db}.{name} needs double quotes", next_command=f'write "{node.db}.{name}"')
        return None
    if not isinstance(node.this, exp.Identifier):
        return None
    table = find(name)
    if table is not None:
        return table
    local = {each.alias_or_name.lower() for each in statement.find_all(exp.CTE)}
    if name.lower() not in local and not name.lower().startswith(_SYSTEM):
        return named(name)
    return None


def _bounds_of_tables(statement: exp.Expr, evaluate: Evaluate, runs: Mapping[str, UUID]) -> dict[int, Bound]:
    """Return the bound of each table of the statement that has one, by the identity of its node."""
    if not isinstance(statement, exp.Query):
        return {}
    try:
        scopes = traverse_scope(statement)
    except (SqlglotError, RecursionError):
        return {}
    found: dict[int, Bound] = {}
    for scope in scopes:
        if isinstance(scope.expression, exp.Select) and _is_bounding(scope.expression):
            found.update(_bounds_in(scope, evaluate, runs))
    return found


def _is_bounding(select: exp.Select) -> bool:
    """Say whether the WHERE may be judged before the joins: not beside ASOF and positional joins, nor samples."""
    if select.args.get("where") is None or select.args.get("sample"):
        return False
    joins = select.args.get("joins") or []
    return all(
        not join.args.get("method") and join.kind.upper() in _PLAIN_JOINS and join.side.upper() in _PLAIN_SIDES
        for join in joins
    )


def _bounds_in(scope: Scope, evaluate: Evaluate, runs: Mapping[str, UUID]) -> Iterator[tuple[int, Bound]]:
    select = scope.expression
    sources = {alias: source for alias, (_, source) in scope.selected_sources.items()}
    topics = {alias: node for alias, node in sources.items() if isinstance(node, exp.Table) and find(node.name)}
    aliases = {each.alias.lower() for each in select.expressions if isinstance(each, exp.Alias)}
    may_be_unqualified = len(topics) == 1 and not aliases & set(_BOUNDING)
    for alias, node in topics.items():
        if node.db or not _is_plain(node):
            continue
        bounding = _Bounding(alias.lower(), may_be_unqualified, evaluate, runs)
        bound = bounding.of(select.args["where"].this)
        yield id(node), from_below(bound) if is_latest(node.name) else bound


def _is_plain(node: exp.Table) -> bool:
    return not any(value for key, value in node.args.items() if key not in ("this", "alias"))


@dataclass(frozen=True)
class _Bounding:
    """Reads the bound of one table out of a WHERE."""

    alias: str
    may_be_unqualified: bool
    evaluate: Evaluate
    runs: Mapping[str, UUID]

    def of(self, condition: exp.Expr) -> Bound:
        match condition:
            case exp.Paren(this=inner):
                return self.of(inner)
            case exp.And(this=left, expression=right):
                return all_of(self.of(left), self.of(right))
            case exp.Or(this=left, expression=right):
                return any_of(self.of(left), self.of(right))
            case exp.Between() | exp.In():
                return self._several(condition)
            case exp.GT() | exp.GTE() | exp.LT() | exp.LTE() | exp.EQ():
                kind = type(condition)
                forth = self._compared(condition.this, kind, condition.expression)
                back = self._compared(condition.expression, _MIRRORED[kind], condition.this)
                return all_of(forth, back)
            case _:
                return ANYWHERE

    def _several(self, condition: exp.Expr) -> Bound:
        """Return the bound of BETWEEN and of IN with a list; their rarer forms bound nothing."""
        match condition:
            case exp.Between() if not condition.args.get("symmetric"):
                low, high = condition.args["low"], condition.args["high"]
                return all_of(
                    self._compared(condition.this, exp.GTE, low), self._compared(condition.this, exp.LTE, high)
                )
            case exp.In() if not any(
                value for key, value in condition.args.items() if key not in ("this", "expressions")
            ):
                return any_of(*(self._compared(condition.this, exp.EQ, each) for each in condition.expressions))
            case _:
                return ANYWHERE

    def _compared(self, column: exp.Expr, kind: type[exp.Expr], constant: exp.Expr) -> Bound:
        name = self._column(column)
        if name == "correlation_id" and kind is exp.EQ:
            return self._correlated(constant)
        if name in (None, "correlation_id") or not _is_constant(constant):
            return ANYWHERE
        if name == "_timestamp":
            return _in_time(kind, self.evaluate(_instant(constant)))
        return _in_numbers(name, kind, self.evaluate(_whole_number(constant)))

    def _correlated(self, constant: exp.Expr) -> Bound:
        digits = digits_in(constant)
        if digits is not None:
            return Correlated(frozenset({self.runs[digits]}))
        is_text = isinstance(constant, exp.Literal) and constant.is_string
        if not is_text or _UUID.fullmatch(constant.name) is None:
            return ANYWHERE
        return Correlated(frozenset({UUID(constant.name)}))

    def _column(self, node: exp.Expr) -> str | None:
        if not isinstance(node, exp.Column) or node.args.get("db") or not isinstance(node.this, exp.Identifier):
            return None
        name, table = node.name.lower(), node.table.lower()
        is_ours = table == self.alias or (not table and self.may_be_unqualified)
        return name if is_ours and name in _BOUNDING else None


def _is_constant(node: exp.Expr) -> bool:
    """Say whether an expression has one value for the whole query, and grows when the clock does."""
    for each in node.walk():
        if isinstance(each, exp.Anonymous) and each.name.lower() in _NOW_NAMES and not each.expressions:
            continue
        if not isinstance(each, _CONSTANT):
            return False
        if isinstance(each, exp.Cast) and (type(each) is not exp.Cast or each.to.this not in _CASTS):
            return False
        if isinstance(each, exp.Sub) and any(map(_is_now, each.expression.walk())):
            return False
        if isinstance(each, exp.Neg) and any(map(_is_now, each.walk())):
            return False
    return True


def _is_now(node: exp.Expr) -> bool:
    return isinstance(node, (*_NOW, exp.Anonymous))


def _instant(constant: exp.Expr) -> str:
    """Return SQL of a constant's instant in microseconds, or null where comparing it with one would not make it one."""
    sql = constant.sql(DIALECT)
    if isinstance(constant, exp.Literal) and constant.is_string:
        return f"epoch_us(CAST({sql} AS TIMESTAMPTZ))"
    kinds = "'TIMESTAMP WITH TIME ZONE', 'TIMESTAMP', 'DATE'"
    return f"CASE WHEN typeof({sql}) IN ({kinds}) THEN epoch_us(CAST({sql} AS TIMESTAMPTZ)) END"


def _whole_number(constant: exp.Expr) -> str:
    sql = constant.sql(DIALECT)
    return f"CASE WHEN typeof({sql}) IN ('INTEGER', 'BIGINT', 'HUGEINT') THEN {sql} END"


def _in_time(kind: type[exp.Expr], instant_us: int | None) -> Bound:
    """Kafka's timestamps are milliseconds: a bound within one takes it whole."""
    if instant_us is None:
        return ANYWHERE
    low, high = instant_us // 1000, -(-instant_us // 1000)
    if kind in (exp.GT, exp.GTE):
        return InTime(low_ms=low)
    if kind in (exp.LT, exp.LTE):
        return InTime(high_ms=high)
    return InTime(low, high)


def _in_numbers(name: str, kind: type[exp.Expr], number: int | None) -> Bound:
    if number is None:
        return ANYWHERE
    if name == "_partition":
        return InPartitions(frozenset({number})) if kind is exp.EQ else ANYWHERE
    if kind in (exp.GT, exp.GTE):
        return InOffsets(low=number + (kind is exp.GT))
    if kind in (exp.LT, exp.LTE):
        return InOffsets(high=number - (kind is exp.LT))
    return InOffsets(number, number)

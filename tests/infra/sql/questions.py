"""Any question with a WHERE over the places of records: every comparison, mirrored, negated, combined, joined."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.infra.sql.bus import RUNS

MORNING = datetime(2013, 2, 1, 9, 30, tzinfo=UTC)

COMPARISONS = st.sampled_from(["=", "<", "<=", ">", ">=", "<>"])
OFFSETS = st.integers(-3, 30).map(str) | st.sampled_from(["3 + 2", "(7)", "10 - 4", "5.5", "'4'", "null"])


def instant(minutes: int) -> str:
    return f"{(MORNING + timedelta(minutes=minutes)).isoformat()}"


INSTANTS = st.one_of(
    st.integers(-10, 250).map(lambda minutes: f"'{instant(minutes)}'"),
    st.integers(-10, 250).map(lambda minutes: f"timestamptz '{instant(minutes)}'"),
    st.integers(0, 250).map(lambda minutes: f"timestamptz '{instant(0)}' + interval {minutes} minute"),
    st.sampled_from(["'2013-02-01'", "date '2013-02-01'", "now() - interval 1 minute", "now()", "current_date - 1"]),
    st.sampled_from(["timestamp '2013-02-01 10:00:00.0005'", "date_trunc('hour', timestamptz '2013-02-01 11:59')"]),
)
TERMS = {"_offset": OFFSETS, "_partition": st.integers(-1, 4).map(str), "_timestamp": INSTANTS}


def atoms(prefix: str) -> SearchStrategy[str]:
    """Return conditions on one table, whose columns are written with a prefix."""
    compared = st.sampled_from(sorted(TERMS)).flatmap(lambda name: _compared(f"{prefix}{name}", TERMS[name]))
    ids = st.sampled_from([f"{prefix}correlation_id = '{run}'" for run in RUNS])
    others = [f"{prefix}_offset is null", f"{prefix}event_id is not null", f"{prefix}_error is null"]
    negated = compared.map(lambda each: f"not {each}")
    kinds = {"compared": compared, "id": ids, "other": st.sampled_from(others), "negated": negated}
    return st.sampled_from(["compared"] * 6 + ["id", "other", "negated"]).flatmap(lambda kind: kinds[kind])


def _compared(column: str, terms: SearchStrategy[str]) -> SearchStrategy[str]:
    forms = {
        "forth": st.tuples(COMPARISONS, terms).map(lambda p: f"{column} {p[0]} {p[1]}"),
        "back": st.tuples(terms, COMPARISONS).map(lambda p: f"{p[0]} {p[1]} {column}"),
        "between": st.tuples(terms, terms).map(lambda p: f"{column} between {p[0]} and {p[1]}"),
        "in": st.lists(terms, min_size=1, max_size=3).map(lambda p: f"{column} in ({', '.join(p)})"),
        "not in": st.lists(terms, min_size=1, max_size=2).map(lambda p: f"{column} not in ({', '.join(p)})"),
    }
    return st.sampled_from(["forth"] * 4 + ["back"] * 2 + ["between", "in", "not in"]).flatmap(lambda form: forms[form])


COMBINED = (
    *("{0}", "{0}", "{0}", "{0} and {1}", "{0} and {1}", "{0} or {1}"),
    *("({0} or {1}) and {2}", "{0} and {1} or {2}", "not ({0} and {1})", "not ({0} or {1})", "({0}) = ({1})"),
)


def conditions(prefix: str = "") -> SearchStrategy[str]:
    """Return any WHERE over the columns of one table."""
    three = st.tuples(atoms(prefix), atoms(prefix), atoms(prefix))
    return st.tuples(st.sampled_from(COMBINED), three).map(lambda p: p[0].format(*p[1]))


ORDERED_JOINS = (
    "positional join bars b",
    "asof left join bars b on f._offset >= b._offset and f._partition = b._partition",
)
SHAPES = st.one_of(
    st.tuples(st.sampled_from(["line_outcomes", "bars"]), conditions()).map(
        lambda p: f"select _partition, _offset, event_id, _error from {p[0]} where {p[1]}"
    ),
    st.tuples(st.sampled_from(["", "left", "right", "full", "semi", "anti"]), conditions("f.")).map(
        lambda p: (
            "select f._partition p, f._offset o from line_outcomes f "
            f"{p[0]} join bars b on f._offset = b._offset and f._partition = b._partition where {p[1]}"
        )
    ),
    st.tuples(st.sampled_from(ORDERED_JOINS), conditions("b.")).map(
        lambda p: (
            "select f._offset o, b._offset bo from (from line_outcomes order by _partition, _offset) f "
            f"{p[0]} where {p[1]}"
        )
    ),
    st.tuples(conditions(), conditions("b.")).map(
        lambda p: (
            "with part as (select _offset as o, correlation_id from line_outcomes where "
            f"{p[0]}) select o from part where o in (select b._offset from bars b where {p[1]})"
        )
    ),
    st.tuples(conditions("x."), conditions("y.")).map(
        lambda p: (
            "select count(*) n from line_outcomes x, line_outcomes y "
            f"where ({p[0]}) and x._offset = y._offset and ({p[1]})"
        )
    ),
    conditions().map(lambda each: f"select _offset + 5 as _offset from bars where {each}"),
)

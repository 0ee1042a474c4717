"""A question that goes on: each record that comes is judged as it comes. Only what looks at one record at a time can.

What counts, sorts or joins has no answer before the end of a topic that has none; `--every` asks such a question again.
"""

from infra.errors import TapeError
from infra.sql.analysis import is_simple
from infra.sql.bounds import ANYWHERE
from infra.sql.engine import Shape, Sink
from infra.sql.live import Stretch, batches
from infra.sql.rows import Rows, Tally
from infra.sql.session import Session


def follow(session: Session, sql: str, output: str, sink: Sink, *, cell_max: int | None = None) -> None:
    """Answer a question for every record from now on, or from where its own bounds begin; ends by an interrupt."""
    if output not in ("table", "jsonl", "csv", "md"):
        raise TapeError(f"{output} has an end, and --follow has none", next_command="-o jsonl, csv, md or table")
    if not is_simple(sql):
        raise TapeError(
            "--follow judges one record at a time: SELECT and WHERE over one topic, no counting, sorting or joining",
            next_command="--every 5s asks any question again and again",
        )
    plan = session.plan(sql)
    [part] = plan.parts
    rows = Rows(part.reading.table, session.wanted(plan.question))
    session.define(rows)
    starts = {number: end for number, (_, end) in part.extent.ends.items()}
    if part.reading.bound != ANYWHERE:
        starts |= {number: ranges[0][0] for number, ranges in part.region.ranges.items()}
    has_head = True
    for records in batches(session.wishes.bootstrap_servers, Stretch(part.extent.topic, starts)):
        if records or has_head:
            rows.tally = Tally()
            session.refill(rows, records)
            session.reporting.note_of(rows.tally, rows.table)
            session.query(sql, Shape(output, cell_max, has_head), sink)
            has_head = False

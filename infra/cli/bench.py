"""`tape bench`: what the machine does, beside the floor that bare confluent-kafka sets in the same run."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def bench(
    sessions: Annotated[int, typer.Option(min=5, help="Sessions the chain is measured over.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    planner: Annotated[
        bool, typer.Option("--planner", help="Only time plans of 500 symbols and 20 strategies; needs no broker.")
    ] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Only time tape sql, by either decoder and by lines.")] = False,
    find: Annotated[bool, typer.Option("--find", help="Only time finding one id in logs of growing length.")] = False,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="Only time taking over, by how much the agent has said.")
    ] = False,
    events: Annotated[
        list[int] | None, typer.Option("--events", min=100, help="With --recovery: own events; may be repeated.")
    ] = None,
    records: Annotated[
        int | None, typer.Option("--records", min=100, help="With --sql (300 000) or --find (1 000 000): records.")
    ] = None,
) -> None:
    """Measure latency, throughput and replay; print each with its ratio to bare confluent-kafka."""
    if planner:
        from infra.bench.planning import measure

        print(json.dumps(measure(), indent=None if as_json else 2))
        return
    from infra.cli.stack import ProgressReport
    from infra.embedded.folders import default_home

    report, home, text = ProgressReport(), default_home() / "bench", ""
    try:
        if sql:
            from infra.bench.asking import Asking

            found = Asking(home / "sql", records or 300_000, report).run()
        elif find:
            from infra.bench.finding import Finding, as_table

            found = Finding(home / "find", records or 1_000_000, report).run()
            text = as_table(found)
        elif recovery:
            from infra.bench import recovering

            took = recovering.Recovering(home / "recovery", events or recovering.EVENTS, report).run()
            found = {"agent": recovering.AGENT, "recovery": [asdict(each) for each in took]}
            text = recovering.table(took)
        else:
            from infra.bench.bench import Bench

            found = Bench(home, sessions, report).run()
    finally:
        report.close()
    print(json.dumps(found) if as_json else text or json.dumps(found, indent=2))
    sys.exit(0)

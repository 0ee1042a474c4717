"""`tape bench`: what the machine does, beside the floor that bare confluent-kafka sets in the same run."""

import json
import sys
from typing import Annotated

import typer


def bench(
    sessions: Annotated[int, typer.Option(min=5, help="Sessions the chain is measured over.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    planner: Annotated[
        bool, typer.Option("--planner", help="Only time plans of 500 symbols and 20 strategies; needs no broker.")
    ] = False,
) -> None:
    """Measure latency, throughput and replay; print each with its ratio to bare confluent-kafka."""
    if planner:
        from infra.bench.planning import measure

        print(json.dumps(measure(), indent=None if as_json else 2))
        return
    from infra.bench.bench import Bench
    from infra.cli.stack import ProgressReport
    from infra.embedded.folders import default_home

    report = ProgressReport()
    try:
        found = Bench(default_home() / "bench", sessions, report).run()
    finally:
        report.close()
    print(json.dumps(found, indent=None if as_json else 2))
    sys.exit(0)

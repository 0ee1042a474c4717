"""`tape run`: ask for a rebalance, as a file says."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer


def run(
    file: Annotated[Path, typer.Argument(help="TOML: account, strategies, and what differs from the usual limits.")],
    as_of: Annotated[
        str | None, typer.Option(help="The valuation instant, ISO 8601 with an offset; left out = now, by TAPE_CLOCK.")
    ] = None,
    name: Annotated[str, typer.Option(help="Your name for it: the same name and instant is the same run.")] = "manual",
    by: Annotated[str, typer.Option(help="Who asks.")] = "operator",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the request as JSON.")] = False,
) -> None:
    """Publish the request for a run and print the run's id; the scheduler judges it.

    Bars are read up to where bars.v1 ends now. Exit code 0 once the request is on the log: what became of it is told by
    tape trace and tape why.
    """
    from infra.clock import clock_of
    from infra.errors import TapeError
    from infra.kafka.log import high_watermarks, partitions_of
    from infra.kafka.publish import Publisher
    from infra.run_file import load
    from infra.settings import Settings
    from schemas.identity import derived
    from schemas.market import Bar
    from schemas.run import PartitionPosition

    said = load(file)
    settings = Settings.load(needs={"bootstrap_servers"})
    servers = settings.bootstrap_servers
    try:
        instant = clock_of(settings)() if as_of is None else datetime.fromisoformat(as_of)
    except ValueError as error:
        raise TapeError(f"--as-of: expected an instant such as 2026-11-20T15:55:00-05:00, was {as_of}") from error
    if instant.tzinfo is None:
        raise TapeError(f"--as-of: expected an offset, such as {as_of}+00:00, was none")
    ends = high_watermarks(servers, partitions_of(servers, [Bar.topic]))
    bars = tuple(PartitionPosition(partition=number, next_offset=at) for (_, number), at in sorted(ends.items()))
    request = said.request(instant, bars, name, by)
    if dry_run:
        print(json.dumps(request.model_dump(mode="json"), indent=2))
        return
    publisher = Publisher(servers, settings.partitions, "cli")
    identity = derived("run-request", request.run_id, request.request_id)
    publisher.publish(request, identity, request.as_of, correlation_id=request.run_id)
    publisher.flush()
    print(request.run_id)

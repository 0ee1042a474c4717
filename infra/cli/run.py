"""`tape run`: ask for a rebalance, as a file says."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import TapeError

if TYPE_CHECKING:
    from infra.settings import Settings
    from schemas.run import PartitionPosition, Run

ANSWER_TIMEOUT_S = 30.0


def run(
    file: Annotated[Path, typer.Argument(help="TOML: account, strategies, and what differs from the usual limits.")],
    as_of: Annotated[
        str | None, typer.Option(help="The valuation instant, ISO 8601 with an offset; left out = now, by TAPE_CLOCK.")
    ] = None,
    name: Annotated[str, typer.Option(help="Your name for it: the same name and instant is the same run.")] = "manual",
    by: Annotated[str, typer.Option(help="Who asks.")] = "operator",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the request as JSON.")] = False,
) -> None:
    """Publish the request for a run, wait for the scheduler's word on it, and print the run's id.

    Bars are read up to where bars.v1 ends now. Exit code 0 when the run is under way, 1 when it was refused or nothing
    was heard of it.
    """
    from infra.kafka.answers import Answers
    from infra.kafka.publish import Publisher
    from infra.run_file import load
    from infra.settings import Settings
    from schemas.identity import derived
    from schemas.run import Run

    said = load(file)
    settings = Settings.load(needs={"bootstrap_servers"})
    servers = settings.bootstrap_servers
    request = said.request(_instant(as_of, settings), _bars_until(servers), name, by)
    if dry_run:
        print(json.dumps(request.model_dump(mode="json"), indent=2))
        return
    identity = derived("run-request", request.model_dump_json())
    answers = Answers(servers, Run)
    publisher = Publisher(servers, settings.partitions, "cli")
    publisher.publish(request, identity, request.as_of, correlation_id=request.run_id)
    publisher.flush()
    print(request.run_id)
    judged = answers.to(identity, ANSWER_TIMEOUT_S)
    if judged is None:
        raise TapeError(
            f"nothing new was said of it within {ANSWER_TIMEOUT_S:.0f} s: it was asked for before in the same words,"
            " or the scheduler does not run; the request stays on the log",
            where=f"{request.topic}, run {request.run_id}",
            next_command=f"tape trace {request.run_id}",
        )
    _tell(judged)


def _tell(judged: Run) -> None:
    """Print warnings; raises TapeError when the run was refused."""
    for warning in judged.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if judged.refusal is not None:
        raise TapeError(
            f"refused, {judged.refusal}: {judged.detail}", next_command="correct the file, and run it again"
        )


def _instant(as_of: str | None, settings: Settings) -> datetime:
    from infra.clock import clock_of

    try:
        instant = clock_of(settings)() if as_of is None else datetime.fromisoformat(as_of)
    except ValueError as error:
        raise TapeError(f"--as-of: expected an instant such as 2026-11-20T15:55:00-05:00, was {as_of}") from error
    if instant.tzinfo is None:
        raise TapeError(f"--as-of: expected an offset, such as {as_of}+00:00, was none")
    return instant


def _bars_until(servers: str) -> tuple[PartitionPosition, ...]:
    from infra.kafka.log import high_watermarks, partitions_of
    from schemas.market import Bar
    from schemas.run import PartitionPosition

    ends = high_watermarks(servers, partitions_of(servers, [Bar.topic]))
    return tuple(PartitionPosition(partition=number, next_offset=at) for (_, number), at in sorted(ends.items()))

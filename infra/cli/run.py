"""`tape run`: ask for a rebalance, as a file says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.tables import print_json
from infra.errors import TapeError

if TYPE_CHECKING:
    from infra.settings import Settings
    from schemas.run import Run

ANSWER_TIMEOUT_S = 30.0

EXAMPLE = """
account_id = "PAPER-1"
valid_for_minutes = 15            # orders are not sent later
deadline_s = 60                   # signals are waited for this long; 0 = without end
[limits]                          # what is left out has the values shown here, or is no limit
trade_value_min = 250
quantity_step = 1                 # 1 = whole shares
weight_total_max = 1
cash_reserve = 0.01               # of equity
is_leverage_allowed = false
initial_margin_rate = 0.5
maintenance_margin_rate = 0.25
is_short_allowed = false
quote_age_max_s = 60
binding = "SCALE"                 # or BLOCK
# and: trade_value_max position_weight_max margin_utilisation_max maintenance_buffer
[rules]
sync_rule = "ALL"                 # or QUORUM (with quorum = 2), DEADLINE
conflict_rule = "SUM"             # or PRIORITY, LAST, FLAG
overlap_policy = "ALLOW"          # or WARN, FORBID
cash_policy = "POOL"              # or PROPORTIONAL, RESERVE
drift_rule = "THRESHOLD"          # or LET_RUN, PERIODIC
drift_threshold = 0.1
is_full_allocation_required = false
[execution]
order_style = "MARKET"            # or LIMIT, MARKETABLE_LIMIT (with limit_offset = 0.002)
is_extended_hours = false
steps_max = 1                     # orders of one leg, should one be canceled from outside
# and: failed_reducing_max
[[strategies]]
strategy_id = "core"
kind = "fixed-weights"
mode = "NETTED"                   # or BOOK
allocation = 0.6
priority = 1
symbols = ["IBM", "MSFT"]
parameters = { IBM = 0.5, MSFT = 0.5 }
# and: weight_total_max position_weight_max trade_value_max
"""
"""A file with every setting there is, and the usual values."""

HELP = f"""Publish the request for a run, wait for the scheduler's word on it, and print the run's id.

Bars are read up to where bars.v1 ends now. Exit code 0 when the run is under way, 1 when it was refused, its account is
not known, or nothing was heard of it. The file may say:

\b
{indent(EXAMPLE.strip(), "  ")}
"""


def run(
    file: Annotated[Path, typer.Argument(help="TOML: account, strategies, and what differs from the usual limits.")],
    as_of: Annotated[
        str | None, typer.Option(help="The valuation instant, ISO 8601 with an offset; left out = now, by TAPE_CLOCK.")
    ] = None,
    name: Annotated[str, typer.Option(help="Your name for it: the same name and instant is the same run.")] = "manual",
    by: Annotated[str, typer.Option(help="Who asks.")] = "operator",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the request as JSON.")] = False,
) -> None:
    """Ask for a run; what a person is told of it is HELP."""
    from infra.kafka.answers import Answers
    from infra.kafka.bars import bars_until
    from infra.kafka.publish import Publisher
    from infra.run_file import load
    from infra.settings import Settings
    from schemas.identity import derived
    from schemas.run import Run

    said = load(file)
    settings = Settings.load(needs={"bootstrap_servers"})
    servers = settings.bootstrap_servers
    request = said.request(_instant(as_of, settings), bars_until(servers), name, by)
    if dry_run:
        print_json(request.model_dump())
        return
    _check_account(settings, request.account_id)
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
    _tell(judged, name)


def _check_account(settings: Settings, account: str) -> None:
    """Raise TapeError for an account that nobody trades in: its run would wait for its broker for ever."""
    from infra.gate_limits import current

    known = sorted({*settings.account_ids, *current(settings.bootstrap_servers)})
    if account not in known:
        raise TapeError(
            f"account {account} is not known: no limits were ever set for it, and without them no order is let pass",
            where=f"known are {', '.join(known)}" if known else "no account has limits",
            next_command=f"correct account_id in the file, or tape limits set FILE for {account}",
        )


def _tell(judged: Run, name: str) -> None:
    """Print warnings; raises TapeError when the run was refused."""
    from schemas.run import RunRefusal

    for warning in judged.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if judged.refusal is not None:
        other_name = f"tape run FILE --name OTHER; {name!r} names what was asked for before"
        is_named_twice = judged.refusal is RunRefusal.DIFFERENT_REQUEST
        raise TapeError(
            f"refused, {judged.refusal}: {judged.detail}",
            next_command=other_name if is_named_twice else "correct the file, and run it again",
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


run.__doc__ = HELP

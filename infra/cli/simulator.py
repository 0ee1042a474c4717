"""`tape simulator`: a local Alpaca to trade against."""

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.tables import print_table
from infra.errors import TapeError
from infra.simulator.server import serve
from infra.simulator.settings import SimulatorSettings, SimulatorUrls, Terms


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"expected an amount in dollars, was {text}") from error
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"expected an amount of 0 or more, was {text}")
    return amount


def _print_json(urls: SimulatorUrls) -> None:
    print(json.dumps(asdict(urls)), flush=True)


def _print_table(urls: SimulatorUrls) -> None:
    print_table(["simulator", "is"], [[name, value] for name, value in asdict(urls).items()])


def run(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    cash: Annotated[str, typer.Option(help="Opening deposit of a new account, in dollars.")] = "100000",
    seed: Annotated[str, typer.Option(help="Of a new account: another one fills other orders in chunks.")] = "",
    state: Annotated[Path, typer.Option(help="Folder of the journal; an account found there goes on.")] = Path(
        ".tape/simulator"
    ),
    recording: Annotated[
        Path | None, typer.Option(help="Folder of a recorded market that happens as the clock moves.", exists=True)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it is as one line of JSON.")] = False,
) -> None:
    """Run the local Alpaca simulator until SIGTERM or Ctrl-C; prints where it is, and its keys, when it is ready."""
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TapeError(f"--state: {state} is no folder that can be made or used: {error.strerror}") from error
    terms = Terms(cash=_dollars(cash), seed=seed)
    settings = SimulatorSettings(state=state, port=port, recording=recording, terms=terms)
    raise typer.Exit(serve(settings, _print_json if as_json else _print_table))

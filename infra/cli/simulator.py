"""`tape simulator`: a local Alpaca to trade against."""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from infra.simulator.server import serve
from infra.simulator.settings import SimulatorSettings, Terms


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise typer.BadParameter(f"expected an amount in dollars, was {text}") from error
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"expected an amount of 0 or more, was {text}")
    return amount


def run(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    data: Annotated[Path, typer.Option(help="Folder of the journal; an account found there goes on.")] = Path(
        ".tape/simulator"
    ),
    cash: Annotated[str, typer.Option(help="Opening deposit of a new account, in dollars.")] = "100000",
) -> None:
    """Run the local Alpaca simulator until SIGTERM; prints one JSON line with its addresses when ready."""
    terms = Terms(cash=_dollars(cash))
    raise typer.Exit(serve(SimulatorSettings(data=data, port=port, terms=terms)))

"""`tape halt` and `tape resume`: stop trading, and go on."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from infra.alpaca.hard import Step

Hard = Annotated[bool, typer.Option("--hard", help="Straight at the broker, without Kafka and PostgreSQL.")]
By = Annotated[str, typer.Option(help="Who asks.")]
BY_HAND = "halted by hand"


def halt(
    reason: Annotated[str | None, typer.Option(help="Why, for whoever finds trading halted.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Only orders this strategy has a part in.")] = None,
    account: Annotated[str | None, typer.Option(help="In this account; needed where there are several.")] = None,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Let orders pass that bring a position nearer to zero.")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the open orders in its scope, too.")] = False,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="It ends by itself then, ISO 8601 with an offset.")
    ] = None,
    by: By = "operator",
    as_json: Annotated[bool, typer.Option("--json", help="Print the halt as JSON.")] = False,
    hard: Hard = False,
) -> None:
    """Stop trading in an account, a symbol or a strategy: the gateway lets no new order of it pass.

    The request is put on the log, and the gateway's word is waited for; orders that are under way are named. With
    --hard, and nothing else, all of the account is stopped at the broker: new orders are refused there, open ones
    canceled, positions stay. Exits with 1 when nothing was heard, or a part of --hard failed.
    """
    if hard:
        if symbol or strategy or account or reduce_only or cancel or until or as_json:
            raise typer.BadParameter("stops everything at the broker; it goes with --reason only", param_hint="--hard")
        _halt_hard(reason or BY_HAND)
        return
    if symbol and strategy:
        raise typer.BadParameter("expected a symbol or a strategy, was both", param_hint="--symbol, --strategy")
    from infra.cli.asking import settings_of_kafka
    from infra.cli.halt_request import Wish, ask_halt, told
    from infra.cli.known import warn_of_halt

    wish = Wish(
        (reason or "").strip() or BY_HAND,
        by,
        symbol.strip().upper() if symbol else None,
        strategy,
        reduce_only,
        cancel,
        None if until is None else _instant(until),
    )
    settings = settings_of_kafka("tape halt --hard, which needs no Kafka")
    said = ask_halt(settings, account, wish)
    print(said.model_dump_json(indent=2) if as_json else told(said))
    warn_of_halt(settings, said.account_id, wish.symbol, wish.strategy)


def resume(
    halt_id: Annotated[str | None, typer.Argument(metavar="HALT_ID", help="The first digits will do.")] = None,
    reason: Annotated[str, typer.Option(help="Why trading may go on.")] = "",
    by: By = "operator",
    as_json: Annotated[bool, typer.Option("--json", help="Print the gateway's word as JSON.")] = False,
    hard: Hard = False,
) -> None:
    """End a halt; tape halts shows them. With --hard, let the broker take orders again after a halt --hard.

    Exits with 1 when it was refused, nothing was heard, or a part of --hard failed.
    """
    if hard:
        if halt_id is not None:
            raise typer.BadParameter("ends what is halted at the broker, no halt of the log", param_hint="--hard")
        _resume_hard()
        return
    if halt_id is None:
        raise typer.BadParameter("expected the halt that ends: tape halts", param_hint="HALT_ID")
    from infra.cli.asking import settings_of_kafka
    from infra.cli.halt_request import ask_resume, halt_meant, said_halts, told

    settings = settings_of_kafka()
    said = ask_resume(settings, halt_meant(said_halts(settings), halt_id), reason, by)
    print(said.model_dump_json(indent=2) if as_json else told(said))


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected 2026-11-20T15:55:00-05:00, was {text}", param_hint="--until") from error
    if at.tzinfo is None:
        raise typer.BadParameter(f"expected an offset, such as {text}+00:00, was none", param_hint="--until")
    return at


def _halt_hard(reason: str) -> None:
    from infra.alpaca.hard import hard_halt
    from infra.errors import TapeError
    from infra.settings import Settings

    try:
        settings = Settings.at_hand()
    except TapeError:
        _halt_this_machine(reason)  # settings that cannot be read still leave the file, which needs none
        raise
    _shown(hard_halt(settings, reason), "tape halt --hard again; the broker's own web page can do the same")


def _halt_this_machine(reason: str) -> None:
    """Write the halt file where it lies unless a setting says otherwise."""
    import os
    from pathlib import Path

    from infra import halt_file
    from infra.embedded.folders import default_home

    file = Path(os.environ.get("TAPE_HALT_FILE") or Path(os.environ.get("TAPE_HOME") or default_home()) / "halt")
    halt_file.halt(file, reason)
    print(f"{'done':<8}{'halt file':<22}{file}: {reason}", flush=True)


def _resume_hard() -> None:
    from infra.alpaca.hard import hard_resume
    from infra.settings import Settings

    _shown(hard_resume(Settings.at_hand()), "tape resume --hard again")


def _shown(steps: "Iterator[Step]", next_command: str) -> None:
    failed: list[str] = []
    for step in steps:
        print(f"{'done' if step.is_done else 'FAILED':<8}{step.what:<22}{step.detail}", flush=True)
        for row in step.rows:
            print(f"{'':<8}{row}")
        failed += [] if step.is_done else [step.what]
    if failed:
        print(f"tape: failed: {', '.join(failed)}\n  next:  {next_command}", file=sys.stderr)
        raise typer.Exit(1)

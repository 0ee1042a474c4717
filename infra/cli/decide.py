"""`tape decide`: a person says what counts where strategies of a run disagree on a symbol."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import TapeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from schemas.portfolio import Conflict, ConflictChoice, ConflictDecision, ConflictOutcome, Portfolio
    from topics.wire import Incoming

ANSWER_TIMEOUT_S = 30.0


def decide(
    run: Annotated[str, typer.Argument(help="The run that flagged the conflict; the first digits of its id will do.")],
    symbol: Annotated[str, typer.Argument(help="The symbol in conflict; upper case or not.")],
    by: Annotated[str, typer.Option(help="Who decides.")],
    take: Annotated[str | None, typer.Option(metavar="STRATEGY", help="Let this strategy's wish alone count.")] = None,
    total: Annotated[bool, typer.Option("--sum", help="Let all wishes count, summed.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Keep what is held; nothing is traded.")] = False,
    reason: Annotated[str, typer.Option(help="Why, in your words; it is kept with the decision.")] = "",
    valid_for: Annotated[int, typer.Option(metavar="MINUTES", min=1, help="Orders are sent up to then.")] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Decide a conflict that a run has flagged: take one strategy's wish, the sum of all, or hold.

    The decision is put on the log and judged there; its outcome is waited for. What is traded is a run of its own,
    about this symbol alone. Exit code 0 when the decision was accepted, 1 when not.
    """
    from infra.clock import clock_of
    from infra.kafka.answers import Answers
    from infra.kafka.log import read_all
    from infra.kafka.publish import Publisher
    from infra.settings import Settings
    from schemas.identity import derived
    from schemas.portfolio import ConflictOutcome, Portfolio

    choice = chosen(take, total, hold)
    if not by.strip():
        raise typer.BadParameter("expected a name, was none", param_hint="--by")
    settings = Settings.load(needs={"bootstrap_servers"})
    servers = settings.bootstrap_servers
    portfolio = flagged(read_all(servers, [Portfolio.topic]), run)
    now = clock_of(settings)()
    decision = decision_on(portfolio, symbol.upper(), choice, take, by, reason, now + timedelta(minutes=valid_for))
    identity = derived("conflict-decision", *decision.model_dump().values())
    answers = Answers(servers, ConflictOutcome)
    publisher = Publisher(servers, settings.partitions, "cli")
    publisher.publish(decision, identity, now, correlation_id=decision.run_id)
    publisher.flush()
    outcome = answers.to(identity, ANSWER_TIMEOUT_S)
    if outcome is None:
        raise TapeError(
            f"the collector has not answered within {ANSWER_TIMEOUT_S:.0f} s; the decision stays on the log and is "
            "judged when it runs",
            where=f"{decision.topic}, run {decision.run_id}, {decision.symbol}",
            next_command="tape status",
        )
    print(outcome.model_dump_json(indent=2) if as_json else told(outcome))
    raise typer.Exit(0 if outcome.status == "ACCEPTED" else 1)


def chosen(take: str | None, total: bool, hold: bool) -> ConflictChoice:
    """Return what was chosen; anything but exactly one choice is wrong usage."""
    from schemas.portfolio import ConflictChoice

    options = {ConflictChoice.TAKE: take is not None, ConflictChoice.SUM: total, ConflictChoice.HOLD: hold}
    found = [choice for choice, is_chosen in options.items() if is_chosen]
    if len(found) != 1:
        named = " and ".join(f"--{each.lower()}" for each in found) or "none of them"
        raise typer.BadParameter(f"expected one of --take STRATEGY, --sum and --hold, was {named}")
    return found[0]


def flagged(records: Iterable[Incoming], run: str) -> Portfolio:
    """Return the portfolio of the run whose id begins so; raises TapeError when there is none, or more than one."""
    from schemas.portfolio import Portfolio
    from topics.codec import decode

    found = {each.key: each for each in records if run and (each.key or b"").startswith(run.lower().encode())}
    if len(found) != 1:
        ids = ", ".join(sorted((key or b"").decode() for key in found)) or "none"
        raise TapeError(
            f"expected one run with a portfolio whose id begins with {run!r}, was {ids}",
            where=Portfolio.topic,
            next_command=f"tape tail {Portfolio.topic}",
        )
    record = decode(next(iter(found.values()))).record
    if not isinstance(record, Portfolio):
        raise TypeError(f"expected a Portfolio in {Portfolio.topic}, was {type(record).__name__}")
    return record


def decision_on(
    portfolio: Portfolio,
    symbol: str,
    choice: ConflictChoice,
    strategy_id: str | None,
    decided_by: str,
    reason: str,
    valid_until: datetime,
) -> ConflictDecision:
    """Return the decision; raises TapeError when the run did not flag the symbol or the strategy has no wish in it.

    Whether it still stands (decided before, or a newer run) is judged on the log, not here.
    """
    from schemas.portfolio import ConflictDecision

    open_ones = {each.symbol: each for each in portfolio.content.conflicts if each.is_open}
    place = f"run {portfolio.run_id}"
    if symbol not in open_ones:
        listed = ", ".join(open_ones) or "none"
        command = f"tape why {symbol} --run {portfolio.run_id}"
        raise TapeError(
            f"expected a symbol this run flagged ({listed}), was {symbol}", where=place, next_command=command
        )
    wishes = {each.strategy_id for each in open_ones[symbol].wishes}
    if strategy_id is not None and strategy_id not in wishes:
        listed = _wishes(open_ones[symbol])
        raise TapeError(f"expected a strategy with a wish for {symbol} ({listed}), was {strategy_id}", where=place)
    return ConflictDecision(
        account_id=portfolio.account_id,
        run_id=portfolio.run_id,
        symbol=symbol,
        choice=choice,
        strategy_id=strategy_id,
        decided_by=decided_by,
        reason=reason,
        valid_until=valid_until,
    )


def told(outcome: ConflictOutcome) -> str:
    """Return an outcome in words, with what to look at next."""
    what = outcome.choice if outcome.strategy_id is None else f"{outcome.choice} {outcome.strategy_id}"
    lines = [f"{outcome.status}: {outcome.symbol} of run {outcome.run_id}: {what}, by {outcome.decided_by}"]
    if outcome.follow_up_run_id is not None:
        lines += [
            f"  it is traded as run {outcome.follow_up_run_id}",
            f"  next:  tape trace {outcome.follow_up_run_id}",
        ]
    elif outcome.status != "ACCEPTED":
        lines += [f"  {WHY_NOT[outcome.status]}", f"  next:  tape trace {outcome.run_id}"]
    return "\n".join(lines)


WHY_NOT: Mapping[str, str] = {
    "UNKNOWN_CONFLICT": "the collector knows of no such conflict that is open",
    "SUPERSEDED": "a newer run of the account was formed since; what the strategies want now is in that one",
    "DUPLICATE": "it was decided before, and is decided once",
    "UNKNOWN_STRATEGY": "nobody of that name has a wish in this conflict",
}


def _wishes(conflict: Conflict) -> str:
    return ", ".join(f"{each.strategy_id} {each.weight.normalize():f}" for each in conflict.wishes)

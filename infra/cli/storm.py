"""`tape storm`: what must hold, while workers are killed and the broker's answers are lost."""

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from infra.storm.plain_loop import LoopResult
    from infra.storm.result import StormResult
    from infra.storm.weather import Weather

SHOWN_MAX = 5


def storm(
    at_broker: Annotated[
        bool, typer.Option("--at-broker", help="Thousands of orders while the broker's answers are lost and broken.")
    ] = False,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions to trade; without --at-broker.")] = 60,
    orders: Annotated[int, typer.Option(min=1, help="With --at-broker: how many orders are sent at least.")] = 10_000,
    faults: Annotated[
        float, typer.Option(min=0, max=0.9, help="With --at-broker: the share of answers that are lost or broken.")
    ] = 0.3,
    kills: Annotated[
        int | None, typer.Option(min=0, help="How many workers are killed with kill -9; 20, 100 with --at-broker.")
    ] = None,
    symbols: Annotated[int, typer.Option(min=2, help="With --at-broker: orders of one run, about.")] = 500,
    seed: Annotated[int, typer.Option(help="Which workers are killed, and what goes wrong.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")] = False,
) -> None:
    """Run the demo twice, undisturbed and with workers killed, and compare the books.

    With --at-broker: send thousands of orders while answers are lost, delayed or broken, the stream has gaps, and
    gateway, executor and broker are killed; then verify every claim, and do the same to a plain loop around alpaca-py.
    Exit code 0 only if everything holds.
    """
    if at_broker:
        _at_broker(orders, faults, 100 if kills is None else kills, symbols, seed, as_json)
    else:
        _workers(sessions, 20 if kills is None else kills, seed, as_json)


def _workers(sessions: int, kills: int, seed: int, as_json: bool) -> None:
    from infra.cli.demo import run_demo
    from infra.demo.demo import Wishes
    from infra.embedded.folders import default_home

    home = default_home() / "storm"
    calm = run_demo(Wishes(home / "calm", sessions), quiet=as_json)
    killed = run_demo(Wishes(home / "killed", sessions, kills, seed), quiet=as_json)
    found = {
        "calm": calm.as_json(),
        "killed": killed.as_json(),
        "same_ledger": calm.ledger_hash == killed.ledger_hash,
        "same_orders": calm.reckoning.client_order_ids == killed.reckoning.client_order_ids,
    }
    if as_json:
        print(json.dumps(found))
    else:
        _show_workers(found)
    good = calm.holds and killed.holds and found["same_ledger"] and found["same_orders"] and killed.kills >= kills
    sys.exit(0 if good else 1)


def _show_workers(found: dict[str, Any]) -> None:
    for name in ("calm", "killed"):
        run = found[name]
        decisions, seconds = run["decisions"], run["seconds"]
        print(
            f"{name:<7} {run['kills']:>3} kills  {run['orders']} orders at the broker, "
            f"{run['broker']['duplicate_client_order_ids']} doubled, "
            f"{decisions['identical']}/{decisions['total']} decisions identical, {seconds['run']} s, "
            f"ledger {run['ledger']['hash'][:16]}"
        )
    print(f"same ledger: {found['same_ledger']}, same orders: {found['same_orders']}")


def _at_broker(orders: int, faults: float, kills: int, symbols: int, seed: int, as_json: bool) -> None:
    from infra.cli.stack import ProgressReport
    from infra.embedded.folders import default_home
    from infra.storm.boundary import BoundaryStorm, StormWishes
    from infra.storm.control import beside
    from infra.storm.weather import Weather

    home = default_home() / "storm-at-broker"
    rate = Decimal(str(faults))
    weather = Weather(rate, rate / 3, f"storm-{seed}")
    report = ProgressReport()
    try:
        result = BoundaryStorm(StormWishes(home / "tape", orders, kills, weather, symbols), report).run()
        loop = beside(home / "loop", weather, orders)
    finally:
        report.close()
    if as_json:
        print(json.dumps({**result.as_json(), "plain_loop": vars(loop)}))
    else:
        _show_at_broker(result, loop, weather)
    sys.exit(0 if result.holds and result.kills >= kills else 1)


def _show_at_broker(result: "StormResult", loop: "LoopResult", weather: "Weather") -> None:
    from infra.cli.tables import print_table

    total = sum(result.struck.values())
    print(f"{total} faults injected ({weather.answers:%} of answers, {weather.stream:.0%} of stream messages):")
    for kind, count in sorted(result.struck.items()):
        print(f"  {kind.value:<24} {count}")
    ended = ", ".join(f"{count} {how}" for how, count in sorted(result.runs.items()))
    print(f"{result.kills} workers killed with kill -9; {sum(result.runs.values())} runs: {ended}")
    rows = [[each.claim, str(each.checked), str(len(each.findings)), each.says] for each in result.claims]
    print_table(("claim", "checked", "broken", "says"), rows, numbers=("checked", "broken"))
    for each in result.claims:
        for text in each.findings[:SHOWN_MAX]:
            print(text)
    verdict, sent = result.verdict, result.sent
    print(f"{verdict.identical}/{verdict.decisions} decisions identical, {len(verdict.damages)} damages")
    compared = [
        ["tradetape", *map(str, (sent.wanted, sent.orders, sent.doubled, sent.missing))],
        ["plain alpaca-py loop", *map(str, (loop.wanted, loop.at_broker, loop.doubled, loop.missing))],
    ]
    numbers = ("wanted", "at the broker", "doubled", "missing")
    print_table(("the same weather", *numbers), compared, numbers=numbers)
    print("everything holds" if result.holds else "something does not hold")

"""What an account and each strategy may come to hold, with everything under way counted at its worst."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from agents.gateway import decider as gateway
from agents.testing import Story, given
from schemas.gate import StrategyGateLimits
from schemas.identity import derived
from schemas.order import IntentAction, Phase, Side
from tests.agents.gateway.asking import filled, order, passes, sent, verdict
from tests.agents.gateway.words import AS_OF, checked, intent, limited, silent
from tests.made import contribution

MOMENT = timedelta(microseconds=1)


# --- what the account holds


def positions_limited(value: str = "16818") -> Story:
    """Return an account that may hold thirty shares of a symbol at 560.6."""
    return given(gateway, limited(position_value_max=Decimal(value), gross_value_max=Decimal(value)))


def test_what_is_held_and_what_is_on_its_way_count_together() -> None:
    story = sent(positions_limited(), order("first", qty="10"), checked({"AAPL": "10"}))

    assert passes(sent(story, order("second", qty="10"), checked({"AAPL": "10"})))
    assert verdict(sent(story, order("second", qty="11"), checked({"AAPL": "10"}))) == "REFUSED POSITION_VALUE_MAX"


def test_an_order_that_ended_after_the_reading_counts_whole_and_one_that_ended_before_it_does_not() -> None:
    """Executions of the first order are of 15:56:00.123456."""
    story = filled(sent(positions_limited(), order("first", qty="10")), "first", "10")
    ended_at = datetime.fromisoformat("2012-06-01T15:56:00.123456+00:00")
    before, after = (ended_at + step for step in (timedelta(0), MOMENT))

    both = checked({"AAPL": "10"}, at=before)
    assert verdict(sent(story, order("second", qty="11"), both, at=before)) == "REFUSED POSITION_VALUE_MAX"
    assert passes(sent(story, order("second", qty="20"), checked({"AAPL": "10"}, at=after), at=after))


def test_the_clock_that_is_behind_says_what_is_in_the_reading() -> None:
    story = filled(sent(positions_limited(), order("first", qty="10")), "first", "10")
    later = AS_OF + timedelta(minutes=10)
    behind = {"timestamp": "2012-06-01T15:56:00Z", "is_open": True}
    reading = checked({"AAPL": "10"}, at=later, clock=behind)

    assert verdict(sent(story, order("second", qty="20"), reading, at=later)) == "REFUSED POSITION_VALUE_MAX"


def test_an_unknown_order_keeps_its_capital() -> None:
    story = sent(positions_limited(), order("first", qty="20", symbol="MSFT"))
    story = story.when(silent().model_copy(update={"client_order_id": "first"}))

    assert verdict(sent(story, order("second", qty="11"))) == "REFUSED GROSS_VALUE_MAX"
    assert passes(sent(story, order("second", qty="10")))


@pytest.mark.parametrize("is_long", [True, False])
def test_an_order_that_only_reduces_passes_whatever_is_held(is_long: bool) -> None:
    held, side = ("1000", Side.SELL) if is_long else ("-1000", Side.BUY)
    strategies = (StrategyGateLimits(strategy_id="core", position_value_max=Decimal(1), gross_value_max=Decimal(1)),)
    limits = limited(position_value_max=Decimal(1), gross_value_max=Decimal(1), strategies=strategies)
    owned = {"position": Decimal(held), "gross_value": Decimal(560_500)}
    story = given(gateway, limits)

    assert passes(sent(story, order("exit", qty="1000", side=side, owned=owned), checked({"AAPL": held})))
    beyond = order("beyond", qty="1000.000000001", side=side, owned=owned)
    assert verdict(sent(story, beyond, checked({"AAPL": held}))) == "REFUSED GROSS_VALUE_MAX"


def test_two_orders_never_reduce_the_same_shares() -> None:
    story = sent(positions_limited("1"), order("first", qty="600", side=Side.SELL), checked({"AAPL": "1000"}))
    reading = checked({"AAPL": "1000"})

    assert passes(sent(story, order("second", qty="400", side=Side.SELL), reading))
    more = order("second", qty="401", side=Side.SELL)
    assert verdict(sent(story, more, reading)) == "REFUSED POSITION_VALUE_MAX"


def test_shorts_count_as_longs_do() -> None:
    """Thirty shares at 560.5, which the broker says: more than the bid of 560.4."""
    story = given(gateway, limited(position_value_max=Decimal(16815)))

    assert passes(sent(story, order("short", qty="20", side=Side.SELL), checked({"AAPL": "-10"})))
    more = order("more", qty="20.000000001", side=Side.SELL)
    assert verdict(sent(story, more, checked({"AAPL": "-10"}))) == "REFUSED POSITION_VALUE_MAX"


def test_all_symbols_count_together() -> None:
    """Ten shares of MSFT at 560.5 and ten of AAPL at 560.6."""
    story = given(gateway, limited(gross_value_max=Decimal(11211)))

    assert passes(sent(story, order("one", qty="10"), checked({"MSFT": "-10"})))
    more = order("two", qty="10.000000001")
    assert verdict(sent(story, more, checked({"MSFT": "-10"}))) == "REFUSED GROSS_VALUE_MAX"


# --- what a strategy owns


def strategies_limited(position: str | None = None, gross: str | None = None) -> Story:
    limits = StrategyGateLimits(
        strategy_id="core",
        position_value_max=None if position is None else Decimal(position),
        gross_value_max=None if gross is None else Decimal(gross),
    )
    return given(gateway, limited(strategies=(limits,)))


def owned(position: str, gross: str = "0") -> dict[str, Decimal]:
    return {"position": Decimal(position), "gross_value": Decimal(gross)}


def test_what_a_strategy_owned_and_what_it_orders_count_together() -> None:
    story = strategies_limited(position="11212")

    assert passes(sent(story, order("at", qty="10", owned=owned("10"))))
    more = order("more", qty="10.000000001", owned=owned("10"))
    assert verdict(sent(story, more)) == "REFUSED STRATEGY_POSITION_VALUE_MAX"
    other = order("other", qty="99", book="trend", contributions=(contribution("trend", Side.BUY, "99"),))
    assert passes(sent(story, other))


def test_in_a_netted_order_a_strategy_counts_with_its_part() -> None:
    """Six of ten shares are core's: 6 x 560.6."""
    assert passes(sent(strategies_limited(position="3363.6"), intent()))
    assert verdict(sent(strategies_limited(position="3363.59"), intent())) == "REFUSED STRATEGY_POSITION_VALUE_MAX"


def test_all_symbols_of_a_plan_count_for_a_strategy() -> None:
    """It owned shares for 1,000 dollars, and orders ten and ten more."""
    story = strategies_limited(gross="12212")
    plan = derived("plan", "both")
    first = sent(story, order("first", qty="10", plan_id=plan, owned=owned("0", "1000")))
    second = order("second", qty="10", symbol="MSFT", plan_id=plan, owned=owned("0", "1000"))
    more = order("second", qty="10.000000001", symbol="MSFT", plan_id=plan, owned=owned("0", "1000"))

    assert passes(sent(first, second))
    assert verdict(sent(first, more)) == "REFUSED STRATEGY_GROSS_VALUE_MAX"


def test_a_strategy_may_buy_for_what_it_has_sold_once_that_is_executed() -> None:
    """It owned ten shares of AAPL at 560.5, and sells them to buy ten of MSFT."""
    story = strategies_limited(gross="5606")
    plan = derived("plan", "turn")
    sell = order("sell", qty="10", side=Side.SELL, plan_id=plan, owned=owned("10", "5605"), phase=Phase.REDUCING)
    buy = order("buy", qty="10", symbol="MSFT", plan_id=plan, owned=owned("0", "5605"))
    selling = sent(story, sell, checked({"AAPL": "10"}))

    assert verdict(sent(selling, buy)) == "REFUSED STRATEGY_GROSS_VALUE_MAX"
    assert passes(sent(filled(selling, "sell", "10"), buy, checked(at=AS_OF + timedelta(minutes=2))))


def test_a_cross_counts_for_the_strategies_that_change_shares() -> None:
    """Ten shares at 560.5: core buys, trend sells."""
    cross = intent(IntentAction.CROSS, qty="10")

    assert verdict(strategies_limited(position="5605").when(cross, at=AS_OF)) == "TRADE"
    assert (
        verdict(strategies_limited(position="5604.99").when(cross, at=AS_OF)) == "REFUSED STRATEGY_POSITION_VALUE_MAX"
    )
    assert verdict(strategies_limited(gross="5604.99").when(cross, at=AS_OF)) == "REFUSED STRATEGY_GROSS_VALUE_MAX"

    crossed = strategies_limited(position="11212").when(cross, at=AS_OF)
    own = {"plan_id": cross.order.plan_id, "book": "net"}
    assert passes(sent(crossed, order("at", qty="10", reference_price=Decimal("560.5"), **own)))
    assert verdict(sent(crossed, order("more", qty="11", **own))) == "REFUSED STRATEGY_POSITION_VALUE_MAX"

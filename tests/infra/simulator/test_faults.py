"""Which requests suffer, and how it is counted: the same seed always draws the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from infra.simulator.fault_ledger import FaultLedger
from infra.simulator.faults import HEALING, NEW_ORDER, STREAM_FAULTS, Fault, FaultKind, FaultProfile, can_strike
from infra.simulator.rate_limit import RateLimit

TEXTS = [NEW_ORDER, "GET /v2/account", "GET /v2/orders:by_client_order_id", "DELETE /v2/orders/1", "EVENT fill"]
RATES = st.decimals(0, 1, places=3)
ARRIVALS = st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from(["", "a", "b"])), max_size=60)


@given(rate=RATES, seed=st.text(max_size=5), arrivals=ARRIVALS)
def test_the_same_run_suffers_the_same(rate: Decimal, seed: str, arrivals: list[tuple[str, str]]) -> None:
    runs = []
    for _ in range(2):
        ledger = FaultLedger()
        ledger.stand([FaultProfile(rate=rate, seed=seed)])
        runs.append([ledger.next(*arrival) for arrival in arrivals])

    assert runs[0] == runs[1]


@given(rate=RATES, arrivals=ARRIVALS)
def test_what_was_struck_is_what_is_counted(rate: Decimal, arrivals: list[tuple[str, str]]) -> None:
    ledger = FaultLedger()
    ledger.stand([FaultProfile(rate=rate, seed="counted")])
    ledger.order([Fault(kind=FaultKind.HTTP_500, match="GET *", times=2)])

    struck = [(text, fault) for text, name in arrivals if (fault := ledger.next(text, name)) is not None]

    assert sum(ledger.totals().values()) == len(struck)
    assert all(can_strike(fault.kind, text) for text, fault in struck)
    (_, count) = ledger.ordered()[0]
    assert count == min(2, sum(text.startswith("GET ") for text, _ in arrivals))


@given(text=st.sampled_from(TEXTS), names=st.lists(st.text(max_size=4), max_size=30))
def test_a_rate_of_none_strikes_nobody_and_a_rate_of_one_everybody(text: str, names: list[str]) -> None:
    never, always = FaultProfile(rate=Decimal(0)), FaultProfile(rate=Decimal(1))

    assert all(never.drawn(text, name, 0) is None for name in names)
    assert all(always.drawn(text, name, 0) is not None for name in names)


def test_about_the_share_asked_for_suffers_and_every_kind_occurs() -> None:
    profile = FaultProfile(rate=Decimal("0.3"), seed="share")

    drawn = [profile.drawn(NEW_ORDER, str(n), 0) for n in range(2000)]

    struck = [fault.kind for fault in drawn if fault is not None]
    assert 540 <= len(struck) <= 660
    assert set(struck) == {kind for kind in HEALING if can_strike(kind, NEW_ORDER)}
    assert FaultKind.GHOST_ID not in struck


def test_a_repetition_of_a_request_draws_anew() -> None:
    profile = FaultProfile(rate=Decimal("0.5"))

    assert len({profile.drawn(NEW_ORDER, "a", count) is None for count in range(20)}) == 2


def test_only_streams_suffer_what_befalls_streams() -> None:
    assert {kind for kind in FaultKind if can_strike(kind, "DATA quotes AAPL")} == STREAM_FAULTS
    assert {kind for kind in FaultKind if can_strike(kind, "EVENT fill")} == STREAM_FAULTS - {FaultKind.STREAM_ERROR}
    assert not any(can_strike(kind, "GET /v2/account") for kind in STREAM_FAULTS)
    assert not can_strike(FaultKind.INVISIBLE, "GET /v2/orders")
    assert not can_strike(FaultKind.HTTP_404, "GET /v2/account")


def test_ordered_troubles_come_first_and_in_their_order() -> None:
    ledger = FaultLedger()
    ledger.stand([FaultProfile(rate=Decimal(1), kinds=(FaultKind.HTTP_500,))])
    ledger.order([Fault(kind=FaultKind.HTTP_429, match="POST *"), Fault(kind=FaultKind.HTTP_503)])

    kinds = [fault.kind for _ in range(3) if (fault := ledger.next(NEW_ORDER, "a")) is not None]

    assert kinds == [FaultKind.HTTP_429, FaultKind.HTTP_503, FaultKind.HTTP_500]


def test_a_limit_begins_anew_with_each_minute() -> None:
    times = iter([datetime(2026, 1, 2, 15, 0, tzinfo=UTC) + timedelta(seconds=s) for s in (0, 1, 59, 60, 61)])
    limit = RateLimit(lambda: next(times))

    counted = [limit.count(2) for _ in range(5)]

    assert [each.is_exceeded for each in counted] == [False, False, True, False, False]
    assert [each.remaining for each in counted] == [1, 0, 0, 1, 0]
    assert counted[0].reset == datetime(2026, 1, 2, 15, 1, tzinfo=UTC).timestamp()
    assert counted[0].headers(429)["X-RateLimit-Remaining"] == "0"

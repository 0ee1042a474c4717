"""What a replay wants of the log: a run, a span of time, a strategy."""

from infra.replay.scope import Scope
from infra.replay.seen import Seen
from schemas.record import Envelope
from schemas.signal import SignalReceipt
from tests.infra.runtime.paper import written
from tests.infra.runtime.toy import inputs
from topics.codec import Event
from topics.wire import Incoming


def record(at: int = 0, value: bytes = b"\x00", **headers: str) -> Seen:
    named = tuple((name, text.encode()) for name, text in headers.items())
    return Seen(Incoming("signals.v1", 0, 0, at, b"key", value, named))


def test_everything_is_wanted_when_nothing_is_said() -> None:
    assert Scope().wants(record())


def test_a_run_is_wanted_by_its_correlation_id() -> None:
    scope = Scope("run-1")
    assert scope.wants(record(correlation_id="run-1"))
    assert not scope.wants(record(correlation_id="run-2"))
    assert not scope.wants(record())


def test_a_span_of_time_has_its_beginning_and_not_its_end() -> None:
    scope = Scope(since_ms=10, until_ms=20)
    assert [at for at in (9, 10, 19, 20) if scope.wants(record(at))] == [10, 19]


def test_a_record_is_about_a_strategy_that_it_names_as_an_owner_and_not_in_a_configuration() -> None:
    scope = Scope(strategy="trend")
    assert not scope.wants(record(value=b"about trend, and unreadable"))
    for each in written(inputs(3)).records:
        assert not scope.wants(Seen(each))


def test_a_strategy_is_found_however_deep_it_is_named() -> None:
    receipt = SignalReceipt.model_construct(strategy_id="trend")
    seen = record(value=b"...trend...")
    seen.know(Event("signal-receipts.v1", Envelope.model_construct(), receipt))
    assert Scope(strategy="trend").wants(seen)
    assert not Scope(strategy="core").wants(seen)

"""The clock remembers what it waits for, and nothing of what is over."""

from datetime import timedelta
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from agents.clock import memory
from agents.clock.memory import Waiting, due_id, waiting_id
from agents.declaration import Fact
from agents.testing import remembered
from infra.runtime.state_form import form_of_states
from schemas.identity import derived
from schemas.record import Envelope
from schemas.run import ClockReading
from tests import made

DUE = made.AS_OF + timedelta(minutes=5)
FORM = form_of_states(memory)


def said(number: int, *, is_due: bool, is_at_once: bool = False) -> Fact:
    """Return one of the two readings for a run; one that is due at once is the only one, and follows from the run."""
    run_id = derived("run", number)
    at = DUE if is_due else made.AS_OF
    reading = ClockReading(account_id=made.ACCOUNT, run_id=run_id, due_at=DUE, read_at=at)
    identity = due_id(reading) if is_due else waiting_id(reading)
    cause = waiting_id(reading) if is_due and not is_at_once else derived("asked", number)
    return Fact(
        reading, Envelope(event_id=identity, correlation_id=run_id, causation_id=cause, occurred_at=reading.read_at)
    )


pairs = [(said(number, is_due=False), said(number, is_due=True)) for number in range(5)]
histories = st.permutations([*chain.from_iterable(pairs), said(5, is_due=True, is_at_once=True)])


@given(histories, st.integers(0, 11))
def test_in_whatever_order_it_was_said_what_is_waited_for_is_what_was_said_once(history: list[Fact], cut: int) -> None:
    state = remembered(memory, history[:cut])
    firsts = {first.record.run_id for first, second in pairs if first in history[:cut] and second not in history[:cut]}  # type: ignore[attr-defined]

    assert set(state.readings) == firsts
    assert remembered(memory, history) == Waiting()


@given(histories, st.integers(0, 11))
def test_from_a_snapshot_and_its_tail_the_same_is_remembered_as_from_zero(history: list[Fact], cut: int) -> None:
    state = FORM.from_text(FORM.to_text(remembered(memory, history[:cut])))
    for fact in history[cut:]:
        state = memory.evolve(state, fact)

    assert state == remembered(memory, history)
    assert FORM.to_text(state) == FORM.to_text(remembered(memory, history))

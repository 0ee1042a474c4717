"""Orders of their own names and lines, and what the gate says of them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from agents.testing import Story
from schemas.identity import derived
from schemas.order import BrokerReport, OrderEvent, OrderIntent, Side
from tests.agents.gateway.words import AS_OF, checked, fills, intent, read
from tests.made import contribution


def order(name: str, **changed: Any) -> OrderIntent:
    """Return an order of its own name and plan line: core's own book, unless told otherwise."""
    qty = Decimal(changed.pop("qty", 10))
    side = changed.get("side", Side.BUY)
    part = contribution("core", side, qty, **changed.pop("owned", {}))
    usual = {
        "intent_id": derived("intent", name),
        "plan_id": derived("plan", name),
        "book": "core",
        "line_qty": qty,
        "contributions": (part,),
    }
    made = intent(qty=str(qty), parts=(), **{**usual, **changed})
    return made.model_copy(update={"client_order_id": name})


def sent(story: Story, asked: OrderIntent, reading: BrokerReport | None = None, at: datetime = AS_OF) -> Story:
    """Return the story after an intent and, if it was CHECKING, its check."""
    name = asked.client_order_id
    after = story.when(asked, at=at)
    if not verdict(after).startswith("CHECKING"):
        return after
    return after.when((reading or checked()).model_copy(update={"client_order_id": name}))


def verdict(story: Story) -> str:
    """Return what was said of the order last: what happened, and the check that refused it."""
    event = next(each for each in reversed(story.said) if isinstance(each, OrderEvent))
    assert bool(event.reason) is (event.refusal is not None)
    return f"{event.exec_type} {event.refusal or ''}".strip()


def passes(story: Story) -> bool:
    return verdict(story) == "SUBMITTING"


def filled(story: Story, name: str, qty: str, at: datetime = AS_OF) -> Story:
    """Return the story after an order was found at the broker, and executed in full."""
    for each in (read(), fills((qty, qty))):
        story = story.when(each.model_copy(update={"client_order_id": name, "received_at": at}))
    return story

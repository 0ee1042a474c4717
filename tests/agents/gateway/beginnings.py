"""How most stories of the gateway begin: an order is asked for, let pass, and the broker has it or nobody knows."""

from agents.gateway import decider as gateway
from agents.testing import Story, given
from schemas.order import OrderEvent
from tests.agents.gateway.words import AS_OF, answered, checked, intent, limited, silent


def begun() -> Story:
    """Limits as wide as they can be."""
    return given(gateway, limited())


def checking() -> Story:
    """An order was asked for."""
    return begun().when(intent(), at=AS_OF)


def submitted() -> Story:
    """The gate let it pass."""
    return checking().when(checked())


def accepted() -> Story:
    """The broker has it."""
    return submitted().when(answered())


def unknown() -> Story:
    """Nobody knows whether the broker has it."""
    return submitted().when(silent())


def words(story: Story) -> list[str]:
    """Return what was said of orders last, as 'what happened/where it stands'."""
    return [f"{each.exec_type}/{each.ord_status}" for each in story.said if isinstance(each, OrderEvent)]

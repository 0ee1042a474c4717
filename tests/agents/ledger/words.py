"""The ledger's stories in a few words: how they begin, and what was said."""

from collections.abc import Sequence

from agents.ledger import decider as ledger
from agents.testing import Story, given
from schemas.ledger import Books, LedgerEntry
from schemas.record import Record
from tests.agents.ledger.made import activity


def opened() -> Story:
    """Begin with the account's deposit."""
    return given(ledger).when(activity())


def entries(said: Sequence[Record]) -> list[LedgerEntry]:
    """Return the entries among some records."""
    return [each for each in said if isinstance(each, LedgerEntry)]


def books(story: Story) -> Books:
    """Return the only comparison of the last step."""
    (found,) = [each for each in story.said if isinstance(each, Books)]
    return found

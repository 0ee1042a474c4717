"""The ledger's declaration."""

from agents.declaration import Agent
from agents.ledger import decider

AGENT = Agent("ledger", decider=decider)

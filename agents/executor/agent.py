"""The executor's declaration."""

from agents.declaration import Agent
from agents.executor import decider

AGENT = Agent("executor", decider=decider)
"""Its state is the fold of executions, order intents and line outcomes."""

"""The scheduler's declaration."""

from agents.declaration import Agent
from agents.scheduler import decider

AGENT = Agent("scheduler", decider=decider)

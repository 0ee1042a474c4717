"""The planner's declaration."""

from agents.declaration import Agent
from agents.planner import decider

AGENT = Agent("planner", decider=decider)

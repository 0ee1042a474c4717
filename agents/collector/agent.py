"""The collector's declaration."""

from agents.collector import decider
from agents.declaration import Agent

AGENT = Agent("collector", decider=decider)

"""The gateway's declaration."""

from agents.declaration import Agent
from agents.gateway import decider

AGENT = Agent("gateway", decider=decider)

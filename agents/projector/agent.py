"""The projector's declaration."""

from agents.declaration import Agent

AGENT = Agent("projector")

"""The broker agent's declaration: it performs, and decides nothing. The composition root gives it its performer."""

from agents.broker import memory
from agents.declaration import Agent

AGENT = Agent("broker", performs=True, memory=memory)

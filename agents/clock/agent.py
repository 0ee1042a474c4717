"""The clock's declaration: it performs, and decides nothing. The composition root gives it its performer."""

from agents.clock import memory
from agents.declaration import Agent

AGENT = Agent("clock", performs=True, memory=memory)

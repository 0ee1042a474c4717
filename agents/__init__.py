"""The decisions: one folder per agent, `decider.py` (pure) and `agent.py` (its declaration)."""

"""The log projected into PostgreSQL: migrations, the projection, its hashes, and the proof that a rebuild is the same.

Downstream of every decision: nothing here is read by an agent.
"""

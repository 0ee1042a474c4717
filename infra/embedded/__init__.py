"""Real Kafka, schema registry and PostgreSQL on this machine, without Docker and without installing anything.

`infra.embedded.stack.Stack` starts and stops them; `infra.embedded.testing.shared_stack` lends one to a test session.
Nothing is imported here, so that reading the state file stays cheap.
"""

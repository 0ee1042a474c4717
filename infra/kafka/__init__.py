"""Kafka from outside the runtime: topics as the registry of topics wants them, and reading the log."""

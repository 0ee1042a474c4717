"""Measuring: one hop, the whole chain and replay, each beside bare confluent-kafka in the same run."""

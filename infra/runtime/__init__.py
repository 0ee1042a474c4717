"""The one runtime under all agents: Faust on a librdkafka consumer, Kafka transactions, recovery from own events."""

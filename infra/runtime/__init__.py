"""The one runtime under all agents: Faust on a librdkafka consumer, decisions in Kafka transactions, recovery from own events."""

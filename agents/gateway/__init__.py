"""The gateway: the one gate before the broker, and the one place that says where an order stands."""

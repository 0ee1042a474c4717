"""A local brokerage that speaks Alpaca's protocol: deterministic, and durable in one SQLite file."""

"""SQL on topics: what is asked is parsed for bounds, read from Kafka, and evaluated by DuckDB in a locked process."""

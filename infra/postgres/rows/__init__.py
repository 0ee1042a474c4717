"""From a record to its rows: small functions by record type, and the one table of them in `registry`."""

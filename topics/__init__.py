"""The wiring as data: which topic carries what, how bytes become records, and what every record says in its headers."""

"""The projector: neither decides nor performs; the runtime writes what it reads to PostgreSQL."""

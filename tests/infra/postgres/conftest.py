"""A real PostgreSQL for the session, and a migrated database without rows for every test."""

from tests.infra.postgres.databases import (
    connection,
    database_url,
    empty_database_url,
    migrated_url,
    projection,
    server_url,
)

__all__ = ["connection", "database_url", "empty_database_url", "migrated_url", "projection", "server_url"]

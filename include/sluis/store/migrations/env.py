"""Alembic's entry: runs on the connection that ``sluis.store.migrate`` opened, in its transaction."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="sluis",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

"""The schema's history, run by ``sluis.store.migrate`` (alembic without an ini file, packaged with the code)."""

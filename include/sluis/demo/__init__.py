"""The demonstration: a shop, books, PostgreSQL and Airflow on this machine, with three merchants whose orders pass."""

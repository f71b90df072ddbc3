"""Which tasks keep which addresses of databases: each role of the store is for one DAG alone."""

from __future__ import annotations

import os

RETENTION, STATISTICS = "retention", "statistics"  #: ids of the two DAGs that see all merchants
#: Which addresses each DAG keeps; every other DAG's tasks lose all of them.
KEPT = {
    RETENTION: ("SLUIS_RETENTION_DATABASE_URL", "SLUIS_AIRFLOW_DATABASE_URL"),
    STATISTICS: ("SLUIS_STATISTICS_DATABASE_URL",),
}


def keep_addresses(dag_id: str) -> None:
    """Drop from this process the addresses that only other DAGs' tasks need.

    A guard against mistakes, as row-level security is: who may write a DAG can read them elsewhere.
    """
    kept = KEPT.get(dag_id, ())
    for names in KEPT.values():
        for name in names:
            if name not in kept:
                os.environ.pop(name, None)

"""A whole run of retention in one go, on the store alone: what a restore needs, where no DAG runs and nobody is asked.

Files, backups and Airflow's own database are none of its business: they are of the machine, not of the restored store.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import sluis
from sluis.errors import Defect
from sluis.privacy.keyring import Keyring
from sluis.privacy.register import Published
from sluis.privacy.retention import run as steps
from sluis.privacy.retention.certificates import ProvedRun, certify
from sluis.privacy.retention.kit import Kit
from sluis.store.database import Connection

#: What the guard asks a person about; whoever restores has decided already that the expired goes again.
_ASKED = ("plan_too_large", "clock_suspicious")


def carry_out(
    conn: Connection,
    published: Published,
    now: datetime,
    *,
    keyring: Keyring,
    dag_run_id: str,
    backups_gone_on: date | None,
) -> Mapping[str, int]:
    """Delete what has expired at a moment in the store's tables, prove it and certify it; returns rows per category.

    The guard is answered with the plan's own hash, so a run of a restore (``runs.OF_RESTORE``) is no measure for it
    later. Raises what the steps raise.
    """
    tables = of_store(published)
    kit = Kit()

    def certified(conn: Connection, run: ProvedRun) -> object:
        return certify(
            conn, run, keyring=keyring, code_version=sluis.__version__, backups_gone_on=backups_gone_on, now=now
        )

    steps.finish_earlier(conn, tables, kit=kit, certify=certified)
    run = steps.plan(conn, tables, now, dag_run_id=dag_run_id, kit=kit)
    run = steps.apply_holds(conn, run, tables, kit=kit)
    try:
        run = steps.guard(conn, run, tables)
    except Defect as asked:
        if asked.code not in _ASKED:
            raise
        run = steps.guard(conn, run, tables, confirm=run.plan_hash)
    run = steps.prove(conn, steps.delete(conn, run, tables, kit=kit), tables, kit=kit)
    certified(conn, steps.proved(run))
    return {name: sum(went.values()) for name, went in sorted(run.done.deleted.items()) if sum(went.values())}


def of_store(published: Published) -> Published:
    """Return the register with the categories that stand in the store's tables alone; version and hash stay."""
    register = published.register_
    inside = tuple(c for c in register.categories if all(place.table is not None for place in c.places))
    return Published(register_=register.model_copy(update={"categories": inside}), sha256=published.sha256)

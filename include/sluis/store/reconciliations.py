"""Reconciliations as they were made: counts, cents and causes per period; no document, no number, no VAT number."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.core.reconciliation import Reconciliation
from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration

#: Who made it, where no DAG run did.
CLI = "cli"


class Stored(Frozen):
    """One reconciliation."""

    period: str
    made_at: Moment
    run_id: str
    settled: bool
    result: dict[str, Any]


class Reconciliations:
    """The reconciliations of one integration."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._scope: dict[str, Any] = {"merchant": integration.merchant, "integration": integration.code}

    def add(self, made: Reconciliation, run_id: str) -> None:
        """Store one."""
        self._conn.execute(
            """insert into sluis.reconciliation (merchant_code, integration_code, period, made_at, run_id, settled,
            result) values (%(merchant)s, %(integration)s, %(period)s, %(made_at)s, %(run_id)s, %(settled)s,
            %(result)s)""",
            {
                **self._scope, "period": made.period, "made_at": made.made_at, "run_id": run_id,
                "settled": made.settled, "result": Jsonb(made.stored()),
            },
        )  # fmt: skip

    def made_by_runs(self, period: str) -> bool:
        """Whether a DAG run has reconciled this period."""
        found = row(
            self._conn,
            """select 1 as made from sluis.reconciliation where merchant_code = %(merchant)s
            and integration_code = %(integration)s and period = %(period)s and run_id <> %(cli)s limit 1""",
            {**self._scope, "period": period, "cli": CLI},
        )
        return found is not None

    def list(self, period: str) -> list[Stored]:
        """Return all of a period, the latest first."""
        found = rows(
            self._conn,
            """select period, made_at, run_id, settled, result from sluis.reconciliation
            where merchant_code = %(merchant)s and integration_code = %(integration)s and period = %(period)s
            order by made_at desc""",
            {**self._scope, "period": period},
        )
        return [Stored(**r) for r in found]

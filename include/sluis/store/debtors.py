"""Debtor links: which debtor in the books is which customer, by keyed hash, so that nobody is searched for twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sluis.store.database import Connection, row, rows
from sluis.store.integrations import Integration


class DebtorLinks:
    """The links of one administration: all integrations of the merchant that book into it share them."""

    def __init__(self, conn: Connection, integration: Integration) -> None:
        self._conn = conn
        self._scope: dict[str, Any] = {
            "merchant": integration.merchant,
            "administration": integration.administration_key,
        }

    def get_many(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the package's debtor id of each customer key that has one."""
        found = rows(
            self._conn,
            """select customer_key, debtor_id from sluis.debtor_link where merchant_code = %(merchant)s
            and administration_key = %(administration)s and customer_key = any(%(keys)s)""",
            {**self._scope, "keys": list(keys)},
        )
        return {r["customer_key"]: r["debtor_id"] for r in found}

    def put(self, customer_key: str, debtor_id: str) -> str:
        """Remember a debtor; the first one stays. Returns the debtor id that holds."""
        values = {**self._scope, "customer": customer_key, "debtor": debtor_id}
        self._conn.execute(
            """insert into sluis.debtor_link (merchant_code, administration_key, customer_key, debtor_id)
            values (%(merchant)s, %(administration)s, %(customer)s, %(debtor)s) on conflict do nothing""",
            values,
        )
        kept = row(
            self._conn,
            """select debtor_id from sluis.debtor_link where merchant_code = %(merchant)s
            and administration_key = %(administration)s and customer_key = %(customer)s""",
            values,
        )
        return kept["debtor_id"] if kept is not None else debtor_id

    def touch(self, keys: Sequence[str], on: date) -> int:
        """Note that these customers were booked on that date, which keeps their links alive; returns how many."""
        return self._conn.execute(
            """update sluis.debtor_link set last_booked_on = greatest(last_booked_on, %(on)s)
            where merchant_code = %(merchant)s and administration_key = %(administration)s
            and customer_key = any(%(keys)s)""",
            {**self._scope, "keys": list(keys), "on": on},
        ).rowcount

    def forget(self, customer_key: str) -> bool:
        """Delete a link, e.g. because the debtor is gone from the books; says whether there was one."""
        return bool(
            self._conn.execute(
                """delete from sluis.debtor_link where merchant_code = %(merchant)s
                and administration_key = %(administration)s and customer_key = %(customer)s""",
                {**self._scope, "customer": customer_key},
            ).rowcount
        )

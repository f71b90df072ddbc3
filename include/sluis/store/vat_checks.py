"""The last answers of the register of VAT numbers, by keyed hash, so that a number is asked once a day at most.

Only a yes or a no is kept: that nobody answered is asked again at the next occasion. What is too old to be used is
deleted by the next answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sluis.core.evidence import VatCheck
from sluis.errors import Defect
from sluis.store.database import Connection, rows

#: How long a yes or no about a number is used again.
KEPT_FOR = timedelta(hours=24)


class VatChecks:
    """The checks of one merchant: all his integrations share them."""

    def __init__(self, conn: Connection, merchant: str) -> None:
        self._conn = conn
        self._merchant = merchant

    def get(self, keys: Sequence[bytes], *, since: datetime) -> dict[bytes, VatCheck]:
        """Return the answers that were given after ``since`` (aware), by the numbers' keys."""
        found = rows(
            self._conn,
            """select number_key, answer, checked_at, request_id, source from sluis.vat_number_check
            where merchant_code = %(merchant)s and number_key = any(%(keys)s) and checked_at > %(since)s""",
            {"merchant": self._merchant, "keys": list(keys), "since": since},
        )
        return {
            bytes(r["number_key"]): VatCheck(
                state=r["answer"], checked_at=r["checked_at"], request_id=r["request_id"], source=r["source"]
            )
            for r in found
        }

    def put(self, key: bytes, check: VatCheck) -> None:
        """Remember an answer, a later one stays; delete the merchant's answers of more than 24 hours before it.

        Raises ``Defect`` for a check that nobody answered.
        """
        if check.state == "unverified":
            raise Defect("a VAT number check without an answer is never stored", code="vat_check_unanswered")
        self._conn.execute(
            "delete from sluis.vat_number_check where merchant_code = %(merchant)s and checked_at < %(since)s",
            {"merchant": self._merchant, "since": check.checked_at - KEPT_FOR},
        )
        self._conn.execute(
            """insert into sluis.vat_number_check as c
            (merchant_code, number_key, answer, checked_at, request_id, source)
            values (%(merchant)s, %(key)s, %(answer)s, %(at)s, %(request_id)s, %(source)s)
            on conflict (merchant_code, number_key) do update set answer = excluded.answer,
            checked_at = excluded.checked_at, request_id = excluded.request_id, source = excluded.source
            where c.checked_at <= excluded.checked_at""",
            {
                "merchant": self._merchant, "key": key, "answer": check.state, "at": check.checked_at,
                "request_id": check.request_id, "source": check.source,
            },
        )  # fmt: skip

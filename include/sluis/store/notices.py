"""Notices: what a merchant is to be told, as a cause and a number of documents; no document and no person in them.

Whoever finds the cause writes one; a person (later the console's mail) tells the merchant and says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect
from sluis.store.database import Connection, rows

#: Documents have waited in quarantine for 60 days; they are reduced to key and reason at 90.
QUARANTINE_WAITING = "quarantine_waiting"
#: Documents were reduced to key and reason after 90 days: they count as unbooked until a person closes them.
QUARANTINE_REDUCED = "quarantine_reduced"


class Notice(Frozen):
    """One thing to tell. Moments in UTC."""

    id: int
    merchant: str
    integration: str | None  #: where it is about one
    cause: str  #: a code
    documents: int
    made_at: Moment
    told_at: Moment | None


class Notices:
    """The notices that the connection may see (the owner: all)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def list(self, merchant: str | None = None, *, told: bool = False) -> list[Notice]:
        """Return what is still to be told, the oldest first; with ``told`` what was told too."""
        found = rows(
            self._conn,
            """select id, merchant_code as merchant, integration_code as integration, cause, documents, made_at,
            told_at from sluis.notice where (%(merchant)s::text is null or merchant_code = %(merchant)s)
            and (%(told)s or told_at is null) order by made_at, id""",
            {"merchant": merchant, "told": told},
        )
        return [Notice(**r) for r in found]

    def done(self, numbers: Sequence[int]) -> int:
        """Note that these were told, all or none; returns how many were not told before.

        Raises ``Defect("notice_unknown")`` for a number that is none.
        """
        with self._conn.transaction():
            known = {
                r["id"] for r in rows(self._conn, "select id from sluis.notice where id = any(%s)", [list(numbers)])
            }
            unknown = sorted(set(numbers) - known)
            if unknown:
                named = ", ".join(map(str, unknown))
                raise Defect(f"there is no notice {named}: see `sluis notices list`", code="notice_unknown")
            return self._conn.execute(
                "update sluis.notice set told_at = now() where id = any(%s) and told_at is null", [list(numbers)]
            ).rowcount

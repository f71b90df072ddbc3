"""Whether a merchant takes part in the anonymous statistics, and which enterprise he belongs to.

Nobody does before he agreed in his processing agreement. Who objects (GDPR art. 21) contributes nothing from then on,
and what he contributed to quarters that are not frozen yet is deleted at once.
"""

from __future__ import annotations

from sluis.core.frozen import Frozen, Moment
from sluis.errors import Defect, NotConfigured
from sluis.store.contributions import withdraw
from sluis.store.database import Connection, row


class Agreement(Frozen):
    """How a merchant stands to the statistics. ``deleted``: rows of contributions that an objection took just now."""

    merchant: str
    agreed_at: Moment | None
    objected_at: Moment | None
    enterprise: str  #: the merchant whose enterprise he belongs to; his own code where he is one by himself
    deleted: int = 0

    @property
    def takes_part(self) -> bool:
        """Whether what he books is counted."""
        return self.agreed_at is not None and self.objected_at is None


def show(conn: Connection, merchant: str) -> Agreement:
    """Return how a merchant stands; raises ``NotConfigured("merchant_unknown")``."""
    found = row(
        conn,
        """select code as merchant, statistics_agreed_at as agreed_at, statistics_objected_at as objected_at,
        coalesce(enterprise, code) as enterprise from sluis.merchant where code = %s""",
        [merchant],
    )
    if found is None:
        raise NotConfigured(f"there is no merchant {merchant}: see `sluis merchant list`", code="merchant_unknown")
    return Agreement(**found)


def agree(conn: Connection, merchant: str) -> Agreement:
    """Note that he agreed, now; an objection of before ends with it. What he booked before is not counted."""
    show(conn, merchant)
    with conn.transaction():
        # Of before: nobody had agreed to counting it.
        conn.execute(
            """update sluis.booking set contributed = true where merchant_code = %s and not contributed
            and state = 'booked' and exists (select from sluis.merchant as m where m.code = merchant_code
            and (m.statistics_agreed_at is null or m.statistics_objected_at is not null))""",
            [merchant],
        )
        conn.execute(
            """update sluis.merchant set statistics_agreed_at = coalesce(statistics_agreed_at, now()),
            statistics_objected_at = null where code = %s""",
            [merchant],
        )
    return show(conn, merchant)


def object_to(conn: Connection, merchant: str) -> Agreement:
    """Note that he objects, now, and delete what he contributed to quarters that are not frozen yet."""
    show(conn, merchant)
    with conn.transaction():
        conn.execute(
            """update sluis.merchant set statistics_objected_at = coalesce(statistics_objected_at, now())
            where code = %s""",
            [merchant],
        )
        deleted = withdraw(conn, merchant)
    return show(conn, merchant).model_copy(update={"deleted": deleted})


def belongs_to(conn: Connection, merchant: str, enterprise: str) -> Agreement:
    """Note whose enterprise he is part of (his own code: his own), so that a company counts once.

    Raises ``Defect("enterprise_chain")`` where the other belongs to somebody himself, or others belong to this one.
    """
    show(conn, merchant)
    if enterprise != merchant:
        other = show(conn, enterprise)
        others = row(conn, "select 1 from sluis.merchant where enterprise = %s", [merchant])
        if other.enterprise != enterprise or others is not None:
            raise Defect(
                f"name the head of the enterprise: {enterprise} belongs to {other.enterprise}"
                if other.enterprise != enterprise
                else f"others belong to {merchant}: let them belong to {enterprise} first",
                code="enterprise_chain",
            )
    conn.execute(
        "update sluis.merchant set enterprise = nullif(%(to)s, code) where code = %(merchant)s",
        {"to": enterprise, "merchant": merchant},
    )
    return show(conn, merchant)

"""Periods that merchants chose shorter than the register's, for their own data.

The register says which categories allow it and how short it may be. A period longer than the register's has no effect:
where a later version of the register is shorter than what a merchant once chose, the register counts.
"""

from __future__ import annotations

from sluis.core.frozen import Frozen, Moment
from sluis.errors import NotConfigured
from sluis.privacy.periods import duration, not_longer
from sluis.privacy.register import Category, Register
from sluis.store.database import Connection, rows
from sluis.store.merchants import Merchants


class MerchantPeriod(Frozen):
    """A merchant's own period for one category of the register (an ISO 8601 duration, whole days or longer)."""

    merchant: str
    category: str
    period: str
    set_at: Moment


class MerchantPeriods:
    """The own periods that the connection may see (the owner and retention: all; a task: its merchant's)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def all(self) -> dict[str, dict[str, str]]:
        """Return merchant -> category -> period, as chosen; ``in_force`` says what counts under a register."""
        found: dict[str, dict[str, str]] = {}
        for own in self.list():
            found.setdefault(own.merchant, {})[own.category] = own.period
        return found

    def of(self, merchant: str) -> dict[str, str]:
        """Return one merchant's category -> period; empty where he chose none."""
        return {own.category: own.period for own in self.list(merchant)}

    def list(self, merchant: str | None = None) -> list[MerchantPeriod]:
        """Return them by merchant and category, of one merchant where one is named."""
        found = rows(
            self._conn,
            """select merchant_code as merchant, category, period, set_at from sluis.merchant_period
            where %(merchant)s::text is null or merchant_code = %(merchant)s order by merchant_code, category""",
            {"merchant": merchant},
        )
        return [MerchantPeriod(**r) for r in found]

    def set(self, merchant: str, category: Category, period: str) -> MerchantPeriod:
        """Keep a merchant's own period, in the place of the one before. The same again changes nothing.

        Raises ``NotConfigured`` for an unknown or ended merchant, and what ``allowed`` raises.
        """
        allowed(category, period)
        if Merchants(self._conn).get(merchant).ended_at is not None:
            raise NotConfigured(
                f"the contract of merchant {merchant} has ended: what is held for him goes 30 days after that",
                code="merchant_ended",
            )
        self._conn.execute(
            """insert into sluis.merchant_period (merchant_code, category, period)
            values (%(merchant)s, %(category)s, %(period)s)
            on conflict (merchant_code, category) do update set period = excluded.period, set_at = excluded.set_at
            where merchant_period.period <> excluded.period""",
            {"merchant": merchant, "category": category.id, "period": period},
        )
        return next(own for own in self.list(merchant) if own.category == category.id)

    def reset(self, merchant: str, category: str) -> bool:
        """Go back to the register's period; returns whether there was a period of his own.

        ``category`` may be one that the register no longer has. Raises ``NotConfigured`` for an unknown merchant.
        """
        Merchants(self._conn).get(merchant)
        gone = rows(
            self._conn,
            "delete from sluis.merchant_period where merchant_code = %s and category = %s returning category",
            [merchant, category],
        )
        return bool(gone)


def allowed(category: Category, period: str) -> None:
    """Hold a merchant's choice against the register.

    Raises ``NotConfigured``: ``period_fixed`` (the category may not be shortened), ``period_impossible`` (no duration,
    or one with hours: expiry is counted in UTC days), ``period_too_long``, ``period_too_short``.
    """
    if not category.shorten or category.period is None:
        raise NotConfigured(
            f"the period of {category.id} is the same for every merchant: the register does not let it be shortened",
            code="period_fixed",
        )
    duration(period)
    if "T" in period:
        raise NotConfigured("a period is counted in whole days: give days, months or years", code="period_impossible")
    if not not_longer(period, category.period):
        raise NotConfigured(
            f"a merchant's own period may only be shorter: the register keeps {category.id} for {category.period}",
            code="period_too_long",
        )
    if category.shortest is not None and not not_longer(category.shortest, period):
        raise NotConfigured(
            f"too short for what {category.id} is for: the shortest period is {category.shortest}",
            code="period_too_short",
        )


def in_force(register: Register, chosen: dict[str, str]) -> dict[str, str]:
    """Return, of one merchant's choices, those that are shorter than what the register says now.

    Choices for a category that is gone, or that may no longer be shortened, have no effect.
    """
    known = {category.id: category for category in register.categories if category.shorten}
    return {
        name: period
        for name, period in chosen.items()
        if name in known and (whole := known[name].period) is not None and not not_longer(whole, period)
    }

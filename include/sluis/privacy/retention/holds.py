"""Holds: what must not be deleted for now. Scoped, reasoned, owned, and with an end of at most a year.

A hold is for a dispute, an inspection or a lawsuit: it keeps data longer than the register promised, so it is counted
on the public page, and it ends by itself. Who needs it longer makes a new one.
"""

from __future__ import annotations

import re
from datetime import date

from dateutil.relativedelta import relativedelta

from sluis.core.frozen import Frozen, Moment
from sluis.errors import NotConfigured
from sluis.privacy.register import Register
from sluis.privacy.retention.contract import Hold, now_utc
from sluis.store.database import Connection, row, rows

_REASON = re.compile(r"[a-z][a-z0-9_]{1,40}")
_OWNER = re.compile(r"[a-z][a-z0-9_.-]{1,40}")
_LONGEST = relativedelta(years=1)
_COLUMNS = "id, merchant_code as merchant, category, reason, owner, ends_on"


class HoldLine(Frozen):
    """A hold as it is shown: with its history."""

    id: int
    merchant: str | None  #: ``None``: all merchants
    category: str | None  #: ``None``: all that is held of the merchant
    reason: str
    owner: str
    made_at: Moment
    ends_on: date  #: the last day it holds, UTC
    released_at: Moment | None

    def active(self, on: date) -> bool:
        """Whether it holds anything on a day."""
        return self.released_at is None and on <= self.ends_on


def active(conn: Connection, on: date) -> list[Hold]:
    """Return the holds that are in force on a day (UTC), the oldest first."""
    query = f"select {_COLUMNS} from sluis.hold where released_at is null and ends_on >= %s order by id"  # noqa: S608
    return [Hold(**found) for found in rows(conn, query, [on])]


def listing(conn: Connection, *, everything: bool = False, on: date | None = None) -> list[HoldLine]:
    """Return the holds in force on a day (today), with ``everything`` also those that ended; the oldest first."""
    found = rows(conn, f"select {_COLUMNS}, made_at, released_at from sluis.hold order by id")  # noqa: S608
    lines = [HoldLine(**values) for values in found]
    day = on or now_utc().date()
    return [line for line in lines if everything or line.active(day)]


def add(
    conn: Connection,
    register: Register,
    *,
    merchant: str | None,
    category: str | None,
    reason: str,
    owner: str,
    ends_on: date,
    today: date | None = None,
) -> HoldLine:
    """Make a hold; what it covers is no longer deleted from the next plan on.

    Raises ``NotConfigured``: ``hold_scope`` without merchant and category, ``merchant_unknown``, ``category_unknown``,
    ``hold_reason`` and ``hold_owner`` for what is no code, ``hold_end`` for an end in the past or over a year away.
    """
    day = today or now_utc().date()
    _check_words(reason, owner)
    if merchant is None and category is None:
        raise NotConfigured("a hold is about a merchant, a category, or one of a merchant's", code="hold_scope")
    if category is not None:
        register.category(category)
    if not day <= ends_on <= day + _LONGEST:
        raise NotConfigured(f"a hold ends at most a year from now: between {day} and {day + _LONGEST}", code="hold_end")
    known = merchant is None or row(conn, "select from sluis.merchant where code = %s", [merchant]) is not None
    if not known:
        raise NotConfigured(f"there is no merchant {merchant}", code="merchant_unknown")
    found = row(
        conn,
        f"""insert into sluis.hold (merchant_code, category, reason, owner, ends_on)
        values (%s, %s, %s, %s, %s) returning {_COLUMNS}, made_at, released_at""",  # noqa: S608
        [merchant, category, reason, owner, ends_on],
    )
    return _line(found)


def end(conn: Connection, hold: int, *, on: date | None = None) -> HoldLine:
    """End a hold before its day; raises ``NotConfigured("hold_unknown")`` where none of that number is in force."""
    found = row(
        conn,
        f"""update sluis.hold set released_at = now() where id = %s and released_at is null and ends_on >= %s
        returning {_COLUMNS}, made_at, released_at""",  # noqa: S608
        [hold, on or now_utc().date()],
    )
    if found is None:
        raise NotConfigured(f"no hold {hold} is in force: `sluis hold list` shows those that are", code="hold_unknown")
    return _line(found)


def _check_words(reason: str, owner: str) -> None:
    if not _REASON.fullmatch(reason):
        raise NotConfigured(
            "the reason of a hold is a code such as tax_inspection, never a text about somebody", code="hold_reason"
        )
    if not _OWNER.fullmatch(owner):
        raise NotConfigured("the owner of a hold is a role or desk such as privacy_officer", code="hold_owner")


def _line(found: dict[str, object] | None) -> HoldLine:
    if found is None:
        raise NotConfigured("the hold was not stored", code="hold_unknown")
    return HoldLine.model_validate(found)

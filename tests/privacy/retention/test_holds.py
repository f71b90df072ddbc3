"""Holds: scoped, reasoned, owned, and never for longer than a year."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from sluis.errors import Defect, NotConfigured
from sluis.privacy.register import read_register, register_path
from sluis.privacy.retention import holds
from sluis.privacy.retention.contract import Hold
from sluis.store.database import Connection
from sluis.store.merchants import Merchants
from tests.conftest import Database

pytestmark = pytest.mark.postgres
TODAY = date(2026, 11, 23)
REGISTER = read_register(register_path()).register_


def add(conn: Connection, **other: Any) -> holds.HoldLine:
    """Make a hold on a category, until the end of the year."""
    values = {
        "merchant": None, "category": "booking_amounts", "reason": "tax_inspection", "owner": "privacy_officer",
        "ends_on": date(2026, 12, 31), "today": TODAY,
    }  # fmt: skip
    return holds.add(conn, REGISTER, **{**values, **other})


def test_a_hold_is_in_force_up_to_its_last_day_and_not_after(database: Database) -> None:
    with database.owner() as conn:
        merchant = Merchants(conn).add("Voorbeeld", database.keyring).code
        one = add(conn, merchant=merchant)
        expected = Hold(
            id=one.id, merchant=merchant, category="booking_amounts", reason="tax_inspection",
            owner="privacy_officer", ends_on=date(2026, 12, 31),
        )  # fmt: skip
        assert holds.active(conn, date(2026, 12, 31)) == [expected]
        assert holds.active(conn, date(2027, 1, 1)) == []
        assert expected.covers("booking_amounts", date(2026, 12, 31))
        assert not expected.covers("booking_amounts", date(2027, 1, 1))
        assert not expected.covers("notices", TODAY)
        with database.retention() as theirs:
            assert holds.active(theirs, TODAY) == [expected]  # the role that deletes sees them, and can add none


def test_a_hold_is_ended_once(database: Database) -> None:
    with database.owner() as conn:
        one, two = add(conn), add(conn, category="notices")
        assert holds.end(conn, one.id, on=TODAY).released_at is not None
        assert [hold.id for hold in holds.active(conn, TODAY)] == [two.id]
        assert [line.id for line in holds.listing(conn, on=TODAY)] == [two.id]
        assert [line.id for line in holds.listing(conn, everything=True, on=TODAY)] == [one.id, two.id]
        for number, day in ((one.id, TODAY), (99, TODAY), (two.id, date(2027, 1, 1))):
            with pytest.raises(NotConfigured, match=f"no hold {number} is in force"):
                holds.end(conn, number, on=day)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"category": None}, "hold_scope"),
        ({"category": "bookings"}, "category_unknown"),
        ({"merchant": "m9zzz"}, "merchant_unknown"),
        ({"reason": "Jan de Vries asked for it"}, "hold_reason"),
        ({"owner": "Jan de Vries"}, "hold_owner"),
        ({"owner": "jan@example.com"}, "hold_owner"),
        ({"ends_on": TODAY - timedelta(days=1)}, "hold_end"),
        ({"ends_on": date(2027, 11, 24)}, "hold_end"),
    ],
)
def test_what_is_no_hold_is_refused_without_repeating_it(database: Database, wrong: dict[str, Any], code: str) -> None:
    with database.owner() as conn:
        with pytest.raises(NotConfigured) as caught:
            add(conn, **wrong)
        assert caught.value.code == code
        assert "Jan" not in str(caught.value)
        assert "jan@" not in str(caught.value)
        assert holds.listing(conn, everything=True) == []
        assert add(conn, ends_on=date(2027, 11, 23)).active(date(2027, 11, 23))  # exactly a year


def test_the_role_that_deletes_makes_no_hold(database: Database) -> None:
    with database.retention() as conn, pytest.raises(Defect, match="42501"):
        add(conn)

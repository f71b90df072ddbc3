"""What is booked is counted once for the statistics, of those who agreed, and what cannot be counted is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sluis.flows import contributions
from sluis.flows.contributions import Counted, count
from sluis.flows.wiring import open_session
from sluis.statistics import door
from sluis.store.contributions import refusals, withdraw
from sluis.store.database import owner_connection, rows
from tests.conftest import Database
from tests.flows.world import World, edit, hour

pytestmark = pytest.mark.postgres


def agree(world: World, *, objects: bool = False) -> None:
    with owner_connection() as conn:
        conn.execute(
            "update sluis.merchant set statistics_agreed_at = now(), statistics_objected_at ="
            " case when %s then now() end where code = %s",
            [objects, world.merchant],
        )


def counted(world: World) -> Counted:
    with open_session(world.merchant, world.code, role="task") as session:
        return count(session)


def stored() -> list[dict[str, Any]]:
    with owner_connection() as conn:
        return rows(conn, "select * from sluis.statistics_contribution order by quarter, country, vat_rate")


def booked_cents() -> tuple[int, int]:
    """What the bookings say: invoices, and credit notes as positive amounts, without VAT."""
    with owner_connection() as conn:
        (found,) = rows(
            conn,
            """select coalesce(sum(total_cents - vat_cents) filter (where kind = 'invoice'), 0)::int as sold,
            coalesce(-sum(total_cents - vat_cents) filter (where kind = 'credit_note'), 0)::int as back
            from sluis.booking where state = 'booked' and kind <> 'day_summary'""",
        )
    return found["sold"], found["back"]


def forget_counting(world: World) -> None:
    """As before the run that counts: what ``load`` counted by itself is taken back."""
    with owner_connection() as conn:
        conn.execute("delete from sluis.statistics_contribution")
        conn.execute("update sluis.booking set contributed = false")


def test_what_a_run_books_is_counted_by_it_once_to_the_cent(world: World) -> None:
    agree(world)
    orders = world.orders(hour(0.2), 3)
    world.refund(orders[0], hour(0.4))
    world.run(world.scheduled(1))
    (found,) = stored()
    assert (found["revenue_cents"], found["refunds_cents"]) == booked_cents()
    assert abs(found["revenue_vat_cents"] - found["revenue_cents"] * Decimal("0.21")) <= 3, "a cent per document"
    assert (found["country"], found["vat_rate"], found["documents"]) == ("NL", Decimal("21.00"), 4)
    assert (found["platform"], found["package"]) == ("woocommerce", "moneybird")
    assert counted(world) == Counted()
    edit(world, orders[1], hour(1.2), quantity=7)
    world.run(world.scheduled(2))
    (again,) = stored()
    assert (again["revenue_cents"], again["refunds_cents"]) == booked_cents()
    assert again["documents"] == 6, "a correction is a credit note and an invoice more"


@pytest.mark.parametrize("objects", [False, True], ids=["never agreed", "objected"])
def test_who_did_not_agree_or_objected_contributes_nothing(world: World, *, objects: bool) -> None:
    if objects:
        agree(world, objects=True)
    world.orders(hour(0.2), 2)
    world.run(world.scheduled(1))
    assert stored() == []
    agree(world)
    assert counted(world) == Counted(), "what was booked before he agreed is not counted afterwards"


def test_an_objection_takes_what_is_not_frozen(world: World) -> None:
    agree(world)
    world.orders(hour(0.2), 2)
    world.run(world.scheduled(1))
    with owner_connection() as conn:
        assert withdraw(conn, world.merchant) == 1
    assert stored() == []


def test_a_killed_count_is_made_up_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(world)
    world.orders(hour(0.2), 5)
    world.run(world.scheduled(1))
    forget_counting(world)
    monkeypatch.setattr(contributions, "CHUNK", 2)

    def killed(self: object, documents: list[object]) -> None:
        if killed.calls:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        killed.calls = True  # type: ignore[attr-defined]
        mark(self, documents)  # type: ignore[arg-type]

    killed.calls = False  # type: ignore[attr-defined]
    mark = contributions.Contributions.mark
    with monkeypatch.context() as patched:
        patched.setattr(contributions.Contributions, "mark", killed)
        with pytest.raises(KeyboardInterrupt):
            counted(world)
    assert stored()[0]["documents"] == 2
    assert counted(world).counted == 3
    assert (stored()[0]["revenue_cents"], 0) == booked_cents()


def test_late_data_count_in_the_first_quarter_that_is_not_frozen(world: World) -> None:
    agree(world)
    world.orders(hour(0.2), 1)
    world.run(world.scheduled(1))
    forget_counting(world)
    day = hour(0.2).date()
    quarter = door.quarter_of(day)
    with owner_connection() as conn:
        conn.execute(
            """insert into sluis.statistics_freeze (quarter, contributions, enterprises, provisional, input_hash)
            values (%s, 0, 0, false, %s)""",
            [quarter, bytes(32)],
        )
    assert counted(world).counted == 1
    (found,) = stored()
    following = date(quarter.year + quarter.month // 10, (quarter.month + 2) % 12 + 1, 1)
    assert found["quarter"] == following


def test_what_cannot_be_counted_stays_booked_and_is_told(world: World, database: Database) -> None:
    agree(world)
    world.orders(hour(0.2), 2)
    world.run(world.scheduled(1))
    before = world.booked()
    forget_counting(world)
    with database.retention() as conn:
        conn.execute("update sluis.booking set figures = null")
    assert counted(world) == Counted(refused={door.FIGURES_EXPIRED: 2})
    assert stored() == []
    assert world.booked() == before
    with owner_connection() as conn:
        (told,) = refusals(conn, door.quarter_of(hour(0.2).date()))
    assert (told.reason, told.documents) == (door.FIGURES_EXPIRED, 2)
    assert counted(world) == Counted()

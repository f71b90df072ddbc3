"""Shop, sluis and package compared: a quiet month, and one test for every cause that can make them differ."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.core import reconciliation as rec
from sluis.core.money import cents
from sluis.core.reconciliation import Difference, Period, Reconciliation
from sluis.flows.reconcile import reconcile
from sluis.flows.wiring import open_session
from tests.flows.world import T0, World, hour

PERIOD = Period.of(f"{T0:%Y-%m}")
#: A day of the period, and hours that lie well inside it.
DAY = datetime(T0.year, T0.month, 10, 12, tzinfo=UTC)


def compared(world: World, period: Period = PERIOD, **more: Any) -> Reconciliation:
    with open_session(world.merchant, world.code) as session:
        return reconcile(session, period, **more).result


def causes(found: Reconciliation) -> dict[str, int]:
    return {cause.cause: cause.documents for cause in found.causes}


def one(found: Reconciliation) -> Difference:
    (difference,) = found.differences
    return difference


def test_a_quiet_month_is_equal_on_all_three_sides(world: World) -> None:
    world.orders(hour(0), 3)
    order = world.order(hour(0.5))
    world.refund(order, hour(0.6))
    world.run(world.scheduled(1))
    found = compared(world)
    assert causes(found) == {}
    assert found.settled
    (line,) = found.totals
    assert line.shop == line.sluis == line.package
    assert line.shop.documents == 5
    assert line.shop.net_cents + line.shop.vat_cents == sum(amount for _, amount in world.expected())
    assert all(treatment.agrees for treatment in found.treatments)
    boxes = {box.box.value: box for box in found.vat_return.boxes or ()}
    assert boxes["1a"].turnover_cents + boxes["1b"].turnover_cents == line.sluis.net_cents
    assert (boxes["1a"].vat_cents or 0) + (boxes["1b"].vat_cents or 0) == line.sluis.vat_cents

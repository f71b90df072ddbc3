"""What tasks tell each other passes the gate of the XCom backend, whatever stood in the shop."""

from __future__ import annotations

import pytest

from sluis.airflow_support.run import SUMMARY
from sluis.airflow_support.xcom_backend import RefusingXCom
from sluis.flows import sync
from tests.flows.world import World, hour


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "€", "jansen", None, 5])
def test_a_currency_that_cannot_be_read_does_not_stop_the_others(world: World, currency: object) -> None:
    good = world.order(hour(0))
    bad = world.order(hour(0.1))
    world.change(bad, hour(0.1), currency=currency)
    request = world.scheduled(1)
    told = [sync.extract(request), sync.transform(request), sync.load(request), sync.shred(request)]
    for summary in told:
        RefusingXCom.serialize_value(summary.model_dump(mode="json", exclude_none=True), key=SUMMARY)
    assert set(told[0].model_dump()["cents"]) == {"EUR", "XXX"}
    assert world.booked() == world.expected(leave_out=[bad])
    assert [reference for reference, _ in world.booked()] == [world.shop.book.orders[int(good)].raw["number"]]
    assert list(world.waiting().values()) == ["unreadable"]

"""What every shop connector must do, whatever the platform. A connector's test inherits ``ShopContract``.

It gives a fixture ``shop``: a small imitation of the platform on 127.0.0.1 that can be filled, changed while it is
read, and made to fail, with the connector pointed at it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Protocol

import pytest

from sluis.core.order import Order
from sluis.errors import NotAShop, QuotaSpent, Reconnect, RetryLater
from sluis.ports import Page, ShopConnector, Window

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HOUR = Window(start=START, end=START + timedelta(hours=1))


class Fault(StrEnum):
    """How a shop can fail."""

    RATE_LIMITED = "answers 429 with a long Retry-After"
    SERVER_ERROR = "answers 500"
    REFUSED = "refuses the credential"
    TRUNCATED = "cuts its answer off"
    SILENT = "does not answer in time"
    HTML_FIRST = "prints HTML before its JSON"
    HTML_ONLY = "answers with a web page"


class ShopUnderTest(Protocol):
    """The imitation. All moments are UTC; orders are paid, with one line at 21 %."""

    connector: ShopConnector
    page_size: int
    calls: int  #: requests so far

    def add(self, *, modified: datetime, created: datetime | None = None) -> str:
        """Add an order and return its id."""
        ...

    def touch(self, order_id: str, modified: datetime) -> None:
        """Change an order."""
        ...

    def refund(self, order_id: str, at: datetime, *, touch: bool) -> str:
        """Refund an order's line; ``touch``: the order's own modification time moves with it."""
        ...

    def remove(self, order_id: str) -> None:
        """Delete an order."""
        ...

    def before_each_call(self, action: Callable[[int], None]) -> None:
        """Run this before each further call is answered, with its number from 1."""
        ...

    def fail(self, *faults: Fault | None) -> None:
        """Fail the next calls, one by one (``None``: a good answer); the last stays."""
        ...


def orders(pages: Iterable[Page]) -> list[Order]:
    found = []
    for page in pages:
        for document in page.documents:
            assert isinstance(document, Order), document
            found.append(document)
    return found


def ids(pages: Iterable[Page]) -> list[str]:
    return [order.order_id for order in orders(pages)]


class ShopContract:
    """Inherit, and give a fixture ``shop`` that returns a ``ShopUnderTest``."""

    def test_every_order_of_many_pages_comes_once_and_the_shop_counts_them(self, shop: ShopUnderTest) -> None:
        added = [shop.add(modified=START + timedelta(seconds=n // 3)) for n in range(shop.page_size * 3 + 7)]
        pages = list(shop.connector.read(HOUR, by="modified"))
        assert Counter(ids(pages)) == Counter(added)
        assert pages[0].shop_count == len(added)
        assert sum(len(p.documents) if p.counted is None else p.counted for p in pages) == len(added)

    @pytest.mark.parametrize("by", ["modified", "dated"])
    def test_an_empty_window_is_counted_as_none(self, shop: ShopUnderTest, by: Literal["modified", "dated"]) -> None:
        shop.add(modified=START - timedelta(days=1))
        pages = list(shop.connector.read(HOUR, by=by))
        assert ids(pages) == []
        assert pages[0].shop_count == 0

    @pytest.mark.parametrize("by", ["modified", "dated"])
    def test_adjacent_windows_share_no_second_and_miss_none(
        self, shop: ShopUnderTest, by: Literal["modified", "dated"]
    ) -> None:
        offsets = [-1, 0, 1, 3599, 3600, 3601]
        moments = [START + timedelta(seconds=offset) for offset in offsets]
        added = [shop.add(modified=moment, created=moment) for moment in moments]
        before, after = START - timedelta(hours=1), START + timedelta(hours=2)
        windows = [Window(start=before, end=HOUR.start), HOUR, Window(start=HOUR.end, end=after)]
        assert [ids(shop.connector.read(window, by=by)) for window in windows] == [added[:1], added[1:4], added[4:]]

    def test_a_second_with_more_orders_than_a_page_is_read_whole(self, shop: ShopUnderTest) -> None:
        same = START + timedelta(minutes=10)
        added = [shop.add(modified=START + timedelta(minutes=1))]
        added += [shop.add(modified=same) for _ in range(shop.page_size * 2 + 5)]
        added += [shop.add(modified=same + timedelta(seconds=n)) for n in range(1, 4)]
        assert Counter(ids(shop.connector.read(HOUR, by="modified"))) == Counter(added)

    def test_an_order_dated_in_the_window_is_found_whenever_it_changed(self, shop: ShopUnderTest) -> None:
        late = shop.add(created=START + timedelta(minutes=5), modified=START + timedelta(days=3))
        old = shop.add(created=START - timedelta(days=3), modified=START + timedelta(minutes=5))
        assert ids(shop.connector.read(HOUR, by="dated")) == [late]
        assert ids(shop.connector.read(HOUR, by="modified")) == [old]

    def test_orders_that_change_while_they_are_read_are_in_this_window_or_the_next(self, shop: ShopUnderTest) -> None:
        """Each call but the first moves one order that was read already: page numbers would skip a row each time."""
        added = [shop.add(modified=START + timedelta(seconds=n)) for n in range(shop.page_size * 3 + 20)]
        changed: list[str] = []

        def change(call: int) -> None:
            if call > 1 and len(changed) < 10:
                order_id = added[len(changed)]
                changed.append(order_id)
                shop.touch(order_id, HOUR.end + timedelta(seconds=call))

        shop.before_each_call(change)
        pages = list(shop.connector.read(HOUR, by="modified"))
        first = ids(pages)
        shop.before_each_call(lambda call: None)
        following = Window(start=HOUR.end, end=HOUR.end + timedelta(hours=1))
        second = ids(shop.connector.read(following, by="modified"))
        assert changed
        assert max(Counter(first).values()) == 1
        assert set(first) | set(second) == set(added)
        assert set(changed) <= set(second)
        assert sum(len(p.documents) if p.counted is None else p.counted for p in pages) >= (pages[0].shop_count or 0)

    def test_orders_that_leave_a_crowded_second_hide_none_of_the_others(self, shop: ShopUnderTest) -> None:
        same = START + timedelta(minutes=10)
        added = [shop.add(modified=same) for _ in range(shop.page_size * 4)]
        changed: list[str] = []

        def change(call: int) -> None:
            order_id = added[len(changed) * 3]
            changed.append(order_id)
            shop.touch(order_id, HOUR.end + timedelta(seconds=call))

        shop.before_each_call(change)
        first = ids(shop.connector.read(HOUR, by="modified"))
        shop.before_each_call(lambda call: None)
        following = Window(start=HOUR.end, end=HOUR.end + timedelta(hours=1))
        assert set(first) | set(ids(shop.connector.read(following, by="modified"))) == set(added)
        assert max(Counter(first).values()) == 1

    def test_orders_deleted_while_they_are_read_hide_none_of_the_others(self, shop: ShopUnderTest) -> None:
        added = [shop.add(modified=START + timedelta(seconds=n)) for n in range(shop.page_size * 2 + 20)]
        gone: list[str] = []

        def delete(call: int) -> None:
            if call > 1:
                order_id = added[len(gone)]
                gone.append(order_id)
                shop.remove(order_id)

        shop.before_each_call(delete)
        first = ids(shop.connector.read(HOUR, by="modified"))
        assert set(added) - set(gone) <= set(first)

    def test_a_refund_comes_inside_its_order_also_when_the_order_did_not_change(self, shop: ShopUnderTest) -> None:
        order_id = shop.add(modified=START - timedelta(days=30))
        refund_id = shop.refund(order_id, START + timedelta(minutes=3), touch=False)
        pages = list(shop.connector.read(HOUR, by="modified"))
        found = orders(pages)
        assert [order.order_id for order in found] == [order_id]
        assert [refund.refund_id for refund in found[0].refunds] == [refund_id]
        assert pages[0].shop_count == 0
        assert sum(len(p.documents) if p.counted is None else p.counted for p in pages) == 0

    def test_an_order_comes_with_all_its_refunds_whenever_they_were_made(self, shop: ShopUnderTest) -> None:
        order_id = shop.add(modified=START - timedelta(days=30))
        made = [START - timedelta(days=9), START + timedelta(minutes=3), HOUR.end + timedelta(days=1)]
        refunds = [shop.refund(order_id, moment, touch=False) for moment in made]
        other = shop.add(modified=START + timedelta(minutes=1))
        later = shop.refund(other, HOUR.end + timedelta(days=2), touch=False)
        found = {order.order_id: order for order in orders(shop.connector.read(HOUR, by="modified"))}
        assert [refund.refund_id for refund in found[order_id].refunds] == refunds
        assert [refund.refund_id for refund in found[other].refunds] == [later]
        assert all(refund.total > 0 for refund in found[order_id].refunds)
        assert all(line.net > 0 for refund in found[order_id].refunds for line in refund.lines)
        assert found[order_id].refunds[0].lines[0].line_id == found[order_id].lines[0].line_id

    def test_fetching_by_id_leaves_out_what_is_gone(self, shop: ShopUnderTest) -> None:
        added = [shop.add(modified=START) for _ in range(shop.page_size + 3)]
        refund = shop.refund(added[0], START, touch=True)
        gone = added.pop()
        shop.remove(gone)
        found = orders(shop.connector.fetch([*added, gone, "999999999", "no-id"]))
        assert Counter(order.order_id for order in found) == Counter(added)
        assert [r.refund_id for order in found for r in order.refunds] == [refund]

    def test_a_fault_in_passing_is_overcome(self, shop: ShopUnderTest) -> None:
        order_id = shop.add(modified=START)
        for fault in (Fault.SERVER_ERROR, Fault.TRUNCATED, Fault.SILENT):
            shop.fail(fault, None)
            assert ids(shop.connector.read(HOUR, by="modified")) == [order_id]

    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.TRUNCATED, Fault.SILENT])
    def test_a_fault_that_stays_asks_for_a_later_try(self, shop: ShopUnderTest, fault: Fault) -> None:
        shop.fail(fault)
        with pytest.raises(RetryLater):
            list(shop.connector.read(HOUR, by="modified"))

    def test_a_spent_quota_says_when_to_come_back(self, shop: ShopUnderTest) -> None:
        shop.fail(Fault.RATE_LIMITED)
        with pytest.raises(QuotaSpent) as caught:
            list(shop.connector.read(HOUR, by="modified"))
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > timedelta(minutes=1)
        assert shop.calls == 1

    def test_a_refused_credential_asks_for_a_person_at_once(self, shop: ShopUnderTest) -> None:
        shop.fail(Fault.REFUSED)
        with pytest.raises(Reconnect):
            list(shop.connector.read(HOUR, by="modified"))
        assert shop.calls == 1

    @pytest.mark.parametrize("fault", [Fault.HTML_FIRST, Fault.HTML_ONLY])
    def test_what_is_not_the_api_is_said_to_be_so(self, shop: ShopUnderTest, fault: Fault) -> None:
        shop.fail(fault)
        with pytest.raises(NotAShop) as caught:
            list(shop.connector.read(HOUR, by="modified"))
        assert "HTML" in str(caught.value) if fault is Fault.HTML_FIRST else "not the API" in str(caught.value)

    def test_a_fault_in_the_middle_is_no_end(self, shop: ShopUnderTest) -> None:
        """A window that could not be read to its end raises: it must never look like a short one."""
        for n in range(shop.page_size * 2):
            shop.add(modified=START + timedelta(seconds=n))
        shop.fail(None, None, Fault.SERVER_ERROR)
        with pytest.raises(RetryLater):
            list(shop.connector.read(HOUR, by="modified"))

    def test_the_check_says_who_the_shop_is(self, shop: ShopUnderTest) -> None:
        shop.add(modified=START)
        facts = shop.connector.check()
        assert (facts.orders, facts.currency, facts.timezone) == (1, "EUR", "Europe/Amsterdam")
        assert any(Decimal(rate) == 21 for _, rate, _ in facts.tax_rates)

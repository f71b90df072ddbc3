"""Real order lines become orders and refunds, and every line that does not is reported with its reason."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sluis.errors import NotConfigured
from sluis.sandbox.config import SandboxConfig, ShopConfig
from sluis.sandbox.csv_orders import COLUMNS, ImportReport, import_orders
from sluis.sandbox.orderbook import OrderBook
from sluis.sandbox.state import State
from tests.shared import shared_path

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADER = ",".join(COLUMNS)
LINES = """\
1001,MUG,Mug,6,2011-12-01 10:00:00,2.55,17850.0,United Kingdom
1001,POST,Postage,1,2011-12-01 10:00:00,4.00,17850.0,United Kingdom
1001,GIFT,,2,2011-12-01 10:00:00,0,17850.0,United Kingdom
1002,MUG,Mug,4,2011-12-02 10:00:00,2.55,17850.0,United Kingdom
1003,LAMP,Lamp,1,2011-12-03 10:00:00,50.00,,Germany
1004,LAMP,Lamp,1,2011-12-03 11:00:00,50.00,,Germany
1005,LAMP,Lamp,1,2011-12-04 11:00:00,50.00,12682.0,Norway
1006,MUG,Mug,-3,2011-12-04 12:00:00,2.55,17850.0,United Kingdom
1006,PEN,Pen,1,2011-12-04 12:00:00,-1.00,17850.0,United Kingdom
1007,MUG,lost,5,2011-12-04 13:00:00,0,,United Kingdom
1008,MUG,Mug,5,2011-12-04 13:00:00,2.55,1,Atlantis
C901,MUG,Mug,-3,2011-12-05 10:00:00,2.55,17850.0,United Kingdom
C902,MUG,Mug,-3,2011-12-05 11:00:00,2.55,17850.0,United Kingdom
C902,POST,Postage,-1,2011-12-05 11:00:00,4.00,17850.0,United Kingdom
C903,GIFT,,-1,2011-12-05 12:00:00,0,17850.0,United Kingdom
C904,CHAIR,Chair,-1,2011-12-05 12:00:00,9.00,17850.0,United Kingdom
C905,LAMP,Lamp,-1,2011-12-05 12:00:00,50.00,,Germany
C906,LAMP,Lamp,1,2011-12-05 12:00:00,50.00,12682.0,Norway
C907,MUG,Mug,-9,2011-12-05 13:00:00,2.55,17850.0,United Kingdom
C908,MUG,Mug,-1,2011-12-05 14:00:00,2.55,17850.0,United Kingdom
"""


def file_of(tmp_path: Path, text: str, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path) -> tuple[OrderBook, ImportReport]:
    book = OrderBook("Europe/Amsterdam")
    return book, import_orders(path, book, ShopConfig(), NOW, seed=1)


def orders_by_number(book: OrderBook) -> dict[str, dict]:
    return {document.raw["number"]: document.raw for document in book.orders.values()}


def test_every_line_becomes_something_or_is_reported(tmp_path: Path) -> None:
    book, report = load(file_of(tmp_path, f"{HEADER}\n{LINES}"))
    assert report.lines == 20 == report.lines_ordered + report.lines_refunded + len(report.skipped)
    assert sorted(orders_by_number(book)) == ["1001", "1002", "1003", "1004", "1005"]
    assert Counter(entry.reason for entry in report.skipped) == {
        "quantity_not_positive": 1,
        "price_negative": 1,
        "nothing_charged": 1,
        "country_unknown": 1,
        "nothing_was_charged": 1,
        "no_earlier_order_of_the_article": 1,
        "cancellation_without_customer": 1,
        "cancellation_without_negative_quantity": 1,
        "nothing_left_to_refund": 1,
    }
    assert report.invoices_skipped == {
        "1006": "nothing_charged",
        "1007": "nothing_charged",
        "1008": "country_unknown",
        "C903": "no_line_refunded",
        "C904": "no_line_refunded",
        "C905": "no_line_refunded",
        "C906": "no_line_refunded",
        "C908": "no_line_refunded",
    }


def test_a_cancellation_takes_from_the_latest_order_that_has_something_left(tmp_path: Path) -> None:
    book, report = load(file_of(tmp_path, f"{HEADER}\n{LINES}"))
    orders = orders_by_number(book)
    taken = [
        (number, item["sku"], -item["quantity"])
        for refund in sorted(book.refunds.values(), key=lambda refund: refund.created)
        for number in [book.orders[refund.parent].raw["number"]]
        for item in refund.raw["line_items"]
    ]
    assert taken == [("1002", "MUG", 3), ("1002", "MUG", 1), ("1001", "POST", 1), ("1001", "MUG", 6)]
    assert [(entry.invoice, entry.quantity) for entry in report.partly] == [("C902", -2), ("C907", -3)]
    assert report.refunds == 4
    assert orders["1002"]["status"] == "refunded"
    cents = sum(int(Decimal(refund.raw["amount"]) * 100) for refund in book.refunds.values())
    assert cents == report.refunds_cents == 1020 + 400 + 1530


def test_prices_hold_21_percent_and_go_abroad_as_the_shop_does_it(tmp_path: Path) -> None:
    book, report = load(file_of(tmp_path, f"{HEADER}\n{LINES}"))
    orders = orders_by_number(book)
    assert (Decimal(orders["1001"]["total"]), Decimal(orders["1001"]["total_tax"])) == (
        Decimal("19.30"),
        Decimal("3.35"),
    )
    assert Decimal(orders["1003"]["total"]) == Decimal("49.17")  # 41.32 and 19 %
    assert Decimal(orders["1005"]["total"]) == Decimal("41.32")  # export
    assert orders["1005"]["billing"]["country"] == "NO"
    assert report.orders_cents == 1930 + 1020 + 4917 + 4917 + 4132


def test_dates_move_so_that_the_last_order_is_of_yesterday(tmp_path: Path) -> None:
    book, _ = load(file_of(tmp_path, f"{HEADER}\n{LINES}"))
    assert orders_by_number(book)["1005"]["date_created"] == "2026-11-22T11:00:00"
    assert max(document.created for document in (*book.orders.values(), *book.refunds.values())) <= NOW


def test_a_number_is_one_person_and_no_number_a_new_guest(tmp_path: Path) -> None:
    book, _ = load(file_of(tmp_path, f"{HEADER}\n{LINES}"))
    orders = orders_by_number(book)
    assert orders["1001"]["billing"] == orders["1002"]["billing"]
    assert orders["1001"]["customer_id"] == 17850
    assert orders["1003"]["billing"]["email"] != orders["1004"]["billing"]["email"]
    assert orders["1003"]["customer_id"] == 0


def test_a_packed_file_gives_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "orders.csv.gz"
    packed.write_bytes(gzip.compress(f"{HEADER}\n{LINES}".encode()))
    state = State(SandboxConfig(shops=(ShopConfig(orders_csv=packed),)), clock=lambda: NOW)
    imported = state.shop("shop").imported
    assert imported is not None
    assert imported.summary() == load(file_of(tmp_path, f"{HEADER}\n{LINES}"))[1].summary()
    assert state.stats()["shops"]["shop"]["orders_cents"] == imported.orders_cents


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("InvoiceNo,StockCode\n1,2\n", "column Description, Quantity, .* is missing"),
        (f"{HEADER}\n1,A,a,veel,2011-12-01 10:00:00,1,1,France\n", "line 2: Quantity or UnitPrice is not a number"),
        (f"{HEADER}\n1,A,a,1.5,2011-12-01 10:00:00,1,1,France\n", "line 2: Quantity must be a whole number"),
        (f"{HEADER}\n1,A,a,1,2011-12-01 10:00:00,NaN,1,France\n", "line 2: Quantity must be"),
        (f"{HEADER}\n1,A,a,1,gisteren,1,1,France\n", "line 2: InvoiceDate is not a date"),
        (f"{HEADER}\n1,A,a,1\n", "line 2: it has fewer columns"),
        (f"{HEADER}\n,A,a,1,2011-12-01 10:00:00,1,1,France\n", "line 2: InvoiceNo and StockCode"),
        (f"{HEADER}\n", "holds no order lines"),
    ],
)
def test_a_wrong_file_gives_one_line_that_names_the_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=message) as caught:
        load(file_of(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="No such file"):
        load(tmp_path / "absent.csv")
    with pytest.raises(NotConfigured, match="not a gzip file"):
        load(file_of(tmp_path, "text", "orders.csv.gz"))
    binary = tmp_path / "orders.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotConfigured, match="not a UTF-8 text file"):
        load(binary)


@pytest.mark.shared
def test_the_real_lines_are_all_accounted_for() -> None:
    book, report = load(shared_path("data/online-retail-orders.csv.gz"))
    assert report.lines == 100_464 == report.lines_ordered + report.lines_refunded + len(report.skipped)
    assert report.invoices == 4_863
    assert (len(book.orders), len(book.refunds)) == (report.orders, report.refunds)
    assert report.orders == 4_063 - sum(not name.startswith("C") for name in report.invoices_skipped)
    for order_id, refunds in book.by_parent.items():
        total = Decimal(book.orders[order_id].raw["total"])
        assert sum(Decimal(refund.raw["amount"]) for refund in refunds) <= total

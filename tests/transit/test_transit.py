"""Transit: what goes in comes out whole or not at all, and nothing of it can be read where it stands."""

from __future__ import annotations

import traceback
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.frozen import Frozen
from sluis.core.invoice import DocumentKind, DocumentOutcome, Result
from sluis.core.order import Address, Buyer, LineKind, Order, OrderLine, Unreadable
from sluis.core.personal import Personal
from sluis.errors import Defect, NotConfigured, TransitLost
from sluis.privacy.keyring import Keyring
from sluis.transit.codec import decode, encode
from sluis.transit.store import Transit
from tests.conftest import Database
from tests.store.helpers import add_integration

pytestmark = pytest.mark.postgres
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
MARKER = "Canary-7f3k"


def order(number: int = 1) -> Order:
    """An order with the marker in every personal field."""
    secret = Personal(MARKER)
    address = Address(country="NL", postcode=secret, city=secret, street=secret)
    buyer = Buyer(
        first_name=secret, last_name=secret, company=secret, email=Personal(f"{MARKER}@example.nl"),
        vat_number=secret, customer_id=secret, address=address,
    )  # fmt: skip
    line = OrderLine(
        line_id="1", kind=LineKind.GOODS, description="Fiets", quantity=Decimal("0.333"), net=Decimal("10.00"),
        vat_total=Decimal("2.10"),
    )  # fmt: skip
    return Order(
        platform="woocommerce", order_id=str(number), number=str(number), status="completed", currency="EUR",
        created_at=NOON, modified_at=NOON, prices_include_vat=True, lines=(line,), total_vat=Decimal("2.10"),
        total=Decimal("12.10"), buyer=buyer, ship_to=address,
    )  # fmt: skip


ITEMS: list[Frozen] = [
    order(),
    Unreadable(order_id="2", number="2", code="unreadable", total=Decimal("1.00"), currency="EUR"),
    DocumentOutcome(
        kind=DocumentKind.INVOICE, document_id="3", order_id="3", order_number="3", result=Result.SKIPPED, reason="test"
    ),
]


@pytest.fixture
def transit(database: Database) -> Iterator[Transit]:
    """The transit of a merchant, as a task has it."""
    merchant = add_integration(database).merchant
    with database.task(merchant) as conn:
        yield Transit(conn, merchant, database.keyring)


def test_what_goes_in_comes_out_personal_values_included(transit: Transit) -> None:
    batch = Transit.batch_id("sync__m7f3k__a", "scheduled__1")
    transit.put(batch, "orders", 0, ITEMS)
    transit.put(batch, "orders", 1, [order(9)])
    transit.put(batch, "orders", 1, [order(2)])  # a second try replaces the chunk
    transit.seal(batch, "orders", 2)
    assert list(transit.read(batch, "orders")) == [(0, ITEMS), (1, [order(2)])]
    assert transit.count(batch, "orders") == 4
    [(_, [first, *_]), _] = list(transit.read(batch, "orders"))
    assert first.buyer.email.reveal() == f"{MARKER}@example.nl"
    transit.put(batch, "empty", 0, [])
    transit.seal(batch, "empty", 0)
    assert list(transit.read(batch, "empty")) == []


def test_a_run_always_has_the_same_batch_and_no_other_has_it() -> None:
    assert Transit.batch_id("a", "b") == Transit.batch_id("a", "b")
    ids = {Transit.batch_id(*pair) for pair in (("a", "b"), ("a", "c"), ("b", "b"), ("ab", ""))}
    assert len(ids) == 4


def test_the_table_reaches_no_log_and_shows_nothing(transit: Transit, database: Database) -> None:
    transit.put("batch", "orders", 0, ITEMS)
    with database.owner() as conn:
        kinds = conn.execute(
            """select c.relpersistence, t.relpersistence from pg_class c join pg_class t on t.oid = c.reltoastrelid
            where c.oid = 'sluis.transit_chunk'::regclass"""
        ).fetchone()
        stored = conn.execute("select ciphertext, t::text from sluis.transit_chunk as t").fetchone()
    assert kinds == ("u", "u")
    assert stored is not None
    plain = encode(ITEMS)
    assert plain[2:20] not in stored[0]
    for form in (MARKER.encode(), MARKER.encode().hex().encode(), b"Fiets", b"woocommerce"):
        assert form not in stored[0]
        assert form not in stored[1].encode()


def test_a_chunk_that_is_gone_altered_or_moved_is_lost_and_never_an_order_less(
    transit: Transit, database: Database
) -> None:
    def fill(batch: str) -> None:
        for number in range(3):
            transit.put(batch, "orders", number, [order(number)])
        transit.seal(batch, "orders", 3)

    with pytest.raises(TransitLost, match="not in transit any more"):
        list(transit.read("never", "orders"))
    transit.put("unsealed", "orders", 0, ITEMS)
    with pytest.raises(TransitLost, match="not in transit any more"):
        list(transit.read("unsealed", "orders"))
    with pytest.raises(TransitLost):
        transit.count("unsealed", "orders")
    with database.owner() as conn:
        for batch, change, told in (
            ("gone", "delete from sluis.transit_chunk where batch_id = 'gone' and number = 2", "misses its chunk 2"),
            (
                "altered",
                """update sluis.transit_chunk set ciphertext = set_byte(ciphertext, 20, 255 - get_byte(ciphertext, 20))
                where batch_id = 'altered' and number = 1""",
                "altered",
            ),
            (
                "swapped",
                """update sluis.transit_chunk as t set ciphertext = o.ciphertext from sluis.transit_chunk as o
                where t.batch_id = 'swapped' and o.batch_id = 'swapped' and t.number = 1 and o.number = 0""",
                "altered",
            ),
            (
                "shorter",
                """update sluis.transit_chunk as t set ciphertext = o.ciphertext from sluis.transit_chunk as o
                where t.batch_id = 'shorter' and o.batch_id = 'gone' and t.number = -1 and o.number = -1""",
                "altered",
            ),
        ):
            fill(batch)
            assert conn.execute(change).rowcount == 1
            with pytest.raises(TransitLost, match=told) as caught:
                list(transit.read(batch, "orders"))
            assert "extract" in str(caught.value)
            assert MARKER not in "".join(traceback.format_exception(caught.value))


def test_a_crash_of_the_server_loses_the_batch_whole(transit: Transit, database: Database) -> None:
    transit.put("batch", "orders", 0, ITEMS)
    transit.seal("batch", "orders", 1)
    with database.owner() as conn:
        conn.execute("truncate sluis.transit_chunk")  # what PostgreSQL does to an unlogged table after a crash
    with pytest.raises(TransitLost):
        list(transit.read("batch", "orders"))


def test_shred_takes_the_whole_batch_and_no_other(transit: Transit) -> None:
    for batch in ("one", "two"):
        for stage in ("orders", "decisions"):
            transit.put(batch, stage, 0, ITEMS)
            transit.seal(batch, stage, 1)
    assert transit.shred("one") == 2
    assert transit.shred("one") == 0
    with pytest.raises(TransitLost):
        list(transit.read("one", "orders"))
    assert transit.count("two", "decisions") == 3


def test_sweep_takes_batches_whose_last_chunk_is_old(transit: Transit, database: Database) -> None:
    for batch in ("old", "underway"):
        transit.put(batch, "orders", 0, ITEMS)
    with database.owner() as conn:
        conn.execute("update sluis.transit_chunk set created_at = now() - interval '25 hours'")
    transit.put("underway", "orders", 1, ITEMS)
    assert transit.sweep(timedelta(hours=24)) == 1
    assert transit.shred("underway") == 2


def test_another_merchant_or_another_key_opens_nothing(transit: Transit, database: Database) -> None:
    transit.put("batch", "orders", 0, ITEMS)
    transit.seal("batch", "orders", 1)
    other = add_integration(database, administration="moneybird/2").merchant
    with database.task(other) as conn, pytest.raises(TransitLost):
        list(Transit(conn, other, database.keyring).read("batch", "orders"))
    with database.owner() as conn:
        merchant = conn.execute("select merchant_code from sluis.transit_chunk").fetchone()
        assert merchant is not None
        with pytest.raises(NotConfigured, match="not in SLUIS_KEYS"):
            list(Transit(conn, merchant[0], Keyring.parse(Keyring.generate())).read("batch", "orders"))
        rotated = Keyring.parse(f"{Keyring.generate()},{database.keys}")
        assert list(Transit(conn, merchant[0], rotated).read("batch", "orders")) == [(0, ITEMS)]


def test_reading_holds_one_chunk_at_a_time(transit: Transit) -> None:
    def peak(chunks: int) -> int:
        batch = f"batch{chunks}"
        for number in range(chunks):
            transit.put(batch, "orders", number, [order(number * 100 + n) for n in range(100)])
        transit.seal(batch, "orders", chunks)
        tracemalloc.start()
        try:
            assert sum(len(items) for _, items in transit.read(batch, "orders")) == chunks * 100
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)
    assert peak(20) < 2 * peak(2)


@pytest.mark.parametrize(
    "data",
    [b"nonsense", encode(ITEMS)[:-5], b""],
)
def test_bytes_that_cannot_be_read_are_an_error_without_their_content(data: bytes) -> None:
    if not data:
        assert decode(data) == []
        return
    with pytest.raises(Defect) as caught:
        decode(data)
    assert caught.value.code == "transit_unreadable"


def test_a_model_that_changed_is_an_error_without_its_content(monkeypatch: pytest.MonkeyPatch) -> None:
    from sluis.transit import codec

    data = encode([order()])
    monkeypatch.setitem(codec.MODELS, "order", Unreadable)
    with pytest.raises(Defect) as caught:
        decode(data)
    assert MARKER not in "".join(traceback.format_exception(caught.value))


def test_only_known_models_pass() -> None:
    with pytest.raises(Defect, match="Buyer does not pass"):
        encode([order().buyer])
    negative: Any = -1
    with pytest.raises(Defect, match="numbered from 0"):
        Transit.put(object.__new__(Transit), "b", "orders", negative, [])

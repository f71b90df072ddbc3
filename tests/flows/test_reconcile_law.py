"""Whatever shop, store and package say: every cent by which two columns differ has a cause, and no order matters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.core import reconciliation as rec
from sluis.core.figures import Figure
from sluis.core.icp import Icp
from sluis.core.invoice import DocumentKind, Result, VatCategory, VatTreatment
from sluis.core.money import from_cents
from sluis.core.order import LineKind
from sluis.core.reconciliation import Period, Sheet
from sluis.core.vat_return import Maker, Rules
from sluis.flows.reconcile_books import Books, BooksSide
from sluis.flows.reconcile_shop import Doc, ShopSide, Shown
from sluis.ports import Booked
from sluis.store.bookings_rows import Booking, BookingState
from sluis.store.ledger import Waiting

PERIOD = Period.of("2026Q3")
NOW = datetime(2026, 10, 2, tzinfo=UTC)
DAYS = st.sampled_from([date(2026, 6, 30), date(2026, 7, 1), date(2026, 9, 30), date(2026, 10, 1)])
CENTS = st.sampled_from([-1210, 0, 1000, 1210])
CURRENCIES = st.sampled_from(["EUR", "EUR", "EUR", "USD"])
TREATMENTS = st.sampled_from(
    [None, *(VatTreatment(category=VatCategory.STANDARD, rate=rate, country="NL") for rate in ("21", "9"))]
)
FIGURES = st.lists(
    st.builds(Figure, kind=st.just(LineKind.GOODS), category=st.none(), treatment=TREATMENTS, net_cents=CENTS,
              vat_cents=st.sampled_from([0, 210])), min_size=1, max_size=2,
).map(tuple)  # fmt: skip
KINDS = st.sampled_from([DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE])
SUMMARY = b"s" * 32


@st.composite
def docs(draw: st.DrawFn, number: int) -> Doc:
    figures = draw(st.none() | FIGURES)
    sums = rec.sums_of(figures) if figures else {rec.UNDECIDED: (draw(CENTS), 0)}
    results = [Result.BOOKED] if figures else [Result.SKIPPED, Result.QUARANTINED, Result.DEFERRED]
    return Doc(
        key=(draw(KINDS), number.to_bytes(32, "big")), order_number="1", reference=str(number),
        result=draw(st.sampled_from(results)),
        reason=draw(st.sampled_from(["before_start", "status_not_bookable"])) if not figures else None,
        day=draw(DAYS), moved=draw(st.booleans()), currency=draw(CURRENCIES), figures=figures, sums=sums,
        changed_at=draw(st.sampled_from([None, NOW, NOW - timedelta(days=60)])),
    )  # fmt: skip


@st.composite
def bookings(draw: st.DrawFn, number: int, external_id: str) -> Booking:
    figures = draw(st.none() | FIGURES)
    total = sum(f.net_cents + f.vat_cents for f in figures) if figures else draw(st.none() | CENTS)
    state = draw(st.sampled_from([*BookingState, BookingState.BOOKED, BookingState.BOOKED]))
    member = state is BookingState.HELD and draw(st.booleans())
    return Booking(
        kind=draw(KINDS), document_key=number.to_bytes(32, "big"), revision=draw(st.sampled_from([0, 0, 1])),
        state=state, reference=str(number), reference_key=number.to_bytes(32, "big"),
        order_number="1", claimed_at=NOW, attempts=1, booked_at=NOW,
        external_id=external_id if state is BookingState.BOOKED else None, debtor_id=None, fingerprint=b"f" * 32,
        total_cents=total, vat_cents=None if total is None else 0,
        package_total_cents=draw(st.sampled_from([None, total])), package_vat_cents=None,
        currency="EUR" if member else draw(CURRENCIES),  # a day's entry has one
        issue_date=draw(DAYS), adopted=draw(st.booleans()), reason=draw(st.sampled_from([None, "total_differs"])),
        run_id="run", figures=figures, original_date=draw(st.sampled_from([None, date(2026, 6, 30)])),
        summary_key=SUMMARY if member else None, summary_revision=0 if member else None,
    )  # fmt: skip


@st.composite
def packages(draw: st.DrawFn, external_id: str) -> Booked:
    return Booked(
        external_id=external_id, reference=draw(st.sampled_from(["1", "2", "3"])), issue_date=draw(DAYS),
        currency=draw(CURRENCIES), total_with_vat=from_cents(draw(CENTS)),
        total_vat=from_cents(draw(st.sampled_from([0, 1, 210]))), ours=draw(st.sampled_from([None, True, False])),
    )  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    numbers = range(1, 5)
    return {
        "docs": [draw(docs(n)) for n in draw(st.sets(st.sampled_from(numbers), min_size=1))],
        "rows": [draw(bookings(n, str(n))) for n in draw(st.sets(st.sampled_from(numbers)))],
        "package": [draw(packages(str(n))) for n in draw(st.sets(st.sampled_from([*numbers, 9])))],
        "waiting": draw(st.sampled_from([None, Waiting(reason="total_differs", field=None, closed_as=None),
                                         Waiting(reason="unreadable", field=None, closed_as="booked_by_hand")])),
        "watermark": draw(st.sampled_from([None, NOW - timedelta(days=1)])),
        "summary": draw(st.sampled_from(list(BookingState))),
        "shown": draw(st.booleans()),
    }  # fmt: skip


def summary(state: BookingState) -> Booking:
    return Booking(
        kind=DocumentKind.DAY_SUMMARY, document_key=SUMMARY, revision=0, state=state, reference="day",
        reference_key=b"r" * 32, order_number=None, claimed_at=NOW, attempts=1, booked_at=NOW, external_id="9",
        debtor_id=None, fingerprint=b"f" * 32, total_cents=0, vat_cents=0, package_total_cents=None,
        package_vat_cents=None, currency="EUR", issue_date=date(2026, 7, 1), adopted=False, reason=None, run_id="run",
    )  # fmt: skip


def sheet_of(world: dict[str, Any]) -> Sheet:
    sheet, books = Sheet(), Books(world["package"])
    rules = Rules(home="NL")
    side = BooksSide(
        period=PERIOD, today=NOW.date(), books=books, sheet=sheet, maker=Maker(rules, PERIOD.quarter), icp=Icp(rules),
        summaries={(SUMMARY, 0): summary(world["summary"])},
    )  # fmt: skip
    shop = ShopSide(period=PERIOD, watermark=world["watermark"], sheet=sheet, books=books, books_side=side)
    if world["shown"]:
        waiting = {doc.key: world["waiting"] for doc in world["docs"] if world["waiting"]}
        shop.order(Shown(docs=world["docs"], rows=world["rows"], reversals=frozenset(), waiting=waiting))
    elif here := [row for row in world["rows"] if PERIOD.holds(row.issue_date)]:
        shop.gone(here, world["rows"])
    side.close_days()
    for found in books.left(PERIOD):
        side.stranger(found, rec.UNKNOWN_TO_SLUIS)
    return sheet


@settings(max_examples=150, deadline=None)
@given(world=worlds())
def test_every_cent_of_a_difference_has_a_cause(world: dict[str, Any]) -> None:
    sheet = sheet_of(world)
    sheet.prove()
    assert {d.cause for d in sheet.differences} <= set(rec.CAUSES)
    for line in sheet.treatments():
        assert line.key.name or line.key.category


@settings(max_examples=50, deadline=None)
@given(world=worlds())
def test_the_order_of_documents_rows_and_pages_changes_nothing(world: dict[str, Any]) -> None:
    backwards = {**world, **{name: world[name][::-1] for name in ("docs", "rows", "package")}}
    one, other = sheet_of(world), sheet_of(backwards)
    assert (one.totals(), one.treatments(), one.causes()) == (other.totals(), other.treatments(), other.causes())

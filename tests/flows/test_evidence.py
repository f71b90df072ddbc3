"""What is asked before an order is decided: each number and rate once, and what it was booked on stays its ground."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.core.evidence import Evidence, ExchangeRate, VatCheck
from sluis.core.invoice import Decision, DocumentKind, DocumentOutcome, Prepared, Result, VatCategory
from sluis.core.money import cents
from sluis.core.order import Address, Buyer, Order
from sluis.core.personal import Personal
from sluis.core.settings import IntegrationSettings
from sluis.flows import evidence
from sluis.flows.evidence import Gathering
from sluis.flows.wiring import Session
from sluis.store.integrations import Integrations
from sluis.store.merchants import Merchants
from sluis.transit.codec import decode, encode
from tests.conftest import Database
from tests.quality import documents

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
MINE = "NL123456782B90"
BELGIAN, OTHER_BELGIAN, GERMAN = "BE0123456749", "BE0123456848", "DE123456788"


@dataclass
class Register:
    """A register of VAT numbers with answers of a table; everything else is ``unverified``."""

    answers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # (number, requester)
    now: datetime = NOW

    def check(self, number: Personal, *, requester: str, country: str = "") -> VatCheck:
        self.asked.append((number.reveal(), requester))
        state: Any = self.answers.get(number.reveal(), "unverified")
        request_id = f"WAPI{len(self.asked):04d}" if state == "valid" else None
        return VatCheck(state=state, checked_at=self.now, request_id=request_id)

    def close(self) -> None:
        pass


@dataclass
class Rates:
    """Reference rates of a table."""

    known: dict[str, str] = field(default_factory=lambda: {"USD": "1.25"})
    asked: list[tuple[str, date]] = field(default_factory=list)

    def rate(self, currency: str, on: date) -> ExchangeRate | None:
        self.asked.append((currency, on))
        found = self.known.get(currency)
        return ExchangeRate(currency=currency, rate=Decimal(found), on=on) if found else None

    def close(self) -> None:
        pass


@dataclass
class Bench:
    """A session of one integration whose registers are ours."""

    database: Database
    merchant: str
    code: str
    register: Register = field(default_factory=Register)
    rates: Rates = field(default_factory=Rates)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.database.task(self.merchant) as conn:
            integration = Integrations(conn).get(self.merchant, self.code)
            made = Session(conn, self.database.keyring, integration, "task")
            made.__dict__.update(vat_register=self.register, reference_rates=self.rates)
            yield made

    def run(
        self, *orders: Order, keep: bool = True, now: Callable[[], datetime] = lambda: NOW, **settings: Any
    ) -> list[tuple[Decision, ...]]:
        """Decide these orders in one run."""
        with self.session() as session:
            chosen = IntegrationSettings.model_validate(
                {**session.integration.settings.model_dump(), "vat_number": MINE, **settings}
            )
            gathering = Gathering(session, keep=keep, now=now)
            gathering.look_up(orders, chosen, TODAY)
            return [gathering.prepared(order, chosen, today=TODAY) for order in orders]

    def stored(self) -> list[tuple[str, str | None]]:
        with self.database.owner() as conn:
            return list(conn.execute("select answer, request_id from sluis.vat_number_check order by 1, 2").fetchall())

    def book(self, prepared: Prepared) -> None:
        """Record an invoice as booked, on its evidence."""
        invoice = prepared.invoice
        with self.session() as session:
            what: dict[str, Any] = {
                "kind": invoice.kind,
                "document_key": session.pseudonyms.document_key(self.code, invoice.kind, invoice.document_id),
                "revision": 0,
            }
            session.bookings.claim(
                **what, reference=invoice.invoice_number,
                reference_key=session.reference_key(invoice.invoice_number), order_number=invoice.order_number,
                fingerprint=session.pseudonyms.fingerprint(invoice), total_cents=cents(invoice.owed),
                vat_cents=cents(invoice.total_vat), currency=invoice.currency, issue_date=invoice.issue_date,
                run_id="run", evidence=invoice.evidence,
            )  # fmt: skip


@pytest.fixture
def bench(database: Database) -> Bench:
    with database.owner() as conn:
        merchant = Merchants(conn).add("Voorbeeld", database.keyring).code
        settings = IntegrationSettings(start_date=date(2026, 1, 1))
        code = Integrations(conn).add(
            merchant, shop="woocommerce", package="moneybird", settings=settings, administration_key="moneybird/1"
        ).code  # fmt: skip
    return Bench(database, merchant, code)


def to_business(number: str, vat_number: str, **changes: Any) -> Order:
    """An order without VAT of a business elsewhere in the EU."""
    country = vat_number[:2]
    facts: dict[str, Any] = {
        "lines": (documents.line("100.00", "0.00", ("0", "0.00")),),
        "total_vat": Decimal("0.00"),
        "total": Decimal("100.00"),
        "buyer": Buyer(
            company=Personal("Voorbeeld"), vat_number=Personal(vat_number), address=Address(country=country)
        ),
        "ship_to": Address(country=country),
        "created_at": NOW - timedelta(hours=3),
        "modified_at": NOW - timedelta(hours=2),
        "paid_at": NOW - timedelta(hours=3),
    }
    return documents.order(int(number), **facts | changes)


def in_dollars(number: int, **changes: Any) -> Order:
    facts = {"currency": "USD", "created_at": NOW - timedelta(hours=3), "paid_at": NOW - timedelta(hours=3)}
    return documents.order(number, **facts | changes)


def booked(decisions: tuple[Decision, ...]) -> Prepared:
    assert isinstance(decisions[0], Prepared), decisions[0]
    return decisions[0]


def refused(decisions: tuple[Decision, ...]) -> tuple[Result, str | None]:
    assert isinstance(decisions[0], DocumentOutcome), decisions[0]
    return decisions[0].result, decisions[0].reason


# -------------------------------------------------------------------------------------------------- VAT numbers


def test_a_valid_number_is_the_ground_of_a_sale_without_vat(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.register.answers[BELGIAN] = "valid"
    invoice = booked(bench.run(to_business("1", BELGIAN))[0]).invoice
    assert [part.treatment.category for part in invoice.vat_breakdown] == [VatCategory.INTRA_COMMUNITY]
    assert invoice.evidence.vat_check == VatCheck(state="valid", checked_at=NOW, request_id="WAPI0001")
    assert bench.register.asked == [(BELGIAN, MINE)]
    assert "member_state=BE answer=valid at=2026-11-20T12:00:00+00:00 request=WAPI0001" in caplog.text
    assert BELGIAN[2:] not in caplog.text


def test_an_invalid_number_is_for_a_person(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "invalid"
    result, reason = refused(bench.run(to_business("1", BELGIAN))[0])
    assert (result, reason) == (Result.QUARANTINED, "vat_number_invalid")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("wait", (Result.DEFERRED, "vat_number_unverified")),
        ("quarantine", (Result.QUARANTINED, "vat_number_unverified")),
    ],
)
def test_while_nobody_answers_it_waits_or_goes_to_a_person(
    bench: Bench, choice: str, expected: tuple[Result, str]
) -> None:
    order = to_business("1", BELGIAN)
    decisions = bench.run(order, vat_number_unverified=choice)[0]
    assert refused(decisions) == expected
    if choice == "wait":
        assert isinstance(decisions[0], DocumentOutcome)
        assert decisions[0].changed_at == order.modified_at


def test_while_nobody_answers_it_is_booked_with_a_warning_by_setting(bench: Bench) -> None:
    invoice = booked(bench.run(to_business("1", BELGIAN), vat_number_unverified="book")[0]).invoice
    assert invoice.evidence.vat_check is not None
    assert invoice.evidence.vat_check.state == "unverified"
    assert invoice.warnings


def test_with_the_check_off_nobody_is_asked(bench: Bench) -> None:
    invoice = booked(bench.run(to_business("1", BELGIAN), vat_number_check="off")[0]).invoice
    assert invoice.evidence.vat_check is None
    assert bench.register.asked == []


def test_a_sale_that_does_not_hang_on_the_number_asks_nobody(bench: Bench) -> None:
    bench.run(documents.order(1, buyer=Buyer(vat_number=Personal("NL123456782B90"))), documents.order(2))
    assert bench.register.asked == []


def test_a_number_is_asked_once_in_a_run(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "valid"
    written = [BELGIAN, "be 0123.456.749", "0123456749", BELGIAN]
    orders = [
        to_business(str(n), BELGIAN, buyer=Buyer(vat_number=Personal(text), address=Address(country="BE")))
        for n, text in enumerate(written, start=1)
    ]
    decided = [booked(decisions) for decisions in bench.run(*orders)]
    assert len(bench.register.asked) == 1
    assert {d.invoice.evidence.vat_check.request_id for d in decided if d.invoice.evidence.vat_check} == {"WAPI0001"}


@pytest.mark.parametrize("answer", ["valid", "invalid"])
def test_an_answer_is_used_again_for_a_day(bench: Bench, answer: str) -> None:
    bench.register.answers[BELGIAN] = answer
    bench.run(to_business("1", BELGIAN))
    assert [stored for stored, _ in bench.stored()] == [answer]
    bench.run(to_business("2", BELGIAN), now=lambda: NOW + timedelta(hours=23))
    assert len(bench.register.asked) == 1
    bench.register.now = NOW + timedelta(hours=25)
    bench.register.answers[BELGIAN] = "valid"
    again = booked(bench.run(to_business("3", BELGIAN), now=lambda: NOW + timedelta(hours=25))[0])
    assert len(bench.register.asked) == 2
    assert again.invoice.evidence.vat_check is not None
    assert again.invoice.evidence.vat_check.checked_at == NOW + timedelta(hours=25)
    assert bench.stored() == [("valid", "WAPI0002")]


def test_that_nobody_answered_is_asked_again_in_the_next_run_only(bench: Bench) -> None:
    bench.run(to_business("1", BELGIAN), to_business("2", BELGIAN))
    assert (len(bench.register.asked), bench.stored()) == (1, [])
    bench.register.answers[BELGIAN] = "valid"
    booked(bench.run(to_business("1", BELGIAN))[0])
    assert len(bench.register.asked) == 2


def test_a_preview_stores_nothing(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "valid"
    booked(bench.run(to_business("1", BELGIAN), keep=False)[0])
    assert bench.stored() == []


def test_another_merchant_asks_for_himself(bench: Bench, database: Database) -> None:
    bench.register.answers[BELGIAN] = "valid"
    bench.run(to_business("1", BELGIAN))
    with database.owner() as conn:
        other = Merchants(conn).add("Ander", database.keyring).code
        settings = IntegrationSettings(start_date=date(2026, 1, 1))
        code = Integrations(conn).add(
            other, shop="woocommerce", package="moneybird", settings=settings, administration_key="moneybird/2"
        ).code  # fmt: skip
    Bench(database, other, code, bench.register).run(to_business("1", BELGIAN))
    assert len(bench.register.asked) == 2
    with database.owner() as conn:
        keys = conn.execute("select count(distinct number_key) from sluis.vat_number_check").fetchone()
    assert keys == (2,), "one number has another key for another merchant"


# Danish numbers with a right check digit.
DANISH_NUMBERS = ("DK12345674", "DK10000041", "DK10000009", "DK10000017", "DK10000025", "DK10000033")


def test_a_member_state_that_stays_silent_is_left_alone_for_the_run(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.register.answers[GERMAN] = "valid"
    numbers = list(DANISH_NUMBERS)
    orders = [to_business(str(n), number) for n, number in enumerate(numbers, start=1)]
    decided = bench.run(*orders, to_business("20", GERMAN))
    assert {refused(d)[1] for d in decided[:-1]} == {"vat_number_unverified"}
    booked(decided[-1])
    assert [number[:2] for number, _ in bench.register.asked] == ["DK"] * evidence.STATE_SILENT + ["DE"]
    assert "member state DK" in caplog.text


def test_an_answer_ends_the_silence(bench: Bench) -> None:
    numbers = list(DANISH_NUMBERS[:5])
    bench.register.answers[numbers[2]] = "invalid"
    bench.run(*(to_business(str(n), number) for n, number in enumerate(numbers, start=1)))
    assert len(bench.register.asked) == 5


def test_a_register_that_is_away_is_left_alone_for_the_run(bench: Bench) -> None:
    numbers = [*DANISH_NUMBERS[:2], BELGIAN, GERMAN, "ATU12345675", "FI12345671", "LU12345613", "PT123456789"]
    bench.run(*(to_business(str(n), number) for n, number in enumerate(numbers, start=1)))
    assert len(bench.register.asked) == evidence.REGISTER_SILENT


# ---------------------------------------------------------------------------------- what stands stays as it was decided


def test_what_was_booked_on_a_valid_number_is_not_undone_by_the_register(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "valid"
    order = to_business("1", BELGIAN)
    first = booked(bench.run(order)[0])
    bench.book(first)
    bench.register.answers[BELGIAN] = "invalid"
    later = order.model_copy(update={"status": "completed", "modified_at": NOW + timedelta(days=2)})
    again = booked(bench.run(later, now=lambda: NOW + timedelta(days=2))[0])
    assert again.invoice.evidence == first.invoice.evidence
    assert len(bench.register.asked) == 1


def test_another_number_on_a_booked_order_is_looked_up(bench: Bench) -> None:
    bench.register.answers.update({BELGIAN: "valid", OTHER_BELGIAN: "invalid"})
    order = to_business("1", BELGIAN)
    bench.book(booked(bench.run(order)[0]))
    changed = to_business("1", OTHER_BELGIAN)
    assert refused(bench.run(changed)[0]) == (Result.QUARANTINED, "vat_number_invalid")
    assert len(bench.register.asked) == 2


def test_what_was_booked_unverified_is_asked_about_again(bench: Bench) -> None:
    order = to_business("1", BELGIAN)
    bench.book(booked(bench.run(order, vat_number_unverified="book")[0]))
    bench.register.answers[BELGIAN] = "valid"
    again = booked(bench.run(order, vat_number_unverified="book")[0])
    assert again.invoice.evidence.vat_check is not None
    assert again.invoice.evidence.vat_check.state == "valid"


def test_a_refund_rests_on_what_its_order_was_booked_on(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "valid"
    order = to_business("1", BELGIAN)
    first = booked(bench.run(order)[0])
    bench.book(first)
    bench.register.answers.clear()
    line = documents.line("100.00", "0.00", ("0", "0.00"))
    refund = documents.refund(1, created_at=NOW, total=Decimal("100.00"), lines=(line,))
    decisions = bench.run(order.model_copy(update={"refunds": (refund,)}), now=lambda: NOW + timedelta(days=3))[0]
    assert [d.invoice.kind for d in decisions if isinstance(d, Prepared)] == [
        DocumentKind.INVOICE,
        DocumentKind.CREDIT_NOTE,
    ]
    assert all(d.invoice.evidence == first.invoice.evidence for d in decisions if isinstance(d, Prepared))


# ---------------------------------------------------------------------------------------------------- exchange rates


def test_a_foreign_order_is_booked_at_the_rate_of_its_day(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first, second = (booked(d).invoice for d in bench.run(in_dollars(1), in_dollars(2)))
    assert first.evidence == Evidence(exchange=ExchangeRate(currency="USD", rate=Decimal("1.25"), on=TODAY))
    assert (first.currency, first.owed, first.charged_total) == ("EUR", Decimal("9.68"), Decimal("12.10"))
    assert second.evidence == first.evidence
    assert bench.rates.asked == [("USD", TODAY)]
    assert "currency=USD date=2026-11-20 rate=1.25 published=2026-11-20 source=ECB" in caplog.text


def test_the_rate_in_the_books_stays_when_another_is_published(bench: Bench) -> None:
    order = in_dollars(1)
    first = booked(bench.run(order)[0])
    bench.book(first)
    bench.rates.known["USD"] = "1.30"
    later = order.model_copy(update={"paid_at": NOW - timedelta(hours=1), "lines": (documents.line("20.00", "4.20"),)})
    later = later.model_copy(update={"total": Decimal("24.20"), "total_vat": Decimal("4.20")})
    again = booked(bench.run(later)[0]).invoice
    assert again.evidence == first.invoice.evidence
    assert again.owed == Decimal("19.36")


def test_without_a_rate_nothing_is_guessed(bench: Bench) -> None:
    bench.rates.known.clear()
    result, _ = refused(bench.run(in_dollars(1))[0])
    assert result in (Result.QUARANTINED, Result.DEFERRED)


def test_orders_in_the_books_currency_ask_for_no_rate(bench: Bench) -> None:
    bench.run(documents.order(1))
    assert bench.rates.asked == []


# ------------------------------------------------------------------------------------------------------------ transit


def test_evidence_passes_through_transit_unchanged(bench: Bench) -> None:
    bench.register.answers[BELGIAN] = "valid"
    made = [booked(d) for d in bench.run(to_business("1", BELGIAN), in_dollars(2))]
    assert decode(encode(made)) == made
    for one in made:
        text = one.invoice.evidence.model_dump_json()
        assert Evidence.model_validate_json(text) == one.invoice.evidence

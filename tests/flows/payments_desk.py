"""Documents in the sandbox's books, and what a run registers on them: without a shop, so that every order of events
can be played."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sluis.core.invoice import DocumentKind, DocumentOutcome, Invoice
from sluis.core.money import cents
from sluis.core.order import Payment
from sluis.core.personal import Personal
from sluis.core.reversal import reversal_id
from sluis.flows import integrations
from sluis.flows.patience import Patience
from sluis.flows.payments import Payments
from sluis.flows.wiring import Session, open_session
from sluis.store.bookings import Booking
from tests.contracts.accounting_contract import TODAY, invoice, line
from tests.flows.world import NO_WAIT, World

PSP, PAYPAL, VOUCHERS = "Tussenrekening betaaldienst", "Tussenrekening PayPal", "Verkochte cadeaubonnen"
NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)


def paid(
    amount: str, payment_id: str = "order", method: str = "mollie", *, at: datetime = NOON,
    reference: str | None = None, gift_card: bool = False,
) -> Payment:  # fmt: skip
    """Money that came in (went out, on a refund)."""
    return Payment(
        payment_id=payment_id, method=method, amount=Decimal(amount), paid_at=at, gift_card=gift_card,
        reference=Personal(f"tr_{payment_id}" if reference is None else reference),
    )  # fmt: skip


def sale(total: str, *payments: Payment, order: str = "1001") -> Invoice:
    """An invoice of an order over so much, VAT included."""
    return _document(DocumentKind.INVOICE, total, payments, number=f"WS-{order}", document_id=order, order=order)


def refund(total: str, *payments: Payment, order: str = "1001", number: int = 1) -> Invoice:
    """A credit note of a refund."""
    name = f"WS-{order}-C{number}"
    return _document(
        DocumentKind.CREDIT_NOTE, total, payments, number=name, document_id=f"{order}9{number}", order=order
    )


def reversal(total: str, revision: int, *, order: str = "1001") -> Invoice:
    """The credit note that takes a revision of an invoice back."""
    name = f"WS-{order}-X{revision}"
    return _document(DocumentKind.CREDIT_NOTE, total, (), number=name, document_id=reversal_id(order), order=order)


def _document(
    kind: DocumentKind, total: str, payments: tuple[Payment, ...], *, number: str, document_id: str, order: str
) -> Invoice:
    net = (Decimal(total) / Decimal("1.21")).quantize(Decimal("0.01"))
    made = invoice([line(str(net), str(Decimal(total) - net))], number=number, kind=kind)
    return made.model_copy(update={"document_id": document_id, "order_id": order, "payments": payments})


@dataclass
class Desk:
    """One integration's books and payments."""

    world: World
    runs: int = 0
    last: Payments | None = None
    rows: dict[tuple[str, int], Booking] = field(default_factory=dict)

    def __post_init__(self) -> None:
        account = self.world.books.account
        clearing = {"*": account(PSP), "paypal": account(PAYPAL)}
        self.change(register_payments=True, mapping={"clearing": clearing, "revenue": {"gift_card": account(VOUCHERS)}})

    def change(self, **settings: Any) -> None:
        """Change settings of the integration."""
        with open_session(self.world.merchant, self.world.code) as session:
            integrations.change(session.conn, self.world.merchant, self.world.code, settings)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with open_session(self.world.merchant, self.world.code, role="task") as session:
            yield session

    def book(self, document: Invoice, revision: int = 0, *, adopted: bool = False) -> Booking:
        """Bring a document to the books, as the booker would."""
        with self.session() as session:
            key = session.pseudonyms.document_key(self.world.code, document.kind, document.document_id)
            total, vat = (document.kind.sign * cents(a) for a in (document.total_with_vat, document.total_vat))
            reference = f"{document.invoice_number}/{revision}"
            session.bookings.claim(
                kind=document.kind, document_key=key, revision=revision, reference=reference,
                reference_key=session.reference_key(reference), order_number=document.order_number,
                fingerprint=b"f" * 32, total_cents=total, vat_cents=vat,
                currency="EUR", issue_date=document.issue_date, run_id="booked",
            )  # fmt: skip
            debtor = session.package.debtor(document.buyer, "ab" * 16)
            booked = session.package.book(document, debtor.id)
            row = session.bookings.booked(
                document.kind, key, revision, external_id=booked.external_id, debtor_id=debtor.id,
                package_total_cents=cents(booked.total_with_vat), package_vat_cents=cents(booked.total_vat),
                adopted=adopted,
            )  # fmt: skip
        self.rows[document.document_id, revision] = row
        return row

    def settle(self, document: Invoice, revision: int = 0, *, run: str | None = None) -> tuple[DocumentOutcome, ...]:
        """Register what is due on a document, in a run of its own."""
        self.runs += 1
        with self.session() as session:
            self.last = Payments(session, run or f"run{self.runs}", Patience(bound=NO_WAIT), NO_WAIT)
            row = self.rows[document.document_id, revision]
            self.last.prefetch([row])
            return self.last.settle(document, row)

    def on(self, document: Invoice, revision: int = 0) -> list[Mapping[str, Any]]:
        """The payments on a document in the books."""
        external_id = self.rows[document.document_id, revision].external_id or ""
        return list(self.world.books.invoices[external_id]["payments"])

    def amounts(self, document: Invoice, revision: int = 0) -> list[Decimal]:
        return [Decimal(payment["price"]) for payment in self.on(document, revision)]

    def open(self, document: Invoice, revision: int = 0) -> Decimal:
        """What is still to be paid on a document, by the books themselves."""
        external_id = self.rows[document.document_id, revision].external_id or ""
        return Decimal(self.world.books.invoices[external_id]["total_unpaid"])

    def balance(self, account: str = PSP) -> Decimal:
        """What stands on an account, by the books themselves."""
        return self.world.books.on_account(self.world.books.account(account))

    def calls(self) -> int:
        """How many payments were sent."""
        return self.world.calls("POST", "/payments")

    def by_hand(self, document: Invoice, amount: str, on: date, account: str = PSP) -> None:
        """Register a payment as a bookkeeper would."""
        given = {
            "payment_date": on.isoformat(),
            "price": amount,
            "ledger_account_id": self.world.books.account(account),
        }
        self.world.books.create_payment(str(self.rows[document.document_id, 0].external_id), given)

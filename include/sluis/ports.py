"""The protocols between the rooms. A connector implements one of the first two; flows use nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

from sluis.core.evidence import ExchangeRate, VatCheck
from sluis.core.frozen import Frozen, Moment
from sluis.core.invoice import Invoice
from sluis.core.journal import JournalEntry
from sluis.core.money import Amount
from sluis.core.order import Buyer, Order, Unreadable
from sluis.core.personal import NOBODY, Personal

# ---------------------------------------------------------------------------------------------------------- shops


class Window(Frozen):
    """A half-open piece of time, UTC: from ``start`` up to, not including, ``end``."""

    start: Moment
    end: Moment


class Page(Frozen):
    """A piece of what the shop answered. ``shop_count`` is the shop's own count of *orders* for the whole query.

    A shop may tell it with the first page or with every page; ``None`` where it gives none.
    """

    documents: tuple[Order | Unreadable, ...]
    shop_count: int | None = None
    counted: int | None = None  #: how many of the rows that ``shop_count`` counts this page holds; default: all of it


class ShopFacts(Frozen):
    """What ``integration check`` learns of a shop; no person in it."""

    version: str
    currency: str
    timezone: str
    prices_include_vat: bool
    orders: int | None  #: how many orders a key can see
    tax_rates: tuple[tuple[str, str, str], ...] = ()  #: (country, rate in percent, name) that the shop may charge
    payment_methods: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()  #: every product class that its lines may carry; empty: not known
    traits: tuple[str, ...] = ()  #: what it may sell by its settings: kinds of line, ``rounding``, ``marketplace``
    warnings: tuple[str, ...] = ()  #: codes with what is odd, e.g. ``rounds_at_subtotal``


class ShopConnector(Protocol):
    """Reads orders. Never writes to the shop.

    Every method raises ``RetryLater`` (time-out, 5xx, truncated body, 429 as ``QuotaSpent``), ``Reconnect`` (key
    refused), ``NotAShop`` or ``Defect``; one unreadable order is an ``Unreadable``, never an exception.
    """

    def check(self) -> ShopFacts:
        """Ask the shop who it is and what it charges."""
        ...

    def read(self, window: Window, *, by: Literal["modified", "dated"]) -> Iterator[Page]:
        """Yield every order changed (or dated) inside the window at least once, and none twice.

        Refunds made inside the window come inside their order, also when the order itself did not change.
        """
        ...

    def fetch(self, order_ids: Sequence[str]) -> Iterator[Page]:
        """Yield these orders with all their refunds; ids the shop does not know (any more) are left out."""
        ...


# ------------------------------------------------------------------------------------------------------- accounting


class TaxRate(Frozen):
    """A tax rate of an administration."""

    id: str
    name: str
    percent: Decimal | None
    country: str | None  #: ``None``: domestic
    active: bool = True


class LedgerAccount(Frozen):
    """A ledger account of an administration. ``kind`` is the package's own word (``revenue``, ``liability``)."""

    id: str
    name: str
    code: str | None
    kind: str
    active: bool = True  #: sales may be booked on it
    open: bool = True  #: in use; payments and journal entries may stand on it, also where sales may not


class PackageFacts(Frozen):
    """What ``integration check`` learns of an administration; no person in it."""

    administration: str  #: the package's id of it
    country: str
    currency: str
    tax_rates: tuple[TaxRate, ...]
    ledger_accounts: tuple[LedgerAccount, ...]
    has_debtors: bool  #: contacts that sluis did not make
    needs_mapping: bool = True  #: ``False``: documents carry their VAT themselves, there are no ids to map
    warnings: tuple[str, ...] = ()


class Debtor(Frozen):
    """A debtor in the books. ``created`` tells a new one from one that was found."""

    id: str
    created: bool


class Booked(Frozen):
    """A document as it stands in the books."""

    external_id: str
    reference: str
    issue_date: date
    currency: str
    total_with_vat: Amount  #: signed: negative for a credit note
    total_vat: Amount  #: signed, as the package computed it
    debtor_id: str | None = None
    copies: int = 1  #: how many documents of this reference ``find`` saw: above 1 a person must delete the others
    ours: bool | None = None  #: whether the package marks it as made by sluis; ``None``: it keeps no such mark


class PaymentEntry(Frozen):
    """A payment to register on a document in the books. ``amount`` positive: came in; negative: was paid back."""

    payment_key: str  #: our own pseudonymous name of it, 32 letters and digits: unique in the administration
    paid_on: date
    amount: Amount
    currency: str
    account: str  #: the package's id of the clearing account (``Mapping.clearing_account``)
    reference: Personal = NOBODY  #: the gateway's transaction id


class PaidInBooks(Frozen):
    """A payment as it stands on a document in the books. ``amount`` as in :class:`PaymentEntry`."""

    external_id: str
    paid_on: date
    amount: Amount
    payment_key: str | None = None  #: ``None``: not one of ours, or the package keeps no mark of it
    reference: Personal = NOBODY  #: the transaction reference that stands on it


class Form(StrEnum):
    """What a package can hold."""

    INVOICE = "invoice"
    JOURNAL_ENTRY = "journal_entry"
    PAYMENT = "payment"


class AccountingConnector(Protocol):
    """Writes documents to one administration.

    ``RetryLater`` says that nothing was written, ``OutcomeUnknown`` that it may have been, ``Refused`` that this
    document cannot be booked, ``Reconnect`` that the credential is dead, ``NotConfigured`` that a mapping is missing.
    """

    #: Who shares a limiter: hashed by the store, e.g. the token for Moneybird.
    limiter_key: str
    #: What it can do; ``check`` refuses settings that want more.
    forms: frozenset[Form]

    def check(self) -> PackageFacts:
        """Ask the administration for its tax rates and ledger accounts."""
        ...

    def missing(self, invoice: Invoice) -> str | None:
        """Name the setting that must be filled before this invoice can be booked; ``None``: all is mapped."""
        ...

    def debtor(self, buyer: Buyer, customer_key: str) -> Debtor:
        """Find or create the debtor under our own pseudonymous key; a second creation is impossible."""
        ...

    def match_debtors(self, buyers: Sequence[tuple[str, Buyer]]) -> dict[str, str]:
        """Match buyers (by e-mail, in memory) with contacts that stood in the books before: customer key -> id."""
        ...

    def book(self, invoice: Invoice, debtor_id: str) -> Booked:
        """Create the document. One call; nothing is looked up before."""
        ...

    def find(self, reference: str, total: Amount, on: date, debtor_id: str | None) -> Booked | None:
        """Look a document up by reference and signed total with VAT, dated within a few days of ``on``; or ``None``.

        Takes what was *sent* (the claim's own figures), not today's invoice: the order may have changed since.
        """
        ...

    def documents(self, start: date, end: date) -> Iterator[Booked]:
        """Yield what stands in the books, dated from ``start`` up to and including ``end``."""
        ...

    def post(self, entry: JournalEntry) -> Booked:
        """Create a journal entry. One call; nothing is looked up before. Only with ``Form.JOURNAL_ENTRY``."""
        ...

    def find_entry(self, reference: str, on: date) -> Booked | None:
        """Look a journal entry up by reference, dated within a few days of ``on``; or ``None``."""
        ...

    def pay(self, external_id: str, payment: PaymentEntry) -> PaidInBooks:
        """Register a payment on a booked document. One call; nothing is looked up before. Only with ``PAYMENT``."""
        ...

    def payments(self, external_id: str) -> tuple[PaidInBooks, ...]:
        """Return all payments on a booked document, also those of others."""
        ...


# -------------------------------------------------------------------------------------------------------- registers


class VatNumberRegister(Protocol):
    """Tells whether a VAT number is in use (VIES)."""

    def check(self, number: Personal, *, requester: str, country: str = "") -> VatCheck:
        """Look a number up; ``country`` (ISO) says whose it is where the number does not.

        Never raises for an absent register: then it is ``unverified``.
        """
        ...


class ReferenceRates(Protocol):
    """Publishes exchange rates."""

    def rate(self, currency: str, on: date) -> ExchangeRate | None:
        """Return the rate of the day or the last one published before it; ``None`` where there is none near it."""
        ...


# ------------------------------------------------------------------------------------------------- http's needs


class Limiter(Protocol):
    """A limiter that all processes share, fed by what the vendor's headers say."""

    def acquire(self, key: str) -> None:
        """Take one call. Waits a little where that helps; raises ``QuotaSpent`` when the wait would be long."""
        ...

    def observe(self, key: str, *, limit: int | None, remaining: int | None, resets_at: datetime | None) -> None:
        """Learn from an answer."""
        ...


class Connectable(Protocol):
    """What a connector's folder offers as ``CONNECTOR``; found by walking the folders, never by a list."""

    name: str  #: the folder's name, used in integration codes
    #: Validates ``IntegrationSettings.shop`` or ``.package``. A shop's has a field ``url``, a package's
    #: ``administration_id`` (or ``target``, a folder): integrations with an equal one share the shop, or the
    #: administration with its numbers.
    settings_model: type[Frozen]
    credentials_model: type[Frozen]  #: fields of type ``Personal``; shown by nobody

    def limits(self, settings: Any) -> Mapping[str, tuple[int, int]]:
        """Return the vendor's published limits: (calls, seconds) per prefix of a limiter key. Answers correct them."""
        ...

    def connect(self, settings: Any, credentials: Any, mapping: Any, limiter: Limiter) -> Any:
        """Return the connector (``ShopConnector`` or ``AccountingConnector``)."""
        ...


class PackageConnectable(Connectable, Protocol):
    """The ``CONNECTOR`` of an accounting package's folder."""

    #: Whether its documents hold the buyer's name and address: then a change of them is corrected. Elsewhere they
    #: stand on a debtor, who is the bookkeeper's.
    carries_buyer: bool

"""UBL files as an accounting package: one file per document, the target that needs no account anywhere.

There is no debtor and no ledger account: a file carries the buyer, and who imports it maps its VAT categories. What was
paid stands in the document (BT-113); a payment that comes later changes no file.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sluis.accounting.ubl.document import write
from sluis.accounting.ubl.files import Files
from sluis.accounting.ubl.reading import read
from sluis.accounting.ubl.settings import FIND_DAYS, VENDOR, UblCredentials, UblSettings
from sluis.core.frozen import Frozen
from sluis.core.invoice import Invoice
from sluis.core.journal import JournalEntry
from sluis.core.money import Amount
from sluis.core.order import Buyer
from sluis.errors import Defect, NotConfigured, Refused
from sluis.ports import Booked, Debtor, Form, Limiter, PackageFacts, PaidInBooks, PaymentEntry

log = logging.getLogger(__name__)


class UblFiles:
    """One administration's files (``ports.AccountingConnector``)."""

    forms = frozenset({Form.INVOICE})

    def __init__(self, settings: UblSettings, files: Files | None = None) -> None:
        self._settings = settings
        self._files = files or Files(settings.target)
        self.limiter_key = f"ubl:{hashlib.sha256(settings.target.encode()).hexdigest()[:16]}"

    def close(self) -> None:
        """Nothing is kept open."""

    def check(self) -> PackageFacts:
        """Try whether files can be written. There are no ids to map."""
        self._files.probe()
        warnings = [] if self._settings.seller_vat_number else ["no_seller_vat_number"]
        if self._settings.seller_country == "NL" and not self._settings.seller_registration:
            warnings.append("no_kvk_number")
        return PackageFacts(
            administration=self._settings.target,
            country=self._settings.seller_country,
            currency="EUR",
            tax_rates=(),
            ledger_accounts=(),
            has_debtors=False,
            needs_mapping=False,
            warnings=tuple(warnings),
        )

    def missing(self, invoice: Invoice) -> str | None:
        """Name the setting without which the file would break the rules it claims; ``None``: all there."""
        charged = any(part.treatment.category.value != "O" for part in invoice.vat_breakdown)
        if charged and not self._settings.seller_vat_number:
            return "package.seller_vat_number"  # BR-S-02 and its sisters
        if not self._settings.seller_registration and not charged:
            return "package.seller_registration"  # BR-CO-26: without a VAT number something must name the seller
        return None

    def debtor(self, buyer: Buyer, customer_key: str) -> Debtor:  # noqa: ARG002 - the file carries the buyer
        """Return our own name of the customer: a file needs no debtor."""
        return Debtor(id=customer_key, created=False)

    def match_debtors(self, buyers: Sequence[tuple[str, Buyer]]) -> dict[str, str]:  # noqa: ARG002
        """Return nothing: there are no debtors to match."""
        return {}

    def book(self, invoice: Invoice, debtor_id: str) -> Booked:
        """Write the file. Raises ``Refused`` when another document has its name already."""
        content = write(invoice, self._settings)
        there = self._files.read(invoice.invoice_number, invoice.issue_date)
        if there is not None and there != content:
            raise Refused(
                f"{VENDOR}: a file {invoice.invoice_number} with other content stands there already",
                code="duplicate_number",
                field="number",
            )
        if there is None:
            self._files.write(invoice.invoice_number, invoice.issue_date, content)
        return read(content).model_copy(update={"debtor_id": debtor_id})

    def find(self, reference: str, total: Amount, on: date, debtor_id: str | None) -> Booked | None:  # noqa: ARG002
        """Look a file up by its name, in the month of ``on`` and those within a month of it."""
        days = (on, on - timedelta(days=FIND_DAYS), on + timedelta(days=FIND_DAYS))
        for day in {day.replace(day=1): day for day in days}.values():
            content = self._files.read(reference, day)
            if content is not None:
                return read(content)
        return None

    def documents(self, start: date, end: date) -> Iterator[Booked]:
        """Yield the documents of the period that stand in the folder; files of others are told in the log by number."""
        strange = 0
        for content in self._files.between(start, end):
            try:
                booked = read(content)
            except Defect:
                strange += 1
                continue
            if start <= booked.issue_date <= end:
                yield booked
        if strange:
            log.warning("%s: %d files in the folder are no documents of ours; they are left out", VENDOR, strange)

    def post(self, entry: JournalEntry) -> Booked:
        """Refuse: UBL knows invoices and credit notes only. Raises ``NotConfigured``."""
        raise NotConfigured(f"{VENDOR}: no journal entries ({entry.reference}); set booking_mode to invoice")

    def find_entry(self, reference: str, on: date) -> Booked | None:  # noqa: ARG002
        """Return nothing: no journal entry ever stands here."""
        return None

    def pay(self, external_id: str, payment: PaymentEntry) -> PaidInBooks:  # noqa: ARG002
        """Refuse: what was paid stands in the document. Raises ``NotConfigured``."""
        raise NotConfigured(f"{VENDOR}: no payments apart from the document ({external_id})")

    def payments(self, external_id: str) -> tuple[PaidInBooks, ...]:  # noqa: ARG002
        """Return nothing."""
        return ()


class UblPackage:
    """What this folder offers (``ports.Connectable``)."""

    name = "ubl"
    carries_buyer = True  #: BG-7 stands in every file
    settings_model: type[Frozen] = UblSettings
    credentials_model: type[Frozen] = UblCredentials

    def limits(self, settings: Any) -> Mapping[str, tuple[int, int]]:  # noqa: ARG002 - the port's signature
        """Return nothing: a folder has no limit."""
        return {}

    def connect(self, settings: Any, credentials: Any, mapping: Any, limiter: Limiter) -> UblFiles:  # noqa: ARG002
        """Return the connector; nothing is opened yet. Raises ``NotConfigured`` for settings of another package."""
        if not isinstance(settings, UblSettings):
            raise NotConfigured(f"{VENDOR}: these are not the settings of this package")
        return UblFiles(settings)


CONNECTOR = UblPackage()

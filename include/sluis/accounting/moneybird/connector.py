"""Moneybird as an accounting package: orders the calls of the client, with the mapping's payloads.

A document costs one call when its debtor is known and two when he is new. Nothing is looked up before a create: our
own ``customer_id`` makes a second contact impossible, and the claim in our store guards the invoice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingOf
from datetime import date, timedelta
from typing import Any

from sluis.accounting.moneybird import journal
from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.accounting.moneybird.client import Bearer, MoneybirdClient, text
from sluis.accounting.moneybird.settings import (
    CONTACT_PAGES,
    FIND_DAYS,
    LIMIT,
    PAGE,
    SOURCE,
    VENDOR,
    MoneybirdCredentials,
    MoneybirdSettings,
)
from sluis.core.frozen import Frozen
from sluis.core.invoice import Invoice
from sluis.core.journal import JournalEntry
from sluis.core.mapping import Mapping
from sluis.core.money import Amount
from sluis.core.order import Buyer
from sluis.errors import Defect, NotConfigured, OutcomeUnknown, Reconnect, Refused
from sluis.ports import Booked, Debtor, Form, Limiter, PackageFacts, PaidInBooks, PaymentEntry

log = logging.getLogger(__name__)


class Moneybird:
    """One administration (``ports.AccountingConnector``)."""

    forms = frozenset({Form.INVOICE, Form.JOURNAL_ENTRY, Form.PAYMENT})

    def __init__(
        self, client: MoneybirdClient, settings: MoneybirdSettings, mapping: Mapping, limiter_key: str
    ) -> None:
        self.limiter_key = limiter_key
        self._client = client
        self._settings = settings
        self._mapping = mapping

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # -------------------------------------------------------------------------------------------------------- facts

    def check(self) -> PackageFacts:
        """Return what the administration has. Four calls, and one more per further page of rates or contacts.

        Raises ``NotConfigured`` when the token does not see the administration.
        """
        row = self._administration()
        has_debtors, read_all = self._has_debtors()
        warnings = ["administration_suspended"] if row.get("suspended") is True else []
        if locked := row.get("period_locked_until"):
            warnings.append(f"period_locked_until_{locked}")
        if not read_all:
            warnings.append("contacts_not_all_read")
        return PackageFacts(
            administration=self._settings.administration_id,
            country=text(row, "country"),
            currency=text(row, "currency"),
            tax_rates=tuple(to_moneybird.tax_rate(rate) for rate in self._client.tax_rates()),
            ledger_accounts=tuple(to_moneybird.ledger_account(row) for row in self._client.ledger_accounts()),
            has_debtors=has_debtors,
            warnings=tuple(warnings),
        )

    def _administration(self) -> dict[str, Any]:
        rows = self._client.administrations()
        ours = [row for row in rows if text(row, "id") == self._settings.administration_id]
        if not ours:
            seen = ", ".join(text(row, "id") for row in rows) or "none"
            raise NotConfigured(
                f"{VENDOR}: package.administration_id {self._settings.administration_id} is not among the "
                f"administrations that this token sees ({seen})"
            )
        return ours[0]

    def _has_debtors(self) -> tuple[bool, bool]:
        """Return whether a contact is not of our making, and whether that is known for sure.

        Not known (so many contacts, all ours so far) counts as yes: matching costs calls, doubled debtors cost trust.
        """
        read = 0
        for rows in self._client.contacts(most_pages=CONTACT_PAGES):
            if any(not to_moneybird.made_by_us(row) for row in rows):
                return True, True
            read += len(rows)
        read_all = read < CONTACT_PAGES * PAGE
        return not read_all, read_all

    def missing(self, invoice: Invoice) -> str | None:
        """Name the setting that must be filled first, e.g. ``mapping.tax_rates['S 21 NL']``; ``None``: all there."""
        return to_moneybird.missing(invoice, self._mapping)

    # ------------------------------------------------------------------------------------------------------ debtors

    def debtor(self, buyer: Buyer, customer_key: str) -> Debtor:
        """Create the contact, or adopt the one that has our ``customer_id`` already. One call for a new one.

        ``OutcomeUnknown`` is harmless here: the next try is refused as taken and adopts. An adopted contact is left
        as it stands, archived or not.
        """
        contact = to_moneybird.contact_payload(buyer, customer_key)
        try:
            return self._created(contact)
        except Refused as refused:
            fields = _fields(refused)
            if "customer_id" in fields:
                return self._adopted(str(contact["customer_id"]))
            if not fields or not fields <= to_moneybird.OPTIONAL & contact.keys():
                raise
        # Moneybird is stricter than our check of a field that a contact can do without: that costs the field, not
        # the order.
        log.warning("%s: a contact goes without %s, which was refused", VENDOR, ", ".join(sorted(fields)))
        try:
            return self._created({name: value for name, value in contact.items() if name not in fields})
        except Refused as refused:
            if "customer_id" not in _fields(refused):
                raise
        return self._adopted(str(contact["customer_id"]))

    def _created(self, contact: dict[str, Any]) -> Debtor:
        return Debtor(id=text(self._client.create_contact(contact), "id"), created=True)

    def _adopted(self, customer_id: str) -> Debtor:
        """Find the contact that holds our number. The search sees archived contacts; the look-up by number does not."""
        ids = [
            text(row, "id")
            for row in self._client.search_contacts(customer_id)
            if row.get("customer_id") == customer_id
        ]
        if not ids:
            raise Refused(
                f"{VENDOR}: a contact with number {customer_id} exists, yet a search does not show it; look whether "
                "it was merged or hidden, then offer the order again",
                code="debtor_not_found",
                field="customer_id",
            )
        return Debtor(id=min(ids, key=_age), created=False)

    def match_debtors(self, buyers: Sequence[tuple[str, Buyer]]) -> dict[str, str]:
        """Match buyers with contacts by e-mail, in memory: one call, and one per hundred contacts.

        Where several contacts have one address, the oldest is taken: any other choice would differ from run to run
        or add one more. Nothing is kept of a contact that matches nobody.
        """
        wanted = {key: address.casefold() for key, buyer in buyers if (address := to_moneybird.email_of(buyer))}
        if not wanted:
            return {}
        addresses, found = set(wanted.values()), dict[str, str]()
        ids = self._client.contact_ids()
        for start in range(0, len(ids), PAGE):
            for contact in self._client.contacts_by_id(ids[start : start + PAGE]):
                for address in to_moneybird.emails_in(contact) & addresses:
                    found[address] = min(found.get(address, text(contact, "id")), text(contact, "id"), key=_age)
        return {key: found[address] for key, address in wanted.items() if address in found}

    # ---------------------------------------------------------------------------------------------------- documents

    def book(self, invoice: Invoice, debtor_id: str) -> Booked:
        """Create an external sales invoice (negative for a credit note). One call.

        Raises ``Refused`` with code ``debtor_gone`` when the contact does not exist any more (forget the link, make a
        new debtor, try again) or ``refused_by_package`` with the names of the fields.
        """
        row = self._client.create_invoice(to_moneybird.invoice_payload(invoice, debtor_id, self._mapping))
        try:
            return to_moneybird.booked(row)
        except Defect as odd:
            raise OutcomeUnknown(
                f"{VENDOR}: the invoice was created, but its answer cannot be read ({odd.args[0]}); look it up"
            ) from None

    def find(self, reference: str, total: Amount, on: date, debtor_id: str | None) -> Booked | None:
        """Look an invoice up by contact and period, a few days around ``on``. One call per hundred of those.

        An equal total (signed, with VAT) decides. Failing that, one of our own under this reference is returned with
        the total it has: the caller sees the difference, where "not there" would make him book it twice. Of several
        the oldest counts; ``copies`` tells how many there are, and the log says ``duplicate_reference``.
        """
        start, end = (on + timedelta(days=days) for days in (-FIND_DAYS, FIND_DAYS))
        try:
            rows = self._referring(reference, start, end, debtor_id)
        except Refused as refused:
            if debtor_id is None or refused.code != "debtor_gone":
                raise
            rows = self._referring(reference, start, end, None)  # a merged contact takes its invoices along
        hits = [(row.get("source") == SOURCE, to_moneybird.booked(row)) for row in rows]
        candidates = [hit for ours, hit in hits if ours or hit.total_with_vat == total]
        if not candidates:
            return None
        if len(candidates) > 1:
            log.warning("%s: duplicate_reference: %d invoices are called %s", VENDOR, len(candidates), reference)
        found = min(candidates, key=lambda hit: (hit.total_with_vat != total, _age(hit.external_id)))
        return found.model_copy(update={"copies": len(candidates)})

    def _referring(self, reference: str, start: date, end: date, debtor_id: str | None) -> list[dict[str, Any]]:
        words = reference.split()  # whether Moneybird squeezes white space is not known; a miss here books twice
        rows = self._client.invoices(start, end, debtor_id)
        return [row for row in rows if str(row.get("reference") or "").split() == words]

    def documents(self, start: date, end: date) -> Iterator[Booked]:
        """Yield every external sales invoice of the period, also those that others booked, and our journal entries.

        One call for all ids, then one per hundred: a list read page by page would lose a row when somebody deletes
        one meanwhile, and a row that ``adopt`` does not see is booked twice.
        """
        ids = self._client.invoice_ids(start, end)
        for first in range(0, len(ids), PAGE):
            for row in self._client.invoices_by_id(ids[first : first + PAGE]):
                yield to_moneybird.booked(row)
        yield from self._entries(start, end)

    def _entries(self, start: date, end: date) -> Iterator[Booked]:
        """Yield the journal entries that we made; of others nothing tells what they add up to."""
        try:
            ids = self._client.entry_ids(start, end)
        except Reconnect as refused:
            if refused.code != "not_allowed":
                raise
            # A token with the scope of invoices alone cannot have made any.
            log.warning("%s: journal entries were not read: %s", VENDOR, refused)
            return
        for first in range(0, len(ids), PAGE):
            rows = self._client.entries_by_id(ids[first : first + PAGE])
            yield from (journal.read(row) for row in rows if journal.made_by_us(row))

    # ---------------------------------------------------------------------------------------------- journal entries

    def post(self, entry: JournalEntry) -> Booked:
        """Create a general journal document. One call; refusals as those of ``book``."""
        row = self._client.create_entry(journal.entry_payload(entry, self._mapping))
        try:
            return journal.posted(entry, row)
        except Defect as odd:
            raise OutcomeUnknown(
                f"{VENDOR}: the journal entry was created, but its answer cannot be read ({odd.args[0]}); look it up"
            ) from None

    def find_entry(self, reference: str, on: date) -> Booked | None:
        """Look a journal entry up by its reference, a few days around ``on``; our own before one of others."""
        start, end = (on + timedelta(days=days) for days in (-FIND_DAYS, FIND_DAYS))
        rows = self._client.entries(start, end, journal.term(reference))
        hits = [row for row in rows if str(row.get("reference") or "").split() == reference.split()]
        if not hits:
            return None
        if len(hits) > 1:
            log.warning("%s: duplicate_reference: %d journal entries are called %s", VENDOR, len(hits), reference)
        best = min(hits, key=lambda row: (not journal.made_by_us(row), _age(text(row, "id"))))
        return journal.read(best).model_copy(update={"copies": len(hits)})

    # ----------------------------------------------------------------------------------------------------- payments

    def pay(self, external_id: str, payment: PaymentEntry) -> PaidInBooks:
        """Register a payment on an external sales invoice, negative where it was paid back. One call.

        Raises ``Refused`` with code ``document_gone``, ``period_closed`` or ``refused_by_package``.
        """
        row = self._client.create_payment(external_id, to_moneybird.payment_payload(payment))
        try:
            return to_moneybird.paid(row)
        except Defect as odd:
            raise OutcomeUnknown(
                f"{VENDOR}: the payment was registered, but its answer cannot be read ({odd.args[0]}); look it up"
            ) from None

    def payments(self, external_id: str) -> tuple[PaidInBooks, ...]:
        """Return all payments on an external sales invoice. One call; ``Refused`` ``document_gone``."""
        rows = self._client.invoice(external_id).get("payments")
        if not isinstance(rows, list):
            raise Defect(f"{VENDOR}: an invoice of an answer has no payments", code="odd_answer")
        return tuple(to_moneybird.paid(row) for row in rows)


def _fields(refused: Refused) -> set[str]:
    return {name.strip() for name in (refused.field or "").split(",") if name.strip()}


def _age(identity: str) -> tuple[int, str]:
    """Moneybird's ids are numbers that grow with time."""
    return (int(identity), "") if identity.isdigit() else (0, identity)


class MoneybirdPackage:
    """What this folder offers (``ports.Connectable``)."""

    name = "moneybird"
    carries_buyer = False
    settings_model: type[Frozen] = MoneybirdSettings
    credentials_model: type[Frozen] = MoneybirdCredentials

    def limits(self, settings: Any) -> MappingOf[str, tuple[int, int]]:
        """Return Moneybird's own limit per token; a stand-in at another address tells its own in its headers."""
        return {"moneybird": LIMIT} if isinstance(settings, MoneybirdSettings) and settings.is_moneybird else {}

    def connect(self, settings: Any, credentials: Any, mapping: Any, limiter: Limiter) -> Moneybird:
        """Return the connector; nothing is called yet. Raises ``NotConfigured`` for models of another package."""
        if not isinstance(settings, MoneybirdSettings) or not isinstance(credentials, MoneybirdCredentials):
            raise NotConfigured(f"{VENDOR}: these are not the settings and credentials of this package")
        key = to_moneybird.limiter_key(credentials)
        auth = Bearer(to_moneybird.authorization(credentials))
        client = MoneybirdClient(settings.base_url, settings.administration_id, auth, limiter, key)
        return Moneybird(client, settings, mapping, key)


CONNECTOR = MoneybirdPackage()

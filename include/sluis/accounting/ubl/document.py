"""Writes an invoice (380) or credit note (381) as UBL 2.1 by EN 16931-1; the order of elements is that of the XSD.

Amounts stand as the core decided them: nothing is computed here but a unit price that gives the line's total exactly.
Rules named in comments are those of EN 16931 (BR-...), Peppol BIS Billing 3 (PEPPOL-...) and NLCIUS (BR-NL-...).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal

from lxml import etree

from sluis.accounting.ubl.mapping import Party, buyer, claim, clean, seller, shows_vat_numbers
from sluis.accounting.ubl.settings import CUSTOMIZATION, PEPPOL_PROCESS, UblSettings
from sluis.core import vat
from sluis.core.invoice import DocumentKind, Invoice, InvoiceLine, VatBreakdown, VatCategory, VatTreatment
from sluis.core.rates import tidy

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
#: How the id of a file begins, in the remark before its first element.
MARK = "file-"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"

#: UN/ECE Recommendation 20: a piece.
_UNIT = "C62"
#: UNTDID 4461: credit transfer; bank card, for what was paid in the shop.
_TRANSFER, _CARD = "30", "48"
#: More decimals than this in a unit price are no price any more.
_PRICE_PLACES = 6
_NO_VAT_TEXT = {
    VatCategory.EXEMPT: "Exempt from VAT",
    VatCategory.REVERSE_CHARGE: "Reverse charge",
    VatCategory.INTRA_COMMUNITY: "Intra-Community supply (VAT directive art. 138)",
    VatCategory.EXPORT: "Export outside the EU (VAT directive art. 146)",
    VatCategory.OUT_OF_SCOPE: "Not subject to VAT",
}
_NO_VAT_CODE = {
    VatCategory.REVERSE_CHARGE: "VATEX-EU-AE",
    VatCategory.INTRA_COMMUNITY: "VATEX-EU-IC",
    VatCategory.EXPORT: "VATEX-EU-G",
    VatCategory.OUT_OF_SCOPE: "VATEX-EU-O",
}

Element = etree._Element


def write(invoice: Invoice, settings: UblSettings) -> bytes:
    """Return the file: UTF-8, the same bytes for the same document."""
    return _Writer(invoice, settings).bytes()


class _Writer:
    def __init__(self, invoice: Invoice, settings: UblSettings) -> None:
        self._invoice = invoice
        self._settings = settings
        self._credit = invoice.kind is DocumentKind.CREDIT_NOTE
        namespace = CREDIT_NOTE if self._credit else INVOICE
        name = "CreditNote" if self._credit else "Invoice"
        self._root = etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace, "cac": CAC, "cbc": CBC})

    def bytes(self) -> bytes:
        self._head()
        self._parties()
        self._delivery()
        self._means()
        self._tax_total()
        self._totals()
        for number, line in enumerate(self._invoice.lines, start=1):
            self._line(number, line)
        etree.indent(self._root)
        plain = etree.tostring(self._root, xml_declaration=True, encoding="UTF-8")
        # The id stands in the file as a remark, so that it stays the same when somebody edits the file.
        self._root.addprevious(etree.Comment(f" {MARK}{hashlib.sha256(plain).hexdigest()[:32]} "))
        return etree.tostring(self._root.getroottree(), xml_declaration=True, encoding="UTF-8")

    # ------------------------------------------------------------------------------------------------------- parts

    def _head(self) -> None:
        invoice, root = self._invoice, self._root
        profile = claim(invoice, self._settings)
        _text(root, "CustomizationID", CUSTOMIZATION[profile])
        if profile == "peppol":
            _text(root, "ProfileID", PEPPOL_PROCESS)
        _text(root, "ID", invoice.invoice_number)
        _text(root, "IssueDate", invoice.issue_date.isoformat())
        if not self._credit:  # a credit note has no such element
            if invoice.amount_due > 0:
                _text(root, "DueDate", (invoice.issue_date + timedelta(days=self._settings.payment_days)).isoformat())
            _text(root, "InvoiceTypeCode", invoice.kind.type_code)
        else:
            _text(root, "CreditNoteTypeCode", invoice.kind.type_code)
        if invoice.original_date is not None:
            _text(root, "Note", f"Date of the sale: {invoice.original_date.isoformat()}")
        _text(root, "DocumentCurrencyCode", invoice.currency)
        _text(root, "BuyerReference", invoice.order_number)
        _text(_child(root, "OrderReference"), "ID", invoice.order_number)
        if invoice.preceding_invoice:
            reference = _child(_child(root, "BillingReference"), "InvoiceDocumentReference")
            _text(reference, "ID", invoice.preceding_invoice)

    def _parties(self) -> None:
        numbered = shows_vat_numbers(self._invoice)
        _party(_child(self._root, "AccountingSupplierParty"), seller(self._settings), numbered=numbered)
        _party(_child(self._root, "AccountingCustomerParty"), buyer(self._invoice), numbered=numbered)

    def _delivery(self) -> None:
        """BG-13: day and country of delivery, which an intra-Community supply must state (BR-IC-11, BR-IC-12)."""
        delivery = _child(self._root, "Delivery")
        _text(delivery, "ActualDeliveryDate", (self._invoice.original_date or self._invoice.issue_date).isoformat())
        if self._invoice.ship_to_country:
            address = _child(_child(delivery, "DeliveryLocation"), "Address")
            _text(_child(address, "Country"), "IdentificationCode", self._invoice.ship_to_country)

    def _means(self) -> None:
        """BG-16: how to pay what is open, or that a card paid it; a Dutch file must say (NL-R-007, NL-R-008)."""
        open_amount, account = self._invoice.amount_due > 0, self._settings.seller_iban
        means = _child(self._root, "PaymentMeans")
        if open_amount and account and not self._credit:
            _text(means, "PaymentMeansCode", _TRANSFER)
            _text(means, "PaymentID", self._invoice.invoice_number)
            _text(_child(means, "PayeeFinancialAccount"), "ID", account)
        else:
            _text(means, "PaymentMeansCode", _CARD)
        if open_amount:  # BR-CO-25; a credit note has no due date
            terms = f"{self._settings.payment_days} days" if not self._credit else "To be paid back"
            _text(_child(self._root, "PaymentTerms"), "Note", terms)

    def _tax_total(self) -> None:
        element = _child(self._root, "TaxTotal")
        self._amount(element, "TaxAmount", self._invoice.total_vat)
        for part in _per_rate(self._invoice.vat_breakdown):
            subtotal = _child(element, "TaxSubtotal")
            self._amount(subtotal, "TaxableAmount", part.taxable_amount)
            self._amount(subtotal, "TaxAmount", part.vat_amount)
            _category(_child(subtotal, "TaxCategory"), part.treatment, reason=self._reason(part.treatment))

    def _reason(self, treatment: VatTreatment) -> str:
        """BT-120: for an exemption the words of its rule (which the margin scheme prescribes), else the category's."""
        exempt = vat.exemption_text(self._invoice.rule) if treatment.category is VatCategory.EXEMPT else ""
        return exempt or _NO_VAT_TEXT.get(treatment.category, "")

    def _totals(self) -> None:
        invoice = self._invoice
        element = _child(self._root, "LegalMonetaryTotal")
        self._amount(element, "LineExtensionAmount", invoice.total_without_vat)
        self._amount(element, "TaxExclusiveAmount", invoice.total_without_vat)
        self._amount(element, "TaxInclusiveAmount", invoice.total_with_vat)
        if invoice.paid_amount:
            self._amount(element, "PrepaidAmount", invoice.paid_amount)
        if invoice.rounding_amount:
            self._amount(element, "PayableRoundingAmount", invoice.rounding_amount)
        self._amount(element, "PayableAmount", invoice.amount_due)

    def _line(self, number: int, line: InvoiceLine) -> None:
        element = _child(self._root, "CreditNoteLine" if self._credit else "InvoiceLine")
        quantity, price, words = _priced(line)
        _text(element, "ID", str(number))
        name = "CreditedQuantity" if self._credit else "InvoicedQuantity"
        _text(element, name, f"{quantity.normalize():f}", unitCode=_UNIT)
        self._amount(element, "LineExtensionAmount", line.net)
        item = _child(element, "Item")
        _text(item, "Name", clean(words) or (line.kind.value if line.kind else "rounding"))
        _category(_child(item, "ClassifiedTaxCategory"), line.treatment)
        amount = _child(element, "Price")
        _text(amount, "PriceAmount", f"{price:f}", currencyID=self._invoice.currency)

    def _amount(self, parent: Element, name: str, amount: Decimal) -> None:
        _text(parent, name, f"{amount.quantize(Decimal('0.01')):f}", currencyID=self._invoice.currency)


def _party(parent: Element, party: Party, *, numbered: bool) -> None:
    element = _child(parent, "Party")
    if party.endpoint:
        _text(element, "EndpointID", party.endpoint[1], schemeID=party.endpoint[0])
    _text(_child(element, "PartyName"), "Name", party.name)
    address = _child(element, "PostalAddress")
    for name, line in zip(("StreetName", "AdditionalStreetName"), party.streets, strict=False):
        _text(address, name, line)
    _text(address, "CityName", party.city)
    _text(address, "PostalZone", party.postcode)
    _text(_child(address, "Country"), "IdentificationCode", party.country)
    if party.vat_number and numbered:
        scheme = _child(element, "PartyTaxScheme")
        _text(scheme, "CompanyID", party.vat_number)
        _text(_child(scheme, "TaxScheme"), "ID", "VAT")
    legal = _child(element, "PartyLegalEntity")
    _text(legal, "RegistrationName", party.name)
    if party.registration:
        _text(legal, "CompanyID", party.registration[1], schemeID=party.registration[0])


def _per_rate(parts: tuple[VatBreakdown, ...]) -> list[VatBreakdown]:
    """BG-23 knows a category and a rate, no country and no scheme: what agrees in those is one (BR-S-08)."""
    merged: dict[tuple[VatCategory, Decimal], VatBreakdown] = {}
    for part in parts:
        key = (part.treatment.category, tidy(part.treatment.rate))
        known = merged.get(key)
        merged[key] = (
            part
            if known is None
            else known.model_copy(
                update={
                    "treatment": _shared(known.treatment, part.treatment),
                    "taxable_amount": known.taxable_amount + part.taxable_amount,
                    "vat_amount": known.vat_amount + part.vat_amount,
                }
            )
        )
    return list(merged.values())


def _shared(one: VatTreatment, other: VatTreatment) -> VatTreatment:
    """Two exemptions have no code in common: their text alone says why."""
    return one if one.exemption == other.exemption else one.model_copy(update={"exemption": None})


def _category(element: Element, treatment: VatTreatment, *, reason: str = "") -> None:
    category = treatment.category
    _text(element, "ID", category.value)
    if category is not VatCategory.OUT_OF_SCOPE:  # which has no rate at all (BR-O-05)
        _text(element, "Percent", f"{tidy(treatment.rate):f}")
    if reason:
        _text(element, "TaxExemptionReasonCode", treatment.exemption or _NO_VAT_CODE.get(category, ""))
        _text(element, "TaxExemptionReason", reason)
    _text(_child(element, "TaxScheme"), "ID", "VAT")


def _priced(line: InvoiceLine) -> tuple[Decimal, Decimal, str]:
    """Return quantity, unit price (never negative: BR-27) and description, so that their product is the net amount.

    Where no exact price exists the quantity is 1 and the pieces stand in the description (DESIGN.md section 5).
    """
    sign = Decimal(-1) if line.net < 0 else Decimal(1)
    pieces = abs(line.quantity)
    if pieces > 0:
        price = (abs(line.net) / pieces).quantize(Decimal(1).scaleb(-_PRICE_PLACES))
        if price * pieces == abs(line.net):
            return pieces * sign, _short(price), line.description
    words = f"{pieces.normalize():f} x {line.description}" if pieces not in (0, 1) else line.description
    return sign, abs(line.net), words


def _short(price: Decimal) -> Decimal:
    """Return the price with two decimals, or as many more as it has."""
    price = price.normalize()
    exponent = price.as_tuple().exponent
    return price if isinstance(exponent, int) and exponent < -2 else price.quantize(Decimal("0.01"))


def _child(parent: Element, name: str) -> Element:
    return etree.SubElement(parent, f"{{{CAC}}}{name}")


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    """Add a basic element; an empty one is left out (PEPPOL-EN16931-R008)."""
    if text := clean(text):
        element = etree.SubElement(parent, f"{{{CBC}}}{name}", attributes)
        element.text = text

"""What a UBL file says: valid by the XSD, and its totals are the invoice's. With the project's own cases."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import files

import pytest
from lxml import etree

from sluis.accounting.ubl.document import write
from sluis.accounting.ubl.mapping import claim
from sluis.accounting.ubl.reading import read
from sluis.core.invoice import DocumentKind, Invoice, VatCategory, VatTreatment
from sluis.core.order import Address, Buyer
from sluis.core.personal import Personal
from tests.accounting.ubl_world import golden_documents, settings, texts, tree
from tests.contracts.accounting_contract import EXPORT, buyer, invoice, line

INTRA = VatTreatment(category=VatCategory.INTRA_COMMUNITY, rate=Decimal(0), country="NL", exemption="VATEX-EU-IC")


@cache
def schema(kind: DocumentKind) -> etree.XMLSchema:
    """The XSD of UBL 2.1, from the package that carries it."""
    name = "CreditNote" if kind is DocumentKind.CREDIT_NOTE else "Invoice"
    return etree.XMLSchema(etree.parse(str(files("peppol") / "schema" / "maindoc" / f"UBL-{name}-2.1.xsd")))


@pytest.mark.parametrize("profile", ["en16931", "nlcius", "peppol"])
def test_every_golden_document_is_valid_and_adds_up(profile: str) -> None:
    documents = dict(golden_documents())
    assert len(documents) > 25
    for name, document in documents.items():
        content = write(document, settings(profile=profile))
        root = tree(content)
        assert schema(document.kind).validate(root), (name, schema(document.kind).error_log)
        adds_up(root, document)
        booked = read(content)
        assert booked.reference == document.invoice_number
        assert booked.total_with_vat == document.owed * document.kind.sign
        assert booked.total_vat == document.total_vat * document.kind.sign
        assert booked.issue_date == document.issue_date
        assert write(document, settings(profile=profile)) == content


def adds_up(root: etree._Element, document: Invoice) -> None:
    """Hold the file's own figures against each other, to the cent: the official rules allow a whole euro."""
    lines = root.findall("cac:InvoiceLine", root.nsmap) or root.findall("cac:CreditNoteLine", root.nsmap)
    nets = [Decimal(element.findtext("cbc:LineExtensionAmount", namespaces=root.nsmap)) for element in lines]
    total = one(root, "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount")
    vat = one(root, "cac:TaxTotal/cbc:TaxAmount")
    assert sum(nets) == total == document.total_without_vat
    assert total + vat == one(root, "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount")
    taxable = [Decimal(text) for text in texts(root, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxableAmount")]
    parts = [Decimal(text) for text in texts(root, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount")]
    assert (sum(taxable), sum(parts)) == (total, vat)
    assert one(root, "cac:LegalMonetaryTotal/cbc:PayableAmount") == document.amount_due
    for element, net in zip(lines, nets, strict=True):
        pieces = element.find("cbc:InvoicedQuantity", root.nsmap)
        pieces = element.find("cbc:CreditedQuantity", root.nsmap) if pieces is None else pieces
        price = Decimal(element.findtext("cac:Price/cbc:PriceAmount", namespaces=root.nsmap))
        assert price >= 0
        assert Decimal(pieces.text) * price == net


def one(root: etree._Element, path: str) -> Decimal:
    (text,) = texts(root, path)
    return Decimal(text)


def test_a_credit_note_names_its_invoice_and_has_positive_amounts() -> None:
    root = tree(write(invoice(number="WS-1001-C1", kind=DocumentKind.CREDIT_NOTE), settings()))
    assert texts(root, "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID") == ["WS-1000"]
    assert texts(root, "cbc:CreditNoteTypeCode") == ["381"]
    assert one(root, "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount") == Decimal("105.00")


def test_out_of_scope_shows_no_vat_number_and_no_rate() -> None:
    voucher = VatTreatment(category=VatCategory.OUT_OF_SCOPE, rate=Decimal(0), country="NL", exemption="VATEX-EU-O")
    root = tree(write(invoice([line("50.00", "0.00", voucher)]), settings()))
    assert not root.findall(".//cac:PartyTaxScheme", root.nsmap)
    assert not root.findall(".//cbc:Percent", root.nsmap)
    assert texts(root, ".//cbc:TaxExemptionReasonCode") == ["VATEX-EU-O"]


def test_an_exemption_is_given_in_the_words_of_its_rule() -> None:
    """VAT directive art. 226(14): an invoice under the margin scheme bears its name."""
    documents = dict(golden_documents())
    told: dict[str, str] = {}
    for name in ("vat18/second-hand-with-shipping", "vat17/exempt-in-germany-too", "vat10/tip-without-vat"):
        [document] = [made for called, made in documents.items() if called.startswith(name)]
        [told[name.partition("/")[0]]] = texts(tree(write(document, settings())), ".//cbc:TaxExemptionReason")
    assert told == {
        "vat18": "Margin scheme - Second-hand goods",
        "vat17": "Small business exemption (art. 284 Directive 2006/112/EC)",
        "vat10": "Tip passed on to staff (art. 79(c) Directive 2006/112/EC)",
    }


def test_a_business_abroad_stands_there_with_its_number_and_the_country_of_delivery() -> None:
    who = buyer(vat_number="BE0403019261", company="Voorbeeld NV")
    document = invoice([line("100.00", "0.00", INTRA)], who=who).model_copy(update={"ship_to_country": "BE"})
    root = tree(write(document, settings()))
    assert texts(root, "cac:AccountingCustomerParty//cac:PartyTaxScheme/cbc:CompanyID") == ["BE0403019261"]
    assert texts(root, "cac:Delivery//cbc:IdentificationCode") == ["BE"]
    assert texts(root, ".//cbc:TaxExemptionReasonCode") == ["VATEX-EU-IC"]


def test_an_unpaid_invoice_says_how_and_when_to_pay_and_a_paid_one_that_it_is() -> None:
    root = tree(write(invoice(), settings()))
    assert texts(root, "cbc:DueDate") == ["2026-12-04"]
    assert texts(root, "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID") == ["NL91ABNA0417164300"]
    paid = invoice().model_copy(update={"paid_amount": Decimal("105.00"), "amount_due": Decimal("0.00")})
    root = tree(write(paid, settings()))
    assert (one(root, ".//cbc:PrepaidAmount"), one(root, ".//cbc:PayableAmount")) == (Decimal("105.00"), Decimal(0))
    assert not texts(root, "cbc:DueDate")


@pytest.mark.parametrize(
    ("net", "quantity", "shown"),
    [("30.00", "3", ("3", "10.00")), ("10.00", "3", ("1", "10.00")), ("0.50", "1000", ("1000", "0.0005"))],
)
def test_quantity_times_price_is_the_line(net: str, quantity: str, shown: tuple[str, str]) -> None:
    root = tree(write(invoice([line(net, "0.00", EXPORT, quantity=quantity)]), settings()))
    assert (texts(root, ".//cbc:InvoicedQuantity")[0], texts(root, ".//cbc:PriceAmount")[0]) == shown


def test_a_negative_line_has_a_negative_quantity_and_no_negative_price() -> None:
    root = tree(write(invoice([line("30.00", "6.30"), line("-10.00", "-2.10")]), settings()))
    assert texts(root, ".//cbc:InvoicedQuantity") == ["1", "-1"]
    assert texts(root, ".//cbc:PriceAmount") == ["30.00", "10.00"]


def test_what_xml_cannot_hold_and_what_looks_like_xml_is_harmless() -> None:
    who = Buyer(
        company=Personal("A&B <tag>\x07 ]]> Voorbeeld"), email=Personal("jan\x01@example.com \x02"),
        address=Address(country="N\x01L"),
    )  # fmt: skip
    root = tree(write(invoice([line("10.00", "2.10", description="<b>Tea</b>\x00 & more")], who=who), settings()))
    assert texts(root, "cac:AccountingCustomerParty//cac:PartyName/cbc:Name") == ["A&B <tag> ]]> Voorbeeld"]
    assert texts(root, ".//cac:Item/cbc:Name") == ["<b>Tea</b> & more"]
    assert texts(root, "cac:AccountingCustomerParty//cbc:EndpointID") == ["jan@example.com"]
    assert texts(root, "cac:AccountingCustomerParty//cbc:IdentificationCode") == ["NL"]


def test_a_file_claims_only_rules_that_its_buyer_can_keep() -> None:
    consumer, business = invoice(), invoice(who=buyer(vat_number="BE0403019261"))
    abroad = business.model_copy(update={"buyer": business.buyer.model_copy(update={"address": Address(country="BE")})})
    assert claim(consumer, settings(profile="nlcius")) == "en16931"
    assert claim(abroad, settings(profile="nlcius")) == "nlcius"
    assert claim(consumer, settings(profile="peppol")) == "en16931"
    assert claim(abroad, settings(profile="peppol")) == "peppol"
    root = tree(write(abroad, settings(profile="peppol")))
    assert root.find("cac:AccountingCustomerParty//cbc:EndpointID", root.nsmap).get("schemeID") == "9925"

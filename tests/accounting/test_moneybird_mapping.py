"""Payloads: exact totals whatever Moneybird computes, no field that is not needed, none that could be refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.core.invoice import DocumentKind, InvoiceLine, VatCategory, VatTreatment
from sluis.core.money import round_cents
from sluis.core.order import Address, Buyer, LineKind
from sluis.core.personal import Personal
from sluis.core.settings import Mapping
from sluis.errors import NotConfigured
from tests.accounting.fake_moneybird import totals
from tests.accounting.moneybird_world import MAPPING
from tests.contracts.accounting_contract import EXPORT, HIGH, LOW, buyer, invoice, line, signed

PERCENTS = {"21": Decimal(21), "9": Decimal(9), "7": Decimal(0)}


def payload(document, mapping: Mapping = MAPPING):  # type: ignore[no-untyped-def]
    return to_moneybird.invoice_payload(document, "77", mapping)


@st.composite
def lines(draw: st.DrawFn) -> InvoiceLine:
    """A line as shops charge it: VAT computed from net or from gross, and sometimes a cent beside it."""
    treatment = draw(st.sampled_from([HIGH, LOW, EXPORT]))
    quantity = draw(st.sampled_from(["1", "2", "3", "7", "12", "100", "0.5", "1.25", "0"]))
    amount = Decimal(draw(st.integers(-50_000, 500_000))) / 100
    if draw(st.booleans()):
        net, vat = amount, round_cents(amount * treatment.rate / 100)
    else:
        vat = round_cents(amount * treatment.rate / (100 + treatment.rate))
        net = amount - vat
    vat += draw(st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("-0.01")])) if treatment.rate else Decimal(0)
    kind = draw(st.sampled_from([LineKind.GOODS, LineKind.SHIPPING, LineKind.FEE, None]))
    return line(str(net), str(vat), treatment, quantity=quantity, kind=kind)


class TestTotals:
    @settings(max_examples=300, deadline=None)
    @given(st.lists(lines(), min_size=1, max_size=12), st.booleans(), st.sampled_from(list(DocumentKind)))
    def test_the_total_is_the_charged_one_however_moneybird_rounds(
        self, drawn: list[InvoiceLine], gross: bool, kind: DocumentKind
    ) -> None:
        document = invoice(drawn, gross=gross, kind=kind)
        sent = payload(document)
        for per_line in (True, False):
            assert totals(sent, PERCENTS, per_line=per_line)[1] == signed(document)

    def test_net_prices_stay_net_where_that_is_exact(self) -> None:
        sent = payload(invoice([line("10.00", "2.10", quantity="4")], gross=False))
        assert sent["prices_are_incl_tax"] is False
        assert (sent["details_attributes"][0]["price"], sent["details_attributes"][0]["amount"]) == ("2.50", 4)

    def test_net_prices_become_gross_where_rounding_would_lose_a_cent(self) -> None:
        # Three times 0.17 charged; per rate Moneybird would compute 0.52 (2.49 x 21 %).
        sent = payload(invoice([line("0.83", "0.17")] * 3, gross=False))
        assert sent["prices_are_incl_tax"] is True
        assert [detail["price"] for detail in sent["details_attributes"]] == ["1.00"] * 3

    @pytest.mark.parametrize(
        ("gross", "quantity", "price", "amount", "description"),
        [
            ("100.00", "2", "50.00", 2, "Teapot"),
            ("100.00", "3", "100.00", 1, "3 x Teapot"),
            ("100.00", "0.50", "100.00", 1, "0.5 x Teapot"),
            ("100.00", "1", "100.00", 1, "Teapot"),
            ("100.00", "0", "100.00", 1, "Teapot"),
            ("-10.00", "4", "-2.50", 4, "Teapot"),
        ],
    )
    def test_quantity_times_price_only_where_exact(
        self, gross: str, quantity: str, price: str, amount: int, description: str
    ) -> None:
        vat = round_cents(Decimal(gross) * 21 / 121)
        detail = payload(invoice([line(str(Decimal(gross) - vat), str(vat), quantity=quantity)]))["details_attributes"][
            0
        ]
        assert (detail["price"], detail["amount"], detail["description"]) == (price, amount, description)

    def test_a_credit_note_has_negative_prices(self) -> None:
        sent = payload(invoice([line("10.00", "2.10", quantity="2")], kind=DocumentKind.CREDIT_NOTE))
        assert (sent["details_attributes"][0]["price"], sent["details_attributes"][0]["amount"]) == ("-6.05", 2)


class TestDescriptions:
    def test_odd_characters_and_length(self) -> None:
        words = "Tea\tpot\r\n\u202eblue\u0000" + "x" * 400
        description = payload(invoice([line("10.00", "2.10", description=words)]))["details_attributes"][0][
            "description"
        ]
        assert description.startswith("Tea pot blue xxx")
        assert len(description) == 250

    def test_a_line_without_words_says_what_it_is(self) -> None:
        drawn = [line("10.00", "2.10", description=" \n", kind=kind) for kind in (LineKind.SHIPPING, None)]
        assert [d["description"] for d in payload(invoice(drawn))["details_attributes"]] == ["shipping", "rounding"]


class TestSettings:
    def test_what_is_missing_is_named_exactly(self) -> None:
        finnish = VatTreatment(category=VatCategory.STANDARD, rate=Decimal("25.50"), country="FI")
        missing = to_moneybird.missing
        assert missing(invoice([line("1.00", "0.26", finnish)]), MAPPING) == "mapping.tax_rates['S 25.5 FI']"
        assert missing(invoice(), Mapping(tax_rates=MAPPING.tax_rates)) == "mapping.revenue['goods']"
        assert missing(invoice(), Mapping(tax_rates={"S 21 NL": "21% btw"})) == "mapping.tax_rates['S 21 NL']"
        voucher = invoice([line("1.00", "0.21", kind=LineKind.GIFT_CARD)])
        assert missing(voucher, MAPPING) == "mapping.revenue['gift_card']"
        assert missing(voucher, MAPPING.model_copy(update={"revenue": {LineKind.GIFT_CARD: "17250"}})) is None

    def test_each_kind_of_line_goes_to_its_account(self) -> None:
        mapping = Mapping(tax_rates={"S 21 NL": "21"}, revenue={"goods": "1", "shipping": "2"}, rounding="3")
        drawn = [line("1.00", "0.21", kind=kind) for kind in (LineKind.GOODS, LineKind.SHIPPING, LineKind.FEE, None)]
        accounts = [d["ledger_account_id"] for d in payload(invoice(drawn), mapping)["details_attributes"]]
        assert accounts == ["1", "2", "1", "3"]

    def test_an_unmapped_invoice_is_not_sent(self) -> None:
        with pytest.raises(NotConfigured, match="S 21 NL"):
            payload(invoice(), Mapping())


class TestContacts:
    def contact(self, **fields: str) -> dict[str, object]:
        return to_moneybird.contact_payload(buyer(**fields), "ab" * 16)

    def test_a_person(self) -> None:
        assert self.contact(customer_id="4711") == {
            "customer_id": "sluis-abababababababababab", "firstname": "Zoe", "lastname": "Voorbeeld",
            "address1": "Damrak 1", "address2": "2 hoog", "zipcode": "1012 JS", "city": "Amsterdam", "country": "NL",
            "send_invoices_to_email": "zoe.example@example.com",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "email",
        ["", "zoe", "zoe@", "zoe@example", "a@example.com,b@example.com", "zoe zoe@example.com", "é@example.com"],
    )
    def test_an_address_that_is_none_is_left_out(self, email: str) -> None:
        assert "send_invoices_to_email" not in self.contact(email=email)

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("NL123456782B90", "NL123456782B90"),
            ("nl 1234.56.782.B90", "NL123456782B90"),
            ("123456782B90", "NL123456782B90"),
            ("NL123456789B01", None),
            ("DE1", None),
            ("", None),
        ],
    )
    def test_a_vat_number_goes_only_when_valid(self, given: str, sent: str | None) -> None:
        assert self.contact(vat_number=given, company="Voorbeeld BV").get("tax_number") == sent

    def test_nobody_gets_a_neutral_name(self) -> None:
        nobody = Buyer(address=Address(country="Nederland"))
        assert to_moneybird.contact_payload(nobody, "ab" * 16) == {
            "customer_id": "sluis-abababababababababab", "company_name": "Webshop customer ababab",
        }  # fmt: skip

    def test_control_characters_do_not_reach_the_books(self) -> None:
        who = Buyer(last_name=Personal("Voor\u200bbeeld\n\x07"))
        assert to_moneybird.contact_payload(who, "ab" * 16)["lastname"] == "Voorbeeld"

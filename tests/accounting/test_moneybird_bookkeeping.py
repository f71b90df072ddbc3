"""What bookkeeping needs of Moneybird: notes, cash rounding, payments, journal entries, closed periods."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sluis.accounting.moneybird import journal
from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.core.invoice import DocumentKind, VatCategory, VatTreatment
from sluis.core.mapping import AccountRule, Mapping
from sluis.core.order import LineKind
from sluis.core.personal import Personal
from sluis.errors import NotConfigured, Reconnect, Refused
from tests.accounting.moneybird_world import MAPPING, MoneybirdWorld
from tests.contracts.accounting_contract import HIGH, TODAY, buyer, entry, invoice, line, payment

KEY = "ab" * 16
FRENCH = VatTreatment(category=VatCategory.STANDARD, rate=Decimal(20), country="FR")


def payload(document: Any, mapping: Mapping = MAPPING) -> dict[str, Any]:
    return to_moneybird.invoice_payload(document, "77", mapping)


class TestInvoices:
    @pytest.mark.parametrize(("kind", "price"), [(DocumentKind.INVOICE, "-0.02"), (DocumentKind.CREDIT_NOTE, "0.02")])
    def test_cash_rounding_is_a_line_outside_vat(self, kind: DocumentKind, price: str) -> None:
        given = {"rounding_amount": Decimal("-0.02"), "amount_due": Decimal("104.98")}
        last = payload(invoice(kind=kind).model_copy(update=given))["details_attributes"][-1]
        assert last == {
            "description": "Cash rounding", "price": price, "amount": 1, "tax_rate_id": "5",
            "ledger_account_id": "8900",
        }  # fmt: skip

    def test_cash_rounding_without_a_rate_outside_vat_is_named(self) -> None:
        rounded = invoice().model_copy(update={"rounding_amount": Decimal("0.01"), "amount_due": Decimal("105.01")})
        rates = {key: rate for key, rate in MAPPING.tax_rates.items() if key != "O 0 NL"}
        bare = MAPPING.model_copy(update={"tax_rates": rates})
        assert to_moneybird.missing(rounded, bare) == "mapping.tax_rates['O 0 NL']"
        assert to_moneybird.missing(invoice(), bare) is None
        odd = MAPPING.model_copy(update={"rounding": "eighty"})
        assert to_moneybird.missing(rounded, odd) == "mapping.rounding"

    def test_a_credit_note_names_its_invoice_and_a_moved_date_its_own(self) -> None:
        note = invoice(kind=DocumentKind.CREDIT_NOTE)
        words = [d["description"] for d in payload(note)["details_attributes"]]
        assert words == ["Teapot (credit note on WS-1000)", "Teapot"]
        moved = note.model_copy(update={"original_date": date(2026, 3, 30)})
        assert payload(moved)["details_attributes"][0]["description"] == (
            "Teapot (credit note on WS-1000; dated 2026-03-30, its period is closed)"
        )
        assert payload(invoice())["details_attributes"][0]["description"] == "Teapot"

    def test_the_note_stays_whole_behind_a_long_description(self) -> None:
        note = invoice([line("1.00", "0.21", description="x" * 400)], kind=DocumentKind.CREDIT_NOTE)
        words = payload(note)["details_attributes"][0]["description"]
        assert len(words) == 250
        assert words.endswith("x (credit note on WS-1000)")

    def test_accounts_by_country_and_product_class(self) -> None:
        mapping = Mapping(
            tax_rates={"S 21 NL": "21", "S 20 FR": "20"}, revenue={"goods": "1"},
            accounts=(AccountRule(account="2", country="FR"), AccountRule(account="3", category="books", country="FR")),
        )  # fmt: skip
        drawn = [line("1.00", "0.21"), line("1.00", "0.20", FRENCH), line("1.00", "0.20", FRENCH)]
        drawn[2] = drawn[2].model_copy(update={"category": "books"})
        assert [d["ledger_account_id"] for d in payload(invoice(drawn), mapping)["details_attributes"]] == [
            "1", "2", "3",
        ]  # fmt: skip

    @pytest.mark.parametrize("kind", [LineKind.GIFT_CARD, LineKind.DEPOSIT])
    def test_what_is_owed_never_falls_back_on_revenue(self, kind: LineKind) -> None:
        owed = invoice([line("1.00", "0.21", kind=kind)])
        assert to_moneybird.missing(owed, MAPPING) == f"mapping.revenue['{kind.value}']"


class TestPayments:
    def test_what_is_sent(self) -> None:
        assert to_moneybird.payment_payload(payment(amount="-12.5")) == {
            "payment_date": "2026-11-20", "price": "-12.50", "transaction_identifier": "tr_7UhSN1zuXS",
            "manual_payment_action": "balance_settlement", "ledger_account_id": "1250",
        }  # fmt: skip
        bare = to_moneybird.payment_payload(payment(reference=" \n"))
        assert bare["transaction_identifier"] == "sluis-" + "a1" * 16

    def test_an_account_that_is_no_id_is_not_sent(self) -> None:
        with pytest.raises(NotConfigured, match=r"mapping\.clearing"):
            to_moneybird.payment_payload(payment(account="bank"))

    def test_one_call_each(self, world: MoneybirdWorld) -> None:
        booked = world.connector.book(invoice(), world.connector.debtor(buyer(), KEY).id)
        before = len(world.books.seen)
        world.connector.pay(booked.external_id, payment())
        assert len(world.books.seen) == before + 1
        (found,) = world.connector.payments(booked.external_id)
        assert (found.payment_key, found.reference) == (None, Personal("tr_7UhSN1zuXS"))
        assert len(world.books.seen) == before + 2

    def test_a_document_that_is_gone_is_told(self, world: MoneybirdWorld) -> None:
        for call in (lambda: world.connector.payments("1"), lambda: world.connector.pay("1", payment())):
            with pytest.raises(Refused) as caught:
                call()
            assert (caught.value.code, caught.value.field) == ("document_gone", "external_id")


class TestEntries:
    def test_what_is_sent(self) -> None:
        sent = journal.entry_payload(entry(debtor_id="77"), MAPPING)
        assert (sent["reference"], sent["date"]) == ("WS-DAY-1", "2026-11-20")
        assert sent["general_journal_document_entries_attributes"] == [
            {"ledger_account_id": "1250", "debit": "60.50", "credit": "0.00",
             "description": "sluis: Payments ideal"},
            {"ledger_account_id": "1300", "debit": "60.50", "credit": "0.00", "description": "Receivable",
             "contact_id": "77"},
            {"ledger_account_id": "8000", "debit": "0.00", "credit": "100.00", "description": "Sales S 21 NL",
             "tax_rate_id": "21"},
            {"ledger_account_id": "1500", "debit": "0.00", "credit": "21.00", "description": "VAT S 21 NL",
             "tax_rate_id": "21"},
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("words", "more", "sent"),
        [
            ("Revenue", {"treatment": HIGH}, "Revenue S 21 NL"),
            ("VAT included", {"treatment": HIGH}, "On VAT included S 21 NL"),
            ("Tax", {"treatment": HIGH, "is_vat": True}, "VAT S 21 NL"),
            ("Payments S 21 NL", {}, "Payments S 21 NL -"),
        ],
    )
    def test_a_line_says_what_it_counts_as_whatever_its_words(self, words: str, more: Any, sent: str) -> None:
        made = entry()
        odd = made.lines[2].model_copy(update={"description": words, "treatment": None, **more})
        lines = (*made.lines[:2], odd, *made.lines[3:])
        payload = journal.entry_payload(made.model_copy(update={"lines": lines}), MAPPING)
        assert payload["general_journal_document_entries_attributes"][2]["description"] == sent

    def test_a_rate_that_is_not_mapped_is_named(self) -> None:
        with pytest.raises(NotConfigured, match=r"mapping\.tax_rates\['S 21 NL'\]"):
            journal.entry_payload(entry(), Mapping())

    def test_entries_of_others_are_not_listed_and_never_counted(self, world: MoneybirdWorld) -> None:
        lines = [
            {"ledger_account_id": account, "debit": debit, "credit": credit, "description": "Correctie"}
            for account, debit, credit in (("8000", "5.0", "0.0"), ("1500", "0.0", "5.0"))
        ]
        world.books.journals["9"] = {
            "id": "9", "reference": "WS-DAY-1", "date": "2026-11-20", "general_journal_document_entries": lines,
        }  # fmt: skip
        assert list(world.connector.documents(TODAY, TODAY)) == []
        other = world.connector.find_entry("WS-DAY-1", TODAY)
        assert other is not None
        assert (other.external_id, other.total_with_vat, other.ours) == ("9", Decimal(0), False)
        ours = world.connector.post(entry())
        found = world.connector.find_entry("WS-DAY-1", TODAY)
        assert found is not None
        assert (found.external_id, found.copies, found.ours) == (ours.external_id, 2, True)
        assert [d.external_id for d in world.connector.documents(TODAY, TODAY)] == [ours.external_id]

    def test_a_token_without_the_scope_lists_invoices_and_says_so(
        self, world: MoneybirdWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.connector.book(invoice(), world.connector.debtor(buyer(), KEY).id)
        world.books.read_faults = [None, None, (403, {"error": "secret"})]
        assert [d.reference for d in world.connector.documents(TODAY, TODAY)] == ["WS-1001"]
        assert "journal entries were not read" in caplog.text
        assert "'documents'" in caplog.text
        world.books.faults = [(403, {"error": "secret"})]
        with pytest.raises(Reconnect, match="'documents'"):
            world.connector.post(entry())


class TestClosedPeriods:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"error": {"date": ["is in a locked period"]}}, "date"),
            ({"error": {"payment_date": ["ligt in een afgesloten periode"]}}, "payment_date"),
            ({"error": "Asset cannot be deleted because there are journal entries in the locked period of the"
                       " administration."}, "date"),
        ],
    )  # fmt: skip
    def test_a_locked_period_has_a_code_of_its_own(self, world: MoneybirdWorld, body: Any, field: str) -> None:
        debtor = world.connector.debtor(buyer(), KEY).id
        world.books.faults = [(422, body)]
        with pytest.raises(Refused) as caught:
            world.connector.book(invoice(), debtor)
        assert (caught.value.code, caught.value.field) == ("period_closed", field)

    @pytest.mark.parametrize(
        "body",
        [
            {"error": {"date": ["is not a valid date"]}}, {"error": {"reference": ["is locked"]}}, {"error": "odd"},
            {"error": {"date": [{"error": "odd"}]}}, {}, [],
        ],
    )  # fmt: skip
    def test_another_refusal_has_not(self, world: MoneybirdWorld, body: Any) -> None:
        debtor = world.connector.debtor(buyer(), KEY).id
        world.books.faults = [(422, body)]
        with pytest.raises(Refused) as caught:
            world.connector.book(invoice(), debtor)
        assert caught.value.code == "refused_by_package"

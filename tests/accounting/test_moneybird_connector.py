"""What the connector asks, how often, and what it makes of Moneybird's refusals."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sluis.accounting import connector
from sluis.accounting.moneybird.refusals import refused_fields
from sluis.accounting.moneybird.settings import MoneybirdCredentials, MoneybirdSettings
from sluis.core.personal import Personal
from sluis.core.settings import Mapping
from sluis.errors import Defect, NotConfigured, OutcomeUnknown, QuotaSpent, Reconnect, Refused, RetryLater
from tests.accounting.fake_moneybird import TOKEN
from tests.accounting.moneybird_world import MoneybirdWorld
from tests.contracts.accounting_contract import TODAY, buyer, invoice

KEY = "ab" * 16
NUMBER = "sluis-abababababababababab"


class TestCalls:
    def test_an_order_costs_two_calls_of_a_new_debtor_and_one_of_a_known(self, world: MoneybirdWorld) -> None:
        debtor = world.connector.debtor(buyer(), KEY)
        world.connector.book(invoice(number="A"), debtor.id)
        assert len(world.books.seen) == len(world.limiter.keys) == 2
        world.connector.book(invoice(number="B"), debtor.id)
        assert len(world.books.seen) == len(world.limiter.keys) == 3

    def test_the_limiter_key_is_the_tokens_and_tells_nothing_of_it(self, world: MoneybirdWorld) -> None:
        key = world.connector.limiter_key
        assert key.startswith("moneybird:")
        assert len(key) == len("moneybird:") + 16
        assert TOKEN not in key
        world.connector.book(invoice(), world.connector.debtor(buyer(), KEY).id)
        assert set(world.limiter.keys) == {key}

    def test_matching_costs_one_call_and_one_per_hundred_contacts(self, world: MoneybirdWorld) -> None:
        for number in range(250):
            world.books.put_contact(email=f"person{number}@example.com", customer_id=str(number))
        buyers = [(f"key{n}", buyer(f"Person{n}@Example.com")) for n in (3, 149, 249)]
        matched = world.connector.match_debtors([*buyers, ("stranger", buyer("nobody@example.com"))])
        ids = list(world.books.contacts)
        assert matched == {"key3": ids[3], "key149": ids[149], "key249": ids[249]}
        assert len(world.books.seen) == 4
        assert [len(seen.body["ids"]) for seen in world.books.seen if seen.method == "POST"] == [100, 100, 50]

    def test_nobody_to_match_costs_no_call(self, world: MoneybirdWorld) -> None:
        assert world.connector.match_debtors([]) == {}
        assert world.connector.match_debtors([("key", buyer(""))]) == {}
        assert world.books.seen == []


class TestMatching:
    def test_the_oldest_of_several_and_no_archived_one(self, world: MoneybirdWorld) -> None:
        world.books.put_contact(send_invoices_to_email="zoe.example@example.com", archived=True)
        old = world.books.put_contact(send_invoices_to_email="other@example.com, ZOE.example@example.com")
        world.books.put_contact(email="zoe.example@example.com")
        assert world.connector.match_debtors([(KEY, buyer())]) == {KEY: old}

    def test_a_fault_while_matching_wrote_nothing(self, world: MoneybirdWorld) -> None:
        world.books.put_contact(email="zoe.example@example.com")
        world.books.read_faults = [None, "500"]
        with pytest.raises(RetryLater) as caught:
            world.connector.match_debtors([(KEY, buyer())])
        assert not isinstance(caught.value, OutcomeUnknown)


class TestDebtors:
    def test_an_archived_contact_is_adopted(self, world: MoneybirdWorld) -> None:
        world.books.put_contact(customer_id=NUMBER + "0", company_name=NUMBER)  # older, and only alike
        archived = world.books.put_contact(customer_id=NUMBER, archived=True)
        debtor = world.connector.debtor(buyer(), KEY)
        assert (debtor.id, debtor.created) == (archived, False)
        assert len(world.books.seen) == 2

    def test_a_contact_that_no_search_shows_is_reported(self, world: MoneybirdWorld) -> None:
        world.books.hide_from_search.add(world.books.put_contact(customer_id=NUMBER))
        with pytest.raises(Refused) as caught:
            world.connector.debtor(buyer(), KEY)
        assert caught.value.code == "debtor_not_found"

    def test_a_refused_field_that_can_be_missed_costs_the_field(
        self, world: MoneybirdWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.books.faults = [(422, {"error": {"send_invoices_to_email": ["zoe.example@example.com is no address"]}})]
        with caplog.at_level(logging.DEBUG):
            debtor = world.connector.debtor(buyer(), KEY)
        assert debtor.created
        assert "send_invoices_to_email" not in world.books.seen[1].body["contact"]
        assert world.books.seen[1].body["contact"]["lastname"] == "Voorbeeld"
        assert "send_invoices_to_email" in caplog.text
        assert "zoe.example" not in caplog.text

    def test_a_refused_field_and_then_a_taken_number(self, world: MoneybirdWorld) -> None:
        world.books.put_contact(customer_id=NUMBER)
        world.books.faults = [(422, {"error": {"zipcode": ["is too long"]}})]
        assert world.connector.debtor(buyer(), KEY).created is False

    @pytest.mark.parametrize("field", ["lastname", "custom_fields", "tax_number"])
    def test_a_refused_field_that_cannot_be_left_out_refuses_the_debtor(
        self, world: MoneybirdWorld, field: str
    ) -> None:
        world.books.faults = [(422, {"error": {field: ["is odd"]}})]
        with pytest.raises(Refused) as caught:
            world.connector.debtor(buyer(), KEY)  # he has no VAT number: leaving it out would change nothing
        assert (caught.value.code, caught.value.field) == ("refused_by_package", field)
        assert world.books.contacts == {}


class TestRefusals:
    def refuse(self, world: MoneybirdWorld, status: int, body: Any, headers: Any = None) -> Any:
        debtor = world.connector.debtor(buyer(), KEY).id
        world.books.faults = [(status, body, headers or {})]
        with pytest.raises((Reconnect, Refused, Defect, RetryLater)) as caught:
            world.connector.book(invoice(), debtor)
        for word in ("Zoe", "secret", TOKEN):
            assert word not in str(caught.value)
        return caught.value

    def test_a_missing_scope_is_named(self, world: MoneybirdWorld) -> None:
        error = self.refuse(world, 403, {"error": "secret"})
        assert isinstance(error, Reconnect)
        assert error.code == "not_allowed"
        assert "'sales_invoices'" in str(error)

    def test_an_unpaid_subscription_is_for_a_person(self, world: MoneybirdWorld) -> None:
        error = self.refuse(world, 402, {"error": "secret"})
        assert isinstance(error, Reconnect)
        assert error.code == "subscription_ended"

    def test_an_unknown_administration_names_the_setting(self, world: MoneybirdWorld) -> None:
        error = self.refuse(world, 404, None)
        assert isinstance(error, NotConfigured)
        assert "package.administration_id" in str(error)

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, {"error": "Contact ID is invalid", "symbolic": {"external_sales_invoice": {"contact_id": "x"}}}),
            (404, {"error": "record not found", "symbolic": {"contact_id": "not_found"}}),
            (422, {"error": {"contact_id": ["is not found"]}}),
        ],
    )
    def test_a_debtor_that_is_gone(self, world: MoneybirdWorld, status: int, body: Any) -> None:
        error = self.refuse(world, status, body)
        assert isinstance(error, Refused)
        assert (error.code, error.field) == ("debtor_gone", "contact_id")

    def test_names_of_fields_and_never_their_content(self, world: MoneybirdWorld) -> None:
        error = self.refuse(world, 422, {"error": {"details.tax_rate_id": ["secret"], "Zoe secret": ["x"]}})
        assert isinstance(error, Refused)
        assert (error.code, error.field) == ("refused_by_package", "details.tax_rate_id")
        assert error.remote_request_id == "req-1"

    @pytest.mark.parametrize("body", [None, [], "x", {"error": "Zoe secret"}, {"error": None, "symbolic": "secret"}])
    def test_a_refusal_without_names(self, world: MoneybirdWorld, body: Any) -> None:
        error = self.refuse(world, 422, body)
        assert isinstance(error, Refused)
        assert error.field is None

    def test_names_of_both_forms(self) -> None:
        assert refused_fields({"error": {f"field{n}": [] for n in range(9)}}) == tuple(f"field{n}" for n in range(5))
        assert refused_fields({"error": "x", "symbolic": {"id": "not_found", "a": {"b": "c"}}}) == ("id", "b")

    @pytest.mark.parametrize(
        ("value", "least", "most"),
        [("120", 100, 120), ("epoch", 200, 300), ("Fri, 01 Jan 2100 00:00:00 GMT", 80000, 86400)],
    )
    def test_retry_after_in_every_form(self, world: MoneybirdWorld, value: str, least: int, most: int) -> None:
        wish = str(int(datetime.now(UTC).timestamp()) + 300) if value == "epoch" else value
        error = self.refuse(world, 429, "Retry later", {"Retry-After": wish})
        assert isinstance(error, QuotaSpent)
        assert error.retry_after is not None
        assert timedelta(seconds=least) <= error.retry_after <= timedelta(seconds=most)
        assert world.limiter.observed[-1]["remaining"] == 0

    def test_a_wrong_token(self, world: MoneybirdWorld) -> None:
        wrong = MoneybirdCredentials(token=Personal("wrong"))
        package = connector("moneybird").connect(world.settings, wrong, Mapping(), world.limiter)
        with pytest.raises(Reconnect) as caught:
            package.check()
        assert caught.value.code == "credential_refused"

    @pytest.mark.parametrize("answer", [{"id": "1"}, {"total_price_incl_tax": "1.00"}, [], None])
    def test_a_success_that_cannot_be_read_is_unknown(self, world: MoneybirdWorld, answer: Any) -> None:
        error = self.refuse(world, 201, answer)
        assert isinstance(error, OutcomeUnknown)


class TestFinding:
    def put(self, world: MoneybirdWorld, **fields: Any) -> str:
        row = {
            "reference": "WS-1001",
            "date": "2026-11-20",
            "total_price_incl_tax": "105.0",
            "total_price_excl_tax": "86.77",
        }
        return world.books.put_invoice(**{**row, **fields})

    def find(self, world: MoneybirdWorld, total: str = "105.00", debtor: str | None = None) -> Any:
        return world.connector.find("WS-1001", Decimal(total), TODAY, debtor)

    def test_the_sign_tells_an_invoice_of_another_from_a_credit(self, world: MoneybirdWorld) -> None:
        self.put(world)
        assert self.find(world) is not None
        assert self.find(world, "-105.00") is None

    def test_another_total_is_found_only_where_we_made_it(self, world: MoneybirdWorld) -> None:
        self.put(world, total_price_incl_tax="105.01")
        assert self.find(world) is None
        ours = self.put(world, total_price_incl_tax="105.01", source="sluis")
        assert self.find(world).external_id == ours
        exact = self.put(world)
        assert self.find(world).external_id == exact

    def test_the_oldest_of_two_with_a_word_in_the_log(
        self, world: MoneybirdWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = self.put(world)
        self.put(world)
        assert self.find(world).external_id == first
        assert "duplicate_reference" in caplog.text

    def test_days_around_the_date_and_no_more(self, world: MoneybirdWorld) -> None:
        for days in (-6, 6):
            self.put(world, date=(TODAY + timedelta(days=days)).isoformat())
        assert self.find(world) is None
        moved = self.put(world, date=(TODAY + timedelta(days=5)).isoformat())
        assert self.find(world).external_id == moved

    def test_a_period_is_always_asked_for(self, world: MoneybirdWorld) -> None:
        self.find(world)
        assert world.books.seen[-1].query["filter"] == "state:all,period:20261115..20261125"

    def test_beyond_the_first_page(self, world: MoneybirdWorld) -> None:
        for number in range(220):
            self.put(world, reference=f"other {number}")
        last = self.put(world)
        assert self.find(world).external_id == last
        assert [seen.query["page"] for seen in world.books.seen] == ["1", "2", "3"]

    def test_a_contact_that_is_gone_may_have_been_merged(self, world: MoneybirdWorld) -> None:
        found = self.put(world, contact_id="5")
        assert self.find(world, debtor="404").external_id == found

    def test_no_document_is_lost_or_doubled_though_the_list_moves(self, world: MoneybirdWorld) -> None:
        ids = [self.put(world, reference=None if n == 5 else str(n)) for n in range(230)]
        listing = world.connector.documents(date(2026, 11, 1), date(2026, 11, 30))
        first = next(listing)
        with world.books.lock:  # one goes from the front and one comes: pages would shift
            del world.books.invoices[ids[0]]
            self.put(world)
        assert [first.external_id, *(booked.external_id for booked in listing)] == ids
        assert first.reference == "0"
        assert len(world.books.seen) == 5  # and one for the journal entries, of which there are none

    def test_a_row_that_moves_to_the_next_page_is_read_once(self, world: MoneybirdWorld) -> None:
        rows = [self.put(world, reference="WS-1001", source="sluis", total_price_incl_tax="1.00") for _ in range(100)]
        listing = world.connector._client.invoices(TODAY, TODAY)
        first = next(listing)["id"]
        with world.books.lock:
            world.books.invoices = {"1": {**world.books.invoices[rows[0]], "id": "1"}, **world.books.invoices}
        assert [first, *(row["id"] for row in listing)] == rows

    def test_an_unreadable_amount_is_named_without_its_content(self, world: MoneybirdWorld) -> None:
        self.put(world, total_price_incl_tax="secret")
        with pytest.raises(Defect, match="total_price_incl_tax") as caught:
            list(world.connector.documents(TODAY, TODAY))
        assert "secret" not in str(caught.value)


class TestCheck:
    def test_the_facts(self, world: MoneybirdWorld) -> None:
        facts = world.connector.check()
        assert (facts.administration, facts.country, facts.currency, facts.has_debtors) == ("123", "NL", "EUR", False)
        assert next((rate.id, rate.percent, rate.country) for rate in facts.tax_rates) == ("21", Decimal("21.0"), None)
        assert [(a.id, a.kind, a.active) for a in facts.ledger_accounts] == [
            ("8000", "revenue", True), ("1300", "current_assets", False),
        ]  # fmt: skip
        assert len(world.books.seen) == 4

    def test_more_rates_than_a_page(self, world: MoneybirdWorld) -> None:
        world.books.rates = [{**world.books.rates[0], "id": str(n)} for n in range(101)]
        assert len(world.connector.check().tax_rates) == 101

    def test_contacts_of_others_behind_many_of_ours(self, world: MoneybirdWorld) -> None:
        for number in range(150):
            world.books.put_contact(customer_id=f"sluis-{number}")
        assert world.connector.check().has_debtors is False
        world.books.put_contact(customer_id="7")
        assert world.connector.check().has_debtors is True

    def test_so_many_contacts_that_not_all_are_read(self, world: MoneybirdWorld) -> None:
        for number in range(1000):
            world.books.put_contact(customer_id=f"sluis-{number}")
        facts = world.connector.check()
        assert facts.has_debtors is True
        assert "contacts_not_all_read" in facts.warnings

    def test_an_administration_that_the_token_does_not_see(self, world: MoneybirdWorld) -> None:
        world.books.administrations = [{"id": "9"}, {"id": "10"}]
        with pytest.raises(NotConfigured, match=r"administration_id 123 .*\(9, 10\)"):
            world.connector.check()

    def test_warnings(self, world: MoneybirdWorld) -> None:
        world.books.administrations[0].update(suspended=True, period_locked_until="2026-09-30")
        assert world.connector.check().warnings == ("administration_suspended", "period_locked_until_2026-09-30")

    def test_another_thing_at_the_address(self, world: MoneybirdWorld) -> None:
        world.books.read_faults = [(200, {"hello": "world"})]
        with pytest.raises(Defect, match="administrations"):
            world.connector.check()


class TestSettings:
    @pytest.mark.parametrize(
        "url", ["http://moneybird.com/api/v2", "moneybird.com", "ftp://x", "https://a:b@c/", "https://x?y"]
    )
    def test_addresses_that_are_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"must (be https|begin with|name a host|be without)"):
            MoneybirdSettings(administration_id="1", base_url=url)

    @pytest.mark.parametrize(
        "url", ["https://moneybird.com/api/v2/", "http://127.0.0.1:8081/api/v2", "http://books/api"]
    )
    def test_addresses_that_are_taken(self, url: str) -> None:
        assert MoneybirdSettings(administration_id="1", base_url=url).base_url == url.rstrip("/")

    @pytest.mark.parametrize("token", ["CANARY\nx", "CANARY•", "CAN ARY"])
    def test_a_token_that_fits_no_header_is_refused_and_not_shown(self, token: str) -> None:
        with pytest.raises(ValueError, match="paste it again") as caught:
            MoneybirdCredentials.model_validate({"token": token})
        assert "CAN" not in str(caught.value)

    def test_an_empty_token_and_a_name_for_a_number(self) -> None:
        with pytest.raises(ValueError, match="empty"):
            MoneybirdCredentials.model_validate({"token": ""})
        with pytest.raises(ValueError, match="administration_id"):
            MoneybirdSettings(administration_id="My shop")

    def test_a_connection_shows_no_token(self, world: MoneybirdWorld) -> None:
        assert TOKEN not in repr(world.credentials) + repr(vars(world.connector)) + repr(vars(world.connector._client))

"""Every request that the connector can send is valid by Moneybird's own OpenAPI file (v2-20260821).

The file needs three changes before openapi-core can use it (shared/specs/README.md): ``{format}`` in the paths, its
parameter, and the content type ``application/*``. openapi-core stumbles over query parameters of two types, so those
are checked with jsonschema, unknown names too. The file lets unknown fields inside ``details_attributes`` and texts
for booleans pass: those are held here.
"""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from sluis.accounting.moneybird import mapping as to_moneybird
from sluis.core.invoice import DocumentKind
from tests.accounting.fake_moneybird import ADMINISTRATION, Seen
from tests.accounting.moneybird_world import MAPPING, MoneybirdWorld
from tests.accounting.test_moneybird_mapping import lines
from tests.contracts.accounting_contract import TODAY, buyer, entry, invoice, payment
from tests.shared import shared_path

pytestmark = pytest.mark.shared

JOURNALS = "/documents/general_journal_documents"
SPEC = "specs/moneybird/openapi.yml.gz"
SCOPED = (
    "external_sales_invoices", "external_sales_invoices/synchronization", "contacts", "contacts/synchronization",
    "tax_rates", "ledger_accounts",
)  # fmt: skip
#: What the file does not notice inside a line: nothing but these, and of these types.
LINE = {
    "description": str,
    "debit": str,
    "credit": str,
    "tax_rate_id": str,
    "ledger_account_id": str,
    "contact_id": str,
}
DETAIL = {"description": str, "price": str, "amount": int, "tax_rate_id": str, "ledger_account_id": str}


@cache
def api() -> tuple[OpenAPI, dict[str, Any]]:
    spec = yaml.load(gzip.decompress(shared_path(SPEC).read_bytes()), Loader=yaml.CSafeLoader)
    spec["paths"] = {path.replace("{format}", ".json"): item for path, item in spec["paths"].items()}
    for item in spec["paths"].values():
        for name, operation in item.items():
            if name == "parameters":
                continue
            parameters = operation.get("parameters", [])
            resolved = [_resolved(spec, item) for item in parameters]
            places = [p for p in resolved if p["in"] == "path" and p["name"] != "format"]
            number = {"type": "string", "pattern": "^\\d+$"}  # the file's identifier, without its second type
            operation["parameters"] = [
                p if p["name"] == "administration_id" else p | {"schema": number} for p in places
            ]
            operation["x-query"] = {p["name"]: p["schema"] for p in resolved if p["in"] == "query"}
            content = operation.get("requestBody", {}).get("content", {})
            if "application/*" in content:
                content["application/json"] = content.pop("application/*")
    return OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None)), spec


def check(seen: Seen) -> None:
    """Raise when a request is not what Moneybird describes."""
    request = MockRequest(
        "https://moneybird.com",
        seen.method.lower(),
        f"/api/v2{seen.path}",
        headers={"Authorization": "Bearer x"},
        data=None if seen.body is None else json.dumps(seen.body).encode(),
        content_type="application/json",
    )
    openapi, spec = api()
    openapi.validate_request(request)
    described = spec["paths"][template(seen.path)][seen.method.lower()]["x-query"]
    for name, value in seen.query.items():
        Draft202012Validator(described[name]).validate(int(value) if value.isdigit() else value)
    if (seen.body or {}).get("external_sales_invoice"):
        sent = seen.body["external_sales_invoice"]
        assert isinstance(sent["prices_are_incl_tax"], bool)
        for detail in sent["details_attributes"]:
            assert {name: type(value) for name, value in detail.items()} == DETAIL
    if (seen.body or {}).get("general_journal_document"):
        for line in seen.body["general_journal_document"]["general_journal_document_entries_attributes"]:
            assert all(LINE[name] is type(value) for name, value in line.items())


def template(path: str) -> str:
    """Return a path of a request as the file writes it."""
    path = path.replace(f"/{ADMINISTRATION}/", "/{administration_id}/")
    name = "external_sales_invoice_id" if path.endswith("/payments.json") else "id"
    return re.sub(r"(external_sales_invoices)/\d+", rf"\1/{{{name}}}", path)


def _resolved(spec: dict[str, Any], item: dict[str, Any]) -> Any:
    found: Any = item if "$ref" not in item else spec
    for step in item["$ref"].removeprefix("#/").split("/") if "$ref" in item else ():
        found = found[step]
    return found


def operations(requests: list[Seen]) -> set[tuple[str, str]]:
    return {(seen.method, seen.path.removeprefix(f"/{ADMINISTRATION}")) for seen in requests}


@pytest.fixture(scope="module", autouse=True)
def _spec() -> None:
    shared_path(SPEC)


def test_every_kind_of_request(world: MoneybirdWorld) -> None:
    package = world.connector
    package.check()
    full = buyer(vat_number="NL123456782B90", company="Voorbeeld BV")
    debtor = package.debtor(full, "ab" * 16)
    assert package.debtor(full, "ab" * 16) == debtor.model_copy(update={"created": False})
    package.debtor(buyer(""), "cd" * 16)
    assert package.match_debtors([("ab" * 16, full)])
    package.book(invoice(), debtor.id)
    package.book(invoice(gross=False), debtor.id)
    package.book(invoice(kind=DocumentKind.CREDIT_NOTE), debtor.id)
    assert package.find("WS-1001", Decimal("105.00"), TODAY, debtor.id)
    assert package.find("WS-1001", Decimal("105.00"), TODAY, None)
    booked = package.find("WS-1001", Decimal("105.00"), TODAY, None)
    assert booked is not None
    package.pay(booked.external_id, payment())
    package.pay(booked.external_id, payment("b2" * 16, amount="-5.00", reference=""))
    assert len(package.payments(booked.external_id)) == 2
    package.post(entry(debtor_id=debtor.id))
    assert package.find_entry("WS-DAY-1", TODAY) is not None
    package.post(entry(reference="Dag, 1"))
    assert package.find_entry("Dag, 1", TODAY) is not None
    assert len(list(package.documents(TODAY, TODAY))) == 5
    for seen in world.books.seen:
        check(seen)
    assert operations(world.books.seen) == {
        ("GET", "/administrations.json"), ("GET", "/tax_rates.json"), ("GET", "/ledger_accounts.json"),
        ("GET", "/contacts.json"), ("POST", "/contacts.json"), ("GET", "/contacts/synchronization.json"),
        ("POST", "/contacts/synchronization.json"), ("GET", "/external_sales_invoices.json"),
        ("POST", "/external_sales_invoices.json"), ("GET", "/external_sales_invoices/synchronization.json"),
        ("POST", "/external_sales_invoices/synchronization.json"), ("POST", f"{JOURNALS}.json"),
        ("GET", f"{JOURNALS}.json"), ("GET", f"{JOURNALS}/synchronization.json"),
        ("POST", f"{JOURNALS}/synchronization.json"), ("GET", f"/external_sales_invoices/{booked.external_id}.json"),
        ("POST", f"/external_sales_invoices/{booked.external_id}/payments.json"),
    }  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(lines(), min_size=1, max_size=5), st.booleans(), st.sampled_from(list(DocumentKind)))
def test_every_invoice(drawn: list[Any], gross: bool, kind: DocumentKind) -> None:
    sent = to_moneybird.invoice_payload(invoice(drawn, gross=gross, kind=kind), "77", MAPPING)
    check(Seen("POST", f"/{ADMINISTRATION}/external_sales_invoices.json", {}, {"external_sales_invoice": sent}))


@settings(max_examples=25, deadline=None)
@given(
    st.fixed_dictionaries(
        {name: st.text(max_size=40) for name in ("first_name", "last_name", "company", "email", "vat_number")}
    )
)
def test_every_contact(fields: dict[str, str]) -> None:
    contact = to_moneybird.contact_payload(buyer(**fields), "ab" * 16)
    check(Seen("POST", f"/{ADMINISTRATION}/contacts.json", {}, {"contact": contact}))


def test_the_check_sees_a_wrong_request() -> None:
    path = f"/{ADMINISTRATION}/external_sales_invoices.json"
    good = to_moneybird.invoice_payload(invoice(), "77", MAPPING)
    for wrong in ({"vat_amount": "1"}, {"contact_id": "abc"}, {"date": "20 November"}, {"details_attributes": ["x"]}):
        with pytest.raises((OpenAPIError, AttributeError)):
            check(Seen("POST", path, {}, {"external_sales_invoice": {**good, **wrong}}))
    for wrong in ({"vat": "1"}, {"amount": "1"}, {"price": 1}):
        detail = {**good["details_attributes"][0], **wrong}
        with pytest.raises((OpenAPIError, AssertionError)):
            check(Seen("POST", path, {}, {"external_sales_invoice": {**good, "details_attributes": [detail]}}))
    wrong_payment = {**to_moneybird.payment_payload(payment()), "reference": "x"}
    with pytest.raises(OpenAPIError):
        check(Seen("POST", path.replace(".json", "/77/payments.json"), {}, {"payment": wrong_payment}))
    with pytest.raises(ValidationError):
        check(Seen("GET", path, {"per_page": "500"}, None))
    with pytest.raises(KeyError):
        check(Seen("GET", path, {"since": "2026"}, None))
    with pytest.raises(OpenAPIError):
        check(Seen("POST", f"/{ADMINISTRATION}/contacts.json", {}, {"contact": {"mobile": "0612345678"}}))


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300), st.decimals(-10_000, 10_000, places=2), st.dates())
def test_every_payment(reference: str, amount: Decimal, on: Any) -> None:
    made = payment(amount=str(amount), reference=reference).model_copy(update={"paid_on": on})
    path = f"/{ADMINISTRATION}/external_sales_invoices/77/payments.json"
    check(Seen("POST", path, {}, {"payment": to_moneybird.payment_payload(made)}))


def test_the_scope_that_a_refusal_names_is_enough_for_every_call() -> None:
    paths = api()[1]["paths"]
    for path in SCOPED:
        for method in ("get", "post") if path not in {"tax_rates", "ledger_accounts"} else ("get",):
            described = paths[f"/{{administration_id}}/{path}.json"][method]["description"]
            assert "`sales_invoices`" in described.split("Required scope")[1]
    pay = paths["/{administration_id}/external_sales_invoices/{external_sales_invoice_id}/payments.json"]["post"]
    assert "`sales_invoices`" in pay["description"].split("Required scope")[1]
    for path, methods in ((JOURNALS, ("get", "post")), (f"{JOURNALS}/synchronization", ("get", "post"))):
        for method in methods:
            described = paths[f"/{{administration_id}}{path}.json"][method]["description"]
            assert "`documents`" in described.split("Required scope")[1]

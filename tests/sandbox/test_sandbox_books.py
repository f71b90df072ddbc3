"""The sandbox books: totals, refusals, filters, the limit; and every answer against Moneybird's own specification."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
import yaml

from sluis.sandbox.books import period
from sluis.sandbox.moneybird import Invalid
from tests.sandbox.conftest import BOOKS, OTHER, Client
from tests.shared import shared_path

WINDOW = timedelta(seconds=300)


def rate(client: Client, name: str) -> str:
    rates = client.books("GET", "/tax_rates", params={"filter": f"name:{name}"}).json()
    assert len(rates) == 1
    return str(rates[0]["id"])


# ------------------------------------------------------------------------------------------------------- behaviour


def test_the_books_count_totals_themselves_per_line(client: Client) -> None:
    low = rate(client, "9% btw")
    lines = [
        {"description": "Mok", "price": "12.95", "amount": "3"},
        {"description": "Boek", "price": "24,99", "tax_rate_id": low},
    ]
    answer = client.invoice(client.contact(), lines=lines, prices_are_incl_tax=True).json()
    assert answer["total_price_incl_tax"] == "63.84"
    assert [entry["tax_amount"] for entry in answer["tax_totals"]] == ["6.74", "2.06"]
    assert answer["total_price_excl_tax"] == "55.04"
    excl = client.invoice(client.contact(), "1002", lines=lines, prices_are_incl_tax=False).json()
    assert (excl["total_price_excl_tax"], excl["total_price_incl_tax"]) == ("63.84", "74.25")


def test_a_credit_note_is_a_mirror(client: Client) -> None:
    contact = client.contact()
    lines = [{"description": "Mok", "price": "-0.35", "amount": "1"}]
    answer = client.invoice(contact, lines=lines, prices_are_incl_tax=True).json()
    assert answer["total_price_incl_tax"] == "-0.35"
    assert answer["tax_totals"][0]["tax_amount"] == "-0.06"


def test_a_customer_id_is_unique_also_when_archived(client: Client) -> None:
    contact = client.contact(customer_id="key-1")
    again = client.books("POST", "/contacts.json", json={"contact": {"firstname": "X", "customer_id": "key-1"}})
    assert again.status_code == 422
    assert again.json()["error"] == {"customer_id": ["is already in use"]}
    assert client.books("GET", "/contacts/customer_id/key-1.json").json()["id"] == contact
    assert client.books("PATCH", f"/contacts/{contact}/archive.json").json()["archived"] is True
    assert client.books("GET", "/contacts/customer_id/key-1.json").status_code == 404
    third = client.books("POST", "/contacts.json", json={"contact": {"firstname": "X", "customer_id": "key-1"}})
    assert third.status_code == 422
    found = client.books("GET", "/contacts.json", params={"query": "key-1"}).json()
    archived = client.books("GET", "/contacts.json", params={"query": "key-1", "include_archived": "true"}).json()
    assert (found, [entry["id"] for entry in archived]) == ([], [contact])


@pytest.mark.parametrize(
    ("change", "status", "field_name"),
    [
        ({"contact_id": "999"}, 400, "contact_id"),
        ({"reference": " "}, 422, "reference"),
        ({"date": "2026-02-30"}, 422, "date"),
        ({"currency": "XYZ"}, 422, "currency"),
        ({"colour": "red"}, 400, "colour"),
        ({"prices_are_incl_tax": "maybe"}, 400, "prices_are_incl_tax"),
        ({"details_attributes": []}, 422, "details"),
        ({"details_attributes": [{"description": "x", "price": "1", "tax_rate_id": "1"}]}, 422, "tax_rate_id"),
        ({"details_attributes": [{"description": "x", "price": "1", "ledger_account_id": "1"}]}, 422, "ledger_account"),
        ({"details_attributes": [{"description": "x", "price": "duur"}]}, 422, "price"),
        ({"details_attributes": [{"description": "x", "price": "1", "amount": "veel"}]}, 422, "amount"),
        ({"details_attributes": [{"description": "x", "prijs": "1"}]}, 400, "prijs"),
    ],
)
def test_a_refused_invoice_names_its_field_and_books_nothing(
    change: dict[str, Any], status: int, field_name: str, client: Client
) -> None:
    lines = [{"description": "Mok", "price": "1"}]
    body = {"contact_id": client.contact(), "reference": "1001", "details_attributes": lines, **change}
    answer = client.books("POST", "/external_sales_invoices.json", json={"external_sales_invoice": body})
    assert answer.status_code == status, answer.text
    assert field_name in answer.text
    assert client.state.ledger(BOOKS.id).invoices == {}


def test_purchase_and_inactive_rates_are_refused(client: Client) -> None:
    contact = client.contact()
    for name in ("21% btw inkoop", "6% btw (oud)"):
        lines = [{"description": "x", "price": "1", "tax_rate_id": rate(client, name)}]
        assert client.invoice(contact, lines=lines).status_code == 422


def test_the_list_defaults_to_this_year_and_filters(client: Client) -> None:
    client.state.clock = lambda: datetime(2026, 1, 3, 12, tzinfo=UTC)
    client.state.reset()
    try:
        one, two = client.contact(), client.contact()
        client.invoice(one, "old", date="2025-12-31")
        client.invoice(one, "new", date="2026-01-02")
        client.invoice(two, "other", date="2026-01-01")

        def listed(**params: Any) -> list[str]:
            answer = client.books("GET", "/external_sales_invoices.json", params=params)
            return [entry["reference"] for entry in answer.json()]

        assert listed() == ["new", "other"]
        assert listed(filter=f"contact_id:{one}") == ["new"]
        assert listed(filter=f"contact_id:{one},period:20251201..20260131") == ["new", "old"]
        assert listed(filter="period:prev_year") == ["old"]
        assert listed(filter="period:this_year,state:paid") == []
        assert listed(filter="period:this_year,state:open|late", per_page=1, page=2) == ["other"]
        assert client.books("GET", "/external_sales_invoices", params={"per_page": 101}).status_code == 400
        assert client.books("GET", "/external_sales_invoices", params={"filter": "colour:red"}).status_code == 400
        assert client.books("GET", "/external_sales_invoices", params={"filter": "contact_id:9"}).status_code == 404
    finally:
        client.state.clock = lambda: datetime.now(UTC)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("this_month", date(2026, 1, 1), date(2026, 1, 31)),
        ("prev_quarter", date(2025, 10, 1), date(2025, 12, 31)),
        ("next_year", date(2027, 1, 1), date(2027, 12, 31)),
        ("prev_week", date(2025, 12, 22), date(2025, 12, 28)),
        ("202511..202602", date(2025, 11, 1), date(2026, 2, 28)),
        ("20251130..20260101", date(2025, 11, 30), date(2026, 1, 1)),
    ],
)
def test_a_period(text: str, first: date, last: date) -> None:
    assert period(text, date(2026, 1, 3)) == (first, last)


@pytest.mark.parametrize("text", ["vorig_jaar", "this_century", "20261301..20261302", "2026"])
def test_a_wrong_period_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        period(text, date(2026, 1, 3))


def test_tokens_open_their_own_administration_only(client: Client) -> None:
    assert client.books("GET", "/tax_rates", token="wrong").status_code == 401
    assert client.books("GET", "/tax_rates", administration=OTHER.id).status_code == 403
    assert client.books("GET", "/tax_rates", administration="123").status_code == 404
    listed = requests.get(
        f"{client.server.books_url}/administrations.json", headers={"Authorization": "Bearer token-two"}, timeout=10
    )
    assert [entry["id"] for entry in listed.json()] == [int(OTHER.id)]


def test_the_limit_is_per_token_and_names_an_epoch(client: Client) -> None:
    start = datetime(2026, 11, 23, 12, tzinfo=UTC)
    now = [start]
    client.state.clock = lambda: now[0]
    try:
        assert client.control("PUT", "/limit", json={"limit": 2}).status_code == 200
        left = [client.books("GET", "/tax_rates").headers["RateLimit-Remaining"] for _ in range(2)]
        assert left == ["1", "0"]
        spent = client.books("GET", "/tax_rates")
        assert (spent.status_code, spent.json()) == (429, "Retry later")
        assert int(spent.headers["Retry-After"]) == int((start + WINDOW).timestamp())
        assert client.books("GET", "/tax_rates", administration=OTHER.id, token="token-two").status_code == 200
        now[0] = start + WINDOW
        assert client.books("GET", "/tax_rates").status_code == 200
    finally:
        client.state.clock = lambda: datetime.now(UTC)


def test_a_locked_period_is_refused(client: Client) -> None:
    ledger = client.state.ledger(BOOKS.id)
    ledger.config = BOOKS.model_copy(update={"period_locked_until": "2026-09-30"})
    contact = client.contact()
    assert client.invoice(contact, date="2026-09-30").status_code == 422
    assert client.invoice(contact, date="2026-10-01").status_code == 201


def test_synchronisation_tells_ids_and_versions_and_gives_the_records(client: Client) -> None:
    contact = client.contact()
    invoice = client.invoice(contact).json()
    versions = client.books("GET", "/external_sales_invoices/synchronization.json").json()
    assert versions == [{"id": invoice["id"], "version": invoice["version"]}]
    given = client.books("POST", "/external_sales_invoices/synchronization.json", json={"ids": [invoice["id"], 5]})
    assert given.json() == [invoice]
    ids = [entry["id"] for entry in client.books("GET", "/contacts/synchronization.json").json()]
    assert len(ids) == BOOKS.contacts + 1
    people = client.books("POST", "/contacts/synchronization.json", json={"ids": ids}).json()
    assert [entry["id"] for entry in people] == ids
    assert client.books("POST", "/contacts/synchronization.json", json={}).status_code == 400


# ------------------------------------------------------------------------------------------- against the specification


def _without_format(path: str) -> str:
    return path.replace("{format}", ".json")


@dataclass
class Specification:
    """Moneybird's OpenAPI file, made usable as its README says."""

    openapi: Any
    checked: list[str] = field(default_factory=list)

    def check(self, answer: requests.Response) -> None:
        """Raise where the answer does not fit what the file says of this request."""
        from openapi_core.testing import MockRequest, MockResponse

        method = str(answer.request.method).lower()
        path = str(answer.request.path_url).partition("/books")[2].partition("?")[0]
        path = path if path.endswith(".json") else f"{path}.json"
        request = MockRequest("https://moneybird.com", method, path)
        response = MockResponse(answer.content, status_code=answer.status_code, content_type="application/json")
        self.openapi.validate_response(request, response)
        self.checked.append(f"{method} {answer.status_code}")


@pytest.fixture(scope="module")
def specification() -> Specification:
    from openapi_core import Config, OpenAPI

    file = shared_path("specs/moneybird/openapi.yml.gz")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    spec = json.loads(json.dumps(yaml.load(gzip.decompress(file.read_bytes()), loader), default=str))
    wanted = (
        "external_sales_invoices",
        "/general_journal_documents",
        "/contacts",
        "/tax_rates",
        "/ledger_accounts",
        "/administrations",
    )
    spec["paths"] = {
        _without_format(path): item for path, item in spec["paths"].items() if any(name in path for name in wanted)
    }
    for item in spec["paths"].values():
        for operation in item.values():
            operation["parameters"] = [
                entry
                for entry in operation.get("parameters", [])
                if entry != {"$ref": "#/components/parameters/format"}
            ]
    return Specification(OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None)))


@pytest.mark.shared
def test_every_answer_fits_the_specification(client: Client, specification: Specification) -> None:
    contact = client.contact(
        customer_id="spec-1", company_name="Test B.V.", send_invoices_to_email="a@example.com", country="BE"
    )
    usd = [{"description": "Stoel", "price": "159.99"}]
    answers = [
        client.books("POST", "/contacts.json", json={"contact": {"firstname": "X", "lastname": "Y"}}),
        client.books("POST", "/contacts.json", json={"contact": {"firstname": "X", "customer_id": "spec-1"}}),
        client.books("POST", "/contacts.json", json={"contact": {}}),
        client.books("POST", "/contacts.json", json={}),
        client.books("GET", f"/contacts/{contact}.json"),
        client.books("GET", "/contacts/customer_id/spec-1.json"),
        client.books("GET", "/contacts/customer_id/unknown.json"),
        client.books("GET", "/contacts.json", params={"query": "example.com"}),
        client.books("GET", "/contacts/synchronization.json"),
        client.books("POST", "/contacts/synchronization.json", json={"ids": [contact]}),
        client.invoice(contact, prices_are_incl_tax=True, due_date="2026-01-01", source="sluis"),
        client.invoice(contact, "1002", currency="USD", lines=usd),
        client.invoice("1"),
        client.invoice(contact, ""),
        client.books("GET", "/external_sales_invoices.json"),
        client.books("GET", "/external_sales_invoices.json", params={"per_page": "200"}),
        client.books("GET", "/external_sales_invoices/1.json"),
        client.books("GET", "/external_sales_invoices/synchronization.json"),
        client.books("GET", "/tax_rates.json"),
        client.books("GET", "/ledger_accounts.json"),
    ]
    invoice = answers[10].json()["id"]
    answers.append(client.books("GET", f"/external_sales_invoices/{invoice}.json"))
    answers.append(client.books("POST", "/external_sales_invoices/synchronization.json", json={"ids": [invoice]}))
    answers.append(
        requests.get(
            f"{client.server.books_url}/administrations.json", headers={"Authorization": "Bearer token-one"}, timeout=10
        )
    )
    for answer in answers:
        specification.check(answer)
    assert len(specification.checked) == len(answers) >= 23


@pytest.mark.shared
def test_the_check_would_find_a_field_that_moneybird_does_not_have(
    client: Client, specification: Specification
) -> None:
    answer = client.invoice(client.contact())
    answer._content = answer.content.replace(b'"reference"', b'"referentie"')
    with pytest.raises(Exception, match=r"Invalid|Unevaluated|schema"):
        specification.check(answer)

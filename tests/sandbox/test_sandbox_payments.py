"""The sandbox books: payments on invoices, journal entries, closed periods; every answer against the specification."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from sluis.sandbox.moneybird import plain
from tests.sandbox.conftest import BOOKS, Client
from tests.sandbox.test_sandbox_books import Specification, specification  # noqa: F401

JOURNALS = "/documents/general_journal_documents"
PSP, DEBTORS, SALES, VAT = "Tussenrekening betaaldienst", "Debiteuren", "Omzet", "Btw"


def account(client: Client, name: str) -> str:
    return client.state.ledger(BOOKS.id).account(name)


def pay(client: Client, invoice_id: str, price: str | None = "38.85", **fields: Any) -> requests.Response:
    payment = {"payment_date": "2026-11-20", "price": price, "manual_payment_action": "balance_settlement",
               "ledger_account_id": account(client, PSP), "transaction_identifier": "tr_1", **fields}  # fmt: skip
    body = {"payment": {name: value for name, value in payment.items() if value is not None}}
    return client.books("POST", f"/external_sales_invoices/{invoice_id}/payments.json", json=body)


def invoiced(client: Client, price: str = "38.85", **fields: Any) -> str:
    lines = [{"description": "Mok", "price": price}]
    answer = client.invoice(client.contact(), lines=lines, prices_are_incl_tax=True, date="2026-11-19", **fields)
    return str(answer.json()["id"])


def shown(client: Client, invoice_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.books("GET", f"/external_sales_invoices/{invoice_id}.json").json()
    return found


def post(client: Client, *lines: tuple[str, str, str], reference: str = "DAY-1", **fields: Any) -> requests.Response:
    entries = [{"ledger_account_id": account(client, name), "debit": d, "credit": c} for name, d, c in lines]
    body = {"reference": reference, "date": "2026-11-20", "general_journal_document_entries_attributes": entries}
    return client.books("POST", f"{JOURNALS}.json", json={"general_journal_document": {**body, **fields}})


@pytest.mark.parametrize(
    ("total", "paid", "state", "unpaid"),
    [
        ("38.85", "38.85", "paid", "0.0"), ("38.85", "20.00", "open", "18.85"), ("38.85", "40.00", "paid", "-1.15"),
        ("-38.85", "-38.85", "paid", "0.0"), ("-38.85", "-8.85", "open", "-30.0"),
    ],
)  # fmt: skip
def test_a_payment_settles_its_invoice(client: Client, total: str, paid: str, state: str, unpaid: str) -> None:
    invoice_id = invoiced(client, total)
    assert pay(client, invoice_id, paid).status_code == 201
    invoice = shown(client, invoice_id)
    assert (invoice["state"], invoice["total_unpaid"]) == (state, unpaid)
    assert invoice["paid_at"] == ("2026-11-20" if state == "paid" else None)
    assert [p["transaction_identifier"] for p in invoice["payments"]] == ["tr_1"]
    assert client.state.ledger(BOOKS.id).on_account(account(client, PSP)) == Decimal(paid)
    assert client.state.stats()["administrations"][BOOKS.id]["accounts"] == {"1250": plain(Decimal(paid))}


def test_a_deleted_payment_leaves_the_invoice_open(client: Client) -> None:
    invoice_id = invoiced(client)
    payment = pay(client, invoice_id).json()["id"]
    path = f"/external_sales_invoices/{invoice_id}/payments/{payment}.json"
    assert [client.books("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert (shown(client, invoice_id)["state"], shown(client, invoice_id)["total_unpaid"]) == ("open", "38.85")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": None}, "price"), ({"price": "much"}, "price"), ({"payment_date": None}, "payment_date"),
        ({"payment_date": "tomorrow"}, "payment_date"), ({"manual_payment_action": "gift"}, "manual_payment_action"),
        ({"ledger_account_id": "1"}, "ledger_account_id"), ({"payment_date": "2026-03-31"}, "payment_date"),
    ],
)  # fmt: skip
def test_a_wrong_payment_is_refused_with_its_field(client: Client, change: dict[str, Any], field: str) -> None:
    invoice_id = invoiced(client)
    ledger = client.state.ledger(BOOKS.id)
    ledger.config = ledger.config.model_copy(update={"period_locked_until": "2026-03-31"})
    answer = pay(client, invoice_id, **change)
    assert (answer.status_code, list(answer.json()["error"])) == (422, [field])
    assert shown(client, invoice_id)["payments"] == []


def test_a_journal_entry_balances_and_stands_on_its_accounts(client: Client) -> None:
    made = post(client, (PSP, "121", "0"), (SALES, "0", "100.00"), (VAT, "0", "21"))
    assert made.status_code == 201
    assert post(client, (PSP, "121", "0"), (SALES, "0", "100")).status_code == 422
    assert post(client, ("Btw", "1", "0"), ("Omzet", "0", "1"), date="2026-02-30").status_code == 422
    ledger = client.state.ledger(BOOKS.id)
    assert [ledger.on_account(account(client, name)) for name in (PSP, SALES, VAT)] == [121, -100, -21]
    listed = {
        terms: [e["reference"] for e in client.books("GET", JOURNALS, params={"filter": terms}).json()]
        for terms in (
            "period:20261120..20261120", "period:20261121..20261130", "period:202611..202611,reference:DAY-1",
            "period:202611..202611,reference:DAY", f"period:202611..202611,ledger_account_id:{account(client, PSP)}",
            f"period:202611..202611,ledger_account_id:{account(client, DEBTORS)}",
        )
    }  # fmt: skip
    assert list(listed.values()) == [["DAY-1"], [], ["DAY-1"], [], ["DAY-1"], []]
    path = f"{JOURNALS}/{made.json()['id']}.json"
    assert [client.books(m, path).status_code for m in ("GET", "DELETE", "GET", "DELETE")] == [200, 204, 404, 404]


def test_a_closed_period_takes_no_document(client: Client) -> None:
    ledger = client.state.ledger(BOOKS.id)
    ledger.config = ledger.config.model_copy(update={"period_locked_until": "2026-11-20"})
    lines = ((PSP, "1", "0"), (SALES, "0", "1"))
    for date, status in (("2026-11-20", 422), ("2026-11-21", 201)):
        assert post(client, *lines, date=date).status_code == status
        assert client.invoice(client.contact(), date=date).status_code == status


@pytest.mark.shared
def test_answers_fit_the_specification(client: Client, specification: Specification) -> None:  # noqa: F811
    invoice_id = invoiced(client)
    made = post(client, (PSP, "121", "0"), (SALES, "0", "121"))
    answers = [
        pay(client, invoice_id), pay(client, invoice_id, price=None), pay(client, "1"), made, post(client),
        client.books("POST", f"{JOURNALS}.json", json={}),
        client.books("GET", f"/external_sales_invoices/{invoice_id}.json"),
        client.books("GET", f"{JOURNALS}.json"), client.books("GET", f"{JOURNALS}/{made.json()['id']}.json"),
        client.books("GET", f"{JOURNALS}/synchronization.json"),
        client.books("POST", f"{JOURNALS}/synchronization.json", json={"ids": [made.json()["id"]]}),
    ]  # fmt: skip
    for answer in answers:
        specification.check(answer)
    statuses = [answer.status_code for answer in answers]
    assert statuses == [201, 422, 404, 201, 422, 400, 200, 200, 200, 200, 200]

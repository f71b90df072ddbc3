"""The yardstick: a bare script on ``requests`` that makes the same calls and keeps nothing.

It reads every order with its refunds, creates a contact for each customer it has not seen in this run, and posts an
external sales invoice for each order and a negative one for each refund. No store, no check, no log: killed or run
twice it books twice. Run by ``sync.py``, which gives addresses and keys as JSON on standard input.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import requests
from requests_oauthlib import OAuth1

from measure import Meter

Json = dict[str, Any]

PER_PAGE = 100
STATUSES = {"processing", "completed", "refunded"}
EU = set("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT PL PT RO SE SI SK".split())  # noqa: SIM905
HOME = "NL"


class Shop:
    """Reads WooCommerce page by page."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self._url = f"{url}/wp-json/wc/v3"
        self._session = requests.Session()
        self._session.auth = OAuth1(key, client_secret=secret, signature_method="HMAC-SHA256", signature_type="QUERY")

    def pages(self, path: str, **params: Any) -> Iterator[list[Json]]:
        page, pages = 1, 1
        while page <= pages:
            query = {**params, "per_page": PER_PAGE, "page": page, "dp": 2}
            answer = self._session.get(f"{self._url}/{path}", params=query, timeout=60)
            answer.raise_for_status()
            pages = int(answer.headers["X-WP-TotalPages"])
            yield json.loads(answer.text, parse_float=Decimal)
            page += 1


class Books:
    """Writes to one administration of Moneybird."""

    def __init__(self, url: str, administration: str, token: str) -> None:
        self._url = f"{url}/{administration}"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        rates = [rate for rate in self._get("tax_rates") if rate["active"]]
        sales = [rate for rate in rates if rate["tax_rate_type"] == "sales_invoice"]
        self.rates = {Decimal(rate["percentage"]): rate["id"] for rate in reversed(sales) if rate["country"] is None}
        self.export = next(rate["id"] for rate in sales if "export" in rate["name"])
        self.revenue = next(a["id"] for a in self._get("ledger_accounts") if a["account_type"] == "revenue")

    def contact(self, billing: Json, customer: str) -> str:
        fields = {
            "customer_id": f"bare-{customer[:20]}",
            "company_name": billing["company"],
            "firstname": billing["first_name"],
            "lastname": billing["last_name"],
            "address1": billing["address_1"],
            "zipcode": billing["postcode"],
            "city": billing["city"],
            "country": billing["country"],
            "send_invoices_to_email": billing["email"],
        }
        return str(self._post("contacts", {"contact": {k: v for k, v in fields.items() if v}})["id"])

    def invoice(self, invoice: Json) -> None:
        self._post("external_sales_invoices", {"external_sales_invoice": invoice})

    def _get(self, path: str) -> Any:
        answer = self._session.get(f"{self._url}/{path}.json", params={"per_page": 100}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def _post(self, path: str, body: Json) -> Json:
        answer = self._session.post(f"{self._url}/{path}.json", json=body, timeout=60)
        answer.raise_for_status()
        return json.loads(answer.text, parse_float=Decimal)


def country_of(order: Json) -> str:
    return order["shipping"]["country"] or order["billing"]["country"]


def bookable(order: Json) -> bool:
    """What sluis books of such a shop today: sold, and to the home country or outside the EU."""
    if order["payment_method"] == "cod" and order["status"] == "processing":
        return False
    return order["status"] in STATUSES and country_of(order) not in EU


def details(document: Json, percents: dict[int, Decimal], books: Books, *, abroad: bool) -> list[Json]:
    """One detail per line, shipping and fee; amounts of a refund are negative in WooCommerce as they are here."""
    found = []
    for line in (*document["line_items"], *document["shipping_lines"], *document["fee_lines"]):
        rate = next((percents[tax["id"]] for tax in line["taxes"] if tax["total"]), Decimal(0))
        gross = Decimal(line["total"]) + Decimal(line["total_tax"])
        found.append(
            {
                "description": line.get("name") or line.get("method_title") or "line",
                "price": f"{gross:.2f}",
                "amount": "1",
                "tax_rate_id": books.export if abroad else books.rates[rate],
                "ledger_account_id": books.revenue,
            }
        )
    return found


def sync(shop: Shop, books: Books) -> int:
    """Book everything there is; returns how many documents were booked."""
    refunds: dict[int, list[Json]] = defaultdict(list)
    for page in shop.pages("refunds", orderby="date", order="asc"):
        for refund in page:
            refunds[refund["parent_id"]].append(refund)
    contacts: dict[str, str] = {}
    booked = 0
    for page in shop.pages("orders", orderby="id", order="asc", status="any", dates_are_gmt="true"):
        for order in page:
            if not bookable(order):
                continue
            customer = hashlib.sha256(order["billing"]["email"].lower().encode()).hexdigest()
            if customer not in contacts:
                contacts[customer] = books.contact(order["billing"], customer)
            percents = {tax["rate_id"]: Decimal(str(tax["rate_percent"])) for tax in order["tax_lines"]}
            common = {"contact_id": contacts[customer], "prices_are_incl_tax": True, "source": "bare"}
            for number, document in enumerate((order, *refunds.pop(order["id"], ()))):
                lines = details(document, percents, books, abroad=country_of(order) != HOME)
                if not lines:  # a refund of an amount only
                    continue
                suffix = f"-C{number}" if number else ""
                day = document["date_created_gmt"][:10]
                books.invoice({**common, "reference": order["number"] + suffix, "date": day, "currency": "EUR",
                               "details_attributes": lines})  # fmt: skip
                booked += 1
    return booked


def main() -> None:
    given = json.load(sys.stdin)
    meter = Meter()
    booked = sync(Shop(**given["shop"]), Books(**given["books"]))
    json.dump({"booked": booked, **meter.read()}, sys.stdout)


if __name__ == "__main__":
    main()

"""A Moneybird of its own for these tests: small, on 127.0.0.1, with faults; it keeps every request for the checks.

Its arithmetic is written apart from the connector's: totals per rate, or per line where ``per_line`` is set.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMINISTRATION = "123"
TOKEN = "token-of-the-tests"
RATES = {
    "21": ("21% btw", "21.0", None), "9": ("9% btw", "9.0", None), "7": ("Export buiten EU 0% btw", "0.0", None),
    "5": ("Geen btw", "0.0", None),
}  # fmt: skip


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def totals(payload: dict[str, Any], percents: dict[str, Decimal], *, per_line: bool) -> tuple[Decimal, Decimal]:
    """Return the total without and with tax that Moneybird would show for a payload."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for number, detail in enumerate(payload["details_attributes"]):
        key = (detail["tax_rate_id"], number if per_line else None)
        sums[key] += Decimal(detail["price"]) * int(detail["amount"])
    without = with_tax = Decimal("0.00")
    for (rate_id, _), amount in sums.items():
        percent = percents[rate_id]
        if payload["prices_are_incl_tax"]:
            with_tax, without = with_tax + amount, without + amount - rounded(amount * percent / (100 + percent))
        else:
            with_tax, without = with_tax + amount + rounded(amount * percent / 100), without + amount
    return without, with_tax


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class Books:
    """What the fake holds. ``faults`` is worked off by writes, ``read_faults`` by reads."""

    per_line: bool = False
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    invoices: dict[str, dict[str, Any]] = field(default_factory=dict)
    journals: dict[str, dict[str, Any]] = field(default_factory=dict)
    rates: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    administrations: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    faults: list[Any] = field(default_factory=list)
    read_faults: list[Any] = field(default_factory=list)
    hide_from_search: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.RLock)
    end: threading.Event = field(default_factory=threading.Event)
    next_id: int = 496081347565061000

    def __post_init__(self) -> None:
        self.rates = [
            {"id": identity, "name": name, "percentage": percent, "tax_rate_type": "sales_invoice", "active": True,
             "country": country} for identity, (name, percent, country) in RATES.items()
        ]  # fmt: skip
        self.accounts = [
            {"id": "8000", "name": "Omzet", "account_type": "revenue", "account_id": "81180.01", "active": True,
             "allowed_document_types": ["sales_invoice"]},
            {"id": "1300", "name": "Debiteuren", "account_type": "current_assets", "account_id": None, "active": True,
             "allowed_document_types": ["financial_mutation"]},
        ]  # fmt: skip
        self.administrations = [{"id": int(ADMINISTRATION), "country": "NL", "currency": "EUR", "suspended": False}]

    def new_id(self) -> str:
        self.next_id += 1
        return str(self.next_id)

    def put_contact(self, **fields: Any) -> str:
        identity = self.new_id()
        blank = {"company_name": None, "customer_id": None, "email": None, "archived": False}
        self.contacts[identity] = {**blank, **fields, "id": identity, "version": 1}
        return identity

    def put_invoice(self, **fields: Any) -> str:
        identity = self.new_id()
        self.invoices[identity] = {
            "payments": [],
            "source": None,
            "currency": "EUR",
            "contact_id": None,
            **fields,
            "id": identity,
        }
        return identity

    # ------------------------------------------------------------------------------------------------- the endpoints

    def answer(self, seen: Seen) -> tuple[int, Any]:
        with self.lock:
            if seen.path == "/administrations.json":
                return 200, self.administrations
            prefix = f"/{ADMINISTRATION}/"
            if not seen.path.startswith(prefix):
                return 404, {"error": "record not found", "symbolic": {"administration_id": "not_found"}}
            name = seen.path.removeprefix(prefix).removesuffix(".json")
            place, _, rest = name.partition("/")
            if place == "external_sales_invoices" and rest.split("/")[0].isdigit():
                return self.one_invoice(seen, *rest.split("/"))
            return getattr(self, f"{seen.method.lower()}_{name.replace('/', '_')}")(seen)

    def one_invoice(self, seen: Seen, identity: str, what: str = "") -> tuple[int, Any]:
        if identity not in self.invoices:
            error = {"error": "Record not found for model name: External invoice"}
            return 404, {"error": "record not found", "symbolic": {"invoice_id": "not_found"}} if what else error
        invoice = self.invoices[identity]
        if not what:
            return 200, invoice
        sent = seen.body["payment"]
        names = ("payment_date", "price", "transaction_identifier", "ledger_account_id", "manual_payment_action")
        payment = {"id": self.new_id(), **{name: sent.get(name) for name in names}}
        invoice.setdefault("payments", []).append(payment)
        return 201, payment

    def get_documents_general_journal_documents(self, seen: Seen) -> tuple[int, Any]:
        return 200, self.page(self._journals(seen), seen)

    def get_documents_general_journal_documents_synchronization(self, seen: Seen) -> tuple[int, Any]:
        return 200, [{"id": row["id"], "version": 1} for row in self._journals(seen)]

    def post_documents_general_journal_documents_synchronization(self, seen: Seen) -> tuple[int, Any]:
        return 200, [self.journals[i] for i in seen.body["ids"][:100] if i in self.journals]

    def _journals(self, seen: Seen) -> list[Any]:
        terms = dict(term.split(":", 1) for term in seen.query["filter"].split(","))
        first, last = terms["period"].split("..")
        return [
            row for row in self.journals.values()
            if first <= row["date"].replace("-", "") <= last
            and terms.get("reference", row["reference"]) == row["reference"]
        ]  # fmt: skip

    def post_documents_general_journal_documents(self, seen: Seen) -> tuple[int, Any]:
        sent = seen.body["general_journal_document"]
        lines = [
            {"id": self.new_id(), **{n: line.get(n) for n in ("ledger_account_id", "contact_id", "description")},
             "debit": str(Decimal(line["debit"])), "credit": str(Decimal(line["credit"]))}
            for line in sent["general_journal_document_entries_attributes"]
        ]  # fmt: skip
        if sum(Decimal(line["debit"]) - Decimal(line["credit"]) for line in lines):
            return 422, {"error": {"base": ["debit and credit differ"]}}
        identity = self.new_id()
        self.journals[identity] = {
            "id": identity, "reference": sent["reference"], "date": sent["date"],
            "general_journal_document_entries": lines,
        }  # fmt: skip
        return 201, self.journals[identity]

    def get_tax_rates(self, seen: Seen) -> tuple[int, Any]:
        return 200, self.page(self.rates, seen)

    def get_ledger_accounts(self, seen: Seen) -> tuple[int, Any]:
        return 200, self.accounts

    def get_contacts(self, seen: Seen) -> tuple[int, Any]:
        query = seen.query.get("query", "").casefold()
        rows = [
            row for row in self.contacts.values()
            if (seen.query.get("include_archived") == "true" or not row["archived"])
            and query in " ".join(str(row.get(name) or "") for name in ("company_name", "customer_id")).casefold()
            and not (query and row["id"] in self.hide_from_search)
        ]  # fmt: skip
        return 200, self.page(rows, seen)

    def post_contacts(self, seen: Seen) -> tuple[int, Any]:
        contact = seen.body["contact"]
        if any(row["customer_id"] == contact["customer_id"] for row in self.contacts.values()):
            return 422, {
                "error": {"customer_id": ["is already taken"]},
                "details": {"customer_id": [{"error": "taken"}]},
            }
        if not any(contact.get(name) for name in ("company_name", "firstname", "lastname")):
            return 422, {"error": {"company_name": ["is required"]}}
        sent = dict(contact, email=contact.get("send_invoices_to_email"))
        return 201, self.contacts[self.put_contact(**sent)]

    def get_contacts_synchronization(self, seen: Seen) -> tuple[int, Any]:
        rows = [row for row in self.contacts.values() if not row["archived"]]
        return 200, [{"id": row["id"], "version": row["version"]} for row in rows]

    def post_contacts_synchronization(self, seen: Seen) -> tuple[int, Any]:
        return 200, [self.contacts[i] for i in seen.body["ids"][:100] if i in self.contacts]

    def get_external_sales_invoices_synchronization(self, seen: Seen) -> tuple[int, Any]:
        status, rows = self._filtered(seen)
        return status, [{"id": row["id"], "version": 1} for row in rows]

    def post_external_sales_invoices_synchronization(self, seen: Seen) -> tuple[int, Any]:
        return 200, [self.invoices[i] for i in seen.body["ids"][:100] if i in self.invoices]

    def get_external_sales_invoices(self, seen: Seen) -> tuple[int, Any]:
        status, rows = self._filtered(seen)
        return status, self.page(rows, seen) if status == 200 else rows

    def _filtered(self, seen: Seen) -> tuple[int, Any]:
        terms = dict(term.split(":", 1) for term in seen.query["filter"].split(","))
        first, last = (date.fromisoformat(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in terms["period"].split(".."))
        if "contact_id" in terms and terms["contact_id"] not in self.contacts:
            return 404, {"error": "record not found", "symbolic": {"contact_id": "not_found"}}
        rows = [
            row for row in self.invoices.values()
            if first <= date.fromisoformat(row["date"]) <= last
            and terms.get("contact_id", row["contact_id"]) == row["contact_id"]
        ]  # fmt: skip
        return 200, rows

    def post_external_sales_invoices(self, seen: Seen) -> tuple[int, Any]:
        sent = seen.body["external_sales_invoice"]
        if sent["contact_id"] not in self.contacts:
            symbolic = {"external_sales_invoice": {"contact_id": "contact_invalid"}}
            return 400, {"error": "Contact ID is invalid", "symbolic": symbolic}
        percents = {row["id"]: Decimal(row["percentage"]) for row in self.rates}
        without, with_tax = totals(sent, percents, per_line=self.per_line)
        identity = self.put_invoice(
            **{name: sent[name] for name in ("contact_id", "reference", "date", "currency", "source")},
            total_price_excl_tax=str(without), total_price_incl_tax=str(with_tax), details=sent["details_attributes"],
        )  # fmt: skip
        return 201, self.invoices[identity]

    @staticmethod
    def page(rows: list[Any], seen: Seen) -> list[Any]:
        size, number = int(seen.query["per_page"]), int(seen.query["page"])
        assert size <= 100
        return rows[(number - 1) * size : number * size]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    books: Books

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: Any) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        seen = Seen(self.command, parts.path.removeprefix("/api/v2"), query, body)
        writes = self.command == "POST" and not parts.path.endswith("synchronization.json")
        queue = self.books.faults if writes else self.books.read_faults
        with self.books.lock:
            self.books.seen.append(seen)
            fault = queue.pop(0) if queue else None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Authorization required"})
        if isinstance(fault, tuple):
            return self._send(*fault)
        status, answer = self.books.answer(seen)
        if fault == "silent":
            self.close_connection = True
            return None
        if fault == "hang":
            self.books.end.wait(60)
            self.close_connection = True
            return None
        if fault == "500":
            return self._send(500, {"error": "Internal server error"})
        return self._send(status, answer, cut=fault == "cut")

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "X-Request-Id": "req-1", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        if cut:  # said, so that no client uses the connection again in the moment before it closes
            self.close_connection = True
            self.send_header("Connection", "close")
            data = data[: len(data) // 2]
        self.end_headers()
        self.wfile.write(data)


class Server:
    """Runs the fake until ``stop``."""

    def __init__(self, books: Books) -> None:
        self.books = books
        handler = type("Bound", (Handler,), {"books": books})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/v2"

    def stop(self) -> None:
        self.books.end.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

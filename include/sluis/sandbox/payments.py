"""Payments on the external sales invoices of one sandbox administration.

Form and checks of Moneybird's OpenAPI file (v2-20260821). Invented where it is silent: that more than the open amount
may be paid, which leaves a negative ``total_unpaid``, and that a document counts as paid from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sluis.core.money import ZERO, round_cents
from sluis.sandbox.memorial import Memorial
from sluis.sandbox.moneybird import Json, money, plain, symbolic, unprocessable

PAYMENT_FIELDS = frozenset({
    "payment_date", "price", "price_base", "financial_account_id", "financial_mutation_id", "transaction_identifier",
    "manual_payment_action", "ledger_account_id", "invoice_id",
})  # fmt: skip
#: What each action needs; the actions that need a bank line or another document are not played.
ACTIONS = {"payment_without_proof": None, "rounding_error": None, "balance_settlement": "ledger_account_id"}


class Payments(Memorial):
    """What was paid on invoices, and what it leaves on the accounts."""

    def settle(self, invoice: Json, given: Json) -> Json:
        """Register a payment on an invoice. Raises ``Invalid`` (400, 422)."""
        unknown = sorted(set(given) - PAYMENT_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"payment": {unknown[0]: "unknown"}})
        blank = {name: ("can't be blank", "blank") for name in ("payment_date", "price") if not given.get(name)}
        if blank:
            raise unprocessable(**blank)
        day = self.open_day(given, "payment_date")
        price = round_cents(money(given["price"], "price"))
        if invoice["currency"] != "EUR" and not given.get("price_base"):
            raise unprocessable(price_base=("can't be blank", "blank"))
        account = self._account_of(given)
        with self.lock:
            now = self.now()
            payment: Json = {
                "id": self._id(),
                "administration_id": int(self.config.id),
                "invoice_type": "ExternalSalesInvoice",
                "invoice_id": invoice["id"],
                "financial_account_id": None,
                "user_id": "460000000000000009",
                "payment_transaction_id": None,
                "transaction_identifier": given.get("transaction_identifier"),
                "price": plain(price),
                "price_base": plain(round_cents(money(given.get("price_base") or price, "price_base"))),
                "payment_date": day.isoformat(),
                "credit_invoice_id": None,
                "financial_mutation_id": None,
                "ledger_account_id": account,
                "linked_payment_id": None,
                "manual_payment_action": given.get("manual_payment_action"),
                "created_at": now,
                "updated_at": now,
            }
            invoice["payments"] = [*invoice["payments"], payment]
            _count(invoice)
            invoice |= {"updated_at": now, "version": int(self.clock().timestamp())}
        return payment

    def _account_of(self, given: Json) -> str:
        action = given.get("manual_payment_action")
        if action is not None and action not in ACTIONS:
            raise unprocessable(manual_payment_action=("is not included in the list", "inclusion"))
        account = self.chart.any_account(given.get("ledger_account_id"))
        if account is None:
            raise unprocessable(ledger_account_id=("is not found", "invalid"))
        if action is not None and ACTIONS[action] and not given.get("ledger_account_id"):
            raise unprocessable(ledger_account_id=("can't be blank", "blank"))
        return str(account["id"])

    def unsettle(self, invoice: Json, payment_id: str) -> None:
        """Delete a payment. Raises ``Invalid`` (404)."""
        with self.lock:
            left = [payment for payment in invoice["payments"] if payment["id"] != payment_id]
            if len(left) == len(invoice["payments"]):
                raise symbolic(404, "record not found", {"id": "not_found"})
            invoice["payments"] = left
            _count(invoice)


def received(invoices: Iterable[Json], account_id: str) -> Decimal:
    """Return what the payments on invoices leave on a ledger account: came in less paid back."""
    return sum(
        (
            Decimal(payment["price_base"])
            for invoice in invoices
            for payment in invoice["payments"]
            if payment["ledger_account_id"] == account_id
        ),
        ZERO,
    )


def _count(invoice: Json) -> None:
    """Count what is paid and what is open, and say where the invoice stands."""
    paid = sum((Decimal(payment["price"]) for payment in invoice["payments"]), ZERO)
    base = sum((Decimal(payment["price_base"]) for payment in invoice["payments"]), ZERO)
    owed = Decimal(invoice["total_price_incl_tax"])
    settled = paid >= owed if owed >= 0 else paid <= owed
    invoice["total_paid"] = plain(paid)
    invoice["total_unpaid"] = plain(owed - paid)
    invoice["total_unpaid_base"] = plain(Decimal(invoice["total_price_incl_tax_base"]) - base)
    invoice["state"] = "paid" if settled else "open"
    days = [payment["payment_date"] for payment in invoice["payments"]]
    invoice["paid_at"] = max(days, default=invoice["date"]) if settled else None

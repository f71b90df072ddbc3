"""The contacts of one sandbox administration, checked as Moneybird's API does; every look-up is by index."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from threading import RLock

from sluis.sandbox.config import AdministrationConfig
from sluis.sandbox.moneybird import Json, symbolic, unprocessable

TEXT_FIELDS = (
    "company_name", "firstname", "lastname", "address1", "address2", "zipcode", "city", "phone", "tax_number",
    "chamber_of_commerce", "bank_account", "send_invoices_to_attention", "send_invoices_to_email",
    "send_estimates_to_attention", "send_estimates_to_email", "sepa_iban", "sepa_iban_account_name", "sepa_bic",
    "sepa_mandate_id", "si_identifier",
)  # fmt: skip
_OTHERS = frozenset({
    "country", "delivery_method", "customer_id", "sepa_active", "sepa_mandate_date", "sepa_sequence_type",
    "si_identifier_type", "invoice_workflow_id", "estimate_workflow_id", "email_ubl", "direct_debit",
    "custom_fields_attributes", "contact_person",
})  # fmt: skip
CONTACT_FIELDS = frozenset(TEXT_FIELDS) | _OTHERS
DELIVERY = frozenset({"Email", "Post", "Manual", "Simplerinvoicing", "Peppol"})
_MAIL = re.compile(r"^[^@\s,]+@[^@\s,]+\.[^@\s,]+$")


@dataclass
class Contacts:
    """Contacts, and what they share with the invoices: ids, time stamps, the lock. ``clock`` gives the moment now."""

    config: AdministrationConfig
    clock: Callable[[], datetime]
    lock: RLock = field(default_factory=RLock)
    contacts: dict[str, Json] = field(default_factory=dict)
    by_customer: dict[str, str] = field(default_factory=dict)
    _last: int = 0
    _customers: int = 0

    def now(self) -> str:
        """Return the moment now as Moneybird writes it."""
        return self.clock().strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.clock().microsecond // 1000:03}Z"

    def _id(self) -> str:
        self._last += 1
        return f"{int(self.config.id) % 1000 + 470:03}{self._last:015}"

    def _stamps(self) -> Json:
        now = self.now()
        return {"created_at": now, "updated_at": now, "version": int(self.clock().timestamp())}

    def _event(self, action: str) -> Json:
        now = self.now()
        return {
            "administration_id": int(self.config.id),
            "user_id": "460000000000000009",
            "action": action,
            "link_entity_id": None,
            "link_entity_type": None,
            "data": {},
            "created_at": now,
            "updated_at": now,
        }

    def create_contact(self, given: Json) -> Json:
        """Create a contact. Raises ``Invalid`` (400, 422) with Moneybird's body."""
        unknown = sorted(set(given) - CONTACT_FIELDS)
        if unknown:
            raise symbolic(400, f"Unknown parameter: {unknown[0]}", {"contact": {unknown[0]: "unknown"}})
        self._check_contact(given)
        with self.lock:
            customer_id = str(given.get("customer_id") or "") or self._free_customer_id()
            if customer_id in self.by_customer:
                raise unprocessable(customer_id=("is already in use", "taken"))
            contact = self._contact(given, customer_id)
            self.contacts[contact["id"]] = contact
            self.by_customer[customer_id] = contact["id"]
        return contact

    def _check_contact(self, given: Json) -> None:
        names = ("firstname", "lastname", "company_name")
        if not any(str(given.get(name) or "").strip() for name in names):
            raise unprocessable(**dict.fromkeys(names, ("is required", "is required")))
        for name in TEXT_FIELDS:
            if given.get(name) is not None and not isinstance(given[name], str):
                raise symbolic(400, f"{name} is invalid", {"contact": {name: "invalid"}})
            if len(str(given.get(name) or "")) > 255:
                raise unprocessable(**{name: ("is too long (maximum is 255 characters)", "too_long")})
        for name in ("send_invoices_to_email", "send_estimates_to_email"):
            text = str(given.get(name) or "")
            if text and not all(_MAIL.match(part.strip()) for part in text.split(",")):
                raise unprocessable(**{name: ("is invalid", "invalid")})
        if not re.fullmatch(r"[A-Z]{2}", str(given.get("country") or "NL")):
            raise unprocessable(country=("is invalid", "invalid"))
        if given.get("delivery_method", "Email") not in DELIVERY:
            raise unprocessable(delivery_method=("is not included in the list", "inclusion"))

    def _free_customer_id(self) -> str:
        while True:
            self._customers += 1
            if str(self._customers) not in self.by_customer:
                return str(self._customers)

    def _contact(self, given: Json, customer_id: str) -> Json:
        contact_id = self._id()
        stamps = self._stamps()
        email = str(given.get("send_invoices_to_email") or "")
        site = f"https://moneybird.dev/{self.config.id}/sales_invoices/{sha256(contact_id.encode()).hexdigest()}/all"
        return {
            "id": contact_id,
            "administration_id": int(self.config.id),
            **{name: str(given.get(name) or "") for name in TEXT_FIELDS},
            "country": given.get("country") or "NL",
            "delivery_method": given.get("delivery_method") or "Email",
            "customer_id": customer_id,
            "is_trusted": False,
            "max_transfer_amount": None,
            "attention": "",
            "email": email,
            "email_ubl": given.get("email_ubl", True) in (True, "true"),
            "direct_debit": False,
            "sepa_active": False,
            "sepa_mandate_date": None,
            "sepa_sequence_type": "RCUR",
            "credit_card_number": "",
            "credit_card_reference": "",
            "credit_card_type": None,
            "tax_number_validated_at": None,
            "tax_number_valid": None,
            "invoice_workflow_id": None,
            "estimate_workflow_id": None,
            "si_identifier_type": None,
            "moneybird_payments_mandate": False,
            **stamps,
            "sales_invoices_url": site,
            "notes": [],
            "custom_fields": [],
            "contact_people": [],
            "archived": False,
            "events": [self._event("contact_created")],
        }

    def contact(self, contact_id: str) -> Json:
        """Return a contact by id, archived or not. Raises ``Invalid`` (404)."""
        found = self.contacts.get(contact_id)
        if found is None:
            raise symbolic(404, "record not found", {"id": "not_found"})
        return found

    def contact_of(self, customer_id: str) -> Json:
        """Return a contact by customer id; an archived one is not found, though its id stays taken."""
        found = self.contacts.get(self.by_customer.get(customer_id, ""))
        if found is None or found["archived"]:
            raise symbolic(404, "record not found", {"customer_id": "not_found"})
        return found

    def archive(self, contact_id: str) -> Json:
        """Archive a contact."""
        with self.lock:
            contact = self.contact(contact_id)
            contact |= {"archived": True, "updated_at": self.now(), "version": int(self.clock().timestamp())}
            return contact

    def search(self, query: str, *, archived: bool) -> list[Json]:
        """Return the contacts that mention a text in one of their fields, all where it is empty."""
        wanted = query.strip().lower()
        names = (*TEXT_FIELDS, "email", "customer_id", "country")
        with self.lock:
            return [
                contact
                for contact in self.contacts.values()
                if (archived or not contact["archived"])
                and (not wanted or any(wanted in str(contact[name]).lower() for name in names))
            ]

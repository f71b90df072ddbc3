"""On whom a document is booked: one debtor per customer, or one for all consumers, as the settings say.

Businesses, buyers with a VAT number, K and AE sales and whatever is not paid in full always have a debtor of their own:
the recapitulative statement and the open items need one (VAT directive art. 264).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sluis.core import journals
from sluis.core.invoice import Invoice
from sluis.core.order import Buyer
from sluis.core.personal import Personal
from sluis.flows.patience import Patience
from sluis.flows.wiring import Session
from sluis.ports import Debtor

#: What the collective debtor is called in the books.
CONSUMERS = Buyer(company=Personal("Webshop consumers"))


def is_collective(session: Session, invoice: Invoice) -> bool:
    """Whether a document is booked on the debtor of all consumers."""
    mode = session.integration.settings.debtor_mode
    return mode == "collective_consumers" and not invoice.buyer.company and not journals.singly(invoice)


def customer_of(session: Session, invoice: Invoice) -> tuple[str, Buyer]:
    """Return the key of a document's debtor, and what the books are told of him."""
    where = session.integration
    if is_collective(session, invoice):
        return session.pseudonyms.collective_key(where.administration_key), CONSUMERS
    key = session.pseudonyms.customer_key(invoice.buyer, invoice.order_id, integration_code=where.code)
    return key, invoice.buyer


@dataclass
class Debtors:
    """Debtor ids by customer, for one run."""

    session: Session
    patience: Patience
    matched: Mapping[str, str]  #: contacts of before go-live, by customer key
    _known: dict[str, str] = field(default_factory=dict)
    _gone: set[str] = field(default_factory=set)
    _used: set[str] = field(default_factory=set)

    def load(self, invoices: Sequence[Invoice]) -> None:
        """Read the links of these buyers, in one query."""
        self._known = self.session.debtors.get_many(sorted({customer_of(self.session, i)[0] for i in invoices}))

    def known(self, invoice: Invoice) -> str | None:
        """Return the debtor's id where we know it."""
        return self._known.get(customer_of(self.session, invoice)[0])

    def of(self, invoice: Invoice) -> Debtor:
        """Return the debtor, made where he is new: that is idempotent by our own key."""
        customer, buyer = customer_of(self.session, invoice)
        known = self._known.get(customer) or (None if customer in self._gone else self.matched.get(customer))
        make = self.session.package.debtor
        debtor = Debtor(id=known, created=False) if known else self.patience.call(lambda: make(buyer, customer))
        if self._known.get(customer) != debtor.id:
            self._known[customer] = self.session.debtors.put(customer, debtor.id)
        return Debtor(id=self._known[customer], created=debtor.created)

    def renewed(self, invoice: Invoice) -> Debtor:
        """Make the debtor again: he was deleted in the package."""
        customer, _ = customer_of(self.session, invoice)
        self.session.debtors.forget(customer)
        self._known.pop(customer, None)
        self._gone.add(customer)  # a contact matched at the start of the run may be the one that is gone
        return self.of(invoice)

    def used(self, invoice: Invoice) -> None:
        """Note that a document was booked on him."""
        self._used.add(customer_of(self.session, invoice)[0])

    def touch(self, on: date) -> None:
        """Keep the links of what was booked since the last call alive."""
        if self._used:
            self.session.debtors.touch(sorted(self._used), on)
            self._used.clear()

"""Names for documents and customers that mean nothing without the merchant's hash key: what stays is a key, not a
person.

Order ids and e-mail addresses are guessable, so every name is an HMAC-SHA256 under a key of this merchant alone. Each
use has its own domain, and the parts are length-prefixed, so that no two inputs give one name. This is one of the
three places that may reveal a personal value; it gives only hashes back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from sluis.core import vat_numbers
from sluis.core.fingerprint import content
from sluis.core.invoice import DocumentKind, Invoice
from sluis.core.order import Buyer
from sluis.core.personal import Personal
from sluis.errors import NotConfigured

#: 160 bits: no collision among any number of customers, and 32 letters in the books.
_CUSTOMER_BYTES = 20
_SEPARATORS = re.compile(r"[^0-9A-Z]")


class Pseudonyms:
    """Makes the names of one merchant; ``hash_key`` is his own (``Merchants.hash_key``), at least 32 bytes.

    ``carries_buyer``: the package's documents hold the buyer's name and address, so a change of them is one of the
    document (``PackageConnectable.carries_buyer``).
    """

    def __init__(self, hash_key: bytes, *, carries_buyer: bool = False) -> None:
        if len(hash_key) < 32:
            raise NotConfigured("a merchant's hash key has at least 32 bytes", code="key_wrong")
        self._key = hash_key
        self._carries_buyer = carries_buyer

    def __repr__(self) -> str:
        return "Pseudonyms()"

    def document_key(self, integration_code: str, kind: DocumentKind, document_id: str) -> bytes:
        """Return the 32 bytes under which a document of one integration is remembered."""
        return self._mac("document", integration_code, kind.value, document_id)

    def payment_key(self, integration_code: str, kind: DocumentKind, document_id: str, payment_id: str) -> bytes:
        """Return the 32 bytes under which a payment on a document is remembered, whatever its revision."""
        return self._mac("payment", integration_code, kind.value, document_id, payment_id)

    def reference_key(self, administration_key: str, reference: str) -> bytes:
        """Return the 32 bytes under which a number of the books is remembered once the number itself has expired."""
        return self._mac("reference", administration_key, reference)

    def customer_key(self, buyer: Buyer, order_id: str, *, integration_code: str) -> str:
        """Return the name of the buyer's debtor: 32 letters and digits, lower case.

        The e-mail address decides (in whatever case it was typed), in all shops of the merchant; without one the
        shop's account number, without that the order itself: both are numbers of one shop, so the integration goes in.
        Another VAT number on the same address is another debtor: it changes who owes the VAT.
        """
        vat_number = _vat_number(buyer)
        email = buyer.email.reveal().strip().casefold()
        customer_id = buyer.customer_id.reveal().strip()
        if email:
            mac = self._mac("customer/email", email, vat_number)
        elif customer_id:
            mac = self._mac("customer/account", integration_code, customer_id, vat_number)
        else:
            mac = self._mac("customer/order", integration_code, order_id, vat_number)
        return base64.b32encode(mac[:_CUSTOMER_BYTES]).decode("ascii").lower()

    def collective_key(self, administration_key: str) -> str:
        """Return the name of the one debtor on which an administration's consumers are booked together."""
        mac = self._mac("customer/collective", administration_key)
        return base64.b32encode(mac[:_CUSTOMER_BYTES]).decode("ascii").lower()

    def number_key(self, number: Personal, country: str) -> tuple[str, bytes] | None:
        """Return the member state of a VAT number and the 32 bytes under which its check is remembered.

        ``country`` (ISO code) is whose number it is where it does not say so itself; ``None``: it is not well-formed.
        """
        parts = vat_numbers.parts(number.reveal(), country)
        return None if parts is None else (parts[0], self._mac("vat_number", *parts))

    def fingerprint(self, invoice: Invoice) -> bytes:
        """Return 32 bytes that change when what the books hold of the invoice would change."""
        buyer = invoice.buyer
        company = _plain(buyer.company)
        shown = _shown(buyer) if self._carries_buyer else ()
        return self._mac("fingerprint", content(invoice), _vat_number(buyer), company, *shown)

    def _mac(self, domain: str, *parts: str) -> bytes:
        mac = hmac.new(self._key, f"sluis/{domain}".encode(), hashlib.sha256)
        for part in parts:
            encoded = part.encode()
            mac.update(len(encoded).to_bytes(8, "big") + encoded)
        return mac.digest()


def _shown(buyer: Buyer) -> tuple[str, ...]:
    """Return what a document shows of the buyer beside company and country: his name stands where no company does."""
    name = "" if _plain(buyer.company) else f"{_plain(buyer.first_name)} {_plain(buyer.last_name)}".strip()
    where = buyer.address
    return (name, _plain(where.street), _plain(where.postcode), _plain(where.city))


def _plain(value: Personal) -> str:
    """Return a text without what nobody calls a change: spaces, line breaks, capitals."""
    return " ".join(value.reveal().split()).casefold()


def _vat_number(buyer: Buyer) -> str:
    return _SEPARATORS.sub("", buyer.vat_number.reveal().upper())

"""From an invoice's persons to the parties of a UBL file. The one file of this connector that opens personal values.

What a file needs is the name, address, VAT number and electronic address of the buyer (BG-7): an invoice without them
is none. No telephone number and no account number of a person goes in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdnum.eu import vat as eu_vat

from sluis.accounting.ubl.settings import Profile, UblSettings
from sluis.core.invoice import Invoice, VatCategory

#: EAS code of an e-mail address as electronic address.
EMAIL_SCHEME = "EM"
#: EAS codes of VAT numbers as electronic addresses, by their prefix (Peppol's code list; it has none of DK and SE).
_VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930", "EE": "9931", "EL": "9933",
    "ES": "9920", "FI": "0213", "FR": "9957", "HR": "9934", "HU": "9910", "IE": "9935", "IT": "0211", "LT": "9937",
    "LU": "9938", "LV": "9939", "MT": "9943", "NL": "9944", "PL": "9945", "PT": "9946", "RO": "9947", "SI": "9949",
    "SK": "9950",
}  # fmt: skip
#: What a buyer is called of whom the shop knows no name (BT-44 is mandatory).
NAMELESS = "Consumer"
_EMAIL = re.compile(r"^[^\s@]+@[^\s@]+\.[^\s@]+$")
#: Not allowed in XML 1.0, or control characters that nobody means.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, repr=False)
class Party:
    """A party as the file shows it; prints nothing."""

    name: str
    streets: tuple[str, ...]
    city: str
    postcode: str
    country: str
    vat_number: str
    registration: tuple[str, str] | None  #: (scheme, number)
    endpoint: tuple[str, str] | None  #: (scheme, address)


def seller(settings: UblSettings) -> Party:
    """Return the merchant (BG-4)."""
    registered = (settings.seller_registration_scheme, settings.seller_registration)
    registration = registered if settings.seller_registration else None
    endpoint = (EMAIL_SCHEME, settings.seller_email) if settings.seller_email else None
    return Party(
        name=settings.seller_name,
        streets=(settings.seller_street,),
        city=settings.seller_city,
        postcode=settings.seller_postcode,
        country=settings.seller_country,
        vat_number=settings.seller_vat_number,
        registration=registration,
        endpoint=registration or endpoint,
    )


def buyer(invoice: Invoice) -> Party:
    """Return the customer (BG-7). A VAT number goes in only when it is well formed: a file with another is refused."""
    person = invoice.buyer
    name = " ".join(part for part in (person.first_name.reveal(), person.last_name.reveal()) if part.strip())
    country = clean(person.address.country) or invoice.ship_to_country
    email = clean(person.email.reveal())
    streets = tuple(clean(line) for line in person.address.street.reveal().splitlines() if line.strip())
    vat_number = _vat_number(person.vat_number.reveal(), country)
    return Party(
        name=clean(person.company.reveal()) or clean(name) or NAMELESS,
        streets=streets,
        city=clean(person.address.city.reveal()),
        postcode=clean(person.address.postcode.reveal()),
        country=country,
        vat_number=vat_number,
        registration=None,
        endpoint=_endpoint(vat_number, email),
    )


def claim(invoice: Invoice, settings: UblSettings) -> Profile:
    """Return the rules that the document keeps: those of the settings where the buyer is one they are made for.

    A shop knows no register number of a buyer, which NLCIUS asks of every Dutch one (BR-NL-10), and of a consumer no
    address in Peppol's network (PEPPOL-EN16931-R010): such documents claim EN 16931 alone.
    """
    party = buyer(invoice)
    if settings.profile == "nlcius" and settings.seller_country == party.country == "NL":
        return "en16931"
    if settings.profile == "peppol":
        addressed = party.endpoint is not None and party.endpoint[0] != EMAIL_SCHEME
        whole = party.country != "NL" or bool(party.streets and party.city and party.postcode)  # NL-R-004
        return "peppol" if addressed and whole and seller(settings).registration else "en16931"
    return settings.profile


def _endpoint(vat_number: str, email: str) -> tuple[str, str] | None:
    if scheme := _VAT_SCHEMES.get(vat_number[:2]):
        return scheme, vat_number
    return (EMAIL_SCHEME, email) if _EMAIL.match(email) else None


def shows_vat_numbers(invoice: Invoice) -> bool:
    """Whether VAT numbers may stand in the file: beside category O they may not (BR-O-02)."""
    return all(part.treatment.category is not VatCategory.OUT_OF_SCOPE for part in invoice.vat_breakdown)


def clean(text: str) -> str:
    """Return the text without what XML cannot hold and without white space at its ends."""
    return _CONTROL.sub("", text).strip()


def _vat_number(number: str, country: str) -> str:
    prefix = {"GR": "EL"}.get(country, country)
    for candidate in (number, prefix + number):
        if number and eu_vat.is_valid(candidate):
            return str(eu_vat.compact(candidate))
    return ""

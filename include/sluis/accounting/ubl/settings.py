"""What an integration must tell of the files that are written: where, in whose name, by which rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from stdnum import iban
from stdnum.eu import vat as eu_vat

from sluis.core.frozen import Country, Frozen

VENDOR = "UBL"
#: ``find`` reads the months that lie so many days around the date of the document.
FIND_DAYS = 31
Profile = Literal["en16931", "nlcius", "peppol"]
#: BT-24: the rules that a file says it keeps.
CUSTOMIZATION: dict[Profile, str] = {
    "en16931": "urn:cen.eu:en16931:2017",
    "nlcius": "urn:cen.eu:en16931:2017#compliant#urn:fdc:nen.nl:nlcius:v1.0",
    "peppol": "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
}
#: BT-23 of Peppol BIS Billing 3.
PEPPOL_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


def _vat_number(number: str) -> str:
    if number and not eu_vat.is_valid(number):
        raise ValueError("is no VAT number of a member state, with its country in front (NL...)")
    return eu_vat.compact(number) if number else ""


def _iban(number: str) -> str:
    if number and not iban.is_valid(number):
        raise ValueError("is no IBAN")
    return iban.compact(number) if number else ""


def _target(url: str) -> str:
    """Return the address of a folder. It is stored readable, so nothing secret may stand in it."""
    url = url.strip().rstrip("/")
    scheme, sign, rest = url.partition("://")
    if not sign or not scheme.isalnum():
        raise ValueError("is a URL: file:///srv/invoices, s3://connection@bucket/invoices, ...")
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if (at and ":" in user) or "?" in url or "#" in url:
        raise ValueError("holds no key and no password: put them in an Airflow connection, and name that before the @")
    if ".." in rest.split("/"):
        raise ValueError("goes down only: without '..'")
    if scheme == "file" and not rest.startswith("/"):
        raise ValueError("is no folder of this machine: a local one has three slashes, file:///srv/invoices")
    return url


class UblSettings(Frozen):
    """``IntegrationSettings.package`` of an integration that writes files."""

    target: Annotated[str, AfterValidator(_target)] = Field(
        description="where the files go: a folder of this administration alone, as a URL of Airflow's"
        " ObjectStoragePath, e.g. file:///srv/invoices or s3://connection@bucket/invoices"
    )
    profile: Profile = Field(
        default="nlcius",
        description="which rules the files say they keep (BT-24), where the buyer is one that those rules are made for",
    )
    seller_name: Text = Field(description="legal name of the merchant's business (BT-27)")
    seller_street: Text = Field(description="street and number (BT-35)")
    seller_postcode: Text = Field(description="postcode (BT-38)")
    seller_city: Text = Field(description="city (BT-37)")
    seller_country: Country = Field(default="NL", description="country (BT-40)")
    seller_vat_number: Annotated[str, AfterValidator(_vat_number)] = Field(
        default="", description="VAT number with its country (BT-31); without one no VAT can be stated"
    )
    seller_registration: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,20}$")] = Field(
        default="", description="number in the trade register (BT-30): in the Netherlands the KVK number"
    )
    seller_registration_scheme: Annotated[str, StringConstraints(pattern=r"^\d{4}$")] = Field(
        default="0106", description="ISO 6523 code of that register: 0106 KVK, 0190 OIN, 0208 Belgium"
    )
    seller_email: Annotated[str, StringConstraints(pattern=r"^([^\s@]+@[^\s@]+)?$", max_length=200)] = Field(
        default="", description="electronic address (BT-34) where there is no register number"
    )
    seller_iban: Annotated[str, AfterValidator(_iban)] = Field(
        default="", description="account on which unpaid invoices are to be paid (BT-84)"
    )
    payment_days: int = Field(default=14, ge=0, le=365, description="unpaid invoices are due so many days later (BT-9)")


class UblCredentials(Frozen):
    """None: a store's credentials stand in the Airflow connection that the target names."""

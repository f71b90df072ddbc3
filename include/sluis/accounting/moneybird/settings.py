"""What an integration must tell of its Moneybird administration, and the constants of Moneybird's API.

Source of the constants: Moneybird's own OpenAPI file, v2-20260821.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from sluis.core.frozen import Frozen
from sluis.core.personal import Credential
from sluis.http.address import is_plain_afar, parsed_address

VENDOR = "Moneybird"
BASE_URL = "https://moneybird.com/api/v2"
#: The scope that invoices, contacts and payments need (each operation of the OpenAPI file names its scopes).
SCOPE = "sales_invoices"
#: The further scope that journal entries need.
JOURNAL_SCOPE = "documents"
#: The largest page, and the largest number of contacts that one synchronisation call returns.
PAGE = 100
#: Moneybird's limit per token: calls and seconds (its developer pages, "Throttling").
LIMIT = (150, 300)
#: Our mark on what we make: ``source`` of an invoice, and the beginning of a contact's ``customer_id``.
SOURCE = "sluis"
#: Our mark on the first line of a journal entry, which has no field for its source.
MARK = "sluis:"
#: Stands before our own key of a payment, where the gateway gave no reference of its own.
PAYMENT_PREFIX = "sluis-"
#: Whose "out of scope" rate a cash rounding is booked at: Moneybird's administrations are Dutch.
HOME = "NL"
CUSTOMER_ID_PREFIX = "sluis-"
#: How much of the customer key stands in a ``customer_id``: 20 hexadecimal digits are 80 bits.
CUSTOMER_KEY_LENGTH = 20
#: Our own caution: the OpenAPI file names no greatest length, and 255 is the usual size of such a column.
LONGEST_TEXT = 250
#: ``find`` looks this many days before and after the date of the invoice (a bookkeeper may have corrected the date).
FIND_DAYS = 5
#: ``check`` reads at most this many pages of contacts to see whether sluis made them all.
CONTACT_PAGES = 10


def _address(url: str) -> str:
    parsed_address(url)
    if is_plain_afar(url):
        raise ValueError("must be https: the token would travel in the clear")
    return url.strip().rstrip("/")


class MoneybirdSettings(Frozen):
    """``IntegrationSettings.package`` of a Moneybird integration."""

    administration_id: Annotated[str, StringConstraints(pattern=r"^\d{1,20}$")] = Field(
        description="the number in the address bar behind moneybird.com/"
    )
    base_url: Annotated[str, AfterValidator(_address)] = Field(
        default=BASE_URL, description="address of the API; another one only for the sandbox"
    )

    @property
    def is_moneybird(self) -> bool:
        """Whether this is Moneybird itself; a stand-in at another address tells its own limit in its headers."""
        host = urlsplit(self.base_url).hostname or ""
        return host == "moneybird.com" or host.endswith(".moneybird.com")


class MoneybirdCredentials(Frozen):
    """A personal API token (made at moneybird.com/user/applications/new) with the scope ``sales_invoices``.

    Journal entries need the scope ``documents`` too.
    """

    token: Credential

"""Reads our own files back: what stands in the folder is what an import gets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from sluis.accounting.ubl.document import CAC, CBC, CREDIT_NOTE
from sluis.accounting.ubl.settings import VENDOR
from sluis.errors import Defect
from sluis.ports import Booked

_NAMES = {"cac": CAC, "cbc": CBC}


def read(content: bytes) -> Booked:
    """Return the document in a file; ``Defect`` names what cannot be read. No entity and no network is followed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(content, parser)
        sign = -1 if str(root.tag).startswith(f"{{{CREDIT_NOTE}}}") else 1
        with_vat = _amount(root, "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount")
        rounding = _amount(root, "cac:LegalMonetaryTotal/cbc:PayableRoundingAmount", absent="0")
        reference = _text(root, "cbc:ID")
        return Booked(
            external_id=reference,
            reference=reference,
            issue_date=date.fromisoformat(_text(root, "cbc:IssueDate")),
            currency=_text(root, "cbc:DocumentCurrencyCode"),
            total_with_vat=sign * (with_vat + rounding),
            total_vat=sign * _amount(root, "cac:TaxTotal/cbc:TaxAmount"),
        )
    except (etree.XMLSyntaxError, ValueError, InvalidOperation) as error:
        raise Defect(f"{VENDOR}: a file in the folder is no document of ours ({type(error).__name__})") from None


def _text(root: etree._Element, path: str, absent: str = "") -> str:
    return root.findtext(path, default=absent, namespaces=_NAMES)


def _amount(root: etree._Element, path: str, absent: str = "") -> Decimal:
    return Decimal(_text(root, path, absent))

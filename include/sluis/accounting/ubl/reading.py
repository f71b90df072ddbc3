"""Reads our own files back: what stands in the folder is what an import gets."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from decimal import Decimal, InvalidOperation

from lxml import etree

from sluis.accounting.ubl.document import CAC, CBC, CREDIT_NOTE, MARK
from sluis.accounting.ubl.settings import VENDOR
from sluis.errors import Defect
from sluis.ports import Booked

_NAMES = {"cac": CAC, "cbc": CBC}
_MARKED = re.compile(re.escape(MARK) + "[0-9a-f]{32}")


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
            external_id=_identity(root, content),
            reference=reference,
            issue_date=date.fromisoformat(_text(root, "cbc:IssueDate")),
            currency=_text(root, "cbc:DocumentCurrencyCode"),
            total_with_vat=sign * (with_vat + rounding),
            total_vat=sign * _amount(root, "cac:TaxTotal/cbc:TaxAmount"),
        )
    except (etree.XMLSyntaxError, ValueError, InvalidOperation) as error:
        raise Defect(f"{VENDOR}: a file in the folder is no document of ours ({type(error).__name__})") from None


def _identity(root: etree._Element, content: bytes) -> str:
    """Return what a file is called: no number of an order is in it, as that would outlive its period in the store.

    It is a hash of what was written, and stands in the file; of a file without, it is a hash of what is there.
    """
    remarks = (str(node.text or "").strip() for node in root.itersiblings(etree.Comment, preceding=True))
    known = next((remark for remark in remarks if _MARKED.fullmatch(remark)), None)
    return known or f"{MARK}{hashlib.sha256(content).hexdigest()[:32]}"


def _text(root: etree._Element, path: str, absent: str = "") -> str:
    return root.findtext(path, default=absent, namespaces=_NAMES)


def _amount(root: etree._Element, path: str, absent: str = "") -> Decimal:
    return Decimal(_text(root, path, absent))

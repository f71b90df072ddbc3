"""A VAT number as VAT law writes it: the letters of its member state, then the number. Format and check digit only.

Here so that the VAT decision, the register that is asked and the key under which an answer is remembered read a
number in one way. Formats and check digits: python-stdnum. Well-formed is not valid: only a register knows that.
"""

from __future__ import annotations

from stdnum.eu import vat as eu_vat

#: ISO 3166-1 code -> letters in front of a VAT number, where they differ (VAT directive art. 215: Greece writes EL).
_PREFIX = {"GR": "EL", "MC": "FR"}
#: Letters in front of a VAT number that mean another's.
_ALIAS = {"GR": "EL"}


def parts(text: str, country: str = "") -> tuple[str, str] | None:
    """Return (letters, number) of a well-formed EU or Northern Irish VAT number, ``None`` of anything else.

    One written without letters is read as a number of ``country`` (ISO code, ``XI`` for Northern Ireland).
    """
    prefix = _PREFIX.get(country, country)
    for candidate in (text, prefix + text) if prefix else (text,):
        if eu_vat.is_valid(candidate):
            whole = str(eu_vat.compact(candidate)).upper()
            return _ALIAS.get(whole[:2], whole[:2]), whole[2:]
    return None

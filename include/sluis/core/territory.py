"""Countries as VAT law sees them: who is a member state, and which places have rules of their own.

Source of the territories: VAT directive 2006/112/EC art. 5 to 7 and, for Northern Ireland, the Windsor Framework. Only
postcodes that belong to a territory alone are listed: 23030 and 22060, which Livigno and Campione once shared with
their neighbours, are not. Jungholz, Mittelberg, Madeira and the Azores have special *rates* inside the EU and matter
first where destination VAT is charged.
"""

from __future__ import annotations

import re

from sluis.core.order import Address, Order

#: ISO 3166-1 alpha-2, with ``XI`` (Northern Ireland in VAT law) and ``XK`` (Kosovo, which shops use).
_CODES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR
    IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
    ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI XK YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_CODES.split())

#: Member states since 1 February 2020. Monaco counts as France (VAT directive art. 7).
_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK"
EU = frozenset(_MEMBERS.split())

_ALIASES = {"EL": "GR", "UK": "GB"}

#: Country codes that are such a territory themselves.
_SPECIAL_CODES = frozenset({"AX", "GF", "GP", "MF", "MQ", "RE", "XI", "YT"})

#: Per country, what the postcode of such a territory looks like (blanks and hyphens taken out, capitals).
_SPECIAL_POSTCODES = {
    "DE": re.compile(r"(78266|27498)"),  # Büsingen, Helgoland
    "ES": re.compile(r"(35|38|51|52)\d{3}"),  # Canary Islands; Ceuta, Melilla
    "FI": re.compile(r"22\d{3}"),  # Åland
    "FR": re.compile(r"(97\d|98[4-8])\d{2}"),  # overseas
    "GB": re.compile(r"BT\d.*"),  # Northern Ireland
    "GR": re.compile(r"6308[67]"),  # Mount Athos
    "IT": re.compile(r"(23041|22061)"),  # Livigno, Campione d'Italia
}


def normalise(country: str) -> str | None:
    """Return the ISO code of what a shop gave as country (``el`` -> ``GR``), ``None`` where it is no country."""
    code = country.strip().upper()
    code = _ALIASES.get(code, code)
    return code if code in COUNTRIES else None


def special(country: str, postcode: str) -> bool:
    """Return whether an address (ISO code, postcode) lies in a territory with VAT rules of its own.

    A postcode with its country in front (``D-78266``, ``FI-22100``) is read without it.
    """
    if country in _SPECIAL_CODES:
        return True
    pattern = _SPECIAL_POSTCODES.get(country)
    if pattern is None:
        return False
    bare = re.sub(r"[\s.-]", "", postcode.upper())
    if country != "GB":
        bare = re.sub(r"^[A-Z]{1,3}(?=\d)", "", bare)
    return pattern.fullmatch(bare) is not None


def delivered_to(order: Order) -> Address:
    """Return where the order goes: the billing address where nothing is delivered (no delivery country).

    For services to consumers that is also what the law looks at (VAT directive art. 45, 58).
    """
    return order.ship_to if order.ship_to.country.strip() else order.buyer.address

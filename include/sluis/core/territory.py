"""Countries as VAT law sees them: who is a member state, and which places have rules or rates of their own.

Sources: VAT directive 2006/112/EC art. 5 to 7 (what is outside, what counts as another state's), art. 104, 105 and 120
(special rates), the Windsor Framework (Northern Ireland: inside for goods, outside for services). A place is told by
its country code or its postcode, the only parts of an address of delivery that are kept. Only postcodes that belong to
a place alone are listed: 23030 and 22060, which Livigno and Campione once shared with their neighbours, are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluis.core.order import Address, Order

#: ISO 3166-1 alpha-2, with ``XI`` (Northern Ireland in VAT law), ``XK`` (Kosovo), and ``IC`` and ``EA`` (the codes
#: reserved for the Canary Islands, and for Ceuta and Melilla), which shops use.
_CODES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY
    BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EA EC EE EG EH ER ES ET FI FJ FK
    FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU IC ID IE IL IM IN IO IQ IR
    IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK
    ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF
    TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XI XK YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(_CODES.split())

#: Member states since 1 February 2020.
_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
MEMBERS = frozenset(_MEMBERS.split())
#: With Monaco, which counts as France (VAT directive art. 7).
EU = MEMBERS | {"MC"}

_ALIASES = {"EL": "GR", "UK": "GB"}


@dataclass(frozen=True)
class Place:
    """Where something goes, as VAT law sees it."""

    country: str  #: whose VAT it would be: ISO 3166-1, ``XI`` for Northern Ireland, ``FR`` for Monaco
    goods_inside: bool  #: inside the EU's VAT territory for goods
    services_inside: bool  #: and for services
    rates: str = ""  #: key in the rate table of a part of the country with rates of its own
    name: str = ""  #: of the special territory; empty: an ordinary place


@dataclass(frozen=True)
class Special:
    """A place with rules or rates of its own. ``postcode``: blanks, hyphens and country letters taken out, capitals."""

    name: str
    country: str  #: the ISO code it is written under
    postcode: str | None  #: pattern; ``None``: the code itself means this place
    law: str
    outside: bool = True  #: outside the EU's VAT territory
    rates: str = ""


_OUTSIDE = "VAT directive art. 6"
SPECIAL: tuple[Special, ...] = (
    Special("Büsingen", "DE", r"78266", f"{_OUTSIDE}(2)(b)"),
    Special("Helgoland", "DE", r"27498", f"{_OUTSIDE}(2)(a)"),
    Special("Canary Islands", "ES", r"3[58]\d{3}", f"{_OUTSIDE}(1)(b)"),
    Special("Canary Islands", "IC", None, f"{_OUTSIDE}(1)(b)"),
    Special("Ceuta", "ES", r"51\d{3}", f"{_OUTSIDE}(2)(c)"),
    Special("Melilla", "ES", r"52\d{3}", f"{_OUTSIDE}(2)(d)"),
    Special("Ceuta and Melilla", "EA", None, f"{_OUTSIDE}(2)(c), (d)"),
    Special("Livigno", "IT", r"23041", f"{_OUTSIDE}(2)(e)"),
    Special("Campione d'Italia", "IT", r"22061", f"{_OUTSIDE}(1)(f) (since 1 January 2020)"),
    Special("Mount Athos", "GR", r"6308[67]", f"{_OUTSIDE}(1)(a)"),
    Special("Åland", "FI", r"22\d{3}", f"{_OUTSIDE}(1)(d)"),
    Special("Åland", "AX", None, f"{_OUTSIDE}(1)(d)"),
    Special("French overseas", "FR", r"(97\d|98[4-8])\d{2}", f"{_OUTSIDE}(1)(c); TFEU art. 349, 355(1)"),
    Special("Guadeloupe", "GP", None, f"{_OUTSIDE}(1)(c)"),
    Special("French Guiana", "GF", None, f"{_OUTSIDE}(1)(c)"),
    Special("Martinique", "MQ", None, f"{_OUTSIDE}(1)(c)"),
    Special("Réunion", "RE", None, f"{_OUTSIDE}(1)(c)"),
    Special("Mayotte", "YT", None, f"{_OUTSIDE}(1)(c)"),
    Special("Saint-Martin", "MF", None, f"{_OUTSIDE}(1)(c)"),
    Special("Northern Ireland", "GB", r"BT\d.*", "Windsor Framework art. 8, annex 3", outside=False),
    Special("Northern Ireland", "XI", None, "Windsor Framework art. 8, annex 3", outside=False),
    Special("Monaco", "MC", None, "VAT directive art. 7", outside=False),
    Special("Jungholz", "AT", r"6691", "VAT directive art. 104", outside=False, rates="AT-JM"),
    Special("Mittelberg", "AT", r"699[123]", "VAT directive art. 104", outside=False, rates="AT-JM"),
    Special(
        "Madeira",
        "PT",
        r"9[0-4]\d{2}(\d{3})?",
        "VAT directive art. 104, 105 (numbers changed by Directive 2022/542)",
        outside=False,
        rates="PT-30",
    ),
    Special(
        "Azores",
        "PT",
        r"9[5-9]\d{2}(\d{3})?",
        "VAT directive art. 104, 105 (numbers changed by Directive 2022/542)",
        outside=False,
        rates="PT-20",
    ),
    Special("Corsica", "FR", r"20\d{3}", "CGI art. 297", outside=False, rates="FR-20R"),
    Special(
        "Leros, Lesbos, Kos, Samos, Chios",
        "GR",
        r"(854\d{2}|811\d{2}|853\d{2}|83[1-3]\d{2}|82[12]\d{2})",
        "VAT directive art. 104, 120 (numbers changed by Directive 2022/542); Greek VAT code art. 21(4)",
        outside=False,
        rates="GR-IS",
    ),
)


def normalise(country: str) -> str | None:
    """Return the ISO code of what a shop gave as country (``el`` -> ``GR``), ``None`` where it is no country."""
    code = country.strip().upper()
    code = _ALIASES.get(code, code)
    return code if code in COUNTRIES else None


def place(country: str, postcode: str) -> Place:
    """Return where an address (ISO code as ``normalise`` gives it, postcode) lies in VAT law.

    A postcode with its country in front (``D-78266``, ``FI-22100``) is read without it. Without a postcode the place is
    taken for an ordinary one of its country.
    """
    found = next((special for special in SPECIAL if _lies_in(special, country, postcode)), None)
    member = country in MEMBERS
    if found is None:
        return Place(country, member, member)
    if found.name == "Northern Ireland":
        return Place("XI", goods_inside=True, services_inside=False, name=found.name)
    if found.name == "Monaco":
        return Place("FR", goods_inside=True, services_inside=True, name=found.name)
    return Place(country, not found.outside, not found.outside, found.rates, found.name)


def delivered_to(order: Order) -> Address:
    """Return where the order goes: the billing address where nothing is delivered (no delivery country).

    For services to consumers that is also what the law looks at (VAT directive art. 45, 58).
    """
    return order.ship_to if order.ship_to.country.strip() else order.buyer.address


def _lies_in(special: Special, country: str, postcode: str) -> bool:
    if special.country != country:
        return False
    return special.postcode is None or re.fullmatch(special.postcode, _bare(country, postcode)) is not None


def _bare(country: str, postcode: str) -> str:
    bare = re.sub(r"[\s.-]", "", postcode.upper())
    return bare if country == "GB" else re.sub(r"^[A-Z]{1,3}(?=\d)", "", bare)

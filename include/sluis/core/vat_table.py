"""The decision table: read from top to bottom for each line of a document; the first row that fits decides.

Nothing is recomputed: a row says under which category, rate and country the amounts belong that the shop charged, or
why a person has to look. VD is Directive 2006/112/EC, Wet OB the Dutch Wet op de omzetbelasting 1968. VAT charged too
high is due as charged (Wet OB art. 37, VD art. 203); VAT charged too low or for the wrong regime is refused.
"""

from __future__ import annotations

from dataclasses import replace

from sluis.core import reasons
from sluis.core import vat_terms as t
from sluis.core.invoice import VatCategory, VatScheme
from sluis.core.vat_facts import Case
from sluis.core.vat_table_abroad import ABROAD
from sluis.core.vat_terms import Booked, Condition, Refusal, Rule

_BUYER = "buyer.vat_number"
_REVERSE = Booked(VatCategory.REVERSE_CHARGE, "home", "3b and ICP list", exemption="VATEX-EU-AE", services=True)
_KOR = Booked(
    VatCategory.EXEMPT, "home", "none (KOR)", VatScheme.HOME, reason="Small business exemption (art. 25 Wet OB)"
)


def _margin(letter: str, what: str) -> Booked:
    """The words are those an invoice must bear (VD art. 226(14))."""
    return Booked(
        VatCategory.EXEMPT,
        "base",
        "margin: 1a, 1b over the margin",
        exemption=f"VATEX-EU-{letter}",
        reason=f"Margin scheme - {what}",
    )


def first(case: Case) -> Rule:
    """Return the row that decides ``case``; the last ones take what is left, so there always is one."""
    return next(rule for rule in TABLE if rule.fits(case))


def hangs_on_number(case: Case) -> bool:
    """Whether a valid number and an invalid one lead to different outcomes, at least one of which is booked."""
    outcomes = []
    for number in ("valid", "invalid"):
        imagined = replace(case, facts=replace(case.facts, number=number))
        outcome = first(imagined).outcome
        outcomes.append(outcome.treatment(imagined) if isinstance(outcome, Booked) else None)
    return outcomes[0] != outcomes[1]


_UNVERIFIED = Condition(
    "buyer",
    "well-formed VAT number that no register confirmed, and the outcome hangs on it",
    lambda case: case.facts.number == "unverified" and hangs_on_number(case),
)

TABLE: tuple[Rule, ...] = (
    # ---- what no row can judge
    Rule(
        "currency-foreign",
        "16",
        "VD art. 91(2), 230: VAT is stated in the currency of the books",
        (t.FOREIGN_CURRENCY,),
        Refusal(reasons.CURRENCY_NOT_SUPPORTED, "currency"),
    ),
    Rule(
        "tax-compound",
        "7",
        "VD art. 78: VAT is never counted on VAT",
        (t.COMPOUND,),
        Refusal(reasons.VAT_COMPOUND_TAX, "vat"),
    ),
    Rule(
        "home-unknown",
        "1",
        "VD art. 5, 9: the table is for sellers established in a member state",
        (t.NOT_IN_EU,),
        Refusal(reasons.VAT_HOME_NOT_SUPPORTED, "settings.home_country"),
    ),
    # ---- 13: gift cards sold (a single-purpose one, case 12, is taxed as what it is for, by the rows below)
    Rule(
        "voucher",
        "13",
        "VD art. 30a, 30b(2), 73a; Wet OB art. 28zd ff.: a multi-purpose voucher is taxed when it is used",
        (t.VOUCHER, t.UNTAXED),
        Booked(VatCategory.OUT_OF_SCOPE, "home", "none (owed to the holder)", VatScheme.NONE, "VATEX-EU-O"),
    ),
    Rule(
        "voucher-charged",
        "13",
        "VD art. 30b(2): no VAT on the sale of a multi-purpose voucher",
        (t.VOUCHER, t.CHARGED),
        Refusal(reasons.VAT_CHARGED_ON_VOUCHER),
    ),
    # ---- places
    Rule(
        "destination-unknown",
        "1-9",
        "VD art. 31-33: the place of delivery decides",
        (t.NOWHERE,),
        Refusal(reasons.COUNTRY_MISSING, "ship_to.country"),
    ),
    Rule(
        "stock-outside-eu",
        "7",
        "VD art. 30, 33(b)-(c), 60: goods sent from outside the EU are imported, not sold from home",
        (t.STOCK_OUTSIDE,),
        Refusal(reasons.VAT_STOCK_OUTSIDE_EU, "settings.ships_from"),
    ),
    Rule(
        "stock-unregistered",
        "1",
        "VD art. 32, 214(1)(a): goods are supplied where they leave from; a registration is needed there",
        (t.UNREGISTERED_STOCK,),
        Refusal(reasons.VAT_REGISTRATION_MISSING, "settings.registrations"),
    ),
    # ---- 19: a marketplace owes the VAT (goods out of the EU: the seller's export, below)
    Rule(
        "marketplace-charged",
        "19",
        "VD art. 14a: the VAT shown is owed by the marketplace, not by the seller",
        (t.MARKETPLACE, t.CHARGED),
        Refusal(reasons.VAT_OF_MARKETPLACE),
    ),
    Rule(
        "marketplace",
        "19",
        "VD art. 14a, 136a: the sale to the marketplace is exempt; the marketplace owes the VAT of the sale on",
        (t.MARKETPLACE, t.INSIDE),
        Booked(
            VatCategory.EXEMPT,
            "home",
            "none (the marketplace's)",
            VatScheme.NONE,
            reason="The marketplace is the deemed supplier (art. 14a, 136a Directive 2006/112/EC)",
        ),
    ),
    # ---- a number that nobody has confirmed
    Rule(
        "eu-number-unverified",
        "4, 5, 6",
        "VD art. 138(1)(b), Reg. 282/2011 art. 18: a well-formed number is not a valid one",
        (_UNVERIFIED,),
        Refusal(reasons.VAT_NUMBER_UNVERIFIED, _BUYER),
    ),
    # ---- 17: small business schemes
    Rule("nl-kor", "17", "Wet OB art. 25; VD art. 284(1), 139(1)", (t.KOR, t.UNTAXED), _KOR),
    Rule(
        "nl-kor-charged",
        "17",
        "Wet OB art. 25, 37: VAT stated by an exempt business is owed",
        (t.KOR, t.CHARGED),
        Refusal(reasons.VAT_CHARGED_UNDER_KOR),
    ),
    Rule(
        "eu-kor",
        "17",
        "VD art. 284(2), 284a: exempt in another member state, EU turnover up to EUR 100,000",
        (t.EU_KOR, t.UNTAXED, t.INSIDE, t.NO_RIGHT_NUMBER),
        Booked(
            VatCategory.EXEMPT,
            "due",
            "none (EU-KOR report)",
            VatScheme.NONE,
            reason="Small business exemption (art. 284 Directive 2006/112/EC)",
        ),
    ),
    Rule(
        "eu-kor-charged",
        "17",
        "VD art. 284(2), 203: VAT stated by an exempt business is owed",
        (t.EU_KOR, t.CHARGED, t.INSIDE, t.NO_RIGHT_NUMBER),
        Refusal(reasons.VAT_CHARGED_UNDER_KOR),
    ),
    # ---- tips and deposits without VAT (with VAT they are part of the price: rows below)
    Rule(
        "tip",
        "10",
        "VD art. 79(c); Dutch decree of 29 December 1994 (BWBR0007188): a tip passed on to staff is no price",
        (t.TIP, t.UNTAXED),
        Booked(
            VatCategory.EXEMPT,
            "home",
            "none",
            VatScheme.NONE,
            "VATEX-EU-79-C",
            reason="Tip passed on to staff (art. 79(c) Directive 2006/112/EC)",
        ),
    ),
    Rule(
        "deposit",
        "10",
        "VD art. 92(a): deposits on returnable packaging may stay out of the taxable amount",
        (t.DEPOSIT, t.UNTAXED, t.INSIDE, t.NO_RIGHT_NUMBER),
        Booked(
            VatCategory.EXEMPT,
            "home",
            "none",
            VatScheme.NONE,
            reason="Deposit on packaging (art. 92 Directive 2006/112/EC)",
        ),
    ),
    # ---- 18: margin scheme; exports under it are exports (VD art. 321)
    Rule(
        "margin-charged",
        "18",
        "VD art. 325; Wet OB art. 28h: no VAT is shown under the margin scheme",
        (t.MARGIN, t.CHARGED),
        Refusal(reasons.VAT_CHARGED_ON_MARGIN),
    ),
    Rule(
        "margin-second-hand",
        "18",
        "VD art. 313, 35, 139(3); Wet OB art. 28b",
        (t.SECOND_HAND, t.INSIDE),
        _margin("F", "Second-hand goods"),
    ),
    Rule(
        "margin-art", "18", "VD art. 313, 35, 139(3); Wet OB art. 28b", (t.ART, t.INSIDE), _margin("I", "Works of art")
    ),
    Rule(
        "margin-antiques",
        "18",
        "VD art. 313, 35, 139(3); Wet OB art. 28b",
        (t.ANTIQUES, t.INSIDE),
        _margin("J", "Collector's items and antiques"),
    ),
    # ---- 6: domestic reverse charge, alone on its document
    Rule(
        "nl-reverse-charge",
        "6",
        "Wet OB art. 12(5), Uitvoeringsbesluit OB art. 24ba ff.; VD art. 194-199b",
        (t.REVERSED, t.NUMBER_HOME, t.DOMESTIC, t.UNTAXED),
        Booked(VatCategory.REVERSE_CHARGE, "base", "1e", exemption="VATEX-EU-AE"),
    ),
    Rule(
        "nl-reverse-charge-charged",
        "6",
        "Wet OB art. 37: VAT charged though it is reversed is owed as charged",
        (t.REVERSED, t.NUMBER_HOME, t.DOMESTIC, t.CHARGED, t.BASE_RATE),
        t.SELLER_RATE,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "nl-reverse-charge-no-number",
        "6",
        "VD art. 197-199b: VAT is reversed to businesses only",
        (t.REVERSED, t.DOMESTIC, t.UNTAXED),
        Refusal(reasons.VAT_NUMBER_INVALID, _BUYER),
    ),
    # ---- 5: services to a business elsewhere, also where its address is at home
    Rule(
        "eu-services",
        "5",
        "VD art. 44, 196; Wet OB art. 6(1), 37a (ICP)",
        (t.SERVICES, t.NUMBER_ELSEWHERE, t.INSIDE, t.UNTAXED),
        _REVERSE,
    ),
    # ---- 1: at home (or from a stock abroad, within that country)
    Rule(
        "nl-exempt",
        "1",
        "Wet OB art. 11; VD art. 132, 135",
        (t.EXEMPT_LINES, t.DOMESTIC, t.NO_ROW),
        Booked(VatCategory.EXEMPT, "base", "none", reason="Exempt (art. 11 Wet OB)"),
    ),
    Rule(
        "nl-untaxed",
        "1",
        "Wet OB art. 9, 11: no VAT row says neither taxed at 0 % nor exempt",
        (t.DOMESTIC, t.NO_ROW),
        Refusal(reasons.UNTAXED_LINE),
    ),
    Rule(
        "local-domestic",
        "1",
        "VD art. 31, 32, 96-98: from a stock abroad to a buyer there: that country's VAT",
        (t.FROM_ABROAD, t.DOMESTIC, t.BASE_RATE),
        Booked(None, "base", "none (the local return)"),
    ),
    Rule("nl-domestic", "1", "Wet OB art. 9, Tabel I and II; VD art. 96-98", (t.DOMESTIC, t.BASE_RATE), t.SELLER_RATE),
    Rule(
        "nl-rate-unknown",
        "1",
        "Wet OB art. 9; VD art. 93: the rates of the day",
        (t.DOMESTIC,),
        Refusal(reasons.VAT_RATE_UNKNOWN),
    ),
    *ABROAD,
)

"""The decision table, its second half: what leaves the country it is sold from. ``vat_table`` puts it in its place."""

from __future__ import annotations

from sluis.core import reasons
from sluis.core import vat_terms as t
from sluis.core.invoice import VatCategory, VatScheme
from sluis.core.vat_terms import Booked, Refusal, Rule

_BUYER = "buyer.vat_number"
_DUE_RATE = Booked(None, "due", "OSS return; with a registration there: the local return")
_NO_VAT_OUTSIDE = Booked(VatCategory.OUT_OF_SCOPE, "home", "1e", VatScheme.HOME, "VATEX-EU-O", services=True)

#: Reached only by lines that leave the country they are sold from: those within it were decided before.
ABROAD: tuple[Rule, ...] = (
    # ---- 7, 9: out of the EU
    Rule(
        "outside-registered",
        "7",
        "VAT of a third country under a registration of his own there; the goods are exported (VD art. 146)",
        (t.REGISTERED_THERE, t.OUTSIDE, t.DESTINATION_RATE),
        Booked(None, "destination", "3a (the export); the VAT: the local return", VatScheme.LOCAL),
    ),
    Rule(
        "nl-export",
        "7, 9",
        "Wet OB Tabel II a.2; VD art. 146 (outside the EU), 6-7 (special territories)",
        (t.GOODS, t.OUTSIDE, t.UNTAXED),
        Booked(VatCategory.EXPORT, "base", "3a", exemption="VATEX-EU-G"),
    ),
    Rule(
        "nl-export-charged",
        "7, 9",
        "Wet OB art. 37; VD art. 203: VAT charged too high is owed as charged",
        (t.GOODS, t.OUTSIDE, t.BASE_RATE),
        t.SELLER_RATE,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "outside-electronic",
        "7, 8, 9",
        "VD art. 44, 58: electronic services are supplied where the customer is",
        (t.ELECTRONIC, t.OUTSIDE, t.UNTAXED),
        _NO_VAT_OUTSIDE,
    ),
    Rule(
        "outside-electronic-charged",
        "7, 8, 9",
        "Wet OB art. 37; VD art. 203: VAT charged too high is owed as charged",
        (t.ELECTRONIC, t.OUTSIDE, t.BASE_RATE),
        t.SELLER_RATE,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "outside-services-business",
        "7, 8, 9",
        "VD art. 44; Reg. 282/2011 art. 18(3): services to a business are supplied where it is",
        (t.GENERAL, t.BUSINESS, t.OUTSIDE, t.UNTAXED),
        _NO_VAT_OUTSIDE,
    ),
    Rule(
        "outside-services",
        "7, 8, 9",
        "VD art. 45: services to consumers are supplied where the seller is",
        (t.GENERAL, t.OUTSIDE, t.BASE_RATE, t.CHARGED),
        t.SELLER_RATE,
    ),
    Rule(
        "outside-services-low",
        "7, 8, 9",
        "VD art. 45: services to consumers are supplied where the seller is",
        (t.GENERAL, t.OUTSIDE, t.UNTAXED),
        Refusal(reasons.VAT_CHARGED_TOO_LOW),
    ),
    Rule(
        "export-foreign-rate",
        "7, 9",
        "Wet OB art. 37 speaks of Dutch VAT only",
        (t.OUTSIDE,),
        Refusal(reasons.VAT_FOREIGN_RATE),
    ),
    # ---- 4: goods to a business elsewhere in the EU
    Rule(
        "eu-goods",
        "4, 8",
        "VD art. 138(1), 262; Wet OB Tabel II a.6, art. 37a (ICP)",
        (t.GOODS, t.NUMBER_ELSEWHERE, t.ACROSS, t.UNTAXED),
        Booked(VatCategory.INTRA_COMMUNITY, "base", "3b and ICP list", exemption="VATEX-EU-IC"),
    ),
    Rule(
        "eu-business-charged",
        "4, 5",
        "Wet OB art. 37; VD art. 203: VAT charged too high is owed as charged",
        (t.NUMBER_ELSEWHERE, t.ACROSS, t.BASE_RATE_ONLY),
        t.SELLER_RATE,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "eu-business-as-consumer",
        "4, 5",
        "VD art. 33, 369a: the one stop shop is for consumers",
        (t.NUMBER_ELSEWHERE, t.ACROSS),
        Refusal(reasons.VAT_WRONG_REGIME),
    ),
    Rule(
        "eu-number-invalid",
        "4, 5",
        "VD art. 138(1)(b), 196: no valid number, no 0 %",
        (t.NUMBER_INVALID, t.ACROSS, t.UNTAXED, t.SOMETHING),
        Refusal(reasons.VAT_NUMBER_INVALID, _BUYER),
    ),
    # ---- 3: consumers elsewhere in the EU, VAT of the destination
    Rule(
        "eu-oss-unregistered",
        "3",
        "VD art. 33(a), 59c(1), 369b: sent from a stock abroad, destination VAT is due without a threshold",
        (t.NO_SCHEME, t.DESTINATION_DUE),
        Refusal(reasons.VAT_REGISTRATION_MISSING, "settings.eu_consumers"),
    ),
    Rule(
        "eu-oss",
        "3, 8",
        "VD art. 33(a), 58, 369a-369k; Wet OB art. 5a, 28q ff.: VAT of the destination on the day of supply",
        (t.DESTINATION_DUE, t.DUE_RATE),
        _DUE_RATE,
    ),
    Rule(
        "eu-oss-mainland-rate",
        "9",
        "VD art. 104, 105, 203: the region's lower rate was due; what was charged is owed",
        (t.DESTINATION_DUE, t.MAINLAND_RATE),
        _DUE_RATE,
        warning=reasons.VAT_CHARGED_TOO_HIGH,
    ),
    Rule(
        "eu-oss-nothing",
        "3",
        "VD art. 73: no VAT on an amount of nothing",
        (t.DESTINATION_DUE, t.NOTHING),
        Booked(VatCategory.ZERO, "due", "none (no amount)"),
    ),
    Rule(
        "eu-oss-zero",
        "3",
        "VD art. 98(2), 110: a zero rate of the destination",
        (t.ZERO_RATED, t.DESTINATION_DUE, t.DUE_ZERO),
        _DUE_RATE,
        warning=reasons.VAT_ZERO_RATE_ABROAD,
    ),
    Rule(
        "eu-oss-low",
        "3",
        "VD art. 33(a), 58: VAT of the destination is due; its zero rate (art. 98(2), 110) is for named goods only",
        (t.DESTINATION_DUE, t.UNTAXED),
        Refusal(reasons.VAT_CHARGED_TOO_LOW),
    ),
    Rule(
        "eu-oss-home-vat",
        "3",
        "VD art. 33(a), 58: VAT of the destination is due, not that of the seller's country",
        (t.DESTINATION_DUE, t.BASE_RATE),
        Refusal(reasons.VAT_WRONG_REGIME),
    ),
    Rule(
        "eu-oss-rate-unknown",
        "3",
        "VD art. 93: the rates of the destination on the day of supply",
        (t.DESTINATION_DUE,),
        Refusal(reasons.VAT_RATE_UNKNOWN),
    ),
    # ---- 2: consumers elsewhere in the EU under the threshold, services at the seller's place, own numbers
    Rule(
        "eu-home-vat-low",
        "2",
        "VD art. 59c, 45: VAT of the seller's country is due",
        (t.HOME_DUE, t.UNTAXED, t.SOMETHING),
        Refusal(reasons.VAT_CHARGED_TOO_LOW),
    ),
    Rule(
        "eu-home-vat",
        "2",
        "VD art. 59c (up to EUR 10,000 a year), 45 (services), 32 (a buyer with a number of the seller's country)",
        (t.HOME_DUE, t.BASE_RATE_OR_NOTHING),
        t.SELLER_RATE,
    ),
    Rule(
        "eu-home-vat-foreign-rate",
        "2",
        "VD art. 59c, 45: rates of the seller's country, not those of the destination",
        (t.HOME_DUE,),
        Refusal(reasons.VAT_FOREIGN_RATE),
    ),
)

"""Every code a document can carry in the log, the quarantine and the run report, with what a person should do about it.

One list for command line, documentation and logs, so that a code never means two things. A code is stable: it stands in
stored rows and in reports. ``action`` is one English sentence to show to a person; it never holds data of an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a code says about its document."""

    SKIPPED = "skipped"
    CORRECTED = "corrected"
    QUARANTINED = "quarantined"
    DEFERRED = "deferred"
    WARNING = "warning"


@dataclass(frozen=True)
class Reason:
    """A code, the kind of outcome it belongs to, and what to do."""

    code: str
    kind: Kind
    action: str


REASONS: dict[str, Reason] = {}


def _add(kind: Kind, code: str, action: str) -> str:
    if code in REASONS:
        raise ValueError(f"reason {code} is listed twice")
    REASONS[code] = Reason(code, kind, action)
    return code


def _skipped(code: str, action: str) -> str:
    return _add(Kind.SKIPPED, code, action)


def _corrected(code: str, action: str) -> str:
    return _add(Kind.CORRECTED, code, action)


def _quarantined(code: str, action: str) -> str:
    return _add(Kind.QUARANTINED, code, action)


def _deferred(code: str, action: str) -> str:
    return _add(Kind.DEFERRED, code, action)


def _warning(code: str, action: str) -> str:
    return _add(Kind.WARNING, code, action)


def explain(code: str) -> str:
    """Return what to do about ``code``; a code of a later version gets a sentence that says so."""
    known = REASONS.get(code)
    return known.action if known else "This version does not know the code; look it up in the version that wrote it."


# --------------------------------------------------------------------------------------------------------- skipped
BEFORE_START = _skipped(
    "before_start", "Dated before the integration's start date; nothing to do, it belongs to the books of before."
)
STATUS_NOT_BOOKABLE = _skipped(
    "status_not_bookable",
    "The order's status is no trigger for its payment method; it is booked when the shop moves it to one that is.",
)
NOT_PAID = _skipped(
    "not_paid", "The integration books only paid orders and this one has no payment date yet; nothing to do until then."
)
TEST = _skipped("test", "A test payment of the gateway; nothing to do.")
OTHER_INTEGRATION = _skipped(
    "other_integration", "Country or currency belongs to another integration of this shop; nothing to do here."
)
TOO_OLD = _skipped(
    "too_old", "Older than 23 months: look its reference up in the package, and book it by hand where it is missing."
)
NOTHING_TO_BOOK = _skipped("nothing_to_book", "The document has no lines and no amount; nothing to do.")

CREDITED_WITH_ORDER = _skipped(
    "credited_with_order",
    "The order was cancelled after it was booked and is credited whole; the refund is part of that, nothing to do.",
)

# ------------------------------------------------------------------------------------------------------- corrected
CANCELLED_AFTER_BOOKING = _corrected(
    "cancelled_after_booking",
    "The order ended after it was booked: what was left of its invoice is credited; nothing to do in the books.",
)

# ----------------------------------------------------------------------------------------- quarantined: the document
DUPLICATE_NUMBER = _quarantined(
    "duplicate_number",
    "Another document has this number in the books; give it a number of its own in the shop, or set a reference"
    " prefix, and offer it again.",
)
REFUND_DELETED = _quarantined(
    "refund_deleted",
    "The shop deleted a refund whose credit note is booked; take that back in the books by hand, then close this.",
)
CHANGED_AFTER_BOOKING = _quarantined(
    "changed_after_booking",
    "The shop changed the order after it was booked; correct the books with a credit note and a new invoice.",
)
BOOKED_FIGURES_EXPIRED = _quarantined(
    "booked_figures_expired",
    "It is booked, and has changed after sluis had to forget its number and amounts; correct the books by hand, then"
    " close this as booked by hand.",
)
CLAIM_EXPIRED = _quarantined(
    "claim_expired",
    "It was sent, no answer ever came, and its number and amounts have expired since; look it up in the package: where"
    " it is missing book it by hand, then run `sluis integration adopt` over its date.",
)
HELD_EXPIRED = _quarantined(
    "held_expired",
    "Its day's entry was never posted, and its amounts have expired since; book the day by hand from the shop, then"
    " close this as booked by hand.",
)
TOTAL_DIFFERS = _quarantined(
    "total_differs",
    "The books hold this document with another total than the shop; correct it there or delete it, and offer it again.",
)
BOOKED_TWICE = _quarantined(
    "booked_twice", "The books hold this document more than once; delete all but one there, and offer it again."
)
MAPPING_MISSING = _quarantined(
    "mapping_missing", "Fill the named tax rate or ledger account in the integration's mapping, and offer it again."
)
REFUSED_BY_PACKAGE = _quarantined(
    "refused_by_package", "The package refused the document; mend what the field names, and offer it again."
)
UNREADABLE = _quarantined(
    "unreadable", "The shop's answer lacks or garbles the named field; mend the order in the shop and offer it again."
)
QUALITY_FAILED = _quarantined(
    "quality_failed", "The row failed the named quality check; look at the order in the shop, then offer it again."
)
NEGATIVE_TOTAL = _quarantined(
    "negative_total", "The order's total is below zero; book it by hand, or correct it in the shop and offer it again."
)
TOTAL_DIFFERS_FROM_LINES = _quarantined(
    "total_differs_from_lines",
    "Lines and VAT differ from the total by more than a cent per line; correct the order in the shop, or book by hand.",
)
REFUND_WITHOUT_LINES = _quarantined(
    "refund_without_lines",
    "The shop refunded an amount without saying on which lines; book the credit note by hand at the right VAT rate.",
)
REFUND_DIFFERS = _quarantined(
    "refund_differs",
    "The refund's lines do not add up to it, or carry a rate its order never had; book the credit note by hand.",
)
REFUND_EXCEEDS_ORDER = _quarantined(
    "refund_exceeds_order", "More was refunded than the order's total; find the cause in the shop, then book by hand."
)
REFUND_MISSING = _quarantined(
    "refund_missing",
    "The order stands as refunded but the shop shows no refund; find it in the shop, then offer the order again.",
)
REFUND_OF_UNBOOKED_ORDER = _quarantined(
    "refund_of_unbooked_order",
    "The order this refund belongs to was not booked by sluis; book the credit note where the invoice stands.",
)

PERIOD_CLOSED = _quarantined(
    "period_closed",
    "Its date lies in a closed period of the books; open the period, book it by hand, or set closed_period to"
    " first_open_day, and offer it again.",
)
DATE_IN_FUTURE = _quarantined(
    "date_in_future", "The named date lies in the future; correct it in the shop and offer the order again."
)
NEGATIVE_VAT = _quarantined(
    "negative_vat", "VAT is below zero on an amount above zero (or the other way); correct it in the shop."
)
SHIPPING_VAT_TOO_LOW = _quarantined(
    "shipping_vat_too_low",
    "Shipping or a fee carries less VAT than the goods it belongs to, pro rata to their net values; correct the shop's"
    " shipping tax class, and book it by hand.",
)
EXCHANGE_RATE_MISSING = _quarantined(
    "exchange_rate_missing",
    "No reference rate of the order's currency was found for its day; load the rates, and offer it again.",
)
SUMMARY_INCONSISTENT = _quarantined(
    "summary_inconsistent",
    "A held document does not add up with what was paid on it, so its day is not posted; look at the named orders in"
    " the shop, and report what the log says.",
)

PAYMENT_REFUSED = _quarantined(
    "payment_refused",
    "The document is booked, but its payment is not registered: mend what the field names, or register it by hand in"
    " the package, and offer the order again.",
)

# ---------------------------------------------------------------------------------------------- quarantined: VAT
CURRENCY_NOT_SUPPORTED = _quarantined(
    "currency_not_supported", "The order is in another currency than the books; book it by hand at the day's rate."
)
COUNTRY_MISSING = _quarantined(
    "country_missing", "The country of delivery is empty or no country; fill it in the shop and offer it again."
)
UNTAXED_LINE = _quarantined(
    "untaxed_line",
    "A line carries no VAT row; give it a tax class in the shop, or set untaxed_lines to exempt where that is the law.",
)
VAT_RATE_UNKNOWN = _quarantined(
    "vat_rate_unknown", "The law of that country knew no such rate on that date; correct the shop's tax rates."
)
VAT_FOREIGN_RATE = _quarantined(
    "vat_foreign_rate",
    "The shop charged a rate that is none of the seller's country, where that country's VAT or none at all is due;"
    " correct the shop's tax rates or the settings.",
)
VAT_CHARGED_TOO_LOW = _quarantined(
    "vat_charged_too_low", "The shop charged no VAT where home VAT is due; correct the shop, and book it by hand."
)
VAT_CHARGED_UNDER_KOR = _quarantined(
    "vat_charged_under_kor",
    "The shop charged VAT while the merchant is registered as exempt (KOR); correct the shop or the vat_scheme.",
)
VAT_NUMBER_INVALID = _quarantined(
    "vat_number_invalid",
    "Sold without VAT on a VAT number that cannot exist; ask the buyer for the right one, or charge VAT.",
)
VAT_COMPOUND_TAX = _quarantined(
    "vat_compound_tax", "A tax counted on top of another tax is no European VAT; correct the shop's tax rates."
)
VAT_HOME_NOT_SUPPORTED = _quarantined(
    "vat_home_not_supported",
    "The merchant's own country is no member state of the EU, and the VAT rules are for those; book it by hand.",
)
VAT_WRONG_REGIME = _quarantined(
    "vat_wrong_regime",
    "The shop charged another country's VAT than was due: home VAT where that of the destination is due, or a business"
    " taxed as a consumer; correct the shop, and correct the sale with the customer.",
)
VAT_NUMBER_UNVERIFIED = _quarantined(
    "vat_number_unverified",
    "No register has confirmed the buyer's VAT number and the VAT hangs on it; offer it again when the register"
    " answers, or choose with vat_number_unverified.",
)
VAT_REGISTRATION_MISSING = _quarantined(
    "vat_registration_missing",
    "VAT of another country is due and the settings name neither a registration there nor the one stop shop; fill"
    " registrations or eu_consumers.",
)
VAT_STOCK_OUTSIDE_EU = _quarantined(
    "vat_stock_outside_eu",
    "The goods leave from outside the EU: that is an import, which sluis does not decide; book it by hand.",
)
VAT_CHARGED_ON_VOUCHER = _quarantined(
    "vat_charged_on_voucher",
    "VAT was charged on a gift card whose VAT comes when it is used; correct its tax class, or set gift_cards to"
    " single_purpose where that is what it is.",
)
VAT_CHARGED_ON_MARGIN = _quarantined(
    "vat_charged_on_margin",
    "VAT was shown on goods under the margin scheme; correct the shop's tax class or margin_categories.",
)
VAT_OF_MARKETPLACE = _quarantined(
    "vat_of_marketplace",
    "The order shows VAT that the marketplace owes and pays; book it by hand without that VAT.",
)
VAT_AMOUNT_DIFFERS = _quarantined(
    "vat_amount_differs",
    "The VAT charged is not the named rate of the amount, by more than a cent per line; correct it in the shop.",
)
VAT_RATES_ON_ONE_LINE = _quarantined(
    "vat_rates_on_one_line",
    "One line carries several rates and its amount cannot be divided between them for certain; book it by hand.",
)

# -------------------------------------------------------------------------------------------------------- deferred
QUOTA_SPENT = _deferred("quota_spent", "The package's quota is used up; the next run goes on from here by itself.")
PACKAGE_UNAVAILABLE = _deferred(
    "package_unavailable", "The package did not answer and nothing was written; the next run tries again by itself."
)
OUTCOME_UNKNOWN = _deferred(
    "outcome_unknown", "The package gave no clear answer; the next run looks the reference up before anything else."
)

# -------------------------------------------------------------------------------------------------------- warnings
VAT_CHARGED_TOO_HIGH = _warning(
    "vat_charged_too_high",
    "VAT was charged where none was due: it is owed as charged (Wet OB art. 37); consider to refund it.",
)
VAT_NUMBER_ASSUMED = _warning(
    "vat_number_assumed",
    "Booked without VAT on a number that no register confirmed, as the settings say; look it up, and keep the answer.",
)
VAT_ZERO_RATE_ABROAD = _warning(
    "vat_zero_rate_abroad",
    "Booked at a zero rate of the destination, which is for few goods; make sure that these are among them.",
)
ROUNDING_LINE_ADDED = _warning(
    "rounding_line_added", "Lines and total differed by a few cents; the difference stands on a line of its own."
)
VAT_SPREAD_OVER_LINES = _warning(
    "vat_spread_over_lines", "The shop's VAT per rate differed from its lines by a few cents; lines follow the rate."
)
SHIPPING_VAT_TOO_HIGH = _warning(
    "shipping_vat_too_high",
    "Shipping or a fee carries more VAT than the goods it belongs to, pro rata to their net values: it is owed as"
    " charged (Wet OB art. 37); let the shop's shipping tax class follow the cart.",
)
DATED_IN_CLOSED_PERIOD = _warning(
    "dated_in_closed_period",
    "Its own date lies in a closed period of the books: it was booked on the first open day and names its own date.",
)

"""The expectations of both suites, in the order in which a row is blamed: the first that fails names its reason.

Every expectation carries its own name, which is what is stored and logged. Bounds that differ per integration or run
(``$PARAMETER``) are filled in when a chunk is judged, so that a suite is built once per process.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sluis.quality.frames import MOST
from sluis.quality.library import preload

#: A shop's clock may run ahead of ours; DST set wrong is the usual case. More than this is no clock but a wrong date.
CLOCK_SKEW = timedelta(hours=1)
#: Webshops did not exist before; what is dated earlier is an empty date in disguise (1899, 1970).
EARLIEST = date(1995, 1, 1)


def extracted_expectations() -> list[Any]:
    """Return what holds for every order and refund as the shop told it.

    Parameter: ``currencies`` that an order may be in.
    """
    x = preload().expectations
    skew = int(CLOCK_SKEW.total_seconds())
    return [
        *_identified(x),
        x.ExpectColumnValuesToNotBeNull(column="status", meta=_named("status_present")),
        _at_most(x, "total_gap_cents", "bound_cents", "lines_add_up"),
        _at_most(x, "vat_gap_cents", "bound_cents", "vat_adds_up"),
        _between(x, "rate_excess_cents", "vat_fits_rate", max_value=0),
        _between(x, "dated_on", "date_is_sane", min_value=EARLIEST.toordinal()),
        _between(x, "seconds_ahead", "not_in_the_future", max_value=skew),
        _between(x, "seconds_past_window", "inside_window", max_value=skew),
    ]


def transformed_expectations() -> list[Any]:
    """Return what holds for every invoice and credit note.

    Parameters: ``currencies`` of the books, ``start`` and ``latest``, the first and last date of issue as ordinals of
    the shop's local dates.
    """
    x = preload().expectations
    return [
        *_identified(x),
        x.ExpectColumnValuesToNotBeNull(column="number", meta=_named("number_present")),
        x.ExpectColumnValuesToBeUnique(column="number", meta=_named("number_unique")),
        x.ExpectColumnPairValuesToBeEqual(
            column_A="total_cents", column_B="charged_cents", meta=_named("total_as_charged")
        ),
        _between(x, "lines_gap_cents", "lines_add_up", max_value=0),
        _between(x, "breakdown_gap_cents", "breakdown_adds_up", max_value=0),
        _between(x, "rate_excess_cents", "vat_fits_rate", max_value=0),
        _between(x, "odd_rates", "category_fits_rate", max_value=0),
        _at_most(x, "rounding_cents", "bound_cents", "rounding_bounded"),
        _between(x, "issued_on", "not_before_start", min_value=_given("start")),
        _between(x, "issued_on", "not_in_the_future", max_value=_given("latest")),
    ]


def _identified(x: Any) -> list[Any]:
    return [
        x.ExpectColumnValuesToNotBeNull(column="document", meta=_named("document_present")),
        x.ExpectColumnValuesToBeUnique(column="document", meta=_named("document_unique")),
        x.ExpectColumnValuesToBeInSet(column="currency", value_set=_given("currencies"), meta=_named("currency_known")),
        _between(x, "total_cents", "total_is_sane", min_value=0, max_value=MOST - 1),
    ]


def _between(x: Any, column: str, name: str, **bounds: Any) -> Any:
    return x.ExpectColumnValuesToBeBetween(column=column, meta=_named(name), **bounds)


def _at_most(x: Any, column: str, bound: str, name: str) -> Any:
    return x.ExpectColumnPairValuesAToBeGreaterThanB(column_A=bound, column_B=column, or_equal=True, meta=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"name": name}


def _given(parameter: str) -> dict[str, str]:
    return {"$PARAMETER": parameter}

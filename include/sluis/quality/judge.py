"""Judges a chunk and says which rows must wait, without letting a value of a row out of memory.

Each chunk first runs through a checkpoint with ``BOOLEAN_ONLY``, the cheapest run there is: its result holds pass or
fail and nothing else. Only where an expectation fails, that one is asked again for its rows, in memory, outside of any
store. The context and suites are built once per process; what a run leaves in the context's store is removed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from threading import Lock
from typing import Any, Literal, NamedTuple

from sluis.core.frozen import Frozen
from sluis.core.invoice import Prepared
from sluis.core.order import Order
from sluis.core.settings import IntegrationSettings
from sluis.errors import Defect
from sluis.ports import Window
from sluis.quality.frames import extracted_frame, transformed_frame
from sluis.quality.library import preload, silent_context
from sluis.quality.suites import CLOCK_SKEW, extracted_expectations, transformed_expectations

Stage = Literal["extracted", "transformed"]
_EXPECTATIONS: dict[Stage, Callable[[], list[Any]]] = {
    "extracted": extracted_expectations,
    "transformed": transformed_expectations,
}
#: The currencies that are money (ISO 4217, November 2026): no metals, funds, units of account or test codes.
_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
    COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
ISO_4217 = frozenset(_CODES.split())
_ROWS_ONLY = {"result_format": "COMPLETE", "partial_unexpected_count": 0}
_TURN = Lock()  # one context serves all threads of the process, and a run cleans its store


class Checked(NamedTuple):
    """One expectation over one chunk: all that may be stored or logged of it. Counts are documents."""

    expectation: str
    passed: bool
    checked: int
    failing: int


class Flaw(NamedTuple):
    """A document that may not go on, and the first expectation it failed."""

    position: int  #: of the order, or of the invoice, in the sequence that was judged
    refund: int | None  #: place of the refund in its order; ``None``: the order or invoice itself
    expectation: str


class Verdict(Frozen):
    """What a chunk is worth. Documents without a flaw go on."""

    flaws: tuple[Flaw, ...]
    results: tuple[Checked, ...]

    def flaw(self, position: int, refund: int | None = None) -> str | None:
        """Return the expectation that this document failed, ``None`` when it may go on."""
        return next((f.expectation for f in self.flaws if (f.position, f.refund) == (position, refund)), None)


def judge_extracted(
    orders: Sequence[Order],
    *,
    settings: IntegrationSettings,
    read_at: datetime,
    window: Window | None = None,
) -> Verdict:
    """Judge orders and refunds as the shop told them.

    ``read_at`` is the moment of reading (UTC), ``window`` what was read (``None``: single orders). A document that the
    core skips or quarantines by itself should keep that reason, which says more: a flaw counts for what is booked.
    Raises ``Defect`` when an expectation cannot be evaluated.
    """
    places = [(i, refund) for i, order in enumerate(orders) for refund in (None, *range(len(order.refunds)))]
    return _judge(
        "extracted",
        places,
        lambda: extracted_frame(orders, window=window, read_at=read_at),
        {"currencies": sorted(_currencies(settings))},
    )


def judge_transformed(
    prepared: Sequence[Prepared], charged: Sequence[Decimal], *, settings: IntegrationSettings, read_at: datetime
) -> Verdict:
    """Judge invoices and credit notes before they are booked.

    ``charged`` runs parallel: what the shop charged for the order, or gave back, with VAT and positive.
    Raises ``Defect`` when an expectation cannot be evaluated, ``ValueError`` when the lengths differ.
    """
    if len(prepared) != len(charged):
        raise ValueError("every prepared document needs the total that the shop charged")
    latest = (read_at + CLOCK_SKEW).astimezone(settings.zone).date()
    return _judge(
        "transformed",
        [(position, None) for position in range(len(prepared))],
        lambda: transformed_frame(prepared, charged),
        {
            "currencies": [settings.currency],
            "start": settings.start_date.toordinal(),
            "latest": latest.toordinal(),
        },
    )


def _currencies(settings: IntegrationSettings) -> frozenset[str]:
    """Return what an order may be in: any money there is, where the settings let it be converted."""
    if settings.foreign_currency == "convert":
        return ISO_4217
    return frozenset({settings.currency, *settings.filter_currencies})


def _judge(
    stage: Stage, places: list[tuple[int, int | None]], frame: Callable[[], Any], parameters: dict[str, Any]
) -> Verdict:
    """Judge the rows of ``frame``; ``places`` says which document each row stands for."""
    with _TURN:
        bench = _bench(stage)
        failing = bench.failing_rows(frame(), parameters) if places else {}
    blamed: dict[int, str] = {}
    for name in bench.names:
        for row in failing.get(name, ()):
            blamed.setdefault(row, name)
    return Verdict(
        flaws=tuple(Flaw(*places[row], name) for row, name in sorted(blamed.items())),
        results=tuple(
            Checked(name, name not in failing, len(places), len(failing.get(name, ()))) for name in bench.names
        ),
    )


class _Bench:
    """One suite in one ephemeral context, ready for chunk after chunk."""

    def __init__(self, stage: Stage) -> None:
        library, context = preload(), silent_context()
        self._by_name = {e.meta["name"]: e for e in _EXPECTATIONS[stage]()}
        self.names = tuple(self._by_name)
        asset = context.data_sources.add_pandas("memory").add_dataframe_asset(stage)
        self._batches = asset.add_batch_definition_whole_dataframe("chunk")
        suite = context.suites.add(library.ExpectationSuite(name=stage, expectations=[*self._by_name.values()]))
        validation = context.validation_definitions.add(
            library.ValidationDefinition(name=stage, data=self._batches, suite=suite)
        )
        self._checkpoint = context.checkpoints.add(
            library.Checkpoint(
                name=stage, validation_definitions=[validation], actions=[], result_format="BOOLEAN_ONLY"
            )
        )
        self._context = context
        self._kept = context.validation_results_store

    def failing_rows(self, frame: Any, parameters: dict[str, Any]) -> dict[str, list[int]]:
        """Return the rows that fail, per expectation that has any."""
        batch_parameters = {"dataframe": frame}
        try:
            run = self._checkpoint.run(batch_parameters=batch_parameters, expectation_parameters=parameters)
        finally:
            for key in self._kept.list_keys():
                self._kept.remove_key(key)
        outcomes = [outcome for result in run.run_results.values() for outcome in result.results]
        failed = [self._name(outcome) for outcome in outcomes if not _evaluated(outcome).success]
        if not failed:
            return {}
        batch = self._batches.get_batch(batch_parameters=batch_parameters)
        return {name: self._rows(batch, name, parameters) for name in failed}

    def _rows(self, batch: Any, name: str, parameters: dict[str, Any]) -> list[int]:
        outcome = batch.validate(self._by_name[name], result_format=_ROWS_ONLY, expectation_parameters=parameters)
        return [int(row) for row in _evaluated(outcome).result["unexpected_index_list"]]

    @staticmethod
    def _name(outcome: Any) -> str:
        return str(outcome.expectation_config.meta["name"])


def _evaluated(outcome: Any) -> Any:
    """Pass an outcome on, unless its expectation broke instead of judging. The library's own text stays unread."""
    told = outcome.exception_info or {}
    if any(part.get("raised_exception") for part in (told, *told.values()) if isinstance(part, dict)):
        name = outcome.expectation_config.meta.get("name")
        raise Defect(
            f"the quality check {name} could not be evaluated on this chunk; report it with the versions of "
            "great-expectations and pandas",
            code="quality_broken",
        ) from None
    return outcome


@cache
def _bench(stage: Stage) -> _Bench:
    return _Bench(stage)

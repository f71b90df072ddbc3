"""Adds outcomes up and proves that nothing was lost: every run ends with this sum, or fails.

All sums are whole numbers (documents, cents) under codes, so that they may stand in an XCom, a log and the run report.

What counts how (``Role``): an order and a refund of the shop are one document each; where one needs several documents
in the books, the further ones count in cents only; what sluis makes by itself (a reversal, a day's entry) is told apart
and proves nothing about what was extracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sluis.core.invoice import DocumentOutcome, Result, Role
from sluis.core.money import ZERO, cents
from sluis.core.order import Order, Unreadable
from sluis.errors import ProofFailed

Counts = dict[str, int]


class Tally:
    """Sums over documents. Cents are signed (a credit note counts below zero) and per currency, never mixed.

    ``add`` counts one more document; ``+`` merges two tallies into a new one, in whatever order. Reasons and warnings
    are counted over every document, whatever its role.
    """

    def __init__(self, outcomes: Iterable[DocumentOutcome] = ()) -> None:
        self.documents: Counts = {}  #: result -> number of documents
        self.cents: dict[str, Counts] = {}  #: currency -> result -> cents with VAT
        self.reasons: dict[str, Counts] = {}  #: result -> reason -> number of documents
        self.warnings: Counts = {}  #: warning -> number of documents
        self.own: dict[str, Counts] = {}  #: kind of document -> result -> number of those that sluis made by itself
        self.own_cents: dict[str, Counts] = {}  #: of the same: currency -> result -> cents with VAT
        for outcome in outcomes:
            self.add(outcome)

    def add(self, outcome: DocumentOutcome) -> None:
        """Count one document."""
        result = outcome.result.value
        if outcome.role is Role.OWN:
            _add(self.own.setdefault(outcome.kind.value, {}), result, 1)
        elif outcome.role is Role.MAIN:
            _add(self.documents, result, 1)
        money = self.own_cents if outcome.role is Role.OWN else self.cents
        _add(money.setdefault(outcome.currency, {}), result, cents(outcome.total))
        if outcome.reason:
            _add(self.reasons.setdefault(result, {}), outcome.reason, 1)
        for warning in outcome.warnings:
            _add(self.warnings, warning, 1)

    def __add__(self, other: Tally) -> Tally:
        merged = Tally()
        merged.documents = _merged(self.documents, other.documents)
        merged.cents = _merged_all(self.cents, other.cents)
        merged.reasons = _merged_all(self.reasons, other.reasons)
        merged.warnings = _merged(self.warnings, other.warnings)
        merged.own = _merged_all(self.own, other.own)
        merged.own_cents = _merged_all(self.own_cents, other.own_cents)
        return merged

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and self.as_dict() == other.as_dict()

    __hash__ = None  # type: ignore[assignment]  # it can change

    def count(self, *results: Result) -> int:
        """Return how many documents had one of ``results`` (all documents when none is named); none of our own."""
        return sum(n for result, n in self.documents.items() if not results or Result(result) in results)

    def total_cents(self, currency: str, *results: Result) -> int:
        """Return the signed cents with VAT of ``results`` (of all when none is named) in ``currency``."""
        return sum(n for result, n in self.cents.get(currency, {}).items() if not results or Result(result) in results)

    def prove(self, extracted_documents: int, extracted_cents: Mapping[str, int]) -> None:
        """Raise ``ProofFailed`` with the difference unless documents and cents per currency are those extracted."""
        pairs = [("documents", extracted_documents, self.count())]
        for currency in sorted({*extracted_cents, *self.cents}):
            unit = f"cents of {currency or 'unknown currency'}"
            pairs.append((unit, extracted_cents.get(currency, 0), self.total_cents(currency)))
        off = [
            f"{read} {unit} extracted but {found} accounted for (difference {read - found})"
            for unit, read, found in pairs
            if read != found
        ]
        if off:
            raise ProofFailed("; ".join(off) + ". The run is not complete: clear it from extract on.")

    def as_dict(self) -> dict[str, dict[str, int] | dict[str, Counts]]:
        """Return whole numbers under codes only, for the run report; :meth:`from_dict` reads it back."""
        return {
            "documents": dict(self.documents),
            "cents": {currency: dict(counts) for currency, counts in self.cents.items()},
            "reasons": {result: dict(counts) for result, counts in self.reasons.items()},
            "warnings": dict(self.warnings),
            "own": {kind: dict(counts) for kind, counts in self.own.items()},
            "own_cents": {currency: dict(counts) for currency, counts in self.own_cents.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tally:
        """Read what :meth:`as_dict` wrote."""
        tally = cls()
        tally.documents = dict(data["documents"])
        tally.cents = {currency: dict(counts) for currency, counts in data["cents"].items()}
        tally.reasons = {result: dict(counts) for result, counts in data["reasons"].items()}
        tally.warnings = dict(data["warnings"])
        tally.own = {kind: dict(counts) for kind, counts in data.get("own", {}).items()}
        tally.own_cents = {currency: dict(counts) for currency, counts in data.get("own_cents", {}).items()}
        return tally


def extracted(documents: Iterable[Order | Unreadable]) -> tuple[int, Counts]:
    """Count what came out of the shop, apart from any decision: documents, and signed cents with VAT per currency.

    An order is one document and each of its refunds another. The two numbers are what :meth:`Tally.prove` wants.
    """
    number = 0
    money: Counts = {}
    for document in documents:
        number += 1
        _add(money, document.currency, cents(document.total or ZERO))
        if isinstance(document, Order):
            number += len(document.refunds)
            for refund in document.refunds:
                _add(money, document.currency, -cents(refund.total))
    return number, money


def _add(counts: Counts, key: str, number: int) -> None:
    counts[key] = counts.get(key, 0) + number


def _merged(first: Counts, second: Counts) -> Counts:
    return {key: first.get(key, 0) + second.get(key, 0) for key in sorted({*first, *second})}


def _merged_all(first: dict[str, Counts], second: dict[str, Counts]) -> dict[str, Counts]:
    return {key: _merged(first.get(key, {}), second.get(key, {})) for key in sorted({*first, *second})}

"""The population of a quarter in memory: who put what in which cell, as arrays. Ten million entries are 160 MB.

Fed from the store's binary COPY or from plain rows; a ``contract.Population`` either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluis.errors import Defect
from sluis.statistics.contract import Top

#: The head of PostgreSQL's binary COPY: signature, flags, no extension; and a row of it: three fields with lengths.
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_ROW = np.dtype([
    ("fields", ">i2"), ("l1", ">i4"), ("enterprise", ">i4"), ("l2", ">i4"), ("cell", ">i4"), ("l3", ">i4"),
    ("cents", ">i8"),
])  # fmt: skip
#: Sums of cents are exact in a float up to here: 90 trillion euros.
_EXACT = 2**53


class InMemory:
    """A population of arrays, sorted by cell."""

    def __init__(
        self, base: Sequence[tuple[str, ...]], vat_cents: Sequence[int], enterprise: NDArray[np.int64],
        cell: NDArray[np.int64], cents: NDArray[np.int64],
    ) -> None:  # fmt: skip
        """Take one entry per enterprise and cell, amounts above zero. Raises ``Defect`` for anything else."""
        if cents.size and (cents.min() <= 0 or cents.sum(dtype=np.float64) >= _EXACT):
            raise Defect("amounts of a population are above zero and add up exactly", code="population_amounts")
        if cell.size and (cell.min() < 0 or cell.max() >= len(base)):
            raise Defect("an entry names a cell that is not there", code="population_cells")
        order = np.argsort(cell, kind="stable")
        self._base, self._vat = list(base), list(vat_cents)
        self._enterprise, self._cents = enterprise[order], cents[order]
        self._starts = np.searchsorted(cell[order], np.arange(len(self._base) + 1))
        self._size = int(enterprise.max()) + 1 if enterprise.size else 0

    @classmethod
    def copied(cls, base: Sequence[tuple[str, ...]], vat_cents: Sequence[int], content: bytes) -> InMemory:
        """Read the rows of a binary COPY (enterprise int4, cell int4, cents int8); raises ``Defect`` for others."""
        if not content.startswith(_HEAD) or not content.endswith(_END):
            raise Defect("the input of the statistics came in another form than it was asked in", code="copy_form")
        body = memoryview(content)[len(_HEAD) : -len(_END)]
        if len(body) % _ROW.itemsize:
            raise Defect("the input of the statistics came in another form than it was asked in", code="copy_form")
        found = np.frombuffer(body, dtype=_ROW)
        names = ("enterprise", "cell", "cents")
        enterprise, cell, cents = (found[name].astype(np.int64) for name in names)
        return cls(base, vat_cents, enterprise, cell, cents)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, tuple[str, ...], int, int]]) -> InMemory:
        """Add up rows of (enterprise, key, cents, VAT cents); those of no amount are left out."""
        sums: dict[tuple[int, tuple[str, ...]], int] = {}
        vat: dict[tuple[str, ...], int] = {}
        for enterprise, key, cents, taxed in rows:
            if cents:
                sums[enterprise, key] = sums.get((enterprise, key), 0) + cents
                vat[key] = vat.get(key, 0) + taxed
        base = sorted(vat)
        number = {key: place for place, key in enumerate(base)}
        columns: Any = ([e for e, _ in sums], [number[key] for _, key in sums], list(sums.values()))
        enterprise_, cell, cents_ = (np.array(column, dtype=np.int64) for column in columns)
        return cls(base, [vat[key] for key in base], enterprise_, cell, cents_)

    @property
    def base(self) -> Sequence[tuple[str, ...]]:
        """The occupied cells, sorted."""
        return self._base

    def cents(self) -> Sequence[int]:
        """Return the amount without VAT of every base cell."""
        if not self._base:
            return []
        return [int(cents) for cents in np.add.reduceat(np.append(self._cents, 0), self._starts[:-1])]

    def vat_cents(self) -> Sequence[int]:
        """Return the VAT of every base cell."""
        return self._vat

    def tops(self, unions: Sequence[Sequence[int]]) -> list[Top]:
        """Return who stands in each union of base cells."""
        return [self._top(union) for union in unions]

    def own(self, enterprise: int) -> Mapping[int, int]:
        """Return what one enterprise put in: base cell -> cents."""
        places = np.flatnonzero(self._enterprise == enterprise)
        cells = np.searchsorted(self._starts, places, side="right") - 1
        return {int(cell): int(self._cents[place]) for cell, place in zip(cells, places, strict=True)}

    def _top(self, union: Sequence[int]) -> Top:
        names: NDArray[np.int64]
        sums: NDArray[np.float64]
        parts = [slice(self._starts[number], self._starts[number + 1]) for number in union]
        if not parts:
            return Top(0, 0, ())
        who = np.concatenate([self._enterprise[part] for part in parts])
        cents = np.concatenate([self._cents[part] for part in parts])
        if who.size * 8 > self._size:
            everyone = np.bincount(who, weights=cents, minlength=self._size).astype(np.float64)
            names = np.flatnonzero(everyone).astype(np.int64)
            sums = everyone[names]
        else:
            names, places = np.unique(who, return_inverse=True)
            sums = np.bincount(places, weights=cents).astype(np.float64)
        first = np.lexsort((names, -sums))[:3]
        largest = tuple((int(names[place]), int(sums[place])) for place in first)
        return Top(int(names.size), int(cents.sum()), largest)

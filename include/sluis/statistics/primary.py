"""The primary rules: is a cell, or a union of base cells that subtraction makes known, safe by itself?

Two rules (OECD glossary 7010; ESSnet SDC Handbook: threshold, and p% for a coalition of two): enough enterprises, and
what remains after the three largest is at least p% of the largest, so that the second and the third together cannot
come closer to him than that. Of two unions that are safe and share no base cell, the union is safe too: counts and
remainders never shrink by adding. The suppression leans on that.
"""

from __future__ import annotations

from sluis.statistics.contract import Fate, Rules, Top

#: Protection is told up to so many percent of the interval that is asked for.
FARTHEST = 1000


def protection(top: Top, rules: Rules) -> int:
    """Return what remains after the three largest, in percent of what must remain (100: just safe); 0: too few."""
    if top.enterprises < rules.min_enterprises:
        return 0
    remainder = top.cents - sum(cents for _, cents in top.largest[:3])
    return min(10_000 * remainder // (rules.remainder_percent * top.largest[0][1]), FARTHEST)


def judge(top: Top, rules: Rules) -> Fate:
    """Return PUBLISHED when ``top`` is safe by itself; else why not: EMPTY, FEW or DOMINATED."""
    if top.enterprises == 0:
        return Fate.EMPTY
    if top.enterprises < rules.min_enterprises:
        return Fate.FEW
    return Fate.PUBLISHED if protection(top, rules) >= 100 else Fate.DOMINATED


def harmless(top: Top, rules: Rules) -> bool:
    """Whether a union may become known: nobody stands in it, or it is safe by itself."""
    return top.enterprises == 0 or protection(top, rules) >= 100

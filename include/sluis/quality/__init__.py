"""The batch is judged before it goes on: Great Expectations suites over opaque row keys, codes and amounts.

``judge_extracted`` and ``judge_transformed`` are what flows call. Both give a ``Verdict``: which rows must wait in
quarantine, and per expectation its name, pass or fail, and counts. No value of a row leaves memory.
"""

from sluis.quality.judge import Checked, Flaw, Verdict, judge_extracted, judge_transformed
from sluis.quality.library import preload

__all__ = ["Checked", "Flaw", "Verdict", "judge_extracted", "judge_transformed", "preload"]

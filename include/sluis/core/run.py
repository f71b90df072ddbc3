"""What a run knows of itself between its tasks: the window it read and what it must account for."""

from __future__ import annotations

from pydantic import Field

from sluis.core.frozen import Frozen, Moment


class RunFacts(Frozen):
    """What ``extract`` read, to be proved at the end. Counts and cents only, no document."""

    started_at: Moment
    window_start: Moment | None  #: ``None``: single orders were fetched
    window_end: Moment | None
    shop_count: int | None  #: orders in the window by the shop's own count
    documents: int
    read_under: int  #: version of the settings that chose what was read
    settings_version: int  #: version of the settings that decided: extract's until ``transform`` did
    cents: dict[str, int] = Field(default_factory=dict)  #: per currency, with VAT, credit notes negative

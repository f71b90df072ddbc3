"""What a task is told, and what it may tell: ids, counts, cents and dates, never an order."""

from __future__ import annotations

from pydantic import Field

from sluis.core.frozen import Frozen, Moment


class RunRequest(Frozen):
    """One run of one integration's DAG, as Airflow started it. ``run_id`` names it in the store and the logs.

    Who started it is not told: Airflow's audit log knows, and a user's name may be an e-mail address.
    """

    merchant: str
    integration: str
    dag_id: str
    run_id: str
    run_type: str = Field(description="scheduled, manual, backfill, asset_triggered, ...: Airflow's own word")
    by_person: bool = False  #: in the UI, by the API or on the command line
    interval_start: Moment | None = None  #: Airflow's data interval, UTC; ``None`` for a run without one
    interval_end: Moment | None = None
    order_ids: tuple[str, ...] = Field(default=(), description="read only these orders (the shop's ids)")
    try_number: int = 1

    @property
    def is_scheduled(self) -> bool:
        """Whether this run may move the watermark: only the schedule's own runs do."""
        return self.run_type == "scheduled" and not self.order_ids

    @property
    def is_backfill(self) -> bool:
        """Whether this run reads exactly its own interval."""
        return self.run_type == "backfill"


class Extracted(Frozen):
    """What ``extract`` read. ``cents`` per currency: orders less refunds, with VAT."""

    batch_id: str
    documents: int = 0  #: orders, refunds and unreadable orders
    refunds: int = 0
    unreadable: int = 0  #: could not be read or did not pass the suite: on their way to quarantine
    cents: dict[str, int] = Field(default_factory=dict)
    shop_count: int | None = None  #: orders in the window by the shop's own count
    window_start: Moment | None = None
    window_end: Moment | None = None
    nothing_new: bool = False  #: the tasks after extract have nothing to do


class Transformed(Frozen):
    """What ``transform`` decided, in documents."""

    batch_id: str
    prepared: int = 0
    skipped: int = 0
    quarantined: int = 0
    deferred: int = 0  #: wait for the answer of a register


class Loaded(Frozen):
    """What became of the batch, in documents; ``cents`` booked in this run per currency (credit notes negative)."""

    batch_id: str
    booked: int = 0
    summarised: int = 0
    adopted: int = 0
    already_booked: int = 0
    corrected: int = 0
    skipped: int = 0
    quarantined: int = 0
    deferred: int = 0
    cents: dict[str, int] = Field(default_factory=dict)
    watermark: Moment | None = None


class Shredded(Frozen):
    """How many chunks of transit were deleted."""

    batch_id: str
    chunks: int = 0


class Compared(Frozen):
    """What ``reconcile`` found over the periods that ended, in documents; the log names every open difference."""

    periods: int = 0  #: the month, and the quarter where it ended with it
    documents: int = 0  #: booked in them; a month's stand in its quarter once more
    cents: dict[str, int] = Field(default_factory=dict)
    explained: int = 0  #: differences that time or a known property of the package brings
    differing: int = 0  #: open differences: a person must act

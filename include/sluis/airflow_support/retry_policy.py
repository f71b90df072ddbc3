"""The error taxonomy as scheduler behaviour: what can succeed later is tried later, what cannot turns red at once.

It runs in the task's own process. A task that was killed never asks it, hence the plain ``retries`` beside it; and it
cannot retry oftener than those allow. What it does not know (an error of the database, of Airflow) is left to them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryDecision, RetryRule

from sluis.errors import Defect, Reconnect, Refused, RetryLater, SluisError

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Shorter is not worth a process, longer is the next scheduled run's work.
SHORTEST, LONGEST = timedelta(seconds=5), timedelta(hours=1)
#: Where the vendor names no time: doubled with every try.
FIRST_WAIT = timedelta(seconds=30)


class TaxonomyRetryPolicy(ExceptionRetryPolicy):
    """Retries ``RetryLater`` (and with it ``QuotaSpent``, ``OutcomeUnknown``) when the vendor wishes; fails the rest.

    ``Refused`` quarantines one document inside a flow; one that leaves a task is our mistake, so it fails as well.
    """

    def __init__(self) -> None:
        super().__init__(
            rules=[
                RetryRule(exception=RetryLater, action=RetryAction.RETRY),
                RetryRule(exception=[Reconnect, Defect, Refused], action=RetryAction.FAIL),
            ],
            default=RetryAction.DEFAULT,
        )

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Return the decision; its reason is the error's class and code, which Airflow logs and stores."""
        decision = super().evaluate(exception, try_number, max_tries, context)
        reason = f"{type(exception).__name__} [{exception.code}]" if isinstance(exception, SluisError) else None
        if isinstance(exception, RetryLater):
            return RetryDecision.retry(delay=wait(exception, try_number), reason=reason)
        return RetryDecision(action=decision.action, reason=reason)


def wait(error: RetryLater, try_number: int) -> timedelta:
    """Return how long to wait before the try after ``try_number`` (1-based): the vendor's wish, within bounds."""
    wished = error.retry_after if error.retry_after is not None else FIRST_WAIT * 2 ** min(max(try_number, 1) - 1, 10)
    return min(max(wished, SHORTEST), LONGEST)

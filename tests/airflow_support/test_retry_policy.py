"""Every class of the taxonomy has its scheduler behaviour; a class that is added must get one too."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction

from sluis import errors
from sluis.airflow_support.retry_policy import LONGEST, SHORTEST, TaxonomyRetryPolicy, wait
from sluis.errors import OutcomeUnknown, QuotaSpent, RetryLater, SluisError

POLICY = TaxonomyRetryPolicy()
EXPECTED = {
    "SluisError": RetryAction.DEFAULT,
    "RetryLater": RetryAction.RETRY,
    "QuotaSpent": RetryAction.RETRY,
    "OutcomeUnknown": RetryAction.RETRY,
    "Reconnect": RetryAction.FAIL,
    "Refused": RetryAction.FAIL,
    "Defect": RetryAction.FAIL,
    "NotConfigured": RetryAction.FAIL,
    "NotAShop": RetryAction.FAIL,
    "ProofFailed": RetryAction.FAIL,
    "TransitLost": RetryAction.FAIL,
}
CLASSES = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, SluisError)]


@pytest.mark.parametrize("error", CLASSES, ids=lambda c: c.__name__)
def test_every_class_of_the_taxonomy_has_its_behaviour(error: type[SluisError]) -> None:
    decision = POLICY.evaluate(error("what is wrong"), 1, 2)
    assert decision.action == EXPECTED[error.__name__]
    assert decision.reason == f"{error.__name__} [{error.default_code}]"


def test_what_is_not_ours_is_left_to_the_plain_retries() -> None:
    decision = POLICY.evaluate(ConnectionError("jan.jansen@example.com"), 1, 2)
    assert (decision.action, decision.reason) == (RetryAction.DEFAULT, None)


@pytest.mark.parametrize("error", [RetryLater, QuotaSpent, OutcomeUnknown])
def test_the_vendors_wish_is_kept(error: type[RetryLater]) -> None:
    decision = POLICY.evaluate(error("later", retry_after=timedelta(seconds=77)), 1, 2)
    assert decision.retry_delay == timedelta(seconds=77)


@pytest.mark.parametrize(
    ("wished", "granted"),
    [(timedelta(0), SHORTEST), (timedelta(seconds=-5), SHORTEST), (timedelta(days=3), LONGEST)],
)
def test_a_wish_is_bounded(wished: timedelta, granted: timedelta) -> None:
    assert wait(RetryLater("later", retry_after=wished), 1) == granted


def test_without_a_wish_the_wait_doubles_up_to_the_bound() -> None:
    waits = [wait(RetryLater("later"), tried).total_seconds() for tried in (1, 2, 3, 4, 99)]
    assert waits == [30, 60, 120, 240, LONGEST.total_seconds()]

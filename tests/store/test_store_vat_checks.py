"""Answers about VAT numbers: by key and merchant, the latest one, never a silence; and the keys themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluis.core.evidence import VatCheck
from sluis.core.personal import Personal
from sluis.errors import Defect
from sluis.privacy.pseudonyms import Pseudonyms
from sluis.store.vat_checks import KEPT_FOR, VatChecks
from tests.conftest import Database
from tests.store.helpers import add_integration, key

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
YES = VatCheck(state="valid", checked_at=NOW, request_id="WAPI1")
LATER_NO = VatCheck(state="invalid", checked_at=NOW + timedelta(hours=1))


def test_the_latest_answer_stays_whichever_is_told_last(database: Database) -> None:
    merchant = add_integration(database).merchant
    with database.task(merchant) as conn:
        checks = VatChecks(conn, merchant)
        for order in ((YES, LATER_NO), (LATER_NO, YES)):
            for check in order:
                checks.put(key(1), check)
            assert checks.get([key(1), key(2)], since=NOW - timedelta(days=1)) == {key(1): LATER_NO}


def test_an_old_answer_is_none(database: Database) -> None:
    merchant = add_integration(database).merchant
    with database.task(merchant) as conn:
        checks = VatChecks(conn, merchant)
        checks.put(key(1), YES)
        assert checks.get([key(1)], since=NOW - timedelta(seconds=1)) == {key(1): YES}
        assert checks.get([key(1)], since=NOW) == {}


def test_what_is_too_old_to_be_used_is_deleted_by_the_next_answer_of_its_merchant(database: Database) -> None:
    one, other = add_integration(database).merchant, add_integration(database, administration="moneybird/2").merchant
    for merchant in (one, other):
        with database.task(merchant) as conn:
            VatChecks(conn, merchant).put(key(1), YES)
            VatChecks(conn, merchant).put(key(2), LATER_NO)
    with database.task(one) as conn:
        checks = VatChecks(conn, one)
        checks.put(key(3), YES.model_copy(update={"checked_at": NOW + KEPT_FOR}))
        assert set(checks.get([key(1), key(2), key(3)], since=NOW - KEPT_FOR)) == {key(1), key(2), key(3)}
        checks.put(key(3), YES.model_copy(update={"checked_at": NOW + KEPT_FOR + timedelta(seconds=1)}))
        assert set(checks.get([key(1), key(2), key(3)], since=NOW - KEPT_FOR)) == {key(2), key(3)}
    with database.task(other) as conn:
        assert len(VatChecks(conn, other).get([key(1), key(2)], since=NOW - KEPT_FOR)) == 2


def test_that_nobody_answered_is_never_stored(database: Database) -> None:
    merchant = add_integration(database).merchant
    with database.task(merchant) as conn:
        checks = VatChecks(conn, merchant)
        with pytest.raises(Defect, match="vat_check_unanswered"):
            checks.put(key(1), VatCheck(state="unverified", checked_at=NOW))
        assert conn.execute("select count(*) from sluis.vat_number_check").fetchone() == (0,)


def test_no_merchant_sees_anothers_answers(database: Database) -> None:
    one, other = add_integration(database).merchant, add_integration(database, administration="moneybird/2").merchant
    with database.task(one) as conn:
        VatChecks(conn, one).put(key(1), YES)
    with database.task(other) as conn:
        assert VatChecks(conn, other).get([key(1)], since=NOW - timedelta(days=1)) == {}
        assert VatChecks(conn, one).get([key(1)], since=NOW - timedelta(days=1)) == {}


def test_one_number_has_one_key_however_it_is_written_and_another_per_merchant() -> None:
    names, others = Pseudonyms(b"a" * 32), Pseudonyms(b"b" * 32)
    first = names.number_key(Personal("BE0123456749"), "")
    assert first is not None
    assert (first[0], len(first[1])) == ("BE", 32)
    assert names.number_key(Personal("be 0123.456.749"), "NL") == first
    assert names.number_key(Personal("0123456749"), "BE") == first
    assert names.number_key(Personal("GR123456783"), "") == names.number_key(Personal("123456783"), "GR")
    assert others.number_key(Personal("BE0123456749"), "") != first
    assert names.number_key(Personal("BE0123456848"), "") != first
    assert names.number_key(Personal("BE1"), "BE") is None
    assert names.number_key(Personal(""), "BE") is None

"""What differs between two versions, and what of it is to a person's disadvantage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluis.errors import NotConfigured
from sluis.privacy.register import register_path
from sluis.privacy.register_diff import Kind, difference
from sluis.privacy.register_versions import archived, publish, since_before
from sluis.store.register_events import RegisterEvents
from tests.conftest import Database
from tests.privacy.registers import PACKAGE, category, register, write

OTHER = {"nl": "een ander", "en": "another"}


def trigger(**other: Any) -> dict[str, Any]:
    return {"event": {"nl": "de laatste boeking", "en": "the last booking"}, "column": "last_booked_on", **other}


@pytest.mark.parametrize(
    ("change", "kind", "worse", "says"),
    [
        ({"period": "P25M"}, Kind.PERIOD_LONGER, True, "25 months after the last booking (was: 24 months"),
        ({"period": "P12M"}, Kind.PERIOD_SHORTER, False, "12 months"),
        ({"period": None, "trigger": None}, Kind.PERIOD_LONGER, True, "as long as the contract"),
        ({"trigger": trigger(rounded="quarter")}, Kind.COUNTED_FROM, True, "the end of the last booking"),
        ({"trigger": trigger(column="created_at")}, Kind.COUNTED_FROM, True, "Counts differently"),
        ({"contract_end": "P60D"}, Kind.CONTRACT_END_LONGER, True, "60 days (was: 30 days)"),
        ({"contract_end": "P10D"}, Kind.CONTRACT_END_SHORTER, False, "10 days"),
        ({"recipients": [PACKAGE, OTHER]}, Kind.RECIPIENT_ADDED, True, "another"),
        ({"recipients": []}, Kind.RECIPIENT_REMOVED, False, "the accounting package"),
        ({"purposes": ["same_debtor", "support"]}, Kind.PURPOSE_ADDED, True, "support"),
        ({"subjects": ["customer", "merchant"]}, Kind.SUBJECT_ADDED, True, "merchants"),
        ({"subjects": []}, Kind.SUBJECT_REMOVED, False, "customers"),
        ({"data": "personal"}, Kind.DATA, True, "personal data (was: personal data under a pseudonym"),
        ({"data": "business"}, Kind.DATA, False, "business data"),
        ({"role": "controller"}, Kind.ROLE, True, "controller (was: processor)"),
        ({"basis": OTHER}, Kind.BASIS, False, "another (was: instruction)"),
        ({"method": "by_others"}, Kind.METHOD, True, "not by this program"),
        ({"method": "empty_columns"}, Kind.METHOD, False, "fields emptied"),
        ({"shorten": True}, Kind.CHOICE, False, "may now choose"),
        ({"how": OTHER}, Kind.WORDING, False, "Described differently"),
        (
            {"places": [{"table": "debtor_link", "columns": ["customer_key", "debtor_id", "name"]}]},
            Kind.FIELD_ADDED, True, "debtor_link.name",
        ),
        (
            {"places": [{"table": "debtor_link", "columns": ["customer_key"]}]},
            Kind.FIELD_REMOVED, False, "debtor_link.debtor_id",
        ),
    ],
)  # fmt: skip
def test_one_change(change: dict[str, Any], kind: Kind, worse: bool, says: str) -> None:
    found = difference(register(), register(category(**change), version=2))
    assert [(c.kind, c.worse, c.category) for c in found.changes] == [(kind, worse, "debtor_link")]
    assert says in found.changes[0].words.en
    assert found.changes[0].words.nl != found.changes[0].words.en or kind is Kind.FIELD_REMOVED
    assert found.worse == worse


def test_the_same_written_otherwise_is_no_change() -> None:
    assert difference(register(), register(category(period="P2Y"), version=2)).changes == ()


def test_categories_come_and_go() -> None:
    nobody = category("rates", data="none", subjects=[], method="never", period=None, trigger=None)
    new = register(category(), category("photo"), nobody, version=2)
    found = {c.category: (c.kind, c.worse) for c in difference(register(), new).changes}
    assert found == {"photo": (Kind.CATEGORY_ADDED, True), "rates": (Kind.CATEGORY_ADDED, False)}
    gone = [(c.kind, c.category, c.worse) for c in difference(new, register(version=3)).changes]
    assert (Kind.CATEGORY_REMOVED, "photo", False) in gone
    assert not any(worse for *_, worse in gone)


@pytest.mark.parametrize(("period", "worse"), [("P36M", True), ("P24M", False), ("P6M", False)])
def test_a_field_that_moves_is_worse_off_where_it_stays_longer(period: str, worse: bool) -> None:
    place = {"places": [{"table": "other", "columns": ["customer_key", "debtor_id"]},
                        {"table": "debtor_link", "columns": ["debtor_id"]}]}  # fmt: skip
    before = register(category(), category("other", period=period))
    after = register(
        category(places=[{"table": "debtor_link", "columns": ["customer_key"]}]),
        category("other", period=period, **place), version=2,
    )  # fmt: skip
    moved = [c for c in difference(before, after).changes if c.kind is Kind.FIELD_MOVED]
    assert [(c.category, c.worse) for c in moved] == [("other", worse)]
    assert "debtor_link.debtor_id" in moved[0].words.nl


def test_the_backup_window_and_the_first_version() -> None:
    (change,) = difference(register(), register(version=2, backup_window="P60D")).changes
    assert (change.kind, change.category, change.worse) == (Kind.BACKUP_WINDOW_LONGER, None, True)
    assert difference(None, register()).before is None


def test_the_register_of_the_repository_follows_its_archive() -> None:
    earlier = archived(register_path())
    assert since_before(register_path()).before == (max(earlier) if earlier else None)


@pytest.mark.parametrize(
    ("current", "files", "says"),
    [
        (2, {}, "registers/1.yaml"),
        (3, {"2": 2}, "registers/1.yaml"),
        (1, {"1": 1}, "version 2"),
        (2, {"1": 1, "5": 5}, "version 6"),
        (2, {"1": 3}, "holds version 3"),
    ],
)
def test_an_archive_with_a_gap_is_refused(tmp_path: Path, current: int, files: dict[str, int], says: str) -> None:
    write(tmp_path / "register.yaml", version=current)
    for name, version in files.items():
        write(tmp_path / "registers" / f"{name}.yaml", version=version)
    with pytest.raises(NotConfigured, match=says) as raised:
        archived(tmp_path / "register.yaml")
    assert raised.value.code == "register_archive"


@pytest.mark.postgres
def test_a_version_comes_into_force_once_and_never_changes(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "register.yaml"
    first = write(path)
    with database.owner() as conn:
        event, new = publish(conn, path)
        assert new
        assert event.citation == f"register-1 of 2026-11-24 sha256:{first.sha256}"
        assert publish(conn, path) == (event, False)
        write(path, category(period="P36M"))
        with pytest.raises(NotConfigured, match="next version") as raised:
            publish(conn, path)
        assert raised.value.code == "register_changed"
        write(path, category(period="P36M"), version=2)
        write(tmp_path / "registers" / "1.yaml", category(period="P1M"))  # not what was in force
        with pytest.raises(NotConfigured) as raised:
            publish(conn, path)
        assert raised.value.code == "register_changed"
        write(tmp_path / "registers" / "1.yaml")
        second, new = publish(conn, path)
        assert new
        assert [c.kind for c in second.difference.changes] == [Kind.PERIOD_LONGER]
        assert [e.version for e in RegisterEvents(conn).list()] == [1, 2]
        write(tmp_path / "older" / "register.yaml")
        with pytest.raises(NotConfigured) as raised:
            publish(conn, tmp_path / "older" / "register.yaml")
        assert raised.value.code == "register_older"

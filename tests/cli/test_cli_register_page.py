"""``sluis register page|diff|publish|events`` and ``sluis merchant period``."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluis.privacy.register import REGISTER
from sluis.store.database import OWNER_URL
from tests.cli.runner import new_merchant, ok, ok_json, run
from tests.conftest import Database
from tests.privacy.registers import category, write


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small register in the place of the repository's, with a category that may be shortened."""
    path = tmp_path / "register.yaml"
    write(path, category(shorten=True, shortest="P1M"), category("fixed"))
    monkeypatch.setenv(REGISTER, str(path))
    return path


def test_the_page_without_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(OWNER_URL, raising=False)
    file = tmp_path / "page.html"
    assert str(file) in ok("register", "page", "--output", str(file))
    text = file.read_text(encoding="utf-8")
    assert "niet bekend" in text
    assert 'lang="en"' in text
    assert ok("register", "page", "--language", "en").startswith('<!doctype html>\n<html lang="en">')
    refused = run("register", "page", "--output", str(tmp_path / "nowhere" / "page.html"))
    assert refused.exit_code == 1
    assert "cannot be written" in refused.stderr
    assert run("register", "page", "--merchant", "m7f3k").exit_code == 1


@pytest.mark.postgres
def test_the_page_tells_the_holds_in_force(database: Database, register: Path) -> None:
    merchant, other = new_merchant(), new_merchant()
    with database.owner() as conn:
        conn.execute(
            """insert into sluis.hold (merchant_code, reason, owner, ends_on, released_at) values
            (%(one)s, 'dispute', 'desk', current_date + 9, null),
            (%(other)s, 'dispute', 'desk', current_date + 9, null),
            (%(one)s, 'dispute', 'desk', current_date + 9, now()),
            (%(one)s, 'dispute', 'desk', current_date - 9, null)""",
            {"one": merchant, "other": other},
        )
    assert "there were 2 holds in force" in ok("register", "page", "--language", "en")
    assert "there was 1 hold in force" in ok("register", "page", "--language", "en", "--merchant", merchant)


def test_diff(register: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    write(new, category(shorten=True, shortest="P1M", period="P36M"), category("fixed"), version=2)
    told = ok("register", "diff", str(register), str(new))
    assert "register 1 -> 2: 1 change(s), 1 to the disadvantage of a person" in told
    assert "36 months after the last booking" in told
    found = ok_json("register", "diff", str(new))
    assert [(c["kind"], c["worse"]) for c in found["changes"]] == [("period_shorter", False)]


@pytest.mark.postgres
def test_publishing_twice_is_publishing_once(database: Database, register: Path) -> None:
    assert "no register was published yet" in ok("register", "events")
    cited = ok("register", "publish").splitlines()
    assert cited[0].startswith("register-1 of 2026-11-24 sha256:")
    assert "the first version" in cited[1]
    again = ok("register", "publish").splitlines()
    assert again[0] == cited[0]
    assert "already in force" in again[1]
    (event,) = ok_json("register", "events")
    assert event["version"] == 1
    assert cited[0] in ok("register", "events")
    write(register, category(period="P36M"))
    refused = run("register", "publish")
    assert refused.exit_code == 1
    assert "register_changed" in refused.stderr


@pytest.mark.postgres
def test_a_merchants_own_period(database: Database, register: Path) -> None:
    merchant = new_merchant()
    assert "no own periods" in ok("merchant", "period", "list")
    assert "P12M (the register: P24M)" in ok("merchant", "period", "set", merchant, "debtor_link", "P12M")
    assert [own["period"] for own in ok_json("merchant", "period", "list", merchant)] == ["P12M"]
    page = ok("register", "page", "--merchant", merchant, "--language", "nl")
    assert "12 maanden na de laatste boeking" in page
    assert "het register zegt: 24 maanden" in page
    assert "12 maanden" not in ok("register", "page", "--language", "nl")
    for words, code in (
        (("debtor_link", "P36M"), "period_too_long"), (("debtor_link", "P1D"), "period_too_short"),
        (("fixed", "P1M"), "period_fixed"), (("nothing", "P1M"), "category_unknown"),
        (("debtor_link", "a year"), "period_impossible"),
    ):  # fmt: skip
        refused = run("merchant", "period", "set", merchant, *words)
        assert refused.exit_code == 1
        assert code in refused.stderr
    ok("merchant", "period", "reset", merchant, "debtor_link")
    assert ok_json("merchant", "period", "list") == []

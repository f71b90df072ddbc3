"""The register's own file: what it must hold, and every way in which one can be wrong, with the message for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sluis.errors import NotConfigured
from sluis.privacy import register_schema
from sluis.privacy.register import Purpose, Register, read_register, register_path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "config" / "register.yaml"
#: Categories by which other parts of sluis know the register.
KNOWN = {
    "order_in_transit", "credentials", "merchant_account", "merchant_key", "integration_settings", "booking_key",
    "booking_amounts", "payment_key", "debtor_link", "quarantine_open", "quarantine_closed", "settled_by_hand",
    "vat_number_check",
    "run_report", "reconciliation", "limiter", "notices", "merchant_periods", "own_invoicing", "statistics_input",
    "statistics_refusals", "statistics_releases",
    "retention_runs", "deletion_certificates", "checkpoints", "holds", "tombstones", "register_events",
    "schema_version", "airflow_database", "task_logs", "process_logs", "ubl_files", "backups", "postgres_log",
    "write_ahead_log", "deletions_log", "registry_cache",
}  # fmt: skip
#: The longest that DESIGN.md and the original allow (knowledge/peers.md).
LONGEST = {
    "order_in_transit": "PT24H", "booking_amounts": "P45D", "booking_key": "P24M", "debtor_link": "P24M",
    "run_report": "P15M", "task_logs": "P45D", "airflow_database": "P30D", "own_invoicing": "P7Y",
}  # fmt: skip


@pytest.fixture
def published() -> Register:
    return read_register(FILE).register_


def raw() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def category(data: Any, name: str) -> Any:
    return next(each for each in data["categories"] if each["id"] == name)


def refused(folder: Path, text: str) -> str:
    """Read a register that is wrong and return the message."""
    path = folder / "register.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotConfigured) as caught:
        read_register(path)
    assert caught.value.code == "register_wrong"
    return str(caught.value)


def test_the_categories_that_others_know_are_there_and_no_period_is_longer_than_promised(published: Register) -> None:
    assert {each.id for each in published.categories} >= KNOWN
    assert {name: published.category(name).period for name in LONGEST} == LONGEST
    amounts = published.category("booking_amounts")
    assert amounts.trigger is not None
    assert amounts.trigger.rounded == "quarter"
    assert published.category("credentials").contract_end == "P30D"
    assert published.category("booking_key").contract_end == "P30D"


def test_purposes_are_those_of_the_source_and_what_the_law_adds(published: Register) -> None:
    used = {purpose for each in published.categories for purpose in each.purposes}
    assert used == set(Purpose)
    invoicing = {each.id for each in published.categories if Purpose.OWN_INVOICING in each.purposes}
    assert invoicing == {"own_invoicing", "merchant_account"}
    assert all(published.category(name).role == "controller" for name in invoicing)


def test_a_processors_basis_is_the_instruction_and_a_controllers_an_article_of_its_own(published: Register) -> None:
    for each in published.categories:
        if each.role == "processor":
            assert "article 28" in each.basis.en, each.id
            assert "artikel 28" in each.basis.nl, each.id
        elif each.data != "none":
            assert re.search(r"6\(1\)\([bcf]\)", each.basis.en), each.id
            assert "artikel 6 lid 1 onder" in each.basis.nl, each.id


def test_what_says_something_of_a_person_ends(published: Register) -> None:
    """A category of personal or pseudonymous data has a period, an end with the contract, or somebody who ends it."""
    endless = {
        each.id
        for each in published.categories
        if each.data in ("personal", "pseudonymous") and not each.period and not each.contract_end
    }
    assert endless == {"airflow_accounts"}, "an administrator ends these"
    assert published.category("airflow_accounts").method.value == "by_others"
    never = [each for each in published.categories if each.method.value == "never"]
    assert {each.data for each in never} == {"none"}


def test_every_text_is_in_two_languages_and_none_is_a_copy(published: Register) -> None:
    for each in published.categories:
        texts = [each.what, each.basis, *each.recipients, *([each.how] if each.how else [])]
        texts += [each.trigger.event] if each.trigger else []
        for words in texts:
            assert words.nl != words.en, each.id
            assert len(words.nl) < 260, each.id
            assert not re.search(r"\b(the|and|with|zie|TODO)\b", words.nl), (each.id, words.nl)
            assert not re.search(r"\b(de|het|een|van|niet)\b", words.en), (each.id, words.en)


def test_lines_of_the_file_can_be_read() -> None:
    assert max(len(line) for line in FILE.read_text(encoding="utf-8").splitlines()) <= 120


def test_the_schema_beside_it_is_the_one_of_the_models_and_the_register_keeps_it() -> None:
    kept = (ROOT / "config" / "register.schema.json").read_text(encoding="utf-8")
    assert kept == register_schema.render(), "run python -m sluis.privacy.register_schema > config/register.schema.json"
    judge = jsonschema.Draft202012Validator(json.loads(kept))
    plain = json.loads(json.dumps(raw(), default=str))
    assert [error.message for error in judge.iter_errors(plain)] == []
    plain["categories"][0]["kept_for"] = "P1D"
    assert "kept_for" in next(iter(judge.iter_errors(plain))).message


def test_it_is_found_in_the_repository_or_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SLUIS_REGISTER", raising=False)
    assert register_path() == FILE
    other = tmp_path / "register.yaml"
    monkeypatch.setenv("SLUIS_REGISTER", str(other))
    with pytest.raises(NotConfigured, match="SLUIS_REGISTER names no file"):
        register_path()
    other.write_bytes(FILE.read_bytes())
    assert register_path() == other


def test_the_hash_is_of_the_file_to_the_byte(tmp_path: Path) -> None:
    before = read_register(FILE).sha256
    path = tmp_path / "register.yaml"
    path.write_bytes(FILE.read_bytes() + b"# one remark\n")
    assert read_register(path).sha256 != before
    assert read_register(path).register_ == read_register(FILE).register_


def _unknown_field(data: Any) -> None:
    category(data, "debtor_link")["kept_for"] = "P24M"


def _no_period(data: Any) -> None:
    category(data, "debtor_link")["period"] = "24 months"


def _too_long(data: Any) -> None:
    category(data, "debtor_link")["period"] = "P99Y"


def _empty_period(data: Any) -> None:
    category(data, "debtor_link")["period"] = "P"


def _column_twice(data: Any) -> None:
    category(data, "booking_key")["places"][0]["columns"].append("order_number")


def _no_contract_end(data: Any) -> None:
    del category(data, "debtor_link")["contract_end"]


def _no_trigger(data: Any) -> None:
    del category(data, "debtor_link")["trigger"]


def _no_reason_for_rows(data: Any) -> None:
    del category(data, "debtor_link")["how"]


def _two_of_one_id(data: Any) -> None:
    category(data, "debtor_link")["id"] = "limiter"


def _two_places_in_one(data: Any) -> None:
    category(data, "debtor_link")["places"][0]["files"] = "sluis_home/*"


def _shortest_is_longer(data: Any) -> None:
    category(data, "debtor_link")["shortest"] = "P25M"


def _unknown_method(data: Any) -> None:
    category(data, "debtor_link")["method"] = "shred"


def _one_language(data: Any) -> None:
    del category(data, "debtor_link")["what"]["nl"]


def _subject_of_nothing(data: Any) -> None:
    category(data, "checkpoints")["subjects"] = ["customer"]


def _tables_of_no_third(data: Any) -> None:
    category(data, "debtor_link")["places"][0]["tables"] = ["dag"]


def _no_categories(data: Any) -> None:
    data["categories"] = []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_field, "category debtor_link: unknown field"),
        (_no_period, "category debtor_link, period: .*should match pattern"),
        (_too_long, "category debtor_link, period: a period is at most 30 years"),
        (_empty_period, "category debtor_link, period: a period is an ISO 8601 duration"),
        (_column_twice, r"a column stands in two categories.*\(booking.order_number\)"),
        (_no_contract_end, "category debtor_link: what we hold as processor .*contract_end is missing"),
        (_no_trigger, "category debtor_link: a period needs a trigger"),
        (_no_reason_for_rows, "category debtor_link: delete_rows needs `how`"),
        (_two_of_one_id, "two categories have one id"),
        (_two_places_in_one, "category debtor_link, places.0: a place is a table, files or a third place"),
        (_shortest_is_longer, "category debtor_link: `shortest` is longer than the period"),
        (_unknown_method, "category debtor_link, method: Input should be 'drop_partition'"),
        (_one_language, "category debtor_link, what.nl: Field required"),
        (_subject_of_nothing, "category checkpoints: what says nothing of a person has no subjects"),
        (_tables_of_no_third, "category debtor_link, places.0: `tables` are those of a third place"),
        (_no_categories, "categories: Tuple should have at least 1 item"),
    ],
)
def test_a_wrong_register_is_refused_with_its_place(
    tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    data = raw()
    change(data)
    assert re.search(message, refused(tmp_path, yaml.safe_dump(data))), refused(tmp_path, yaml.safe_dump(data))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "register is wrong: register: "),
        ("- 1", "register is wrong: register: "),
        ("version: [", "the register is not YAML at line 1"),
        ("version: 1\nversion: 2\n", "the register has a field twice in one place at line 1"),
        ("version: 1\ndate: 2026-02-30\n", "the register is not YAML"),
        ("version: !!python/object/apply:os.getcwd []\n", "the register is not YAML at line 1"),
        ("categories:\n- 3\n", "categories.0: "),
    ],
)
def test_what_is_no_register_at_all_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_a_register_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"register none\.yaml cannot be read"):
        read_register(tmp_path / "none.yaml")

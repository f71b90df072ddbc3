"""Bad input gets one clear line and the right exit code; nothing is stored by halves, and no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluis.cli import files
from sluis.core.invoice import DocumentKind
from sluis.flows.integrations import credential_fields
from sluis.privacy.keyring import Keyring
from sluis.store.credentials import Credentials
from sluis.store.integrations import Integrations
from sluis.store.quarantine import Quarantine
from sluis.store.server import SUPERUSER, LocalServer
from tests.cli.runner import new_merchant, ok, ok_json, run
from tests.conftest import Database

pytestmark = pytest.mark.postgres
SECRET = "cs_never_shown_to_anybody"
SETTINGS: dict[str, Any] = {"package": {"administration_id": "123"}}
CREDENTIALS: dict[str, Any] = {
    "shop": {"consumer_key": "ck_x", "consumer_secret": SECRET},
    "package": {"token": "token-x"},
}


def add(merchant: str, folder: Path, settings: Any = SETTINGS, credentials: Any = CREDENTIALS, *more: str) -> Any:
    (folder / "settings.yaml").write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
    (folder / "credentials.yaml").write_text(yaml.safe_dump(credentials))
    return run(
        "integration", "add", merchant, "--shop", "woocommerce", "--package", "moneybird", "--start-date", "2026-11-01",
        "--shop-url", "https://shop.example.com", "--settings", str(folder / "settings.yaml"),
        "--credentials", str(folder / "credentials.yaml"), *more,
    )  # fmt: skip


def one_line(result: Any, code: str, *words: str) -> None:
    """Assert that the command failed with one line on stderr that has this code and these words; no secret is shown."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"sluis: [{code}]")
    assert [word for word in words if word not in result.stderr] == []
    assert SECRET not in result.output


def test_a_store_that_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUIS_DATABASE_URL", raising=False)
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    one_line(run("merchant", "list"), "not_configured", "SLUIS_DATABASE_URL")
    one_line(run("migrate"), "not_configured", "SLUIS_DATABASE_URL")


def test_a_store_that_was_never_migrated(monkeypatch: pytest.MonkeyPatch, postgres: LocalServer) -> None:
    monkeypatch.setenv("SLUIS_DATABASE_URL", postgres.dsn("postgres", SUPERUSER))
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    one_line(run("merchant", "list"), "store_refused", "run `sluis migrate`")
    one_line(run("quarantine", "list"), "store_refused", "run `sluis migrate`")


def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLUIS_DATABASE_URL", f"postgresql://nobody@/nothing?host={tmp_path}&password={SECRET}")
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    one_line(run("merchant", "list"), "database_away", "is it running?")


def test_keys_that_are_not_there(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUIS_KEYS")
    one_line(run("merchant", "add", "Voorbeeld"), "keys_missing", "sluis keys generate")


def test_wrong_settings_name_every_field(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    wrong = {"package": {"administration_id": "123"}, "currency": "euro", "interval_minutes": 1, "colour": "red"}
    one_line(add(merchant, tmp_path, wrong), "settings_wrong",
             "settings.currency", "settings.interval_minutes",
             "settings: unknown field(s); known: start_date, timezone,")  # fmt: skip
    one_line(add(merchant, tmp_path, {"package": {"administration_id": "twelve"}}), "settings_wrong",
             "settings.package.administration_id")  # fmt: skip
    one_line(add(merchant, tmp_path, {"package": {"administration_id": 123}}), "settings_wrong",
             "settings.package.administration_id", "between quotes")  # fmt: skip
    one_line(add(merchant, tmp_path, {}), "settings_wrong", "administration_id")
    one_line(add(merchant, tmp_path, "a: [1"), "not_configured", "is not YAML, line")
    assert ok_json("integration", "list") == []


@pytest.mark.parametrize("key", ["S 21", "21 NL", "S 21.0 NL", "s 21 NL", "S 21 nl", "S21NL", "X 21 NL", "S 021 NL"])
def test_a_misspelt_name_of_a_tax_rate_is_refused_with_the_right_form(
    database: Database, tmp_path: Path, key: str
) -> None:
    wrong = {**SETTINGS, "mapping": {"tax_rates": {key: "1"}}}
    one_line(add(new_merchant(), tmp_path, wrong), "settings_wrong", "settings.mapping.tax_rates:", "'S 21 NL'")


def test_wrong_credentials_leave_nothing_behind(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    one_line(add(merchant, tmp_path, SETTINGS, {"shop": {"consumer_secret": SECRET}, "package": {"token": "t"}}),
             "credentials_wrong", "credentials.shop.consumer_key")  # fmt: skip
    one_line(add(merchant, tmp_path, SETTINGS, {"shop": CREDENTIALS["shop"]}), "credentials_wrong", "package.token")
    one_line(add(merchant, tmp_path, SETTINGS, {**CREDENTIALS, SECRET: {}, 7: {}}), "not_configured", "no other")
    one_line(add(merchant, tmp_path, SETTINGS, {**CREDENTIALS, "package": {"token": "t", SECRET: "x"}}),
             "credentials_wrong", "credentials.package: unknown field(s); known: token")  # fmt: skip
    one_line(add(merchant, tmp_path, SETTINGS, {**CREDENTIALS, "package": {"token": 12}}), "not_configured", "quotes")
    assert ok_json("integration", "list") == []


def test_credentials_are_never_asked_of_a_pipe(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    result = run("integration", "add", merchant, "--shop", "woocommerce", "--package", "moneybird",
                 "--start-date", "2026-11-01", stdin="")  # fmt: skip
    one_line(result, "credentials_missing", "--credentials")


def test_credentials_are_asked_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool) -> str:
        asked.append((text, hide_input))
        return f"answer {len(asked)}"

    monkeypatch.setattr(files.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(files.typer, "prompt", prompt)
    given = files.read_credentials(None, credential_fields("woocommerce", "moneybird"))
    assert given == {
        "shop": {"consumer_key": "answer 1", "consumer_secret": "answer 2"}, "package": {"token": "answer 3"}
    }  # fmt: skip
    assert [hidden for _, hidden in asked] == [True, True, True]


def test_no_option_takes_a_secret() -> None:
    from tests.cli.test_cli_help import COMMANDS

    names = {parameter.name for command in COMMANDS.values() for parameter in command.params}
    assert not [name for name in names if name and any(word in name for word in ("secret", "token", "password"))]


@pytest.mark.parametrize("missing", ["--start-date", "--shop", "--package"])
def test_what_add_cannot_do_without(missing: str) -> None:
    given = {"--shop": "woocommerce", "--package": "moneybird", "--start-date": "2026-11-01"}
    given.pop(missing)
    result = run("integration", "add", "mbcdf", *[word for pair in given.items() for word in pair])
    assert result.exit_code == 2
    assert missing in result.stderr


def test_unknown_names(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    one_line(run("integration", "show", merchant, "nothing"), "integration_unknown", "sluis integration list")
    one_line(run("merchant", "end", "mxxxx", "--yes"), "merchant_unknown", "sluis merchant list")
    one_line(run("integration", "add", merchant, "--shop", "woo", "--package", "moneybird", "--start-date",
                 "2026-11-01", "--credentials", "-", stdin="{}"), "unknown_shop", "woocommerce")  # fmt: skip
    one_line(add("mxxxx", tmp_path), "not_configured", "mxxxx")
    one_line(add(merchant, tmp_path, SETTINGS, CREDENTIALS, "--code", "Not A Code"), "settings_wrong", "settings.code")
    assert add(merchant, tmp_path, SETTINGS, CREDENTIALS, "--code", "mine").exit_code == 0
    one_line(add(merchant, tmp_path, SETTINGS, CREDENTIALS, "--code", "mine"), "code_taken", "mine")


def test_a_period_the_wrong_way_round(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path)
    one_line(run("integration", "preview", merchant, "woocommerce_moneybird", "--from", "2026-11-02", "--to",
                 "2026-11-01"), "period", "--from")  # fmt: skip


def test_settings_change_by_a_merge_patch(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path, {**SETTINGS, "mapping": {"tax_rates": {"S 21 NL": "1", "S 9 NL": "2"}}})
    code = "woocommerce_moneybird"
    patch = tmp_path / "patch.yaml"

    patch.write_text(yaml.safe_dump({"overlap_minutes": 30, "mapping": {"tax_rates": {"S 9 NL": None, "Z 0 NL": "3"}}}))
    changed = ok_json("integration", "set", merchant, code, "--settings", str(patch))
    assert (changed["settings_version"], changed["fields"]) == (2, ["overlap_minutes", "mapping"])
    settings = ok_json("integration", "show", merchant, code)["settings"]
    assert settings["mapping"]["tax_rates"] == {"S 21 NL": "1", "Z 0 NL": "3"}
    assert settings["overlap_minutes"] == 30
    assert settings["start_date"] == "2026-11-01"

    patch.write_text("overlap_minutes: null\n")
    ok("integration", "set", merchant, code, "--settings", str(patch))
    assert ok_json("integration", "show", merchant, code)["settings"]["overlap_minutes"] == 10
    patch.write_text("start_date: null\n")
    one_line(run("integration", "set", merchant, code, "--settings", str(patch)), "settings_wrong", "start_date")
    patch.write_text("package: {administration_id: '999'}\n")
    one_line(run("integration", "set", merchant, code, "--settings", str(patch)), "administration_fixed", "another")
    assert ok_json("integration", "list")[0]["settings_version"] == 3


def test_settings_that_book_more_say_from_where_the_shop_is_read_again(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path)
    with database.owner() as conn:
        conn.execute("update sluis.integration set watermark = now()")
    patch = tmp_path / "patch.yaml"
    patch.write_text("start_date: 2026-10-01\n")
    said = ok("integration", "set", merchant, "woocommerce_moneybird", "--settings", str(patch))
    assert "reads again from 2026-09-30 22:00 UTC" in said  # midnight in Amsterdam
    patch.write_text("overlap_minutes: 30\n")
    assert "reads again" not in ok("integration", "set", merchant, "woocommerce_moneybird", "--settings", str(patch))


def test_quarantine_is_listed_by_reason_and_offered(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path)
    code = "woocommerce_moneybird"
    with database.owner() as conn:
        waiting = Quarantine(conn, Integrations(conn).get(merchant, code))
        for number, reason in ((1, "mapping_missing"), (2, "mapping_missing"), (3, "untaxed_line")):
            waiting.put(kind=DocumentKind.INVOICE, document_key=bytes([number]) * 32, shop_order_id=f"90{number}",
                        order_number=f"100{number}", reason=reason, field="lines[0].vat", currency="EUR",
                        total_cents=1210 * number)  # fmt: skip

    groups = ok_json("quarantine", "list", "--merchant", merchant)
    assert [(g["reason"], g["documents"], g["totals"]) for g in groups] == [
        ("mapping_missing", 2, {"EUR": "36.30"}), ("untaxed_line", 1, {"EUR": "36.30"})
    ]  # fmt: skip
    table = ok("quarantine", "list")
    assert "mapping_missing: 2 document(s), 36.30 EUR" in table
    assert "Fill the named tax rate" in table
    assert "1003" in table
    assert "903" not in table, "the shop's own id is guessable and stays in the store"
    assert "1003" not in ok("quarantine", "list", "--reason", "mapping_missing")

    assert run("quarantine", "offer", merchant, code).exit_code == 2
    assert run("quarantine", "offer", merchant, code, "1001", "--all").exit_code == 2
    partly = run("quarantine", "offer", merchant, code, "1003", "9999", "--json")
    told = {"offered": 1, "waiting": 3, "unknown": ["9999"], "reduced": []}
    assert (partly.exit_code, json.loads(partly.stdout)) == (1, told)
    none = run("quarantine", "offer", merchant, code, "9999")
    assert none.exit_code == 1
    assert "nothing that waits is called 9999" in none.stdout
    assert ok_json("quarantine", "offer", merchant, code, "--reason", "mapping_missing")["offered"] == 2
    assert {g["offered"] for g in ok_json("quarantine", "list")} == {1, 2}
    one_line(run("quarantine", "list", "--merchant", merchant, "--integration", "nothing"), "integration_unknown")
    one_line(run("quarantine", "list", "--merchant", "nope"), "merchant_unknown", "nope")
    one_line(run("quarantine", "list", "--integration", "nothing"), "integration_unknown", "nothing")


def test_what_a_person_settled_is_closed_and_stays_closed(database: Database, tmp_path: Path) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path)
    code = "woocommerce_moneybird"
    invoice, note = DocumentKind.INVOICE, DocumentKind.CREDIT_NOTE

    def come(number: int, kind: DocumentKind, cents: int, reason: str = "refund_without_lines") -> None:
        with database.owner() as conn:
            Quarantine(conn, Integrations(conn).get(merchant, code)).put(
                kind=kind, document_key=bytes([number]) * 32, shop_order_id="901", order_number="1001", reason=reason,
                currency="EUR", total_cents=cents,
            )  # fmt: skip

    def waiting() -> dict[str, str]:
        return {i["item"]: i["total"] for g in ok_json("quarantine", "list") for i in g["items"]}

    for number, kind, cents in ((1, invoice, 5000), (2, note, -1000), (3, note, -1000)):
        come(number, kind, cents)
    assert waiting() == {"q-01010101": "50.00", "q-02020202": "-10.00", "q-03030303": "-10.00"}
    assert "q-03030303" in ok("quarantine", "list")
    assert "credit note" in ok("quarantine", "list")

    close = ("quarantine", "close", merchant, code)
    one_line(run(*close, "1001", "--as", "booked_by_hand"), "several_wait", "q-01010101 (invoice", "q-03030303 (credit")
    one_line(run(*close, "q-02020202", "9999", "--as", "booked_by_hand"), "nothing_waits", "9999")
    assert len(waiting()) == 3, "all or none"
    assert run(*close, "q-02020202", "--as", "forgotten").exit_code == 2
    done = ok_json(*close, "q-02020202", "q-03030303", "--as", "booked_by_hand")
    assert [i["item"] for i in done["closed"]] == ["q-02020202", "q-03030303"]
    assert done["waiting"] == 1
    assert "order 1001 is closed as gone" in ok(*close, "1001", "--as", "gone")
    assert waiting() == {}

    for number, kind, cents in ((1, invoice, 5000), (2, note, -1000), (3, note, -1500)):
        come(number, kind, cents)
    assert waiting() == {"q-01010101": "50.00", "q-03030303": "-15.00"}, "gone is back; one total is another now"
    ok(*close, "q-03030303", "--as", "not_to_be_booked")
    come(3, note, -1500)
    assert "q-03030303" not in waiting()
    come(3, note, -1500, reason="refund_differs")
    assert "q-03030303" in waiting()


def test_keys_rotate_on_a_live_store(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merchant = new_merchant()
    add(merchant, tmp_path)
    new = ok("keys", "generate").strip()
    monkeypatch.setenv("SLUIS_KEYS", f"{new},{database.keys}")
    assert [(k["role"], k["opens"]) for k in ok_json("keys", "list")] == [("primary", 0), ("older", 3)]
    assert ok_json("keys", "rotate") == {"resealed": 3, "primary_key": new.split(":")[0]}
    assert [(k["role"], k["opens"]) for k in ok_json("keys", "list")] == [("primary", 3), ("older", 0)]

    monkeypatch.setenv("SLUIS_KEYS", new)  # the older key is gone, and nothing needs it
    with database.owner() as conn:
        stored = Credentials(conn, Keyring.from_environment()).get(merchant, "woocommerce_moneybird", "shop")
    assert stored == CREDENTIALS["shop"]
    monkeypatch.setenv("SLUIS_KEYS", Keyring.generate())
    lost = run("keys", "list", "--json")
    assert lost.exit_code == 1
    assert '"absent"' in lost.stdout
    assert SECRET not in lost.output


def test_migrate_says_where_the_store_stands(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUIS_DATABASE_URL", empty_database)
    assert "was empty" in ok("migrate")
    assert "was" not in ok("migrate")

"""From ``merchant add`` to ``go-live``, and a cut-over with ``adopt``, on the command line against a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sluis.core.invoice import DocumentKind
from sluis.flows import sync
from sluis.flows.context import RunRequest
from sluis.flows.wiring import open_session
from sluis.sandbox.server import SandboxServer
from sluis.store.bookings import BookingState
from sluis.store.credentials import Credentials
from sluis.store.database import rows
from sluis.store.integrations import Integrations, IntegrationState
from tests.cli.runner import BOOKS, NAME, SHOP, Office, new_merchant, ok, ok_json, run, sandbox
from tests.conftest import Database

pytestmark = pytest.mark.postgres
TODAY = datetime.now(UTC).date()
START = TODAY - timedelta(days=40)
PERIOD = ("--from", START.isoformat(), "--to", TODAY.isoformat())


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with sandbox() as running:
        yield running


@pytest.fixture
def office(server: SandboxServer, tmp_path: Path, database: Database) -> Office:
    server.state.reset()
    return Office(server, tmp_path)


def accounts(office: Office, *codes: str) -> list[str]:
    """Return the ids of ledger accounts of the sandbox by their codes."""
    known = {a["account_id"]: a["id"] for a in office.server.state.ledger(BOOKS.id).chart.accounts.values()}
    return [known[code] for code in codes]


def mapped(office: Office, merchant: str, code: str) -> None:
    """Fill the mapping as a person would: the account of turnover by hand, the rest as proposed."""
    goods, rounding = accounts(office, "8000", "8900")
    ok("integration", "set", merchant, code, "--settings",
       office.file("map.yaml", {"mapping": {"revenue": {"goods": goods}, "rounding": rounding}}))  # fmt: skip
    ok("integration", "check", merchant, code, "--apply-mapping")


def looked_at(*arguments: str) -> Any:
    """Run with ``--json`` what finds something for a person to look at, and return what was printed."""
    result = run(*arguments, "--json")
    assert result.exit_code == 1, result.output
    return json.loads(result.stdout)


def book_by_hand(office: Office, order: Any, *, cents_more: int = 0, reference: str | None = None) -> str:
    """Book an order of the sandbox's shop as a bookkeeper did: one line with the whole total."""
    ledger = office.server.state.ledger(BOOKS.id)
    contact = ledger.create_contact({"company_name": "Verzameldebiteur"})
    rate = next(
        r["id"] for r in ledger.chart.rates.values() if Decimal(r["percentage"] or 0) == 21 and not r["country"]
    )
    total = Decimal(order.raw["total"]) + Decimal(cents_more) / 100
    day = datetime.fromisoformat(order.raw["date_paid"] or order.raw["date_created"]).date()
    made = ledger.create_invoice(
        {
            "contact_id": contact["id"],
            "reference": reference or str(order.raw["number"]),
            "date": day.isoformat(),
            "prices_are_incl_tax": True,
            "details_attributes": [
                {"description": "Bestelling", "price": f"{total:.2f}", "amount": "1", "tax_rate_id": rate,
                 "ledger_account_id": accounts(office, "8000")[0]}
            ],
        }
    )  # fmt: skip
    return str(made["id"])


def everything_stored(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table of the store, but for the limiter's counts of calls."""
    with database.owner() as conn:
        tables = rows(conn, "select tablename from pg_tables where schemaname = 'sluis' order by tablename")
        return {t["tablename"]: rows(conn, f"select * from sluis.{t['tablename']} order by 1, 2")
                for t in tables if t["tablename"] not in ("alembic_version", "limiter")}  # fmt: skip


def test_from_nothing_to_live(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    assert code == "woocommerce_moneybird"

    first = run("integration", "check", merchant, code, "--json")
    assert first.exit_code == 1
    refused = run("integration", "go-live", merchant, code)
    assert refused.exit_code == 1
    assert "check_missing" in refused.stderr
    assert "tax_rate_missing" in refused.stderr

    mapped(office, merchant, code)
    checked = ok_json("integration", "check", merchant, code)
    assert {finding["level"] for finding in checked["findings"]} <= {"ok", "warning"}
    assert ok_json("integration", "go-live", merchant, code)["state"] == "live"
    assert "wrong_state" in run("integration", "go-live", merchant, code).stderr
    assert ok_json("integration", "pause", merchant, code)["state"] == "paused"
    assert ok_json("integration", "resume", merchant, code)["state"] == "live"
    [line] = ok_json("integration", "list")
    assert (line["merchant"], line["state"], line["start_date"]) == (merchant, "live", START.isoformat())


def test_a_second_integration_gets_a_number_and_may_not_collide(office: Office) -> None:
    merchant = new_merchant()
    first = office.add(merchant, start=START.isoformat())
    second = office.add(merchant, start=START.isoformat(), filter_countries=["BE"])
    assert second == "woocommerce_moneybird_2"
    mapped_first = run("integration", "check", merchant, first, "--json")
    assert mapped_first.exit_code == 1
    assert '"reference_collision"' in mapped_first.stdout
    assert '"filters_overlap"' in mapped_first.stdout


def test_preview_shows_the_total_of_the_shop_and_writes_nothing(office: Office, database: Database) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    mapped(office, merchant, code)
    stored, booked = everything_stored(database), office.server.state.stats()["administrations"]

    found = ok_json("integration", "preview", merchant, code, *PERIOD)

    assert everything_stored(database) == stored
    assert office.server.state.stats()["administrations"] == booked
    shop = office.server.state.stats()["shops"][SHOP.code]
    assert found["orders"] == shop["orders"]
    assert sum(Decimal(t["total"]) for t in found["outcomes"]) * 100 == shop["orders_cents"] - shop["refunds_cents"]
    assert sum(t["documents"] for t in found["outcomes"]) == shop["orders"] + shop["refunds"]
    would = next(t for t in found["outcomes"] if t["result"] == "booked")
    assert sum(Decimal(v["taxable_amount"]) + Decimal(v["vat_amount"]) for v in found["vat"]) == Decimal(would["total"])
    assert {v["rate"] for v in found["vat"]} >= {"21", "9"}
    assert found["missing"] == []


def test_preview_names_the_settings_that_are_missing(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    found = ok_json("integration", "preview", merchant, code, *PERIOD)
    assert "mapping.tax_rates['S 21 NL']" in found["missing"]
    assert {t["reason"] for t in found["outcomes"]} >= {"mapping_missing"}
    assert not any(t["result"] == "booked" for t in found["outcomes"])
    assert "missing: mapping.tax_rates['S 21 NL']" in ok("integration", "preview", merchant, code, *PERIOD)


def test_a_preview_of_one_day_counts_refunds_by_their_own_day(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    book = office.server.state.shop(SHOP.code).book
    documents = 0
    for back in range(41):
        day = (TODAY - timedelta(days=back)).isoformat()
        found = ok_json("integration", "preview", merchant, code, "--from", day, "--to", day)
        documents += len(found["lines"])
    assert documents == len(book.orders) + len(book.refunds)


def test_adopt_links_what_was_booked_by_hand_and_nothing_else(office: Office, database: Database) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat(), reference_prefix="W-")
    mapped(office, merchant, code)
    lines = ok_json("integration", "preview", merchant, code, *PERIOD)["lines"]
    bookable = [line["order_number"] for line in lines if line["result"] == "booked" and line["kind"] == "invoice"]
    orders = {str(o.raw["number"]): o for o in office.server.state.shop(SHOP.code).book.orders.values()}
    plain, prefixed, other_total, twice = (orders[number] for number in bookable[:4])
    by_hand = {book_by_hand(office, plain), book_by_hand(office, prefixed, reference=f"W-{bookable[1]}")}
    book_by_hand(office, other_total, cents_more=1)
    book_by_hand(office, twice)
    book_by_hand(office, twice)
    book_by_hand(office, orders[bookable[5]], reference="uit een ander systeem")

    stored = everything_stored(database)
    dry = looked_at("integration", "adopt", merchant, code, *PERIOD, "--dry-run")
    assert everything_stored(database) == stored
    done = looked_at("integration", "adopt", merchant, code, *PERIOD)

    assert dry["totals"] == done["totals"]
    assert (dry["stored"], done["stored"]) == (0, 2)
    totals = {t["link"]: t for t in done["totals"]}
    assert totals["linked"]["documents"] == 2
    assert Decimal(totals["linked"]["total"]) == Decimal(plain.raw["total"]) + Decimal(prefixed.raw["total"])
    assert totals["different"]["documents"] == 1
    assert totals["ambiguous"]["documents"] == 1
    assert totals["other_number"]["documents"] == 1
    odd = {line["order_number"]: line["what"] for line in done["lines"] if line["kind"] == "invoice"}
    assert odd == {bookable[2]: "total", bookable[3]: "twice_in_books", bookable[5]: "same_total"}
    with open_session(merchant, code) as session:
        names, kind = session.pseudonyms, DocumentKind.INVOICE
        keys = [(kind, names.document_key(code, kind, str(order.raw["id"]))) for order in orders.values()]
        linked = session.bookings.latest(keys)
    assert {row.external_id for row in linked.values()} == by_hand
    assert all(row.state is BookingState.BOOKED and row.adopted for row in linked.values())

    again = looked_at("integration", "adopt", merchant, code, *PERIOD)
    assert {t["link"]: t["documents"] for t in again["totals"]}["already_linked"] == 2
    assert "linked" not in {t["link"] for t in again["totals"]}
    after = ok_json("integration", "preview", merchant, code, *PERIOD)
    assert {line["order_number"] for line in after["lines"] if line["result"] == "already_booked"} == set(bookable[:2])


def test_a_former_connectors_own_numbers_are_pointed_out_and_linked_by_a_pattern(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat(), reference_prefix="W-")
    mapped(office, merchant, code)
    lines = ok_json("integration", "preview", merchant, code, *PERIOD)["lines"]
    bookable = [line["order_number"] for line in lines if line["result"] == "booked" and line["kind"] == "invoice"]
    orders = {str(o.raw["number"]): o for o in office.server.state.shop(SHOP.code).book.orders.values()}
    for number in bookable[:3]:
        book_by_hand(office, orders[number], reference=f"WC-{number}")
    adopt = ("integration", "adopt", merchant, code, *PERIOD)

    found = looked_at(*adopt)
    pointed = {line["order_number"]: line["reference"] for line in found["lines"] if line["link"] == "other_number"}
    assert pointed.items() >= {number: f"WC-{number}" for number in bookable[:3]}.items()
    assert found["stored"] == 0, "never guessed"
    shown = run(*adopt)
    assert shown.exit_code == 1
    assert "--reference-pattern" in shown.stdout

    wrong = run(*adopt, "--reference-pattern", "WC-")
    assert wrong.exit_code == 1
    assert "[pattern]" in wrong.stderr
    linked = ok_json(*adopt, "--reference-pattern", "X{number}", "--reference-pattern", "WC-{number}")
    assert linked["stored"] == 3
    assert "0 row(s) written" in ok(*adopt), "what is linked already is pointed out for nothing else"
    after = ok_json("integration", "preview", merchant, code, *PERIOD)
    assert {line["order_number"] for line in after["lines"] if line["result"] == "already_booked"} == set(bookable[:3])


def test_nothing_prints_a_person_and_only_the_list_prints_the_merchant(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    mapped(office, merchant, code)
    printed = [
        run(*arguments, *extra).output
        for arguments in (
            ("integration", "check", merchant, code),
            ("integration", "preview", merchant, code, *PERIOD),
            ("integration", "preview", merchant, code, *PERIOD, "--documents"),
            ("integration", "adopt", merchant, code, *PERIOD),
            ("integration", "show", merchant, code),
            ("integration", "list"),
            ("quarantine", "list"),
            ("runs", merchant, code),
            ("keys", "list"),
        )
        for extra in ((), ("--json",))
        if not (extra and "--documents" in arguments)
    ]
    secrets = {text for side in office.credentials().values() for text in side.values()}
    persons = {
        order.raw["billing"][field]
        for order in office.server.state.shop(SHOP.code).book.orders.values()
        for field in ("email", "last_name", "address_1")
        if len(order.raw["billing"].get(field, "")) > 3
    }
    assert len(persons) > 20
    for text in printed:
        assert not [value for value in persons | secrets if value in text]
        assert NAME not in text
    assert NAME in ok("merchant", "list")


def test_new_credentials_are_stored_only_when_both_sides_answer(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    wrong = run("integration", "reconnect", merchant, code, "--credentials",
                office.file("wrong.yaml", {"package": {"token": "no-such-token"}}))  # fmt: skip
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("sluis: [credential_refused]")
    assert "no-such-token" not in wrong.output
    with open_session(merchant, code) as session:
        assert session.package.check().administration == BOOKS.id
    ok("integration", "reconnect", merchant, code, "--credentials", office.file("right.yaml", office.credentials()))


def test_a_refused_credential_waits_for_a_person_and_goes_on(office: Office, database: Database) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    with database.owner() as conn:
        Integrations(conn).set_state(merchant, code, IntegrationState.RECONNECT, "credential_refused")
        Credentials(conn, database.keyring).put(merchant, code, "shop", {"consumer_key": "ck", "consumer_secret": "cs"})

    checked = run("integration", "check", merchant, code, "--json")
    assert checked.exit_code == 1
    findings = {finding["code"]: finding for finding in json.loads(checked.stdout)["findings"]}
    assert findings["credential_refused"]["message"].startswith("shop: ")
    assert findings["package_answers"]["level"] == "ok"
    assert "credential_refused" in run("integration", "resume", merchant, code).stderr
    assert "wrong_state" in run("integration", "pause", merchant, code).stderr

    shop = office.file("shop.yaml", {"shop": office.credentials()["shop"]})
    assert ok_json("integration", "reconnect", merchant, code, "--credentials", shop)["state"] == "live"
    with database.owner() as conn:
        assert Integrations(conn).get(merchant, code).state_reason is None


def test_a_shop_that_is_away_is_a_finding_and_an_error_of_one_line(office: Office, database: Database) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    with database.owner() as conn:
        integration = Integrations(conn).get(merchant, code)
        nowhere = {**integration.settings.shop, "url": "http://127.0.0.1:9/shops/winkel"}
        Integrations(conn).update_settings(merchant, code, integration.settings.model_copy(update={"shop": nowhere}))
    checked = run("integration", "check", merchant, code, "--json")
    assert checked.exit_code == 1
    assert any(f["message"].startswith("shop: ") for f in json.loads(checked.stdout)["findings"])
    failed = run("integration", "preview", merchant, code, *PERIOD)
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith("sluis: [")


def test_the_end_of_a_merchant_deletes_his_credentials(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat())
    declined = run("merchant", "end", merchant, stdin="n\n")
    assert declined.exit_code == 1
    assert ok_json("integration", "list")[0]["state"] == "preview"
    ended = ok_json("merchant", "end", merchant, "--yes", "--wait", "0")
    assert ended["integrations"] == [code]
    assert ended["credentials_deleted"] == 2
    assert ok_json("integration", "list")[0]["state"] == "ended"
    assert "wrong_state" in run("integration", "resume", merchant, code).stderr


def test_after_a_cut_over_nothing_is_booked_twice(office: Office) -> None:
    merchant = new_merchant()
    code = office.add(merchant, start=START.isoformat(), reference_prefix="W-")
    mapped(office, merchant, code)
    lines = ok_json("integration", "preview", merchant, code, *PERIOD)["lines"]
    bookable = {line["order_number"] for line in lines if line["result"] == "booked" and line["kind"] == "invoice"}
    refunded = [line for line in lines if line["result"] == "booked" and line["kind"] == "credit_note"]
    orders = {str(o.raw["number"]): o for o in office.server.state.shop(SHOP.code).book.orders.values()}
    not_by_hand = sorted(bookable - {line["order_number"] for line in refunded})[:3]
    by_hand = bookable - set(not_by_hand)
    for number in by_hand:
        book_by_hand(office, orders[number])
    assert ok_json("integration", "adopt", merchant, code, *PERIOD)["totals"][0]["documents"] == len(by_hand)
    ok("integration", "go-live", merchant, code)

    end = datetime.now(UTC) + timedelta(seconds=1)
    request = RunRequest(
        merchant=merchant, integration=code, dag_id=f"sync__{merchant}__{code}", run_id="scheduled__1",
        run_type="scheduled", interval_start=end - timedelta(hours=1), interval_end=end,
    )  # fmt: skip
    sync.extract(request)
    sync.transform(request)
    loaded = sync.load(request, settle=timedelta(0))
    sync.shred(request)

    assert loaded.already_booked == len(by_hand)
    assert loaded.booked == len(not_by_hand) + len(refunded)
    ledger = office.server.state.ledger(BOOKS.id)
    references = [str(invoice["reference"]).removeprefix("W-") for invoice in ledger.invoices.values()]
    assert len(references) == len(set(references)) == len(by_hand) + loaded.booked
    [report] = ok_json("runs", merchant, code)
    assert report["documents"]["already_booked"] == len(by_hand)
    assert report["extracted"] == sum(report["documents"].values())
    assert ok_json("integration", "list")[0]["watermark"] is not None

    adopt = ("integration", "adopt", merchant, code, *PERIOD, "--dry-run")
    assert "gone" not in {total["link"] for total in ok_json(*adopt)["totals"]}
    deleted = next(i for i in ledger.invoices.values() if i["reference"] == f"W-{not_by_hand[0]}")
    ledger.delete_invoice(deleted["id"])
    [line] = [line for line in looked_at(*adopt)["lines"] if line["link"] == "gone"]
    assert line["order_number"] == not_by_hand[0]
    book_by_hand(office, orders[not_by_hand[0]], reference=f"W-{not_by_hand[0]}")
    assert "gone" not in {total["link"] for total in ok_json(*adopt)["totals"]}, "entered again by hand"

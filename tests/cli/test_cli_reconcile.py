"""``sluis reconcile`` as a person sees it: one world, the tables, the JSON, and the list that he alone gets."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluis.sandbox.server import SandboxServer
from tests.cli.runner import run
from tests.conftest import Database
from tests.flows.world import World, empty_config

NOW = datetime.now(UTC)
PERIOD = f"{NOW:%Y}Q{(NOW.month + 2) // 3}"


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with SandboxServer(empty_config()) as server:
        made = World(server)
        made.order(NOW - timedelta(minutes=1))
        made.run()
        yield made


def test_a_settled_period_shows_columns_and_boxes(world: World) -> None:
    result = run("reconcile", world.merchant, world.code, "--period", PERIOD)
    assert result.exit_code == 0, result.output
    assert "settled" in result.output
    assert "not final" in result.output  # the quarter is not over
    for box in ("1a", "1b", "1c", "1e", "3a", "3b", "3c"):
        assert f"\n {box} " in result.output or f"\n{box} " in result.output


def test_an_open_difference_is_named_with_what_to_do_and_the_exit_code_tells(world: World) -> None:
    (invoice,) = world.books.invoices.values()
    world.books.delete_invoice(invoice["id"])
    result = run("reconcile", world.merchant, world.code, "--period", PERIOD)
    assert result.exit_code == 1
    assert "1 open difference" in result.output
    assert "missing_in_package" in result.output
    assert invoice["reference"] in result.output


def test_json_has_every_difference_and_the_list_goes_to_its_file_alone(world: World, tmp_path: Path) -> None:
    target = tmp_path / "icp.csv"
    result = run("reconcile", world.merchant, world.code, "--period", PERIOD, "--json", "--icp", str(target))
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["period"], found["settled"], found["differences"]) == (PERIOD, True, [])
    assert [box["box"] for box in found["vat_return"]["boxes"]] == ["1a", "1b", "1c", "1e", "3a", "3b", "3c"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert next(csv.reader(io.StringIO(target.read_text()))) == ["country", "vat_number", "goods", "services"]


def test_a_file_that_was_there_becomes_the_persons_alone_and_a_link_is_not_followed(
    world: World, tmp_path: Path
) -> None:
    command = ("reconcile", world.merchant, world.code, "--period", PERIOD, "--icp")
    target, link, elsewhere = tmp_path / "icp.csv", tmp_path / "link", tmp_path / "elsewhere"
    target.write_text("old and long " * 100)
    target.chmod(0o644)
    assert run(*command, str(target)).exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text() == "country,vat_number,goods,services\n"
    link.symlink_to(elsewhere)
    for refused in (link, tmp_path, Path("/dev/null")):
        result = run(*command, str(refused))
        assert result.exit_code == 1
        assert f"cannot write {refused}" in result.output
    assert not elsewhere.exists()


def test_what_is_no_period_is_one_clear_line(world: World) -> None:
    result = run("reconcile", world.merchant, world.code, "--period", "third quarter")
    assert result.exit_code == 1
    assert "2026Q3 or 2026-07" in result.output


def test_the_screen_takes_one_thing(world: World) -> None:
    assert run("reconcile", world.merchant, world.code, "--period", PERIOD, "--json", "--icp", "-").exit_code == 2

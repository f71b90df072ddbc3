"""A merchant's name may be a person's: it need not stand in a command line."""

from __future__ import annotations

import pytest

from sluis.cli import merchants
from tests.cli.runner import ok, ok_json, run
from tests.conftest import Database

pytestmark = pytest.mark.postgres
NAME = "Eenmanszaak J. Jansen"


def names() -> list[str]:
    return [merchant["name"] for merchant in ok_json("merchant", "list")]


def test_the_name_comes_from_standard_input(database: Database) -> None:
    said = ok("merchant", "add", "-", stdin=f"{NAME}\n")
    assert NAME not in said
    assert names() == [NAME]


def test_the_name_is_asked_for_when_it_is_left_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merchants, "_is_terminal", lambda: True)
    ok("merchant", "add", stdin=f"{NAME}\n")
    assert names() == [NAME]


def test_where_nobody_can_be_asked_it_says_how(database: Database) -> None:
    result = run("merchant", "add", stdin=f"{NAME}\n")
    assert result.exit_code == 1
    assert result.stderr == "sluis: [name_missing] give the name as - and write it to standard input\n"
    assert names() == []


def test_an_empty_name_is_refused(database: Database) -> None:
    assert "[merchant_name]" in run("merchant", "add", "-", stdin="\n").stderr
    assert names() == []


def test_the_name_as_an_argument_still_works(database: Database) -> None:
    ok("merchant", "add", NAME)
    assert names() == [NAME]

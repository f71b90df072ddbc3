"""The text on a DAG is no dead end: every command it names exists, and so does every class of error."""

from __future__ import annotations

import re

import pytest
import typer

from sluis import errors
from sluis.airflow_support.docs import sync_doc
from sluis.cli.app import app

TEXT = sync_doc(
    merchant="m7f3k", code="woocommerce_moneybird", shop="woocommerce", package="moneybird", minutes=60, key="summary"
)
COMMANDS = sorted(set(re.findall(r"`sluis ([a-z]+) ([a-z-]+)", TEXT)))


def test_it_is_filled_in() -> None:
    assert "{" not in TEXT
    assert "m7f3k" in TEXT
    assert "every 60 minutes" in TEXT


@pytest.mark.parametrize(("group", "command"), COMMANDS)
def test_every_command_it_names_exists(group: str, command: str) -> None:
    known = typer.main.get_group(app).commands[group]
    assert command in known.commands  # type: ignore[attr-defined]


def test_it_names_commands() -> None:
    assert ("integration", "reconnect") in COMMANDS
    assert ("quarantine", "offer") in COMMANDS


def test_every_class_it_names_is_one_of_the_taxonomy() -> None:
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", TEXT))
    assert len(named) >= 8
    assert all(issubclass(getattr(errors, name), errors.SluisError) for name in named)

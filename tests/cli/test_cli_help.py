"""The help is worth reading: every command has an example, the reference page is current, and it all starts fast."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from sluis.cli.app import app
from sluis.cli.reference import render
from tests.cli.runner import ok, run
from tests.shared import ROOT

#: Importing any of these takes longer than a person waits for a help text.
HEAVY = {"airflow", "pandas", "great_expectations", "sqlalchemy", "fastapi", "alembic", "psycopg", "rich"}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its path."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from leaves(child, (*path, name))


COMMANDS = dict(leaves(get_command(app)))


def examples(text: str) -> list[str]:
    """Return the lines of a help text that begin with ``sluis``, continued lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("sluis ")]


def test_the_commands_of_the_issue_are_there() -> None:
    groups: dict[str, set[str]] = {}
    for path in COMMANDS:
        groups.setdefault(path[0], set()).update(path[1:])
    assert groups["merchant"] >= {"add", "list", "end", "period"}
    assert groups["integration"] >= {"add", "list", "check", "preview", "go-live", "adopt", "pause", "resume"}
    assert groups["quarantine"] == {"list", "offer", "close"}
    assert groups.keys() >= {"runs", "keys", "sandbox", "migrate"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_that_the_command_understands(path: tuple[str, ...]) -> None:
    text = ok(*path, "--help")
    assert "Example:" in text
    for parameter in COMMANDS[path].params:
        assert parameter.name == "help" or getattr(parameter, "help", None), f"{path}: {parameter.name} says nothing"
    own = [shlex.split(e)[1:] for e in examples(text)]
    if path == ("keys", "generate"):
        return  # shown inside an export
    assert own
    for words in own:
        if words[0] == "runs" and words[1] not in ("list", "verify"):
            words.insert(1, "list")
        assert tuple(words[: len(path)]) == path
        command = COMMANDS[path]
        command.make_context("sluis", words[len(path) :], resilient_parsing=False)


def test_the_reference_page_is_current() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert page == render(), "run: python -m sluis.cli.reference > docs/reference/cli.md"


def test_the_help_imports_nothing_heavy() -> None:
    code = """
import json, sys
from typer.testing import CliRunner
from sluis.cli.app import app
result = CliRunner().invoke(app, ["integration", "add", "--help"])
assert result.exit_code == 0, result.output
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(json.loads(done.stdout))


def test_the_version() -> None:
    assert ok("--version").startswith("sluis ")


def test_an_unknown_command_is_a_usage_error() -> None:
    result = run("merchant", "ad", "x")
    assert result.exit_code == 2
    assert "Did you mean 'add'?" in result.stderr

"""Settings and credentials as a person gives them: a YAML (or JSON) file, standard input or a prompt, no argument.

Credentials stand in a process list and a shell's history when they are arguments, so no option takes one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import typer
import yaml

from sluis.errors import NotConfigured

Side = Literal["shop", "package"]
SIDES: tuple[Side, ...] = ("shop", "package")
Fields = Mapping[Side, tuple[tuple[str, str], ...]]


def read_settings(path: Path) -> dict[str, Any]:
    """Read a file of settings. Raises ``NotConfigured`` that names the file, not what stands in it."""
    return _mapping(_text(path), str(path))


def read_credentials(source: str | None, fields: Fields) -> dict[Side, dict[str, str]]:
    """Read ``shop: {...}`` and ``package: {...}`` from a file, from standard input (``-``), or ask for every field.

    Raises ``NotConfigured("credentials_missing")`` where there is nobody to ask.
    """
    if source is None:
        if not sys.stdin.isatty():
            raise NotConfigured(
                "give the credentials with --credentials FILE, or --credentials - and the same on standard input",
                code="credentials_missing",
            )
        return {side: {name: _ask(side, help_) for name, help_ in fields[side]} for side in fields}
    text = sys.stdin.read() if source == "-" else _text(Path(source))
    given = _mapping(text, "standard input" if source == "-" else source)
    if set(given) - set(SIDES):
        # Not named: a token may stand where a name belongs.
        raise NotConfigured("credentials have the parts shop and package, and no other")
    return {side: _texts(given[side], side) for side in SIDES if side in given}


def _ask(side: str, what: str) -> str:
    answer: str = typer.prompt(f"{side}: {what}", hide_input=True)
    return answer


def _texts(part: Any, side: str) -> dict[str, str]:
    if not isinstance(part, dict) or not all(isinstance(value, str) for value in part.values()):
        raise NotConfigured(f"credentials.{side} is not a list of names with texts (put numbers between quotes)")
    return {str(name): value for name, value in part.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotConfigured(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NotConfigured(f"{path} is not a text file in UTF-8") from None


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise NotConfigured(f"{where} is not YAML{line}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise NotConfigured(f"{where} is not a list of names with values")
    return content

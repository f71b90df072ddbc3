"""Renders ``docs/reference/cli.md`` from the commands and the models of the files they read.

``python -m sluis.cli.reference > docs/reference/cli.md`` writes it. A test holds the page against
this, so that the two cannot differ.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from sluis.core.frozen import Frozen

HEADER = """# Command line

*Made by `python -m sluis.cli.reference`; change the commands, not this page.*
"""


def render() -> str:
    """Return the page."""
    from sluis.cli.app import app

    root = get_command(app)
    return HEADER + "".join(_sections(root, "sluis")) + "".join(_settings())


def _sections(command: Any, path: str) -> Iterator[str]:
    children = getattr(command, "commands", {})
    yield f"\n{'##' if children else '###'} `{path}`\n\n{_prose(command.help or '')}\n"
    options = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    if options and not children:
        yield "\n| Argument or option | |\n| --- | --- |\n"
        yield from (_row(parameter) for parameter in options)
    for name, child in children.items():
        yield from _sections(child, f"{path} {name}")


def _settings() -> Iterator[str]:
    """What may stand in the files of ``--settings`` and ``--credentials``, from the models that judge them."""
    from sluis import accounting, shops
    from sluis.core.settings import IntegrationSettings, Mapping

    yield "\n## Settings\n\nThe file of `integration add --settings` and `integration set --settings` (YAML).\n"
    yield from _model("", IntegrationSettings)
    yield from _model("mapping", Mapping)
    for side, connectors in (("shop", shops.connectors()), ("package", accounting.connectors())):
        for name, connector in connectors.items():
            yield from _model(side, connector.settings_model, f" of {name}")
    yield "\n## Credentials\n\nThe file of `--credentials` (YAML); without it every field is asked for.\n"
    for side, connectors in (("shop", shops.connectors()), ("package", accounting.connectors())):
        for name, connector in connectors.items():
            yield from _model(side, connector.credentials_model, f" of {name}")


def _model(part: str, model: type[Frozen], whose: str = "") -> Iterator[str]:
    title = f"`{part}`{whose}" if part else "Every integration"
    about = " ".join(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    yield f"\n### {title}\n\n{about}\n"
    if model.model_fields:
        yield "\n| Name | |\n| --- | --- |\n"
    for name, field in model.model_fields.items():
        words = " ".join(filter(None, [field.description, "(required)" if field.is_required() else ""]))
        yield f"| `{f'{part}.{name}' if part else name}` | {words.replace('<', '&lt;').replace('|', '&#124;')} |\n"


def _prose(text: str) -> str:
    """Return a help text in Markdown: what it keeps as it is (behind ``\\b``) becomes code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            parts.append(f"```text\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```")
        else:
            parts.append(" ".join(paragraph.split()))
    return "\n\n".join(parts)


def _row(parameter: Any) -> str:
    flags = [*parameter.opts, *parameter.secondary_opts]
    is_argument = parameter.param_type_name == "argument"
    name = f"`{parameter.metavar or parameter.name if is_argument else ', '.join(flags)}`"
    words = [getattr(parameter, "help", None) or ""]
    if parameter.required and not is_argument:
        words.append("(required)")
    default = parameter.default
    if isinstance(default, int | str) and not isinstance(default, bool):
        words.append(f"(default {default})")
    return f"| {name} | {' '.join(filter(None, words))} |\n".replace("\n |", " |")


if __name__ == "__main__":
    from sluis.cli.output import say

    say(render().rstrip("\n"))

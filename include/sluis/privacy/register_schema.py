"""Renders ``config/register.schema.json``, by which an editor or another program judges a register while it is written.

``python -m sluis.privacy.register_schema > config/register.schema.json`` writes it, from the models that judge it here.
A test holds the file against this. What depends on more than one field (``Category``'s validators) is not in it.
"""

from __future__ import annotations

import json
import sys

from sluis.privacy.register import Register


def render() -> str:
    """Return the JSON schema (draft 2020-12)."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Register.model_json_schema()}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())

"""One text for one content: the canonical JSON over which the chains of run reports and certificates take their hash.

Keys sorted, no white space, ASCII escapes, moments as ISO 8601 in UTC with six decimals and ``+00:00``, days as ISO
8601, no floats. Anybody can rebuild it from the stored row with a few lines in any language.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any


def canonical_json(fields: Mapping[str, Any]) -> str:
    """Return the canonical JSON; raises ``TypeError`` for a value that has no one form (a float, a naive moment)."""
    return json.dumps(_plain(fields), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def canonical_hash(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON, as lower-case hex."""
    return hashlib.sha256(canonical_json(fields).encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError("a moment without a time zone has no canonical form")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("a name that is not a text has no canonical form")
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"a {type(value).__name__} has no canonical form")

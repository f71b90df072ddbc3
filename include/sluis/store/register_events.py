"""The versions of the register as they came into force: what notices and processing agreements cite."""

from __future__ import annotations

from datetime import date

from psycopg.types.json import Jsonb

from sluis.core.frozen import Frozen, Moment
from sluis.privacy.register_diff import Difference
from sluis.store.database import Connection, row, rows


class RegisterEvent(Frozen):
    """A version that came into force. ``date`` is the register's own, ``published_at`` when it did so here (UTC)."""

    version: int
    date: date
    sha256: str  #: of its file, lower-case hex
    published_at: Moment
    difference: Difference

    @property
    def citation(self) -> str:
        """What a notice or an agreement cites."""
        return citation(self.version, self.date, self.sha256)


def citation(version: int, on: date, sha256: str) -> str:
    """Return what a version of the register is cited by; the same from the file, the page and the event."""
    return f"register-{version} of {on.isoformat()} sha256:{sha256}"


class RegisterEvents:
    """The events, as the owner sees them."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def list(self) -> list[RegisterEvent]:
        """Return them, the oldest version first."""
        found = rows(
            self._conn, "select version, hash, published_at, changes from sluis.register_event order by version"
        )
        return [
            RegisterEvent(
                version=r["version"], date=r["changes"]["date"], sha256=r["hash"].hex(),
                published_at=r["published_at"], difference=r["changes"]["difference"],
            )
            for r in found
        ]  # fmt: skip

    def add(self, on: date, sha256: str, difference: Difference) -> bool:
        """Record that a version came into force; returns ``False``, and changes nothing, where it stands already."""
        changes = {"date": on.isoformat(), "difference": difference.model_dump(mode="json")}
        added = row(
            self._conn,
            """insert into sluis.register_event (version, hash, changes) values (%s, %s, %s)
            on conflict (version) do nothing returning version""",
            [difference.after, bytes.fromhex(sha256), Jsonb(changes)],
        )
        return added is not None

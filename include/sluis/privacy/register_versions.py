"""Versions of the register: the archive of those before, and what it takes to bring a new one into force.

Every version that was ever in force stays in ``config/registers/<version>.yaml``, so that anybody can see what changed
since. A published file never changes: the next change is the next version.
"""

from __future__ import annotations

from pathlib import Path

from sluis.errors import NotConfigured
from sluis.privacy.register import Published, read_register
from sluis.privacy.register_diff import Difference, difference
from sluis.store.database import Connection
from sluis.store.register_events import RegisterEvent, RegisterEvents

#: Folder of earlier versions, beside the register.
ARCHIVE = "registers"


def archived(path: Path) -> dict[int, Published]:
    """Return the versions before the register at ``path``, the oldest first.

    Raises ``NotConfigured("register_archive")`` where a version is missing, where a file is not the version that its
    name says, or where the archive holds the register's own version or a later one.
    """
    current = read_register(path).register_.version
    found: dict[int, Published] = {}
    for file in (path.parent / ARCHIVE).glob("*.yaml"):
        published = read_register(file)
        if file.stem != str(published.register_.version):
            raise _wrong(f"{ARCHIVE}/{file.name} holds version {published.register_.version}: name it by its version")
        found[published.register_.version] = published
    if found and max(found) >= current:
        raise _wrong(
            f"version {max(found)} is archived, so it was in force before: give {path.name} version {max(found) + 1}"
        )
    missing = sorted(set(range(1, current)) - found.keys())
    if missing:
        raise _wrong(f"put the register of version {missing[0]}, as it was in force, in {ARCHIVE}/{missing[0]}.yaml")
    return dict(sorted(found.items()))


def since_before(path: Path) -> Difference:
    """Return what differs from the version before; raises what ``read_register`` and ``archived`` raise."""
    earlier = archived(path)
    last = earlier[max(earlier)].register_ if earlier else None
    return difference(last, read_register(path).register_)


def publish(conn: Connection, path: Path) -> tuple[RegisterEvent, bool]:
    """Bring the register at ``path`` into force: returns its event, and whether it is new. Repeating changes nothing.

    Raises ``NotConfigured``: ``register_changed`` (the file, or an archived one, is not the one that was published
    under its version), ``register_older`` (a later version is in force), and what ``archived`` raises.
    """
    published, earlier, changes = read_register(path), archived(path), since_before(path)
    version = published.register_.version
    with conn.transaction():
        events = RegisterEvents(conn)
        for event in events.list():
            if event.version > version:
                raise NotConfigured(
                    f"version {event.version} of the register is in force here and this file is version {version}:"
                    " install the later file",
                    code="register_older",
                )
            _unchanged(event, published if event.version == version else earlier[event.version])
        new = events.add(published.register_.date, published.sha256, changes)
        event = events.list()[-1]
        _unchanged(event, published)  # another one may have been first
    return event, new


def _unchanged(event: RegisterEvent, file: Published) -> None:
    if event.sha256 != file.sha256:
        raise NotConfigured(
            f"version {event.version} of the register was published with another content (sha256 {event.sha256[:12]}…,"
            f" the file has {file.sha256[:12]}…): put the published file back and give the change the next version",
            code="register_changed",
        )


def _wrong(message: str) -> NotConfigured:
    return NotConfigured(message, code="register_archive")

"""Files as the register names them: a pattern below a named root, and the roots of this machine.

``root/**`` is everything below a root, ``*`` stands for any part of one name, ``**`` for any names and folders. Where
a root lies inside another one, its files are its own and not the outer one's.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from sluis.privacy.register import Register
from sluis.privacy.register_findings import NAME_IT, Finding

#: Every root that a pattern may start with, and the variable that says where it lies.
ROOTS: Mapping[str, str] = {
    "sluis_home": "SLUIS_HOME",
    "airflow_home": "AIRFLOW_HOME",
    "airflow_logs": "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "backups": "SLUIS_BACKUPS",
    "ubl_target": "",  # a setting of each integration (package.target)
}
#: So many per root are told one by one; more are counted.
_TOLD = 20
_PLAIN = re.compile(r"[A-Za-z0-9._=+-]{1,80}")


def roots(environ: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Return the roots that the environment names; Airflow's logs stand in its home where nothing else is said."""
    given = os.environ if environ is None else environ
    found = {name: Path(value) for name, variable in ROOTS.items() if (value := given.get(variable, "").strip())}
    if "airflow_home" in found:
        found.setdefault("airflow_logs", found["airflow_home"] / "logs")
    return {name: path.absolute() for name, path in found.items()}


def matches(pattern: str, name: str) -> bool:
    """Whether a file (``root/path``, with slashes) is one of a pattern's."""
    return _expression(pattern).fullmatch(name) is not None


def check_roots(register: Register) -> Iterator[Finding]:
    """Yield the patterns that start with no root there is."""
    for category in register.categories:
        for place in category.places:
            if place.files is not None and not _valid(place.files):
                yield Finding(
                    place=f"category {category.id}", what=f"names files below no root there is ({place.files})",
                    remedy=f"start the pattern with one of {', '.join(f'{root}/' for root in ROOTS)}",
                )  # fmt: skip


def check_files(register: Register, where: Mapping[str, Path]) -> tuple[list[Finding], int]:
    """Return the files below ``where`` that no pattern names, as findings, and how many files were looked at.

    A root that stands in several folders is ``ubl_target/0``, ``ubl_target/1``.
    A root of which the register names everything (``root/**``) is not walked. Links are files, not ways on.
    """
    patterns = [place.files for category in register.categories for place in category.places if place.files]
    folders: dict[Path, list[str]] = {}
    for root, path in where.items():
        folders.setdefault(path.resolve(), []).append(root)
    findings: list[Finding] = []
    seen = 0
    for folder, names in folders.items():
        if any(f"{name.partition('/')[0]}/**" in patterns for name in names):
            continue
        unnamed: Counter[str] = Counter()
        for relative in _files(folder, set(folders) - {folder}):
            seen += 1
            if not any(matches(pattern, f"{name}/{relative}") for name in names for pattern in patterns):
                unnamed[_shown(names[0], relative)] += 1
        findings += _told(names[0], unnamed)
    return findings, seen


def _valid(pattern: str) -> bool:
    root, slash, rest = pattern.partition("/")
    return root in ROOTS and bool(slash and rest) and ".." not in PurePosixPath(rest).parts


@lru_cache
def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _files(folder: Path, others: set[Path]) -> Iterator[str]:
    """Yield the files below a folder, with slashes, leaving out folders that are roots themselves."""
    for at, below, names in os.walk(folder):
        inside = Path(at)
        links = [name for name in below if (inside / name).is_symlink()]
        below[:] = [name for name in below if name not in links and inside / name not in others]
        for name in (*names, *links):
            yield (inside / name).relative_to(folder).as_posix()


def _shown(root: str, relative: str) -> str:
    """Return a file's place; a name that is not plain is left out, as somebody may have named it after a person."""
    return "/".join([root, *(part if _PLAIN.fullmatch(part) else "…" for part in relative.split("/"))])


def _told(root: str, unnamed: Counter[str]) -> Iterator[Finding]:
    for place, count in sorted(unnamed.items())[:_TOLD]:
        times = f" ({count} files)" if count > 1 else ""
        yield Finding(place=f"file {place}", what=f"no category names it{times}", remedy=NAME_IT)
    if (more := sum(unnamed.values()) - sum(count for _, count in sorted(unnamed.items())[:_TOLD])) > 0:
        yield Finding(place=f"folder {root}", what=f"holds {more} more files that no category names", remedy=NAME_IT)

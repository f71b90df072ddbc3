"""The folder or object store that files go to, through Airflow's ObjectStoragePath: written whole or not at all.

One folder per month of issue, one file per document, named after its number: ``2026-11/WS-1001.xml``. The same document
gives the same bytes, so that writing it a second time changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluis.accounting.ubl.settings import VENDOR
from sluis.errors import NotConfigured, OutcomeUnknown, Reconnect, RetryLater, SluisError

_SUFFIX = ".xml"
#: Rights in a local folder: who imports the files is let in by the folder's owner.
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


class Files:
    """The files of one administration. Errors of a store say the kind of trouble, never a path with a secret."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._root: Any = None

    def probe(self) -> None:
        """Write and remove an empty file, and sweep what killed writes left.

        Raises ``Reconnect``, ``NotConfigured`` or ``RetryLater``.
        """
        place = f"{self._folder()}/.sluis-check"
        with _answering():
            self._folder_for_us(self._folder())
            self._fs().pipe_file(place, b"")
            self._fs().rm_file(place)
            for left in self._fs().glob(f"{self._folder()}/*/*{_SUFFIX}.part") if self._local() else ():
                self._fs().rm_file(left)

    def read(self, reference: str, on: date) -> bytes | None:
        """Return the file of a document issued in the month of ``on``; ``None``: there is none."""
        place = self._place(reference, on)
        with _answering():
            if self._local() and self._fs().exists(f"{place}.part"):  # left by a process that was killed over it
                self._fs().rm_file(f"{place}.part")
            return bytes(self._fs().cat_file(place)) if self._fs().isfile(place) else None

    def write(self, reference: str, on: date, content: bytes) -> None:
        """Write a file. Raises ``OutcomeUnknown`` where it may stand there although the store says otherwise."""
        place = self._place(reference, on)
        folder, part = place.rpartition("/")[0], f"{place}.part"
        with _answering():
            self._folder_for_us(folder)
        with _answering(written=True):
            if not self._local():
                self._fs().pipe_file(place, content)  # an object appears when it is whole
                return
            try:  # a local file grows under the eyes of its readers
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE_FILE)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                self._fs().mv(part, place)
            finally:
                if self._fs().exists(part):
                    self._fs().rm_file(part)

    def between(self, start: date, end: date) -> Iterator[bytes]:
        """Yield the files of all months that the period touches."""
        month = start.replace(day=1)
        while month <= end:
            for name in self._names(month):
                with _answering():
                    content = bytes(self._fs().cat_file(name))
                yield content
            month = (month + timedelta(days=32)).replace(day=1)

    def _names(self, month: date) -> list[str]:
        folder = f"{self._folder()}/{month:%Y-%m}"
        with _answering():
            names = self._fs().ls(folder, detail=False) if self._fs().isdir(folder) else []
            return sorted(name for name in names if name.endswith(_SUFFIX))

    def _folder_for_us(self, folder: str) -> None:
        """Make a folder; a local one is nobody else's: invoices hold names and addresses."""
        there = self._fs().isdir(folder)
        self._fs().makedirs(folder, exist_ok=True)
        if self._local() and not there:
            Path(folder).chmod(_PRIVATE_FOLDER)

    def _place(self, reference: str, on: date) -> str:
        return f"{self._folder()}/{on:%Y-%m}/{quote(reference, safe='')}{_SUFFIX}"

    def _local(self) -> bool:
        return self._target.startswith("file://")

    def _folder(self) -> str:
        self._fs()
        return str(self._root.path).rstrip("/")

    def _fs(self) -> Any:
        """Return fsspec's file system; made when first needed, because it may ask Airflow for a connection."""
        if self._root is None:
            from airflow.sdk import ObjectStoragePath

            try:
                root = ObjectStoragePath(self._target)
                _ = root.fs  # it is this that needs the connection and the store's library
            except Exception as error:  # noqa: BLE001 - each store's library and Airflow's secrets raise their own
                raise NotConfigured(
                    f"{VENDOR}: package.target cannot be used ({type(error).__name__}): is the store's library"
                    " installed, and does the Airflow connection that it names exist?"
                ) from None
            self._root = root
        return self._root.fs


@contextmanager
def _answering(*, written: bool = False) -> Iterator[None]:
    """Translate what a store says; ``written``: something may have been. Its text may hold a signed URL, so only the
    kind of error is told."""
    try:
        yield
    except SluisError:
        raise
    except Exception as error:  # noqa: BLE001 - each store's library raises classes of its own
        kind = type(error).__name__
        if isinstance(error, PermissionError):
            message = f"{VENDOR}: the store refuses access ({kind}); give sluis the right to write there"
            raise Reconnect(message, code="not_allowed") from None
        if isinstance(error, NotADirectoryError):
            raise NotConfigured(f"{VENDOR}: package.target is no folder ({kind})") from None
        if written:
            message = f"{VENDOR}: writing a file broke off ({kind}); it is looked up before it is written again"
            raise OutcomeUnknown(message) from None
        raise RetryLater(f"{VENDOR}: the store does not answer ({kind}); nothing was written") from None

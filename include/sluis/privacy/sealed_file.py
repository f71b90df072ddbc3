"""Seals a file of any size while it passes, so that a backup never stands on a disk in the clear.

AES-256-GCM in chunks of a mebibyte, under a key derived for this file alone from a key of the keyring. A chunk's nonce
is its number and whether it is the last: chunks cannot be swapped, left out or cut off. The header (which key, which
file) is authenticated with each of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluis.errors import Defect, NotConfigured
from sluis.privacy.keyring import Keyring

_MAGIC = b"SLUIS-SEALED-1\n"
_FILE_ID_BYTES = 16
_TAG_BYTES = 16
_COUNTER_BYTES = 11
CHUNK = 1 << 20


def sealing(plain: IO[bytes], keyring: Keyring) -> Iterator[bytes]:
    """Yield the sealed form of all that ``plain`` gives, under the keyring's primary key."""
    file_id = secrets.token_bytes(_FILE_ID_BYTES)
    key_id = keyring.primary_id.encode("ascii")
    header = _MAGIC + bytes([len(key_id)]) + key_id + file_id
    cipher = AESGCM(keyring.derive(keyring.primary_id, _purpose(file_id)))
    yield header
    for number, (piece, last) in enumerate(_pieces(plain, CHUNK)):
        yield cipher.encrypt(_nonce(number, last), piece, header)


def opening(sealed: IO[bytes], keyring: Keyring) -> Iterator[bytes]:
    """Yield what was sealed; only when the last piece has come was the whole file as it was made.

    Raises ``NotConfigured`` (``key_unknown``: the keyring lacks the key; ``key_wrong``: it has another one of that id)
    and ``Defect("backup_damaged")`` for a file that is cut off, altered or none of ours.
    """
    key_id, file_id, header = _header(sealed)
    cipher = AESGCM(keyring.derive(key_id, _purpose(file_id)))
    for number, (piece, last) in enumerate(_pieces(sealed, CHUNK + _TAG_BYTES)):
        try:
            opened = cipher.decrypt(_nonce(number, last), piece, header)
        except (InvalidTag, ValueError):
            if number == 0:
                raise NotConfigured(
                    f"key {key_id} of the keyring does not open this backup: it is another key of the same id, or the "
                    "file was altered; give the keys of the time it was made",
                    code="key_wrong",
                ) from None
            raise _damaged(f"is cut off or altered in its piece {number}") from None
        yield opened


def key_of(sealed: IO[bytes]) -> str:
    """Return the id of the key that a sealed file needs; raises ``Defect("backup_damaged")`` for another file."""
    return _header(sealed)[0]


def _header(sealed: IO[bytes]) -> tuple[str, bytes, bytes]:
    magic = sealed.read(len(_MAGIC))
    length = sealed.read(1)
    key_id = sealed.read(length[0]) if length else b""
    file_id = sealed.read(_FILE_ID_BYTES)
    if magic != _MAGIC or len(file_id) != _FILE_ID_BYTES or not key_id.isascii():
        raise _damaged("is not one that sluis made")
    return key_id.decode("ascii"), file_id, magic + length + key_id + file_id


def _pieces(stream: IO[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Yield pieces of a size and whether each is the last; an empty stream is one empty last piece."""
    piece = _exactly(stream, size)
    while True:
        following = _exactly(stream, size)
        yield piece, not following
        if not following:
            return
        piece = following


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """Read so many bytes, fewer at the end only (a pipe gives what it has)."""
    got = bytearray()
    while len(got) < size and (more := stream.read(size - len(got))):
        got += more
    return bytes(got)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])


def _purpose(file_id: bytes) -> str:
    return f"backup/{file_id.hex()}"


def _damaged(what: str) -> Defect:
    return Defect(f"the backup {what}: take another one", code="backup_damaged")

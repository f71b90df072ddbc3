"""The keys that stand outside the database: they wrap credentials and hash keys, and every transit batch gets its
own.

Sealing is AES-256-GCM under a key derived (HKDF-SHA256) from the named key for one purpose, so that a ciphertext made
for one place opens in no other: the context (which row, which field) is authenticated with it.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sluis.errors import NotConfigured

log = logging.getLogger("sluis.keyring")

KEYS = "SLUIS_KEYS"
KEYS_FILE = "SLUIS_KEYS_FILE"
KEY_BYTES = 32
_NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
_HOW = "make one with `sluis keys generate`; the first of the list is the primary key"


class Keyring:
    """Named 32-byte keys; the first is primary (it seals), all of them open what was sealed before."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise NotConfigured(f"{KEYS} holds no key: {_HOW}", code="keys_missing")
        for key_id, key in keys.items():
            if not _ID.fullmatch(key_id) or len(key) != KEY_BYTES:
                raise NotConfigured(f"a key of {KEYS} is not <id>:<base64 of 32 bytes>: {_HOW}", code="keys_unreadable")
            if len(set(key)) == 1:
                raise NotConfigured(f"key {key_id} of {KEYS} is one byte over and over: {_HOW}", code="keys_weak")
        self._keys = dict(keys)
        self.primary_id = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"Keyring(primary={self.primary_id}, keys={len(self._keys)})"

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all keys, the primary one first."""
        return tuple(self._keys)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Keyring:
        """Read ``SLUIS_KEYS``, or the file that ``SLUIS_KEYS_FILE`` names; raises ``NotConfigured``, showing no key.

        A file that others may write is refused; one that others may read is warned of once, as a container's secret is
        mounted so (0444, root's) and nobody else is in the container.
        """
        env = os.environ if environ is None else environ
        text, path = env.get(KEYS, "").strip(), env.get(KEYS_FILE, "").strip()
        if text and path:
            raise NotConfigured(f"both {KEYS} and {KEYS_FILE} are set: keep one", code="keys_ambiguous")
        if path:
            text = _read(Path(path))
        if not text:
            raise NotConfigured(f"neither {KEYS} nor {KEYS_FILE} is set: {_HOW}", code="keys_missing")
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read ``<id>:<base64>`` pairs, joined by commas or newlines."""
        keys: dict[str, bytes] = {}
        for position, entry in enumerate(filter(None, re.split(r"[,\s]+", text.strip())), start=1):
            key_id, _, encoded = entry.partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not _ID.fullmatch(key_id) or len(key) != KEY_BYTES:
                raise NotConfigured(
                    f"key {position} of {KEYS} is not <id>:<base64 of 32 bytes>: {_HOW}", code="keys_unreadable"
                )
            if key_id in keys:
                raise NotConfigured(f"two keys of {KEYS} have the id {key_id}", code="keys_ambiguous")
            keys[key_id] = key
        return cls(keys)

    @staticmethod
    def generate() -> str:
        """Return a new key as ``<id>:<base64>``, ready to stand first in ``SLUIS_KEYS``."""
        return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode('ascii')}"

    def derive(self, key_id: str, purpose: str) -> bytes:
        """Return 32 bytes derived from the named key for one purpose; raises ``NotConfigured`` for an unknown id."""
        key = self._keys.get(key_id)
        if key is None:
            raise NotConfigured(
                f"something was sealed with key {key_id}, which is not in {KEYS}: put it back behind the primary key",
                code="key_unknown",
            )
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=b"sluis", info=purpose.encode()).derive(key)

    def wrap(self, plain: bytes, context: str) -> tuple[str, bytes]:
        """Seal under the primary key, bound to ``context``; returns the key's id and the sealed bytes."""
        return self.primary_id, seal(self.derive(self.primary_id, "wrap"), plain, context.encode())

    def unwrap(self, key_id: str, sealed: bytes, context: str) -> bytes:
        """Open what ``wrap`` sealed for the same context; raises ``NotConfigured`` when the key does not fit."""
        try:
            return unseal(self.derive(key_id, "wrap"), sealed, context.encode())
        except InvalidTag:
            raise NotConfigured(
                f"key {key_id} of {KEYS} does not open what was sealed with it, or the row was altered",
                code="key_wrong",
            ) from None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read().strip()
    except (OSError, UnicodeDecodeError):
        raise NotConfigured(f"the file named by {KEYS_FILE} cannot be read", code="keys_unreadable") from None
    if mode & _OTHERS_WRITE:
        raise NotConfigured(
            f"the file named by {KEYS_FILE} may be written by others (mode {mode:03o}): chmod 600 it, and look "
            "whether its keys are still yours", code="keys_exposed",
        )  # fmt: skip
    if mode & _OTHERS_READ:
        _warn_of(mode)
    return text


@cache
def _warn_of(mode: int) -> None:
    log.warning("the file named by %s may be read by others (mode %03o): chmod 600 it", KEYS_FILE, mode)


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """AES-256-GCM with a random nonce in front; ``context`` is authenticated, not stored."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, context)


def unseal(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Open what ``seal`` made; raises ``InvalidTag`` when key, context or bytes are not the same."""
    if len(sealed) < _NONCE_BYTES:
        raise InvalidTag
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)

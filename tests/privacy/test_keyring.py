"""The keyring: clear errors, no key ever shown, and a ciphertext that opens only where it belongs."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from sluis.errors import NotConfigured
from sluis.privacy.keyring import Keyring, _warn_of

ONE, TWO = Keyring.generate(), Keyring.generate()


def test_generated_keys_differ_and_are_read_back() -> None:
    assert ONE != TWO
    ring = Keyring.parse(f"{ONE},\n{TWO}")
    assert ring.primary_id == ONE.split(":")[0]
    assert ring.ids == (ONE.split(":")[0], TWO.split(":")[0])


def test_what_was_wrapped_opens_with_its_key_also_behind_a_new_primary() -> None:
    key_id, sealed = Keyring.parse(ONE).wrap(b"secret", "a/b")
    assert b"secret" not in sealed
    assert Keyring.parse(f"{TWO},{ONE}").unwrap(key_id, sealed, "a/b") == b"secret"
    assert Keyring.parse(ONE).wrap(b"secret", "a/b")[1] != sealed
    with pytest.raises(NotConfigured, match=f"key {key_id}, which is not in SLUIS_KEYS"):
        Keyring.parse(TWO).unwrap(key_id, sealed, "a/b")
    for altered, context in ((sealed, "a/c"), (sealed[:-1], "a/b"), (b"", "a/b")):
        with pytest.raises(NotConfigured, match="does not open") as caught:
            Keyring.parse(ONE).unwrap(key_id, altered, context)
        assert "secret" not in str(caught.value)


def test_a_wrong_key_of_the_same_id_does_not_open() -> None:
    key_id, sealed = Keyring.parse(ONE).wrap(b"secret", "a")
    impostor = f"{key_id}:{TWO.split(':')[1]}"
    with pytest.raises(NotConfigured, match="does not open"):
        Keyring.parse(impostor).unwrap(key_id, sealed, "a")


def test_derived_keys_differ_by_purpose_and_key() -> None:
    ring = Keyring.parse(f"{ONE},{TWO}")
    keys = {ring.derive(key_id, purpose) for key_id in ring.ids for purpose in ("transit/1", "transit/2", "wrap")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "neither SLUIS_KEYS nor SLUIS_KEYS_FILE is set"),
        ({"SLUIS_KEYS": " , "}, "holds no key"),
        ({"SLUIS_KEYS": "k1:c2hvcnQ="}, "key 1 of SLUIS_KEYS is not"),
        ({"SLUIS_KEYS": f"{ONE},k2"}, "key 2 of SLUIS_KEYS is not"),
        ({"SLUIS_KEYS": f"{ONE},k2:!!!"}, "key 2 of SLUIS_KEYS is not"),
        ({"SLUIS_KEYS": f"{ONE},{ONE}"}, "two keys"),
        ({"SLUIS_KEYS": f"{ONE},zero:{'A' * 43}="}, "key zero of SLUIS_KEYS is one byte"),
        ({"SLUIS_KEYS": f"{ONE},k:{base64.b64encode(b'k' * 32).decode()}"}, "key k of SLUIS_KEYS is one byte"),
        ({"SLUIS_KEYS": ONE, "SLUIS_KEYS_FILE": "x"}, "keep one"),
        ({"SLUIS_KEYS_FILE": "/nowhere/at/all"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_without_showing_a_key(environ: dict[str, str], told: str) -> None:
    with pytest.raises(NotConfigured, match=told) as caught:
        Keyring.from_environment(environ)
    assert ONE.split(":")[1] not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_keys_come_from_a_file_or_the_environment_and_are_never_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{ONE}\n{TWO}\n")
    path.chmod(0o600)
    ring = Keyring.from_environment({"SLUIS_KEYS_FILE": str(path)})
    assert len(ring.ids) == 2
    monkeypatch.setenv("SLUIS_KEYS", TWO)
    monkeypatch.delenv("SLUIS_KEYS_FILE", raising=False)
    assert Keyring.from_environment().ids == (TWO.split(":")[0],)
    raw = base64.b64decode(ONE.split(":")[1])
    for secret in (ONE.split(":")[1], repr(raw)[2:-1], raw.hex()):
        assert secret not in repr(ring)


def test_a_keys_id_holds_no_line_feed() -> None:
    with pytest.raises(NotConfigured, match="is not <id>"):
        Keyring({"k1\n": base64.b64decode(ONE.split(":")[1])})


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    path.write_text(ONE)
    path.chmod(mode)
    with pytest.raises(NotConfigured, match=f"mode {mode:03o}.*chmod 600") as caught:
        Keyring.from_environment({"SLUIS_KEYS_FILE": str(path)})
    assert caught.value.code == "keys_exposed"


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o644, 1), (0o444, 1)])
def test_a_file_that_others_may_read_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warnings: int
) -> None:
    _warn_of.cache_clear()
    path = tmp_path / "keys"
    path.write_text(ONE)
    path.chmod(mode)
    for _ in range(2):
        assert Keyring.from_environment({"SLUIS_KEYS_FILE": str(path)}).ids
    assert len(caplog.messages) == warnings
    assert all("chmod 600" in message and ONE.split(":")[1] not in message for message in caplog.messages)

"""A personal value shows itself to nobody, also not to what copies objects; a credential is visible ASCII."""

from __future__ import annotations

import copy
import copyreg
import pickle  # noqa: TID251 - to see that it is refused
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from sluis.core.frozen import Frozen
from sluis.core.personal import Credential, Personal

WAYS: dict[str, Callable[[Personal], object]] = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "getstate": lambda value: value.__getstate__(),
    "reduce": lambda value: value.__reduce__(),
    "reduce_ex": lambda value: object.__reduce_ex__(value, 2),
    "copyreg": lambda value: copyreg.__reduce_ex__(value, 0),  # type: ignore[attr-defined] # typeshed leaves it out
    "vars": vars,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_nothing_that_copies_objects_gets_the_value(way: Callable[[Personal], object]) -> None:
    with pytest.raises(TypeError) as caught:
        way(Personal("Canary"))
    assert "Canary" not in str(caught.value)


class Key(Frozen):
    """A credentials model."""

    token: Credential


@pytest.mark.parametrize("given", ["ck_abc123", "  ck_abc123\n", Personal("ck_abc123")])
def test_a_credential_comes_without_what_stands_around_it(given: object) -> None:
    assert Key.model_validate({"token": given}).token == Personal("ck_abc123")


@pytest.mark.parametrize(
    "given", ["", " \n", "a\nCANARY", "a\rCANARY", "a\x00CANARY", "CANARY•••", "CANARY é", "CAN ARY"]
)
def test_what_no_header_can_carry_is_no_credential_and_is_not_shown(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Key.model_validate({"token": given})
    assert "CAN" not in str(caught.value)

"""The first wall: a personal value that shows itself by no accident. Each accident is first done to a bare text."""

from __future__ import annotations

import base64
import copy
import io
import json
import logging
import pickle  # noqa: TID251 - to see it refused
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sluis.core.frozen import Frozen
from sluis.core.personal import MASK, Personal
from tests.walls.person import PERSON


class Bare(Frozen):
    """A model as it would be without the type."""

    name: str


class Guarded(Frozen):
    """The same with it."""

    name: Personal


@dataclass
class Row:
    """What shows its fields by itself."""

    name: Any


def logged(form: str, value: Any) -> str:
    stream = io.StringIO()
    logger = logging.Logger("wall")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning(form, value)
    return stream.getvalue()


def locals_of_a_traceback(value: Any) -> str:
    def careless(buyer: Any) -> None:
        raise RuntimeError("boom")

    try:
        careless(value)
    except RuntimeError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(told.format())
    return ""


def message_of_an_error(value: Any) -> str:
    try:
        raise ValueError("no such customer", value)
    except ValueError:
        return traceback.format_exc()


def frame(value: Any) -> str:
    import pandas as pd

    return repr(pd.DataFrame({"buyer": [value]})) + pd.DataFrame({"buyer": [value]}).to_csv()


def model(value: Any) -> Bare | Guarded:
    return Guarded(name=value) if isinstance(value, Personal) else Bare(name=value)


def printed(value: Any) -> str:
    stream, before = io.StringIO(), sys.stdout
    sys.stdout = stream
    try:
        print(value, [value])  # noqa: T201
    finally:
        sys.stdout = before
    return stream.getvalue()


#: Ways in which a value shows itself though nobody meant it to.
SHOWN: dict[str, Callable[[Any], str]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda v: f"{v} {v!r} {v:>40}",
    "percent": lambda v: "%s %r" % (v, v),  # noqa: UP031
    "format": "{0} {0!r}".format,
    "printed": printed,
    "joined": lambda v: ", ".join(map(str, [v])),
    "logged %s": lambda v: logged("order of %s", v),
    "logged %r": lambda v: logged("order of %r", v),
    "in a list": lambda v: f"{[v]} {(v,)} { {'buyer': v} }",
    "in a dataclass": lambda v: repr(Row(v)),
    "in a model": lambda v: f"{model(v)!r} {model(v)}",
    "a model's JSON": lambda v: model(v).model_dump_json(),
    "a model's dump": lambda v: str(model(v).model_dump()) + str(model(v).model_dump(mode="json")),
    "json with default=str": lambda v: json.dumps({"buyer": v}, default=str),
    "a frame of pandas": frame,
    "locals of a traceback": locals_of_a_traceback,
    "an error's arguments": message_of_an_error,
}
#: Ways in which it is copied out whole: they fail.
COPIED: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {n}": (lambda v, n=n: pickle.dumps(v, protocol=n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "json": lambda v: json.dumps({"buyer": v}),
    "a model pickled": lambda v: pickle.dumps(model(v)),
    "encoded": lambda v: v.encode(),
    "base64": lambda v: base64.b64encode(v.encode()),
    "added": lambda v: "order of " + v,
    "sliced": lambda v: v[:3],
    "iterated": list,
    "its variables": lambda v: vars(v) if not isinstance(v, str) else v,
}


@pytest.mark.parametrize("way", SHOWN)
def test_what_shows_a_text_shows_a_mask_instead_of_a_person(way: str) -> None:
    assert PERSON in SHOWN[way](PERSON)  # the leak
    shown = SHOWN[way](Personal(PERSON))
    assert PERSON not in shown
    assert "Kanarie" not in shown
    assert MASK in shown or json.dumps(MASK)[1:-1] in shown


@pytest.mark.parametrize("way", COPIED)
def test_what_copies_a_text_out_fails_on_a_person(way: str) -> None:
    COPIED[way](PERSON)  # the leak: it simply works
    with pytest.raises((TypeError, AttributeError, ValueError)) as caught:
        COPIED[way](Personal(PERSON))
    assert PERSON not in "".join(traceback.format_exception(caught.value))


def test_a_refused_model_does_not_repeat_its_input() -> None:
    from pydantic import BaseModel, ValidationError

    class Loud(BaseModel):
        total: int

    class Quiet(Frozen):
        total: int

    with pytest.raises(ValidationError) as leak:
        Loud.model_validate({"total": PERSON})
    assert PERSON in str(leak.value)
    with pytest.raises(ValidationError) as silent:
        Quiet.model_validate({"total": PERSON})
    assert PERSON not in str(silent.value)

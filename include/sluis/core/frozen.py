"""The base of every model: frozen, closed to unknown fields, and silent about values in its errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError


class Frozen(BaseModel):
    """A model that cannot be changed and whose validation errors never show the value that was refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


def wrong_fields(model: type[BaseModel], error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield (place, what is wrong) for each fault that ``error`` found in the input of ``model``.

    A place holds names of the model's own fields only (empty: the whole input). A key that is none of them is not
    repeated: whoever writes a token where its name belongs must not find it in a log.
    """
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        steps, inside = _known(model, fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = f"unknown field(s); known: {', '.join(inside.model_fields)}" if inside else "unknown field(s)"
        elif fault["type"] == "string_type":
            message = f"{message}: put it between quotes"
        yield ".".join(steps), message


def _known(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], type[BaseModel] | None]:
    """Return the beginning of a place that our models name, and the model in which it ends."""
    steps: list[str] = []
    inside: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, int):
            steps.append(str(step))
        elif inside is not None and step in inside.model_fields:
            inside = _model_in(inside.model_fields[step].annotation)
            steps.append(step)
        else:
            break
    return steps, inside


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds: itself, or the one in its ``tuple[...]`` or ``... | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) not in (tuple, Union, UnionType):
        return None
    models = [model for part in get_args(annotation) if (model := _model_in(part)) is not None]
    return models[0] if len(models) == 1 else None


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


#: An aware moment, always kept in UTC.
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
#: ISO 4217 letters.
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
#: ISO 3166-1 alpha-2 (VAT law adds ``XI``; Greece is ``GR`` here, ``EL`` only inside a VAT number).
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]

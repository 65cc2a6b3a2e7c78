"""What all sections share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Share = Annotated[float, Field(gt=0, lt=1)]
CENTURY: Final = 36_500
"""Days from a night; far more of them would reach to where there are no dates."""


class Section(BaseModel):
    """A part of the configuration: immutable, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """A number isn't true or false, which pydantic takes for 1 and 0."""
        if any(isinstance(part, bool) for part in _parts(value)):
            kinds = _kinds_of(cls.model_fields[str(info.field_name)].annotation)
            if bool not in kinds and kinds & {int, float}:
                raise ValueError(
                    "expected a number; YAML reads yes, no, on and off as true or false"
                )
        return value


def _parts(value: Any) -> Iterator[Any]:
    """What a list or a mapping holds; else the value itself."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value
    else:
        yield value


def _kinds_of(annotation: Any) -> frozenset[type]:
    """The types that a value, or a part of it, may have."""
    own = {annotation} if isinstance(annotation, type) else set()
    return frozenset(own.union(*(_kinds_of(one) for one in get_args(annotation))))

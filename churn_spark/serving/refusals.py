"""What every route may answer instead of its own answer, as FastAPI describes it."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

Responses = dict[int | str, dict[str, Any]]


class Problem(BaseModel):
    """What is wrong with one field."""

    field: str
    problem: str
    found: str


class EventProblem(BaseModel):
    """Why one of the events sent is of no use."""

    event: int = Field(description="its position, from 0")
    problem: str


class RowProblems(BaseModel):
    """Why one of the rows sent is of no use."""

    row: int = Field(description="its position, from 0")
    problems: list[Problem]


class Refusal(BaseModel):
    """Why there is no other answer."""

    detail: str
    problems: list[Problem | EventProblem | RowProblems] = Field(
        default=[], description="each field, event or row that doesn't fit"
    )


def refusal(why: str) -> dict[str, Any]:
    """The description of one status."""
    return {"model": Refusal, "description": why}


ANYWHERE: Final[Responses] = {
    500: refusal("an unexpected error; it is in the log"),
    503: refusal("not ready, or too many connections: come back"),
}
WITH_KEY: Final[Responses] = {
    401: refusal("no valid key"),
    403: refusal("the key lacks the scope"),
    413: refusal("the body is too large, or would be when it is unfolded"),
    415: refusal("the body is compressed: send it as it is"),
    429: refusal(
        "too many requests of this key, or without a valid one: come back after `Retry-After`"
    ),
}
BAD_QUERY: Final[Responses] = {422: refusal("the query doesn't fit; every problem is named")}
NO_SUCH_USER: Final[Responses] = {404: refusal("the user has no score")}

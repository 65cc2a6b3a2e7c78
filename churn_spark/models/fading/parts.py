"""Users in parts, wherever these are: a function goes to each part, what it finds comes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from churn_spark.models.threads import map_parts

Part = TypeVar("Part")
Part_co = TypeVar("Part_co", covariant=True)
Other = TypeVar("Other")
Result = TypeVar("Result")


class Parts(ABC, Generic[Part_co]):
    """Parts of the users, always in the same order."""

    @abstractmethod
    def collect(self, function: Callable[[Part_co], Result]) -> list[Result]:
        """What the function finds in each part, small, in their order."""

    @abstractmethod
    def first(self, n: int) -> Parts[Part_co]:
        """The first parts: of users by hash, so any number of them is a sample."""

    @abstractmethod
    def derive(self, function: Callable[[Part_co], Other]) -> AbstractContextManager[Parts[Other]]:
        """What the function makes of each part, kept where the parts are while it is used."""


@dataclass(frozen=True)
class LocalParts(Parts[Part]):
    """Parts in this process; NumPy's loops leave the interpreter free, so they run side by side.

    Attributes:
        parts: all of them.
    """

    parts: Sequence[Part]

    def collect(self, function: Callable[[Part], Result]) -> list[Result]:
        """What the function finds in each part, in their order."""
        return map_parts(function, self.parts)

    def first(self, n: int) -> LocalParts[Part]:
        """The first parts."""
        return LocalParts(self.parts[:n])

    @contextmanager
    def derive(self, function: Callable[[Part], Other]) -> Iterator[LocalParts[Other]]:
        """What the function makes of each part."""
        yield LocalParts(self.collect(function))

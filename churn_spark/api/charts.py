"""The charts of a page, as matplotlib's figures."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property

from matplotlib.figure import Figure

from churn_spark.errors import InputError
from churn_spark.reports.page import Picture


class Charts:
    """Charts by the names that the gallery of the documentation gives them."""

    @cached_property
    def _charts(self) -> Mapping[str, Picture]:
        raise NotImplementedError

    @property
    def charts(self) -> dict[str, str]:
        """Name of each chart that there is -> what it shows, in a sentence."""
        return {name: picture.alt for name, picture in self._charts.items()}

    def figure(self, name: str) -> Figure:
        """A chart of the page, to be shown, changed or saved.

        Args:
            name: one of `charts`.

        Raises:
            InputError: if the page has no such chart.
        """
        if name not in self._charts:
            close = get_close_matches(name, self._charts, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(
                f"found no chart {name}{meant}, expected one that the page has: "
                f"{', '.join(self._charts) or 'it has none yet'}"
            )
        return self._charts[name].figure

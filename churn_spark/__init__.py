"""Who is about to cancel, and why: from JSON event logs to scores, every night.

`from churn_spark import Lakehouse` is the interface for notebooks and scripts, see
`churn_spark.api.lakehouse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churn_spark.api.lakehouse import Lakehouse

__all__ = ["Lakehouse"]
__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    # Whoever imports a part of this package does not wait for what a notebook needs.
    if name != "Lakehouse":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from churn_spark.api.lakehouse import Lakehouse  # noqa: PLC0415

    return Lakehouse

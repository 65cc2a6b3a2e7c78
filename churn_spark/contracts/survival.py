"""How far ahead it is told whether users stay, and the columns that tell it."""

from __future__ import annotations

from typing import Final

SURVIVAL_DAYS: Final = (7, 14, 30, 60, 90)
"""Days from the start of the label's window after which a user is still subscribed."""

CAP_DAYS: Final = SURVIVAL_DAYS[-1]
"""Nothing is told of what comes later: expected days and lost fees end here."""

FEE_DAYS: Final = 30
"""Days for which a subscriber pays what `retention_list.value_by_level` says."""

EXPECTED_DAYS: Final = f"expected_days_{CAP_DAYS}d"
"""Column of the days that a user stays on average, capped."""


def survival_columns(of: str = "") -> tuple[str, ...]:
    """The columns of the chances to stay, in the order of `SURVIVAL_DAYS`.

    Args:
        of: the model whose own chances they are, `behaviour` or `fading`; empty: as served.
    """
    return tuple(f"{of}_survival_{days}d".lstrip("_") for days in SURVIVAL_DAYS)

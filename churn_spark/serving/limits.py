"""How much one caller may ask: a bucket of tokens per name."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MAX_BUCKETS: Final = 10_000


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class TokenBuckets:
    """A bucket per name: full at first, one token a request, filled at a steady rate.

    At most 10,000 names are remembered; the one that was not seen for longest is forgotten.
    """

    def __init__(
        self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Every name has the same rate.

        Args:
            per_second: tokens that flow in.
            burst: tokens that a bucket holds.
            clock: seconds, never going back.
        """
        self._per_second, self._burst, self._clock = per_second, float(burst), clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> float:
        """Take a token; returns 0, or the seconds until there is one again."""
        bucket = self._fill(name)
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._per_second
        bucket.tokens -= 1.0
        return 0.0

    def _fill(self, name: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._burst, now)
            if len(self._buckets) > _MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
            gained = (now - bucket.filled_at) * self._per_second
            bucket.tokens = min(self._burst, bucket.tokens + gained)
            bucket.filled_at = now
        return bucket

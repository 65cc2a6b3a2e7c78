"""How much one caller may ask: a bucket of tokens per name."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from churn_spark.errors import RequestError

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


class Strangers:
    """Those who have presented no valid key, by their address.

    What protects a key is its length: nobody is locked out who presents a valid one, from
    whatever address. Wrong ones get so many answers a minute, and cost nothing beyond.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Every address may be wrong so often a minute, and as often at once."""
        self._buckets = TokenBuckets(per_minute / 60, per_minute, clock)

    def refuse(self, peer: str) -> None:
        """Note one more wrong key, or none at all, from an address.

        Raises:
            RequestError: if there were too many, with status 429.
        """
        if wait := self._buckets.take(peer):
            text = "too many requests without a valid key from this address: slow down"
            raise RequestError(text, 429, retry_after=math.ceil(wait))

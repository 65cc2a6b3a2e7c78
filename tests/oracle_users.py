"""Obvious answers in plain Python: a user's part, risk band, tenure band and offset.

Written from the definitions, one value at a time; nothing of the product is used.
"""

from __future__ import annotations

import hashlib
import math


def bucket(user_id: str, seed: int) -> float:
    """The first 32 bits of SHA-256 of `seed:user_id`, as a share of 2^32."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{user_id}".encode()).digest()[:4]) / 2**32


def split(bucket: float, validation_share: float, stopping_share: float) -> str:
    """Validation users first, then the stopping share of the others; the rest trains."""
    if bucket < validation_share:
        return "validation"
    if bucket < validation_share + (1 - validation_share) * stopping_share:
        return "stopping"
    return "train"


def fold(bucket: float, validation_share: float, n_folds: int) -> int | None:
    """The fold that tests a user, of equal shares of those who aren't held out; none for these."""
    if bucket < validation_share:
        return None
    # A quotient just below 1 may round to 1.
    return min(int((bucket - validation_share) / (1 - validation_share) * n_folds), n_folds - 1)


def risk_band(probability: float, high_from: float, medium_from: float) -> str:
    """Each band has its lower end."""
    if probability >= high_from:
        return "high"
    if probability >= medium_from:
        return "medium"
    return "low"


def tenure_band(tenure_days: float | None) -> str:
    """Each band has its upper end."""
    if tenure_days is None or math.isnan(tenure_days):
        return "unknown"
    if tenure_days <= 30:
        return "up to 30 days"
    if tenure_days <= 90:
        return "30 to 90 days"
    return "over 90 days"


def log_odds(probability: float | None, fallback: float) -> float:
    """Of a probability, or of the fallback where it is unknown; a millionth is the least."""
    if probability is None or math.isnan(probability):
        probability = fallback
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(inside) - math.log(1 - inside)

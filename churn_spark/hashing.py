"""Short hashes that tell whether two things are the same."""

from __future__ import annotations

import hashlib
import json

_LENGTH = 16


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]


def content_hash(content: object) -> str:
    """The hash of the content as JSON: equal contents have equal hashes, keys in any order.

    What JSON has no form for, such as a date, counts as its text.
    """
    return text_hash(json.dumps(content, sort_keys=True, default=str))

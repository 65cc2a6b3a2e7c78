"""Short hashes that tell whether two things are the same, and keyed ones that tell nobody else."""

from __future__ import annotations

import hashlib
import hmac
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


def keyed_hash(key: bytes, purpose: str, text: str) -> str:
    """32 hexadecimal digits that nobody without the key makes of the text (HMAC with SHA-256).

    Args:
        key: a secret, or a salt that keeps two lists from being compared.
        purpose: hashes of one text for different purposes can't be told to be of one.
        text: what is hashed.
    """
    message = f"{purpose}\0{text}".encode()
    return hmac.digest(key, message, "sha256").hex()[: 2 * _LENGTH]

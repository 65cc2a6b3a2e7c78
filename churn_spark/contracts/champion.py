"""How the champion lies in the lakehouse: one folder of files per model, and a pointer to one.

The pipeline publishes it (`stores/champion`), the service reads it (`serving/published`). The
folder is written first and never changed; the pointer is exchanged last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

FOLDER: Final = "champion"
POINTER: Final = "champion/current.json"
CHECK_ROWS: Final = 256
"""Training rows that are published with what the model said of them: a reader must say the same."""


@dataclass(frozen=True)
class Published:
    """The pointer: which model is champion, and where its files are.

    Attributes:
        version: in the model registry.
        fingerprint: of the feature definitions that it was trained on.
        folder: with its files, below `FOLDER`.
        files: name -> SHA-256 of its content, as hexadecimal digits.
        trained_on: what its training says of itself: as-of date, label, rows, table versions.
    """

    version: str
    fingerprint: str
    folder: str
    files: Mapping[str, str]
    trained_on: Mapping[str, str]

    def path(self, name: str) -> str:
        """Where a file is, below the lakehouse."""
        return f"{FOLDER}/{self.folder}/{name}"

    def to_json(self) -> str:
        """The pointer's text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: bytes) -> Published:
        """The pointer of its text.

        Raises:
            ValueError: if it isn't one.
        """
        values = json.loads(text)
        try:
            return Published(**values)
        except TypeError as error:
            raise ValueError(f"no pointer to a champion: {error}") from None


def describe_champion(
    version: str, fingerprint: str, contents: Mapping[str, bytes], trained_on: Mapping[str, str]
) -> Published:
    """The pointer to some files; their folder is named by all that is published."""
    files = {name: digest(content) for name, content in sorted(contents.items())}
    parts = json.dumps([version, fingerprint, files, dict(sorted(trained_on.items()))])
    folder = f"{version}-{digest(parts.encode())[:12]}"
    return Published(version, fingerprint, folder, files, dict(trained_on))


def digest(content: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()

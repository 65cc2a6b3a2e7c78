"""Under which names a file is written before it gets its own: a killed job leaves it under these.

The service's inbox has names of its own, which end as the file's, see `serving.contact_inbox`.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

_HALF_WRITTEN: Final = re.compile(r".+\.[0-9a-f]{32}\.part|\..+\.(csv|list)\.partial")


def part_of(path: str) -> str:
    """Where a file of the lakehouse is written: several may write the same one at once."""
    return f"{path}.{uuid.uuid4().hex}.part"


def hidden_part_of(name: str) -> str:
    """The same of a list in a folder of the user's: hidden, and the next time written over.

    Those of older releases end with `.csv.partial`, as most did.
    """
    return f".{name}.list.partial"


def is_half_written(path: str) -> bool:
    """Whether a file has one of these names."""
    return bool(_HALF_WRITTEN.fullmatch(path.rpartition("/")[2]))

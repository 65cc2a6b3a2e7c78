"""Names for the arrays that this package computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Values = NDArray[Any]
"""Labels as integers or floats, ids as texts: whatever the rows hold."""

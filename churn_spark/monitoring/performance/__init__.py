"""How good the champion was, once labels are known, and what its scores promise before."""

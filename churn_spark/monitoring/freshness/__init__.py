"""Whether the nights come when they are expected, and when it is told that they don't."""

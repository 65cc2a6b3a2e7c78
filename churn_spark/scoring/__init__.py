"""Probabilities, risk bands, the list that a team works from."""
